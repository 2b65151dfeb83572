"""One run among those that train together: its callbacks, numbers, commands, records and weights.

A member decides what its epochs mean for it; the loop makes the calls. A run alone is the only member of its loop.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from trainer import callbacks, diagnosis, failpoints
from trainer.advance import Report
from trainer.callbacks import (
    Action,
    Callback,
    EarlyStopping,
    EpochEnd,
    ModelCheckpoint,
    ReduceLearningRate,
    ReduceLROnPlateau,
    Save,
    Stop,
    Warn,
)
from trainer.commands import Command, Inbox
from trainer.commands import Extend as ExtendCommand
from trainer.commands import Pause as PauseCommand
from trainer.commands import Resume as ResumeCommand
from trainer.commands import Save as SaveCommand
from trainer.commands import Set as SetCommand
from trainer.commands import Stop as StopCommand
from trainer.events import (
    CheckpointSaved,
    Commanded,
    Diverged,
    Finished,
    HyperparameterSet,
    Paused,
    Reason,
    Record,
    Resumed,
    Tested,
    Warned,
    WeightsRestored,
)
from trainer.keeping import Keeper, Memory, best_weights, saved_record
from trainer.live_numbers import LiveNumbers
from trainer.numbers import shortest
from trainer.past import commands_known
from trainer.preparation import Prepared
from trainer.recording import EpochOutcome, Recorder
from trainer.run_directory import RunDirectory
from trainer.schedules import depends_on_length
from trainer.shape import Shape, Watch, watch_of
from trainer.state import NEVER, Parameters, State

_WORDS: Final = {
    "completed": "all epochs done",
    "early_stopped": "stopped early",
    "stopped": "on command",
    "interrupted": "interrupted",
}
"""Why a run ended, where its state does not say it."""


class Ending(NamedTuple):
    """What a run ends with: weights, of all members, and how many updates they have behind them."""

    parameters: Parameters
    step: int


class Member:
    """One run, from its first record to its last.

    Attributes:
        prepared: config and data, as they were at the start.
        directory: the run's folder.
        index: its place along the first axis of the state.
        live: the numbers for the next call.
        callbacks: those that are on.
        reason: why it ended, or None.
        is_paused: whether it is to wait.
    """

    def __init__(self, prepared: Prepared, directory: RunDirectory, shape: Shape, index: int) -> None:
        self.prepared = prepared
        self.directory = directory
        self.index = index
        self.live = LiveNumbers(prepared.config, prepared.splits.summary)
        self.callbacks = callbacks.build(prepared.config.callbacks)
        self.reason: Reason | None = None
        self.is_paused = False
        self._shape = shape
        self._inbox = Inbox(directory.path, directory.past.commands_read)
        self._commands_read = commands_known(directory.past.manifest)
        self._keeper = Keeper(prepared, directory, shape, index)
        self._recorder = Recorder(prepared, directory, shape)
        self._outcomes: list[EpochOutcome] = []
        self._happened: list[Record] = []
        self._keeps_best: bool | None = None
        self._in_trouble = False
        self._tell_learning_rate(prepared.config.optimizer.learning_rate)
        self._restore()

    def _restore(self) -> None:
        """Go on from what the run was at its checkpoint."""
        past, directory = self.directory.past, self.directory
        directory.step, directory.epoch = past.step, past.step // self._shape.steps_per_epoch
        for command in past.commands_obeyed:
            if isinstance(command, SetCommand):
                self.live.change(command)
            elif isinstance(command, ExtendCommand):
                self._extend(command)
        if past.manifest is not None:
            self.live.restore(past.manifest.numbers)
            for callback in self.callbacks:
                callback.restore(past.manifest.callbacks.get(callback.name, callback.state()))
            self.reason = "early_stopped" if past.manifest.extra.get("is_stopped_early") else None
            self._in_trouble = int(past.arrays.get("trouble.step", NEVER)) >= 0
        self._recorder.restore(past.until_checkpoint)
        self._want_best()
        self._happened.clear()

    @property
    def is_careful(self) -> bool:
        """Return whether the run is over at a loss that is no number."""
        return self.prepared.config.callbacks.terminate_on_nan.enabled

    @property
    def updates_left(self) -> int:
        """Return how many updates a call may make at most, by what is planned and by when a checkpoint is due."""
        step = self.directory.step
        bounds = [it.updates_until_save(step) for it in self.callbacks if isinstance(it, ModelCheckpoint)]
        if (left := self.directory.past.replay.updates_left(step)) is not None:
            bounds.append(left)
        return min([self.updates_planned, *bounds])

    @property
    def updates_planned(self) -> int:
        """Return how many updates are still to be made, if nothing ends the run before."""
        return self.live.config.training.epochs * self._shape.steps_per_epoch - self.directory.step

    def move(self, index: int) -> None:
        """Take another place along the first axis of the state."""
        self.index = self._keeper.member = index

    def decide(self, report: Report, seconds: float, waited: float = 0.0) -> None:
        """Play the epochs of a call through the callbacks and act on what they say.

        Args:
            report: what the call did to this member.
            seconds: how long it took.
            waited: how long of that the devices waited for examples.
        """
        directory, spe = self.directory, self._shape.steps_per_epoch
        first, directory.step = directory.step, report.step
        if directory.past.replay.covers(first):  # it was counted before
            seconds = waited = 0.0
        directory.seconds += seconds
        directory.stalled += waited
        self._recorder.updates(report.step - first, report.spread)
        insides = iter(report.insides)
        for row in report.rows[: self._rows_that_count(report)]:
            epoch = directory.epoch
            share = ((epoch + 1) * spe - first) / max(1, report.step - first)
            metrics = dict(zip(self._shape.row_names, map(shortest, row), strict=True))
            end = EpochEnd(epoch, metrics, self.live["optimizer.learning_rate"])
            actions = tuple(action for callback in self.callbacks for action in callback.on_epoch_end(end))
            directory.epoch = epoch + 1
            inside = next(insides, None) if diagnosis.is_due(epoch) else None
            self._outcomes.append(EpochOutcome(end, actions, directory.seconds - seconds * (1 - share), inside))
            for action in actions:
                self._act(action, end)
        if report.trouble_step >= 0:
            self._meet_trouble(report)
        for callback in self.callbacks:
            if isinstance(callback, ModelCheckpoint):
                for action in callback.on_updates(directory.step):
                    self._act(action, None)

    def obey(self) -> None:
        """Carry out the commands that have come; while what was recorded is computed again, those of that time."""
        replay, step = self.directory.past.replay, self.directory.step
        for batch in replay.commands_at(step):
            self._commands_read = batch.offset
            for command in batch.commands:
                self._obey_one(command)
        if not replay.is_over(step):
            return
        commands, problems = self._inbox.read()
        if not commands and not problems:
            return
        self.record()
        self._commands_read = self._inbox.offset
        self.directory.record(Commanded(commands=commands, offset=self._commands_read))
        failpoints.pass_by("commands recorded")
        self._happened.extend(Warned(message=problem) for problem in problems)
        for command in commands:
            self._obey_one(command)

    def settle(self, *, cancelled: bool) -> None:
        """Say whether the run is over now: all its epochs done, or the program told to end."""
        if self.updates_planned <= 0:
            self.reason = self.reason or "completed"
        elif cancelled:
            self.reason = self.reason or "interrupted"
        self.is_paused = self.is_paused and self.reason is None

    def keep(self, state: State) -> None:
        """Copy what is to be saved, since the next call takes the state's memory over."""
        if self._keeper.is_due:
            self.record()  # a run goes on from a checkpoint and the records until then: those come first
            self._keeper.before_next_call(state, self._memory)

    def want_state(self) -> None:
        """Have all of the state saved, so that the run can go on from here if it is killed."""
        if self._keeper.is_enabled:
            self._keeper.want(Save("time", "", None), None)

    @property
    def cost_of_state(self) -> tuple[float, float]:
        """Return the seconds that the last state took to copy, and to write."""
        return self._keeper.cost

    def record(self) -> None:
        """Write down what happened since the last time."""
        self._recorder.epochs(self._outcomes)
        self._outcomes = []
        self._recorder.steps()
        self.flush()
        self.directory.tell_verdict()

    def flush(self) -> None:
        """Write down what happened outside of epochs."""
        self._happened.extend(self._keeper.news())
        for event in self._happened:
            at = {"epoch": event.epoch, "step": event.step} if event.step else {}
            self.directory.record(event, **at)
        self._happened.clear()

    def keep_last(self, state: State) -> Ending | None:
        """Save the run's end, and return what it ends with; None if it diverged."""
        diverged = self.reason == "diverged"
        self._want_best()
        self._keeper.at_the_end(state, self._memory, diverged=diverged)
        if diverged:
            return None
        stopping = [watch for callback in self.callbacks if (watch := self._restored_by(callback))]
        wanted = stopping or (self._shape.watches if self._keeps_best else ())
        found = None if self._keeps_best is False else best_weights(state, self._shape, self.index, wanted)
        if found is None:
            return Ending(state.weights, self.directory.step)
        parameters, watch, value, epoch = found
        step = (epoch + 1) * self._shape.steps_per_epoch
        self._happened.append(
            WeightsRestored(
                reason="early_stopping" if stopping else "stopped",
                monitor=watch.metric,
                value=value,
                epoch=epoch,
                step=step,
            )
        )
        return Ending(parameters, step)

    def take_test(self, measured: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
        """Take note of the metrics on the test split."""
        metrics = {f"test_{name}": shortest(x) for name, x in zip(self._shape.metric_names, measured, strict=True)}
        self._happened.append(Tested(metrics=metrics))

    def tell_of_before(self) -> None:
        """Record what is to be known of the data; of a run that goes on, what it found, and lacks a record."""
        past = self.directory.past
        for warning in self.prepared.splits.warnings if past.is_new else past.warnings:
            self.directory.record(Warned(message=warning))
        recorded = {event.path for event in past.events if isinstance(event, CheckpointSaved)}
        for manifest in reversed(past.good):
            record = saved_record(self.directory.path / "checkpoints" / f"{manifest.id}.safetensors", manifest)
            if record.path not in recorded:
                self.directory.record(record, epoch=record.epoch, step=record.step)

    def warn(self, message: str) -> None:
        """Have a warning recorded."""
        self._happened.append(Warned(message=message))

    def finish(self) -> None:
        """Wait for the disk and write the last record; the run is over for everybody."""
        assert self.reason is not None
        self._recorder.steps(at_end=True)
        self._recorder.close(failed=False)
        self._keeper.finish()
        self.flush()
        message = self._last_words()
        self.directory.note(f"{self.reason}: {message}")
        self.directory.record(Finished(reason=self.reason, message=message))

    def close(self) -> None:
        """Let go of files and threads."""
        self._keeper.close()
        self._recorder.close(failed=True)

    def _want_best(self) -> None:
        """Have the best weights saved where those on disk are others: they wait on the device for their turn."""
        for callback in self.callbacks:
            if isinstance(callback, ModelCheckpoint) and (save := callback.best_save()) is not None:
                epoch, action = save
                if not self._keeper.has_best(epoch, action.value):
                    self._keeper.want(action, EpochEnd(epoch, {}, self.live["optimizer.learning_rate"]))

    def _restored_by(self, callback: Callback) -> Watch | None:
        """Return whose weights EarlyStopping goes back to; None for other callbacks, or without its metric."""
        watch = watch_of(callback) if isinstance(callback, EarlyStopping) else None
        return watch if watch in self._shape.watches else None

    def _rows_that_count(self, report: Report) -> int:
        """Return how many epochs were over before a trouble that ends this member; others may have gone on."""
        if not self.is_careful or report.trouble_step < 0:
            return len(report.rows)
        return max(0, report.trouble_step // self._shape.steps_per_epoch - self.directory.epoch)

    def _act(self, action: Action, end: EpochEnd | None) -> None:
        match action:
            case ReduceLearningRate(to=to):
                self.live["optimizer.learning_rate"] = to
            case Stop():
                self.reason = self.reason or "early_stopped"
            case Save():
                self._keeper.want(action, end)
            case Warn():
                pass

    def _meet_trouble(self, report: Report) -> None:
        if self._in_trouble:
            return
        self._in_trouble = True
        rate, norm = report.trouble_learning_rate, report.trouble_grad_norm
        message = f"the loss is no longer a number since update {report.trouble_step + 1}"
        evidence: dict[str, Any] = {"update": report.trouble_step + 1}
        if report.trouble_step > 0:
            message += f"; one update before, the learning rate was {rate:.3g} and the gradient norm {norm:.3g}"
            evidence |= {"learning_rate": rate, "grad_norm": norm}
        if self.is_careful:
            self.reason = "diverged"
            base = self.live["optimizer.learning_rate"]
            message += f". Try a learning rate ten times lower ({base / 10:.3g})."
            self._happened.append(Diverged(message=message, evidence=evidence))
        else:
            self._happened.append(Warned(message=f"{message}.", evidence=evidence))

    def _obey_one(self, command: Command) -> None:
        match command:
            case PauseCommand(by=by):
                if not self.is_paused and self.reason is None:
                    self.is_paused = True
                    self._happened.append(Paused(message=f"paused by {by}"))
            case ResumeCommand(by=by):
                if self.is_paused:
                    self.is_paused = False
                    self._happened.append(Resumed(message=f"resumed by {by}"))
            case StopCommand():
                self.is_paused = False
                self.reason = self.reason or "stopped"
                self._keeps_best = command.keep_best
            case SaveCommand():
                self._keeper.want(Save("command", "", None), None)
            case SetCommand():
                self._set(command)
            case ExtendCommand():
                self._extend(command)

    def _extend(self, command: ExtendCommand) -> None:
        """Train on to so many epochs in all, past an end that the run may have come to."""
        before = self.live.config
        self._set(SetCommand(key="training.epochs", value=command.epochs, by=command.by))
        if self.reason in ("completed", "early_stopped"):
            self.reason = None
        for callback in self.callbacks:
            if isinstance(callback, EarlyStopping):
                callback.renew()
        if depends_on_length(before.schedule, before.training.epochs, self.live.config.training.epochs):
            message = f"the {before.schedule.kind} schedule now spans {self.live.config.training.epochs} epochs"
            self._happened.append(Warned(message=f"{message}: the learning rate is another one from here on."))

    def _set(self, command: SetCommand) -> None:
        record = self.live.change(command)
        self._happened.append(record)
        if isinstance(record, HyperparameterSet) and record.key == "optimizer.learning_rate":
            self._tell_learning_rate(self.live.config.optimizer.learning_rate)

    def _tell_learning_rate(self, rate: float) -> None:
        for callback in self.callbacks:
            if isinstance(callback, ReduceLROnPlateau):
                callback.on_learning_rate_set(rate)

    def _last_words(self) -> str:
        best = self.directory.run.status.best
        found = f"best {best.metric} {best.value:.4g} at epoch {best.epoch + 1}" if best else "no epoch was completed"
        return "; ".join(filter(None, (_WORDS.get(self.reason or ""), found)))

    def _memory(self) -> Memory:
        states = {callback.name: callback.state() for callback in self.callbacks}
        return Memory(states, self.live.as_dict(), self._commands_read, self.reason == "early_stopped")
