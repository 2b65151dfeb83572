"""Decide when to write a checkpoint.

As Keras' `ModelCheckpoint`, except that a missing metric (told once) or a non-finite one is never a reason to save
the best, and that a checkpoint keeps the best, so that a worse model replaces nothing later.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from pydantic import ValidationInfo, field_validator

from trainer.callbacks.actions import UNBOUNDED, Action, EpochEnd, Progress, Save, State
from trainer.callbacks.monitor import Mode, Monitor
from trainer.fields import Section, fixed

_SOURCE: Final = "Keras' ModelCheckpoint"


class ModelCheckpointSection(Section):
    """`callbacks.model_checkpoint`: Keras' arguments; the path is the run's own."""

    enabled: bool = fixed(
        True,
        "Write checkpoints while training; off where nothing is to be kept or gone on from.",
        source=_SOURCE,
    )
    monitor: str = fixed("val_loss", "Metric that says which epoch is the best.", source=_SOURCE, min_length=1)
    save_best_only: bool = fixed(
        True,
        "Save only epochs better than all before; one without the metric is told once and not saved.",
        source=_SOURCE,
    )
    mode: Mode = fixed(
        "auto",
        "Whether lower (min) or higher (max) is better; auto knows the usual metrics.",
        source=_SOURCE,
    )
    save_freq: int = fixed(
        0, "Updates between two checkpoints, counted across epochs; 0 for the end of each epoch.",
        unit="updates", advanced=True, ge=0, source=_SOURCE,
    )  # fmt: skip
    initial_value_threshold: float | None = fixed(
        None, "Value that the first best must beat; empty for none.", advanced=True, source=_SOURCE
    )

    @field_validator("save_freq")
    @classmethod
    def _best_is_known_at_epoch_ends(cls, save_freq: int, info: ValidationInfo) -> int:
        # Keras fails here in the first epoch: the monitored metric exists only at the end of one.
        if save_freq and info.data.get("save_best_only"):
            raise ValueError(f"must be 0 while save_best_only is true, got {save_freq}. Set save_best_only = false.")
        return save_freq


@dataclass(slots=True)
class _Memory:
    best: float | None = None
    best_epoch: int | None = None
    next_epoch: int = 0
    saved_step: int = 0
    warned: bool = False


class ModelCheckpoint:
    """Saves each epoch, each best epoch, or every so many updates."""

    name = "model_checkpoint"
    renewal = None

    def __init__(self, section: ModelCheckpointSection) -> None:
        self.section = section
        self.monitor = Monitor(self.name, section.monitor, section.mode)
        self._memory = _Memory(best=section.initial_value_threshold)

    @property
    def horizon(self) -> int:
        """Return 1 if each epoch is saved: what is saved is the state at the end of a call."""
        return UNBOUNDED if self.section.save_best_only or self.section.save_freq else 1

    def updates_until_save(self, step: int) -> int:
        """Return how many updates after `step` a device call may make before `on_updates` must be asked."""
        if not self.section.save_freq:
            return UNBOUNDED
        return max(1, self._memory.saved_step + self.section.save_freq - step)

    def on_updates(self, step: int) -> tuple[Action, ...]:
        """Return `Save` if, at `step` updates done, at least `save_freq` were made since the last one."""
        if not self.section.save_freq or step - self._memory.saved_step < self.section.save_freq:
            return ()
        self._memory.saved_step = step
        return (Save("updates", self.section.monitor, None),)

    def on_epoch_end(self, end: EpochEnd) -> tuple[Action, ...]:
        """Return `Save` for the best epoch so far, or for every one; an epoch may also be both."""
        memory, section = self._memory, self.section
        memory.next_epoch = end.epoch + 1
        if section.save_freq:
            return ()
        value, warnings = self.monitor.read(end, memory.warned)
        memory.warned |= value is None
        # Where each epoch is saved, the metric decides nothing that would be worth a warning.
        actions: tuple[Action, ...] = warnings if section.save_best_only else (Save("epoch", section.monitor, value),)
        if value is not None and self.monitor.improves(value, memory.best):
            memory.best, memory.best_epoch = value, end.epoch
            actions = (Save("best", section.monitor, value), *actions)
        return actions

    def best_save(self) -> tuple[int, Save] | None:
        """Return the epoch of the best weights so far, and the action that saves them; None if there are none."""
        memory = self._memory
        if memory.best_epoch is None:
            return None
        return memory.best_epoch, Save("best", self.section.monitor, memory.best)

    def state(self) -> State:
        """Return the best and the update last saved at."""
        return asdict(self._memory)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._memory = _Memory(**state)

    def progress(self) -> Progress:
        """Return the best so far; a flat metric is saved once, as the first best, unless each epoch is."""
        memory, section = self._memory, self.section
        due = not section.save_freq and (memory.best is None or not section.save_best_only)
        return Progress(
            self.name, section.monitor, memory.best, memory.best_epoch, 0, None,
            memory.next_epoch if due else None, "save",
        )  # fmt: skip
