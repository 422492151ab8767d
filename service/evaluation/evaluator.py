"""Evaluates a model: runs all settings, compares them with targets, and writes the document."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias

from service.calibration.fingerprint import fingerprint, row_hashes
from service.core.measures.facts import Facts
from service.errors import InputError
from service.evaluation.about import METRICS, OF_MEASURES
from service.evaluation.bootstrap import estimate
from service.evaluation.calibrated import document_of
from service.evaluation.data import (
    Labeled,
    Unlabeled,
    labeled,
    read_labeled,
    read_unlabeled,
    unlabeled,
)
from service.evaluation.document import After, Bootstrap, DataInfo, Evaluation, ModelInfo
from service.evaluation.overlap import overlap_warnings
from service.evaluation.results import (
    Scored,
    Statistics,
    differences_of,
    metric_estimates,
    metric_statistics,
    result_of,
    statistics_of,
)
from service.evaluation.scoring import Scorer
from service.evaluation.settings import Compared, runs_of
from service.evaluation.warnings import warnings_of
from service.evaluation.work import Progress, Work
from service.graph.beside import model_sha256
from service.inference.load import load_model
from service.inference.predictor import Predictor
from service.protocol.options import DEFAULT_SAMPLING, Masks, Sampling

#: Labeled data: a file, arrays of rows and targets, or as it was read.
Data: TypeAlias = str | Path | tuple[Any, Any] | Labeled
#: Rows: a file, an array, {input name: array}, or as they were read.
Others: TypeAlias = str | Path | Any | Unlabeled

_TOOLS = ("mcdropout", "numpy", "scikit-learn", "scipy")


def evaluate(
    model: str | Path,
    data: Data,
    *,
    target: Sequence[str] = (),
    ood: Others = None,
    output: str | None = None,
    passes: Sequence[int] = (10, 100, 1000),
    rate_scales: Sequence[float] | None = None,
    masks: Sequence[Masks] | None = None,
    sampling: Sampling = DEFAULT_SAMPLING,
    seed: int = 0,
    resamples: int = 1000,
    confidence: float = 0.95,
    progress: Progress | None = None,
    loaded: Predictor | None = None,
) -> Evaluation:
    """Measure on labeled data how far the uncertainty of a model can be trusted.

    The same seed gives the same numbers.

    Args:
        model: a model.onnx.
        data: a .npz, .csv, .tsv or .parquet file (see `read_labeled`), or (x, y) arrays.
        target: names of the columns or the array with the targets; see `read_labeled`.
        ood: rows that are not of the model's distribution: a file or arrays; None: none.
        output: the output that the targets are of; None: the only one of the model's task.
        passes: numbers of passes to compare.
        rate_scales: to compare; None: 0.5 and 1.5, where the model allows them.
        masks: to compare; None: "shared", and "per_row" where the model allows it.
        sampling: see `Options`.
        seed: of passes and of resamples.
        resamples: of the bootstrap; 0: no confidence intervals.
        confidence: of the intervals.
        progress: see `Progress`.
        loaded: the model, if it has been loaded.

    Raises:
        InputError: data or settings do not suit the model; with what would be right.
        ModelError: the model cannot be loaded.
        OutputError: the model answered with NaN or infinity.
    """
    path, predictor = Path(model), loaded or load_model(model)
    compared = Compared(
        passes=passes, rate_scales=rate_scales, masks=masks, sampling=sampling, seed=seed
    )
    rows = _labeled(predictor, data, target, output)
    others = None if ood is None else _unlabeled(predictor, ood, target)
    if not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence}; it must be above 0 and below 1.")
    bootstrap = Bootstrap(resamples=resamples, confidence=confidence, seed=seed)
    runs = runs_of(predictor, rows.take(slice(0, 1)).rows, compared)
    work = Work(resamples, progress)
    scorer = Scorer(predictor, rows, others, work)
    settings, curve = scorer.settings(runs)
    main_passes = compared.main_passes(predictor.manifest.passes)
    main = next(one for one in settings if one.setting.passes == main_passes)
    statistics = _statistics(settings, curve.values())
    strata = [len(rows), *([] if others is None else [len(others)])]
    with work.timed("bootstrap"):
        estimated = estimate(
            statistics, strata, bootstrap, work.resampled, differences_of(settings, main)
        )
    found = [result_of(one, estimated, rows.facts.members) for one in settings]
    hashes = row_hashes(rows.rows)
    return Evaluation(
        created=datetime.now(UTC),
        tools={name: version(name) for name in _TOOLS},
        model=_model_info(path, predictor, rows.facts),
        data=_data_info(rows.name, hashes),
        other=None if others is None else _data_info(others.name, row_hashes(others.rows)),
        seed=seed,
        bootstrap=bootstrap,
        about={**METRICS, **OF_MEASURES},
        main=main.setting.name,
        results=tuple(found),
        passes=tuple(
            After(passes=number, metrics=metric_estimates(one, estimated))
            for number, one in sorted(curve.items())
        ),
        warnings=(
            *overlap_warnings(rows.name, hashes, predictor),
            *warnings_of(main, rows, document_of(predictor, rows)),
        ),
        timing=work.timing(),
    )


def _statistics(settings: Iterable[Scored], curve: Iterable[Scored]) -> Statistics:
    found: Statistics = {}
    for one in settings:
        found |= statistics_of(one)
    for one in curve:
        found |= metric_statistics(one)
    return found


def _labeled(model: Predictor, data: Data, target: Sequence[str], output: str | None) -> Labeled:
    if isinstance(data, Labeled):
        return data
    if isinstance(data, str | Path):
        return read_labeled(Path(data), model, target, output=output)
    x, y = data
    return labeled(model, x, y, output=output)


def _unlabeled(model: Predictor, data: Others, target: Sequence[str]) -> Unlabeled:
    if isinstance(data, Unlabeled):
        return data
    if isinstance(data, str | Path):
        return read_unlabeled(Path(data), model, target)
    return unlabeled(model, data)


def _data_info(name: str, hashes: Sequence[str]) -> DataInfo:
    found = fingerprint(name, hashes)
    return DataInfo(name=name, rows=found.rows, sha256=found.sha256)


def _model_info(path: Path, model: Predictor, facts: Facts) -> ModelInfo:
    noise: Literal["none", "constant", "predicted"] = "none"
    if facts.noise is not None:
        noise = "constant" if isinstance(facts.noise, float) else "predicted"
    return ModelInfo(
        name=str(path),
        sha256=model_sha256(path),
        task=model.manifest.task,
        output=facts.output,
        labels=model.manifest.labels,
        noise=noise,
    )
