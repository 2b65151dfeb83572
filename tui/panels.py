"""The live panels: each shows one side of a run, and does nothing when that side has not changed."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from rich.text import Text
from textual.content import Content
from textual.events import Resize
from textual.geometry import Size
from textual.reactive import Reactive
from textual.widgets import RichLog

from trainer.lazy import np
from trainer.text import clean
from tui.chart_frame import NO_EPOCH, WAITING, Mark, Series
from tui.chart_widget import Chart
from tui.lines import Lines
from tui.wording import QUIET, number

if TYPE_CHECKING:
    from trainer.callbacks import Progress
    from trainer.events import Event
    from trainer.run import Run
    from trainer.series import Series as Curve
    from tui.followed import Followed, Told

_VALIDATED = (("val_", "validation"), ("ema_val_", "average"))
"""What is drawn beside a metric of the training: prefix of its name, and role of its curve."""

_FAR_ENOUGH = 0.25
"""Share of the training from which on the axis shows all that is planned."""


@dataclass(frozen=True, slots=True)
class View:
    """How curves are shown: logarithmic or not, over which axis, which of the metrics (counted round)."""

    log_y: bool = False
    axis: str = "epochs"
    metric: int = 0


@runtime_checkable
class LivePanel(Protocol):
    """What shows one side of a run.

    Attributes:
        cells_painted: cells that were painted since it was made.
    """

    cells_painted: int

    def show_run(self, followed: Followed, view: View) -> None:
        """Show the run as far as its records were read."""


class Panel(Chart):
    """A chart of one run. `BORDER_TITLE` or `title`, and `curves`, say which."""

    def show_run(self, followed: Followed, view: View) -> None:
        """Show the run as far as its records were read."""
        run = followed.run
        # Setting a title repaints the whole panel, even if it is the same one. A metric may be named like markup.
        if (title := Content(self.title(run, view))).markup != self.border_title:
            self.border_title = title
        if (subtitle := self.subtitle(run, view)) != (self.border_subtitle or ""):
            self.border_subtitle = subtitle
        self.show(
            self.curves(run, view), marks(run, view), log_y=self.log_y(view), x_label=view.axis,
            x_end=_planned(run, view), empty=self.empty(run),
        )  # fmt: skip

    def title(self, run: Run, view: View) -> str:  # noqa: ARG002
        """Return the border's words, where they depend on the run."""
        return self.BORDER_TITLE

    def subtitle(self, run: Run, view: View) -> str:  # noqa: ARG002
        """Return the words at the border's foot, if there are any."""
        return ""

    def log_y(self, view: View) -> bool:
        """Return whether the y axis is logarithmic."""
        return view.log_y

    def empty(self, run: Run) -> str:
        """Return what to say while there is nothing to draw."""
        return NO_EPOCH if run.ended else WAITING

    def curves(self, run: Run, view: View) -> list[Series]:
        """Return what to draw."""
        raise NotImplementedError


class LossPanel(Panel):
    """Training and validation loss; what lies between them is the gap."""

    BORDER_TITLE = "loss"

    def curves(self, run: Run, view: View) -> list[Series]:  # noqa: D102
        return _pair(run, view, "loss")


class MetricPanel(Panel):
    """A metric beside the loss, the task's usual one first; a key goes on to the next where there are several."""

    BORDER_TITLE = "metric"

    def title(self, run: Run, view: View) -> str:  # noqa: D102
        return _metric(run, view) or self.BORDER_TITLE

    def subtitle(self, run: Run, view: View) -> str:  # noqa: D102
        count = len(_metrics(run))
        return f"{view.metric % count + 1}/{count} · t next" if count > 1 else ""

    def curves(self, run: Run, view: View) -> list[Series]:  # noqa: D102
        return _pair(run, view, _metric(run, view))


class RatePanel(Panel):
    """The learning rate used in each epoch."""

    BORDER_TITLE = "learning rate"

    def curves(self, run: Run, view: View) -> list[Series]:  # noqa: D102
        name, role = "learning_rate", "rate"
        curves = _banded(run, view, name, role) if run.replicas else _one(run.epochs.get(name), view, name, role)
        return [_as_steps(curve) for curve in curves]


class CallbackPanel(Lines):
    """Patience used of patience allowed, best so far, and the epoch at which each callback would act."""

    BORDER_TITLE = "callbacks"

    def show_run(self, followed: Followed, view: View) -> None:  # noqa: ARG002
        """Show where the callbacks of the run stand."""
        if (title := f"{self.BORDER_TITLE}{of_group(followed.run)}") != self.border_title:
            self.border_title = title
        ended = followed.run.ended
        lines = [line for progress in followed.progress() for line in _callback_lines(progress, ended=ended)]
        self.show_lines(lines or [Content.styled("none enabled", "dim")])


