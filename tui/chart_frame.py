"""What a chart shows: curves, events and how to draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PLAIN = Style.null()
"""The style of cells without one: Textual's filters want a style in every segment."""

N_RUN_ROLES = 8
"""Curves of runs side by side have the roles "run-0" to "run-7"."""

AXES = ("epochs", "steps", "seconds")
"""What a run may be drawn over: the names of the places of its series."""

WAITING = "waiting for the first epoch"
NO_EPOCH = "no epoch was completed"

_LINE_STYLES = ("solid", "dotted", *"●▲■◆○△□◇")
_ASCII_LINE_STYLES = "*o+x#@%&"
_PLACES = {"train": 0, "validation": 1, "average": 2, **{f"run-{place}": place for place in range(N_RUN_ROLES)}}


@dataclass(frozen=True, slots=True)
class Series:
    """One curve.

    Attributes:
        label: text for the legend, shown as it is.
        x: ascending and finite, shape (n,).
        y: shape (n,); NaN and infinities are gaps.
        role: key of the style in `Frame.styles`.
        low, high: lower and upper edge of a band about the curve, shape (n,), or None for no band.
        marker: "solid", "dotted", or one character set along a solid line; empty takes one by role, else by place.
    """

    label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    role: str = "metric"
    marker: str = ""
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.x.shape != self.y.shape:
            raise ValueError(f"x and y must have one shape, got {self.x.shape} and {self.y.shape}.")


@dataclass(frozen=True, slots=True)
class Mark:
    """An event at `x`: a thin vertical line with `glyph`, one cell wide, at its top."""

    x: float
    glyph: str
    role: str = "mark"

    def __post_init__(self) -> None:
        if cell_len(self.glyph) != 1:
            raise ValueError(f"a mark's glyph must be one cell wide, got {self.glyph!r}.")


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything a picture of a chart depends on.

    Attributes:
        series: drawn in order, later ones on top.
        width: in cells.
        height: in cells.
        marks: events; those outside the x range are left out.
        log_y: logarithmic y axis; values that are not positive are gaps.
        x_label: unit of x, shown at the end of the x axis.
        x_end: where the x axis ends if that is known, such as the planned epochs.
        ascii_only: draw with ASCII characters only.
        empty: what to say while there is nothing to draw.
        log_x: logarithmic x axis; points, marks and an end that are not positive are left out.
        legend: whether there is a line above that names the curves.
        styles: roles of series and marks, and "axis", "grid", "text", "muted"; what is missing is drawn plain.
    """

    series: Sequence[Series]
    width: int
    height: int
    marks: Sequence[Mark] = ()
    log_y: bool = False
    x_label: str = "epochs"
    x_end: float | None = None
    ascii_only: bool = False
    empty: str = WAITING
    log_x: bool = False
    legend: bool = True
    styles: Mapping[str, Style] = field(default_factory=dict)

    def style(self, role: str) -> Style:
        """Return the style of `role`, plain if it has none."""
        return self.styles.get(role, PLAIN)

    def line_style(self, index: int) -> str:
        """Return "solid", "dotted" or the character that tells curve `index` from the others without colour."""
        series = self.series[index]
        place = _PLACES.get(series.role, index)
        if self.ascii_only:
            own = len(series.marker) == 1 and series.marker.isascii()
            return series.marker if own else _ASCII_LINE_STYLES[place % len(_ASCII_LINE_STYLES)]
        return series.marker or _LINE_STYLES[place % len(_LINE_STYLES)]


def notice(frame: Frame, text: str, rows: int) -> list[Strip]:
    """Return rows with a line of text in their middle, in place of a picture."""
    lines = [Strip.blank(frame.width, PLAIN)] * rows
    if rows:
        left = " " * max((frame.width - len(text)) // 2, 0)
        line = Strip([Segment(left, PLAIN), Segment(text, frame.style("muted"))])
        lines[(rows - 1) // 2] = line.adjust_cell_length(frame.width, PLAIN)
    return lines


def next_axis(axis: str) -> str:
    """Return what comes after one of `AXES`, counted round."""
    return AXES[(AXES.index(axis) + 1) % len(AXES)]
