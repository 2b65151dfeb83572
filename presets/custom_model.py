"""A network of your own: what `presets/custom-model.toml` names in `model.target`.

Copy both into a folder of yours and change them: a preset runs the module beside it.

nn-tui calls the function with the preset's table `[model.arguments]`, the shape of one example, the number of outputs
and a key; it returns an Equinox module. The module sees ONE example. nn-tui maps it over the batch, finds its float
arrays, trains them, keeps the best ones and saves them.

What this one does: a mixture of experts. Several small networks stand side by side, and a gate decides for each
example how much each of them has to say. Source: Jacobs et al. 1991, "Adaptive Mixtures of Local Experts".
"""

import math
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class Experts(eqx.Module):
    """A few networks of one hidden layer each, and the gate that chooses among them."""

    gate: eqx.nn.Linear
    experts: eqx.nn.MLP
    dropout: eqx.nn.Dropout

    def __init__(self, config: Mapping[str, Any], n_inputs: int, n_outputs: int, key: PRNGKeyArray) -> None:
        """Make the layers; every random number comes from the key, so that a seed says all."""
        of_gate, *of_experts = jax.random.split(key, config["experts"] + 1)

        def expert(key: PRNGKeyArray) -> eqx.nn.MLP:
            return eqx.nn.MLP(n_inputs, n_outputs, config["width"], depth=1, key=key)

        self.gate = eqx.nn.Linear(n_inputs, config["experts"], key=of_gate)
        # One MLP whose arrays have a further axis, one place along it for each expert: all are computed at once.
        self.experts = eqx.filter_vmap(expert)(jnp.stack(of_experts))
        self.dropout = eqx.nn.Dropout(config["dropout"])

    def __call__(self, x: Float[Array, "..."], *, key: PRNGKeyArray | None = None) -> Float[Array, " outputs"]:
        """Return the outputs for one example.

        Args:
            x: its numbers; a picture comes as rows, columns, channels.
            key: of this example in this update, while training; None when nn-tui evaluates, and then dropout is off.
        """
        x = self.dropout(x.ravel(), key=key)
        shares = jax.nn.softmax(self.gate(x))
        opinions = eqx.filter_vmap(lambda expert: expert(x))(self.experts)
        mixed: Array = shares @ opinions
        return mixed


def network(config: Mapping[str, Any], input_shape: tuple[int, ...], output_size: int, key: PRNGKeyArray) -> Experts:
    """Return the module with its first weights. This is what `model.target` names.

    Args:
        config: the preset's table `[model.arguments]`; the form, `--set` and comparisons show its values too.
        input_shape: of one example: (features,) of a table, (rows, columns, channels) of a picture.
        output_size: numbers to return: one a class, or one for each number that is predicted.
        key: for the first weights; it comes from `training.seed`.
    """
    return Experts(config, math.prod(input_shape), output_size, key)
