"""Documents of made-up evaluations, whose numbers are chosen rather than computed."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from service.evaluation.about import METRICS, OF_MEASURES
from service.evaluation.document import (
    Acceptance,
    After,
    Bin,
    Bootstrap,
    Curve,
    DataInfo,
    Estimate,
    Evaluation,
    Group,
    Histogram,
    Interval,
    Level,
    MeasureResult,
    ModelInfo,
    PredictionSets,
    Reliability,
    Result,
    Setting,
    Timing,
)
from service.manifest import Task

UNDEFINED = Estimate(value=None)
MAIN = "100 passes"
_ERRORS = {"right": (400, 30, 8, 2, 1), "wrong": (0, 1, 2, 4, 2)}
_OTHERS = {"in": (400, 40, 6, 3, 1), "out": (9, 20, 40, 20, 11)}
SETTINGS = (
    Setting(name="dropout off", kind="deterministic"),
    Setting(name="10 passes", kind="passes", passes=10, rate_scale=1, masks="shared"),
    Setting(name=MAIN, kind="passes", passes=100, rate_scale=1, masks="shared"),
    Setting(name="rate × 0.5", kind="passes", passes=100, rate_scale=0.5, masks="shared"),
    Setting(name="per-row masks", kind="passes", passes=100, rate_scale=1, masks="per_row"),
)
CALIBRATED = Setting(name="calibrated", kind="calibrated", passes=100, rate_scale=1, masks="shared")
_PASSES = (2, 5, 10, 20, 50, 100)


def about(value: float, spread: float = 0.02) -> Estimate:
    """An estimate with an interval of `spread` to both sides."""
    return Estimate(value=value, low=value - spread, high=value + spread)


def _curve(of: Callable[[float], float]) -> Curve:
    x = [step / 50 for step in range(51)]
    return Curve(x=tuple(x), y=tuple(of(at) for at in x))


def sets(coverage: Estimate, level: float = 0.9, method: str = "aps") -> PredictionSets:
    """Prediction sets with such a coverage, of 450 rows."""
    groups = (("0", 10, UNDEFINED), ("1", 400, about(0.97)), ("2", 40, about(0.8)))
    return PredictionSets(
        method=method,
        level=level,
        coverage=coverage,
        size=about(1.1),
        empty=about(0.02, 0.01),
        single=about(0.89),
        by_size=tuple(Group(name=n, rows=rows, coverage=held) for n, rows, held in groups),
        least=Group(name="eight", rows=40, coverage=about(0.7, 0.1)),
    )


def acceptance(risk: Estimate, target: float | None = 0.03, *, other: bool = True) -> Acceptance:
    """A threshold that accepts 90 % of the data, which have such a risk."""
    return Acceptance(
        measure="predictive_entropy",
        expected=0.92,
        target_risk=target,
        confidence=0.95,
        share=about(0.9),
        loss="wrong",
        risk=risk,
        risk_of_all=about(0.06),
        others=about(0.4) if other else None,
    )


def calibrated(evaluation: Evaluation, **parts: object) -> Evaluation:
    """With a further setting, that of a calibration."""
    result = evaluation.result().model_copy(
        update={"setting": CALIBRATED, "differences": {"nll": about(-0.05)}, **parts}
    )
    return evaluation.model_copy(update={"results": (*evaluation.results, result)})


def _bins() -> tuple[Bin, ...]:
    def one(index: int) -> Bin:
        low, rows = index / 10, (0, 0, 0, 1, 4, 6, 9, 20, 40, 370)[index]
        stated = low + 0.05 if rows else None
        right = about(low + 0.04, 0.05) if rows else UNDEFINED
        return Bin(low=low, high=low + 0.1, rows=rows, confidence=stated, accuracy=right)

    return tuple(one(index) for index in range(10))


def ranking(auroc: Estimate, risk: float = 0.02, *, other: bool = True) -> MeasureResult:
    """What a measure says; its curves have the shape of one that finds errors."""
    metrics = {
        "auroc": auroc,
        "aupr": about(0.6),
        "aurc": about(0.003, 0.002),
        "excess_aurc": about(0.002, 0.001),
    }
    others = {"ood_auroc": about(0.8), "ood_aupr": about(0.7), "ood_fpr95": about(0.4)}
    edges = tuple(0.1 * step for step in range(6))
    return MeasureResult(
        certain="low",
        unit="nats",
        metrics={**metrics, **(others if other else {})},
        risk_coverage=_curve(lambda x: risk * x**4),
        roc=_curve(lambda x: x**0.2),
        ood_roc=_curve(lambda x: x**0.4) if other else None,
        histogram=Histogram(
            edges=edges, counts={"right": (400, 30, 8, 2, 1), "wrong": (0, 1, 2, 4, 2)}
        ),
        ood_histogram=Histogram(
            edges=edges, counts={"in": (400, 40, 6, 3, 1), "out": (9, 20, 40, 20, 11)}
        )
        if other
        else None,
    )


def classification(
    *,
    measures: Mapping[str, MeasureResult] | None = None,
    accuracy: Estimate | None = None,
    settings: Sequence[Setting] | None = None,
    model: str = "digits",
    other: bool = True,
    warnings: Sequence[str] = (),
) -> Evaluation:
    """A classification of 450 rows."""
    if measures is None:
        names = ("confidence", "predictive_entropy", "mutual_information", "variation_ratio")
        measures = {name: ranking(about(0.95), other=other) for name in names}
    metrics = {
        "accuracy": accuracy or about(0.98, 0.01),
        "nll": about(0.06),
        "brier": about(0.03),
        "ece": about(0.01, 0.005),
        "adaptive_ece": UNDEFINED,
    }
    diagram = Reliability(equal_width=_bins(), equal_mass=_bins())
    results = [
        Result(
            setting=setting,
            metrics=metrics,
            differences={} if setting.name == MAIN else dict.fromkeys(metrics, about(0.001)),
            measures=measures,
            reliability=diagram,
        )
        for setting in settings or SETTINGS
    ]
    rows = DataInfo(name="rotated.npz", rows=100) if other else None
    return _evaluation("classification", results, model=model, other=rows, warnings=tuple(warnings))


def regression(*, coverage: Estimate | None = None, noise: bool = True) -> Evaluation:
    """A regression of 450 rows, of which intervals of 90 % hold the given share."""
    metrics = {"rmse": about(2.1), "nll": about(1.4), "crps": about(1.0), "mae": about(1.6)}
    all_rows = Histogram(edges=(0.0, 1.0, 2.0), counts={"all": (300, 150)})
    measure = MeasureResult(
        certain="low",
        unit="output",
        metrics={"aurc": about(1.4, 0.1), "excess_aurc": about(0.3)},
        risk_coverage=_curve(lambda x: 1 + 1.1 * x),
        histogram=all_rows,
    )
    levels = [
        Interval(level=level, coverage=held, width=about(3.0), score=about(4.0))
        for level, held in (
            (0.5, about(0.5)),
            (0.9, coverage or about(0.88, 0.04)),
            (0.99, about(0.97)),
        )
    ]
    results = [
        Result(
            setting=setting,
            metrics=metrics,
            differences={} if setting.name == MAIN else dict.fromkeys(metrics, about(0.001)),
            measures={"std": measure},
            best=_curve(lambda x: x),
            intervals=tuple(levels),
            calibration=tuple(Level(expected=q / 10, observed=about(q / 10)) for q in range(1, 10)),
        )
        for setting in SETTINGS
    ]
    return _evaluation("regression", results, model="co2", noise="constant" if noise else "none")


def _evaluation(
    task: Task,
    results: Sequence[Result],
    *,
    model: str,
    noise: Literal["none", "constant"] = "none",
    other: DataInfo | None = None,
    warnings: tuple[str, ...] = (),
) -> Evaluation:
    metrics = results[-1].metrics
    return Evaluation(
        created=datetime(2026, 11, 26, 12, 0, tzinfo=UTC),
        tools={"mcdropout": "0.1.0", "numpy": "2.3.0"},
        command=f"mcdropout evaluate {model} --data test.npz --seed 7",
        model=ModelInfo(name=model, sha256="ab" * 32, task=task, output="out", noise=noise),
        data=DataInfo(name="test.npz", rows=450, sha256="cd" * 32),
        other=other,
        seed=7,
        bootstrap=Bootstrap(resamples=1000, confidence=0.95, seed=1),
        about={**METRICS, **OF_MEASURES},
        main=MAIN if len(results) > 1 else results[0].setting.name,
        results=tuple(results),
        passes=tuple(After(passes=passes, metrics=metrics) for passes in _PASSES),
        warnings=warnings,
        timing=Timing(passes=2.0, metrics=0.5, bootstrap=1.0, total=3.5, samples=450_000),
    )
