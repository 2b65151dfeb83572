"""The maths of training, as pure functions on one member's arrays: begin, update, end an epoch, evaluate.

Every random number is a function of the seed, its purpose, and the epoch or update it is for. No key is carried along,
so the state after update k does not depend on how the updates were grouped into calls.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, UInt32

from trainer import diagnosis, losses, numbers, placement
from trainer.config import Config
from trainer.metrics import Metrics
from trainer.models import Noise
from trainer.models.network import trained, with_statistics
from trainer.shape import Shape, Watch
from trainer.state import NEVER, Blocks, Data, Parameters, Slot, State, Trouble

MEMBERS: Final = "members"
"""Name of the axis over which the members of a population are mapped."""

_WEIGHTS, _ORDER, _DROPOUT = range(3)
"""Purposes of random numbers; the order is part of the meaning of a seed."""


def make_init(shape: Shape) -> Callable[[UInt32[Array, ""], Float[Array, " numbers"]], State]:
    """Return the function from a seed and the numbers to the state before the first update."""

    def init(seed: UInt32[Array, ""], vector: Float[Array, " numbers"]) -> State:
        config = numbers.unpack(shape.config, vector)
        key = _key(seed, _WEIGHTS, jnp.int32(0))
        parameters = shape.network(config).init(key)
        optimizer, zero = config.optimizer, jnp.zeros(())
        per_output = jnp.zeros(shape.n_outputs)
        return State(
            parameters=parameters,
            optimizer=optimizer.build(optimizer.learning_rate).init(trained(parameters)),
            seed=seed,
            step=jnp.int32(0),
            order=jnp.zeros(shape.steps_per_epoch * config.training.batch_size, jnp.int32),
            sums=jnp.zeros(metrics_of(shape, per_output, per_output, per_output).n_sums),
            grad_norms=zero,
            slots=tuple(_empty_slot(watch, parameters) for watch in shape.watches),
            trouble=Trouble(jnp.int32(NEVER), zero, zero),
            average=parameters if optimizer.use_ema else (),
            evaluated=parameters if optimizer.evaluates_others else (),
        )

    return init


def make_evaluate(shape: Shape) -> Callable[..., Float[Array, " metrics"]]:
    """Return the function that measures a member on other examples.

    It takes the parameters of all members and which one is meant, its numbers, the data and the blocks of examples.
    """

    def evaluate(
        parameters: Parameters, member: Int[Array, ""], vector: Float[Array, " numbers"], data: Data, examples: Blocks
    ) -> Float[Array, " metrics"]:
        metrics = metrics_of(shape, data.target_scale, data.target_offset, data.target_mean)
        its = placement.member(shape, parameters, member)
        return metrics.values(_evaluated(shape, numbers.unpack(shape.config, vector), metrics, its, examples))

    return evaluate


def _key(seed: UInt32[Array, ""], purpose: int, index: Int[Array, ""]) -> PRNGKeyArray:
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), purpose), index)


def _order(shape: Shape, state: State) -> Int[Array, " order"]:
    """Return the epoch's order of the examples; the last batch is filled up from the start, with weight 0."""
    key = _key(state.seed, _ORDER, state.step // shape.steps_per_epoch)
    # The first round of `jax.random.permutation`. With many examples that sorts again, which takes as long as thirty
    # updates, lest two of them have the same number: one pair in four billion, which would keep its order.
    bits = jax.random.bits(jax.random.split(key)[1], (shape.n_train,))
    permutation = jnp.argsort(bits).astype(jnp.int32)
    length = shape.steps_per_epoch * shape.config.training.batch_size
    return permutation[jnp.arange(length) % shape.n_train]


def metrics_of(shape: Shape, scale: Array, offset: Array, mean: Array) -> Metrics:
    """Return what to measure; scale, offset and mean are those of the targets."""
    loss = losses.resolve(shape.config.loss, shape.task)
    return Metrics(shape.task, shape.config.metrics, loss, shape.n_outputs, scale, offset, mean)


def at_epoch_begin(shape: Shape, state: State) -> State:
    """Return the state with a new order and empty sums if it is at the beginning of an epoch, else as it is."""
    order, sums, grad_norms = lax.cond(
        state.step % shape.steps_per_epoch == 0,
        lambda: (_order(shape, state), jnp.zeros_like(state.sums), jnp.zeros(())),
        lambda: (state.order, state.sums, state.grad_norms),
    )
    return state._replace(order=order, sums=sums, grad_norms=grad_norms)


def _any_member(shape: Shape, it_is: Bool[Array, ""]) -> Bool[Array, ""]:
    return lax.pmax(it_is.astype(jnp.int32), MEMBERS) > 0 if shape.members > 1 else it_is


def as_targets(shape: Shape, y: Array) -> Float[Array, "batch outputs"]:
    """Return what the outputs are compared with: classes one-hot, numbers as they are."""
    return jax.nn.one_hot(y, shape.n_outputs) if shape.task == "classification" else y


def _inputs(
    shape: Shape, config: Config, parameters: Parameters, x: Float[Array, "batch inputs"]
) -> tuple[Parameters, Float[Array, "batch inputs"]]:
    """Return what goes into the layers: at the config's precision, the batch split over the devices."""
    dtype = config.training.precision
    cast, x = jax.tree.map(lambda leaf: leaf.astype(dtype), (trained(parameters), placement.split(shape, x)))
    return with_statistics(cast, parameters), x


def outputs_of(
    shape: Shape, config: Config, parameters: Parameters, x: Float[Array, "batch inputs"], noise: Noise | None
) -> Float[Array, "batch outputs"]:
    """Return what the model makes of a batch, float32 at any precision."""
    return _seen(shape, config, parameters, x, noise)[0]


def _seen(
    shape: Shape, config: Config, parameters: Parameters, x: Float[Array, "batch inputs"], noise: Noise | None
) -> tuple[Float[Array, "batch outputs"], Parameters]:
    """Return what the model makes of a batch, float32 at any precision, and its parameters after seeing it."""
    given, seen = shape.network(config).activations(*_inputs(shape, config, parameters, x), noise)
    return given[-1].astype(jnp.float32), seen


class _Gradient(NamedTuple):
    """The gradient of a batch, penalties included, and what the batch's metrics are made of."""

    gradient: Parameters
    loss: Float[Array, ""]
    per_example: Float[Array, " batch"]
    outputs: Float[Array, "batch outputs"]
    targets: Float[Array, "batch outputs"]
    weights: Float[Array, " batch"]
    seen: Parameters


def _gradient(shape: Shape, config: Config, data: Data, state: State, start: Int[Array, ""]) -> _Gradient:
    """Return the gradient of the batch that starts at this place of the epoch's order."""
    size = config.training.batch_size
    batch = lax.dynamic_slice_in_dim(state.order, start, size)
    x, targets = data.x[batch], as_targets(shape, data.y[batch])
    weights = (start + jnp.arange(size) < shape.n_train).astype(x.dtype) if shape.has_partial_batch else jnp.ones(size)
    noise = Noise(partial(_key, state.seed, _DROPOUT, state.step), partial(_any_member, shape))
    loss_function = losses.resolve(config.loss, shape.task)

    def objective(parameters: Parameters) -> tuple[Array, tuple[Array, Array, Parameters]]:
        outputs, seen = _seen(shape, config, with_statistics(parameters, state.parameters), x, noise)
        per_example = loss_function.per_example(outputs, targets)
        return (per_example * weights).sum() / weights.sum(), (per_example, outputs, seen)

    parameters = trained(state.parameters)
    (loss, (per_example, outputs, seen)), gradient = jax.value_and_grad(objective, has_aux=True)(parameters)
    if config.optimizer.sam:
        gradient = jax.grad(objective, has_aux=True)(_uphill(config, parameters, gradient))[0]
    gradient = _with_penalties(config, parameters, gradient)
    return _Gradient(gradient, loss, per_example, outputs, targets, weights, seen)


def update(
    shape: Shape, config: Config, metrics: Metrics, data: Data, state: State
) -> tuple[State, Float[Array, " metrics"]]:
    """Make one update; return the state after it and the update's metrics."""
    start = state.step % shape.steps_per_epoch * config.training.batch_size
    found = _gradient(shape, config, data, state, start)
    grad_norm = optax.tree.norm(found.gradient)
    rate = _learning_rate(shape, config, state.step)
    before = trained(state.parameters)
    updates, optimizer = config.optimizer.build(rate).update(
        _clipped(config, found.gradient, grad_norm), state.optimizer, before
    )
    parameters = with_statistics(optax.apply_updates(before, updates), found.seen)
    sums = metrics.sums(found.per_example, found.outputs, found.targets, found.weights)
    measured = jnp.concatenate([metrics.values(sums)[:2], grad_norm[None]])
    state = state._replace(
        parameters=parameters,
        average=_averaged(config, state.average, parameters),
        optimizer=optimizer,
        step=state.step + 1,
        sums=state.sums + sums,
        grad_norms=state.grad_norms + grad_norm,
        trouble=_trouble(state, found.loss, rate, grad_norm),
    )
    return state, measured


def looked_inside(shape: Shape, config: Config, data: Data, state: State) -> Float[Array, " diagnosis"]:
    """Return the diagnosis of the epoch that ended.

    Its gradient and step are those that the epoch's first batch, a whole one, would give now; asked for in `update`
    they would keep XLA from fusing it.
    """
    gradient = _gradient(shape, config, data, state, jnp.int32(0)).gradient
    clipped = _clipped(config, gradient, optax.tree.norm(gradient))
    rate = _learning_rate(shape, config, state.step - 1)
    optimizer, parameters = config.optimizer, trained(state.parameters)
    updates, _ = optimizer.step(rate).update(clipped, optimizer.step_state(state.optimizer), parameters)
    examples = data.validation.x[0] if shape.n_validation else data.x
    inputs = _inputs(shape, config, state.parameters, examples[: diagnosis.EXAMPLES])
    given, _ = shape.network(config).activations(*inputs, None)
    return diagnosis.looked(parameters, gradient, updates, tuple(each.astype(jnp.float32) for each in given))


def _learning_rate(shape: Shape, config: Config, step: Int[Array, ""]) -> Array:
    """Return the rate of the update that follows so many updates."""
    return config.optimizer.learning_rate * config.schedule.factor(step / shape.steps_per_epoch, config.training.epochs)


def _with_penalties(config: Config, parameters: Parameters, gradients: Parameters) -> Parameters:
    """Add the gradients of l1 * sum |w| and l2 * sum w^2 over the weights; biases are left alone, as in Keras."""
    l1, l2 = config.regularization.l1, config.regularization.l2

    def add(weight: Array, gradient: Array) -> Array:
        return gradient + l1 * jnp.sign(weight) + 2 * l2 * weight if weight.ndim > 1 else gradient

    return jax.tree.map(add, parameters, gradients)


def _clipped(config: Config, gradients: Parameters, grad_norm: Array) -> Parameters:
    """Limit the length of the gradient, and then each of its numbers."""
    longest, largest = config.optimizer.global_clipnorm, config.optimizer.clipvalue
    scale = jnp.where((longest > 0) & (grad_norm > longest), longest / grad_norm, 1.0)
    bound = jnp.where(largest > 0, largest, jnp.inf)
    return jax.tree.map(lambda gradient: jnp.clip(gradient * scale, -bound, bound), gradients)


def _uphill(config: Config, parameters: Parameters, gradient: Parameters) -> Parameters:
    """Return where the loss is worst nearby, to first order. Source: Foret et al. 2021, equation 2."""
    distance = config.optimizer.sam_rho / jnp.maximum(optax.tree.norm(gradient), np.finfo(np.float32).tiny)
    return jax.tree.map(lambda weight, slope: weight + distance * slope, parameters, gradient)


def _averaged(config: Config, average: Parameters, parameters: Parameters) -> Parameters:
    """Return the running mean of the weights, these included; as in Keras it begins at the first ones."""
    kept = config.optimizer.ema_momentum
    if not config.optimizer.use_ema:
        return average
    return jax.tree.map(lambda mean, weight: kept * mean + (1 - kept) * weight, average, parameters)


def to_evaluate(config: Config, state: State) -> Parameters:
    """Return the weights to use, which some optimizers keep beside those that they train."""
    used = config.optimizer.to_evaluate(state.optimizer, trained(state.parameters))
    return with_statistics(used, state.parameters)


def _trouble(state: State, loss: Array, rate: Array, grad_norm: Array) -> Trouble:
    """Note the first loss that is no number; until then, keep the last rate and gradient norm."""
    before = state.trouble
    well = jnp.isfinite(loss) & (before.step < 0)
    return Trouble(
        jnp.where(well | (before.step >= 0), before.step, state.step),
        jnp.where(well, rate, before.learning_rate),
        jnp.where(well, grad_norm, before.grad_norm),
    )


def _evaluated(
    shape: Shape, config: Config, metrics: Metrics, parameters: Parameters, examples: Blocks
) -> Float[Array, " sums"]:
    loss_function = losses.resolve(config.loss, shape.task)

    def block(sums: Array, examples: Blocks) -> tuple[Array, None]:
        outputs = outputs_of(shape, config, parameters, examples.x, None)
        targets = as_targets(shape, examples.y)
        per_example = loss_function.per_example(outputs, targets)
        return sums + metrics.sums(per_example, outputs, targets, examples.weights), None

    return lax.scan(block, jnp.zeros(metrics.n_sums), examples)[0]


def at_epoch_end(
    shape: Shape, config: Config, metrics: Metrics, data: Data, state: State, is_over: Bool[Array, ""]
) -> tuple[Float[Array, " row"], tuple[Slot, ...]]:
    """Validate; return the epoch's row and the slots, with its weights where they are the best of a run not over."""
    parts, weights = [metrics.values(state.sums)], to_evaluate(config, state)
    if shape.n_validation:
        validated = [weights, state.average] if config.optimizer.use_ema else [weights]
        parts.extend(metrics.values(_evaluated(shape, config, metrics, it, data.validation)) for it in validated)
    rate = _learning_rate(shape, config, state.step - 1)
    row = jnp.concatenate([*parts, jnp.stack([rate, state.grad_norms / shape.steps_per_epoch])])
    epoch = (state.step - 1) // shape.steps_per_epoch
    slots = tuple(
        _kept(watch, slot, row[shape.row_names.index(watch.metric)], epoch, its, is_over)
        for watch, slot in zip(shape.watches, state.slots, strict=True)
        for its in [state.average if watch.is_of_average else weights]
    )
    return row, slots


def _empty_slot(watch: Watch, parameters: Parameters) -> Slot:
    worst = np.inf if watch.direction == "min" else -np.inf
    start = worst if watch.threshold is None else watch.threshold
    return Slot(jax.tree.map(jnp.zeros_like, parameters), jnp.float32(start), jnp.int32(NEVER))


def _kept(watch: Watch, slot: Slot, value: Array, epoch: Array, parameters: Parameters, is_over: Array) -> Slot:
    better = value < slot.value if watch.direction == "min" else value > slot.value
    better = better & jnp.isfinite(value) & (epoch >= watch.first_epoch) & ~is_over
    return lax.cond(better, lambda: Slot(parameters, value, epoch.astype(jnp.int32)), lambda: slot)
