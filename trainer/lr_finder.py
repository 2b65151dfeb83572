"""Learning-rate finder: a population over a range of rates, each from the same weights, and what their losses say.

Smith's range test (2017) raises one run's rate step by step, so that each loss also depends on the rates before. Runs
are cheap here when they train together: each rate has its own.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer import horizons, memory, program
from trainer.advance import read_report
from trainer.call_size import most_updates, updates_with_room
from trainer.feed import feed_of
from trainer.live_numbers import LiveNumbers
from trainer.preparation import Prepared, misfits
from trainer.problems import ConfigError, RunError
from trainer.schema import RATE
from trainer.shape import shape_of

COUNT: Final = 48
"""Rates that are tried where nothing else is asked for."""

UPDATES: Final = 200
"""Updates at each rate where nothing else is asked for."""

_MEASURED = 0.25
"""Share of the updates, the last ones, whose mean loss counts."""

_ENOUGH = 0.05
"""The suggestion's loss may miss this share of the greatest fall: smaller steps pay later in a training."""

_LEAST_UPDATES = 0.25
"""Share of the updates after which the search may end early: a loss that has hardly moved says nothing of its rate."""

_TIMED = 3
"""Updates after which their time says how long the others take."""

LEAST_FALL = 0.01
"""Share of itself that the loss must fall by at some rate, else no rate is suggested."""


class Cancelled(Exception):  # noqa: N818 no error: somebody asked for it
    """The finder was told to end before it had an answer."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the finder saw.

    Attributes:
        rates: learning rates tried, ascending; shape [rates].
        losses: training loss of each at the end, not finite where it diverged; shape [rates].
        updates: updates that each made.
        suggestion: the rate to try, or None.
        reason: why, in one line.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    updates: int
    suggestion: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the finder is.

    Attributes:
        updates: made at each rate so far.
        rates: learning rates that are tried, ascending; shape [rates].
        losses: mean training loss over the last of those updates, not a number before the first; shape [rates].
        seconds_left: as they have gone so far, or None before a few are timed.
        least: updates from which on it may end early, judged by these losses.
    """

    updates: int
    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    seconds_left: float | None
    least: int


def find(
    prepared: Prepared,
    lowest: float = 1e-6,
    highest: float = 10.0,
    count: int = COUNT,
    updates: int = UPDATES,
    *,
    cancelled: threading.Event | None = None,
    enough: threading.Event | None = None,
    tell: Callable[[Progress], None] = lambda _: None,
) -> Found:
    """Train a copy of the network at each rate for some updates and suggest one.

    Nothing is recorded or saved. The schedule is left out, since it would change the rates.

    Args:
        prepared: config and data.
        lowest: first rate of the range, above 0.
        highest: last rate of the range, above `lowest`.
        count: number of rates, evenly spread over the logarithm, at least 2.
        updates: of each, at least 4.
        cancelled: set by another thread to have it end when the device is next free.
        enough: set by another thread to have it judge by what it has, once that is enough.
        tell: called when all is compiled, then after each call of the device but the last.

    Raises:
        ValueError: an argument is out of its bounds.
        ConfigError: so many networks do not fit into memory, or the config wants more devices than there are.
        Cancelled: it was.
        RunError: it does not fit into the device's memory.
    """
    if not 0 < lowest < highest or count < 2 or updates < 4:
        raise ValueError(f"lr range must ascend above 0, got {lowest} to {highest} in {count}, {updates} updates.")
    if problems := [*misfits(prepared.config, prepared.splits.summary, count)]:
        raise ConfigError(problems)
    rates = np.array([float(f"{rate:.3g}") for rate in np.geomspace(lowest, highest, count)])
    try:
        asked = _Asked(updates, cancelled or threading.Event(), enough or threading.Event(), tell)
        done, losses = _losses(prepared, rates, asked)
    except Exception as error:
        if not memory.has_run_out(error):
            raise
        raise _shortage(prepared, rates) from error
    suggestion, reason = judged(rates, losses, done)
    return Found(rates, losses, done, suggestion, reason)


def judged(rates: NDArray[np.float64], losses: NDArray[np.float64], updates: int) -> tuple[float | None, str]:
    """Return the rate to try and why: the smallest whose loss falls nearly as far as any.

    Args:
        rates: ascending; shape [rates].
        losses: loss at the end of each, not finite where it diverged; shape [rates].
        updates: how many each made, for the words.
    """
    finite = np.isfinite(losses)
    if not finite.any():
        return None, "the loss is no number at any of these rates."
    start, fall = start_and_fall(losses)
    best = int(np.nanargmin(np.where(finite, losses, np.nan)))
    if not fall > LEAST_FALL * abs(start):
        return None, f"no rate lowers the loss ({start:.4g}) in {updates} updates."
    good = finite & (losses <= losses[best] + _ENOUGH * fall)
    suggestion = float(rates[int(np.argmax(good))])
    reason = (
        f"after {updates} updates the loss is lowest, {losses[best]:.4g}, at {rates[best]:.3g}; {suggestion:.3g} is "
        f"the smallest rate that comes within {_ENOUGH:.0%} of that fall"
    )
    worse = rates[best + 1 :][~(losses[best + 1 :] < start)]
    return suggestion, f"{reason}, and from {worse[0]:.3g} on training makes it worse." if len(worse) else f"{reason}."


