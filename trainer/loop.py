"""The training loop on the host: make a call, decide, make the next call, and only then write down what happened.

A call is any number of updates in one go on the device. The callbacks bound it: each says within how many epochs it
cannot act and what would renew them, so that many short epochs fit into one call and nothing is decided too late.
Between the end of a call and the start of the next stand only the callbacks' decisions; records are written while the
device is at work.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from trainer import advance, callbacks, horizons, program
from trainer.callbacks import (
    Action,
    EpochEnd,
    ModelCheckpoint,
    ReduceLearningRate,
    ReduceLROnPlateau,
    Save,
    Stop,
    Warn,
)
from trainer.commands import Command, Inbox
from trainer.commands import Pause as PauseCommand
from trainer.commands import Resume as ResumeCommand
from trainer.commands import Save as SaveCommand
from trainer.commands import Set as SetCommand
from trainer.commands import Stop as StopCommand
from trainer.devices import device_words
from trainer.events import (
    Compiled,
    Diverged,
    HyperparameterSet,
    Paused,
    Reason,
    Record,
    Resumed,
    Started,
    Tested,
    Warned,
)
from trainer.keeping import Keeper, Memory, restored
from trainer.live_numbers import LiveNumbers
from trainer.numbers import shortest
from trainer.preparation import Prepared
from trainer.recording import EpochOutcome, Recorder
from trainer.run_directory import RunDirectory
from trainer.shape import shape_of
from trainer.state import State

_CALL_SECONDS: Final = 0.15
"""How long a call shall take: pause and stop act at its end, so that short is polite and long is fast."""

_GROWTH: Final = 8
"""At most how many times longer than the last one a call may be: the first ones measure the speed."""

_POLL_SECONDS: Final = 0.05

_WORDS: Final = {
    "completed": "all epochs done",
    "early_stopped": "stopped early",
    "stopped": "on command",
    "interrupted": "interrupted",
}
"""Why a run ended, where its state does not say it."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A call on its way: its report, when it began, and where the training stood."""

    report: Any
    began: float
    first_step: int


