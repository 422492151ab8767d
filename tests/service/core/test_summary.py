import numpy as np
import pytest

from service.core.measures import entropy
from service.core.summary import CLASSIFICATION_MEASURES, Summary, constant, summarise

SAMPLES = np.random.default_rng(0).dirichlet(np.ones(4), (100, 3)).astype(np.float32)


def test_merged_summaries_are_those_of_all_samples() -> None:
    whole = summarise(SAMPLES, with_entropy=True)
    merged = summarise(SAMPLES[:13], True).merge(summarise(SAMPLES[13:], True))
    assert merged.entropy is not None
    np.testing.assert_allclose(merged.moments.mean, SAMPLES.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(merged.entropy, entropy(SAMPLES).mean(axis=0))
    for measure in CLASSIFICATION_MEASURES.values():
        np.testing.assert_allclose(measure(merged), measure(whole), atol=1e-12)


def test_stacked_summaries_are_those_of_all_rows() -> None:
    whole = summarise(SAMPLES, True)
    stacked = Summary.stack([summarise(SAMPLES[:, :1], True), summarise(SAMPLES[:, 1:], True)])
    np.testing.assert_allclose(stacked.moments.mean, whole.moments.mean)
    np.testing.assert_allclose(stacked.moments.variance, whole.moments.variance)
    np.testing.assert_allclose(stacked.entropy, whole.entropy)  # type: ignore[arg-type]
    np.testing.assert_array_equal(whole.rows(slice(2)).moments.mean, whole.moments.mean[:2])


def test_a_constant_output_has_no_variance_and_no_mutual_information() -> None:
    summary = constant(SAMPLES[0], passes=10, with_entropy=True)
    assert (summary.moments.variance == 0).all()
    assert (CLASSIFICATION_MEASURES["mutual_information"](summary) == 0).all()


def test_a_measure_that_needs_entropies_does_not_make_them_up() -> None:
    with pytest.raises(ValueError, match="made without entropies"):
        CLASSIFICATION_MEASURES["mutual_information"](summarise(SAMPLES))
