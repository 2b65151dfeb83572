"""A run: what its records add up to, live or past, in this process or another. Reading only.

`Run.apply` folds one record. The trainer folds its own records in the same way and writes the sum to `run.json`, so
that lists of runs need not read every log. Beside that sum `run.json` holds what was known at the start, the name say.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, assert_never

from trainer.callbacks import Direction, is_better
from trainer.config import Config
from trainer.events import (
    CheckpointSaved,
    Commanded,
    Compiled,
    Diverged,
    EarlyStopped,
    Epoch,
    Event,
    Finished,
    HyperparameterSet,
    Insight,
    Layers,
    LearningRateReduced,
    Paused,
    Reopened,
    Replayed,
    Resumed,
    SavedAgain,
    Started,
    Steps,
    Tested,
    Unsaved,
    Warned,
    WeightsRestored,
)
from trainer.judging import judge
from trainer.lazy import np
from trainer.liveness import is_alive
from trainer.series import Curves
from trainer.status import ENDS, LIVE, Best, Shown, Status
from trainer.text import clean

_Key = TypeVar("_Key", bound=Hashable)


@dataclass
class Run:
    """One run, as far as its records have been read.

    Attributes:
        directory: its folder.
        config: what it was started with, or None where that cannot be read.
        status: the sum of its records.
        epochs: a series for each metric of the `epoch` records.
        steps: a series for each metric of the `steps` records (the means).
        insides: a series for each number of the `layers` records, by layer and name.
        inside: the newest of those records, or None.
        happenings: the records that are no plain measurement, in order.
        steps_per_epoch: updates an epoch.
        damage: why it cannot be shown, or "".
        replicas: the others of its group, if it leads one and they were read too.
        lost: of a run that was trained here, what the disk refused to the end, and why; or "".
    """

    directory: Path
    config: Config | None = None
    status: Status = field(default_factory=Status)
    epochs: Curves[str] = field(default_factory=Curves)
    steps: Curves[str] = field(default_factory=Curves)
    insides: Curves[tuple[str, str]] = field(default_factory=Curves)
    inside: Layers | None = None
    happenings: list[Event] = field(default_factory=list)
    steps_per_epoch: int = 1
    damage: str = ""
    replicas: list[Run] = field(default_factory=list)
    lost: str = ""

    @property
    def id(self) -> str:
        """Return the name of its folder."""
        return self.directory.name

    @property
    def name(self) -> str:
        """Return what the person called it, safe to show; of a group with the number of its runs or of this one."""
        name = clean(self.status.name or (self.config.name if self.config else self.id))
        if self.replicas:
            return f"{name} ×{1 + len(self.replicas)}"
        return f"{name} #{self.status.replica}" if self.status.group else name

    @property
    def shown_state(self) -> Shown:
        """Return the state, knowing that a trainer which holds no lock cannot be at work."""
        if self.damage:
            return "damaged"
        if self.status.state in LIVE and not is_alive(self.directory):
            return "crashed"
        return self.status.state

    @property
    def ended(self) -> bool:
        """Return whether its last record was read."""
        return self.status.state not in LIVE

    @property
    def is_live(self) -> bool:
        """Return whether a trainer is at work on it, or waits."""
        return self.shown_state in LIVE

    @property
    def unsaved(self) -> list[Unsaved]:
        """Return what the disk refuses; whose last record can be read, all of its records were saved."""
        return [told for what, told in self.status.unsaved.items() if what != "records" or not self.ended]

    @property
    def judged_by(self) -> str:
        """Return the metric that its best epoch goes by."""
        return judge(self.config, self.status.metrics)[0]

    def metrics_at(self, epoch: int) -> dict[str, float]:
        """Return the metrics of an epoch; none if it was not recorded."""
        found = {}
        for name, series in self.epochs.items():
            places = np.flatnonzero(np.round(series.x("epochs")) == epoch + 1)
            if len(places):
                found[name] = float(series.y[places[-1]])
        return found

    def apply(self, event: Event) -> None:
        """Add one record."""
        status = self.status
        status.seconds = event.elapsed
        status.steps = max(status.steps, event.step)
        match event:
            case Steps():
                status.input_stall = event.input_stall
                self._add(self.steps, event, {name: spread.mean for name, spread in event.metrics.items()})
                return
            case Epoch():
                self._add_epoch(event)
                return
            case Layers():
                self._add_inside(event)
                return
            case Commanded() | CheckpointSaved(reason="time"):
                return
            case Replayed(differs_from=int(epoch)):
                self._rewind(epoch)
            case Reopened():
                status.state = "starting"
                return
            case Started():
                self._begin(event)
            case Compiled():
                status.compile_seconds += event.seconds
                if status.state == "starting":
                    status.state = "compiling"
            case Paused():
                status.state = "paused"
            case Resumed():
                status.state = "running"
            case HyperparameterSet(key="training.epochs", to=int(epochs)):
                status.epochs_planned = epochs
            case HyperparameterSet():
                pass
            case Tested():
                status.test = dict(event.metrics)
            case Unsaved():
                status.unsaved = {**status.unsaved, event.what: event}
            case SavedAgain():
                status.unsaved = {what: told for what, told in status.unsaved.items() if what != event.what}
            case Finished():
                status.state, status.reason, status.message = ENDS[event.reason], event.reason, event.message
            case (
                LearningRateReduced() | EarlyStopped() | CheckpointSaved() | WeightsRestored()
                | Diverged() | Insight() | Warned() | Replayed()
            ):  # fmt: skip
                pass
            case _:
                assert_never(event)
        self.happenings.append(event)

    def apply_all(self, events: Iterable[Event]) -> None:
        """Add records in order."""
        for event in events:
            self.apply(event)

    def _begin(self, event: Started) -> None:
        status = self.status
        status.state, status.device, status.n_parameters = "running", event.device, event.n_parameters
        self.steps_per_epoch = event.steps_per_epoch
        if event.resumed_from is not None:
            if status.reason:  # it was over, and trains on
                status.reason, status.message, status.test = "", "", {}
            is_exact = not event.differences and status.resumed != "compatible"
            status.resumed = "exact" if is_exact else "compatible"

    def _rewind(self, epoch: int) -> None:
        """Forget the epochs from this one on: they came out otherwise when they were computed again."""
        self.epochs.cut(epoch)
        self.steps.cut(epoch)
        self.insides.cut(epoch)
        status = self.status
        status.resumed, status.best, status.test = "compatible", None, {}
        status.epochs, status.steps = epoch, epoch * self.steps_per_epoch
        status.metrics = {name: series.last for name, series in self.epochs.items() if len(series)}
        metric, direction = judge(self.config, status.metrics)
        if metric in status.metrics:
            for done, value in zip(self.epochs[metric].x("epochs"), self.epochs[metric].y, strict=True):
                self._judge(metric, direction, float(value), round(done) - 1)

    def _add_epoch(self, event: Epoch) -> None:
        self._add(self.epochs, event, event.metrics)
        status = self.status
        status.epochs, status.metrics = event.epoch + 1, dict(event.metrics)
        status.examples_per_second = event.examples_per_second
        status.input_stall = event.input_stall
        metric, direction = judge(self.config, event.metrics)
        self._judge(metric, direction, event.metrics.get(metric, math.nan), event.epoch)

    def _judge(self, metric: str, direction: Direction, value: float, epoch: int) -> None:
        best = self.status.best
        if is_better(value, best.value if best and best.metric == metric else None, direction):
            self.status.best = Best(metric=metric, value=value, epoch=epoch)

    def _add_inside(self, event: Layers) -> None:
        self.inside = event
        numbers = {
            (layer, name): value
            for layer, about in event.layers.items()
            for name, value in about
            if isinstance(value, float)
        }
        self._add(self.insides, event, numbers)

    def _add(self, to: Curves[_Key], event: Event, metrics: Mapping[_Key, float]) -> None:
        to.add(event.step / self.steps_per_epoch, event.step, event.elapsed, metrics)
