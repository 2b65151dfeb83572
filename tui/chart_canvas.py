"""The area inside a chart's axes: plotext draws each curve, the layers are put together cell by cell.

plotext keeps one figure per process, so everything here runs on one thread. Each curve is drawn alone and without
colour: layers keep their own dots where curves cross, and no escape sequence has to be parsed back.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tui.buckets import Points
from tui.chart_ticks import Range

Glyphs = NDArray[np.uint32]

_SPACE = ord(" ")
_BRAILLE = 0x2800
_DOTS = 0xFF
_LEFT_DOTS = 0x47
"""Braille bits of the left of a cell's two dot columns."""
_HALF_DOT = 0.125
"""Half the height of a braille dot, in cells."""
_INSIDE = 1e-6
"""Cells by which a point on the upper or right edge is moved in."""
_PART = 16
"""Points by which the part of a curve that is drawn once grows."""


class Cells(NamedTuple):
    """A grid of characters; `owners` says who drew a cell and so gives its style, -1 for nobody."""

    glyphs: Glyphs
    owners: NDArray[np.int16]


class Point(NamedTuple):
    """A point of a line in cells; `joined` if the line comes from the point before."""

    x: float
    y: float
    joined: bool


def blank_cells(width: int, height: int) -> Cells:
    """Return empty cells."""
    return Cells(np.full((height, width), _SPACE, dtype=np.uint32), np.full((height, width), -1, dtype=np.int16))


