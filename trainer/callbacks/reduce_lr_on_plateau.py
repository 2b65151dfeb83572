"""Cut the learning rate when a metric no longer improves.

Epoch for epoch as Keras' `ReduceLROnPlateau`, except that a missing metric is told once and a non-finite value is never
a reference. The rate is compared with its floor in single precision, which is what the optimizer holds.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from trainer.callbacks.actions import UNBOUNDED, Action, EpochEnd, Progress, ReduceLearningRate, Renewal, State
from trainer.callbacks.monitor import Mode, Monitor, single
from trainer.fields import Section, fixed

_SOURCE: Final = "Keras' ReduceLROnPlateau"


class ReduceLROnPlateauSection(Section):
    """`callbacks.reduce_lr_on_plateau`: Keras' arguments."""

    enabled: bool = fixed(
        False,
        "Cut the learning rate when the metric has not improved for `patience` epochs.",
        source=_SOURCE,
    )
    monitor: str = fixed(
        "val_loss",
        "Metric to watch; an epoch without it is told once and uses no patience.",
        source=_SOURCE,
        min_length=1,
    )
    factor: float = fixed(0.5, "What a cut multiplies the learning rate by (0.1 in Keras).", gt=0, lt=1, source=_SOURCE)
    patience: int = fixed(
        3,
        "Epochs without improvement before a cut (10 in Keras); 0 equals 1, as in Keras.",
        unit="epochs",
        ge=0,
        source=_SOURCE,
    )
    min_delta: float = fixed(
        1e-4,
        "Smallest change that counts as an improvement; its sign is ignored, as in Keras.",
        advanced=True,
        source=_SOURCE,
    )
    mode: Mode = fixed(
        "auto",
        "Whether lower (min) or higher (max) is better; auto knows the usual metrics.",
        source=_SOURCE,
    )
    cooldown: int = fixed(
        0, "Epochs after a cut before patience counts again; 1 equals 0, as in Keras.",
        unit="epochs", advanced=True, ge=0, source=_SOURCE,
    )  # fmt: skip
    min_lr: float = fixed(0.0, "Floor of the learning rate: no cut goes below it.", advanced=True, ge=0, source=_SOURCE)


@dataclass(slots=True)
class _Memory:
    wait: int = 0
    cooldown: int = 0
    best: float | None = None
    best_epoch: int | None = None
    learning_rate: float | None = None
    next_epoch: int = 0
    warned: bool = False


class ReduceLROnPlateau:
    """Counts epochs without improvement; a cut does not forget the best."""

    name = "reduce_lr_on_plateau"

    def __init__(self, section: ReduceLROnPlateauSection) -> None:
        self.section = section
        self.monitor = Monitor(self.name, section.monitor, section.mode, section.min_delta)
        self._memory = _Memory()

    @property
    def horizon(self) -> int:
        """Return the epochs up to the first cut there can be: each one reports the metric, none improves."""
        memory = self._memory
        return UNBOUNDED if self._at_floor() else self._epochs_to_cut(memory.cooldown, memory.wait)

    @property
    def renewal(self) -> Renewal | None:
        """Return that an improvement gives all patience back; at the floor there is no need of any."""
        return None if self._at_floor() else self.monitor.renewal(self._memory.best, max(1, self.section.patience))

    def on_learning_rate_set(self, learning_rate: float) -> None:
        """Take note of the base rate before the first epoch, and of one that a person sets, perhaps off the floor."""
        self._memory.learning_rate = learning_rate

    def on_epoch_end(self, end: EpochEnd) -> tuple[Action, ...]:
        """Count the epoch; return `ReduceLearningRate` once patience is used up and the floor leaves room."""
        memory = self._memory
        memory.next_epoch, memory.learning_rate = end.epoch + 1, end.learning_rate
        value, warnings = self.monitor.read(end, memory.warned)
        memory.warned |= value is None
        if value is None:
            return warnings
        if memory.cooldown > 0:
            memory.cooldown, memory.wait = memory.cooldown - 1, 0
        if self.monitor.improves(value, memory.best):
            memory.best, memory.best_epoch, memory.wait = value, end.epoch, 0
            return warnings
        # Tested after the countdown: that is why a cooldown of 1 equals none.
        if memory.cooldown == 0:
            memory.wait += 1
            if memory.wait >= self.section.patience and not self._at_floor():
                return (*warnings, self._cut(end.learning_rate))
        return warnings

    def state(self) -> State:
        """Return counters, best and the rate."""
        return asdict(self._memory)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._memory = _Memory(**state)

    def progress(self) -> Progress:
        """Return patience used and the epoch of the next cut if the metric stood still."""
        memory, section = self._memory, self.section
        rate = memory.learning_rate
        action = "cut the learning rate" if rate is None else f"cut the learning rate to {self._lower(rate):.3g}"
        # At the floor the counter goes on, as Keras' does, and nothing comes of it.
        used = min(memory.wait, section.patience)
        return Progress(
            self.name, section.monitor, memory.best, memory.best_epoch, used, section.patience, self._flat_cut(), action
        )

    def _cut(self, rate: float) -> ReduceLearningRate:
        memory = self._memory
        cut = ReduceLearningRate(rate, self._lower(rate), self.section.monitor, memory.best, memory.wait)
        memory.learning_rate, memory.cooldown, memory.wait = cut.to, self.section.cooldown, 0
        return cut

    def _lower(self, rate: float) -> float:
        return single(max(single(rate) * self.section.factor, self.section.min_lr))

    def _at_floor(self) -> bool:
        rate = self._memory.learning_rate
        return rate is not None and single(rate) <= single(self.section.min_lr)

    def _epochs_to_cut(self, cooldown: int, wait: int) -> int:
        patience = self.section.patience
        return cooldown - 1 + max(1, patience) if cooldown > 0 else max(1, patience - wait)

    def _flat_cut(self) -> int | None:
        """Return the epoch of the cut on a flat metric, whose first finite value is an improvement over nothing."""
        memory = self._memory
        if self._at_floor():
            return None
        if memory.best is not None:
            return memory.next_epoch + self._epochs_to_cut(memory.cooldown, memory.wait) - 1
        return memory.next_epoch + self._epochs_to_cut(max(memory.cooldown - 1, 0), 0)
