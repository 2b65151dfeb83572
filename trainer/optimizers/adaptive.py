"""Optimizers that scale each number's step by its past gradients, without a mean of the gradient itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from trainer.fields import live, structural
from trainer.optimizers.section import LEARNING_RATE, Optimizer

if TYPE_CHECKING:
    import optax


class RmsProp(Optimizer):
    """Steps scaled by a running mean of the squared gradient; for recurrent networks.

    Source: Tieleman and Hinton 2012.
    """

    kind: Literal["rmsprop"] = "rmsprop"
    decay: float = live(
        0.9,
        "Decay of the running mean of the squared gradient; higher is steadier.",
        ge=0,
        lt=1,
        advanced=True,
        source="Tieleman and Hinton 2012",
    )
    momentum: float = live(
        0.0, "Share of the last step that is kept; 0.9 is usual, 0 is off.", ge=0, lt=1, source="Polyak 1964"
    )
    eps: float = live(
        1e-8, "Added to the mean square, under the root.", gt=0, advanced=True, source="Tieleman and Hinton 2012"
    )

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.rmsprop(learning_rate, decay=self.decay, eps=self.eps, momentum=self.momentum)


class Adagrad(Optimizer):
    """Steps scaled by the sum of all squared gradients: ever shorter; for rare features.

    Source: Duchi, Hazan and Singer 2011.
    """

    kind: Literal["adagrad"] = "adagrad"
    learning_rate: float = live(1e-2, LEARNING_RATE, gt=0, le=1e6, source="Duchi, Hazan and Singer 2011")
    initial_accumulator_value: float = structural(
        0.1, "What the sums begin with; larger makes the first steps shorter.",
        ge=0, advanced=True, source="Duchi, Hazan and Singer 2011",
    )  # fmt: skip
    eps: float = live(
        1e-7, "Added to the sum, under the root, where it would be 0.", gt=0, advanced=True, source="optax.adagrad"
    )

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.adagrad(learning_rate, self.initial_accumulator_value, self.eps)


class Adadelta(Optimizer):
    """Steps as long as recent steps were, over the size of recent gradients; almost no learning rate to tune.

    Source: Zeiler 2012.
    """

    kind: Literal["adadelta"] = "adadelta"
    learning_rate: float = live(
        1.0, "What each step is multiplied by; 1 is the method's own.", gt=0, le=1e6, source="Zeiler 2012"
    )
    rho: float = live(0.9, "Decay of both running means.", ge=0, lt=1, advanced=True, source="Zeiler 2012")
    eps: float = live(
        1e-6, "Added to both means, under the root; larger makes the first steps longer.", gt=0, source="Zeiler 2012"
    )

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.adadelta(learning_rate, rho=self.rho, eps=self.eps)
