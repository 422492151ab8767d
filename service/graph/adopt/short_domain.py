"""Normalizes the name of ONNX's default domain."""

import onnx_ir as ir

from service.nodes.conditions import ensure

#: Another name of ONNX's default domain, "".
_LONG_NAME = "ai.onnx"


class ShortDomainPass(ir.passes.InPlacePass):
    """Replace the long name of ONNX's default domain by the short one.

    Precondition: none.
    Postcondition: no import has the long name.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        long = [imports for imports in _imports(model) if _LONG_NAME in imports]
        for imports in long:
            imports[""] = imports.pop(_LONG_NAME)
        return ir.passes.PassResult(model, bool(long))

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        left = any(_LONG_NAME in imports for imports in _imports(model))
        ensure(not left, f"ONNX's own operators are imported as {_LONG_NAME!r}")


def _imports(model: ir.Model) -> list[dict[str, int]]:
    return [model.opset_imports, *(f.opset_imports for f in model.functions.values())]
