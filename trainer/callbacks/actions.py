"""What passes between the engine and its callbacks: the end of an epoch goes in, actions come out.

A callback never touches the run. It reads an `EpochEnd`, returns actions, and the engine carries them out and records
them. That makes a callback a table of numbers in and words out, which is how it is tested.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, runtime_checkable

UNBOUNDED: Final = 1 << 30
"""Horizon, in epochs, of a callback that cannot change the training."""

Direction = Literal["min", "max"]
"""Which way a metric improves."""

State = dict[str, bool | int | float | str | None]
"""What a callback remembers, as JSON values; floats are finite, so that a round trip is exact."""


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """The end of an epoch, validation included.

    Attributes:
        epoch: index of the epoch, 0-based.
        metrics: name to number; validation metrics carry the prefix `val_`.
        learning_rate: the base rate used in the epoch, before any cut.
    """

    epoch: int
    metrics: Mapping[str, float]
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Stop:
    """End the training after this epoch. `best` and `best_epoch` are None if no finite value was ever seen."""

    monitor: str
    best: float | None
    best_epoch: int | None
    wait: int


@dataclass(frozen=True, slots=True)
class ReduceLearningRate:
    """Use the base rate `to`, a single-precision number, from the next epoch on."""

    from_: float
    to: float
    monitor: str
    best: float | None
    wait: int


@dataclass(frozen=True, slots=True)
class Save:
    """Write a checkpoint.

    Attributes:
        reason: "best" (better than every epoch before), "epoch" (at the end of each), "updates" (every so many),
            "command" (a person asked) or "end" (of the run).
        monitor: name of the monitored metric.
        value: its value in this epoch; None where the reason does not rest on one.
    """

    reason: str
    monitor: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell the person, in one line, and go on."""

    message: str


Action = Stop | ReduceLearningRate | Save | Warn


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a callback stands, for the dashboard.

    Attributes:
        name: the callback's table in the config, as in `callbacks.<name>`.
        monitor: name of the monitored metric.
        best: best value so far, or None.
        best_epoch: epoch of that value, 0-based, or None.
        wait: epochs of patience used.
        patience: epochs of patience there are; None for a callback that has none.
        acts_at_epoch: epoch, 0-based, at whose end it would act if the metric stood still; None for never.
        action: what it would do then, as an imperative.
    """

    name: str
    monitor: str
    best: float | None
    best_epoch: int | None
    wait: int
    patience: int | None
    acts_at_epoch: int | None
    action: str


@dataclass(frozen=True, slots=True)
class Renewal:
    """An improvement within a device call after which the callback cannot act for some epochs more.

    Attributes:
        metric: name of the monitored metric.
        direction: which way it improves.
        reference: finite value that it must improve on.
        min_delta: smallest change that counts, at least 0.
        horizon: epochs after the improvement, of which at most the last can be acted on.
    """

    metric: str
    direction: Direction
    reference: float
    min_delta: float
    horizon: int


@runtime_checkable
class Callback(Protocol):
    """What every monitoring callback offers to the engine."""

    @property
    def name(self) -> str:
        """Return the callback's table in the config, as in `callbacks.<name>`; also its key in a checkpoint."""

    @property
    def horizon(self) -> int:
        """Return how many coming epochs may run in one device call: at most the last of them can be acted on."""

    @property
    def renewal(self) -> Renewal | None:
        """Return what would renew the horizon, or None if nothing does."""

    def on_epoch_end(self, end: EpochEnd) -> tuple[Action, ...]:
        """Take note of an epoch and return what to do, in order."""

    def state(self) -> State:
        """Return what a checkpoint must keep."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""

    def progress(self) -> Progress | None:
        """Return where the callback stands, or None if there is nothing to show."""