class EventLog(RichLog, can_focus=True):
    """What happened, a line each, with its reason."""

    BORDER_TITLE = "events"
    _MOST = 2000
    _FEW = 5
    """Lines below which there is room for what matters only."""

    virtual_size = Reactive(Size(0, 0), layout=False)  # else each line would have the whole screen laid out anew

    def __init__(self, **options: str) -> None:
        super().__init__(wrap=True, markup=False, max_lines=self._MOST, min_width=20, **options)  # type: ignore[arg-type]
        self._told: deque[tuple[Text, bool]] = deque(maxlen=self._MOST)
        self._laid_out: tuple[int, bool] | None = None

    def add(self, told: list[Told]) -> None:
        """Append the lines of those events that are told; of the replicas but the first only what matters."""
        from tui.happenings import GLYPHS, STYLES, happening, is_routine

        for replica, event in told:
            glyph, style = GLYPHS.get(type(event)), STYLES.get(type(event), "")
            if glyph is not None and not is_routine(event) and (replica <= 1 or style != "dim"):
                number = f"#{replica} " if replica else ""
                line = Text.assemble((f"{glyph} {number}", "bold"), (happening(event), style))
                self._told.append((line, style == "dim"))
                if self._laid_out:
                    self._write(line, is_minor=style == "dim")
        self.vertical_scrollbar.window_virtual_size = self.virtual_size.height

    def clear(self) -> Self:
        """Forget all lines."""
        self._told.clear()
        return super().clear()

    def on_resize(self, _: Resize) -> None:
        """Wrap the lines anew, each of which was wrapped where it was written, and show the last."""
        width, height = self.scrollable_content_region.size
        if width and (width, height < self._FEW) != self._laid_out:
            self._laid_out = width, height < self._FEW
            self.border_subtitle = "6 all" if height < self._FEW else ""
            super().clear()
            for line, is_minor in self._told:
                self._write(line, is_minor=is_minor, scroll_end=False)
            self.vertical_scrollbar.window_virtual_size = self.virtual_size.height
        self.scroll_end(animate=False)

    def _write(self, line: Text, *, is_minor: bool, scroll_end: bool | None = None) -> None:
        assert self._laid_out is not None
        width, has_few = self._laid_out
        if not (is_minor and has_few):
            self.write(line, width, scroll_end=scroll_end)


def of_group(run: Run) -> str:
    """Return of which group a run is the first, if it leads one, for what is of this one alone."""
    if not run.replicas:
        return ""
    kind = "folds" if run.config and run.config.data.folds else "replicas"
    return f" · the first of {len(run.replicas) + 1} {kind}"


def marks(run: Run, view: View) -> list[Mark]:
    """Return a mark for each event that changed the course of the training, where it happened."""
    if not run.happenings:
        return []
    from tui.happenings import GLYPHS, MARKED

    marked = (event for event in run.happenings if isinstance(event, MARKED))
    return [Mark(_place(event, run, view.axis), GLYPHS[type(event)]) for event in marked]


def _place(event: Event, run: Run, axis: str) -> float:
    if axis == "seconds":
        return event.elapsed
    return event.step if axis == "steps" else event.step / run.steps_per_epoch


def _metrics(run: Run) -> list[str]:
    """Return the metrics of a run beside the loss, without those of validation, whose names can be shown."""
    names = (name for name in {**run.epochs, **run.steps} if name not in ("loss", *QUIET) and name == clean(name))
    return [name for name in names if not name.startswith(tuple(prefix for prefix, _ in _VALIDATED))]


def _metric(run: Run, view: View) -> str:
    names = _metrics(run)
    return names[view.metric % len(names)] if names else ""


def _pair(run: Run, view: View, name: str) -> list[Series]:
    validated = [(f"{prefix}{name}", role) for prefix, role in _VALIDATED]
    if run.replicas:
        return [band for metric, role in ((name, "train"), *validated) for band in _banded(run, view, metric, role)]
    by_step, by_epoch = run.steps.get(name), run.epochs.get(name)
    fine = by_step if by_step is not None and len(by_step) > len(by_epoch or ()) else by_epoch
    further = (_one(run.epochs.get(metric), view, metric, role) for metric, role in validated)
    return [*_one(fine, view, name, "train"), *itertools.chain.from_iterable(further)]


def _one(curve: Curve | None, view: View, label: str, role: str) -> list[Series]:
    return [Series(label, curve.x(view.axis), curve.y, role=role)] if curve is not None else []


def _banded(run: Run, view: View, metric: str, role: str) -> list[Series]:
    """Return the mean of the replicas, with a band of one standard deviation to either side."""
    from trainer.replicas import band

    found = band(run, metric, view.axis)
    return [] if found is None else [Series(metric, found.x, found.mean, role, low=found.low, high=found.high)]


def _as_steps(curve: Series) -> Series:
    """Return the curve with every value held until the next: a rate jumps, it does not slide."""
    y, low, high = (None if held is None else np.repeat(held, 2)[:-1] for held in (curve.y, curve.low, curve.high))
    assert y is not None
    return Series(curve.label, np.repeat(curve.x, 2)[1:], y, role=curve.role, low=low, high=high)


def _planned(run: Run, view: View) -> float | None:
    """Return where the axis will end, so that it need not move; None early on, when the curve would be a speck."""
    epochs = run.status.epochs_planned
    if run.ended or view.axis == "seconds" or run.status.epochs < _FAR_ENOUGH * epochs:
        return None
    return epochs * (run.steps_per_epoch if view.axis == "steps" else 1)


def _callback_lines(progress: Progress, *, ended: bool) -> list[Content]:
    at = "" if progress.best_epoch is None else f" @{progress.best_epoch + 1}"
    best = "no best yet" if progress.best is None else f"best {number(progress.best)}{at}"
    patience = "" if progress.patience is None else _patience(progress.wait, progress.patience)
    act = ""
    if not ended and progress.acts_at_epoch is not None:
        act = f", would {progress.action.split()[0]} @{progress.acts_at_epoch + 1}"
    return [
        Content.assemble((progress.name, "bold"), "  ", patience),
        Content.assemble("  ", (f"{clean(progress.monitor)} ", "dim"), best, (act, "dim")),
    ]


def _patience(wait: int, patience: int) -> Content:
    """Return the patience used as a row of small squares, at most ten."""
    width = min(max(patience, 1), 10)
    used = min(width, round(width * wait / max(patience, 1)))
    style = "bold $text-warning" if wait and wait * 2 >= patience else ""
    return Content.assemble(("▰" * used + "▱" * (width - used), style), f" {wait}/{patience}")
