"""Break a loaded model in each way that Monte Carlo dropout can fail; verification refuses it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.core.distributions import SiteDraw
from service.core.distributions.bernoulli import Bernoulli
from service.errors import ProofError
from service.graph.artifact import Artifact, read_artifact
from service.graph.plan import compile_plan
from service.inference.runner import Draws, Frontier, Runner
from service.inference.sampler import Sampler
from service.inference.verification import verify
from service.runtime.engine import CPU


@pytest.fixture(scope="module")
def artifact(digits_path: Path) -> Artifact:
    return read_artifact(digits_path)


def make_sampler(artifact: Artifact, runner: type[Runner] = Runner) -> Sampler:
    return Sampler(runner(compile_plan(artifact), [CPU]))


@pytest.fixture
def sampler(artifact: Artifact) -> Sampler:
    return make_sampler(artifact)


def test_verification_of_active_dropout_reports_its_figures(
    artifact: Artifact, sampler: Sampler
) -> None:
    found = verify(artifact, sampler)
    assert found.off_difference is not None
    assert found.off_difference <= 1e-5
    assert found.pass_difference <= 1e-5
    assert min(found.site_effects.values()) > 0
    assert found.drop_rates == pytest.approx(
        {"drop_maps": 0.1, "drop_features": 0.25, "drop_hidden": 0.5}, abs=0.02
    )
    assert found.spread["probabilities"] > 0.01


class FrozenMasks(Runner):
    """Every pass has the masks of the first one, as in an export that folded them."""

    def draw(
        self, frontier: Frontier, passes: range, draws: Draws, own: Sequence[int] | None = None
    ) -> list[SiteDraw]:
        drawn = super().draw(frontier, range(1), draws)
        return [SiteDraw(np.repeat(d.numbers, len(passes), axis=0), d.scale) for d in drawn]


class NoMasks(Runner):
    """Dropout was optimized away."""

    def draw(
        self, frontier: Frontier, passes: range, draws: Draws, own: Sequence[int] | None = None
    ) -> list[SiteDraw]:
        drawn = super().draw(frontier, passes, draws)
        return [SiteDraw(np.ones_like(d.numbers)) for d in drawn]


class OneSeed(Runner):
    """The request's seed is not used."""

    def draw(
        self, frontier: Frontier, passes: range, draws: Draws, own: Sequence[int] | None = None
    ) -> list[SiteDraw]:
        return super().draw(frontier, passes, replace(draws, seed=0))


class UnseededMasks(Runner):
    """The masks do not depend on the seed."""

    def draw(
        self, frontier: Frontier, passes: range, draws: Draws, own: Sequence[int] | None = None
    ) -> list[SiteDraw]:
        return super().draw(frontier, passes, Draws(int(np.random.default_rng().integers(1 << 50))))


class DeadSite(Runner):
    """The mask of the last site does not reach the graph."""

    def feeds(self, frontier: Frontier, draws: Any, on: Any = None) -> dict[str, Any]:
        dead = SiteDraw(np.ones_like(draws[-1].numbers))
        return super().feeds(frontier, [*draws[:-1], dead], on)


class SwappedMasks(Runner):
    """The inner masks of a pass are those of another one."""

    def feeds(self, frontier: Frontier, draws: Any, on: Any = None) -> dict[str, Any]:
        *others, (numbers, scale) = draws
        if len(numbers) > len(others[0].numbers):
            numbers = numbers[::-1]
        return super().feeds(frontier, [*others, SiteDraw(numbers, scale)], on)


class UnscaledMasks(Runner):
    """Kept values are scaled although nothing is dropped."""

    def neutral(self, frontier: Frontier, passes: int) -> list[SiteDraw]:
        return [SiteDraw(d.numbers, 1.1) for d in super().neutral(frontier, passes)]


class MixedRows(Runner):
    """The answer of a row depends on the other rows of its batch."""

    def run(self, frontier: Frontier, draws: Any, *others: Any, **named: Any) -> dict[str, Any]:
        outputs = super().run(frontier, draws, *others, **named)
        return {name: y + 0.1 * y.mean(axis=1, keepdims=True) for name, y in outputs.items()}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (FrozenMasks, "draws the same in all of 16 passes"),
        (NoMasks, "draws the same in all of 16 passes"),
        (OneSeed, "draws the same for two different seeds"),
        (UnseededMasks, "differs between two runs with the same seed"),
        (DeadSite, "draws of layer 'drop_hidden' do not reach any output"),
        (SwappedMasks, "3 masks of site 'drop_hidden' in one pass differ from 3 passes"),
        (UnscaledMasks, "with dropout off the plan differs from the artifact by"),
        (MixedRows, "differs from the artifact by|mixes rows of its batch"),
    ],
)
def test_verification_refuses(artifact: Artifact, broken: type[Runner], message: str) -> None:
    with pytest.raises(ProofError, match=message):
        verify(artifact, make_sampler(artifact, broken))


def test_verification_refuses_a_wrong_rate(
    artifact: Artifact, sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Bernoulli.row

    def halved(self: Bernoulli, stream: Any, shape: Any, dtype: Any, rate: float) -> Any:
        return row(self, stream, shape, dtype, rate / 2)

    monkeypatch.setattr(Bernoulli, "row", halved)
    with pytest.raises(ProofError, match=r"'drop_maps' has rate 0\.1 and drops 0\.0"):
        verify(artifact, sampler)
