"""A table that is told all of its cells each time, and repaints those that differ."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.coordinate import Coordinate
from textual.widget import Widget
from textual.widgets import DataTable

_PLACE = re.compile(r" [×#]\d+$")


class Cell(NamedTuple):
    """What one cell of a table shows: a line of safe text, its style, and whether it stands at the right."""

    text: str
    style: Style = Style.null()
    right: bool = False

    def rendered(self) -> Text:
        """Return it as the table takes it; never through markup."""
        return Text(self.text, self.style, justify="right" if self.right else "left", no_wrap=True, overflow="ellipsis")


class CellTable(DataTable[Text]):
    """A table that is told all of its cells each time, and repaints those that differ."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "Open", id="table.open", tooltip="Open the run under the cursor"),
    ]

    _filling = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._heads: list[tuple[Cell, int]] = []
        self._cells: dict[str, tuple[Cell, ...]] = {}

    def fill(self, heads: Sequence[tuple[Cell, int]], rows: Mapping[str, tuple[Cell, ...]]) -> None:
        """Show exactly these columns, a head and a width in cells each, and these rows by their keys."""
        if list(heads) != self._heads or list(rows) != list(self._cells):
            self._rebuild(heads, rows)
        else:
            self._change({key: cells for key, cells in rows.items() if cells != self._cells[key]})
        self._heads, self._cells = list(heads), dict(rows)

    @property
    def cursor_key(self) -> str | None:
        """Return the key of the row under the cursor."""
        keys = list(self._cells)
        return keys[self.cursor_row] if 0 <= self.cursor_row < len(keys) else None

    def go_to(self, key: str) -> None:
        """Put the cursor on the row of a key, if there is one."""
        if key in self._cells:
            self.move_cursor(row=list(self._cells).index(key))

    def _rebuild(self, heads: Sequence[tuple[Cell, int]], rows: Mapping[str, tuple[Cell, ...]]) -> None:
        key, place = self.cursor_key, self.cursor_row
        self.clear(columns=True)
        for index, (head, width) in enumerate(heads):
            self.add_column(head.rendered(), width=width, key=str(index))
        for row, cells in rows.items():
            self.add_row(*(cell.rendered() for cell in cells), key=row)
        if rows:
            self.move_cursor(
                row=list(rows).index(key) if key is not None and key in rows else min(place, len(rows) - 1)
            )

    def _change(self, rows: Mapping[str, tuple[Cell, ...]]) -> None:
        changed = []
        self._filling = True
        for key, cells in rows.items():
            for index, (cell, old) in enumerate(zip(cells, self._cells[key], strict=True)):
                if cell != old:
                    self.update_cell(key, str(index), cell.rendered())
                    changed.append(Coordinate(self.get_row_index(key), index))
        self._filling = False
        for place in changed:
            # A fixed column is not where its place in the table says once the rest is scrolled.
            self.refresh_row(place.row) if place.column < self.fixed_columns else self.refresh_coordinate(place)

    def refresh(self, *regions: Any, **options: Any) -> "CellTable":
        """Repaint as usual, but not the whole table for a cell of it."""
        return self if self._filling else super().refresh(*regions, **options)


def component_style(widget: Widget, name: str) -> Style:
    """Return a component's style with its opacity mixed into the background, as cells want it."""
    styles = widget.get_component_styles(name)
    return styles.text_style + Style(color=(widget.background_colors[1] + styles.color).rich_color)


def cut(name: str, width: int) -> str:
    """Return a name in at most `width` cells."""
    return name if cell_len(name) <= width else set_cell_size(name, width - 1).rstrip() + "…"


def cut_run(name: str, width: int) -> str:
    """Return a run's name in at most `width` cells; how many runs it stands for, or which of them it is, is kept."""
    end = found[0] if (found := _PLACE.search(name)) else ""
    return cut(name[: len(name) - len(end)], width - len(end)) + end


def cut_front(name: str, width: int) -> str:
    """Return the end of a name in at most `width` cells."""
    if cell_len(name) <= width:
        return name
    while cell_len(name) > width - 1:
        name = name[1:]
    return f"…{name}"
