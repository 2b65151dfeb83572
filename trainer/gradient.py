"""The gradient of a batch, penalties included, and how it is limited."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from trainer import augmenting, batches, forward, keys, losses
from trainer.batches import Batch
from trainer.config import Config
from trainer.losses import Loss
from trainer.models import Noise
from trainer.models.network import trained, with_statistics
from trainer.shape import Shape
from trainer.state import MEMBERS, Data, Parameters, State


class Gradient(NamedTuple):
    """The gradient of a batch, penalties included, and what the batch's metrics are made of.

    Attributes:
        gradient: of what is trained.
        loss: mean over the batch, classes weighted, without penalties.
        per_example: losses, without weights.
        outputs: of the network.
        batch: the examples, as the network was given them.
        seen: the parameters after the network has seen the batch, statistics included.
    """

    gradient: Parameters
    loss: Float[Array, ""]
    per_example: Float[Array, " batch"]
    outputs: Float[Array, "batch *context outputs"]
    batch: Batch
    seen: Parameters


def gradient_of(shape: Shape, config: Config, data: Data, state: State, start: Int[Array, ""]) -> Gradient:
    """Return the gradient of the batch that starts at this place of the epoch's order."""
    batch = batches.batch_at(shape, data, state, start)
    if config.augmentation.enabled:
        batch = augmenting.augmented(shape, config, batch, _noise(shape, state, keys.AUGMENTATION))
    noise = _noise(shape, state, keys.DROPOUT)
    loss_function = losses.resolve(config.loss, shape.task)

    def objective(parameters: Parameters) -> tuple[Array, tuple[Array, Array, Parameters]]:
        whole = with_statistics(parameters, state.parameters)
        outputs, seen = forward.seen(shape, config, whole, batch.x, noise)
        per_example = forward.losses_of(loss_function, outputs, batch.targets)
        counted = per_example
        if shape.weighs_classes:
            counted = _weighted(config, loss_function, outputs, batch, per_example, data.own.class_weights)
        return (counted * batch.weights).sum() / batch.weights.sum(), (per_example, outputs, seen)

    parameters = trained(state.parameters)
    (loss, (per_example, outputs, seen)), gradient = jax.value_and_grad(objective, has_aux=True)(parameters)
    if config.optimizer.sam:
        gradient = jax.grad(objective, has_aux=True)(_uphill(config, parameters, gradient))[0]
    gradient = _with_penalties(config, parameters, gradient, shape.network(config).kernels(parameters))
    return Gradient(gradient, loss, per_example, outputs, batch, seen)


def clipped(config: Config, gradients: Parameters, grad_norm: Array) -> Parameters:
    """Limit the length of the gradient, and then each of its numbers."""
    longest, largest = config.optimizer.global_clipnorm, config.optimizer.clipvalue
    scale = jnp.where((longest > 0) & (grad_norm > longest), longest / grad_norm, 1.0)
    bound = jnp.where(largest > 0, largest, jnp.inf)

    def limited(gradient: Array) -> Array:
        # Not `jnp.clip`, whose rules for what is no number cost an update of a large network a hundredth.
        gradient = gradient * scale
        return jnp.where(gradient > bound, bound, jnp.where(gradient < -bound, -bound, gradient))

    return jax.tree.map(limited, gradients)


def _weighted(
    config: Config, loss: Loss, outputs: Array, batch: Batch, per_example: Array, weights: Float[Array, " classes"]
) -> Float[Array, " batch"]:
    """Return the loss of each example times the weight of its class; of a mixed one the sum over both, by share.

    With all weights at 1 it is the loss of the mixed targets themselves, as without weights.
    """
    if not config.augmentation.enabled:
        return per_example * (batch.targets * weights).sum(axis=-1)
    n_classes = len(weights)
    shares, classes = lax.top_k(batch.targets, min(2, n_classes))
    parts = [forward.losses_of(loss, outputs, jax.nn.one_hot(its, n_classes)) for its in classes.T]
    by_share = (shares * weights[classes] * jnp.stack(parts, axis=-1)).sum(axis=-1)
    return jnp.where((weights == 1).all(), per_example, by_share)


def _with_penalties(config: Config, parameters: Parameters, gradients: Parameters, kernels: Any) -> Parameters:
    """Add the gradients of l1 * sum |w| and l2 * sum w^2 over the weights; biases are left alone, as in Keras."""
    l1, l2 = config.regularization.l1, config.regularization.l2

    def add(weight: Array, gradient: Array, kernel: Any) -> Array:
        return gradient + l1 * jnp.sign(weight) + 2 * l2 * weight if kernel else gradient

    return jax.tree.map(add, parameters, gradients, kernels)


def _uphill(config: Config, parameters: Parameters, gradient: Parameters) -> Parameters:
    """Return where the loss is worst nearby, to first order. Source: Foret et al. 2021, equation 2."""
    distance = config.optimizer.sam_rho / jnp.maximum(optax.tree.norm(gradient), np.finfo(np.float32).tiny)
    return jax.tree.map(lambda weight, slope: weight + distance * slope, parameters, gradient)


def _noise(shape: Shape, state: State, purpose: int) -> Noise:
    return Noise(partial(keys.key, state.seed, purpose, state.step), partial(_any_member, shape))


def _any_member(shape: Shape, it_is: Bool[Array, ""]) -> Bool[Array, ""]:
    return lax.pmax(it_is.astype(jnp.int32), MEMBERS) > 0 if shape.members > 1 else it_is
