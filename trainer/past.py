"""What a run that is resumed goes on from: a checkpoint, and the records that it wrote before."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from trainer.checkpoints import Arrays, Manifest
from trainer.commands import Command
from trainer.events import Commanded, Epoch, Event, Started, Steps
from trainer.replay import Replay

FORKED: Final = "fork"
"""Why the first checkpoint of a fork was saved: it holds what fits of the run that it is a fork of."""


@dataclass(slots=True)
class Past:
    """Everything that was known; of a new run nothing.

    Attributes:
        events: the records that hold.
        next_seq: number of the next one.
        manifest: of the checkpoint; None to begin with the first update.
        arrays: those of the checkpoint.
        good: all good checkpoints there are, newest first.
        replay: the records beyond it.
        warnings: what was found damaged, one line each.
        together: how many runs its group has, itself included.
        commands_over: bytes of the commands that were there when it was resumed.
    """

    events: Sequence[Event] = ()
    next_seq: int = 0
    manifest: Manifest | None = None
    arrays: Arrays = field(default_factory=dict)
    good: Sequence[Manifest] = ()
    replay: Replay = field(default_factory=Replay)
    warnings: Sequence[str] = ()
    together: int = 1
    commands_over: int = 0

    @property
    def is_new(self) -> bool:
        """Return whether nothing has been done before."""
        return not self.events and self.manifest is None and self.replay.is_over(0)

    @property
    def step(self) -> int:
        """Return the updates done."""
        return self.manifest.step if self.manifest else 0

    @property
    def is_whole(self) -> bool:
        """Return whether the checkpoint holds all of the state."""
        return self.manifest is not None and self.manifest.reason != FORKED

    @property
    def started(self) -> Started | None:
        """Return how the training began, or went on, the last time."""
        return next((event for event in reversed(self.events) if isinstance(event, Started)), None)

    @property
    def has_begun(self) -> bool:
        """Return whether anything was recorded of it before."""
        return bool(self.events)

    @property
    def until_checkpoint(self) -> list[Event]:
        """Return the records of what the checkpoint knows of."""
        return [event for event in self.events if event.step <= self.step and not isinstance(event, Steps)]

    @property
    def commands_read(self) -> int:
        """Return how many bytes of the commands were obeyed."""
        offsets = (event.offset for event in self.events if isinstance(event, Commanded))
        return max(offsets, default=self._commands_known)

    @property
    def commands_obeyed(self) -> list[Command]:
        """Return the commands that the checkpoint knows of."""
        batches = (event for event in self.events if isinstance(event, Commanded))
        return [command for batch in batches if batch.offset <= self._commands_known for command in batch.commands]

    def first_epoch(self, steps_per_epoch: int) -> int:
        """Return the first epoch that the run has, or will have, of its own; that of a fork is a later one."""
        known = next((event.epoch for event in self.events if isinstance(event, Epoch)), None)
        return self.step // steps_per_epoch if known is None else known

    def let_go(self) -> None:
        """Let go of the arrays, once they are on the device."""
        self.arrays = {}

    @property
    def _commands_known(self) -> int:
        return commands_known(self.manifest)


def commands_known(manifest: Manifest | None) -> int:
    """Return how many bytes of the commands a checkpoint knows of."""
    known = manifest.extra.get("commands_read", 0) if manifest else 0
    return known if isinstance(known, int) else 0
