"""Insights: what somebody who knows would say about the curves, with the numbers it rests on.

Each rule looks at the epochs so far and speaks once. A rule that is not sure says nothing.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from trainer.callbacks import is_better
from trainer.config import Config

_PATIENCE = 5
"""Epochs that a rule waits before it believes what it sees."""

_PARTED = 10
"""Epochs without a better validation loss before curves count as parted; noise makes many a shorter pause."""


class Seen(NamedTuple):
    """One sentence and the numbers it rests on."""

    message: str
    evidence: dict[str, Any]


class Insights:
    """The rules over one run."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._epochs: list[Mapping[str, float]] = []
        self._best: int | None = None
        self._best_value: float | None = None
        self._rules: list[Callable[[], Seen | None]] = [
            self._constant_start,
            self._parted_curves,
            self._standing_still,
        ]

    def on_epoch_end(self, metrics: Mapping[str, float]) -> Iterator[Seen]:
        """Take note of an epoch; yield what there is to say now for the first time."""
        self._epochs.append(metrics)
        if is_better(metrics.get("val_loss", math.nan), self._best_value, "min"):
            self._best, self._best_value = len(self._epochs) - 1, metrics["val_loss"]
        for rule in tuple(self._rules):
            if seen := rule():
                self._rules.remove(rule)
                yield seen

    def _constant_start(self) -> Seen | None:
        """Weights that start equal stay equal within a layer, and with zeros no gradient passes at all."""
        model = self._config.model
        if model.initializer not in ("zeros", "ones") or not model.hidden or not self._still(3, 0.05):
            return None
        first, last = self._epochs[0]["loss"], self._epochs[-1]["loss"]
        return Seen(
            f'model.initializer = "{model.initializer}" cannot learn: all neurons of a layer start equal, get the same '
            f"gradient and stay equal (loss {first:.4g} -> {last:.4g}). Use glorot_uniform.",
            {"initializer": model.initializer, "first_loss": first, "last_loss": last},
        )

    def _parted_curves(self) -> Seen | None:
        """Overfitting: validation has risen for some epochs from its best while training still falls."""
        if self._best is None or len(self._epochs) - 1 - self._best < _PARTED:
            return None
        best, now = self._epochs[self._best], self._epochs[-1]
        lowest = best["val_loss"]
        recent = [epoch.get("val_loss", math.nan) for epoch in self._epochs[-_PATIENCE:]]
        if not all(value > 1.1 * lowest for value in recent) or not now["loss"] < min(
            0.98 * best["loss"], now["val_loss"] / 1.3
        ):
            return None
        share = f"{now['val_loss'] / lowest - 1:.0%} " if lowest else ""
        return Seen(
            f"overfitting since epoch {self._best + 1}: val_loss rose {share}from {lowest:.4g} "
            f"while loss fell to {now['loss']:.4g}. Stop there, or try dropout, l2 or more data.",
            {
                "best_epoch": self._best,
                "best_val_loss": best["val_loss"],
                "val_loss": now["val_loss"],
                "loss": now["loss"],
            },
        )

    def _standing_still(self) -> Seen | None:
        """The loss has not moved since the start, with weights that could learn."""
        if self._config.model.initializer in ("zeros", "ones") or not self._still(_PATIENCE, 0.01):
            return None
        rate = self._epochs[-1]["learning_rate"]
        return Seen(
            f"the loss has not moved in {len(self._epochs)} epochs ({self._epochs[-1]['loss']:.4g}). "
            f"Try a learning rate ten times as high ({rate * 10:.3g}).",
            {"loss": self._epochs[-1]["loss"], "learning_rate": rate},
        )

    def _still(self, epochs: int, share: float) -> bool:
        """Say whether exactly this many epochs are over and the loss moved by less than a share of itself."""
        if len(self._epochs) != epochs:
            return False
        losses = [epoch["loss"] for epoch in self._epochs]
        return all(map(math.isfinite, losses)) and max(losses) - min(losses) < share * abs(losses[0])
