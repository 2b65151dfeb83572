"""Optimizers that need no schedule: the weights to use are a mean of those that the steps lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from trainer.fields import live, structural
from trainer.optimizers.section import LEARNING_RATE, Optimizer

if TYPE_CHECKING:
    import optax


class ScheduleFree(Optimizer):
    """What both have."""

    STATE: ClassVar[tuple[str, ...]] = ("kind", "b1")

    lookahead_steps: int = structural(
        0,
        "Not with a schedule-free optimizer, which averages by itself.",
        unit="updates",
        ge=0,
        le=0,
        advanced=True,
        source="Zhang et al. 2019",
    )
    b1: float = structural(
        0.9, "How near to the mean gradients are taken; up to 0.98 for long trainings.",
        gt=0, lt=1, source="Defazio et al. 2024",
    )  # fmt: skip
    weight_decay: float = live(
        0.0,
        "Share of every weight taken off per unit of learning rate; biases and norms are left alone.",
        ge=0,
        source="Defazio et al. 2024",
    )

    @property
    def evaluates_others(self) -> bool:  # noqa: D102
        return True

    def to_evaluate(self, state: optax.OptState, parameters: Any) -> Any:  # noqa: D102
        from optax import contrib

        return contrib.schedule_free_eval_params(self.step_state(state), parameters)

    def by_layer(self, learning_rate: Any, kernels: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax
        from optax import contrib

        from trainer.optimizers.wrapping import decaying

        inner = optax.chain(
            self.scaling(),
            optax.add_decayed_weights(self.weight_decay, decaying(kernels)),
            optax.scale_by_learning_rate(learning_rate),
        )
        return contrib.schedule_free(inner, learning_rate, b1=self.b1)

    def scaling(self) -> optax.GradientTransformation:
        """Return what scales the gradient."""
        raise NotImplementedError


class ScheduleFreeSgd(ScheduleFree):
    """Gradient descent that averages its weights and needs no schedule; where nobody knows how long to train.

    Source: Defazio et al. 2024.
    """

    kind: Literal["schedule_free_sgd"] = "schedule_free_sgd"
    learning_rate: float = live(1.0, LEARNING_RATE, gt=0, le=1e6, source="Defazio et al. 2024")

    def scaling(self) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.identity()


class ScheduleFreeAdamW(ScheduleFree):
    """AdamW that averages its weights and needs no schedule; where nobody knows how long to train.

    Source: Defazio et al. 2024.
    """

    kind: Literal["schedule_free_adamw"] = "schedule_free_adamw"
    learning_rate: float = live(2.5e-3, LEARNING_RATE, gt=0, le=1e6, source="Defazio et al. 2024")
    b2: float = live(
        0.999,
        "Decay of the running mean of the squared gradient; higher is steadier.",
        ge=0,
        lt=1,
        advanced=True,
        source="Kingma and Ba 2015",
    )
    eps: float = live(1e-8, "Added to the root of the square.", gt=0, advanced=True, source="Kingma and Ba 2015")

    def scaling(self) -> optax.GradientTransformation:  # noqa: D102
        import optax

        return optax.scale_by_rms(self.b2, self.eps, eps_in_sqrt=False, bias_correction=True)
