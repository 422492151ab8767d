"""The kinds of Keras models that the exporter is tested with, and how accurate each is.

    python -m scripts.supported_models      writes docs/supported-models.md

Each row builds a small model, or a large one with random weights. The tests
export every one of them (tests/models/export/test_supported_models.py).
"""

from scripts.supported_models import (  # noqa: F401  fill ROWS
    large,
    networks,
    own_layers,
    sequences,
    shared_draws,
    text,
    training_argument,
)
from scripts.supported_models.registry import ROWS, Row
from service.manifest import Manifest

__all__ = ["ROWS", "Row", "largest_difference"]


def largest_difference(manifest: Manifest) -> float:
    """The larger of the two differences that the checks measured."""
    checks = manifest.checks
    return max(checks.off_difference, checks.frozen_difference) if checks else float("nan")
