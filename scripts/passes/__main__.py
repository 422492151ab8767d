"""Measure stopping rules on the demo models: passes, errors, coverage, decisions.

    python -m scripts.passes

Writes benchmarks/passes.json, and prints a table. Needs the `demo` extra, not TensorFlow.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from models.zoo.data import digits_splits
from scripts.benchmark.machine import machine
from scripts.evaluate_demo_models import demo_model
from scripts.passes.pools import Pool, draw
from scripts.passes.report import DecisionResult, ToleranceResult
from scripts.passes.simulate import simulate
from service.core.measures import Facts
from service.core.stopping import read_rule
from service.protocol.adaptive import AdaptivePasses, Decision

Rows = NDArray[np.float32]

RUNS = 2000
PASSES = 100_000
MAXIMUM = 2000
#: For each model: tolerances, and the maximum of passes for each.
TOLERANCES = {"digits": {0.01: 4000}, "co2": {0.05: 20_000, 0.01: 100_000}}

FACTS = {
    "digits": [Facts("", (None, 10), "classification")],
    "co2": [Facts("", (None, 1), "regression")],
}


def rows_of(name: str) -> Rows:
    """150 test images of `digits`; for `co2` years inside and beyond its data."""
    if name == "digits":
        return digits_splits()[1].x[::3]
    return np.linspace(1960, 2020, 25, dtype=np.float32)[:, None]


def measure(name: str, console: Console) -> Iterator[ToleranceResult | DecisionResult]:
    """All results of a model."""
    random = np.random.default_rng(12)
    console.print(f"Drawing {PASSES} passes of {name} …")
    pool = draw(demo_model(name), rows_of(name), PASSES)
    for tolerance, maximum in TOLERANCES[name].items():
        console.print(f"{RUNS} runs of each row to a standard error of {tolerance} …")
        rule = read_rule(AdaptivePasses(max=maximum, tolerance=tolerance), FACTS[name])
        runs = simulate(rule, pool, RUNS, random)
        yield ToleranceResult.of(name, tolerance, maximum, runs, pool)
    if name == "digits":
        console.print(f"{RUNS} runs of each row to a decision on the class …")
        yield decide(pool, random)


def decide(pool: Pool, random: np.random.Generator) -> DecisionResult:
    """Decisions on the class, and those of the maximum of passes."""
    decision = Decision(measure="predicted_class")
    rule = read_rule(AdaptivePasses(max=MAXIMUM, decide=decision), FACTS["digits"])
    fixed = replace(rule, looks=(MAXIMUM,))
    return DecisionResult.of(
        decision, simulate(rule, pool, RUNS, random), simulate(fixed, pool, RUNS, random)
    )


def table(results: Sequence[ToleranceResult | DecisionResult]) -> Table:
    """One line a result."""
    found = Table(
        "", "passes: mean", "p50", "p99", "settled", "error", "within 2", "coverage", "saved"
    )
    for result in results:
        passes = (f"{value:.0f}" for value in astuple(result.passes))
        found.add_row(result.title, *passes, *result.cells)
    return found


def main(
    output: Annotated[Path, typer.Option(help="File to write.")] = Path("benchmarks/passes.json"),
) -> None:
    """Measure stopping rules on the demo models."""
    console = Console()
    results = [result for name in TOLERANCES for result in measure(name, console)]
    found = {"machine": machine(), "runs": RUNS, "reference_passes": PASSES}
    found["results"] = [asdict(result) for result in results]
    output.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    console.print(table(results))


if __name__ == "__main__":
    typer.run(main)
