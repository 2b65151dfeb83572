"""The course of a run: what its callbacks decided, and the people who command it. Neither files nor devices.

Whatever is decided here is carried out, recorded and saved by the run's `Member`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainer import callbacks
from trainer.callbacks import Action, ModelCheckpoint, ReduceLearningRate, Save, Stop, Warn
from trainer.commands import Command
from trainer.commands import Extend as ExtendCommand
from trainer.commands import Pause as PauseCommand
from trainer.commands import Resume as ResumeCommand
from trainer.commands import Save as SaveCommand
from trainer.commands import Set as SetCommand
from trainer.commands import Stop as StopCommand
from trainer.events import Diverged, HyperparameterSet, Paused, Reason, Record, Resumed, Warned
from trainer.live_numbers import LiveNumbers
from trainer.schedules import depends_on_length
from trainer.schema import RATE
from trainer.state import NEVER

if TYPE_CHECKING:
    from trainer.advance import Report
    from trainer.past import Past
    from trainer.preparation import Prepared


class Course:
    """What was decided of a run by now.

    Attributes:
        live: the numbers for the next call.
        callbacks: those that are on.
        checkpoint: the one of them that saves, or None.
        is_careful: whether the run is over at a loss that is no number.
        reason: why it ended, or None.
        is_paused: whether it is to wait.
        keeps_best: whether it is to end on its best weights, as whoever stopped it said; None where nobody did.
    """

    def __init__(self, prepared: Prepared) -> None:
        config = prepared.config
        self.live = LiveNumbers(config, prepared.splits.summary)
        self.callbacks = callbacks.build(config.callbacks)
        self.checkpoint = next((it for it in self.callbacks if isinstance(it, ModelCheckpoint)), None)
        self.is_careful = config.callbacks.terminate_on_nan.enabled
        self.reason: Reason | None = None
        self.is_paused = False
        self.keeps_best: bool | None = None
        self._in_trouble = False
        callbacks.tell_learning_rate(self.callbacks, config.optimizer.learning_rate)

    def restore(self, past: Past) -> None:
        """Go on from what had been decided at the checkpoint."""
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

    def take(self, action: Action) -> None:
        """Do what a callback said."""
        match action:
            case ReduceLearningRate(to=to):
                self.live[RATE] = to
            case Stop():
                self.reason = self.reason or "early_stopped"
            case Save() | Warn():  # there is nothing to decide
                pass

    def obey(self, command: Command) -> list[Record]:
        """Do what a person said; return what is to be recorded of it."""
        match command:
            case PauseCommand(by=by):
                if not self.is_paused and self.reason is None:
                    self.is_paused = True
                    return [Paused(message=f"paused by {by}")]
            case ResumeCommand(by=by):
                if self.is_paused:
                    self.is_paused = False
                    return [Resumed(message=f"resumed by {by}")]
            case StopCommand():
                self.is_paused = False
                self.reason = self.reason or "stopped"
                self.keeps_best = command.keep_best
            case SetCommand():
                return [self._set(command)]
            case ExtendCommand():
                return self._extend(command)
            case SaveCommand():  # there is nothing to decide
                pass
        return []

    def meet_trouble(self, report: Report) -> list[Record]:
        """Decide what a loss that is no number means; return what is to be recorded of it, once for a run."""
        if report.trouble_step < 0 or self._in_trouble:
            return []
        self._in_trouble = True
        rate, norm = report.trouble_learning_rate, report.trouble_grad_norm
        message = f"the loss is no longer a number since update {report.trouble_step + 1}"
        evidence: dict[str, Any] = {"update": report.trouble_step + 1}
        if report.trouble_step > 0:
            message += f"; one update before, the learning rate was {rate:.3g} and the gradient norm {norm:.3g}"
            evidence |= {"learning_rate": rate, "grad_norm": norm}
        if not self.is_careful:
            return [Warned(message=f"{message}.", evidence=evidence)]
        self.reason = "diverged"
        advice = f"Try a learning rate ten times lower ({self.live[RATE] / 10:.3g})."
        return [Diverged(message=f"{message}. {advice}", evidence=evidence)]

    def settle(self, *, is_done: bool, is_cancelled: bool) -> None:
        """Say whether the run is over now: all its epochs done, or the program told to end."""
        if is_done:
            self.reason = self.reason or "completed"
        elif is_cancelled:
            self.reason = self.reason or "interrupted"
        self.is_paused = self.is_paused and self.reason is None

    def give_up(self, *, on_command: bool) -> None:
        """End before anything was trained, also where the run had come to its end: that is still to be done."""
        self.reason = "stopped" if on_command else "interrupted"

    def _set(self, command: SetCommand) -> Record:
        record = self.live.change(command)
        if isinstance(record, HyperparameterSet) and record.key == RATE:
            callbacks.tell_learning_rate(self.callbacks, self.live.config.optimizer.learning_rate)
        return record

    def _extend(self, command: ExtendCommand) -> list[Record]:
        """Train on to so many epochs in all, past an end that the run may have come to."""
        before = self.live.config
        records = [self._set(SetCommand(key="training.epochs", value=command.epochs, by=command.by))]
        after = self.live.config
        if self.reason in ("completed", "early_stopped"):
            self.reason = None
        callbacks.renew(self.callbacks)
        if depends_on_length(before.schedule, before.training.epochs, after.training.epochs):
            message = f"the {before.schedule.kind} schedule now spans {after.training.epochs} epochs"
            records.append(Warned(message=f"{message}: the learning rate is another one from here on."))
        return records
