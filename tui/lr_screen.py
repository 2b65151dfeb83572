"""The learning-rate finder on the screen: loss against rate as it grows, then the rate that it suggests."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from trainer.problems import Problem, ProblemsError
from trainer.text import clean
from tui.chart_frame import Mark, Series
from tui.chart_widget import Chart
from tui.sparing import Sparing
from tui.wording import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.config import Config
    from trainer.lr_finder import Found, Progress

_CEILING = 2.0
"""Losses above the first by more than so many times the fall are drawn there: one that explodes would flatten all.

Where it falls nowhere, the first loss itself stands for the fall."""

_MARK = "◆"


class LearningRateFinder(Sparing, ModalScreen[float | None]):
    """Tries a range of rates and gives back the one to take, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "take",
            "Take it",
            id="rates.take",
            tooltip="Put the suggested rate into the form; before there is one, suggest from the updates made so far",
        ),
        Binding(
            "escape,ctrl+l,l", "dismiss(None)", "Close", id="rates.close", tooltip="Close and leave the form as it is"
        ),
    ]

    chart = getters.query_one(Chart)
    words = getters.query_one("#rates-words", Static)
    hint = getters.query_one("#rates-hint", Static)

    @dataclass
    class Went(Message):
        """The search got further; a newer one says it all."""

        words: str
        progress: Progress | None = None

        def can_replace(self, message: Message) -> bool:
            """Let the queue keep the newest only."""
            return isinstance(message, LearningRateFinder.Went)

    @dataclass
    class Ended(Message):
        """The search is over."""

        found: Found | None
        problems: Sequence[Problem] = ()

    def __init__(self, config: Config, base: Path | None) -> None:
        """Make the dialog.

        Args:
            config: what to try rates with.
            base: folder that its relative paths start from.
        """
        super().__init__(classes="dialog")
        self._config, self._base = config, base
        self._cancelled, self._enough = threading.Event(), threading.Event()
        self._may_end = False
        self._suggestion: float | None = None

    def compose(self) -> ComposeResult:
        """Lay out the chart over words and keys."""
        with Vertical(classes="box -tall -wide"):
            yield Label("Learning-rate finder: training loss against the rate", markup=False)
            yield Chart()
            yield Static(id="rates-words", markup=False)
            yield Static("escape closes", id="rates-hint", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Begin at once."""
        self._say("reading the data")
        self._search()

    def on_unmount(self) -> None:
        """Leave the device to others."""
        self._cancelled.set()

    def action_take(self) -> None:
        """Give the suggestion back; before there is one, have the search end with what it has, if that is enough."""
        if self._suggestion is not None:
            self.dismiss(self._suggestion)
        elif self._may_end:
            self._enough.set()
            self.hint.update("the search ends after the updates under way   escape closes")

    @work(thread=True, exit_on_error=False)
    def _search(self) -> None:
        try:
            self.post_message(self.Ended(self._find()))
        except ProblemsError as error:
            self.post_message(self.Ended(None, error.problems))
        except Exception as error:  # noqa: BLE001 whatever fails here must become a line in the dialog
            self.post_message(self.Ended(None, (Problem(f"the rates could not be tried: {error}"),)))

    def _find(self) -> Found | None:
        """Return what was found, or None if nobody waits for it any more. Runs in the worker's thread."""
        from tui.training_host import load

        load()
        from trainer.lr_finder import COUNT, UPDATES, Cancelled, find
        from trainer.preparation import prepare

        prepared = prepare(self._config, self._base)
        self.post_message(self.Went(f"compiling {COUNT} copies of the network into one program"))

        def tell(progress: Progress) -> None:
            words = f"{COUNT} copies train side by side: update {progress.updates} of {UPDATES}"
            left = "" if progress.seconds_left is None else f", {duration(progress.seconds_left)} left"
            self.post_message(self.Went(words + left, progress))

        try:
            return find(
                prepared, count=COUNT, updates=UPDATES, cancelled=self._cancelled, enough=self._enough, tell=tell
            )
        except Cancelled:
            return None

    @on(Went)
    def _tell(self, event: Went) -> None:
        event.stop()
        progress = event.progress
        if progress is None or not progress.updates:
            self._say(event.words)
            return
        self._draw(progress.rates, progress.losses)
        self.words.update(event.words)
        self._may_end = progress.updates >= progress.least
        if self._enough.is_set():
            return
        enter = (
            "ends the search with what there is" if self._may_end else f"ends it early from update {progress.least} on"
        )
        self.hint.update(f"enter {enter}   escape closes")

    @on(Ended)
    def _show(self, event: Ended) -> None:
        event.stop()
        self._may_end = False
        self.hint.update("escape closes")
        if event.problems:
            self._say("no rate was tried")
            self.words.update("\n".join(f"! {clean(str(problem))}" for problem in event.problems))
        elif event.found is not None:
            self._show_found(event.found)

    def _show_found(self, found: Found) -> None:
        self._suggestion = found.suggestion
        marks = [Mark(found.suggestion, _MARK, "metric")] if found.suggestion else []
        self._draw(found.rates, found.losses, marks)
        self.words.update(verdict(found))
        if found.suggestion:
            self.hint.update(f"enter puts {found.suggestion:g} into the form   escape leaves the form alone")

    def _draw(self, rates: NDArray[np.float64], losses: NDArray[np.float64], marks: Sequence[Mark] = ()) -> None:
        drawn = curve(losses)
        self.chart.show(
            [Series("loss", rates, drawn, role="train")],
            marks,
            x_label="rate",
            log_x=True,
            log_y=not bool((drawn <= 0).any()),  # a likelihood has any sign
            legend=False,
        )

    def _say(self, words: str) -> None:
        """Tell in the middle of the chart what is going on."""
        self.chart.show([], empty=words)


def curve(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the losses to draw, shape [rates]: none above the ceiling; NaN where it was no number."""
    return np.where(np.isfinite(losses), np.minimum(losses, _ceiling(losses)), np.nan)


def verdict(found: Found) -> str:
    """Return suggestion and reason in words, and how the picture is to be read."""
    said = f"{_MARK} {found.suggestion:g}: {found.reason}" if found.suggestion else f"No suggestion: {found.reason}"
    finite = found.losses[np.isfinite(found.losses)]
    if finite.size < found.losses.size:
        said += " Where the curve is missing, the loss was no number."
    if finite.size and finite.max() > (ceiling := _ceiling(found.losses)):
        said += f" Losses above {ceiling:.3g} are drawn there."
    return said


def _ceiling(losses: NDArray[np.float64]) -> float:
    from trainer.lr_finder import LEAST_FALL, start_and_fall

    start, fall = start_and_fall(losses)
    return start + _CEILING * (fall if fall > LEAST_FALL * abs(start) else abs(start))
