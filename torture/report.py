"""The figures as a table, and the end of `docs/reliability.md`, which holds the last one."""

import time
from pathlib import Path

from torture.figure import Figure

_PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"
_HEADING = "## Figures"


def table(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
    rows = [f"| {each.what} | {each.tries:,} | {each.failures:,} | {each.note} |" for each in figures]
    return "\n".join(["| what was done | times | promise broken | more |", "|---|---|---|---|", *rows])


def write(figures: list[Figure]) -> None:
    """Put the figures in the place of those that stand in the page."""
    prose, _, _ = _PAGE.read_text(encoding="utf-8").partition(_HEADING)
    date = time.strftime("%Y-%m-%d", time.gmtime())
    _PAGE.write_text(f"{prose}{_HEADING}\n\n`make torture`, {date}:\n\n{table(figures)}\n", encoding="utf-8")