def start_and_fall(losses: NDArray[np.float64]) -> tuple[float, float]:
    """Return the loss at the lowest rate at which it is a number, and how far it is below at the best; NaN if at none.

    Args:
        losses: of ascending rates, of any sign; shape [rates].
    """
    finite = losses[np.isfinite(losses)]
    return (float(finite[0]), float(finite[0] - finite.min())) if finite.size else (math.nan, math.nan)


class _Asked(NamedTuple):
    """What `find` was asked for, as it names it."""

    updates: int
    cancelled: threading.Event
    enough: threading.Event
    tell: Callable[[Progress], None]


def _losses(prepared: Prepared, rates: NDArray[np.float64], asked: _Asked) -> tuple[int, NDArray[np.float64]]:
    """Return how many updates were made, and the mean loss of the last of them at each rate."""
    copies = _Copies(prepared, rates)
    try:
        return _measured(copies, rates, asked)
    finally:
        copies.close()


def _measured(copies: "_Copies", rates: NDArray[np.float64], asked: _Asked) -> tuple[int, NDArray[np.float64]]:
    last, began, done = _Last(len(rates)), time.monotonic(), 0
    least, first = math.ceil(_LEAST_UPDATES * asked.updates), asked.updates - _n_measured(asked.updates)
    while done < asked.updates:
        left = (time.monotonic() - began) / done * (asked.updates - done) if done >= _TIMED else None
        asked.tell(Progress(done, rates, last.mean, left, least))
        if asked.cancelled.is_set():
            raise Cancelled
        if done >= least and asked.enough.is_set():
            break
        # A call ends where the updates that count begin: they are not mixed with those before.
        count, losses = copies.advance((first if done < first else asked.updates) - done)
        done += count
        last.add(count, losses, _n_measured(done))
    return done, last.mean


def _n_measured(updates: int) -> int:
    """Return how many of so many updates count, the last ones."""
    return max(1, int(updates * _MEASURED))


class _Last:
    """Losses of the last calls, as few as hold the updates that count.

    Attributes:
        mean: of each rate's losses, shape [rates].
    """

    def __init__(self, n_rates: int) -> None:
        self._calls: deque[tuple[int, NDArray[np.float64]]] = deque()
        self._updates = 0
        self.mean = np.full(n_rates, np.nan)

    def add(self, count: int, losses: NDArray[np.float64], wanted: int) -> None:
        """Take the sums of a call's losses, of so many updates, and let go of calls before the last `wanted` ones."""
        self._calls.append((count, losses))
        self._updates += count
        while self._updates - self._calls[0][0] >= wanted:
            self._updates -= self._calls.popleft()[0]
        self.mean = np.sum([losses for _, losses in self._calls], axis=0) / self._updates


def _plain(prepared: Prepared) -> Prepared:
    """Return what the copies train: nobody looks into their layers."""
    changes = {"schedule.kind": "constant", "training.diagnostics": False}
    return Prepared(prepared.config.changed(changes), prepared.splits)


def _shortage(prepared: Prepared, rates: NDArray[np.float64]) -> RunError:
    shape = shape_of([_plain(prepared)] * len(rates))
    own = program.own(shape, [prepared])
    need = program.need(shape, program.examples(prepared.splits, own, shape.buffer), None)
    return memory.shortage(prepared.config.training.batch_size, shape.devices, need)


class _Copies:
    """Copies of a network that train side by side, each at a rate of its own."""

    def __init__(self, prepared: Prepared, rates: NDArray[np.float64]) -> None:
        plain = _plain(prepared)
        self._shape = shape_of([plain] * len(rates))
        self._feed = feed_of(plain.splits, self._shape, program.own(self._shape, [plain]))
        try:
            self._program, _ = program.compiled(self._shape, self._feed.data, None)
        except BaseException:
            self._feed.close()
            raise
        live = LiveNumbers(plain.config, plain.splits.summary)
        # Members that stay idle, where the devices do not divide the rates, come last.
        self._vectors = np.tile(live.vector, (self._shape.members, 1))
        self._vectors[: len(rates), live.names.index(RATE)] = rates
        seeds = np.full(self._shape.members, plain.config.training.seed, np.uint32)
        self._state: Any = self._program.init(seeds, self._vectors)
        self._told = horizons.unbound(self._shape.members)
        self._n_rates = len(rates)
        self._step = 0
        self._most = 1

    def close(self) -> None:
        """Let go of files and threads."""
        self._feed.close()

    def advance(self, wanted: int) -> tuple[int, NDArray[np.float64]]:
        """Make at most so many updates, as many as are right for a call; return how many, and the sum of each's losses.

        A loss that is no number makes the sum none.
        """
        room = updates_with_room(self._step, self._shape.steps_per_epoch)
        orders = np.zeros((self._shape.members, 2), np.int32)
        orders[: self._n_rates, 0] = min(wanted, self._most, room, self._feed.updates_left(self._step))
        data = self._feed.at(self._step)
        began = time.perf_counter()
        self._state, vectors = self._program.advance(self._state, self._vectors, data, orders, self._told)
        reports = [read_report(self._shape, vector) for vector in np.asarray(vectors)[: self._n_rates]]
        seconds = time.perf_counter() - began
        count, self._step = reports[0].step - self._step, reports[0].step
        self._most = most_updates(count, seconds)
        return count, np.array([report.spread[0, 0] for report in reports], np.float64)
