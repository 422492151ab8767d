import math
import pickle
from pathlib import Path

import numpy as np
import pytest

from models.zoo.data import digits_splits
from service import Predictor, load_model
from service.errors import InputError, OutputError
from service.graph.artifact import read_artifact
from service.inference.options import Limits
from service.inference.runner import Draws
from service.protocol.options import SAMPLINGS, SEED_LIMIT
from tests.conftest import STORE

ROWS = digits_splits()[1].x[:5]


def test_predict_returns_mean_and_unbiased_variance_of_its_passes(digits: Predictor) -> None:
    prediction = digits.predict(ROWS, passes=100, seed=7)
    samples = digits.sampler.sample({"pixels": ROWS}, 100, Draws(7))["probabilities"]
    assert samples.shape == (100, 5, 10)
    np.testing.assert_allclose(prediction.mean, samples.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(prediction.variance, samples.var(axis=0, ddof=1), atol=1e-6)
    assert (prediction.passes, prediction.seed) == (100, 7)


def test_predict_reproduces_a_seed_bit_for_bit(digits: Predictor) -> None:
    first, again = (digits.predict(ROWS, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first.mean, again.mean)
    np.testing.assert_array_equal(first.variance, again.variance)
    assert (digits.predict(ROWS, seed=8).mean != first.mean).any()


def test_predict_without_a_seed_draws_and_returns_one(digits: Predictor) -> None:
    first, second = digits.predict(ROWS), digits.predict(ROWS)
    assert first.seed != second.seed
    np.testing.assert_array_equal(digits.predict(ROWS, seed=first.seed).mean, first.mean)


def test_answer_of_a_row_does_not_depend_on_other_rows(digits: Predictor) -> None:
    together = digits.predict(ROWS, seed=7).mean
    alone = np.concatenate([digits.predict(row[None], seed=7).mean for row in ROWS])
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_more_passes_begin_with_the_same_passes(digits: Predictor) -> None:
    few = digits.sampler.sample({"pixels": ROWS}, 10, Draws(7))["probabilities"]
    many = digits.sampler.sample({"pixels": ROWS}, 30, Draws(7))["probabilities"]
    np.testing.assert_allclose(many[:10], few, atol=1e-6)


def test_requested_measures_are_returned(digits: Predictor) -> None:
    names = ["predictive_entropy", "mutual_information"]
    measures = digits.predict(ROWS, measures=names, calibrated=False).measures
    assert list(measures) == names
    assert all(values.shape == (5,) for values in measures.values())
    assert digits.predict(ROWS, calibrated=False).measures == {}


def test_prediction_is_a_mapping_of_outputs(digits: Predictor) -> None:
    prediction = digits.predict(ROWS)
    assert list(prediction) == ["probabilities"]
    np.testing.assert_array_equal(prediction["probabilities"].mean, prediction.mean)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"passes": 1}, "passes is 1; a variance needs at least 2"),
        ({"passes": -5}, "passes is -5;"),
        ({"seed": -1}, "seed is -1; it must be from 0"),
        ({"seed": SEED_LIMIT}, f"it must be from 0 to {SEED_LIMIT - 1}"),
        ({"masks": "own"}, "masks is 'own'; it must be"),
        ({"sampling": "sobol"}, 'sampling is \'sobol\'; it must be "independent" or "stratified"'),
        ({"sampling": "sobol", "passes": 10}, "sampling is 'sobol'; it must be"),
        ({"rate_scale": -1.0}, "rate_scale is -1.0; it must be 0 or more"),
        ({"rate_scale": math.nan}, "rate_scale is nan; it must be"),
        (
            {"rate_scale": 1e-9},
            "'drop_maps' from 0.1 to 1e-10, which cannot be drawn",
        ),
        (
            {"rate_scale": 2 - 1e-9},
            "from 0.5 to 0.9999999995, which cannot be drawn",
        ),
        ({"rate_scale": 3.0}, r"rate of site 'drop_hidden' from 0.5 to 1.5; .* at most 2\."),
        ({"sites": ["drop"]}, r"sites names \['drop'\]; the model has \['drop_maps',"),
        ({"sites": []}, r"sites is empty, so that no site is active\. Name some of"),
        ({"passes": 10.0}, r"passes is 10\.0 of type float; it must be a whole number"),
        ({"passes": True}, "passes is True of type bool; it must be a whole number"),
        ({"seed": 1.5}, r"seed is 1\.5 of type float; it must be a whole number"),
        ({"seed": "7"}, "seed is '7' of type str; it must be a whole number"),
        ({"rate_scale": "a"}, "rate_scale is 'a' of type str; it must be a number"),
        ({"rate_scale": False}, "rate_scale is False of type bool; it must be a number"),
        ({"rate_scale": 10**400}, "rate_scale is inf; it must be 0 or more"),
        ({"sites": "drop"}, r"sites is the string 'drop'; give a list: \['drop'\]"),
        ({"sites": [None]}, r"sites is \[None\] of type list; it must be a list of names"),
        ({"sites": 3}, "sites is 3 of type int; it must be a list of names"),
        ({"measures": "predictive_entropy"}, "measures is the string 'predictive_entropy'; give a"),
        ({"measures": 1}, "measures is 1 of type int; it must be a list of names"),
        ({"measures": ["kurtosis"]}, r"measures names \['kurtosis'\]; .*predictive_entropy"),
    ],
)
def test_predict_refuses_invalid_options(
    digits: Predictor, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        digits.predict(ROWS, **options)  # type: ignore[arg-type]


def test_predict_accepts_numpy_numbers_and_any_iterable_of_names(digits: Predictor) -> None:
    site = digits.manifest.sites[0].name
    found = digits.predict(
        *(ROWS, np.int32(5), np.int64(7), iter(["predictive_entropy"])),  # type: ignore[arg-type]
        rate_scale=np.float32(0.5),  # type: ignore[arg-type]
        sites=np.array([site]),  # type: ignore[arg-type]
    )
    wanted = digits.predict(ROWS, 5, 7, ["predictive_entropy"], rate_scale=0.5, sites=[site])
    assert found == wanted
    assert (type(found.passes), type(found.seed)) == (int, int)


def test_stratified_passes_of_little_more_than_a_block_are_independent(digits: Predictor) -> None:
    one, other = (digits.predict(ROWS, 23, 7, sampling=sampling) for sampling in SAMPLINGS)
    assert one == other
    one, other = (digits.predict(ROWS, 24, 7, sampling=sampling) for sampling in SAMPLINGS)
    assert one != other


def test_predictions_are_equal_if_their_numbers_are(digits: Predictor) -> None:
    one = digits.predict(ROWS, 5, 7)
    assert one == digits.predict(ROWS, 5, 7)
    assert one == pickle.loads(pickle.dumps(one))
    assert one != digits.predict(ROWS, 5, 8)
    assert one != digits.predict(ROWS, 5, 7, ["predictive_entropy"])
    assert one["probabilities"] == one["probabilities"]
    assert one["probabilities"] != 0


def test_classification_measures_are_refused_for_a_regression() -> None:
    co2 = load_model(STORE / "co2" / "1" / "model.onnx")
    with pytest.raises(InputError, match="a model of task 'regression' has"):
        co2.predict([[2000.0]], measures=["predictive_entropy"])


def test_predict_refuses_requests_over_its_limits(digits: Predictor, digits_path: Path) -> None:
    artifact = read_artifact(digits_path)
    limited = Predictor(artifact, digits.planned, Limits(passes=50, samples=100))
    limited.predict(ROWS, passes=20)
    with pytest.raises(InputError, match="passes is 51; this server allows at most 50"):
        limited.predict(ROWS, passes=51)
    with pytest.raises(InputError, match=r"5 rows × 21 passes are 105 samples; .* at most 100"):
        limited.predict(ROWS, passes=21)


def test_output_that_is_not_finite_is_an_error() -> None:
    co2 = load_model(STORE / "co2" / "1" / "model.onnx")
    with pytest.raises(
        OutputError, match="the answer for row 1 has NaN or infinity in output 'ppm'"
    ):
        co2.predict([[2000.0], [3e38]])
    with pytest.raises(OutputError, match="the answer for row 0"):
        co2.predict_deterministic([[3e38]])


def test_partial_dropout_leaves_the_other_sites_off(digits: Predictor) -> None:
    """With one active site whose rate is scaled to 0, the output is deterministic."""
    off = digits.predict_deterministic(ROWS)["probabilities"]
    silent = digits.predict(ROWS, passes=4, sites=["drop_hidden"], rate_scale=0.0)
    np.testing.assert_allclose(silent.mean, off, atol=1e-6)
    assert silent.variance.max() < 1e-12
    one, two = (
        digits.predict(ROWS, passes=4000, seed=7, sites=sites)
        for sites in (["drop_hidden"], ["drop_hidden", "drop_features"])
    )
    assert 0 < one.variance.sum() < two.variance.sum()


def test_per_row_masks_differ_and_keep_that_of_the_first_row(digits: Predictor) -> None:
    twice = np.concatenate([ROWS[:1], ROWS[:1]])
    shared = digits.predict(twice, seed=7)
    own = digits.predict(twice, seed=7, masks="per_row")
    np.testing.assert_allclose(shared.mean[0], shared.mean[1], atol=1e-6)
    np.testing.assert_allclose(own.mean[0], shared.mean[0], atol=1e-6)
    assert np.abs(own.mean[1] - own.mean[0]).max() > 1e-4
