"""The chart as a widget: theme colours in, changed rows out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from rich.style import Style
from textual.strip import Strip

from tui.chart_frame import N_RUN_ROLES, WAITING, Frame, Mark, Series, notice
from tui.repaint import Painted

_PREFIX = "chart--"
_ROLES = (
    *("axis", "grid", "text", "muted", "mark"),
    *("train", "validation", "average", "rate", "metric"),
    *(f"run-{index}" for index in range(N_RUN_ROLES)),
)


class Chart(Painted):
    """Curves over epochs or steps, redrawn only when `show` brings something new, and only in the cells that changed.

    `Series.role` and `Mark.role` name a component class below without its prefix. Hidden charts draw when next shown.
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

    def __init__(self, *, ascii_only: bool = False, **options: Any) -> None:
        """Make an empty chart, perhaps of ASCII characters only; all else as in Widget."""
        super().__init__(**options)
        self._ascii_only = ascii_only
        self._frame = Frame((), 0, 0)
        self._styles: dict[str, Style] = {}
        self._seen = False

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
        self.redraw()

    def notify_style_update(self) -> None:
        """Draw again in the colours of a changed theme."""
        self._styles.clear()
        super().notify_style_update()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.redraw()

    def on_show(self) -> None:
        """Draw what came in while the chart could not be seen."""
        self._seen = True
        self.redraw()

    def on_hide(self) -> None:
        """Stop drawing until shown again."""
        self._seen = False

    def redraw(self) -> None:
        """Draw, if the chart can be seen."""
        if not self._seen:
            return
        if not self._styles:
            self._styles = {role: self._style(role) for role in _ROLES}
        width, height = self.size
        background = Style(bgcolor=self.rich_style.bgcolor)
        picture = _picture(replace(self._frame, width=width, height=height, styles=self._styles))
        self.paint([strip.apply_style(background) for strip in picture])

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
