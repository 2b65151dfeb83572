"""What the rules look at, and what they say."""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from trainer.callbacks import is_better
from trainer.config import Config
from trainer.events import Layer

DEAD = 0.6
"""Share of a layer's units that may be dead; some are no harm, and more seem so among few examples."""

SMALL_STEP, LONG_STEP = 1e-6, 0.1
"""Length of a step as a share of the weights; between a ten-thousandth and a hundredth of it is usual."""

KEPT = 16
"""Epochs that a rule can look back to."""

_DIAGNOSES = 3
"""Looks inside that must agree before a rule believes them."""


class Seen(NamedTuple):
    """One sentence, with what to do, and the numbers it rests on."""

    message: str
    evidence: dict[str, Any]


class At(NamedTuple):
    """The epoch, 0-based and counted from the first of the story, at which a value was the lowest; and its metrics."""

    epoch: int
    metrics: Mapping[str, float]


@dataclass
class Story:
    """A run so far: how it began, its best, and the last epochs; as long runs take no more memory than short ones.

    Attributes:
        config: what it was started with.
        labels: training examples of each class, by its name; empty where there are no classes.
        first_epoch: the epoch with which the story begins, 0-based; of a fork not the first.
        count: epochs that are over.
        steady: those since the learning rate last rose.
        base_rate: the learning rate last used, without its schedule.
        first: the metrics of the first of them.
        epochs: the metrics of the last of them, `KEPT` at most.
        insides: the layers by name, at the last looks inside.
        best: the best validation loss, or None.
        lowest: the lowest training loss by the end of each of the last epochs, `KEPT` at most, or None.
    """

    config: Config
    labels: Mapping[str, int] = field(default_factory=dict)
    first_epoch: int = 0
    count: int = 0
    steady: int = 0
    base_rate: float = math.nan
    first: Mapping[str, float] = field(default_factory=dict)
    epochs: deque[Mapping[str, float]] = field(default_factory=lambda: deque(maxlen=KEPT))
    insides: deque[Mapping[str, Layer]] = field(default_factory=lambda: deque(maxlen=_DIAGNOSES))
    best: At | None = None
    lowest: deque[At | None] = field(default_factory=lambda: deque(maxlen=KEPT))

    def add(self, metrics: Mapping[str, float], inside: Mapping[str, Layer] | None, base_rate: float) -> None:
        """Take note of an epoch, of the look inside at its end, if there was one, and of the base rate, if known."""
        self.base_rate = base_rate
        now = At(self.count, metrics)
        if not self.count:
            self.first = metrics
        elif metrics.get("learning_rate", math.nan) > self.rate:
            self.steady = 0
        self.count += 1
        self.steady += 1
        self.epochs.append(metrics)
        if inside:
            self.insides.append(inside)
        if is_better(metrics.get("val_loss", math.nan), self.best and self.best.metrics["val_loss"], "min"):
            self.best = now
        lowest = self.lowest[-1] if self.lowest else None
        self.lowest.append(now if is_better(metrics["loss"], lowest and lowest.metrics["loss"], "min") else lowest)

    @property
    def last(self) -> Mapping[str, float]:
        """Return the metrics of the epoch that just ended."""
        return self.epochs[-1]

    @property
    def rate(self) -> float:
        """Return the learning rate last used."""
        return self.last.get("learning_rate", math.nan)

    def advised(self, factor: float) -> str:
        """Return the base rate, which the field holds, times a factor, in brackets; "" where it is not known."""
        return "" if math.isnan(self.base_rate) else f" ({self.base_rate * factor:.3g})"

    @property
    def lowest_loss(self) -> float:
        """Return the lowest training loss so far; NaN where none was a number."""
        lowest = self.lowest[-1]
        return math.nan if lowest is None else lowest.metrics["loss"]

    @property
    def ends_at_zero(self) -> bool:
        """Return whether the best that the loss can be is 0; one that may lie below has no level that means as much."""
        return self.config.loss.kind != "poisson" and not self.lowest_loss < 0

    def rise(self, before: float, after: float) -> float:
        """Return how far a loss has risen, as a share of what it was; NaN where that cannot be told.

        Where the loss does not end at 0, it is a share of how far the training loss has fallen since the first epoch,
        which is the same whatever is added to the loss. A fork does not know how far that was.
        """
        risen = after - before
        if self.ends_at_zero:
            return risen / before if before else math.inf * risen
        fallen = math.nan if self.first_epoch else self.first["loss"] - self.lowest_loss
        return risen / fallen if fallen else math.nan

    @property
    def recent_insides(self) -> list[Mapping[str, Layer]]:
        """Return the last looks inside, enough of them to be believed; none before there are so many."""
        return list(self.insides) if len(self.insides) == _DIAGNOSES else []

    def recent(self, name: str, count: int) -> list[float]:
        """Return a metric of the last epochs, so many of `KEPT` at most; NaN where an epoch lacks it."""
        return [epoch.get(name, math.nan) for epoch in list(self.epochs)[-count:]]

    def recent_losses(self, count: int) -> list[float]:
        """Return the last training losses, all finite and so many, or none."""
        found = self.recent("loss", count)
        return found if len(found) == count and all(map(math.isfinite, found)) else []
