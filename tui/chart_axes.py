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
    first, last = min(float(x[0]) for x in xs), max(float(x[-1]) for x in xs)
    x_limits = x_range(first, last)
    if frame.x_end is not None and frame.x_end >= last and frame.x_end > first:
        x_limits = Range(x_range(first, frame.x_end).low, frame.x_end)
    height = rows - 2 if rows >= 5 and frame.width >= 12 else rows
    y_limits = (log_range if frame.log_y else y_range)(float(values.min()), float(values.max()))
    y_ticks = _y_ticks(y_limits, height, frame.log_y)
    gutter = max((len(text) for _, text in y_ticks), default=0)
    if frame.width < gutter + 9:
        gutter = -1
    width = frame.width - gutter - 1
    whole = all(bool((x == np.floor(x)).all()) for x in xs)
    x_values = ticks(x_limits, max(width // 10, 1), whole=whole)
    x_ticks = list(zip(x_values, tick_labels(x_values), strict=True))
    return Axes(x_limits, y_limits, x_ticks, y_ticks, width, height, gutter)


def _y_ticks(limits: Range, height: int, log_y: bool) -> list[tuple[float, str]]:
    """Return positions in axis units and texts: each decade has a text of its own, linear ticks share one form."""
    if log_y:
        return [(float(np.log10(value)), tick_labels([value])[0]) for value in log_ticks(limits, height // 2)]
    values = ticks(limits, 2 + height // 4)
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
