"""Schedules: what the base learning rate is multiplied by, update by update.

Each kind is one class: its hyperparameters and, in `factor`, a formula on traced numbers. The base rate stays a number
of its own, which ReduceLROnPlateau or a person may change under any schedule.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from trainer.fields import Numbers, Section, live, structural
from trainer.lazy import np

_HAIR = 1 + 1e-6
"""A float32 division such as 2.1 / 0.7 may fall a hair short of the whole number that is meant."""

_NOTHING = 1e-9
"""Stands for no epochs at all where they divide."""

_PLACES = 65
"""At so many places two schedules are compared."""


class Schedule(Section):
    """What every schedule offers."""

    def factor(self, epoch: Any, epochs: Any) -> Any:
        """Return the multiplier of the base learning rate.

        Args:
            epoch: epochs done, a fraction within an epoch: updates done over updates an epoch.
            epochs: epochs of the whole training.
        """
        raise NotImplementedError


class WarmedUp(Schedule):
    """A schedule that begins with a linear warm-up."""

    warmup_epochs: float = live(
        0.0, "Epochs over which the rate rises from 0; 1 to 5 % of the training helps Adam and large batches.",
        unit="epochs", ge=0, source="Goyal et al. 2017",
    )  # fmt: skip

    def factor(self, epoch: Any, epochs: Any) -> Any:  # noqa: D102
        import jax.numpy as jnp

        rising = epoch / jnp.maximum(self.warmup_epochs, _NOTHING)
        then = self.after_warmup(epoch - self.warmup_epochs, epochs - self.warmup_epochs)
        return jnp.where(epoch < self.warmup_epochs, rising, then)

    def after_warmup(self, epoch: Any, epochs: Any) -> Any:
        """Return the multiplier, with the end of the warm-up as the beginning. Arguments as for `factor`."""
        raise NotImplementedError


class Falling(WarmedUp):
    """A schedule that falls from the base rate to a share of it."""

    alpha: float = live(
        0.0, "Share of the base rate left at the end; above 0 it learns on to the last epoch.", ge=0, le=1,
        source="eta_min of Loshchilov and Hutter 2017",
    )  # fmt: skip

    def after_warmup(self, epoch: Any, epochs: Any) -> Any:  # noqa: D102
        return self.alpha + (1 - self.alpha) * self.left(self.done(epoch, epochs))

    def done(self, epoch: Any, epochs: Any) -> Any:
        """Return the share of the time that is over, from 0 to 1. Arguments as for `after_warmup`."""
        return _share(epoch, epochs)

    def left(self, done: Any) -> Any:
        """Return the share of the fall that is left when such a share of the time is over."""
        raise NotImplementedError


class Constant(Schedule):
    """The base rate throughout; to begin with, and for reduce_lr_on_plateau to cut."""

    kind: Literal["constant"] = "constant"

    def factor(self, epoch: Any, epochs: Any) -> Any:  # noqa: ARG002, D102
        import jax.numpy as jnp

        return jnp.ones(())


class Cosine(Falling):
    """Half a cosine from the base rate down, after a linear warm-up; the first choice to end well.

    Source: Loshchilov and Hutter 2017.
    """

    kind: Literal["cosine"] = "cosine"

    def left(self, done: Any) -> Any:  # noqa: D102
        return _half_cosine(done)


class CosineRestarts(Falling):
    """Cosines one after the other, each from the base rate down; to leave a poor minimum again.

    The linear warm-up, once at the beginning, is not in the paper.

    Source: Loshchilov and Hutter 2017.
    """

    kind: Literal["cosine_restarts"] = "cosine_restarts"
    cycle_epochs: float = live(
        10.0, "Length of the first cycle; a tenth to a half of the training.", unit="epochs", gt=0,
        source="T_0 of Loshchilov and Hutter 2017",
    )  # fmt: skip
    cycle_growth: float = live(
        2.0, "How many times as long as the one before each cycle is; 1 keeps them equal.", ge=1, le=100,
        source="T_mult of Loshchilov and Hutter 2017",
    )  # fmt: skip

    def done(self, epoch: Any, epochs: Any) -> Any:  # noqa: ARG002, D102
        import jax.numpy as jnp

        # Cycles that grow by next to nothing are equal ones, and need no formula of their own.
        growth = jnp.maximum(self.cycle_growth - 1, 1e-12)
        cycles = jnp.log1p(growth * epoch / self.cycle_epochs) / jnp.log1p(growth)
        grown = jnp.expm1(jnp.floor(cycles * _HAIR) * jnp.log1p(growth))
        return _share(epoch - self.cycle_epochs * grown / growth, self.cycle_epochs * (1 + grown))

    def left(self, done: Any) -> Any:  # noqa: D102
        return _half_cosine(done)


class Linear(Falling):
    """A straight line from the base rate down, after a linear warm-up; usual for transformers.

    Source: Devlin et al. 2019.
    """

    kind: Literal["linear"] = "linear"

    def left(self, done: Any) -> Any:  # noqa: D102
        return 1 - done


class Polynomial(Falling):
    """A power of the time that is left, after a linear warm-up; to end more gently than a straight line.

    Source: Chen et al. 2017.
    """

    kind: Literal["polynomial"] = "polynomial"
    power: float = live(
        2.0, "1 is a straight line; higher falls sooner and ends more gently.", gt=0, le=100, source="Chen et al. 2017"
    )

    def left(self, done: Any) -> Any:  # noqa: D102
        return (1 - done) ** self.power


class OneCycle(Schedule):
    """Half a cosine up to the base rate, then far down; for short trainings, at a rate too high to start with.

    The momentum takes no part.

    Source: Smith and Topin 2019, as optax.cosine_onecycle_schedule.
    """

    kind: Literal["one_cycle"] = "one_cycle"
    pct_start: float = live(
        0.3, "Share of the training in which the rate rises; raise it where the start is unstable.", ge=0, le=1,
        source="Smith and Topin 2019",
    )  # fmt: skip
    div_factor: float = live(
        25.0, "What the base rate is divided by at the start.", ge=1, le=1e6, source="Smith and Topin 2019"
    )
    final_div_factor: float = live(
        1e4, "What the rate of the start is divided by at the end.", ge=1, le=1e9, source="Smith and Topin 2019"
    )

    def factor(self, epoch: Any, epochs: Any) -> Any:  # noqa: D102
        import jax.numpy as jnp

        rise, start = self.pct_start * epochs, 1 / self.div_factor
        end = start / self.final_div_factor
        rising = 1 + (start - 1) * _half_cosine(_share(epoch, rise))
        falling = end + (1 - end) * _half_cosine(_share(epoch - rise, epochs - rise))
        return jnp.where(epoch < rise, rising, falling)


class Exponential(Schedule):
    """The rate falls by the same factor every so many epochs, smoothly; where nobody knows how long to train.

    Source: optax.exponential_decay.
    """

    kind: Literal["exponential"] = "exponential"
    decay_rate: float = live(
        0.9,
        "What the rate is multiplied by over `transition_epochs`; 1 is off.",
        gt=0,
        le=1,
        source="optax.exponential_decay",
    )
    transition_epochs: float = live(
        1.0,
        "Epochs in which the rate falls by `decay_rate` once.",
        unit="epochs",
        gt=0,
        source="optax.exponential_decay",
    )

    def factor(self, epoch: Any, epochs: Any) -> Any:  # noqa: ARG002, D102
        return self.decay_rate ** (epoch / self.transition_epochs)


class InverseSqrt(WarmedUp):
    """The rate falls with the square root of the time, after a linear warm-up; for long trainings of transformers.

    The paper's rate at the end of the warm-up is the base rate here.

    Source: Vaswani et al. 2017.
    """

    kind: Literal["inverse_sqrt"] = "inverse_sqrt"
    warmup_epochs: float = live(
        1.0, "Epochs over which the rate rises from 0; halved after four times as long. 0: no rise, halved after 3.",
        unit="epochs", ge=0, source="Vaswani et al. 2017",
    )  # fmt: skip

    def after_warmup(self, epoch: Any, epochs: Any) -> Any:  # noqa: ARG002, D102
        import jax.numpy as jnp

        # The length of the warm-up says how fast the rate falls; without one, as after one of an epoch.
        length = jnp.where(self.warmup_epochs > 0, self.warmup_epochs, 1.0)
        return jnp.sqrt(length / (length + epoch))


class Step(Schedule):
    """The rate is cut by the same factor every so many epochs, at once; where cuts should come at equal times.

    Source: optax.exponential_decay with staircase.
    """

    kind: Literal["step"] = "step"
    decay_rate: float = live(
        0.1,
        "What each cut multiplies the rate by; 0.1 is usual, 0.5 is gentle.",
        gt=0,
        le=1,
        source="optax.exponential_decay",
    )
    transition_epochs: float = live(
        10.0,
        "Epochs between two cuts; a third of the training makes two.",
        unit="epochs",
        gt=0,
        source="optax.exponential_decay",
    )

    def factor(self, epoch: Any, epochs: Any) -> Any:  # noqa: ARG002, D102
        import jax.numpy as jnp

        return self.decay_rate ** jnp.floor(epoch / self.transition_epochs * _HAIR)


class Piecewise(Schedule):
    """The rate is multiplied by a factor of its own at each of some epochs, at once; to do a paper's training again.

    Source: optax.piecewise_constant_schedule.
    """

    kind: Literal["piecewise"] = "piecewise"
    boundaries: Numbers = structural(
        (10.0, 20.0),
        "Epochs after which the rate changes, ascending.",
        unit="epochs",
        max_length=64,
        source="optax.piecewise_constant_schedule",
    )
    factors: Numbers = structural(
        (0.1, 0.1), "What each change multiplies the rate by, on top of those before it.",
        max_length=64, validate_default=True, source="optax.piecewise_constant_schedule",
    )  # fmt: skip

    @field_validator("boundaries")
    @classmethod
    def _ascend(cls, boundaries: Numbers) -> Numbers:
        if list(boundaries) != sorted(set(boundaries)):
            raise ValueError(f"must ascend, got {list(boundaries)}.")
        return boundaries

    @field_validator("factors")
    @classmethod
    def _one_each(cls, factors: Numbers, info: ValidationInfo) -> Numbers:
        boundaries = info.data.get("boundaries", factors)
        if len(factors) != len(boundaries):
            raise ValueError(f"must be as many as schedule.boundaries, {len(boundaries)}, got {len(factors)}.")
        return factors

    def factor(self, epoch: Any, epochs: Any) -> Any:  # noqa: ARG002, D102
        import jax.numpy as jnp

        is_over = jnp.asarray(epoch)[..., None] * _HAIR >= jnp.asarray(self.boundaries)
        return jnp.where(is_over, jnp.asarray(self.factors), 1.0).prod(axis=-1)


def depends_on_length(schedule: Schedule, before: int, after: int) -> bool:
    """Return whether a schedule gives another rate, before either end, where a training has another count of epochs."""
    places = np.linspace(0, min(before, after), _PLACES)
    return bool(np.any(np.asarray(schedule.factor(places, before)) != np.asarray(schedule.factor(places, after))))


def _share(epoch: Any, epochs: Any) -> Any:
    import jax.numpy as jnp

    return jnp.clip(epoch / jnp.maximum(epochs, _NOTHING), 0, 1)


def _half_cosine(share: Any) -> Any:
    """Return half a cosine: from 1 at 0 down to 0 at 1."""
    import jax.numpy as jnp

    return 0.5 * (1 + jnp.cos(jnp.pi * share))


AnySchedule = Annotated[
    Constant | Cosine | CosineRestarts | Linear | Polynomial | OneCycle | Exponential | InverseSqrt | Step | Piecewise,
    Field(discriminator="kind"),
]
