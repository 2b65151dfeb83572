"""The status line: state, epoch and step, progress and time left, speed, device, what compiling cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from trainer.text import clean, clipped
from tui.lines import Lines
from tui.wording import STATE_GLYPHS, best_words, count, duration, mean_and_std, unsaved

if TYPE_CHECKING:
    from trainer.events import Unsaved
    from trainer.run import Run

_STYLES = {
    **dict.fromkeys(("running", "finished"), "bold $text-success"),
    **dict.fromkeys(("diverged", "failed", "crashed"), "bold $text-error"),
    "paused": "bold $text-warning",
}


class StatusLine(Lines):
    """Two lines about the run on the panels."""

    _last: tuple[Run | None, str, Unsaved | None] = (None, "", None)
    _since: float | None = None

    def on_mount(self) -> None:
        """Count the seconds of a wait; where there is none, rest."""
        self._clock = self.set_interval(1.0, lambda: self.show(*self._last), pause=True)

    def show(self, run: Run | None, waiting: str = "", trouble: Unsaved | None = None) -> None:
        """Show the run; without one, what to do first. Repaints only if the words differ.

        Args:
            run: the run, or None.
            waiting: what is going on before there is a first record, such as loading JAX; shown with its seconds.
            trouble: what the run's directory cannot tell, since the disk refuses it.
        """
        before, words, _ = self._last
        self._last = (run, waiting, trouble)
        if run is None and waiting:  # else somebody else has it shown now and then
            self._clock.resume()
        else:
            self._clock.pause()
        if not (waiting if run is None else _is_prepared(run)):
            self._since = None
        elif self._since is None or (run is None and (before is not None or waiting != words)):
            self._since = run.status.created if run is not None else time.time()
        told = waiting if self._since is None else _waiting_words(waiting, self._since)
        self.show_lines(status_lines(run, told, trouble, self.size.width))

    def on_resize(self) -> None:
        """Fit the bar to the width."""
        super().on_resize()
        self.show(*self._last)


def status_lines(run: Run | None, waiting: str, trouble: Unsaved | None, width: int) -> list[Content]:
    """Return the two lines; arguments as for `show`, and the cells that there are."""
    if run is None:
        return [_idle(waiting), Content("")]
    told = {one.what: one for one in (*run.unsaved, *([trouble] if trouble else ()))}
    if run.damage:
        return [_progress(run, width), Content.styled(clean(run.damage), "bold $text-error")]
    return [_progress(run, width), _banner(run, list(told.values())) if told else _facts(run, waiting)]


def _is_prepared(run: Run) -> bool:
    """Return whether somebody reads its data and compiles it at this moment."""
    return not run.status.device and run.is_live


def _waiting_words(waiting: str, since: float) -> str:
    return f"{waiting or 'preparing'} · {duration(max(0, int(time.time() - since)))}"


def _idle(waiting: str) -> Content:
    return Content.styled(waiting or "no run yet: ctrl+r trains what the form says", "dim")


def _progress(run: Run, width: int) -> Content:
    from trainer.replicas import ended, members, shown_state

    runs = members(run)
    status = max((other.status for other in runs), key=lambda one: one.steps)
    state = shown_state(run, [other.status.state for other in runs]) if ended(run) else shown_state(run)
    total = max(1, status.epochs_planned)
    line = Content.assemble(
        (f"{STATE_GLYPHS[state]} {state} ", _STYLES.get(state, "bold")),
        (clipped(run.name, 24), "bold"),
        f"  epoch {status.epochs}/{total}  step {status.steps}  ",
    )
    share = min(1.0, status.steps / (total * run.steps_per_epoch))
    left = _time_left(run, share)
    room = width - line.cell_length - len(left) - 6
    return Content.assemble(line, _bar(share, min(room, 40)), f" {share:4.0%}{left}") if room >= 6 else line


def _banner(run: Run, told: Sequence[Unsaved]) -> Content:
    from trainer.status import LIVE

    return Content.styled(f"! {unsaved(told, goes_on=run.shown_state in LIVE)}", "bold $text-error")


def _facts(run: Run, waiting: str) -> Content:
    status = run.status
    parts = [waiting] if waiting and not status.device and not run.ended else []
    if status.device:
        stall = [] if status.input_stall is None else [f"input stall {status.input_stall:.0%}"]
        speed = [f"{count(found)} examples/s"] if (found := _speed(run)) else []
        parts += [*speed, *stall, status.device]
    if run.replicas:
        parts += _together(run)
    elif status.best:
        parts.append(f"best {best_words(status.best)}")
    if (gap := _gap(run)) is not None:
        parts.append(f"gap {gap:+.3g}")
    if status.resumed:
        parts.append(f"resumed, {status.resumed}")
    if status.parent:
        parts.append(f"fork of {clean(status.parent.words)}")
    if status.seconds:
        parts.append(f"trained {duration(status.seconds)}")
    if status.compile_seconds:
        parts.append(f"compiled in {duration(status.compile_seconds)}")
    return Content.styled(clean(" · ".join(parts)), "dim")


def _speed(run: Run) -> float:
    """Return the examples a second of the last epoch; within the first one those so far, 0 before there are any."""
    status = run.status
    if status.epochs or not status.seconds or run.config is None:
        return status.examples_per_second
    return status.steps * run.config.training.batch_size / status.seconds


def _together(run: Run) -> list[str]:
    from trainer.replicas import best

    found = best(run)
    return [] if found is None else [f"best {found[0]} {mean_and_std(found[1])}"]


def _gap(run: Run) -> float | None:
    """Return how far the validation loss lies above the loss, in the mean of a group."""
    from trainer.replicas import members, spread

    tables = (other.status.metrics for other in members(run))
    found = spread(table["val_loss"] - table["loss"] for table in tables if {"loss", "val_loss"} <= table.keys())
    return None if found is None else found.mean


def _time_left(run: Run, share: float) -> str:
    if run.ended or not 0 < share < 1:
        return ""
    return f" {duration(run.status.seconds * (1 - share) / share)} left"


def _bar(share: float, width: int) -> Content:
    done = round(share * width)
    return Content.assemble(("━" * done, "$text-success"), ("─" * (width - done), "dim"))
