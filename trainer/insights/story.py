"""What the rules look at, and what they say."""

import math
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

_DIAGNOSES = 3
"""Looks inside that must agree before a rule believes them."""


class Seen(NamedTuple):
    """One sentence, with what to do, and the numbers it rests on."""

    message: str
    evidence: dict[str, Any]


@dataclass
class Story:
    """A run so far.

    Attributes:
        config: what it was started with.
        labels: training examples of each class, by its name; empty where there are no classes.
        first_epoch: the epoch that `epochs` begins with, 0-based; of a fork not the first.
        epochs: the metrics of each epoch.
        insides: the layers by name, at each epoch that was looked into.
        best: epoch with the best validation loss, 0-based, or None.
        losses: the training loss of each epoch.
        lowest: after each epoch, the one with the lowest training loss so far, 0-based, or None.
    """

    config: Config
    labels: Mapping[str, int] = field(default_factory=dict)
    first_epoch: int = 0
    epochs: list[Mapping[str, float]] = field(default_factory=list)
    insides: list[Mapping[str, Layer]] = field(default_factory=list)
    best: int | None = None
    losses: list[float] = field(default_factory=list)
    lowest: list[int | None] = field(default_factory=list)

    def add(self, metrics: Mapping[str, float], inside: Mapping[str, Layer] | None) -> None:
        """Take note of an epoch, and of the look inside at its end, if there was one."""
        known = None if self.best is None else self.epochs[self.best]["val_loss"]
        self.epochs.append(metrics)
        if is_better(metrics.get("val_loss", math.nan), known, "min"):
            self.best = len(self.epochs) - 1
        if inside:
            self.insides.append(inside)
        lowest = self.lowest[-1] if self.lowest else None
        self.losses.append(metrics["loss"])
        if is_better(metrics["loss"], None if lowest is None else self.losses[lowest], "min"):
            lowest = len(self.losses) - 1
        self.lowest.append(lowest)

    @property
    def first(self) -> Mapping[str, float]:
        """Return the metrics of the first epoch."""
        return self.epochs[0]

    @property
    def last(self) -> Mapping[str, float]:
        """Return the metrics of the epoch that just ended."""
        return self.epochs[-1]

    @property
    def rate(self) -> float:
        """Return the learning rate last used."""
        return self.last.get("learning_rate", math.nan)

    @property
    def recent_insides(self) -> list[Mapping[str, Layer]]:
        """Return the last looks inside, enough of them to be believed; none before there are so many."""
        return self.insides[-_DIAGNOSES:] if len(self.insides) >= _DIAGNOSES else []

    def recent_losses(self, count: int) -> list[float]:
        """Return the last training losses, all finite and so many, or none."""
        found = self.losses[-count:]
        return found if len(found) == count and all(map(math.isfinite, found)) else []
