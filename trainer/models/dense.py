"""Dense layers, and what may follow the weighted sums of any layer: norm, activation, dropout."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from trainer.models.network import Block, Layer, Noise, Statistics
from trainer.models.section import Activation, Initializer, Norm, weights

if TYPE_CHECKING:
    from jaxtyping import Array, Float, PRNGKeyArray

_EPSILON: Final = 1e-5
"""Added to the variance, as in PyTorch."""

_REMEMBERED: Final = 0.9
"""Share of the running statistics that is kept at each batch, as in PyTorch."""


class Dense(NamedTuple):
    """The parameters of a dense layer."""

    weight: Float[Array, "outputs inputs"]
    bias: Float[Array, " outputs"]


class Scale(NamedTuple):
    """The parameters of a norm; statistics only where it goes over the batch."""

    scale: Float[Array, " units"]
    offset: Float[Array, " units"]
    statistics: Statistics | None


class Hidden(NamedTuple):
    """The parameters of a dense layer with a norm."""

    dense: Dense
    norm: Scale


class Finish(NamedTuple):
    """What follows the weighted sums.

    Attributes:
        norm: before the activation.
        activation: "identity" for none.
        dropout: rate, a number or traced.
    """

    norm: Norm = "none"
    activation: Activation = "identity"
    dropout: Any = 0.0

    @property
    def words(self) -> str:
        """Return what it does, in order; each word with a space before it."""
        norm = f" {self.norm}_norm" if self.norm != "none" else ""
        activation = f" {self.activation}" if self.activation != "identity" else ""
        return norm + activation + (f" dropout {self.dropout:g}" if self.dropout else "")

    def n_parameters(self, units: int) -> int:
        """Return how many numbers the norm learns."""
        return 2 * units if self.norm != "none" else 0

    def init(self, units: int) -> Scale | None:
        """Return the parameters of the norm, if there is one."""
        return scale(self.norm, units)

    def apply(self, norm: Scale | None, x: Array, place: int, noise: Noise | None) -> tuple[Array, Scale | None]:
        """Return the sums, finished, and the norm after it saw them; arguments as for `Block.apply`."""
        import jax

        if norm is not None:
            x, norm = normalized(norm, x, noise is not None)
        x = getattr(jax.nn, self.activation)(x)
        return dropped(x, place, self.dropout, noise), norm


_PLAIN: Final = Finish()


@dataclass(frozen=True)
class DenseBlock(Block):
    """Weighted sums of all that comes in, or of its mean over the places of a picture or a sequence."""

    n_inputs: int
    n_outputs: int
    initializer: Initializer
    finish: Finish = _PLAIN
    is_residual: bool = False
    is_mean: bool = False

    @property
    def layer(self) -> Layer:  # noqa: D102
        mean, residual = "mean " if self.is_mean else "", " residual" if self.is_residual else ""
        n_in, n_out = self.n_inputs, self.n_outputs
        n_parameters = (n_in + 1) * n_out + self.finish.n_parameters(n_out)
        words = f"{mean}dense{self.finish.words}{residual}"
        return Layer(self.name, words, (n_out,), n_parameters, (2 * n_in + 1) * n_out)

    def init(self, key: PRNGKeyArray) -> Dense | Hidden:
        """Return the layer; its bias starts at zero, as in Keras."""
        dense = dense_parameters(self.initializer, key, self.n_inputs, self.n_outputs)
        norm = self.finish.init(self.n_outputs)
        return dense if norm is None else Hidden(dense, norm)

    def apply(  # noqa: D102
        self, parameters: Dense | Hidden, x: Array, noise: Noise | None
    ) -> tuple[Float[Array, "batch outputs"], Dense | Hidden]:
        x = x.mean(axis=tuple(range(1, x.ndim - 1))) if self.is_mean else x.reshape(len(x), -1)
        layer, norm = parameters if isinstance(parameters, Hidden) else (parameters, None)
        y, norm = self.finish.apply(norm, dense(layer, x), self.place, noise)
        return (x + y if self.is_residual else y), parameters if norm is None else Hidden(layer, norm)


def dense_parameters(initializer: Initializer, key: PRNGKeyArray, n_inputs: int, n_outputs: int) -> Dense:
    """Return a dense layer to begin with."""
    import jax.numpy as jnp

    return Dense(weights(initializer, key, (n_outputs, n_inputs), 1, 0), jnp.zeros(n_outputs))


def dense(layer: Dense, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
    """Return the weighted sums."""
    # Of the whole batch at once, its places in one axis: mapped over examples and a population's members, and for the
    # gradient of several axes, XLA would copy and transpose.
    import jax.numpy as jnp

    sums = jnp.einsum("bi,oi->bo", x.reshape(-1, x.shape[-1]), layer.weight) + layer.bias
    return sums.reshape(*x.shape[:-1], -1)


def dropped(x: Array, place: int, rate: Any, noise: Noise | None) -> Array:
    """Return the numbers with a share of them at 0, and the others larger so that the mean stays."""
    import jax.numpy as jnp

    if noise is None or (isinstance(rate, float) and not rate):
        return x
    # By one number, and last: the other way round XLA writes an array of it for the way back, at a rate of 0 too.
    scaled: Array = jnp.where(noise.kept(place, rate, x.shape), x, 0) * (1 / (1 - rate))
    return scaled.astype(x.dtype)


def scale(norm: Norm, units: int) -> Scale | None:
    """Return the parameters of a norm to begin with, which change nothing but mean and variance."""
    import jax.numpy as jnp

    if norm == "none":
        return None
    seen = Statistics(jnp.zeros(units), jnp.ones(units)) if norm == "batch" else None
    return Scale(jnp.ones(units), jnp.zeros(units), seen)


def normalized(norm: Scale, x: Array, is_training: bool) -> tuple[Array, Scale]:
    """Return the units at zero mean and unit variance, then scaled, and the norm after it saw them.

    Over the batch, and all places of a picture or a sequence, where there are statistics; else over each place's units.
    In float32 at least. Source: Ba, Kiros and Hinton 2016; Ioffe and Szegedy 2015.
    """
    import jax
    import jax.numpy as jnp

    values, seen = x.astype(jnp.promote_types(x.dtype, jnp.float32)), norm.statistics
    if seen is None:
        mean, variance = values.mean(-1, keepdims=True), values.var(-1, keepdims=True)
    elif is_training:
        axes = tuple(range(x.ndim - 1))
        mean, variance = values.mean(axes), values.var(axes)
        norm = norm._replace(statistics=_remembered(seen, mean, variance, math.prod(x.shape[:-1])))
    else:
        mean, variance = seen
    centred = (values - mean) * jax.lax.rsqrt(variance + _EPSILON)
    return (centred * norm.scale + norm.offset).astype(x.dtype), norm


def _remembered(before: Statistics, mean: Array, variance: Array, count: int) -> Statistics:
    """Return the running statistics; as in PyTorch, of the variance as it is estimated from so many values."""
    fair = variance * count / max(1, count - 1)
    pairs = zip(before, (mean, fair), strict=True)
    return Statistics(*(_REMEMBERED * old + (1 - _REMEMBERED) * new for old, new in pairs))
