"""A line chart as rows of terminal cells: pure, from numbers and a size to strips.

From top to bottom: the legend, the curves beside their y axis, the x axis and its labels. In a small frame the axes go
first, then the legend, down to a curve in a single cell. Curves differ by line style as well as by colour.
"""

import itertools
import math
from dataclasses import replace

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.buckets import Points, reduce_series
from tui.chart_axes import Axes, lay_out_axes, x_axis, y_axis_cell
from tui.chart_band import edges, lay_band
from tui.chart_canvas import (
    Cells,
    Glyphs,
    blank_cells,
    cell_of,
    curve_layers,
    dotted,
    lay_over,
    recast,
    stamp,
    stamp_along,
)
from tui.chart_frame import PLAIN, Frame, Mark, Series, notice
from tui.chart_legend import Entry, legend_strip
from tui.chart_ticks import reading

__all__ = ["Frame", "Mark", "Series", "draw"]

_LARGEST, _SMALLEST = 1e300, 1e-300
"""Beyond these an axis cannot be computed in doubles: larger values are gaps, smaller ones are zero."""


def draw(frame: Frame) -> list[Strip]:
    """Return exactly `height` strips of exactly `width` cells. Not thread safe, as plotext is not."""
    width, height = max(frame.width, 0), max(frame.height, 0)
    if width == 0 or height == 0:
        return [Strip.blank(width, PLAIN)] * height
    if frame.log_x:
        frame = _in_decades(frame)
    legend = frame.legend and height >= 4 and bool(frame.series)
    rows = height - legend
    curves = [_curve(series, width, frame.log_y) for series in frame.series]
    body = _body(frame, curves, rows)
    return [_legend(frame), *body] if legend else body


def _in_decades(frame: Frame) -> Frame:
    """Return the frame with the decimal logarithm of every x in its place."""
    return replace(
        frame,
        series=[_series_in_decades(series) for series in frame.series],
        marks=[replace(mark, x=math.log10(mark.x)) for mark in frame.marks if mark.x > 0],
        x_end=math.log10(frame.x_end) if frame.x_end and frame.x_end > 0 else None,
    )


def _series_in_decades(series: Series) -> Series:
    shown = series.x > 0
    low, high = (None if edge is None else edge[shown] for edge in (series.low, series.high))
    return replace(series, x=np.log10(series.x[shown]), y=series.y[shown], low=low, high=high)


def _body(frame: Frame, curves: list[Points], rows: int) -> list[Strip]:
    values = np.concatenate([y[np.isfinite(y)] for _, y in curves]) if curves else np.empty(0)
    if not values.size:
        return _message(frame, curves, rows)
    bands = [edge for series in _banded(frame) for edge in edges(series, log_y=frame.log_y)]
    values = np.concatenate([values, *(edge[np.isfinite(edge)] for edge in bands)])
    axes = lay_out_axes(frame, curves, values, rows)
    canvas = _canvas(frame, curves, axes)
    lines = _canvas_rows(frame, canvas, axes)
    return lines if rows == axes.height else [*lines, *x_axis(frame, axes)]


def _banded(frame: Frame) -> list[Series]:
    return [series for series in frame.series if series.low is not None]


def _curve(series: Series, columns: int, log_y: bool) -> Points:
    y = np.where(np.abs(series.y) < _LARGEST, series.y, np.nan)
    y = np.where(np.abs(y) < _SMALLEST, 0.0, y)
    if not log_y:
        return reduce_series(series.x, y, max(columns, 2))
    x, y = reduce_series(series.x, np.where(y > 0.0, y, np.nan), max(columns, 2))
    return x, np.log10(y)


def _message(frame: Frame, curves: list[Points], rows: int) -> list[Strip]:
    text = frame.empty
    if any(len(x) for x, _ in curves):
        text = "no positive value to show on a log axis" if frame.log_y else "no finite value to show"
    return notice(frame, text, rows)


def _canvas(frame: Frame, curves: list[Points], axes: Axes) -> Cells:
    """Draw grid, bands, marks and curves; owners count through the series, the marks, the bands, then the grid."""
    cells = blank_cells(axes.width, axes.height)
    if not frame.ascii_only:
        for value, _ in axes.y_ticks:
            stamp(cells, axes.height - 1 - cell_of(value, axes.y, axes.height), slice(None), "┈", -2)
    for place, series in enumerate(_banded(frame)):
        owner = len(curves) + len(frame.marks) + place
        lay_band(cells, series, axes, owner, log_y=frame.log_y, ascii_only=frame.ascii_only)
    shown = [(i, mark) for i, mark in enumerate(frame.marks) if axes.x.low <= mark.x <= axes.x.high]
    columns = [(len(curves) + i, mark, cell_of(mark.x, axes.x, axes.width)) for i, mark in shown]
    for owner, _, column in columns:
        stamp(cells, slice(None), column, ":" if frame.ascii_only else "┊", owner)
    layers = curve_layers(curves, axes.x, axes.y, (axes.height, axes.width))
    for owner, ((_, y), layer) in enumerate(zip(curves, layers, strict=True)):
        _lay_curve(frame, cells, layer, owner, single=int(np.isfinite(y).sum()) == 1)
    for owner, mark, column in columns:
        stamp(cells, 0, column, "v" if frame.ascii_only and not mark.glyph.isascii() else mark.glyph, owner)
    return cells


def _lay_curve(frame: Frame, cells: Cells, layer: Glyphs, owner: int, *, single: bool) -> None:
    """Add one curve in its line style; a single point becomes a large dot."""
    style = frame.line_style(owner)
    if single:
        stamp_along(cells, layer, range(layer.shape[1]), style if len(style) == 1 else "•", owner)
    elif frame.ascii_only:
        lay_over(cells, recast(layer, style), owner)
    else:
        lay_over(cells, dotted(layer) if style == "dotted" else layer, owner)
        if len(style) == 1:
            stamp_along(cells, layer, range(3 + owner * 5 % 16, layer.shape[1], 16), style, owner)


def _canvas_rows(frame: Frame, cells: Cells, axes: Axes) -> list[Strip]:
    roles = [*(series.role for series in frame.series), *(mark.role for mark in frame.marks)]
    bands = [frame.style(series.role) + Style(dim=True) for series in _banded(frame)]
    styles = [*map(frame.style, roles), *bands, frame.style("grid"), frame.style("")]
    labels = {axes.height - 1 - cell_of(value, axes.y, axes.height): text for value, text in axes.y_ticks}
    lines = []
    for row in range(axes.height):
        head = y_axis_cell(frame, labels.get(row), axes.gutter)
        lines.append(Strip([*head, *_runs(cells, row, styles)], frame.width))
    return lines


def _runs(cells: Cells, row: int, styles: list[Style]) -> list[Segment]:
    """Return one segment for every stretch of cells with one owner."""
    owners = cells.owners[row]
    text = cells.glyphs[row].tobytes().decode("utf-32-le")
    borders = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(text)]
    return [Segment(text[start:stop], styles[owners[start]]) for start, stop in itertools.pairwise(borders)]


def _legend(frame: Frame) -> Strip:
    entries = []
    for index, series in enumerate(frame.series):
        style = frame.line_style(index)
        swatch = {"solid": "──", "dotted": "┄┄"}.get(style, style if frame.ascii_only else f"─{style}")
        value = reading(float(series.y[-1])) if len(series.y) else ""
        entries.append(Entry(swatch, series.label, value, frame.style(series.role)))
    return legend_strip(entries, frame.width, frame.style("text"))
