import numpy as np

from service.core.measures import BoundMeasure, Facts, Measure
from service.core.measures.mutual_information import MutualInformation
from service.core.measures.predictive_entropy import PredictiveEntropy
from service.core.summary import Running, Summary, constant, need_samples, value

SAMPLES = np.random.default_rng(0).dirichlet(np.ones(4), (100, 3)).astype(np.float32)


FACTS = Facts("y", (None, 4), "classification")


def summarize(samples: np.ndarray) -> Summary:
    return Running.start("y", samples).add(samples).summary()


def of_y(*measures: Measure) -> list[BoundMeasure]:
    return [BoundMeasure(measure, FACTS) for measure in measures]


def test_merged_summaries_are_those_of_all_samples() -> None:
    whole, merged = summarize(SAMPLES), summarize(SAMPLES[:13]).merge(summarize(SAMPLES[13:]))
    np.testing.assert_allclose(merged.moments.mean, SAMPLES.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(merged.moments.variance, whole.moments.variance)


def test_rows_of_a_summary_are_summaries_of_rows() -> None:
    whole = summarize(SAMPLES)
    np.testing.assert_array_equal(whole.rows(slice(2)).moments.mean, whole.moments.mean[:2])
    np.testing.assert_array_equal(whole.rows(slice(2)).moments.m2, whole.moments.m2[:2])


def test_constant_output_has_no_variance_and_no_mutual_information() -> None:
    (measure,) = of_y(MutualInformation())
    summary = constant("y", SAMPLES[0], 10, [measure])
    assert summary.moments.count == 10
    assert (summary.moments.variance == 0).all()
    assert (value(measure, {"y": summary}) == 0).all()


def test_samples_are_reduced_in_the_graph_where_moments_suffice() -> None:
    assert not need_samples(of_y(PredictiveEntropy()))
    assert need_samples(of_y(PredictiveEntropy(), MutualInformation()))
