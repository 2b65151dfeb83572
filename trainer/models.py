"""Models: from a batch of inputs to a batch of outputs.

Each kind is one class: its hyperparameters, `init`, which makes the parameters, and `apply`, which uses them. The
parameters are a tree of arrays and nothing else; numbers such as the dropout rate stay in the config, where
they are traced, so that changing one recompiles nothing.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from trainer.fields import Section, Sizes, live, structural

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Bool, Float, PRNGKeyArray

Activation = Literal[
    "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "tanh", "sigmoid", "softplus",
    "soft_sign", "squareplus", "sparse_plus", "sparse_sigmoid", "log_sigmoid", "hard_sigmoid", "hard_silu",
    "hard_tanh", "identity",
]  # fmt: skip
"""Every function of `jax.nn` that acts on each number by itself and is finite on all of them."""

Initializer = Literal[
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal", "orthogonal",
    "zeros", "ones",
]  # fmt: skip
"""Those of `jax.nn.initializers`. The last two cannot break the symmetry between units; they are here to be seen."""


class Noise(NamedTuple):
    """The randomness of an update.

    Attributes:
        key: gives its key, where one is needed.
        is_wanted: from whether this member of a population needs it to whether any does.
    """

    key: Callable[[], PRNGKeyArray]
    is_wanted: Callable[[Bool[Array, ""]], Bool[Array, ""]]


class Dense(NamedTuple):
    """The parameters of a dense layer."""

    weight: Float[Array, "outputs inputs"]
    bias: Float[Array, " outputs"]


class Layer(NamedTuple):
    """One layer of a network, as a summary tells it.

    Attributes:
        name: as in `layer_names`.
        words: what it does, in order, such as "dense relu".
        shape: of its output for one example.
        n_parameters: numbers that it learns.
        flops: of the forward pass for one example. A multiply-add is two; activations and dropout are not counted.
    """

    name: str
    words: str
    shape: tuple[int, ...]
    n_parameters: int
    flops: int


class MLP(Section):
    """Multilayer perceptron: dense layers one after the other, an activation between them."""

    kind: Literal["mlp"] = "mlp"
    hidden: Sizes = structural((128, 128), "Neurons in each hidden layer; empty for a linear model.", max_length=256)
    activation: Activation = structural("relu", "What each hidden neuron does with its sum; relu is the usual start.")
    initializer: Initializer = structural(
        "glorot_uniform", "How the weights start; he fits relu, glorot fits tanh, zeros and ones do not learn.",
        source="Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998; Saxe et al. 2014",
    )  # fmt: skip
    dropout: float = live(
        0.0, "Share of the hidden neurons switched off at random in each update; raise it against overfitting.",
        ge=0, lt=1, source="Srivastava et al. 2014",
    )  # fmt: skip

    def init(self, inputs: int, outputs: int, key: PRNGKeyArray) -> tuple[Dense, ...]:
        """Return the layers; biases start at zero, as in Keras."""
        import jax

        sizes = (inputs, *self.hidden, outputs)
        keys = jax.random.split(key, len(sizes) - 1)
        return tuple(
            Dense(self._weights(key, n_out, n_in), jax.numpy.zeros(n_out))
            for (n_in, n_out), key in zip(itertools.pairwise(sizes), keys, strict=True)
        )

    def apply(
        self, layers: tuple[Dense, ...], x: Float[Array, "batch inputs"], noise: Noise | None
    ) -> Float[Array, "batch outputs"]:
        """Return the outputs; `noise` is the update's randomness, None means evaluation."""
        return self.activations(layers, x, noise)[-1]

    def activations(
        self, layers: tuple[Dense, ...], x: Float[Array, "batch inputs"], noise: Noise | None
    ) -> tuple[Float[Array, "batch units"], ...]:
        """Return what each layer gives to the next, in the order of `layer_names`; the outputs last."""
        import jax

        activation = getattr(jax.nn, self.activation)
        given = []
        for index, layer in enumerate(layers[:-1]):
            x = activation(_dense(layer, x))
            if noise is not None:
                kept = _kept(noise, index, self.dropout, x.shape)
                x = jax.numpy.where(kept, x / (1 - self.dropout), 0).astype(x.dtype)
            given.append(x)
        return *given, _dense(layers[-1], x)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Return a name for each layer of parameters."""
        return *(f"hidden_{index}" for index in range(1, len(self.hidden) + 1)), "output"

    def layers(self, inputs: int, outputs: int) -> tuple[Layer, ...]:
        """Return the layers, first to last."""
        hidden = f"dense {self.activation}" + (f" dropout {self.dropout:g}" if self.dropout else "")
        words = [*[hidden] * len(self.hidden), "dense"]
        sizes = itertools.pairwise((inputs, *self.hidden, outputs))
        return tuple(
            Layer(name, what, (n_out,), (n_in + 1) * n_out, (2 * n_in + 1) * n_out)
            for name, what, (n_in, n_out) in zip(self.layer_names, words, sizes, strict=True)
        )

    def n_parameters(self, inputs: int, outputs: int) -> int:
        """Return how many numbers the layers hold."""
        return sum(layer.n_parameters for layer in self.layers(inputs, outputs))

    def _weights(self, key: PRNGKeyArray, n_out: int, n_in: int) -> Array:
        import jax

        made = getattr(jax.nn.initializers, self.initializer)
        if self.initializer == "orthogonal":
            made = made(column_axis=0)
        elif self.initializer not in ("zeros", "ones"):
            made = made(in_axis=1, out_axis=0)
        return made(key, (n_out, n_in))


def _dense(layer: Dense, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
    # Of the whole batch at once: mapped over its examples and a population's members, XLA would copy and transpose.
    import jax.numpy as jnp

    return jnp.einsum("bi,oi->bo", x, layer.weight) + layer.bias


def _kept(noise: Noise, layer: int, rate: Any, shape: tuple[int, ...]) -> Bool[Array, ...]:
    """Return which numbers dropout leaves on, each with probability 1 - `rate`.

    Deriving the key and drawing cost more than a small layer, so that a rate of 0 does neither.
    """
    import jax
    import jax.numpy as jnp

    def drawn() -> Array:
        return jax.random.bernoulli(jax.random.fold_in(noise.key(), layer), 1 - rate, shape)

    return jax.lax.cond(noise.is_wanted(rate > 0), drawn, lambda: jnp.ones(shape, bool))


AnyModel = MLP
