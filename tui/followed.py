"""A run that a screen follows: its records as they come, and where its callbacks stand."""

import contextlib
from pathlib import Path
from typing import Any, NamedTuple

from trainer import callbacks
from trainer.callbacks import EpochEnd, Progress
from trainer.commands import Extend
from trainer.events import Commanded, Epoch, Event, HyperparameterSet, LearningRateReduced, Replayed
from trainer.log import Tail
from trainer.problems import ConfigError
from trainer.replicas import members
from trainer.run import Run
from trainer.runs import open_run, peek, replica_paths
from trainer.schema import RATE, value_at
from tui.picture_source import PictureSource

_BYTES_AT_ONCE = 1 << 20


class Told(NamedTuple):
    """A record, and the number of the replica whose it is; 0 for a run alone."""

    replica: int
    event: Event


class Followed:
    """A run and the tail of its records; with it the others of its group, if it leads one.

    The callbacks are not asked of the trainer: they are played again from the records, as the trainer played them, so
    that a live run, one of another machine and one of last year are shown alike.

    Attributes:
        run: what the records add up to.
        tail: gives the records.
        others: the other runs of its group.
        pictures: the model at work, as it was last seen.
    """

    def __init__(self, run: Run, tail: Tail) -> None:
        self.run = run
        self.tail = tail
        self.others = [Followed.open(path) for path in replica_paths(run)]
        run.replicas = [other.run for other in self.others]
        self.pictures = PictureSource(run.directory)
        self._damage = run.damage
        self._callbacks = _built(run)
        self._rate = run.config.optimizer.learning_rate if run.config else 0.0
        callbacks.tell_learning_rate(self._callbacks, self._rate)

    @classmethod
    def open(cls, directory: Path) -> "Followed":
        """Follow a run from its first record."""
        return cls(*open_run(directory))

    @classmethod
    def read(cls, directory: Path) -> "Followed":
        """Follow a run from all that it has written by now."""
        followed = cls.open(directory)
        with contextlib.suppress(OSError):
            paths = (directory, *(other.run.directory for other in followed.others))
            longest = max((path / "events.jsonl").stat().st_size for path in paths)
            for _ in range(0, longest, _BYTES_AT_ONCE):
                followed.poll(_BYTES_AT_ONCE)
        return followed

    @property
    def happenings(self) -> list[Told]:
        """Return what happened until now that was no plain measurement, replicas in the order of time."""
        if not self.others:
            return [Told(0, event) for event in self.run.happenings]
        told = [Told(run.status.replica, event) for run in members(self.run) for event in run.happenings]
        return sorted(told, key=lambda one: one.event.time)

    def now(self) -> Run:
        """Return the run as it stands, without its records, which are read only while it is shown."""
        run = peek(self.run.directory)
        run.replicas = self.run.replicas
        return run

    def poll(self, limit: int) -> list[Told]:
        """Apply the records in the next `limit` bytes of the run and of its replicas; return all of them."""
        own = self.run.status.replica if self.others else 0
        told = [Told(own, event) for event in self._poll(limit)]
        for other in self.others:
            told += (Told(other.run.status.replica, event) for event in other._poll(limit))
        return told

    def _poll(self, limit: int) -> list[Event]:
        events = self.tail.read(limit)
        self.run.damage = self._damage or self.tail.problem
        for event in events:
            self.run.apply(event)
            self._replay(event)
        return events

    def value_of(self, key: str) -> Any:
        """Return the value that a hyperparameter has by now, by its dotted key; None if the config cannot be read."""
        if key == RATE:
            return self._rate
        changes = (it for it in reversed(self.run.happenings) if isinstance(it, HyperparameterSet) and it.key == key)
        if change := next(changes, None):
            return change.to
        return value_at(self.run.config, key) if self.run.config else None

    def progress(self) -> list[Progress]:
        """Return where each callback stands."""
        return [found for callback in self._callbacks if (found := callback.progress()) is not None]

    def _replay(self, event: Event) -> None:
        if isinstance(event, Epoch):
            callbacks.play(self._callbacks, EpochEnd(event.epoch, event.metrics, self._rate))
        elif isinstance(event, LearningRateReduced):
            self._rate = event.to
        elif isinstance(event, HyperparameterSet) and event.key == RATE and isinstance(event.to, int | float):
            self._rate = float(event.to)
            callbacks.tell_learning_rate(self._callbacks, self._rate)
        elif isinstance(event, Commanded) and any(isinstance(command, Extend) for command in event.commands):
            callbacks.renew(self._callbacks)
        elif isinstance(event, Replayed) and event.differs_from is not None:
            self._play_again()

    def _play_again(self) -> None:
        """Play the epochs that still hold, at the rate of now."""
        self._callbacks = _built(self.run)
        callbacks.tell_learning_rate(self._callbacks, self._rate)
        ends: dict[int, dict[str, float]] = {}
        for name, series in self.run.epochs.items():
            for done, value in zip(series.x("epochs"), series.y, strict=True):
                ends.setdefault(round(done) - 1, {})[name] = float(value)
        for epoch, metrics in sorted(ends.items()):
            callbacks.play(self._callbacks, EpochEnd(epoch, metrics, self._rate))


def _built(run: Run) -> tuple[callbacks.Callback, ...]:
    try:
        return callbacks.build(run.config.callbacks) if run.config else ()
    except ConfigError:
        return ()
