"""The command behind docs/uncertainty.md, with few passes."""

from pathlib import Path

import numpy as np
import pytest

from models.zoo.data import Split, digits_splits
from scripts import uncertainty_figures
from scripts.uncertainty_figures import Errors, main, monte_carlo_errors, share_inside
from service import load_model
from tests.conftest import STORE


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer passes and seeds."""
    small = {"GRID": (25, 100), "REPEATS": 20, "REFERENCE": 4000, "PASSES": 100, "BIAS_PASSES": 0}
    for name, value in small.items():
        monkeypatch.setattr(uncertainty_figures, name, value)
    train, test = digits_splits()
    images = Split(test.x[:40], test.y[:40])
    monkeypatch.setattr(uncertainty_figures, "digits_splits", lambda: (train, images))


@pytest.mark.usefixtures("few")
def test_errors_of_the_mean_are_those_of_independent_passes() -> None:
    """Their standard deviation is 1/√P; 160 errors, of which those of a seed are correlated."""
    model = load_model(STORE / "co2" / "1" / "model.onnx")
    found: Errors = monte_carlo_errors(model, uncertainty_figures.YEARS[:8], np.zeros(8, int))
    np.testing.assert_allclose(found.reported, [0.2, 0.1], rtol=0.1)
    np.testing.assert_allclose(found.actual, [0.2, 0.1], rtol=0.8)
    assert (found.coverage > 0.5).all()


def test_share_inside_counts_values_between_the_ends() -> None:
    ends = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    assert share_inside(ends, np.array([0.5, 1.0, 2.0])) == pytest.approx(2 / 3)


@pytest.mark.usefixtures("few")
def test_command_draws_every_figure_of_the_guide(tmp_path: Path) -> None:
    main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "passes.png",
        "interval.png",
        "samples.png",
    }
