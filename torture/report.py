"""The figures as a table, and the end of `docs/reliability.md`, which holds the last of each."""

import time
from collections.abc import Sequence
from pathlib import Path

from torture.figure import Figure

_PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"
_HEADING = "## Figures"
_HEADER = ("what was done", "times", "promise broken", "day", "more")

Row = tuple[str, ...]


def row(figure: Figure) -> Row:
    """Return a figure's row."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return (figure.what, f"{figure.tries:,}", f"{figure.failures:,}", day, figure.note)


def table(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table."""
    whole = [_HEADER, ("---",) * len(_HEADER), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in whole)


def write(figures: Sequence[Figure]) -> None:
    """Put figures in the place of the last of the same; the others stay, each with its day."""
    prose, _, told = _PAGE.read_text(encoding="utf-8").partition(_HEADING)
    lines = [line for line in told.splitlines() if line.startswith("| ")][2:]
    known = {cells[0]: cells for line in lines for cells in [tuple(map(str.strip, line.strip("|").split(" | ")))]}
    known |= {each.what: row(each) for each in figures}
    _PAGE.write_text(f"{prose}{_HEADING}\n\n{table(list(known.values()))}\n", encoding="utf-8")
