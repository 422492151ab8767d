"""Calibrations made by hand."""

from typing import Any

HASH = "0" * 64


def fields(**changed: Any) -> dict[str, Any]:
    """A small document of a classification, as JSON has it, with some fields changed."""
    return {
        "format_version": 1,
        "model": {"sha256": HASH, "task": "classification", "outputs": ["y"]},
        "output": "y",
        "data": {"name": "valid.npz", "sha256": HASH, "rows": 500},
        "created": "2026-01-02T03:04:05Z",
        "tools": {"mcdropout": "0.1.0"},
        "sampling": {"passes": 100, "rate_scale": 1.0, "seed": 7},
        "temperature": 2.0,
        "sets": [
            {"method": "lac", "coverage": 0.9, "threshold": 0.4},
            {"method": "aps", "coverage": 0.95, "threshold": 0.8},
        ],
        "selection": {
            "measure": "predictive_entropy",
            "threshold": 0.5,
            "keep": "at_most",
            "target_risk": 0.01,
            "coverage": 0.9,
            "confidence": 0.95,
            "guarantee": "at most 1 % of accepted answers are wrong, with 95 % confidence",
        },
        "reference": {"predictive_entropy": {"edges": [0.1, 0.5], "counts": [300, 150, 50]}},
        "metrics": {"before": {"nll": 0.3}, "after": {"nll": 0.2}},
    } | changed
