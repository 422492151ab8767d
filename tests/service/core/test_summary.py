import numpy as np

from service.core.measures import BoundMeasure, Facts, Measure
from service.core.measures.mutual_information import MutualInformation
from service.core.measures.predictive_entropy import PredictiveEntropy
from service.core.moments import moments
from service.core.summary import Merged, Running, Summary, constant, need_samples, value

SAMPLES = np.random.default_rng(0).dirichlet(np.ones(4), (100, 3)).astype(np.float32)


FACTS = Facts("y", (None, 4), "classification")


def summarize(samples: np.ndarray) -> Summary:
    return Running.start("y", samples).add(samples).summary()


def of_y(*measures: Measure) -> list[BoundMeasure]:
    return [BoundMeasure(measure, FACTS) for measure in measures]


def merge_chunks(cuts: list[int], block: int = 1) -> Merged:
    chunks = [moments(chunk) for chunk in np.split(SAMPLES, cuts)]
    merged = Merged.start(chunks[0], block)
    for chunk in chunks:
        merged = merged.add(chunk)
    return merged


def test_merged_moments_of_coupled_passes_are_those_of_all_samples() -> None:
    found = merge_chunks([7, 20, 40, 53, 60, 80], block=20).summary().moments
    whole = moments(SAMPLES, 20)
    for name in ("mean", "variance", "standard_error"):
        np.testing.assert_allclose(getattr(found, name), getattr(whole, name), rtol=1e-6)


def test_merged_summaries_are_those_of_all_samples() -> None:
    whole, merged = summarize(SAMPLES), merge_chunks([13]).summary()
    np.testing.assert_allclose(merged.moments.mean, SAMPLES.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(merged.moments.variance, whole.moments.variance)


def test_rows_of_a_summary_are_summaries_of_rows() -> None:
    whole = merge_chunks([13, 20, 40, 60, 80], block=20)
    some, all_rows = whole.rows(slice(2)).summary().moments, whole.summary().moments
    for name in ("mean", "variance", "standard_error"):
        np.testing.assert_array_equal(getattr(some, name), getattr(all_rows, name)[:2])


def test_constant_output_has_no_variance_and_no_mutual_information() -> None:
    (measure,) = of_y(MutualInformation())
    summary = constant("y", SAMPLES[0], 10, [measure])
    assert summary.moments.count == 10
    assert (summary.moments.variance == 0).all()
    assert (value(measure, {"y": summary}) == 0).all()


def test_samples_are_reduced_in_the_graph_where_moments_suffice() -> None:
    assert not need_samples(of_y(PredictiveEntropy()))
    assert need_samples(of_y(PredictiveEntropy(), MutualInformation()))
