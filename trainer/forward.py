"""What the model makes of examples, and what that is measured by."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from trainer import losses, placement
from trainer.config import Config
from trainer.losses import Loss
from trainer.measures import by_example
from trainer.metrics import Metrics
from trainer.models import Noise
from trainer.models.network import trained, with_statistics
from trainer.shape import Shape
from trainer.state import Data, Parameters


def metrics_of(shape: Shape, scale: Array, offset: Array, mean: Array) -> Metrics:
    """Return what to measure; scale, offset and mean are those of the targets."""
    loss = losses.resolve(shape.config.loss, shape.task)
    return Metrics(shape.task, shape.config.metrics, loss, shape.n_outputs, scale, offset, mean)


def metrics_on(shape: Shape, data: Data) -> Metrics:
    """Return what to measure on these examples."""
    its = data.own.fold if shape.most_train else data
    return metrics_of(shape, its.target_scale, its.target_offset, its.target_mean)


def as_targets(shape: Shape, y: Array) -> Float[Array, "batch *context outputs"]:
    """Return what the outputs are compared with: classes and tokens one-hot, numbers as they are."""
    return y if shape.task == "regression" else jax.nn.one_hot(y, shape.n_outputs)


def losses_of(
    loss: Loss, outputs: Float[Array, "batch *context outputs"], targets: Float[Array, "batch *context outputs"]
) -> Float[Array, " batch"]:
    """Return the loss of each example: of a text the mean over its tokens."""
    return by_example(loss.per_example(outputs, targets))


def inputs_of(
    shape: Shape, config: Config, parameters: Parameters, x: Num[Array, "batch inputs"]
) -> tuple[Parameters, Num[Array, "batch inputs"]]:
    """Return what goes into the layers: numbers at the config's precision, the batch split over the devices.

    Tokens and numbers of categories are not to be rounded: with them the examples stay as they are, and the first
    block, which looks them up, casts the others.
    """
    dtype, x = config.training.precision, placement.split(shape, x)
    cast = jax.tree.map(lambda leaf: leaf.astype(dtype), trained(parameters))
    is_looked_up = shape.inputs.vocabulary or shape.inputs.categories
    return with_statistics(cast, parameters), x if is_looked_up else x.astype(dtype)


def outputs_of(
    shape: Shape, config: Config, parameters: Parameters, x: Num[Array, "batch inputs"], noise: Noise | None
) -> Float[Array, "batch *context outputs"]:
    """Return what the model makes of a batch, float32 at any precision."""
    return seen(shape, config, parameters, x, noise)[0]


def seen(
    shape: Shape, config: Config, parameters: Parameters, x: Num[Array, "batch inputs"], noise: Noise | None
) -> tuple[Float[Array, "batch *context outputs"], Parameters]:
    """Return what the model makes of a batch, float32 at any precision, and its parameters after seeing it."""
    given, seen = shape.network(config).activations(*inputs_of(shape, config, parameters, x), noise)
    return given[-1].astype(jnp.float32), seen
