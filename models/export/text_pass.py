"""Convert operations on text to ONNX operators that give TensorFlow's strings byte by byte.

- TensorFlow changes the case of ASCII letters only. ONNX Runtime's StringNormalizer follows a
  locale; "C", which exists everywhere, changes ASCII only.
- ONNX Runtime's StringSplit splits at spaces only. The other five whitespace characters are
  replaced by spaces first.
- ONNX has no operator that replaces a part of a string. The string is split at that part, and
  the parts are joined in pairs, so that a text with n matches takes log n steps.
"""

from collections.abc import Sequence

import onnx.parser
import onnx.version_converter
import onnx_ir as ir

from models.export.text_nodes import DOMAIN, ML_DOMAIN
from service.nodes.builder import NodeBuilder
from service.nodes.conditions import ensure, require
from service.nodes.free_names import free_names

#: The first opset that has all operators on strings.
_OPSET = 20
#: TensorFlow's whitespace characters, which are those of C, other than the space.
_WHITESPACE = ["\t", "\n", "\v", "\f", "\r"]


def with_text(model: ir.Model) -> ir.Model:
    """The model with standard operators for text and an opset that has them.

    A model without text is returned unchanged.
    """
    if not any(node.domain in (DOMAIN, ML_DOMAIN) for node in model.graph.all_nodes()):
        return model
    proto = onnx.version_converter.convert_version(ir.to_proto(model), _OPSET)
    newer: ir.Model = TextNodesPass()(ir.from_proto(proto)).model
    return newer


class TextNodesPass(ir.passes.InPlacePass):
    """Replace the nodes of `text_nodes.DOMAIN` by standard nodes.

    Precondition: the opset of the model has operators on strings.
    Postcondition: no node of that domain is left.
    """

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        require(model.opset_imports.get("", 0) >= _OPSET, "the opset has no operators on strings")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        names, found = free_names(model.graph), _of_text(model.graph)
        for node in found:
            new = _TextBuilder(model.graph, str(node.name), names)
            new.replace(node, new.standard(node))
        return ir.passes.PassResult(model, bool(found))

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        left = [node.name for node in _of_text(model.graph)]
        ensure(not left, f"the nodes {left} are left")


def _of_text(graph: ir.Graph) -> list[ir.Node]:
    return [node for node in graph.all_nodes() if node.domain == DOMAIN]


#: Joins the parts of each text in pairs, (N, D) to (N, ⌈D / 2⌉), until D is 1.
_JOIN = """join (int64 turn, bool go, string[N, D] parts) => (bool more, string[N, H] joined)
<int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] last = {-1},
 int64[1] end = {9223372036854775807}, string nothing = {""}> {
    left = Slice (parts, zero, end, last, two)
    right = Slice (parts, one, end, last, two)
    rows = Shape <end: int = 1> (parts)
    column = Concat <axis: int = 0> (rows, one)
    empty = Expand (nothing, column)
    padded = Concat <axis: int = 1> (right, empty)
    half = Shape <start: int = 1> (left)
    fitted = Slice (padded, zero, half, last)
    joined = StringConcat (left, fitted)
    several = Greater (half, one)
    more = Squeeze (several)
}"""


class _TextBuilder(NodeBuilder):
    """Builds the operations for which ONNX has no single operator."""

    def standard(self, node: ir.Node) -> ir.Value:
        """The value that replaces the output of a node of `DOMAIN`."""
        x, *others = (value for value in node.inputs if value is not None)
        if node.op_type == "Equal":
            return self.add("Equal", x, *others)
        if node.op_type == "Split":
            return self.split(x)
        flat, said = self.add("Reshape", x, self.ints(-1)), node.attributes
        if node.op_type == "Case":
            action = said["to"].as_string()
            y = self.add("StringNormalizer", flat, case_change_action=action, locale="C")
        else:
            y = self.replaced(flat, said["marks"].as_strings(), said["by"].as_string())
        return self.add("Reshape", y, self.add("Shape", x))

    def replaced(
        self, x: ir.Value, marks: Sequence[str], by: str, loosely: bool = False
    ) -> ir.Value:
        """The (N,) texts `x` with each of `marks` replaced, one after the other.

        If `loosely`, further copies of `by` may follow the end of a text.
        """
        # A text without any of the marks ensures that there is a part, and thus an axis to join.
        other = next(c for c in map(chr, range(0xE000, 0xF900)) if not any(c in m for m in marks))
        texts = self.add("Concat", x, self._texts(other), axis=0)
        for mark in marks:
            parts, counts = self.add_several("StringSplit", 2, texts, delimiter=mark)
            if by:
                behind = self._texts(by) if loosely else self._between(parts, counts, by)
                parts = self.add("StringConcat", parts, behind)
            several = self.add("Greater", self.add("Shape", parts, start=1), self.ints(1))
            body = ir.from_proto(onnx.parser.parse_graph(_JOIN))
            joined = self.add("Loop", None, self.add("Squeeze", several), parts, body=body)
            texts = self.add("Reshape", joined, self.ints(-1))
        return self.add("Slice", texts, self.ints(0), self.ints(-1))

    def split(self, x: ir.Value) -> ir.Value:
        """The (N, D) words of the (N,) texts `x`, split at whitespace, and then one "" or more."""
        spaced = self.replaced(x, _WHITESPACE, " ", loosely=True)
        words, _ = self.add_several("StringSplit", 2, spaced)
        column = self.join(self.add("Shape", x), self.ints(1))
        return self.add("Concat", words, self.add("Expand", self._texts(""), column), axis=1)

    def _between(self, parts: ir.Value, counts: ir.Value, by: str) -> ir.Value:
        """(N, D) strings: `by` after each part of a text but the last, and "" elsewhere."""
        zero, one = (self.scalar("number", n, ir.DataType.INT64) for n in (0, 1))
        places = self.add(
            "Range", zero, self.add("Squeeze", self.add("Shape", parts, start=1)), one
        )
        last = self.add("Unsqueeze", self.add("Sub", counts, one), self.ints(1))
        inside = self.add("Less", places, last)
        return self.add("Where", inside, self._texts(by), self._texts(""))

    def _texts(self, *texts: str) -> ir.Value:
        return self.add("Constant", value_strings=list(texts))
