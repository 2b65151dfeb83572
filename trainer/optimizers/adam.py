"""Adam and those made from it: steps scaled by running means of the gradient and of its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from trainer.fields import live
from trainer.optimizers.section import Decaying, Optimizer

if TYPE_CHECKING:
    import optax
    from jaxtyping import Array


class Moments(Optimizer):
    """What all of them have: two running means."""

    b1: float = live(
        0.9,
        "Decay of the running mean of the gradient; lower forgets sooner.",
        ge=0,
        lt=1,
        advanced=True,
        source="Kingma and Ba 2015",
    )
    b2: float = live(
        0.999,
        "Decay of the running mean of its square; 0.95 to 0.99 where the loss jumps late.",
        ge=0,
        lt=1,
        advanced=True,
        source="Kingma and Ba 2015",
    )
    eps: float = live(
        1e-8, "Added to the root of the square; raise it when steps explode late in training.",
        gt=0, advanced=True, source="Kingma and Ba 2015",
    )  # fmt: skip


class Adam(Moments):
    """Steps scaled by running means of the gradient and of its square; the first choice, forgiving of its rate.

    Source: Kingma and Ba 2015.
    """

    kind: Literal["adam"] = "adam"

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.chain(_scaled_by_adam(self.b1, self.b2, self.eps), optax.scale_by_learning_rate(learning_rate))


class AdamW(Decaying, Adam):
    """Adam with weight decay apart from the gradient; the first choice for transformers and against overfitting.

    Source: Loshchilov and Hutter 2019.
    """

    kind: Literal["adamw"] = "adamw"  # type: ignore[assignment]


class Nadam(Moments):
    """Adam that looks ahead along the momentum, as Nesterov did; sometimes a little faster than Adam.

    Source: Dozat 2016.
    """

    kind: Literal["nadam"] = "nadam"

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.nadam(learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)


class NadamW(Decaying, Nadam):
    """Nadam with weight decay apart from the gradient; sometimes a little faster than AdamW.

    Source: Dozat 2016; Loshchilov and Hutter 2019.
    """

    kind: Literal["nadamw"] = "nadamw"  # type: ignore[assignment]


class Adamax(Moments):
    """Adam scaled by the largest recent gradient instead of the mean square; calm with rare, large gradients.

    Source: Kingma and Ba 2015.
    """

    kind: Literal["adamax"] = "adamax"

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.adamax(learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)


class AdaBelief(Moments):
    """Adam scaled by how far gradients stray from their mean: long steps where they agree; if Adam validates poorly.

    Source: Zhuang et al. 2020.
    """

    kind: Literal["adabelief"] = "adabelief"
    eps: float = live(
        1e-16, "Added to the root of the mean stray, and to the stray itself.",
        gt=0, advanced=True, source="Zhuang et al. 2020",
    )  # fmt: skip

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.adabelief(learning_rate, b1=self.b1, b2=self.b2, eps=self.eps, eps_root=self.eps)


class RAdam(Moments):
    """Adam that warms itself up: plain momentum until the mean square can be trusted; in place of a warm-up.

    Source: Liu et al. 2020.
    """

    kind: Literal["radam"] = "radam"
    threshold: float = live(
        5.0, "Length of the memory of squares from which it is trusted.",
        ge=4, advanced=True, source="Liu et al. 2020",
    )  # fmt: skip

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.radam(learning_rate, b1=self.b1, b2=self.b2, eps=self.eps, threshold=self.threshold)


def _scaled_by_adam(b1: Any, b2: Any, eps: Any) -> optax.GradientTransformation:
    """Return `optax.scale_by_adam` with its two corrections as factors.

    Optax divides by them, and XLA then divides each number of each array: 4 % of an update of 100,000 weights.
    """
    import jax
    import jax.numpy as jnp
    import optax

    def update(
        gradient: optax.Updates,
        state: optax.ScaleByAdamState,
        parameters: optax.Params | None = None,  # noqa: ARG001
    ) -> tuple[optax.Updates, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        mu = optax.tree.update_moment(gradient, state.mu, b1, 1)
        nu = optax.tree.update_moment(gradient, state.nu, b2, 2)
        of_mean, of_square = (1 / (1 - decay**count) for decay in (b1, b2))

        def step(mean: Array, square: Array) -> Array:
            found: Array = mean * of_mean / (jnp.sqrt(square * of_square) + eps)
            return found

        return jax.tree.map(step, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(optax.scale_by_adam().init, update)
