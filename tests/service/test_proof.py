"""Break a loaded model in each way that Monte Carlo dropout fails, and see the proof refuse it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service import proof
from service.core.draws import draw
from service.engine import CPU
from service.errors import ProofError
from service.graph.artifact import Artifact, read_artifact
from service.graph.plan import compile_plan
from service.proof import prove
from service.sampler import Rows, Sampler


@pytest.fixture(scope="module")
def artifact(digits_path: Path) -> Artifact:
    return read_artifact(digits_path)


@pytest.fixture
def sampler(artifact: Artifact) -> Sampler:
    return Sampler(compile_plan(artifact), [CPU])


def test_proof_of_a_living_model_holds_its_figures(artifact: Artifact, sampler: Sampler) -> None:
    found = prove(artifact, sampler)
    assert found.off_difference <= proof.TOLERANCE
    assert found.pass_difference <= proof.TOLERANCE
    assert min(found.site_effects.values()) > 0
    assert found.drop_rates == pytest.approx(
        {"drop_maps": 0.1, "drop_features": 0.25, "drop_hidden": 0.5}, abs=0.02
    )
    assert found.spread["probabilities"] > 0.01


class FrozenMasks(Sampler):
    """Every pass gets the first one's masks, as in an export that folded them."""

    def draw(self, rows: Rows, passes: int, seed: int) -> list[Any]:
        return [np.repeat(mask[:1], passes, axis=0) for mask in super().draw(rows, passes, seed)]


class NoMasks(Sampler):
    """Dropout was optimised away."""

    def draw(self, rows: Rows, passes: int, seed: int) -> list[Any]:
        return self.neutral(rows, passes)


class OneSeed(Sampler):
    """The request's seed is not used."""

    def draw(self, rows: Rows, passes: int, seed: int) -> list[Any]:
        return super().draw(rows, passes, seed=0)


class UnseededMasks(Sampler):
    """The masks come from somewhere else than the seed."""

    def draw(self, rows: Rows, passes: int, seed: int) -> list[Any]:
        return super().draw(rows, passes, int(np.random.default_rng().integers(1 << 50)))


class DeadSite(Sampler):
    """The last site's mask does not reach the graph."""

    def run(self, rows: Rows, draws: list[Any], training: bool = True) -> dict[str, Any]:
        return super().run(rows, [*draws[:-1], np.ones_like(draws[-1])], training)


class UnscaledMasks(Sampler):
    """Off is not off: kept values are scaled although nothing is dropped."""

    def neutral(self, rows: Rows, passes: int) -> list[Any]:
        return [1.1 * mask for mask in super().neutral(rows, passes)]


class MixedRows(Sampler):
    """A row's answer depends on the others in its batch."""

    def run(self, rows: Rows, draws: list[Any], training: bool = True) -> dict[str, Any]:
        outputs = super().run(rows, draws, training)
        if len(draws[0]) == 1:
            return outputs
        return {name: y + 0.1 * y.mean(axis=1, keepdims=True) for name, y in outputs.items()}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (FrozenMasks, "is the same in all of 16 passes"),
        (NoMasks, "is the same in all of 16 passes"),
        (OneSeed, "is the same for two different seeds"),
        (UnseededMasks, "differs between two runs of one seed"),
        (DeadSite, "draws of layer 'drop_hidden' do not reach any output"),
        (UnscaledMasks, "with dropout off the plan differs from the artifact by"),
        (MixedRows, "the model mixes rows of its batch"),
    ],
)
def test_proof_refuses(artifact: Artifact, broken: type[Sampler], message: str) -> None:
    with pytest.raises(ProofError, match=message):
        prove(artifact, broken(compile_plan(artifact), [CPU]))


def test_proof_refuses_a_wrong_rate(
    artifact: Artifact, sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def halved(kind: str, rate: float, *others: Any) -> Any:
        return draw(kind, rate / 2, *others)

    monkeypatch.setattr(proof, "draw", halved)
    with pytest.raises(ProofError, match=r"'drop_maps' has rate 0\.1 and drops 0\.0"):
        prove(artifact, sampler)
