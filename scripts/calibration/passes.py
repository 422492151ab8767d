"""What becomes of the promises of a calibration with other passes than its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from models.zoo.data import digits_splits
from scripts.calibrate_demo_models import TARGET_RISK
from scripts.calibration.pools import PASSES, SEED
from scripts.evaluate_demo_models import STORE
from service import load_model
from service.core.conformal import class_scores
from service.core.entropy import entropy
from service.fitting.conformal import threshold
from service.fitting.selection import Judged, threshold_of_risk

Array = NDArray[Any]

#: Numbers of passes, all of which divide the last one or leave a rest that is not used.
NUMBERS = (10, 30, 100, 300, 1000)
COVERAGE, CONFIDENCE = 0.9, 0.95


@dataclass(frozen=True)
class Rule:
    """What a division of the rows was calibrated to, by the passes of one seed.

    Attributes:
        test: (N,) indices of the rows that test it.
        set_threshold: of the scores of classes.
        accept_threshold: of the entropy.
    """

    test: Array
    set_threshold: float
    accept_threshold: float

    def kept(self, p: Array, labels: Array) -> tuple[float, float, float]:
        """Coverage of sets, and risk and share of the accepted test rows.

        Args:
            p: (rows, C) mean probabilities.
            labels: (rows,) of all rows.
        """
        p, labels = p[self.test], labels[self.test]
        accepted = entropy(p) <= self.accept_threshold
        wrong = p.argmax(axis=1) != labels
        covered = _scores(p, labels) <= self.set_threshold
        return covered.mean(), wrong[accepted].mean(), accepted.mean()


def passes_table(runs: int = 6, divisions: int = 60) -> Table:
    """Coverage, risk and share of accepted images over many seeds, which all images share.

    The images that calibrate have masks of their own.

    Args:
        runs: of 1000 passes with a seed each; 6 of them are 60 times 100 passes.
        divisions: of the images into halves that calibrate, with one seed, and that test.
    """
    _, images = digits_splits()
    model = load_model(STORE / "digits" / "1" / "model.onnx").with_calibration(None)
    own = model.predict(images.x, PASSES, SEED, masks="per_row").mean.astype(np.float64)
    rules = list(_rules(own, images.y, divisions))
    found: dict[int, list[Array]] = {number: [] for number in NUMBERS}
    for seed in range(runs):
        samples = model.predict(images.x, NUMBERS[-1], seed, ["samples"]).measures["samples"]
        for number in NUMBERS:
            found[number] += [_kept(rules, p, images.y) for p in _means(samples, number)]
    title = (
        f"digits, calibrated with seed {SEED} and {PASSES} passes: means of {divisions} divisions"
    )
    table = Table("passes", "times", "coverage", "risk", "accepted", title=title)
    table.add_row(
        f"{PASSES}, as calibrated", "1", *(f"{v:.4f}" for v in _kept(rules, own, images.y))
    )
    for number, kept in found.items():
        table.add_row(f"{number}", f"{len(kept)}", *_spread(np.array(kept)))
    return table


def _rules(own: Array, labels: Array, count: int) -> Iterator[Rule]:
    rng = np.random.default_rng(7)
    scores, doubt, wrong = _scores(own, labels), entropy(own), own.argmax(axis=1) != labels
    for _ in range(count):
        fit, test = np.array_split(rng.permutation(len(labels)), 2)
        accepted = threshold_of_risk(Judged(doubt[fit], wrong[fit]), TARGET_RISK, CONFIDENCE)
        yield Rule(test, threshold(scores[fit], COVERAGE), accepted.threshold)


def _scores(p: Array, labels: Array) -> Array:
    return np.asarray(class_scores("lac", p)[np.arange(len(labels)), labels])


def _kept(rules: list[Rule], p: Array, labels: Array) -> Array:
    return np.asarray(np.mean([rule.kept(p, labels) for rule in rules], axis=0))


def _means(samples: Array, passes: int) -> Iterator[Array]:
    """(rows, C) means of passes, as often as (rows, P, C) samples have so many."""
    for start in range(0, samples.shape[1] - passes + 1, passes):
        yield samples[:, start : start + passes].mean(axis=1, dtype=np.float64)


def _spread(kept: Array) -> list[str]:
    """The mean, and the middle 95 %, of each column."""
    low, high = np.quantile(kept, [0.025, 0.975], axis=0)
    return [
        f"{mean:.4f}, {a:.3f} to {b:.3f}"
        for mean, a, b in zip(kept.mean(axis=0), low, high, strict=True)
    ]
