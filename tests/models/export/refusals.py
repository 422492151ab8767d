"""A layer of any behavior, and the reasons for which models are refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keras import layers

from models.export import export_model
from service.errors import ExportError


class Custom(layers.Layer):
    """Applies a given function in training."""

    def __init__(self, in_training: Callable[[Any], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.in_training = in_training

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self.in_training(inputs) if training else inputs


def refused(model: Any, path: Path, **options: Any) -> str:
    """The reason for which a model is refused; neither the file nor a draft is left."""
    with pytest.raises(ExportError) as caught:
        export_model(model, path, **{"task": "other", **options})
    assert not path.parent.exists() or list(path.parent.iterdir()) == []
    return str(caught.value)
