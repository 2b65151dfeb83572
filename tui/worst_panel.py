"""The worst examples: those of the greatest loss, as pictures where they are some, else by what is unusual in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.strip import Strip

from tui.cell_grid import CellGrid, Palette, fitted
from tui.picture import Picture
from tui.picture_tiles import Tile, draw_tiles
from tui.picture_words import facts, feature_words, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.style import Style

    from trainer.picture_file import Pictures

_GAP = 2
_TWO_COLUMNS = 92
_LEAST_ROWS, _MOST_ROWS = 3, 4
"""Rows of an example that is no picture: its labels, one or two lines of features, and a blank one."""


class WorstPanel(Picture):
    """The examples with the greatest loss, greatest first."""

    BORDER_TITLE = "worst examples"

    def applies(self, pictures: Pictures) -> bool:  # noqa: D102
        return bool(pictures.worst)

    def draw(self, pictures: Pictures, width: int, height: int, palette: Palette) -> list[Strip]:  # noqa: D102
        grid = CellGrid(width, height, palette.style())
        if pictures.image_shape:
            draw_tiles(_tiles(pictures, palette), pictures.image_shape, grid, palette)
        else:
            _draw_table(pictures, grid, palette)
        return grid.strips()


def _tiles(pictures: Pictures, palette: Palette) -> Iterator[Tile]:
    for example in pictures.worst:
        words, is_wrong = verdict(pictures, example)
        yield Tile(example.image, words, _style(is_wrong, palette), facts(example))


def _style(is_wrong: bool, palette: Palette) -> Style:
    """Return the style of a verdict: what is right after all is not set off."""
    return palette.style(palette.wrong if is_wrong else palette.muted, bold=True)


def _draw_table(pictures: Pictures, grid: CellGrid, palette: Palette) -> None:
    """Draw an example below the other, with what is unusual in it; in two columns where they are wide enough."""
    count = len(pictures.worst)
    columns = 2 if grid.width >= _TWO_COLUMNS else 1
    width = (grid.width - 2 * _GAP * (columns - 1)) // columns
    pitch = max(_LEAST_ROWS, min(_MOST_ROWS, (grid.height + 1) * columns // max(count, 1)))
    down = max(1, min((grid.height + 1) // pitch, -(-count // columns)))
    for place, example in enumerate(pictures.worst[: down * columns]):
        # Down the first column, then down the second, as one reads.
        left, top = place // down * (width + 2 * _GAP), place % down * pitch
        words, is_wrong = verdict(pictures, example)
        aside = facts(example)
        room = width - cell_len(aside) - 1
        grid.put(left, top, fitted(" ".join(words), room), _style(is_wrong, palette))
        grid.put(left + room + 1, top, aside, palette.style(palette.muted))
        for line, text in enumerate(_wrapped(feature_words(example), width - 2, pitch - 2)):
            grid.put(left + 2, top + 1 + line, text, palette.style())


def _wrapped(words: list[str], width: int, n_lines: int) -> list[str]:
    """Return as many of the words as fit into the lines, with a dot between two."""
    lines = [""]
    for word in words:
        if lines[-1] and cell_len(f"{lines[-1]} · {word}") > width:
            if len(lines) == n_lines:
                break
            lines.append("")
        lines[-1] = fitted(f"{lines[-1]} · {word}" if lines[-1] else word, width).rstrip()
    return lines
