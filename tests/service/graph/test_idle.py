"""Whether a site's draws meet data."""

from pathlib import Path

import onnx
import onnx_ir as ir

from service.graph.artifact import read_artifact
from service.graph.idle import where_draws_meet_data
from service.graph.plan import compile_plan
from tests.service.graph.adopt.foreign import graph

CONSTANTS = "bool on = {1}, float half = {0.5}, int64 n = {3}"
#: A dropout on zeros with the shape of the rows, as on the initial state of a recurrent layer.
ZEROS = "s = Shape(x) z = ConstantOfShape(s) [d] m = Dropout(z, half, on) "


def ends(tmp_path: Path, body: str) -> onnx.GraphProto:
    onnx.save(ir.to_proto(graph(body, CONSTANTS)), tmp_path / "model.onnx")
    plan = compile_plan(read_artifact(tmp_path / "model.onnx"))
    (site,) = plan.sites
    return onnx.load_model_from_string(where_draws_meet_data(plan.tail, site)).graph


def test_draws_on_zeros_meet_data_later(tmp_path: Path) -> None:
    found = ends(tmp_path, ZEROS + "y = Add(x, m)")
    assert len(found.output) == 1
    assert "Add" not in {node.op_type for node in found.node}


def test_draws_meet_the_data_of_a_loop_that_captures_them(tmp_path: Path) -> None:
    loop = (
        "y = Loop (n, on, x) <body = b (int64 i, bool c, float[batch, 4] s) "
        "=> (bool k, float[batch, 4] t) { k = Identity(c) t = Add(s, m) }>"
    )
    found = ends(tmp_path, ZEROS + loop)
    assert len(found.output) == 1
    assert "Loop" not in {node.op_type for node in found.node}
