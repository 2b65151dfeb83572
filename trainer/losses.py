"""Losses: how wrong each example's output is.

Each kind is one class: its hyperparameters and, in `per_example`, a formula from outputs and targets to one number an
example. Class targets arrive one-hot, so that every loss sees targets of the outputs' shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from trainer.class_weights import ClassWeight
from trainer.fields import Section, fixed, live
from trainer.task import Task

if TYPE_CHECKING:
    from jaxtyping import Array, Float

LEAST = 1e-7
"""Keras' epsilon: what probabilities and divisors are at least."""

_SMOOTHING = "Share of each target spread over all classes; 0.1 curbs overconfidence, 0 is off."


class Loss(Section):
    """What every loss offers.

    Attributes:
        tasks: what it can train. Of a text each token is a class, with an axis more: [batch, context, tokens].
        least_target: the smallest target that it is defined for, in the target's own units, which must then not be
            scaled; None for any.
        takes_mixed: whether it is defined for targets between the classes.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({"classification", "regression"})
    least_target: ClassVar[float | None] = None
    takes_mixed: ClassVar[bool] = True

    class_weight: ClassWeight = fixed(
        "none", 'How much each class counts: "balanced" by how rare it is, or a list in the order of the classes.',
        advanced=True, source="King and Zeng 2001",
    )  # fmt: skip

    def per_example(
        self, outputs: Float[Array, "*batch outputs"], targets: Float[Array, "*batch outputs"]
    ) -> Float[Array, "*batch"]:
        """Return the loss of each example, or of each of its tokens."""
        raise NotImplementedError

    def probabilities(self, outputs: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
        """Return the probability of each class; a loss that measures distances trains the outputs towards 0 and 1."""
        return outputs.clip(0, 1)

    def log_probabilities(self, outputs: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
        """Return the logarithms of the probabilities, made to add up to 1 and at least `LEAST`."""
        import jax.numpy as jnp

        shares = self.probabilities(outputs)
        return jnp.log(jnp.maximum(shares / jnp.maximum(shares.sum(axis=-1, keepdims=True), LEAST), LEAST))

    def predictions(self, outputs: Float[Array, "batch outputs"]) -> Float[Array, "batch outputs"]:
        """Return what the outputs say of the targets, in the targets' units; of classes whatever has the same order."""
        return outputs


class Exclusive(Loss):
    """A loss of classes of which exactly one is right: the outputs are the logits of a softmax."""

    tasks = frozenset({"classification", "language_modeling"})

    def probabilities(self, outputs: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:  # noqa: D102
        import jax

        return jax.nn.softmax(outputs)

    def log_probabilities(self, outputs: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:  # noqa: D102
        import jax

        return jax.nn.log_softmax(outputs)


class Auto(Loss):
    """Softmax cross-entropy for classes and tokens, mean squared error for numbers; right for most tasks."""

    tasks = frozenset({"classification", "regression", "language_modeling"})
    kind: Literal["auto"] = "auto"


class SoftmaxCrossEntropy(Exclusive):
    """Negative log-likelihood of the class, of which there is exactly one; the first choice for classes.

    Source: Bridle 1990; optax.softmax_cross_entropy.
    """

    kind: Literal["softmax_cross_entropy"] = "softmax_cross_entropy"
    label_smoothing: float = live(0.0, _SMOOTHING, ge=0, lt=1, source="Szegedy et al. 2016")

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "*batch outputs"], targets: Float[Array, "*batch outputs"]
    ) -> Float[Array, "*batch"]:
        import optax

        return optax.softmax_cross_entropy(outputs, optax.smooth_labels(targets, self.label_smoothing))


class Focal(Exclusive):
    """Softmax cross-entropy in which examples that are answered well count less; where most are easy.

    Source: Lin et al. 2017.
    """

    takes_mixed = False
    kind: Literal["focal"] = "focal"
    gamma: float = live(
        2.0, "How much less easy examples count; 0 is softmax cross-entropy, 2 helps where most are easy.",
        ge=0, le=100, source="Lin et al. 2017",
    )  # fmt: skip

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "*batch outputs"], targets: Float[Array, "*batch outputs"]
    ) -> Float[Array, "*batch"]:
        import jax
        import jax.numpy as jnp

        others = jnp.where(targets > 0, -jnp.inf, outputs)
        # In logarithms, since 1 - p has no digits left where p is almost 1.
        log_doubt = jax.nn.logsumexp(others, axis=-1) - jax.nn.logsumexp(outputs, axis=-1)
        return -jnp.exp(self.gamma * log_doubt) * (targets * jax.nn.log_softmax(outputs)).sum(axis=-1)


class KLDivergence(Exclusive):
    """Softmax cross-entropy less what no answer could avoid; reaches 0 even where targets are smoothed.

    Source: Kullback and Leibler 1951; optax.kl_divergence.
    """

    kind: Literal["kl_divergence"] = "kl_divergence"
    label_smoothing: float = live(0.1, _SMOOTHING, ge=0, lt=1, source="Kullback and Leibler 1951; Szegedy et al. 2016")

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "*batch outputs"], targets: Float[Array, "*batch outputs"]
    ) -> Float[Array, "*batch"]:
        import jax
        import optax

        return optax.kl_divergence(jax.nn.log_softmax(outputs), optax.smooth_labels(targets, self.label_smoothing))


