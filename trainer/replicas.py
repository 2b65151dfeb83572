"""Replicas: runs of one config that differ in their seed alone, and what they say together.

The first one leads the group: it knows the others, and stands for all of them in lists and charts.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trainer.commands import Command, send
from trainer.lazy import np
from trainer.run import Run
from trainer.runs import lead_of
from trainer.status import LIVE, Shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BY_WEIGHT: tuple[Shown, ...] = (
    "running", "compiling", "starting", "paused", "failed", "crashed", "damaged", "diverged", "stopped", "finished",
)  # fmt: skip
"""Which state of one shows for all of them, the first of these."""


class Spread(NamedTuple):
    """Mean and standard deviation (of a sample; 0 for one value) of so many values."""

    mean: float
    std: float
    n: int


class Band(NamedTuple):
    """A metric of several runs over an axis: their mean, and one standard deviation to either side; shape [epochs]."""

    x: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def members(run: Run) -> list[Run]:
    """Return the run and, if it leads a group, the others."""
    return [run, *run.replicas]


def spread(values: Iterable[float | None]) -> Spread | None:
    """Return the mean and deviation of the finite values, or None if there are none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return None
    return Spread(statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else 0.0, len(known))


def best(run: Run) -> tuple[str, Spread] | None:
    """Return the metric that a group is judged by, with the best values of its runs."""
    if run.status.best is None:
        return None
    metric = run.status.best.metric
    bests = [other.status.best for other in members(run)]
    found = spread(it.value for it in bests if it is not None and it.metric == metric)
    return None if found is None else (metric, found)


def at_best(run: Run) -> dict[str, Spread]:
    """Return the metrics of all members of a group, each at its best epoch."""
    tables = [other.metrics_at(other.status.best.epoch) for other in members(run) if other.status.best]
    names = dict.fromkeys(name for table in tables for name in table)
    found = {name: spread(table.get(name) for table in tables) for name in names}
    return {name: it for name, it in found.items() if it is not None}


def shown_state(run: Run, states: Sequence[Shown] = ()) -> Shown:
    """Return what a group shows as: live as long as one of its runs is, and then the worst of their ends.

    Args:
        run: leads the group.
        states: what each of its members shows as, if that is known; otherwise their folders are asked.
    """
    found = states or [other.shown_state for other in members(run)]
    return min(found, key=_BY_WEIGHT.index)


def is_live(run: Run) -> bool:
    """Return whether a trainer is at work on one of them."""
    return shown_state(run) in LIVE


def ended(run: Run) -> bool:
    """Return whether the last record of each was read."""
    return all(other.ended for other in members(run))


def send_to_group(directory: Path, command: Command) -> None:
    """Send a command to a run, and to all of the group that it belongs to. Raises OSError."""
    send(lead_of(directory), command)


def band(run: Run, metric: str, axis: str) -> Band | None:
    """Return a metric of all members by epoch; those that ended sooner stay at their last value.

    Without them the mean would jump where one ends, and what is left of it would be that of the few that train longest.

    Args:
        run: leads the group.
        metric: one of the `epoch` records.
        axis: "epochs", "steps" or "seconds"; those of the member that got furthest.
    """
    found = [(other, series) for other in members(run) if (series := other.epochs.get(metric))]
    if not found:
        return None
    longest = max((series for _, series in found), key=len)
    values = np.full((len(found), len(longest)), np.nan)
    for row, (other, series) in zip(values, found, strict=True):
        row[: len(series)] = series.y
        if other.ended:
            row[len(series) :] = series.last
    values[~np.isfinite(values)] = np.nan
    counts = np.maximum(np.isfinite(values).sum(axis=0), 1)
    mean = np.where(np.isfinite(values).any(axis=0), np.nansum(values, axis=0) / counts, np.nan)
    variance = np.nansum((values - mean) ** 2, axis=0) / np.maximum(counts - 1, 1)
    return Band(longest.x(axis), mean, mean - np.sqrt(variance), mean + np.sqrt(variance))


def folded(runs: Sequence[Run]) -> list[Run]:
    """Return the runs without those that belong to a leader among them, which gets them as its replicas."""
    known = {run.id: run for run in runs}
    for run in runs:
        run.replicas = [known[name] for name in run.status.replicas if name in known]
    led = {other.id for run in runs for other in run.replicas}
    return [run for run in runs if run.id not in led]
