"""One run among those that train together: what the calls do to it, from its first record to its last.

A run alone is the only member of its loop. The loop makes the calls; a member has its `Course` decide what they mean,
its `Recorder` write that down and its `Keeper` save the weights.
"""

from collections.abc import Iterable

import numpy as np

from trainer import callbacks, diagnosis, failpoints
from trainer.advance import Report
from trainer.callbacks import Action, EpochEnd, Save
from trainer.commands import Command, Inbox
from trainer.commands import Save as SaveCommand
from trainer.commands import Stop as StopCommand
from trainer.course import Course
from trainer.ending import Ending, best_ending, last_words
from trainer.events import Commanded, Finished, Tested, Warned
from trainer.keeping import Keeper, Memory
from trainer.numbers import shortest
from trainer.past import commands_known
from trainer.preparation import Prepared
from trainer.recording import EpochOutcome, Recorder
from trainer.run_directory import RunDirectory
from trainer.runs import lead_of
from trainer.schema import RATE
from trainer.shape import Shape
from trainer.state import State


class Member:
    """One run.

    Attributes:
        prepared: config and data, as they were at the start.
        directory: the run's folder.
        index: its place along the first axis of the state.
        course: what was decided of it.
        recorder: writes its records.
        inbox: commands to it.
    """

    def __init__(self, prepared: Prepared, directory: RunDirectory, shape: Shape, index: int) -> None:
        past = directory.past
        self.prepared = prepared
        self.directory = directory
        self.index = index
        self.course = Course(prepared)
        self.recorder = Recorder(prepared, directory, shape)
        self._shape = shape
        self.inbox = Inbox(lead_of(directory.path), past.commands_read, past.commands_over)
        self._commands_read = commands_known(past.manifest)
        self._keeper = Keeper(prepared, directory, shape, index, self.course.checkpoint)
        directory.step, directory.epoch = past.step, past.step // shape.steps_per_epoch
        self.course.restore(past)
        self.recorder.restore(past.until_checkpoint)
        self._want_best()

    @property
    def updates_left(self) -> int:
        """Return how many updates a call may make at most, by what is planned and by when a checkpoint is due."""
        step, checkpoint = self.directory.step, self.course.checkpoint
        bounds = [self.updates_planned]
        if checkpoint is not None:
            bounds.append(checkpoint.updates_until_save(step))
        if (left := self.directory.past.replay.updates_left(step)) is not None:
            bounds.append(left)
        return min(bounds)

    @property
    def updates_planned(self) -> int:
        """Return how many updates are still to be made, if nothing ends the run before."""
        return self.course.live.config.training.epochs * self._shape.steps_per_epoch - self.directory.step

    @property
    def is_told_to_stop(self) -> bool:
        """Return whether a command to stop has come that was not obeyed yet."""
        return any(isinstance(command, StopCommand) for command in self.inbox.peek())

    def move(self, index: int, shape: Shape) -> None:
        """Take another place along the first axis of the state of another population, and have it saved there."""
        self.index = index
        self._shape = shape
        self._keeper.move(index, shape)
        self.want_state()

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
        self.recorder.note_updates(report.step - first, report.spread)
        insides = iter(report.insides)
        for row in report.rows[: self._rows_that_count(report)]:
            epoch = directory.epoch
            share = ((epoch + 1) * spe - first) / max(1, report.step - first)
            metrics = dict(zip(self._shape.row_names, map(shortest, row), strict=True))
            end = EpochEnd(epoch, metrics, self.course.live[RATE])
            actions = callbacks.play(self.course.callbacks, end)
            directory.epoch = epoch + 1
            inside = next(insides, None) if diagnosis.is_due(epoch) else None
            self.recorder.note_epoch(EpochOutcome(end, actions, directory.seconds - seconds * (1 - share), inside))
            self._act(actions, end)
        self.recorder.note(*self.course.meet_trouble(report))
        if (checkpoint := self.course.checkpoint) is not None:
            self._act(checkpoint.on_updates(directory.step), None)

    def obey(self, until: int) -> None:
        """Carry out the commands that have come; while what was recorded is computed again, those of that time.

        Args:
            until: as for `Inbox.read`.
        """
        replay, step = self.directory.past.replay, self.directory.step
        for batch in replay.commands_at(step):
            self._commands_read = batch.offset
            for command in batch.commands:
                self._obey(command)
        if not replay.is_over(step):
            return
        commands, problems = self.inbox.read(until)
        if not commands and not problems:
            return
        self.record()
        self._commands_read = self.inbox.offset
        self.directory.record(Commanded(commands=commands, offset=self._commands_read))
        failpoints.pass_by("commands recorded")
        self.recorder.note(*(Warned(message=problem) for problem in problems))
        for command in commands:
            self._obey(command)

    def settle(self, *, cancelled: bool) -> None:
        """Say whether the run is over now: all its epochs done, or the program told to end.

        A command to stop is no command of what is computed again; there it ends the run without being recorded.
        """
        is_replaying = not self.directory.past.replay.is_over(self.directory.step)
        is_cancelled = cancelled or (is_replaying and self.is_told_to_stop)
        self.course.settle(is_done=self.updates_planned <= 0, is_cancelled=is_cancelled)

    def give_up(self) -> None:
        """End before anything was trained."""
        is_told = self.is_told_to_stop
        self.obey(self.inbox.size)
        self.course.give_up(on_command=is_told)

    def keep(self, state: State) -> None:
        """Copy what is to be saved, since the next call takes the state's memory over."""
        if self._keeper.is_due:
            self.record()  # a run goes on from a checkpoint and the records until then: those come first
            self._keeper.before_next_call(state, self._memory)

    def want_state(self) -> None:
        """Have all of the state saved, so that the run can go on from here if it is killed."""
        if self._keeper.is_enabled and not self._keeper.has_state(self._commands_read):
            self._keeper.want(Save("time", "", None), None)

    @property
    def cost_of_state(self) -> tuple[float, float]:
        """Return the seconds that the last state took to copy, and to write."""
        return self._keeper.cost

    def record(self) -> None:
        """Write down what happened since the last time."""
        self.recorder.write_epochs()
        self.recorder.write_steps()
        self.flush()
        self.directory.tell_verdict()

    def flush(self) -> None:
        """Write down what happened outside of epochs."""
        self.recorder.note(*self._keeper.news())
        self.recorder.write_notes()

    def keep_last(self, state: State) -> Ending | None:
        """Save the run's end, and return what it ends with; None if it diverged."""
        diverged = self.course.reason == "diverged"
        self._want_best()
        self._keeper.at_the_end(state, self._memory, diverged=diverged)
        if diverged:
            return None
        best = best_ending(state, self._shape, self.index, self.course)
        if best is None:
            return Ending(state.weights, self.directory.step)
        ending, record = best
        self.recorder.note(record)
        return ending

    def take_test(self, measured: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
        """Take note of the metrics on the test split."""
        metrics = {f"test_{name}": shortest(x) for name, x in zip(self._shape.metric_names, measured, strict=True)}
        self.recorder.note(Tested(metrics=metrics))

    def finish(self) -> None:
        """Wait for the disk and write the last record; the run is over for everybody."""
        reason = self.course.reason
        assert reason is not None
        self.recorder.write_steps(at_end=True)
        self.recorder.close(failed=False)
        self._keeper.finish()
        self.flush()
        message = last_words(reason, self.directory.run.status.best)
        self.directory.note(f"{reason}: {message}")
        self.directory.record(Finished(reason=reason, message=message))

    def close(self) -> None:
        """Let go of files and threads."""
        self._keeper.close()
        self.recorder.close(failed=True)

    def _rows_that_count(self, report: Report) -> int:
        """Return how many epochs were over before a trouble that ends this member; others may have gone on."""
        if not self.course.is_careful or report.trouble_step < 0:
            return len(report.rows)
        return max(0, report.trouble_step // self._shape.steps_per_epoch - self.directory.epoch)

    def _act(self, actions: Iterable[Action], end: EpochEnd | None) -> None:
        for action in actions:
            self.course.take(action)
            if isinstance(action, Save):
                self._keeper.want(action, end)

    def _obey(self, command: Command) -> None:
        self.recorder.note(*self.course.obey(command))
        if isinstance(command, SaveCommand):
            self._keeper.want(Save("command", "", None), None)

    def _want_best(self) -> None:
        """Have the best weights saved where those on disk are others: they wait on the device for their turn."""
        checkpoint = self.course.checkpoint
        if checkpoint is not None and (save := checkpoint.best_save()) is not None:
            epoch, action = save
            if not self._keeper.has_best(epoch, action.value):
                self._keeper.want(action, EpochEnd(epoch, {}, self.course.live[RATE]))

    def _memory(self) -> Memory:
        course = self.course
        states = {callback.name: callback.state() for callback in course.callbacks}
        return Memory(states, course.live.as_dict(), self._commands_read, course.reason == "early_stopped")
