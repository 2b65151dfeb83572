"""A grid of terminal cells to draw into, cell by cell, and the colours to draw with."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip

SHADES = " ░▒▓█"
"""Five degrees of darkness without colour."""

_ELLIPSIS = "…"
_LARGEST = 1e300


@dataclass(frozen=True, slots=True)
class Palette:
    """The theme's colours for pictures.

    Attributes:
        background, text, muted, right, wrong, accent: colours by what they are for.
        classes: colours that tell classes apart, as far as there are some.
        in_colour: whether the terminal shows colours; without, characters must say the same.
    """

    background: Color
    text: Color
    muted: Color
    right: Color
    wrong: Color
    accent: Color
    classes: tuple[Color, ...]
    in_colour: bool = True

    def style(self, color: Color | None = None, on: Color | None = None, *, bold: bool = False) -> Style:
        """Return the style of text in a colour on another; the usual ones where none is named."""
        return _style(color or self.text, on or self.background, bold)

    def tint(self, color: Color, share: float) -> Color:
        """Return the background with so much of a colour in it, from 0 to 1."""
        return self.background.blend(color, share) if self.in_colour else self.background

    def of_class(self, index: int) -> Color:
        """Return the colour of a class; the colours begin again where there are too many classes."""
        return self.classes[index % len(self.classes)]


class CellGrid:
    """Cells of one size of picture; what would lie outside is cut off."""

    def __init__(self, width: int, height: int, style: Style) -> None:
        self.width, self.height = max(width, 0), max(height, 0)
        self._rows = [[(" ", style)] * self.width for _ in range(self.height)]

    def put(self, x: int, y: int, text: str, style: Style) -> None:
        """Write text from a cell on. Wide characters take two cells, combining ones none."""
        if not 0 <= y < self.height:
            return
        row = self._rows[y]
        for character in text:
            wide = cell_len(character)
            if wide == 0:
                if 0 < x <= self.width:
                    row[x - 1] = (row[x - 1][0] + character, row[x - 1][1])
            elif x >= 0 and x + wide <= self.width:
                row[x : x + wide] = [(character, style), *[("", style)] * (wide - 1)]
            x += wide

    def fill(self, x: int, y: int, character: str, style: Style) -> None:
        """Write one character of one cell inside the grid: `put` without its care."""
        self._rows[y][x] = (character, style)

    def strips(self) -> list[Strip]:
        """Return the rows, a segment for every stretch of one style."""
        return [Strip(list(_segments(row)), self.width) for row in self._rows]


def fitted(text: str, width: int, align: str = "<") -> str:
    """Return text in exactly so many cells, cut with an ellipsis or padded: "<" at its end, ">" before, "^" both."""
    if cell_len(text) > width:
        kept = ""
        for character in text:
            if cell_len(kept + character) > width - 1:
                break
            kept += character
        text = kept + _ELLIPSIS if width > 0 else ""
    room = width - cell_len(text)
    before = {"<": 0, ">": room}.get(align, room // 2)
    return " " * before + text + " " * (room - before)


def is_drawable(value: float) -> bool:
    """Return whether an axis can be computed with the number: finite, and far from the ends of the doubles."""
    return abs(value) < _LARGEST


def _segments(row: Iterable[tuple[str, Style]]) -> Iterable[Segment]:
    text, style = "", None
    for character, its in row:
        if its is not style and text and its != style:
            assert style is not None
            yield Segment(text, style)
            text = ""
        text, style = text + character, its
    if style is not None:
        yield Segment(text, style)


@lru_cache(maxsize=4096)
def _style(color: Color, on: Color, bold: bool) -> Style:
    return Style(color=color.rich_color, bgcolor=on.rich_color, bold=bold or None)
