"""Foreign ONNX files for tests, written by hand, and functions to adopt and run them."""

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from service.graph.adopt import Adopted, adopt
from service.runtime.engine import CPU, Engine

#: Number of rows of ones for the input of a hand-made graph.
ONES = np.ones((500, 4), np.float32)


def graph(
    body: str,
    constants: str = "bool on = {1}, float half = {0.5}",
    inputs: str = "float[batch, 4] x",
    outputs: str = "float[batch, 4] y",
    opset: int = 18,
    functions: str = "",
    ir_version: int = 8,
) -> ir.Model:
    """A model in ONNX's text form; `body` is its nodes."""
    own = ', "own": 1' if functions else ""
    proto = onnx.parser.parse_model(
        f'<ir_version: {ir_version}, opset_import: ["": {opset}{own}], producer_name: "hand", '
        f'producer_version: "1.2">\n'
        f"g ({inputs}) => ({outputs}) <{constants}> {{ {body} }}\n{functions}"
    )
    return ir.from_proto(proto)


def adopted(model: ir.Model, activate: bool = False) -> Adopted:
    """Adopt a model, and check that the result is valid."""
    result = adopt(model, "m.onnx", "m", "0" * 64, activate)
    onnx.checker.check_model(ir.to_proto(result.model), full_check=True)
    return result


def run(
    result: Adopted, training: bool, x: NDArray[Any] = ONES, **more: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """The outputs, computed by ONNX Runtime with its default optimizations."""
    engine = Engine(ir.to_proto(result.model).SerializeToString(), [CPU])
    return engine.run({"x": x, "training": np.array(training), **more})


def sites(result: Adopted) -> dict[str, tuple[str, float | None]]:
    """Kind and rate of each site."""
    return {site.name: (site.kind, site.rate) for site in result.manifest.sites}
