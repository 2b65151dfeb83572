"""The panels of the data page: columns, classes and a few of the examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.strip import Strip

from tui import data_words
from tui.cell_grid import CellGrid, Palette
from tui.line_list import LineList
from tui.picture import Drawn
from tui.picture_tiles import Tile, draw_tiles

if TYPE_CHECKING:
    from trainer.data.overview import Overview

_BAR = "━"


class ColumnList(LineList):
    """Type, missing cells and range of each column; before them those of the outputs."""

    BORDER_TITLE = "columns"

    def show(self, overview: Overview) -> None:
        """Show the columns of these examples."""
        rest = overview.n_columns - len(overview.columns)
        columns = [*overview.outputs, *overview.columns]
        lines = data_words.column_table(columns)
        table = _table([*lines, *([f"and {rest:,} more"] if rest else [])], n_set_off=len(overview.outputs))
        self.show_lines(table, data_words.names_width(columns))
        count = f" ({overview.n_columns:,})" if overview.n_columns > 1 else ""
        self.border_title = f"columns{count} · training part"


class ClassList(LineList):
    """How many training examples each class has."""

    BORDER_TITLE = "classes"

    _overview: Overview | None = None

    def show(self, overview: Overview) -> None:
        """Show the balance of these examples."""
        self._overview = overview
        what = {"class": "classes", "token": "tokens"}[overview.counted]
        self.border_title = f"{what} ({len(overview.classes):,})"
        self._draw()

    def on_resize(self) -> None:
        """Make the bars as long as there is room."""
        self._draw()

    def _draw(self) -> None:
        if self._overview is not None:
            width, told = self.container_size.width - 1, self._overview
            lines = data_words.balance_table(told.classes, width, told.counted)
            self.show_lines([_with_bar(line) for line in _table(lines)])


class SampleList(LineList):
    """A few training examples, one a column."""

    BORDER_TITLE = "some training examples"

    def show(self, overview: Overview) -> None:
        """Show the samples of these examples."""
        width = data_words.names_width(overview.columns, data_words.name_of_target(overview))
        self.show_lines(_table(data_words.sample_table(overview)), width)


class SamplePictures(Drawn):
    """A few training examples that are pictures."""

    BORDER_TITLE = "some training examples"

    _overview: Overview | None = None

    def show(self, overview: Overview) -> None:
        """Show the samples of these examples."""
        self._overview = overview
        self.redraw()

    def drawn(self, width: int, height: int, palette: Palette) -> list[Strip]:
        """Return as many of the pictures as there is room for."""
        grid = CellGrid(width, height, palette.style())
        if self._overview is not None and self._overview.image_shape is not None:
            style = palette.style(palette.muted)
            tiles = (Tile(it.pixels, [str(it.target)], style) for it in self._overview.samples)
            draw_tiles(tiles, self._overview.image_shape, grid, palette)
        return grid.strips()


def _table(lines: Sequence[str], n_set_off: int = 0) -> list[Content]:
    """Return the lines of a table with its heads, and perhaps some lines after them, set off."""
    styles = ["dim", *["bold"] * n_set_off]
    return [Content.styled(line, styles[place] if place < len(styles) else "") for place, line in enumerate(lines)]


def _with_bar(line: Content) -> Content:
    start = line.plain.find(_BAR)
    return line if start < 0 else line[:start] + line[start:].stylize("$text-primary")
