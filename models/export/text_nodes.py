"""Convert TensorFlow's operations on text to nodes that `text_pass` replaces."""

import re
from typing import Any

from models.export.text import MARKER_OP, marked
from models.export.tf_nodes import Handler, TFNodes, handler

#: ONNX domain of the nodes `Case` (attribute `to`), `Replace` (`marks` and `by`), `Split` and
#: `Equal`.
DOMAIN = "mcdropout.text"
#: The ONNX domain of lookup tables.
ML_DOMAIN = "ai.onnx.ml"


def _convert_case(new: TFNodes) -> None:
    """Convert StringLower and StringUpper if they change ASCII letters only."""
    if not new.node.get_attr_value("encoding"):
        to = new.node.type.removeprefix("String").upper()
        new.put("Case", new.node.input[0], domain=DOMAIN, to=to)


def _convert_equal(new: TFNodes) -> None:
    """Convert Equal and NotEqual; tf2onnx would compare strings as numbers."""
    domain = DOMAIN if new.dtype == object else ""
    if new.node.type == "Equal":
        new.put("Equal", *new.node.input, domain=domain)
    else:
        new.put("Not", new.add("Equal", *new.node.input, domain=domain))


def _convert_as_string(new: TFNodes) -> None:
    """Convert AsString of integers; ONNX formats other numbers differently."""
    plain = ("precision", "width", "scientific", "shortest", "fill")
    given = [new.node.get_attr_value(name) for name in plain]
    if new.dtype.kind in "iu" and given in ([-1, -1, 0, 0, b""], [-1, -1, False, False, ""]):
        new.put("Cast", new.node.input[0], to=new.output_type)


def _leave(new: TFNodes) -> None:
    """Leave the op, so that it is refused: tf2onnx would give it another meaning."""


def _convert_replace(new: TFNodes) -> None:
    """Convert StaticRegexReplace if it replaces single characters, or a text, by a text."""
    pattern, rewrite = (_text(new.node.get_attr_value(name)) for name in ("pattern", "rewrite"))
    marks, by = replaced_by(pattern, rewrite)
    if marks and new.node.get_attr_value("replace_global", True):
        new.put("Replace", new.node.input[0], domain=DOMAIN, marks=marks, by=by)


def _convert_marker(new: TFNodes) -> None:
    """Convert the markers of `models.export.text`."""
    said, x = marked(new.node.get_attr_value("token")), new.node.input[0]
    if said is None:
        return
    if said["do"] == "split":
        new.put("Split", x, domain=DOMAIN)
        return
    numbers: dict[str, int] = said["numbers"]
    new.put(
        "LabelEncoder",
        x,
        domain=ML_DOMAIN,
        keys_strings=list(numbers),
        values_int64s=list(numbers.values()),
        default_int64=said["default"],
    )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


#: Handlers by TensorFlow op.
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("StringLower", "StringUpper"), handler(_convert_case)),
    **dict.fromkeys(("Equal", "NotEqual"), handler(_convert_equal)),
    "LookupTableFindV2": handler(_leave),
    "AsString": handler(_convert_as_string),
    "StaticRegexReplace": handler(_convert_replace),
    MARKER_OP: handler(_convert_marker),
}

#: A set of characters without classes such as \w or [:alpha:], and a plain text.
_SET = re.compile(r"\[(?!\^)(?:\\[^a-zA-Z0-9]|\\[tnrfv]|[^\\\[\]])+\]")
_PLAIN = re.compile(r"(?:\\[^a-zA-Z0-9]|[^\\.^$*+?{}\[\]|()])+")


def replaced_by(pattern: str, rewrite: str) -> tuple[list[str], str]:
    """The texts that a regular expression matches, if it matches single characters or one text.

    Args:
        pattern: in RE2's syntax.
        rewrite: replacement of each match.

    Returns:
        The texts to replace one after the other, and their replacement; no texts if the
        expression is of another kind.
    """
    if "\\" in rewrite:
        return [], ""
    if _PLAIN.fullmatch(pattern):
        return [re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)], rewrite
    # The characters of a range outside of ASCII are not enumerated.
    if not _SET.fullmatch(pattern) or (not pattern.isascii() and "-" in pattern):
        return [], ""
    letters = sorted({*map(chr, range(128)), *pattern})
    marks = [letter for letter in letters if re.fullmatch(pattern, letter)]
    # Replacements run one after the other, so a replacement must not be replaced again.
    return ([], "") if set(rewrite) & set(marks) else (marks, rewrite)