class Hinge(Exclusive):
    """How far the right output is from being 1 above all others and above 0; to learn from the doubtful ones alone.

    Its scores are no logits: their softmax has the right order and no more.

    Source: Crammer and Singer 2001; Keras' CategoricalHinge.
    """

    tasks = frozenset({"classification"})
    takes_mixed = False
    kind: Literal["hinge"] = "hinge"

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "*batch outputs"], targets: Float[Array, "*batch outputs"]
    ) -> Float[Array, "*batch"]:
        import jax.numpy as jnp

        right, wrong = (targets * outputs).sum(axis=-1), ((1 - targets) * outputs).max(axis=-1)
        return jnp.maximum(1 + wrong - right, 0)


class SigmoidCrossEntropy(Loss):
    """Mean over the classes of a yes-or-no question for each; where more than one may seem right.

    Source: Keras' BinaryCrossentropy.
    """

    tasks = frozenset({"classification"})
    kind: Literal["sigmoid_cross_entropy"] = "sigmoid_cross_entropy"
    label_smoothing: float = live(
        0.0, "Share of each target moved towards one half; 0 is off.", ge=0, lt=1, source="Szegedy et al. 2016"
    )

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "*batch outputs"], targets: Float[Array, "*batch outputs"]
    ) -> Float[Array, "*batch"]:
        import optax

        smoothed = targets * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        return optax.sigmoid_binary_cross_entropy(outputs, smoothed).mean(axis=-1)

    def probabilities(self, outputs: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:  # noqa: D102
        import jax

        return jax.nn.sigmoid(outputs)


class MeanSquaredError(Loss):
    """Mean of the squared differences: large errors count most; the first choice for numbers.

    Source: Legendre 1805; Keras' MeanSquaredError.
    """

    kind: Literal["mse"] = "mse"

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "*batch outputs"], targets: Float[Array, "*batch outputs"]
    ) -> Float[Array, "*batch"]:
        import optax

        return optax.squared_error(outputs, targets).mean(axis=-1)


class MeanAbsoluteError(Loss):
    """Mean of the absolute differences: every unit of error counts the same; where there are outliers.

    Source: Laplace 1774; Keras' MeanAbsoluteError.
    """

    kind: Literal["mae"] = "mae"

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "*batch outputs"], targets: Float[Array, "*batch outputs"]
    ) -> Float[Array, "*batch"]:
        import jax.numpy as jnp

        return jnp.abs(outputs - targets).mean(axis=-1)


class Huber(Loss):
    """Squared for small differences, absolute for large ones; where outliers should pull less.

    Source: Huber 1964.
    """

    kind: Literal["huber"] = "huber"
    delta: float = live(
        1.0, "Difference, in units of the target as trained on, from which the loss is linear.", gt=0,
        source="Huber 1964",
    )  # fmt: skip

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "*batch outputs"], targets: Float[Array, "*batch outputs"]
    ) -> Float[Array, "*batch"]:
        import optax

        return optax.huber_loss(outputs, targets, delta=self.delta).mean(axis=-1)


class LogCosh(Loss):
    """Squared for small differences, absolute for large ones, smoothly; as huber, with no delta to choose.

    Source: Keras' LogCosh.
    """

    kind: Literal["log_cosh"] = "log_cosh"

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "*batch outputs"], targets: Float[Array, "*batch outputs"]
    ) -> Float[Array, "*batch"]:
        import optax

        return optax.log_cosh(outputs, targets).mean(axis=-1)


class Poisson(Loss):
    """For counts: the outputs are logarithms of expected counts, the loss their negative log-likelihood.

    What depends on the targets alone is left out, so that the loss may be below 0.

    Source: Nelder and Wedderburn 1972.
    """

    tasks = frozenset({"regression"})
    least_target = 0.0
    kind: Literal["poisson"] = "poisson"

    def per_example(  # noqa: D102
        self, outputs: Float[Array, "*batch outputs"], targets: Float[Array, "*batch outputs"]
    ) -> Float[Array, "*batch"]:
        import jax.numpy as jnp

        return (jnp.exp(outputs) - targets * outputs).mean(axis=-1)

    def predictions(self, outputs: Float[Array, "batch outputs"]) -> Float[Array, "batch outputs"]:  # noqa: D102
        import jax.numpy as jnp

        return jnp.exp(outputs)


def resolve(loss: Loss, task: Task) -> Loss:
    """Return the loss that `auto` stands for with this task; any other as it is."""
    if not isinstance(loss, Auto):
        return loss
    return MeanSquaredError() if task == "regression" else SoftmaxCrossEntropy()


AnyLoss = Annotated[
    Auto | SoftmaxCrossEntropy | Focal | KLDivergence | SigmoidCrossEntropy | Hinge | MeanSquaredError
    | MeanAbsoluteError | Huber | LogCosh | Poisson,
    Field(discriminator="kind"),
]  # fmt: skip
