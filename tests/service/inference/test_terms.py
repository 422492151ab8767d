"""Facts, defaults and measures of a way to answer belong together."""

import pytest

from service import Predictor, load_model
from service.inference.terms import CalibratedTerms
from service.protocol.options import Options
from tests.service.calibration.models import save_calibrated


@pytest.fixture(scope="module")
def co2(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    sampling = {"passes": 50, "seed": 1, "rate_scale": 0.8}
    return load_model(save_calibrated(tmp_path_factory.mktemp("models"), "co2", sampling=sampling))


def test_plain_terms_have_nothing_of_the_calibration(co2: Predictor) -> None:
    plain, calibrated = co2.terms.plain, co2.terms.calibrated
    assert isinstance(calibrated, CalibratedTerms)
    (bare,), (fitted,) = plain.facts, calibrated.facts
    assert (bare.noise, bare.calibration, plain.rate_scale) == (None, None, 1)
    assert (fitted.noise, calibrated.rate_scale) == (0.25, 0.8)
    assert fitted.calibration == calibrated.document.facts
    assert {one.name for one in calibrated.all_measures()} > {
        one.name for one in plain.all_measures()
    }


def test_a_request_gets_everything_of_one_way_to_answer(co2: Predictor) -> None:
    name = co2.manifest.outputs[0].name
    for asked, wanted in [(True, co2.terms.calibrated), (False, co2.terms.plain)]:
        assert wanted is not None
        options = Options(calibrated=asked, passes={"max": 40, "tolerance": 1})
        terms = co2.terms.of(options)
        assert terms.facts_of(name).calibration is wanted.facts_of(name).calibration
        assert terms.draws_of(options, 40, 7).rate_scale == wanted.rate_scale
        measures = [*wanted.measures_of(Options()), "standard_error"]
        assert len(terms.measures_of(options)) == len(measures)


def test_a_model_without_a_calibration_has_no_calibrated_terms(co2: Predictor) -> None:
    bare = co2.with_calibration(None)
    assert bare.terms.calibrated is None
    assert bare.terms.widest is bare.terms.of(Options()) is bare.terms.plain
