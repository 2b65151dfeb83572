"""The confusion matrix: what each class was taken for. Where it has no room, the pairs that are confused most."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def _draw_matrix(pictures: Pictures, grid: CellGrid, palette: Palette) -> int:
    """Draw the matrix at the left and return its width; 0 where it has no room."""
    matrix, n = pictures.confusion, len(pictures.confusion)
    names = [pictures.target(index) for index in range(n)]
    margin = min(max(map(cell_len, names), default=0), _LONGEST_NAME) + 2
    least = max(3, max((len(str(count)) for row in matrix for count in row), default=1) + 1)
    room = grid.width - margin - _RECALL
    if not n or room < n * least or grid.height < n + 1:
        return 0
    wanted = max(least, _USUAL_CELL, min(max(map(cell_len, names)), _LONGEST_NAME) + 2)
    beside = room - _PAIRS_WIDTH if room - _PAIRS_WIDTH >= n * (least + 2) else room
    cell_width = min(beside // n, wanted)
    cell_height = _TALL if n <= _FEW and grid.height >= 1 + n * _TALL else 1
    for index, name in enumerate(names):
        heading = fitted(name, cell_width - 1 if cell_len(name) >= cell_width else cell_width, "^")
        grid.put(margin + index * cell_width, 0, heading, palette.style(palette.muted))
    grid.put(margin + n * cell_width, 0, fitted("recall", _RECALL, ">"), palette.style(palette.muted))
    for true, row in enumerate(matrix):
        top = 1 + true * cell_height
        _draw_row(grid, palette, (margin, top, cell_width, cell_height), true, row)
        middle = top + cell_height // 2
        grid.put(0, middle, fitted(names[true], margin - 1, ">"), palette.style(bold=True))
        total = sum(row)
        recall = f"{row[true] / total:.0%}" if total else "–"
        grid.put(margin + n * cell_width, middle, fitted(recall, _RECALL, ">"), palette.style(palette.muted))
    return margin + n * cell_width + _RECALL


def _draw_row(grid: CellGrid, palette: Palette, box: tuple[int, int, int, int], true: int, row: list[int]) -> None:
    left, top, width, height = box
    total = sum(row) or 1
    for predicted, count in enumerate(row):
        is_right = predicted == true
        colour = palette.right if is_right else palette.wrong
        # Errors are few where a network is any good: the root of their share makes them seen.
        strength = count / total if is_right else (count / total) ** 0.5
        on = palette.tint(colour, _FAINTEST + (_STRONGEST - _FAINTEST) * strength) if count else palette.background
        style = palette.style(palette.text if count else palette.muted, on, bold=is_right or count > 0)
        for y in range(height):
            text = (str(count) if count else "·") if y == height // 2 else ""
            grid.put(left + predicted * width, top + y, fitted(text, width, "^"), style)


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
