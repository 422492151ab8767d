"""The outputs of a classification are probabilities, as its measures take for granted."""

import numpy as np

from service.core.probabilities import are_probabilities
from service.errors import ProofError
from service.inference.runner import Rows
from service.manifest import Task

#: The links that make probabilities of logits.
_LINKS = {
    "classification": "softmax, or sigmoid of a single logit",
    "multilabel_classification": "sigmoid",
}


def require_probabilities(samples: Rows, task: Task) -> None:
    """Check (P, B, …) samples by output; rows with NaN or infinity in some pass are left out.

    Raises:
        ProofError: they are no probabilities, of a model whose task says so.
    """
    if task not in _LINKS:
        return
    for name, y in samples.items():
        usual = np.isfinite(y).all(axis=(0, *range(2, y.ndim)))
        found = y[:, usual]
        if found.size and not are_probabilities(found, task):
            raise ProofError(
                f"the task is {task}, which takes probabilities, and output {name!r} gives numbers "
                f"from {found.min():.3g} to {found.max():.3g} that are none. If they are logits, "
                f"set the output's link: {_LINKS[task]}; otherwise set another task. Both are set "
                "by `mcdropout annotate`, or in the model's sidecar."
            )
