"""Examples that are pictures, side by side: two pixels a cell, one above the other, with words below each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from textual.color import Color

from tui.cell_grid import SHADES, CellGrid, Palette, fitted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.style import Style

    from trainer.data.section import ImageShape

    Pixel = tuple[int, ...]

_SCALES = ((3.0, 3.0, 12), (2.0, 2.0, 4), (2.0, 1.0, 4), (1.0, 1.0, 2), (0.5, 0.5, 1))
"""Columns and half rows of a pixel, and how many pictures must fit, all apart: the first that does is taken."""

_CAPTION_WIDTH = 14
_GAP = 2
_LEVELS = 16
"""Degrees of brightness: the fewer, the fewer bytes go over the wire."""

_TILE = 0.05
"""Share of the foreground in the darkest grey pixel, so that a picture has a ground of its own."""


class Tile(NamedTuple):
    """A picture and what stands below it.

    Attributes:
        image: as `thumbnail` has it.
        words: one part or several, which go into a line of their own each where there is no room beside each other.
        style: of the words.
        aside: a last line; "" for none.
    """

    image: Sequence[int]
    words: Sequence[str]
    style: Style
    aside: str = ""


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


def draw_tiles(tiles: Iterable[Tile], shape: ImageShape, grid: CellGrid, palette: Palette) -> None:
    """Draw as many pictures of this shape as there is room for, as large as that allows."""
    tiles = list(tiles)
    layout = _layout(tiles, shape, grid)
    gap = grid.height >= layout.down * (layout.height + 1) - 1
    for place, tile in enumerate(tiles[: layout.across * layout.down]):
        left = place % layout.across * (layout.width + _GAP)
        top = place // layout.across * (layout.height + gap)
        _draw_picture(tile.image, shape, (left, top), layout, grid, palette)
        room = layout.height - layout.rows - bool(tile.aside)
        for line, text in enumerate(tile.words if room > 1 else [" ".join(tile.words)]):
            grid.put(left, top + layout.rows + line, fitted(text, layout.width), tile.style)
        if tile.aside:
            grid.put(left, top + layout.height - 1, fitted(tile.aside, layout.width), palette.style(palette.muted))


def _layout(tiles: Sequence[Tile], shape: ImageShape, grid: CellGrid) -> _Layout:
    """Choose the scale; words that are longer than a picture is wide take a line more, if they are in two parts."""
    longest = max(cell_len(" ".join(tile.words)) for tile in tiles)
    caption = 1 + any(tile.aside for tile in tiles)
    has_parts = any(len(tile.words) > 1 for tile in tiles)
    found = _Layout(1, 1, 1, 1, 1, 1)
    for across, down, least in _SCALES:
        columns, rows = math.ceil(shape[1] * across), math.ceil(shape[0] * down / 2)
        width = max(columns, _CAPTION_WIDTH)
        height = rows + caption + (has_parts and longest > width)
        found = _Layout(columns, rows, width, height, (grid.width + _GAP) // (width + _GAP), grid.height // height)
        if found.across * found.down >= min(least, len(tiles)):
            return found
    return found._replace(across=1, down=1)


def _draw_picture(
    image: Sequence[int], shape: ImageShape, at: tuple[int, int], layout: _Layout, grid: CellGrid, palette: Palette
) -> None:
    known: dict[tuple[Pixel, Pixel], tuple[str, Style]] = {}
    pixels = _scaled(image, shape, (2 * layout.rows, layout.columns))
    for y in range(layout.rows):
        for x in range(layout.columns):
            pair = pixels[2 * y][x], pixels[2 * y + 1][x]
            if pair not in known:
                known[pair] = _pixels(*pair, palette)
            grid.put(at[0] + x, at[1] + y, *known[pair])


def _scaled(image: Sequence[int], shape: ImageShape, to: tuple[int, int]) -> list[list[Pixel]]:
    """Return the picture in another number of rows and columns, each channel of a pixel as one of `_LEVELS`.

    Where there are fewer than before, a pixel is the mean of what falls together.
    """
    rows, columns = (
        [range(i * size // count, max((i + 1) * size // count, i * size // count + 1)) for i in range(count)]
        for size, count in zip(shape, to, strict=False)
    )
    return [[tuple(_levels(image, shape, ys, xs)) for xs in columns] for ys in rows]


def _levels(image: Sequence[int], shape: ImageShape, ys: range, xs: range) -> Iterator[int]:
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
