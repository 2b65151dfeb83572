"""Optimizers whose step has a size that does not depend on past gradients' sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from trainer.fields import live, structural
from trainer.optimizers.section import LEARNING_RATE, RATES, Decaying, Optimizer

if TYPE_CHECKING:
    import optax


class Sgd(Optimizer):
    """Stochastic gradient descent, with momentum if you like; takes tuning, and often validates best on pictures.

    Source: Robbins and Monro 1951; momentum: Polyak 1964.
    """

    kind: Literal["sgd"] = "sgd"
    learning_rate: float = live(1e-2, LEARNING_RATE, gt=0, le=1e6, source=RATES)
    momentum: float = live(
        0.0, "Share of the last step that is kept; 0.9 is usual, 0 is plain descent.", ge=0, lt=1, source="Polyak 1964"
    )
    nesterov: bool = structural(
        False, "Look ahead along the momentum before the gradient is applied.", source="Sutskever et al. 2013"
    )

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.sgd(learning_rate, momentum=self.momentum, nesterov=self.nesterov)


class Lion(Decaying):
    """Steps of one size in the direction of the momentum's sign; less memory than Adam, for large networks.

    Source: Chen et al. 2023.
    """

    kind: Literal["lion"] = "lion"
    learning_rate: float = live(
        1e-4,
        "Size of a step; a third to a tenth of what suits Adam. A schedule multiplies it.",
        gt=0,
        le=1e6,
        source="Chen et al. 2023",
    )
    b1: float = live(
        0.9, "Share of the momentum in the direction of a step.",
        ge=0, lt=1, advanced=True, source="Chen et al. 2023",
    )  # fmt: skip
    b2: float = live(
        0.99, "Decay of the momentum; 0.98 to 0.99 is usual.", ge=0, lt=1, advanced=True, source="Chen et al. 2023"
    )

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.lion(learning_rate, b1=self.b1, b2=self.b2, weight_decay=0.0)
