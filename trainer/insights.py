"""Insights: what somebody who knows would say about the curves, with the numbers it rests on.

Each rule looks at the epochs so far and speaks once. A rule that is not sure says nothing.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from trainer.config import Config

_PATIENCE = 5
"""Epochs that a rule waits before it believes what it sees."""


class Seen(NamedTuple):
    """One sentence and the numbers it rests on."""

    message: str
    evidence: dict[str, Any]


class Insights:
    """The rules over one run."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._epochs: list[Mapping[str, float]] = []
        self._rules: list[Callable[[], Seen | None]] = [
            self._constant_start,
            self._parted_curves,
            self._standing_still,
        ]

    def on_epoch_end(self, metrics: Mapping[str, float]) -> Iterator[Seen]:
        """Take note of an epoch; yield what there is to say now for the first time."""
        self._epochs.append(metrics)
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
        losses = [(epoch["loss"], epoch.get("val_loss", math.nan)) for epoch in self._epochs]
        best = min(range(len(losses)), key=lambda index: _worst_if_nan(losses[index][1]))
        (best_train, best_validation), (train, validation) = losses[best], losses[-1]
        recent = [validation for _, validation in losses[-3:]]
        risen = all(value > 1.1 * best_validation for value in recent)
        if len(losses) - 1 - best < _PATIENCE or not risen or not train < best_train:
            return None
        share = f"{validation / best_validation - 1:.0%} " if best_validation else ""
        return Seen(
            f"overfitting since epoch {best + 1}: val_loss rose {share}from "
            f"{best_validation:.4g} while loss fell to {train:.4g}. Stop there, or try dropout, l2 or more data.",
            {"best_epoch": best, "best_val_loss": best_validation, "val_loss": validation, "loss": train},
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
        losses = [epoch["loss"] for epoch in self._epochs]
        if len(losses) != epochs or not all(map(math.isfinite, losses)):
            return False
        return max(losses) - min(losses) < share * abs(losses[0])


def _worst_if_nan(value: float) -> float:
    return value if math.isfinite(value) else math.inf