class Loop:
    """One training, from compiling to the last checkpoint."""

    def __init__(self, prepared: Prepared, directory: RunDirectory, cancelled: threading.Event) -> None:
        config = prepared.config
        self._live = LiveNumbers(config)
        self._prepared = prepared
        self._directory = directory
        self._cancelled = cancelled
        self._inbox = Inbox(directory.path)
        self._callbacks = callbacks.build(config.callbacks)
        self._tell_learning_rate(config.optimizer.learning_rate)
        self._shape = shape_of(prepared)
        self._keeper = Keeper(prepared, directory, self._shape)
        self._recorder = Recorder(config, directory, self._shape)
        self._happened: list[Record] = []
        self._reason: Reason | None = None
        self._keeps_best = False
        self._paused = False
        self._step = 0
        self._seconds_per_update = 0.0
        self._last_count = 0
        self._in_trouble = False

    def run(self) -> tuple[Reason, str]:
        """Train to an end; return why it ended and a line about it."""
        self._begin()
        call = self._next_call()
        while call is not None:
            report, seconds = self._arrived(call)
            outcomes = self._decide(call, report, seconds)
            self._obey()
            self._keeper.before_next_call(self._state, self._memory)
            waits = self._paused
            call = None if waits else self._next_call()
            self._recorder.epochs(outcomes)
            self._recorder.steps()
            self._flush()
            if waits:
                self._wait()
                call = self._next_call()
        return self._end()

    def close(self) -> None:
        """Let go of files and threads."""
        self._keeper.close()
        self._recorder.close(failed=self._reason is None)

    def _begin(self) -> None:
        splits, directory = self._prepared.splits, self._directory
        self._data = program.place(splits)
        self._test = program.place_blocks(splits.test) if len(splits.test) else None
        self._program, compilations = program.compiled(self._shape, self._data, self._test)
        for done in compilations:
            directory.record(
                Compiled(what=done.what, seconds=done.seconds, flops=done.flops, memory_bytes=done.memory_bytes)
            )
        self._state: State = self._program.init(np.uint32(self._live.config.training.seed), self._live.vector)
        directory.record(
            Started(
                n_parameters=self._prepared.n_parameters,
                device=device_words(),
                steps_per_epoch=self._shape.steps_per_epoch,
            )
        )
        for warning in splits.warnings:
            directory.record(Warned(message=warning))

    def _next_call(self) -> _Call | None:
        """Send the next call off, or return None if the training is over."""
        total = self._live.config.training.epochs * self._shape.steps_per_epoch
        if self._step >= total and self._reason is None:
            self._reason = "completed"
        if self._reason is not None:
            return None
        count = self._size_of_call(total)
        orders = np.array([count, self._live.config.callbacks.terminate_on_nan.enabled], np.int32)
        began = time.perf_counter()
        told = horizons.pack(self._callbacks, self._shape.row_names, advance.MOST_EPOCHS)
        self._state, report = self._program.advance(self._state, self._live.vector, self._data, orders, told)
        return _Call(report, began, self._step)

    def _size_of_call(self, total: int) -> int:
        spe = self._shape.steps_per_epoch
        bounds = [total - self._step, advance.MOST_EPOCHS * spe - self._step % spe]
        bounds += [it.updates_until_save(self._step) for it in self._callbacks if isinstance(it, ModelCheckpoint)]
        if self._seconds_per_update:
            bounds += [int(_CALL_SECONDS / self._seconds_per_update), self._last_count * _GROWTH]
        else:
            bounds.append(1)
        return max(1, min(bounds))

    def _arrived(self, call: _Call) -> tuple[advance.Report, float]:
        """Wait for the call; return its report and the seconds it took."""
        report = advance.read_report(self._shape, np.asarray(call.report))
        seconds = time.perf_counter() - call.began
        done = max(1, report.step - call.first_step)
        self._seconds_per_update = seconds / done
        self._last_count = done
        self._directory.seconds += seconds
        self._step = self._directory.step = report.step
        self._recorder.updates(done, report.spread)
        return report, seconds

    def _decide(self, call: _Call, report: advance.Report, seconds: float) -> list[EpochOutcome]:
        """Play the call's epochs through the callbacks and act on what they say."""
        outcomes = []
        spe = self._shape.steps_per_epoch
        for row in report.rows:
            epoch = self._directory.epoch
            share = ((epoch + 1) * spe - call.first_step) / max(1, report.step - call.first_step)
            elapsed = self._directory.seconds - seconds * (1 - share)
            metrics = dict(zip(self._shape.row_names, map(shortest, row), strict=True))
            end = EpochEnd(epoch, metrics, self._live["optimizer.learning_rate"])
            actions = tuple(action for callback in self._callbacks for action in callback.on_epoch_end(end))
            self._directory.epoch = epoch + 1
            outcomes.append(EpochOutcome(end, actions, elapsed))
            for action in actions:
                self._act(action, end)
        if report.trouble_step >= 0:
            self._meet_trouble(report)
        for callback in self._callbacks:
            if isinstance(callback, ModelCheckpoint):
                for action in callback.on_updates(self._step):
                    self._act(action, None)
        if self._cancelled.is_set() and self._reason is None:
            self._reason = "interrupted"
        return outcomes

    def _act(self, action: Action, end: EpochEnd | None) -> None:
        match action:
            case ReduceLearningRate(to=to):
                self._live["optimizer.learning_rate"] = to
            case Stop():
                self._reason = self._reason or "early_stopped"
            case Save():
                self._keeper.want(action, end)
            case Warn():
                pass

    def _meet_trouble(self, report: advance.Report) -> None:
        if self._in_trouble:
            return
        self._in_trouble = True
        rate, norm = report.trouble_learning_rate, report.trouble_grad_norm
        message = (
            f"the loss is no longer a number since step {report.trouble_step}; one update before, the learning rate "
            f"was {rate:.3g} and the gradient norm {norm:.3g}."
        )
        evidence = {"step": report.trouble_step, "learning_rate": rate, "grad_norm": norm}
        if self._live.config.callbacks.terminate_on_nan.enabled:
            self._reason = "diverged"
            message += f" Try a learning rate ten times lower ({rate / 10:.3g})."
            self._happened.append(Diverged(message=message, evidence=evidence))
        else:
            self._happened.append(Warned(message=message, evidence=evidence))

    def _obey(self) -> None:
        commands, problems = self._inbox.read()
        self._happened.extend(Warned(message=problem) for problem in problems)
        for command in commands:
            self._obey_one(command)

    def _obey_one(self, command: Command) -> None:
        match command:
            case PauseCommand(by=by):
                if not self._paused and self._reason is None:
                    self._paused = True
                    self._happened.append(Paused(message=f"paused by {by}"))
            case ResumeCommand(by=by):
                if self._paused:
                    self._paused = False
                    self._happened.append(Resumed(message=f"resumed by {by}"))
            case StopCommand():
                self._paused = False
                self._reason = self._reason or "stopped"
                self._keeps_best = command.keep_best
            case SaveCommand():
                self._keeper.want(Save("command", "", None), None)
            case SetCommand():
                self._set(command)

    def _set(self, command: SetCommand) -> None:
        record = self._live.change(command)
        self._happened.append(record)
        self._directory.run.status.epochs_planned = self._live.config.training.epochs
        if isinstance(record, HyperparameterSet) and record.key == "optimizer.learning_rate":
            self._tell_learning_rate(self._live.config.optimizer.learning_rate)

    def _tell_learning_rate(self, rate: float) -> None:
        for callback in self._callbacks:
            if isinstance(callback, ReduceLROnPlateau):
                callback.on_learning_rate_set(rate)

    def _wait(self) -> None:
        """Wait, paused, until told otherwise."""
        self._directory.write_status()
        while self._paused:
            time.sleep(_POLL_SECONDS)
            self._obey()
            if self._cancelled.is_set():
                self._paused, self._reason = False, self._reason or "interrupted"
            self._flush()

    def _flush(self) -> None:
        self._happened.extend(self._keeper.news())
        for event in self._happened:
            at = {"epoch": event.epoch, "step": event.step} if event.step else {}
            self._directory.record(event, **at)
        self._happened.clear()

    def _end(self) -> tuple[Reason, str]:
        """Save, restore the best weights, look at the test split; return why the training ended."""
        assert self._reason is not None
        self._recorder.steps(at_end=True)
        if self._reason != "diverged":
            self._keeper.at_the_end(self._state, self._memory)
            self._restore_best()
            if self._test is not None:
                self._look_at_test()
        self._keeper.finish()
        self._flush()
        return self._reason, self._last_words()

    def _restore_best(self) -> None:
        section = self._live.config.callbacks.early_stopping
        restores = section.enabled and section.restore_best_weights
        if not restores and not self._keeps_best:
            return
        if found := restored(self._state, self._shape, section.monitor if restores else None):
            self._state, record = found
            self._happened.append(record)

    def _look_at_test(self) -> None:
        measured = np.asarray(self._program.evaluate(self._state.parameters, self._live.vector, self._data, self._test))
        metrics = {f"test_{name}": shortest(x) for name, x in zip(self._shape.metric_names, measured, strict=True)}
        self._happened.append(Tested(metrics=metrics))

    def _last_words(self) -> str:
        best = self._directory.run.status.best
        found = f"best {best.metric} {best.value:.4g} at epoch {best.epoch + 1}" if best else "no epoch was completed"
        return "; ".join(filter(None, (_WORDS.get(self._reason or ""), found)))

    def _memory(self) -> Memory:
        return Memory(
            {callback.name: callback.state() for callback in self._callbacks},
            self._live.as_dict(),
        )
