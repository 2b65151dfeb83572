"""Losses: how wrong each example's output is.

Each kind is one class: its hyperparameters and, in `per_example`, a formula from outputs and targets to one number an
example. Class targets arrive one-hot, so that every loss sees targets of the outputs' shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from trainer.fields import Section, live

if TYPE_CHECKING:
    from jaxtyping import Array, Float

Task = Literal["classification", "regression"]

_SMOOTHING = "Share of each target spread over all classes; 0.1 curbs overconfidence, 0 is off."


class Loss(Section):
    """What every loss offers."""

    tasks: ClassVar[frozenset[Task]] = frozenset({"classification", "regression"})

    def per_example(
        self, outputs: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> Float[Array, " batch"]:
        """Return the loss of each example."""
        raise NotImplementedError

    def probabilities(self, outputs: Float[Array, "batch classes"]) -> Float[Array, "batch classes"]:
        """Return the probability of each class; a loss that measures distances trains the outputs towards 0 and 1."""
        return outputs.clip(0, 1)


class Auto(Loss):
    """Softmax cross-entropy for classes, mean squared error for numbers."""

    kind: Literal["auto"] = "auto"


class SoftmaxCrossEntropy(Loss):
    """Negative log-likelihood of the class, of which there is exactly one."""

    tasks = frozenset({"classification"})
    kind: Literal["softmax_cross_entropy"] = "softmax_cross_entropy"
    label_smoothing: float = live(0.0, _SMOOTHING, ge=0, lt=1, source="Szegedy et al. 2016")

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> Float[Array, " batch"]:
        import optax

        return optax.softmax_cross_entropy(outputs, optax.smooth_labels(targets, self.label_smoothing))

    def probabilities(self, outputs: Float[Array, "batch classes"]) -> Float[Array, "batch classes"]:  # noqa: D102
        import jax

        return jax.nn.softmax(outputs)


class SigmoidCrossEntropy(Loss):
    """Mean over the classes of a yes-or-no question for each."""

    tasks = frozenset({"classification"})
    kind: Literal["sigmoid_cross_entropy"] = "sigmoid_cross_entropy"
    label_smoothing: float = live(
        0.0, "Share of each target moved towards one half; 0 is off.", ge=0, lt=1, source="Szegedy et al. 2016"
    )

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> Float[Array, " batch"]:
        import optax

        smoothed = targets * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        return optax.sigmoid_binary_cross_entropy(outputs, smoothed).mean(axis=-1)

    def probabilities(self, outputs: Float[Array, "batch classes"]) -> Float[Array, "batch classes"]:  # noqa: D102
        import jax

        return jax.nn.sigmoid(outputs)


class MeanSquaredError(Loss):
    """Mean of the squared differences: large errors count most."""

    kind: Literal["mse"] = "mse"

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> Float[Array, " batch"]:
        import optax

        return optax.squared_error(outputs, targets).mean(axis=-1)


class MeanAbsoluteError(Loss):
    """Mean of the absolute differences: every unit of error counts the same."""

    kind: Literal["mae"] = "mae"

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> Float[Array, " batch"]:
        import jax.numpy as jnp

        return jnp.abs(outputs - targets).mean(axis=-1)


class Huber(Loss):
    """Squared for small differences, absolute for large ones: outliers pull less."""

    kind: Literal["huber"] = "huber"
    delta: float = live(
        1.0, "Difference, in units of the target as trained on, from which the loss is linear.", gt=0,
        source="Huber 1964",
    )  # fmt: skip

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> Float[Array, " batch"]:
        import optax

        return optax.huber_loss(outputs, targets, delta=self.delta).mean(axis=-1)


def resolve(loss: Loss, task: Task) -> Loss:
    """Return the loss that `auto` stands for with this task; any other as it is."""
    if not isinstance(loss, Auto):
        return loss
    return SoftmaxCrossEntropy() if task == "classification" else MeanSquaredError()


AnyLoss = Annotated[
    Auto | SoftmaxCrossEntropy | SigmoidCrossEntropy | MeanSquaredError | MeanAbsoluteError | Huber,
    Field(discriminator="kind"),
]
