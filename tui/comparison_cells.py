"""A comparison as the cells of a table: best values, what differs, and everything else that came out."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.style import Style

from trainer.comparison import Comparison, Outcome
from trainer.text import clean
from tui.cell_table import Cell, cut_front, cut_run
from tui.wording import STATE_GLYPHS, count, duration, number

_COLUMN = 16
"""Least width of a run's column, in cells: room for a name that can be told from others."""

_MARK = len("● A ")
"""Cells before a name."""

_LABEL = 29
"""What a label has at least, in cells, if it needs it."""


def comparison_cells(comparison: Comparison, better: Style, muted: Style) -> dict[str, tuple[Cell, ...]]:
    """Return the rows of a comparison: the best values, what differs, and everything else that came out."""
    n_runs = len(comparison.columns)
    rows = {
        "state": (
            Cell("state", muted),
            *(Cell(f"{STATE_GLYPHS[c.state]} {c.state}", right=True) for c in comparison.columns),
        )
    }
    rows |= {row.name: _outcome_cells(row, better, muted) for row in comparison.outcomes if row.epochs}
    if sum(not column.damage for column in comparison.columns) > 1:
        title = "what differs" if comparison.differences else "no hyperparameter differs"
        rows["differs"] = (Cell(f"— {title} —", muted), *[Cell("")] * n_runs)
    for difference in comparison.differences:
        label = f"{difference.key} ({difference.unit})" if difference.unit else difference.key
        rows[f"differs {difference.key}"] = (
            Cell(label),
            *(Cell(_setting(value), right=True) for value in difference.values),
        )
    rows["last"] = (Cell("— last epoch, totals —", muted), *[Cell("")] * n_runs)
    return rows | {row.name: _outcome_cells(row, better, muted) for row in comparison.outcomes if not row.epochs}


def heads(
    rows: Mapping[str, tuple[Cell, ...]], named: Sequence[tuple[str, str, Style]], room: int
) -> list[tuple[Cell, int]]:
    """Return the head and width of each column, which do not change with every new value.

    What values leave is for the names, and what these leave for long labels.

    Args:
        rows: the cells.
        named: name, letter and style of each run.
        room: cells that there are; long labels leave as much of it to two runs as these need.
    """
    first, *contents = (max(cell_len(cells[place].text) for cells in rows.values()) for place in range(len(named) + 1))
    widths = [max(content, _COLUMN) for content in contents]
    least = min(first, _LABEL)
    spare = max(0, room - least - 2 - sum(width + 2 for width in widths)) // len(named)
    widths = [
        max(width, min(cell_len(name) + _MARK, width + spare)) for (name, *_), width in zip(named, widths, strict=True)
    ]
    left = room - sum(width + 2 for width in widths[:2]) - 2
    heads = [(Cell(""), max(min(first, left), least))]
    for (name, letter, style), width in zip(named, widths, strict=True):
        heads.append((Cell(f"● {letter} {cut_run(name, width - _MARK)}", style, right=True), width))
    return heads


def labelled(rows: Mapping[str, tuple[Cell, ...]], width: int) -> dict[str, tuple[Cell, ...]]:
    """Return the rows with labels of so many cells at most; of a longer one the end is left, which tells the most."""
    return {key: (label._replace(text=cut_front(label.text, width)), *values) for key, (label, *values) in rows.items()}


def _outcome_cells(row: Outcome, better: Style, muted: Style) -> tuple[Cell, ...]:
    label = "gap (val_loss - loss)" if row.name == "gap" else row.unit if row.unit not in ("", "s") else clean(row.name)
    cells = [Cell(label, muted)]
    for place, value in enumerate(row.values):
        at = f" @{row.epochs[place]}" if row.epochs and row.epochs[place] is not None else ""
        star = "★ " if place == row.better else ""
        deviation = row.stds[place] if row.stds else None
        spread = "" if not deviation else f" ± {deviation:.2g}"
        cells.append(Cell(f"{star}{_value(row, value)}{spread}{at}", better if star else Style.null(), right=True))
    return tuple(cells)


def _value(row: Outcome, value: float | None) -> str:
    if value is None or not row.unit:
        return number(value)
    return duration(value) if row.unit == "s" else count(value)


def _setting(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "on", False: "off"}[value]
    return clean(str(list(value)) if isinstance(value, tuple) else str(value))
