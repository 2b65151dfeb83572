"""Where a chart's curves go, and the axes around them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from textual.strip import Strip

from tui.buckets import Points
from tui.chart_canvas import cell_of
from tui.chart_frame import Frame
from tui.chart_ticks import Range, log_range, log_ticks, tick_labels, ticks, x_range, y_range


class Axes(NamedTuple):
    """Where the curves go: ranges in axis units (decades if log), tick positions with texts, canvas size in cells."""

    x: Range
    y: Range
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    width: int
    height: int
    gutter: int
    """Columns of the y labels without the axis line; -1 if there is no y axis."""


def lay_out_axes(frame: Frame, curves: Sequence[Points], values: NDArray[np.float64], rows: int) -> Axes:
    """Choose ranges and ticks and share out the cells.

    Args:
        frame: what to draw; its height counts as `rows`.
        curves: x and y in axis units, at least one of them not empty.
        values: the finite y of all curves, at least one.
        rows: height without the legend, at least 1.
    """
    xs = [x for x, _ in curves if len(x)]
    x_limits = _x_limits(frame, min(float(x[0]) for x in xs), max(float(x[-1]) for x in xs))
    height = rows - 2 if rows >= 5 and frame.width >= 12 else rows
    y_limits = (log_range if frame.log_y else y_range)(float(values.min()), float(values.max()))
    y_ticks = _decades(y_limits, height // 2) if frame.log_y else _even_ticks(y_limits, 2 + height // 4)
    gutter = max((len(text) for _, text in y_ticks), default=0)
    if frame.width < gutter + 9:
        gutter = -1
    width = frame.width - gutter - 1
    whole = all(bool((x == np.floor(x)).all()) for x in xs)
    x_count = max(width // 10, 1)
    x_ticks = _decades(x_limits, x_count) if frame.log_x else _even_ticks(x_limits, x_count, whole=whole)
    return Axes(x_limits, y_limits, x_ticks, y_ticks, width, height, gutter)


def _x_limits(frame: Frame, first: float, last: float) -> Range:
    end = frame.x_end
    if frame.log_x:
        # No curve grows along it: from the first to the last value, and no further.
        last = max(last, end) if end is not None else last
        return Range(first, last) if last > first else Range(first - 0.5, first + 0.5)
    if end is not None and end >= last and end > first:
        return Range(x_range(first, end).low, end)
    return x_range(first, last)


def _decades(limits: Range, count: int) -> list[tuple[float, str]]:
    """Return ticks of a logarithmic axis, positions in axis units; each has a text of its own."""
    return [(float(np.log10(value)), tick_labels([value])[0]) for value in log_ticks(limits, count)]


def _even_ticks(limits: Range, count: int, *, whole: bool = False) -> list[tuple[float, str]]:
    """Return ticks of a linear axis; their texts share one form."""
    values = ticks(limits, count, whole=whole)
    return list(zip(values, tick_labels(values), strict=True))


def y_axis_cell(frame: Frame, label: str | None, gutter: int) -> list[Segment]:
    """Return one row of the y axis: a tick if it has a label, else the bare line."""
    if gutter < 0:
        return []
    line = ("|" if frame.ascii_only else "│") if label is None else ("+" if frame.ascii_only else "┤")
    return [Segment((label or "").rjust(gutter), frame.style("text")), Segment(line, frame.style("axis"))]


def x_axis(frame: Frame, axes: Axes) -> list[Strip]:
    """Return the axis line with ticks and the unit of x in it, and below it the numbers."""
    rule = ["-" if frame.ascii_only else "─"] * axes.width
    numbers = [" "] * axes.width
    free_from = 0
    for value, text in axes.x_ticks:
        column = cell_of(value, axes.x, axes.width)
        rule[column] = "+" if frame.ascii_only else "┬"
        start = min(max(column - len(text) // 2, 0), axes.width - len(text))
        if start >= free_from:
            numbers[start : start + len(text)] = text
            free_from = start + len(text) + 1
    corner = "" if axes.gutter < 0 else "+" if frame.ascii_only else "└"
    indent = " " * max(axes.gutter, 0)
    line = [Segment(f"{indent}{corner}", frame.style("axis")), *_titled(frame, "".join(rule))]
    below = f"{indent}{' ' * len(corner)}{''.join(numbers)}"
    return [Strip(line, frame.width), Strip([Segment(below, frame.style("text"))], frame.width)]


def _titled(frame: Frame, rule: str) -> list[Segment]:
    """Write the unit of x into the axis line, as far right as it covers no tick."""
    title = f" {frame.x_label} "
    line = frame.style("axis")
    plain = rule[:1].replace("┬", "─").replace("+", "-") * len(title)
    start = rule.rfind(plain)
    if not frame.x_label or start <= 0:
        return [Segment(rule, line)]
    return [
        Segment(rule[:start], line),
        Segment(title, frame.style("muted")),
        Segment(rule[start + len(title) :], line),
    ]
