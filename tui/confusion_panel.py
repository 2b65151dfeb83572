"""The confusion matrix: what each class was taken for. Where it has no room, the pairs that are confused most."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from textual.geometry import Size
from textual.strip import Strip

from tui.cell_grid import CellGrid, Palette, fitted
from tui.picture import Picture

if TYPE_CHECKING:
    from trainer.picture_file import Pictures
    from tui.followed import Followed
    from tui.panels import View

_LONGEST_NAME = 14
_USUAL_CELL = 7
_TALL = 3
"""Rows of a cell where there are few classes and much room."""

_FEW = 5
_RECALL = 7
_PAIRS_WIDTH = 33
_PAIRS_HEIGHT = 12
_FAINTEST, _STRONGEST = 0.12, 0.45


class ConfusionPanel(Picture):
    """A row for each true class, a column for each class that it was taken for, shaded by share of the row."""

    BORDER_TITLE = "confusion: true by row, predicted by column"

    def applies(self, pictures: Pictures) -> bool:  # noqa: D102
        return pictures.task == "classification"

    def draw(self, pictures: Pictures, width: int, height: int, palette: Palette) -> list[Strip]:  # noqa: D102
        grid = CellGrid(width, height, palette.style())
        matrix_width = _draw_matrix(pictures, grid, palette)
        if matrix_width == 0:
            _draw_pairs(pictures, grid, 0, palette)
        elif width - matrix_width >= _PAIRS_WIDTH:
            _draw_pairs(pictures, grid, matrix_width + 3, palette)
        return grid.strips()

    def show_run(self, followed: Followed, view: View) -> None:
        """Show what was last read of the run's pictures, in as many rows as that needs."""
        before = self._rows_wanted()
        super().show_run(followed, view)
        if self._rows_wanted() != before:
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Return the rows that the matrix would like."""
        return self._rows_wanted()

    def _rows_wanted(self) -> int:
        n_classes = len(self._pictures.confusion) if self._pictures else 0
        return 1 + n_classes * (_TALL if n_classes <= _FEW else 1) if n_classes else _PAIRS_HEIGHT


class _Layout(NamedTuple):
    """Where the matrix's cells are: cells before the first, and the size of each."""

    margin: int
    width: int
    height: int


def _layout(matrix: list[list[int]], names: list[str], grid: CellGrid) -> _Layout | None:
    """Share out the cells; None where there are too few."""
    n, longest = len(matrix), min(max(map(cell_len, names), default=0), _LONGEST_NAME)
    margin = longest + 2
    least = max(3, max((len(str(count)) for row in matrix for count in row), default=1) + 1)
    room = grid.width - margin - _RECALL
    if not n or room < n * least or grid.height < n + 1:
        return None
    beside = room - _PAIRS_WIDTH if room - _PAIRS_WIDTH >= n * (least + 2) else room
    width = min(beside // n, max(least, _USUAL_CELL, longest + 2))
    return _Layout(margin, width, _TALL if n <= _FEW and grid.height >= 1 + n * _TALL else 1)


def _draw_matrix(pictures: Pictures, grid: CellGrid, palette: Palette) -> int:
    """Draw the matrix at the left and return its width; 0 where it has no room."""
    matrix, names = pictures.confusion, [pictures.target(index) for index in range(len(pictures.confusion))]
    layout = _layout(matrix, names, grid)
    if layout is None:
        return 0
    muted, end = palette.style(palette.muted), layout.margin + len(matrix) * layout.width
    for index, name in enumerate(names):
        # A name that is cut keeps a cell of distance to the next one.
        heading = fitted(name, layout.width - (cell_len(name) >= layout.width), "^")
        grid.put(layout.margin + index * layout.width, 0, heading, muted)
    grid.put(end, 0, fitted("recall", _RECALL, ">"), muted)
    for true, row in enumerate(matrix):
        _draw_row(grid, palette, layout, true, row)
        middle = 1 + true * layout.height + layout.height // 2
        grid.put(0, middle, fitted(names[true], layout.margin - 1, ">"), palette.style(bold=True))
        recall = f"{row[true] / sum(row):.0%}" if any(row) else "–"
        grid.put(end, middle, fitted(recall, _RECALL, ">"), muted)
    return end + _RECALL


def _draw_row(grid: CellGrid, palette: Palette, layout: _Layout, true: int, row: list[int]) -> None:
    total = sum(row) or 1
    for predicted, count in enumerate(row):
        is_right = predicted == true
        colour = palette.right if is_right else palette.wrong
        # Errors are few where a network is any good: the root of their share makes them seen.
        strength = count / total if is_right else (count / total) ** 0.5
        on = palette.tint(colour, _FAINTEST + (_STRONGEST - _FAINTEST) * strength) if count else palette.background
        style = palette.style(palette.text if count else palette.muted, on, bold=is_right or count > 0)
        for y in range(layout.height):
            text = (str(count) if count else "·") if y == layout.height // 2 else ""
            x = layout.margin + predicted * layout.width
            grid.put(x, 1 + true * layout.height + y, fitted(text, layout.width, "^"), style)


def _draw_pairs(pictures: Pictures, grid: CellGrid, left: int, palette: Palette) -> None:
    """List the classes that are taken for another most often, with a bar for how often."""
    muted = palette.style(palette.muted)
    if not pictures.confused:
        grid.put(left, 0, "no example was taken for another class", muted)
        return
    grid.put(left, 0, "confused most", muted)
    if grid.height < 2:
        return
    pairs = pictures.confused[: grid.height - 1]
    names = [f"{pictures.target(pair.true)} as {pictures.target(pair.predicted)}" for pair in pairs]
    counts = [str(pair.count) for pair in pairs]
    most, count_width = pairs[0].count, max(map(len, counts))
    bar_room = max(0, min(16, (grid.width - left) // 3))
    name_width = min(max(map(cell_len, names)), grid.width - left - count_width - bar_room - 4)
    for place, (pair, name) in enumerate(zip(pairs, names, strict=True)):
        y = 1 + place
        grid.put(left, y, fitted(name, name_width), palette.style())
        grid.put(left + name_width + 2, y, fitted(counts[place], count_width, ">"), palette.style(bold=True))
        bar = "━" * max(1, round(bar_room * pair.count / max(most, 1))) if bar_room else ""
        grid.put(left + name_width + count_width + 4, y, bar, palette.style(palette.wrong))
