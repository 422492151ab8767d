"""The table of docs/errors.md, as the tests read it."""

import re
from dataclasses import dataclass
from functools import cache

from tests.conftest import ROOT


@dataclass(frozen=True)
class Row:
    """An error text and its status; … in the text stands for anything."""

    status: int
    text: str

    def covers(self, text: str) -> bool:
        parts = map(re.escape, self.text.split("…"))
        return bool(re.fullmatch(".+".join(parts), text, re.DOTALL))


@cache
def rows() -> tuple[Row, ...]:
    """All rows of docs/errors.md."""
    found, status = [], 0
    for line in (ROOT / "docs" / "errors.md").read_text().splitlines():
        if heading := re.match(r"## (\d{3})\b", line):
            status = int(heading[1])
        elif row := re.match(r"\| `(.+?)` \| .+ \| .*\|$", line):
            found.append(Row(status, row[1]))
    return tuple(found)


def row_of(status: int, text: str) -> Row:
    """The row of an error; of several that match, the most specific one."""
    hits = [row for row in rows() if row.status == status and row.covers(text)]
    best = [row for row in hits if all(other.covers(row.text) for other in hits)]
    assert len(best) == 1, f"{len(best)} rows of docs/errors.md for {status} {text!r}: {hits}"
    return best[0]
