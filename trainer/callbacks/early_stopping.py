"""Stop the training when a metric no longer improves.

Epoch for epoch as Keras' `EarlyStopping`, except that a missing metric is told once, a non-finite value is never a
reference, and the best epoch is the truly best one: with a large `min_delta` Keras restores the oldest weights of a
slow descent although later ones are better.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from trainer.callbacks.actions import Action, EpochEnd, Progress, Renewal, State, Stop
from trainer.callbacks.monitor import Mode, Monitor, is_better
from trainer.fields import Section, fixed

_SOURCE: Final = "Keras' EarlyStopping"


class EarlyStoppingSection(Section):
    """`callbacks.early_stopping`: Keras' arguments."""

    enabled: bool = fixed(
        False, "Stop when the monitored metric has not improved for `patience` epochs.", source=_SOURCE
    )
    monitor: str = fixed(
        "val_loss",
        "Metric to watch; an epoch without it is told once and uses no patience.",
        min_length=1,
        source=_SOURCE,
    )
    patience: int = fixed(
        5, "Epochs without improvement before the stop; 0 equals 1, as in Keras (where 0 is the default).",
        unit="epochs", ge=0, source=_SOURCE,
    )  # fmt: skip
    min_delta: float = fixed(
        0.0,
        "Smallest change that patience counts as an improvement; its sign is ignored, as in Keras.",
        advanced=True,
        source=_SOURCE,
    )
    mode: Mode = fixed(
        "auto",
        "Whether lower (min) or higher (max) is better; auto knows the usual metrics.",
        source=_SOURCE,
    )
    baseline: float | None = fixed(
        None,
        "Value to beat before an improvement gives patience back; empty for none.",
        advanced=True,
        source=_SOURCE,
    )
    restore_best_weights: bool = fixed(
        True,
        "End with the weights of the truly best epoch, even where `min_delta` hid it from patience.",
        source=_SOURCE,
    )
    start_from_epoch: int = fixed(
        0, "First epoch that is watched, counted from 0; values before it are forgotten.",
        unit="epochs", advanced=True, ge=0, source=_SOURCE,
    )  # fmt: skip


@dataclass(slots=True)
class _Memory:
    wait: int = 0
    best: float | None = None
    best_epoch: int | None = None
    significant_best: float | None = None
    next_epoch: int = 0
    warned: bool = False


class EarlyStopping:
    """Counts epochs without a significant improvement; keeps the true best beside it."""

    name = "early_stopping"

    def __init__(self, section: EarlyStoppingSection) -> None:
        self.section = section
        self.monitor = Monitor(self.name, section.monitor, section.mode, section.min_delta)
        self._memory = _Memory()

    @property
    def horizon(self) -> int:
        """Return the epochs up to the first stop there can be: each one reports the metric, none improves."""
        return self._stop_after(self._first_watched, self._memory.wait) - self._memory.next_epoch + 1

    @property
    def renewal(self) -> Renewal | None:
        """Return that an improvement gives all patience back; with a baseline it may not."""
        if self.section.baseline is not None:
            return None
        return self.monitor.renewal(self._memory.significant_best, max(1, self.section.patience))

    def on_epoch_end(self, end: EpochEnd) -> tuple[Action, ...]:
        """Count the epoch; return `Stop` once patience is used up."""
        memory = self._memory
        memory.next_epoch = end.epoch + 1
        value, warnings = self.monitor.read(end, memory.warned)
        memory.warned |= value is None
        if value is None or end.epoch < self.section.start_from_epoch:
            return warnings
        if is_better(value, memory.best, self.monitor.direction):
            memory.best, memory.best_epoch = value, end.epoch
        # Before the comparison: below the baseline even an improving epoch uses patience.
        memory.wait += 1
        if self.monitor.improves(value, memory.significant_best):
            self._improve(value)
        elif memory.wait >= self.section.patience and end.epoch > 0:
            return (*warnings, Stop(self.section.monitor, memory.best, memory.best_epoch, memory.wait))
        return warnings

    def renew(self) -> None:
        """Give all patience back: somebody wants the run to go on."""
        self._memory.wait = 0

    def state(self) -> State:
        """Return counters and bests."""
        return asdict(self._memory)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._memory = _Memory(**state)

    def progress(self) -> Progress:
        """Return patience used and the epoch of the stop if the metric stood still."""
        memory, section = self._memory, self.section
        return Progress(
            self.name, section.monitor, memory.best, memory.best_epoch, memory.wait, section.patience,
            self._flat_stop(), "stop",
        )  # fmt: skip

    @property
    def _first_watched(self) -> int:
        return max(self._memory.next_epoch, self.section.start_from_epoch)

    def _improve(self, value: float) -> None:
        self._memory.significant_best = value
        if self.section.baseline is None or self.monitor.improves(value, self.section.baseline):
            self._memory.wait = 0

    def _stop_after(self, epoch: int, wait: int) -> int:
        # The first epoch of a run never stops it, whatever the patience.
        return max(epoch + max(1, self.section.patience - wait) - 1, 1)

    def _flat_stop(self) -> int:
        """Return the epoch of the stop on a flat metric, whose first finite value is an improvement over nothing."""
        first, wait = self._first_watched, self._memory.wait
        if self._memory.significant_best is not None:
            return self._stop_after(first, wait)
        return self._stop_after(first + 1, 0 if self.section.baseline is None else wait + 1)
