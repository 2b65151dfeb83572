"""The chart as a widget: theme colours in, changed rows out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tui.chart_frame import N_RUN_ROLES, WAITING, Frame, Mark, Series, notice
from tui.repaint import changed_regions

_PREFIX = "chart--"
_ROLES = (
    *("axis", "grid", "text", "muted", "mark"),
    *("train", "validation", "average", "rate", "metric"),
    *(f"run-{index}" for index in range(N_RUN_ROLES)),
)


class Chart(Widget):
    """Curves over epochs or steps, redrawn only when `show` brings something new, and only in the cells that changed.

    `Series.role` and `Mark.role` name a component class below without its prefix. Hidden charts draw when next shown.

    Attributes:
        cells_painted: cells that were painted again since the chart was made, which is what a terminal is sent.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"{_PREFIX}{role}" for role in _ROLES}

    DEFAULT_CSS = """
    Chart {
        width: 1fr;
        height: 1fr;
        & > .chart--axis { color: $foreground 40%; }
        & > .chart--grid { color: $foreground 15%; }
        & > .chart--text { color: $foreground 70%; }
        & > .chart--muted { color: $foreground 50%; }
        & > .chart--mark { color: $foreground 60%; }
        & > .chart--train { color: $text-primary; }
        & > .chart--validation { color: $text-warning; }
        & > .chart--average { color: $text-success; }
        & > .chart--rate { color: $text-accent; }
        & > .chart--metric { color: $text-success; }
        & > .chart--run-0 { color: $text-primary; }
        & > .chart--run-1 { color: $text-warning; }
        & > .chart--run-2 { color: $text-success; }
        & > .chart--run-3 { color: $text-error; }
        & > .chart--run-4 { color: $foreground; }
        & > .chart--run-5 { color: $text-secondary; }
        & > .chart--run-6 { color: $text-primary 60%; }
        & > .chart--run-7 { color: $text-success 60%; }
    }
    """

    def __init__(
        self,
        *,
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
        disabled: bool = False,
    ) -> None:
        """Make an empty chart.

        Args:
            ascii_only: draw with ASCII characters only.
            name: as in Widget.
            id: as in Widget.
            classes: as in Widget.
            disabled: as in Widget.
        """
        super().__init__(name=name, id=id, classes=classes, disabled=disabled)
        self._ascii_only = ascii_only
        self._frame = Frame((), 0, 0)
        self._strips: list[Strip] = []
        self._styles: dict[str, Style] = {}
        self._seen = False
        self.cells_painted = 0

    def show(
        self,
        series: Sequence[Series],
        marks: Sequence[Mark] = (),
        *,
        log_y: bool = False,
        x_label: str = "epochs",
        x_end: float | None = None,
        empty: str = WAITING,
        log_x: bool = False,
        legend: bool = True,
    ) -> None:
        """Show new data; the arguments mean what they mean in `Frame`."""
        self._frame = Frame(
            tuple(series), 0, 0, tuple(marks), log_y, x_label, x_end, self._ascii_only, empty, log_x, legend
        )
        self._redraw()

    def render_line(self, y: int) -> Strip:
        """Return row `y` of the picture, blank outside it."""
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.rich_style)

    def notify_style_update(self) -> None:
        """Draw again in the colours of a changed theme."""
        super().notify_style_update()
        self._styles.clear()
        self.call_next(self._redraw)  # the component styles are set after this call

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._redraw()

    def on_show(self) -> None:
        """Draw what came in while the chart could not be seen."""
        self._seen = True
        self._redraw()

    def on_hide(self) -> None:
        """Stop drawing until shown again."""
        self._seen = False

    def _redraw(self) -> None:
        """Draw and refresh the rows that differ from what is on screen."""
        if not self._seen:
            return
        if not self._styles:
            self._styles = {role: self._style(role) for role in _ROLES}
        width, height = self.size
        background = Style(bgcolor=self.rich_style.bgcolor)
        picture = _picture(replace(self._frame, width=width, height=height, styles=self._styles))
        old, self._strips = self._strips, [strip.apply_style(background) for strip in picture]
        if regions := changed_regions(old, self._strips):
            self.cells_painted += sum(region.area for region in regions)
            self.refresh(*regions)

    def _style(self, role: str) -> Style:
        """Return the component style of `role` with its opacity mixed into the background, which segments cannot do."""
        styles = self.get_component_styles(f"{_PREFIX}{role}")
        color = self.background_colors[1] + styles.color
        return styles.text_style + Style(color=color.rich_color)


def _picture(frame: Frame) -> list[Strip]:
    """Draw; an empty chart needs no NumPy, which would hold up the first screen."""
    if not frame.series:
        return notice(frame, frame.empty, frame.height)
    from tui.chart import draw

    return draw(frame)
