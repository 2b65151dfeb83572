"""A plane with axes on two sides, for pictures over two numbers; what lies inside is drawn by somebody else."""

from collections.abc import Sequence

from textual.strip import Strip

from tui.cell_grid import Palette
from tui.chart_axes import Axes, x_axis, y_axis_cell
from tui.chart_canvas import cell_of
from tui.chart_frame import Frame
from tui.chart_ticks import Range, tick_labels, ticks


def plane_axes(width: int, height: int, x: Range, y: Range) -> Axes:
    """Share out the cells between labels and plane."""
    rows = height - 2 if height >= 5 and width >= 12 else height
    y_values = ticks(y, 2 + rows // 4)
    y_ticks = list(zip(y_values, tick_labels(y_values), strict=True))
    gutter = max((len(text) for _, text in y_ticks), default=0)
    if width < gutter + 9:
        gutter = -1
    columns = width - gutter - 1
    x_values = ticks(x, max(columns // 10, 1))
    x_ticks = list(zip(x_values, tick_labels(x_values), strict=True))
    return Axes(x, y, x_ticks, y_ticks, columns, rows, gutter)


def with_axes(inside: Sequence[Strip], axes: Axes, width: int, height: int, palette: Palette) -> list[Strip]:
    """Return the plane's rows with the axes around them.

    Args:
        inside: `axes.height` rows, `axes.width` cells each.
        axes: from `plane_axes`.
        width: of all.
        height: of all.
        palette: colours of axes and labels.
    """
    muted = palette.style(palette.muted)
    styles = {"axis": palette.style(palette.tint(palette.text, 0.4)), "text": palette.style(), "muted": muted}
    frame = Frame((), width, height, x_label="", styles=styles)
    labels = {axes.height - 1 - cell_of(value, axes.y, axes.height): text for value, text in axes.y_ticks}
    rows = [
        Strip([*y_axis_cell(frame, labels.get(row), axes.gutter), *strip], width) for row, strip in enumerate(inside)
    ]
    below = x_axis(frame, axes) if axes.height < height else []
    return [*rows, *(strip.adjust_cell_length(width, muted) for strip in below)]
