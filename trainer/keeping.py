"""Keeping weights: which checkpoints are due, copied off the device between two calls, written by another thread."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from trainer import callbacks
from trainer.callbacks import EpochEnd, ModelCheckpoint, Save
from trainer.checkpoint_writer import Failed, Saved, Writer
from trainer.checkpoints import Kind, Manifest
from trainer.devices import versions
from trainer.events import CheckpointSaved, Record, SavedAgain, Unsaved, Warned
from trainer.past import commands_known
from trainer.preparation import Prepared
from trainer.run_directory import RunDirectory
from trainer.shape import Shape, watch_of
from trainer.state import State, named_arrays, on_host

_BEST_SHARE: Final = 0.1
_BEST_BOUNDS: Final = (1.0, 10.0)
"""Least seconds between two checkpoints of the best: this share of the training so far, between these bounds. Early on
nearly every epoch is a best one, and the device keeps it until it is its turn."""


_AGAIN_SECONDS: Final = 30.0
"""After which a state is saved in place of a checkpoint that the disk refused, whatever else is due."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    action: Save
    end: EpochEnd | None


@dataclass(frozen=True, slots=True)
class Memory:
    """What the host remembers beside the device's state.

    Attributes:
        callbacks: each callback's memory.
        numbers: the live numbers by key.
        commands_read: bytes of the commands that were obeyed.
        is_stopped_early: whether nothing is to be trained any more, though epochs are left.
    """

    callbacks: Mapping[str, callbacks.State]
    numbers: Mapping[str, float]
    commands_read: int
    is_stopped_early: bool