def curve_layers(curves: Sequence[Points], x_limits: Range, y_limits: Range, shape: tuple[int, int]) -> list[Glyphs]:
    """Return the braille picture of every curve by itself.

    A curve's older points are drawn apart from the newest ones: as a run goes on they stay the same, so their picture
    comes from the cache.

    Args:
        curves: x ascending and y, both in axis units; a NaN in y breaks the line.
        x_limits: values at the left and right edge; all x lie inside.
        y_limits: values at the lower and upper edge; all finite y lie inside.
        shape: height and width in cells, both at least 1.
    """
    lines = [_line(x, y, x_limits, y_limits, shape) for x, y in curves]
    settled = [(len(line) - 1) // _PART * _PART for line in lines]
    older = _pictures(tuple(tuple(line[: end + 1]) for line, end in zip(lines, settled, strict=True)), shape)
    newest = _pictures(tuple(tuple(line[max(end, 0) :]) for line, end in zip(lines, settled, strict=True)), shape)
    return [_joined(*layers) for layers in zip(older, newest, strict=True)]


def dotted(glyphs: Glyphs) -> Glyphs:
    """Return a braille curve with half its dots; each cell keeps at least one, so that no spike is lost."""
    dots = np.where(glyphs == _SPACE, 0, glyphs - _BRAILLE)
    left = dots & _LEFT_DOTS
    thinned = np.where(left == 0, dots, left)
    return np.where(thinned == 0, _SPACE, thinned + _BRAILLE).astype(np.uint32)


def recast(glyphs: Glyphs, glyph: str) -> Glyphs:
    """Return the curve with every cell it touches showing `glyph`."""
    return np.where(glyphs == _SPACE, _SPACE, ord(glyph)).astype(np.uint32)


def lay_over(cells: Cells, glyphs: Glyphs, owner: int) -> None:
    """Draw `glyphs` over `cells`; in a cell of two curves the dots are joined, the denser curve gives the style."""
    denser = np.bitwise_count(glyphs & _DOTS) >= np.bitwise_count(cells.glyphs & _DOTS)
    owned = (glyphs != _SPACE) & (denser | ~_is_braille(cells.glyphs))
    cells.glyphs[:] = _joined(cells.glyphs, glyphs)
    cells.owners[owned] = owner


def stamp(cells: Cells, rows: int | slice, columns: int | slice, glyph: str, owner: int) -> None:
    """Put one character into the given cells, whatever was there."""
    cells.glyphs[rows, columns] = ord(glyph)
    cells.owners[rows, columns] = owner


def stamp_along(cells: Cells, glyphs: Glyphs, columns: range, glyph: str, owner: int) -> None:
    """Put `glyph` on the curve drawn as `glyphs` in each of `columns` that it crosses."""
    for column in columns:
        rows = np.flatnonzero(glyphs[:, column] != _SPACE)
        if rows.size:
            stamp(cells, int(rows[rows.size // 2]), column, glyph, owner)


def cell_of(value: float, limits: Range, size: int) -> int:
    """Return the cell, counted from the low end, that shows `value`; the ends of `limits` are inside."""
    share = (value - limits.low) / (limits.high - limits.low)
    return min(max(int(share * size), 0), size - 1)


def _is_braille(glyphs: Glyphs) -> NDArray[np.bool_]:
    braille: NDArray[np.bool_] = (glyphs & 0xFF00) == _BRAILLE
    return braille


def _joined(below: Glyphs, above: Glyphs) -> Glyphs:
    """Return `above` over `below` with the dots of both where both are braille."""
    both = _is_braille(below) & _is_braille(above)
    return np.where(both, below | above, np.where(above == _SPACE, below, above))


def _line(
    x: NDArray[np.float64], y: NDArray[np.float64], x_limits: Range, y_limits: Range, shape: tuple[int, int]
) -> list[Point]:
    """Return the points plotext needs to draw a curve, in cells from the lower left corner."""
    height, width = shape
    across = ((x - x_limits.low) / (x_limits.high - x_limits.low) * width).clip(0, width - _INSIDE)
    up = ((y - y_limits.low) / (y_limits.high - y_limits.low) * height).clip(0, height - _INSIDE)
    edges = np.flatnonzero(np.diff(np.isfinite(y), prepend=False, append=False)).tolist()
    points = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        xs, ys = across[start:stop].tolist(), up[start:stop].tolist()
        points += [Point(xs[index], ys[index], index > 0) for index in _bends(xs, ys)]
    return points


def _bends(x: list[float], y: list[float]) -> list[int]:
    """Return the points of a line to keep so that every other one is within half a dot of it.

    plotext takes 10 us a point. Points are tried from the first on, so the choice among old points is the same when new
    ones come.

    Source: E. H. Bristol, Swinging door trending, ISA 1990.
    """
    kept, anchor, lowest, highest = [0], 0, -math.inf, math.inf
    for index in range(1, len(x)):
        run = x[index] - x[anchor]
        rise = y[index] - y[anchor]
        if not lowest * run <= rise <= highest * run:
            anchor, lowest, highest = index - 1, -math.inf, math.inf
            kept.append(anchor)
            run, rise = x[index] - x[anchor], y[index] - y[anchor]
        if run > 0.0:
            lowest, highest = max(lowest, (rise - _HALF_DOT) / run), min(highest, (rise + _HALF_DOT) / run)
    return kept if len(x) == 1 else [*kept, len(x) - 1]


@functools.lru_cache(maxsize=64)
def _pictures(lines: tuple[tuple[Point, ...], ...], shape: tuple[int, int]) -> list[Glyphs]:
    """Return what plotext draws for each line.

    All lines go into one figure, each on a floor of its own, because every figure costs 0.2 ms however little it holds.
    """
    height, width = shape
    x = [point.x for line in lines for point in line]
    y = [point.y + height * floor for floor, line in enumerate(lines) for point in line]
    starts = [not (index and point.joined) for line in lines for index, point in enumerate(line)]
    figure = _figure()
    figure.clear.data()
    figure.plot_size(width, height * len(lines))
    figure.ruler("x").lim(0, width)
    figure.ruler("y").lim(0, height * len(lines))
    signal = figure.signal(x, y, marker="braille").lines(True)
    for index in np.flatnonzero(starts).tolist():
        signal.line(index, False)
    figure.draw(signal)
    text = figure.build().string(colorless=True).replace("\n", "")
    floors = np.frombuffer(text.encode("utf-32-le"), dtype="<u4").reshape(len(lines), height, width)
    return list(floors[::-1])


@functools.cache
def _figure() -> Any:
    """Return plotext's figure, bare of axes; imported here because that takes 0.1 s."""
    import plotext

    terminal: Any = plotext.terminal
    terminal.limit(False, False)
    figure: Any = plotext.figure
    figure.axes(False)
    figure.legend(False)
    figure.canvas("default")
    for axis in ("x", "y"):
        figure.ruler(axis).frequency(0).alignment(lim="edge")
    return figure
