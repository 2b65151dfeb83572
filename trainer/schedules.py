"""Schedules: what the base learning rate is multiplied by, update by update.

Each kind is one class: its hyperparameters and, in `factor`, a formula on traced numbers. The base rate stays a number
of its own, which ReduceLROnPlateau or a person may change under any schedule.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from trainer.fields import Section, live


class Schedule(Section):
    """What every schedule offers."""

    def factor(self, epoch: Any, epochs: Any) -> Any:
        """Return the multiplier of the base learning rate.

        Args:
            epoch: epochs done, a fraction within an epoch: updates done over updates an epoch.
            epochs: epochs of the whole training.
        """
        raise NotImplementedError


class Constant(Schedule):
    """The base rate throughout."""

    kind: Literal["constant"] = "constant"

    def factor(self, epoch: Any, epochs: Any) -> Any:  # noqa: ARG002, D102
        import jax.numpy as jnp

        return jnp.ones(())


class Cosine(Schedule):
    """Half a cosine from the base rate down to a share of it, after a linear warm-up."""

    kind: Literal["cosine"] = "cosine"
    warmup_epochs: float = live(
        0.0, "Epochs over which the rate rises from 0; 1 to 5 % of the training helps Adam and large batches.",
        unit="epochs", ge=0,
    )  # fmt: skip
    alpha: float = live(0.0, "Share of the base rate left at the end.", ge=0, le=1, source="Loshchilov and Hutter 2017")

    def factor(self, epoch: Any, epochs: Any) -> Any:  # noqa: D102
        import jax.numpy as jnp

        rising = epoch / jnp.maximum(self.warmup_epochs, 1e-9)
        share = jnp.clip((epoch - self.warmup_epochs) / jnp.maximum(epochs - self.warmup_epochs, 1e-9), 0, 1)
        falling = self.alpha + (1 - self.alpha) * 0.5 * (1 + jnp.cos(jnp.pi * share))
        return jnp.where(epoch < self.warmup_epochs, rising, falling)


class Exponential(Schedule):
    """The rate falls by the same factor every so many epochs, smoothly."""

    kind: Literal["exponential"] = "exponential"
    decay_rate: float = live(0.9, "What the rate is multiplied by over `transition_epochs`.", gt=0, le=1)
    transition_epochs: float = live(1.0, "Epochs in which the rate falls by `decay_rate` once.", unit="epochs", gt=0)

    def factor(self, epoch: Any, epochs: Any) -> Any:  # noqa: ARG002, D102
        return self.decay_rate ** (epoch / self.transition_epochs)


class Step(Schedule):
    """The rate is cut by the same factor every so many epochs, at once."""

    kind: Literal["step"] = "step"
    decay_rate: float = live(0.1, "What each cut multiplies the rate by.", gt=0, le=1)
    transition_epochs: float = live(10.0, "Epochs between two cuts.", unit="epochs", gt=0)

    def factor(self, epoch: Any, epochs: Any) -> Any:  # noqa: ARG002, D102
        import jax.numpy as jnp

        # A float32 division such as 2.1 / 0.7 may fall a hair short of the whole number that is meant.
        return self.decay_rate ** jnp.floor(epoch / self.transition_epochs + 1e-5)


AnySchedule = Annotated[Constant | Cosine | Exponential | Step, Field(discriminator="kind")]
