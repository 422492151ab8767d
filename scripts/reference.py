"""Writes docs/reference.md: options and measures, from where they are defined.

    python -m scripts.reference

Run by `make docs`; a test says when the page is out of date.
"""

import inspect
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from service.core.measures import MEASURES, Measure, Needs
from service.protocol.options import OPTIONS, Option

PAGE = Path(__file__).parents[1] / "docs" / "reference.md"

_NEEDS = {
    Needs.MOMENTS: "mean and variance",
    Needs.STREAM: "each sample once",
    Needs.SAMPLES: "all samples at the end, within `MCDROPOUT_MEMORY`",
}
_HEAD = """# Options and measures

Made by `make docs` from `service/protocol/options.py` and `service/core/measures/`.

## Options

What a request may choose: fields of a body under `/v1`, parameters under `/v2` (names of `sites`
with commas between them; measures are outputs there), flags of `mcdropout predict` (`--site` and
`--measure` may be given again), and arguments in Python.

| option | value | | default |
|---|---|---|---|
"""
_MEASURES = """
## Measures

Quantities of an output beside `mean` and `variance`, asked for by name in `measures`, or under
`/v2` as outputs. B are the rows, K the values of the output's last axis, for example classes.
Arguments go behind the name: `"quantiles:0.05:0.95"`, or in JSON and Python
`{"quantiles": [0.05, 0.95]}`.

"""


def page() -> str:
    """The page, as it should be."""
    options = "".join(_option(name, option) for name, option in OPTIONS.items())
    measures = "\n".join(_measure(measure) for measure in MEASURES.values())
    return _HEAD + options + _MEASURES + measures


def _option(name: str, option: Option) -> str:
    least, most = option.minimum, option.maximum
    bounds = [f"from {least:g}"] if least is not None else []
    bounds += [f"to {most:.0f}"] if most is not None else []
    of_measures = "names, or objects of a name to arguments"
    kind = of_measures if option.kind == "measures" else option.kind
    value = " or ".join(f"`{choice}`" for choice in option.choices) or " ".join([kind, *bounds])
    return f"| `{name}` | {value} | {option.description} | {option.default} |\n"


def _measure(measure: type[Measure]) -> str:
    shape = ", ".join("K" if n == 7 else "B" if n is None else str(n) for n in _shape(measure))
    tasks = "all" if measure.tasks is None else ", ".join(sorted(measure.tasks))
    lines = [
        f"### `{measure.name}`\n",
        f"{inspect.getdoc(measure)}\n",
        f"- of models of task: {tasks}",
        f"- shape: ({shape}) of an output of (B, K); unit: {measure.unit}",
        f"- made from: {_NEEDS[measure.needs]}",
        *(f"- argument `{name}`, by default {default}" for name, default in _arguments(measure)),
    ]
    return "\n".join(lines) + "\n"


def _shape(measure: type[Measure]) -> tuple[int | None, ...]:
    return measure().shape((None, 7))


def _arguments(measure: type[Measure]) -> Iterator[tuple[str, Any]]:
    for argument in fields(measure):  # type: ignore[arg-type]
        yield argument.name, None if argument.default is MISSING else argument.default


if __name__ == "__main__":
    PAGE.write_text(page())
