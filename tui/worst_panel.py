"""The worst examples: those of the greatest loss, as pictures where they are some, else by what is unusual in them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from textual.color import Color
from textual.strip import Strip

from tui.cell_grid import SHADES, CellGrid, Palette, fitted
from tui.picture import Picture
from tui.picture_words import facts, feature_words, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.style import Style

    from trainer.data.section import ImageShape
    from trainer.picture_file import Example, Pictures

    Pixel = tuple[int, ...]

_SCALES = ((3.0, 3.0, 12), (2.0, 2.0, 4), (2.0, 1.0, 4), (1.0, 1.0, 2), (0.5, 0.5, 1))
"""Columns and half rows of a pixel, and how many pictures must fit, all apart: the first that does is taken."""

_CAPTION_WIDTH = 14
_CAPTION_ROWS = 2
_GAP = 2
_LEVELS = 16
"""Degrees of brightness: the fewer, the fewer bytes go over the wire."""

_TILE = 0.05
"""Share of the foreground in the darkest grey pixel, so that a picture has a ground of its own."""

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
            _draw_pictures(pictures, pictures.image_shape, grid, palette)
        else:
            _draw_table(pictures, grid, palette)
        return grid.strips()


class _Layout(NamedTuple):
    """How pictures are laid out: cells of one picture with its caption, and how many fit beside and below each other.

    Attributes:
        columns, rows: of the picture alone.
        width, height: with its caption, without the gap.
    """

    columns: int
    rows: int
    width: int
    height: int
    across: int
    down: int


def _draw_pictures(pictures: Pictures, shape: ImageShape, grid: CellGrid, palette: Palette) -> None:
    captions = [verdict(pictures, example) for example in pictures.worst]
    layout = _layout(shape, max(cell_len(" ".join(words)) for words, _ in captions), len(captions), grid)
    gap = grid.height >= layout.down * (layout.height + 1) - 1
    for place, (example, (words, is_wrong)) in enumerate(zip(pictures.worst, captions, strict=True)):
        if place == layout.across * layout.down:
            break
        left = place % layout.across * (layout.width + _GAP)
        top = place // layout.across * (layout.height + gap)
        _draw_picture(example, shape, (left, top), layout, grid, palette)
        lines = words if layout.height - layout.rows > _CAPTION_ROWS else [" ".join(words)]
        for line, text in enumerate(lines):
            grid.put(left, top + layout.rows + line, fitted(text, layout.width), _style(is_wrong, palette))
        told = fitted(facts(example), layout.width)
        grid.put(left, top + layout.height - 1, told, palette.style(palette.muted))


def _layout(shape: ImageShape, longest: int, count: int, grid: CellGrid) -> _Layout:
    """Choose the scale; a caption that is longer than a picture is wide takes a line more."""
    found = _Layout(1, 1, 1, 1, 1, 1)
    for across, down, least in _SCALES:
        columns, rows = math.ceil(shape[1] * across), math.ceil(shape[0] * down / 2)
        width = max(columns, _CAPTION_WIDTH)
        height = rows + _CAPTION_ROWS + (longest > width)
        found = _Layout(columns, rows, width, height, (grid.width + _GAP) // (width + _GAP), grid.height // height)
        if found.across * found.down >= min(least, count):
            return found
    return found._replace(across=1, down=1)


def _draw_picture(
    example: Example, shape: ImageShape, at: tuple[int, int], layout: _Layout, grid: CellGrid, palette: Palette
) -> None:
    known: dict[tuple[Pixel, Pixel], tuple[str, Style]] = {}
    pixels = _scaled(example.image, shape, (2 * layout.rows, layout.columns))
    for y in range(layout.rows):
        for x in range(layout.columns):
            pair = pixels[2 * y][x], pixels[2 * y + 1][x]
            if pair not in known:
                known[pair] = _pixels(*pair, palette)
            grid.put(at[0] + x, at[1] + y, *known[pair])


def _scaled(image: list[int], shape: ImageShape, to: tuple[int, int]) -> list[list[Pixel]]:
    """Return the picture in another number of rows and columns, each channel of a pixel as one of `_LEVELS`.

    Where there are fewer than before, a pixel is the mean of what falls together.
    """
    rows, columns = (
        [range(i * size // count, max((i + 1) * size // count, i * size // count + 1)) for i in range(count)]
        for size, count in zip(shape, to, strict=False)
    )
    return [[tuple(_levels(image, shape, ys, xs)) for xs in columns] for ys in rows]


def _levels(image: list[int], shape: ImageShape, ys: range, xs: range) -> Iterator[int]:
    _, across, channels = shape
    for channel in range(channels):
        total = sum(image[(y * across + x) * channels + channel] for y in ys for x in xs)
        yield total // (len(ys) * len(xs)) * _LEVELS // 256


def _pixels(upper: Pixel, lower: Pixel, palette: Palette) -> tuple[str, Style]:
    """Return what shows two pixels, one above the other; without colour, by how bright they are together."""
    if not palette.in_colour:
        bright = sum(upper + lower) / (len(upper + lower) * (_LEVELS - 1))
        return SHADES[round(bright * (len(SHADES) - 1))], palette.style()
    if upper == lower:
        return " ", palette.style(on=_ink(upper, palette))
    return "▀", palette.style(_ink(upper, palette), _ink(lower, palette))


def _ink(pixel: Pixel, palette: Palette) -> Color:
    """Return the colour of a pixel: a grey one goes from the theme's background to its text."""
    shares = [level / (_LEVELS - 1) for level in pixel]
    if len(shares) == 1:
        return palette.background.blend(palette.text, _TILE + (1 - _TILE) * shares[0])
    red, green, blue = (round(255 * share) for share in shares)
    return Color(red, green, blue)


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
