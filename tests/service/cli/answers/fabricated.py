"""Answers with given numbers, without a model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from service.cli.answers.answer import Answer
from service.manifest import Manifest, OutputSpec, Source


def answer(
    task: str,
    outputs: Mapping[str, Mapping[str, Any]],
    labels: Sequence[str] | None = None,
    **others: Any,
) -> Answer:
    """An answer with the quantities of each output."""
    columns = {
        name: {quantity: np.array(values) for quantity, values in quantities.items()}
        for name, quantities in outputs.items()
    }
    specs = [
        OutputSpec(name=name, dtype="float32", shape=(None, *first.shape[1:]), stochastic=True)
        for name, (first, *_) in ((name, tuple(q.values())) for name, q in columns.items())
    ]
    manifest = Manifest.model_validate(
        {
            "task": task,
            "inputs": (),
            "outputs": specs,
            "labels": labels,
            "sites": (),
            "tools": {},
            "source": Source(kind="memory", name="none", sha256=""),
        }
    )
    rows = len(next(iter(next(iter(columns.values())).values())))
    given = {"head": {"passes": 100, "seed": 7}, "stopped": None, "ids": range(rows)}
    return Answer(columns=columns, manifest=manifest, **(given | others))


def shaped(*shape: int) -> np.ndarray[Any, Any]:
    """Evenly spaced numbers from 0 to 1."""
    return np.linspace(0, 1, int(np.prod(shape))).reshape(shape)
