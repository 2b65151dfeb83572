"""Optimizers: how an update follows from a gradient.

Each kind is one class: its hyperparameters and, in `rule`, the Optax transformation made from them. It runs inside the
trace, where the live numbers are traced arrays: changing one recompiles nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from trainer.fields import Section, live, structural

if TYPE_CHECKING:
    import optax


class Optimizer(Section):
    """What every optimizer has."""

    learning_rate: float = live(
        1e-3, "Size of a step; the first thing to tune, in factors of 3. A schedule multiplies it.", gt=0, le=1e6
    )
    global_clipnorm: float = live(
        0.0, "Longest gradient allowed, over all weights; longer ones are scaled down. 0 for no limit.",
        ge=0, advanced=True, source="Pascanu, Mikolov and Bengio 2013",
    )  # fmt: skip

    def build(self, learning_rate: Any) -> optax.GradientTransformation:
        """Return the transformation at this learning rate (a scalar, schedule applied)."""
        from trainer.packing import packed

        return packed(self.rule(learning_rate))

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:
        """Return how each number moves; the rule looks at none of its neighbours."""
        raise NotImplementedError


class Sgd(Optimizer):
    """Stochastic gradient descent."""

    kind: Literal["sgd"] = "sgd"
    learning_rate: float = live(
        1e-2, "Size of a step; the first thing to tune, in factors of 3. A schedule multiplies it.", gt=0, le=1e6
    )
    momentum: float = live(0.0, "Share of the last step that is kept; 0.9 is usual, 0 is plain descent.", ge=0, lt=1)
    nesterov: bool = structural(
        False, "Look ahead along the momentum before the gradient is applied.", source="Sutskever et al. 2013"
    )

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.sgd(learning_rate, momentum=self.momentum, nesterov=self.nesterov)


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square."""

    kind: Literal["adam"] = "adam"
    b1: float = live(0.9, "Decay of the running mean of the gradient.", ge=0, lt=1, advanced=True)
    b2: float = live(0.999, "Decay of the running mean of its square.", ge=0, lt=1, advanced=True)
    eps: float = live(
        1e-8, "Added to the root of the square; raise it when steps explode late in training.",
        gt=0, advanced=True, source="Kingma and Ba 2015",
    )  # fmt: skip

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.adam(learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)


class AdamW(Adam):
    """Adam with weight decay apart from the gradient."""

    kind: Literal["adamw"] = "adamw"  # type: ignore[assignment]
    weight_decay: float = live(
        1e-2, "Share of every weight taken off per unit of learning rate; 0.01 to 0.1 is usual.",
        ge=0, source="Loshchilov and Hutter 2019",
    )  # fmt: skip

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.adamw(learning_rate, b1=self.b1, b2=self.b2, eps=self.eps, weight_decay=self.weight_decay)


class RmsProp(Optimizer):
    """Steps scaled by a running mean of the squared gradient."""

    kind: Literal["rmsprop"] = "rmsprop"
    decay: float = live(0.9, "Decay of the running mean of the squared gradient.", ge=0, lt=1, advanced=True)
    momentum: float = live(0.0, "Share of the last step that is kept.", ge=0, lt=1)
    eps: float = live(
        1e-8, "Added to the mean square, under the root.", gt=0, advanced=True, source="Tieleman and Hinton 2012"
    )

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.rmsprop(learning_rate, decay=self.decay, eps=self.eps, momentum=self.momentum)


AnyOptimizer = Annotated[Sgd | Adam | AdamW | RmsProp, Field(discriminator="kind")]
