"""What each metric is: its title, unit and direction, for tables, reports and documentation."""

from collections.abc import Mapping

from service.evaluation.document import Better, MetricInfo


def _of(title: str, unit: str, better: Better, description: str) -> MetricInfo:
    return MetricInfo(title=title, unit=unit, better=better, description=description)


#: Metrics of a setting and of intervals, by name.
METRICS: Mapping[str, MetricInfo] = {
    "accuracy": _of("accuracy", "1", "higher", "Share of right predictions."),
    "exact_match": _of(
        "exact match", "1", "higher", "Share of rows of which every label is predicted right."
    ),
    "nll": _of(
        "NLL",
        "nats",
        "lower",
        "Negative log-likelihood: mean of -log of the predicted probability, or density, of the "
        "target.",
    ),
    "brier": _of(
        "Brier score",
        "1",
        "lower",
        "Mean squared difference between the probabilities and the target, summed over classes.",
    ),
    "ece": _of(
        "ECE",
        "1",
        "lower",
        "Expected calibration error: mean distance of accuracy and confidence, in 15 bins of equal "
        "width.",
    ),
    "adaptive_ece": _of(
        "adaptive ECE", "1", "lower", "The same in 15 bins of equal numbers of predictions."
    ),
    "rmse": _of("RMSE", "output", "lower", "Root mean square error of the mean."),
    "mae": _of("MAE", "output", "lower", "Mean absolute error of the mean."),
    "crps": _of(
        "CRPS",
        "output",
        "lower",
        "Continuous ranked probability score; that of a prediction without uncertainty is its "
        "absolute error.",
    ),
    "calibration_error": _of(
        "calibration error",
        "1",
        "lower",
        "Mean distance of the calibration curve from the diagonal.",
    ),
    "picp": MetricInfo(
        title="PICP",
        unit="1",
        better="nominal",
        description="Share of targets inside of the interval.",
    ),
    "mpiw": _of("MPIW", "output", "lower", "Mean width of the interval."),
    "interval_score": _of(
        "interval score",
        "output",
        "lower",
        "Width of the interval, and a penalty for targets outside of it.",
    ),
}

#: Metrics of a measure of uncertainty, by name.
OF_MEASURES: Mapping[str, MetricInfo] = {
    "aurc": _of(
        "AURC",
        "risk",
        "lower",
        "Area under the risk-coverage curve: mean risk over all shares of accepted rows.",
    ),
    "excess_aurc": _of(
        "excess AURC", "risk", "lower", "AURC above that of the best possible order of the rows."
    ),
    "auroc": _of(
        "AUROC",
        "1",
        "higher",
        "Probability that a wrong prediction is more uncertain than a right one.",
    ),
    "aupr": _of("AUPR", "1", "higher", "Average precision of finding wrong predictions."),
    "ood_auroc": _of(
        "OOD AUROC",
        "1",
        "higher",
        "Probability that a row out of distribution is more uncertain than one of the data.",
    ),
    "ood_aupr": _of(
        "OOD AUPR", "1", "higher", "Average precision of finding rows out of distribution."
    ),
    "ood_fpr95": _of(
        "OOD FPR95",
        "1",
        "lower",
        "Share of rows out of distribution that are accepted, if 95 % of the data are.",
    ),
}
