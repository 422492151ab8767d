"""Find the layers that draw if all of them are in training mode."""

from typing import Any

from models.export.private_api import accepts_training, draws_for
from models.export.recorder import Layer, Still, Tensor


class ForcedTraining(Still):
    """Pass `training=True` to every layer, draw nothing, and record which layers would draw.

    Attributes:
        drawing: path of the innermost layer, once for each draw.
        layers: path to the ids of that layer and of the layers that it draws for.
    """

    def __init__(self) -> None:
        super().__init__(lambda layer, off: True)
        self.drawing: list[str] = []
        self.layers: dict[str, set[int]] = {}

    def _with_training(self, layer: Layer, kwargs: dict[str, Any]) -> dict[str, Any]:
        return {**kwargs, "training": True} if accepts_training(layer) else kwargs

    def dropout(self, x: Tensor, rate: Any, noise_shape: Any) -> Tensor:
        self._record()
        return super().dropout(x, rate, noise_shape)

    def noise(self, kind: str, shape: Any, dtype: Any) -> Tensor:
        self._record()
        return super().noise(kind, shape, dtype)

    def _record(self) -> None:
        path, layer = self.layer_path(), self._stack[-1]
        self.drawing.append(path)
        self.layers.setdefault(path, set()).update(map(id, [layer, *draws_for(layer)]))
