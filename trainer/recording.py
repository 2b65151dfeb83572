"""Recording: from what a call did to the lines of `events.jsonl`, thinned where a line an update would be too many."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from trainer import checkpoints, diagnosis
from trainer.callbacks import Action, EpochEnd, ReduceLearningRate, Save, Stop, TensorBoard, Warn
from trainer.config import values
from trainer.events import (
    CheckpointSaved,
    EarlyStopped,
    Epoch,
    Event,
    Layers,
    LearningRateReduced,
    Record,
    Spread,
    Steps,
    Warned,
)
from trainer.insights import Insights
from trainer.keeping import saved_record
from trainer.numbers import shortest
from trainer.preparation import Prepared
from trainer.run_directory import RunDirectory
from trainer.shape import Shape

_STEPS_INTERVAL: Final = 0.1
_STEPS_SHARE: Final = 5000
"""Seconds between two `steps` records: at least the first; in long runs a share of the time trained, so that the log
stays small."""


@dataclass(frozen=True, slots=True)
class EpochOutcome:
    """An epoch that ended.

    Attributes:
        end: its metrics.
        actions: what its callbacks said.
        elapsed: when it ended, in seconds trained.
        inside: what `diagnosis.read` reads, if it was looked into.
    """

    end: EpochEnd
    actions: tuple[Action, ...]
    elapsed: float
    inside: np.ndarray[Any, np.dtype[np.float32]] | None


class Recorder:
    """Writes what happened in a run: its records, and the event files of TensorBoard if they are wanted.

    What it is told while the device waits is written later, while the device is at work.
    """

    def __init__(self, prepared: Prepared, directory: RunDirectory, shape: Shape) -> None:
        config = prepared.config
        self._directory = directory
        self._shape = shape
        self._known_of_data = prepared.splits.warnings
        self._outcomes: list[EpochOutcome] = []
        self._notes: list[Record] = []
        self._insights = Insights(
            config, prepared.splits.train_labels, directory.past.first_epoch(shape.steps_per_epoch)
        )
        self._epoch_began = 0.0
        self._spreads: list[tuple[int, np.ndarray[Any, Any]]] = []
        self._steps_written = 0.0
        self._board: TensorBoard | None = None
        if config.callbacks.tensorboard.enabled:
            plain = {key: str(value) if isinstance(value, tuple) else value for key, value in values(config).items()}
            folder, past = directory.path / "tensorboard", directory.past
            self._board = TensorBoard(config.callbacks.tensorboard, folder, plain, past.step, goes_on=past.has_begun)

    def restore(self, events: Iterable[Event]) -> None:
        """Go on after these records, with all that was said before."""
        metrics: dict[str, float] | None = None
        for event in events:
            if isinstance(event, Epoch):
                self._heard(metrics)
                metrics, self._epoch_began = event.metrics, event.elapsed
            elif isinstance(event, Layers) and metrics is not None:
                self._heard(metrics, event)
                metrics = None
        self._heard(metrics)
        self._steps_written = self._directory.seconds

    def tell_of_before(self) -> None:
        """Record what is to be known of the data; of a run that goes on, what it found, and lacks a record."""
        directory, past = self._directory, self._directory.past
        of_data = self._known_of_data if past.started is None else ()
        for warning in (*of_data, *past.warnings):
            directory.record(Warned(message=warning))
        recorded = {event.path for event in past.events if isinstance(event, CheckpointSaved)}
        for manifest in reversed(past.good):
            record = saved_record(checkpoints.arrays_of(directory.path / "checkpoints", manifest), manifest)
            if record.path not in recorded:
                directory.record(record, epoch=record.epoch, step=record.step)

    def note(self, *records: Record) -> None:
        """Take note of what happens outside of epochs; a record that has an update of its own keeps it."""
        self._notes += records

    def note_epoch(self, outcome: EpochOutcome) -> None:
        """Take note of an epoch."""
        self._outcomes.append(outcome)

    def note_updates(self, count: int, spread: np.ndarray[Any, Any]) -> None:
        """Take note of the metrics of some updates: sum, min, max and last, shape [4, metrics]."""
        self._spreads.append((count, spread))

    def write_epochs(self) -> None:
        """Record the epochs, each followed by what its callbacks did."""
        directory = self._directory
        spe = self._shape.steps_per_epoch
        n_examples = min(self._shape.n_train, spe * self._shape.config.training.batch_size)
        for outcome in self._outcomes:
            epoch = outcome.end.epoch
            at = {"epoch": epoch, "step": (epoch + 1) * spe, "elapsed": round(outcome.elapsed, 6)}
            seconds = outcome.elapsed - self._epoch_began
            per_second = 1 / seconds if seconds > 0 else 0.0  # what is computed again takes no time
            metrics = dict(outcome.end.metrics)
            speed = round(n_examples * per_second, 1)
            epoch_record = Epoch(metrics=metrics, examples_per_second=speed, input_stall=self._input_stall)
            self._epoch_began = directory.record(epoch_record, **at).elapsed
            for event in self._records_of(outcome):
                directory.record(event, **at)
                if self._board and isinstance(event, Layers):
                    self._board.on_look_inside(epoch, event.layers)
            if self._board:
                self._board.on_epoch_end(outcome.end, spe * per_second)
                self._write_board(self._board.flush)
        self._outcomes.clear()

    def write_steps(self, *, at_end: bool = False) -> None:
        """Record the updates since the last such record, if it is time or the end."""
        elapsed = self._directory.seconds
        due = elapsed - self._steps_written >= max(_STEPS_INTERVAL, elapsed / _STEPS_SHARE)
        if not self._spreads or not (due or at_end):
            return
        count = sum(done for done, _ in self._spreads)
        stacked = np.stack([spread for _, spread in self._spreads])
        columns = (stacked[:, 0].sum(0) / count, stacked[:, 1].min(0), stacked[:, 2].max(0), stacked[-1, 3])
        metrics = {
            name: Spread(mean=shortest(mean), min=shortest(low), max=shortest(high), last=shortest(last))
            for name, mean, low, high, last in zip(self._shape.step_names, *columns, strict=True)
        }
        self._directory.record(Steps(metrics=metrics, input_stall=self._input_stall))
        if self._board:
            self._board.on_steps(self._directory.step, {name: spread.last for name, spread in metrics.items()})
            self._write_board(self._board.flush)
        self._spreads, self._steps_written = [], elapsed

    def write_notes(self) -> None:
        """Record what was noted."""
        for event in self._notes:
            at = {"epoch": event.epoch, "step": event.step} if event.step else {}
            self._directory.record(event, **at)
        self._notes.clear()

    def close(self, *, failed: bool) -> None:
        """Close the event files, unless that was done before."""
        board, self._board = self._board, None
        if board:
            self._write_board(partial(board.close, failed=failed))

    def _heard(self, metrics: Mapping[str, float] | None, inside: Layers | None = None) -> None:
        if metrics is not None:
            list(self._insights.on_epoch_end(metrics, inside.layers if inside else None))

    def _write_board(self, write: Callable[[], None]) -> None:
        """Have the event files written, which are not worth a training."""
        try:
            write()
        except OSError as error:
            self._directory.not_saved("tensorboard", error)
        else:
            self._directory.saved("tensorboard")

    @property
    def _input_stall(self) -> float | None:
        """Return the share of the training so far in which the devices waited for examples; None if none stream."""
        if not self._shape.buffer:
            return None
        return round(self._directory.stalled / max(self._directory.seconds, 1e-9), 4)

    def _records_of(self, outcome: EpochOutcome) -> Iterator[Record]:
        inside = None if outcome.inside is None else diagnosis.read(self._shape.layer_names, outcome.inside)
        if inside is not None:
            yield inside
        for action in outcome.actions:
            match action:
                case ReduceLearningRate(from_=before, to=to, monitor=monitor, best=best, wait=wait):
                    yield LearningRateReduced(
                        from_=shortest(before), to=shortest(to), monitor=monitor, best=best, wait=wait
                    )
                case Stop(monitor=monitor, best=best, best_epoch=best_epoch, wait=wait):
                    yield EarlyStopped(monitor=monitor, best=best, best_epoch=best_epoch, wait=wait)
                case Warn(message=message):
                    yield Warned(message=message)
                case Save():  # recorded once it is on disk
                    pass
        layers = inside.layers if inside else None
        yield from self._insights.on_epoch_end(outcome.end.metrics, layers, outcome.end.learning_rate)