class Keeper:
    """Carries out the saves that callbacks and people ask for; a newer one of a kind takes the place of an older."""

    def __init__(
        self, prepared: Prepared, directory: RunDirectory, shape: Shape, member: int, checkpoint: ModelCheckpoint | None
    ) -> None:
        """Make a keeper.

        Args:
            prepared: config and data of the run.
            directory: its folder.
            shape: of the population that it is in.
            member: its place along the first axis of the state.
            checkpoint: the callback that says which weights are the best, or None.
        """
        self._section = prepared.config.callbacks.model_checkpoint
        # Made once: to check what is to be known of the data takes longer than to copy the weights.
        self._about = Manifest(kind="last", epoch=0, step=0, time=0, versions=versions(), extra=_about_data(prepared))
        self._directory = directory
        self._shape = shape
        self._member = member
        self._watch = watch_of(checkpoint) if checkpoint else None
        self._writer = Writer(directory.path / "checkpoints", directory.log.sync)
        self._wanted: dict[Kind, _Wanted] = {}
        self._best_due = 0.0
        good = directory.past.good
        self._best = next(((it.step, it.value) for it in good if it.kind == "best"), None)
        manifest = directory.past.manifest
        self._last = (manifest.step, commands_known(manifest)) if manifest else None
        self._copying = self._writing = 0.0
        self._refuses = "checkpoints" in directory.run.status.unsaved
        self._again_due = 0.0

    @property
    def is_enabled(self) -> bool:
        """Return whether checkpoints are written without being asked for."""
        return self._section.enabled

    @property
    def is_due(self) -> bool:
        """Return whether `before_next_call` would copy something."""
        return "last" in self._wanted or ("best" in self._wanted and time.monotonic() >= self._best_due)

    @property
    def cost(self) -> tuple[float, float]:
        """Return the seconds that a state takes to copy, and to write, as it was the last time."""
        return self._copying, self._writing

    def move(self, member: int, shape: Shape) -> None:
        """Be at another place, in another population."""
        self._member, self._shape = member, shape

    def has_state(self, commands_read: int) -> bool:
        """Return whether the newest state that was saved is the one of now, with so many bytes of commands obeyed."""
        return self._last == (self._directory.step, commands_read)

    def has_best(self, epoch: int, value: float | None) -> bool:
        """Return whether the weights of the best epoch, of that value, are the newest of their kind on disk."""
        return self._best == ((epoch + 1) * self._shape.steps_per_epoch, value)

    def want(self, action: Save, end: EpochEnd | None) -> None:
        """Take note of a save; `end` is the epoch it belongs to, if it is at the end of one."""
        if action.reason == "best" and end is not None and self.has_best(end.epoch, action.value):
            self._wanted.pop("best", None)  # resumed, the run has come to where it was before
            return
        self._wanted["best" if action.reason == "best" else "last"] = _Wanted(action, end)

    def before_next_call(self, state: State, memory: Callable[[], Memory]) -> None:
        """Copy what is to be saved, since the next call takes the state's memory over."""
        if self._refuses and time.monotonic() >= self._again_due:
            self._wanted.setdefault("last", _Wanted(Save("again", "", None), None))
        if wanted := self._wanted.pop("last", None):
            self._submit("last", wanted, state, memory())
        if "best" in self._wanted and time.monotonic() >= self._best_due:
            self._submit("best", self._wanted.pop("best"), state, memory())
            least, most = _BEST_BOUNDS
            self._best_due = time.monotonic() + min(most, max(least, _BEST_SHARE * self._directory.seconds))

    def at_the_end(self, state: State, memory: Callable[[], Memory], *, diverged: bool) -> None:
        """Save what is still to be saved, and the last state unless it is one without numbers."""
        if diverged:
            self._wanted.pop("last", None)
        elif self._section.enabled and not self.has_state(memory().commands_read):
            self._wanted.setdefault("last", _Wanted(Save("end", "", None), None))
        self._best_due = 0.0
        self.before_next_call(state, memory)

    def finish(self) -> None:
        """Wait until everything is on disk."""
        self._writer.flush()

    def close(self) -> None:
        """Finish, and end the thread that writes."""
        self._writer.close()

    def news(self) -> Iterator[Record]:
        """Yield records of the checkpoints that are on disk now, and of the first of those that the disk refused."""
        for done in self._writer.completed():
            match done:
                case Saved(path=path, manifest=manifest, seconds=seconds):
                    if manifest.kind == "last":
                        self._writing = seconds
                    yield saved_record(path, manifest)
                    if self._refuses:
                        yield SavedAgain(what="checkpoints")
                    self._refuses = False
                case Failed(message=message, is_lost=False):
                    yield Warned(message=message)
                case Failed(message=message):
                    if not self._refuses:
                        yield Unsaved(what="checkpoints", message=message)
                    self._refuses = True
                    self._again_due = time.monotonic() + _AGAIN_SECONDS

    def _submit(self, kind: Kind, wanted: _Wanted, state: State, memory: Memory) -> None:
        began = time.perf_counter()
        # The last state is where the call ended, perhaps within an epoch; only the best is the one of an epoch's end.
        end = wanted.end if kind == "best" else None
        spe = self._shape.steps_per_epoch
        step = (end.epoch + 1) * spe if end else int(state.step)
        known = {
            "kind": kind,
            "epoch": end.epoch if end else step // spe,
            "step": step,
            "time": time.time(),
            "reason": wanted.action.reason,
            "monitor": wanted.action.monitor or None,
            "value": wanted.action.value,
            "callbacks": {} if end else {name: dict(state) for name, state in memory.callbacks.items()},
            "numbers": {} if end else dict(memory.numbers),
            "extra": self._about.extra if end else {**self._about.extra, **self._to_go_on(memory)},
        }
        tree = {"parameters": self._best_of(state, wanted)} if kind == "best" else state._asdict()
        shared = {"step": np.array(tree.pop("step"))} if "step" in tree else {}
        arrays = {**named_arrays(on_host(tree, self._member)), **shared}
        self._writer.submit(arrays, self._about.model_copy(update=known))
        if kind == "best":
            self._best = step, wanted.action.value
        else:
            self._last, self._copying = (step, memory.commands_read), time.perf_counter() - began

    def _to_go_on(self, memory: Memory) -> dict[str, Any]:
        """Return what else must be known to go on from a state."""
        return {
            "commands_read": memory.commands_read,
            "is_stopped_early": memory.is_stopped_early,
            "population": {"members": self._shape.members, "devices": self._shape.devices},
        }

    def _best_of(self, state: State, wanted: _Wanted) -> Any:
        assert wanted.end is not None
        assert self._watch is not None
        slot = state.slots[self._shape.watches.index(self._watch)]
        assert np.asarray(slot.epoch)[self._member] == wanted.end.epoch
        return slot.parameters


def saved_record(path: Path, manifest: Manifest) -> CheckpointSaved:
    """Return the record of a checkpoint that is on disk."""
    return CheckpointSaved(
        path=f"{path.parent.name}/{path.name}",
        reason=manifest.reason,
        monitor=manifest.monitor,
        value=manifest.value,
        epoch=manifest.epoch,
        step=manifest.step,
    )


def _about_data(prepared: Prepared) -> dict[str, Any]:
    """Return what somebody who uses the weights must know of the data they were trained on."""
    splits = prepared.splits
    return {
        "data": {
            "fingerprint": splits.fingerprint,
            "task": splits.task,
            "feature_names": list(splits.feature_names),
            "target_names": list(splits.target_names),
            **({} if splits.vocabulary is None else {"characters": splits.vocabulary.characters}),
            "x_offset": splits.x_offset.tolist(),
            "x_scale": splits.x_scale.tolist(),
            "y_offset": splits.y_offset.tolist(),
            "y_scale": splits.y_scale.tolist(),
            **({"categories": [list(words) for words in splits.categories]} if splits.categories else {}),
        }
    }
