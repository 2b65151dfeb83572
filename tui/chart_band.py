"""The band about a curve: the cells between two edges, shaded where nothing else is drawn."""

import numpy as np
from numpy.typing import NDArray

from tui.chart_axes import Axes
from tui.chart_canvas import Cells
from tui.chart_frame import Series

_SHADE = "░"
_ASCII_SHADE = "."


def edges(series: Series, *, log_y: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the edges of the band in axis units, NaN where there is none; what is not positive has no logarithm."""
    assert series.low is not None
    assert series.high is not None
    if not log_y:
        return series.low, series.high
    low, high = (np.log10(np.where(edge > 0, edge, np.nan)) for edge in (series.low, series.high))
    return low, high


def lay_band(cells: Cells, series: Series, axes: Axes, owner: int, *, log_y: bool, ascii_only: bool) -> None:
    """Shade the empty cells that lie in the band; one whose lower edge is below the axis reaches down to it."""
    if len(series.x) < 2:
        return
    low, high = edges(series, log_y=log_y)
    low = np.where(np.isfinite(high) & ~np.isfinite(low), axes.y.low, low)
    height, width = cells.glyphs.shape
    x = axes.x.low + (np.arange(width) + 0.5) / width * (axes.x.high - axes.x.low)
    inside = (x >= series.x[0]) & (x <= series.x[-1])
    scale = height / (axes.y.high - axes.y.low)
    bottom, top = ((np.interp(x, series.x, edge) - axes.y.low) * scale for edge in (low, high))
    middle = np.arange(height)[::-1, None] + 0.5
    shaded = (middle >= bottom) & (middle <= top) & inside & (cells.glyphs == ord(" "))
    cells.glyphs[shaded] = ord(_ASCII_SHADE if ascii_only else _SHADE)
    cells.owners[shaded] = owner
