"""The maths of training, as pure functions on one member's arrays: begin, update, end an epoch, evaluate."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Num, UInt32

from trainer import augmenting, batches, diagnosis, forward, keys, losses, numbers, placement
from trainer.config import Config
from trainer.gradient import clipped, gradient_of
from trainer.metrics import Metrics
from trainer.models.network import trained, with_statistics
from trainer.shape import Shape, Watch
from trainer.state import NEVER, Blocks, Data, Parameters, Slot, State, Trouble


def make_init(shape: Shape) -> Callable[[UInt32[Array, ""], Float[Array, " numbers"]], State]:
    """Return the function from a seed and the numbers to the state before the first update."""

    def init(seed: UInt32[Array, ""], vector: Float[Array, " numbers"]) -> State:
        config = numbers.unpack(shape.config, vector)
        key = keys.key(seed, keys.WEIGHTS, jnp.int32(0))
        network = shape.network(config)
        parameters = network.init(key)
        to_train = trained(parameters)
        optimizer, zero = config.optimizer, jnp.zeros(())
        per_output = jnp.zeros(shape.n_outputs)
        return State(
            parameters=parameters,
            optimizer=optimizer.build(optimizer.learning_rate, network.kernels(to_train)).init(to_train),
            seed=seed,
            step=jnp.int32(0),
            order=jnp.zeros(shape.steps_per_buffer * config.training.batch_size, jnp.int32),
            sums=jnp.zeros(forward.metrics_of(shape, per_output, per_output, per_output).n_sums),
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
        data = data._replace(own=placement.member(shape, data.own, member))
        metrics = forward.metrics_on(shape, data)
        its = placement.member(shape, parameters, member)

        def seen(block: Blocks) -> Blocks:
            return Blocks(*batches.as_seen(data, block.x, block.y), block.weights) if shape.most_train else block

        return metrics.values(_evaluated(shape, numbers.unpack(shape.config, vector), metrics, its, examples, seen))

    return evaluate


def at_epoch_begin(shape: Shape, data: Data, state: State) -> State:
    """Return the state with a new order and empty sums if it is at the beginning of an epoch, else as it is.

    At the beginning of a buffer the order is a new one, too.
    """
    order, sums, grad_norms = lax.cond(
        batches.begins(shape, state),
        lambda: (batches.order(shape, data, state), *_begun(shape, state)),
        lambda: (state.order, state.sums, state.grad_norms),
    )
    return state._replace(order=order, sums=sums, grad_norms=grad_norms)


def _begun(shape: Shape, state: State) -> tuple[Float[Array, " sums"], Float[Array, ""]]:
    """Return the sums at the beginning of an epoch, or of a later buffer within it."""
    nothing = jnp.zeros_like(state.sums), jnp.zeros(())
    if shape.buffers_per_epoch == 1:
        return nothing
    is_epoch = state.step % shape.steps_per_epoch == 0
    return jnp.where(is_epoch, nothing[0], state.sums), jnp.where(is_epoch, nothing[1], state.grad_norms)


def update(
    shape: Shape, config: Config, metrics: Metrics, data: Data, state: State
) -> tuple[State, Float[Array, " metrics"]]:
    """Make one update; return the state after it and the update's metrics."""
    found = gradient_of(shape, config, data, state, batches.start_of(shape, state))
    grad_norm = optax.tree.norm(found.gradient)
    rate = _learning_rate(shape, config, state.step)
    before = trained(state.parameters)
    updates, optimizer = config.optimizer.build(rate, shape.network(config).kernels(before)).update(
        clipped(config, found.gradient, grad_norm), state.optimizer, before
    )
    parameters = with_statistics(optax.apply_updates(before, updates), found.seen)
    targets = augmenting.to_measure(shape, config, found.batch.targets)
    sums = metrics.sums(found.per_example, found.outputs, targets, found.batch.weights)
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

    Its gradient and step are those that the first batch of the epoch, or of its last buffer, would give now; asked for
    in `update` they would keep XLA from fusing it.
    """
    gradient = gradient_of(shape, config, data, state, jnp.int32(0)).gradient
    limited = clipped(config, gradient, optax.tree.norm(gradient))
    rate = _learning_rate(shape, config, state.step - 1)
    optimizer, parameters, network = config.optimizer, trained(state.parameters), shape.network(config)
    rule = optimizer.step(rate, network.kernels(parameters))
    updates, _ = rule.update(limited, optimizer.step_state(state.optimizer), parameters)
    inputs = forward.inputs_of(shape, config, state.parameters, _to_look_at(shape, data, state))
    given, _ = network.activations(*inputs, None)
    weights, gradients, steps = map(network.by_block, (parameters, gradient, updates))
    outputs = jax.tree.map(lambda each: each.astype(jnp.float32), given)
    return diagnosis.looked(weights, gradients, steps, outputs)


def _to_look_at(shape: Shape, data: Data, state: State) -> Num[Array, "some features"]:
    """Return the examples whose way through the layers is looked at: those that train where too few validate."""
    some = slice(diagnosis.EXAMPLES)
    validates = shape.n_validation >= min(diagnosis.FEWEST, shape.n_train)
    if shape.most_train:
        its = data.own.fold.validation[0] if validates else data.own.fold.train
        return batches.examples_at(shape, data, its[some])[0]
    if validates:
        return data.validation.x[0][some]
    # A buffer may not be full.
    return batches.examples_at(shape, data, state.order[some])[0] if shape.buffer else data.x[some]


def _learning_rate(shape: Shape, config: Config, step: Int[Array, ""]) -> Array:
    """Return the rate of the update that follows so many updates."""
    return config.optimizer.learning_rate * config.schedule.factor(step / shape.steps_per_epoch, config.training.epochs)


def _averaged(config: Config, average: Parameters, parameters: Parameters) -> Parameters:
    """Return the running mean of the weights, these included; as in Keras it begins at the first ones."""
    kept = config.optimizer.ema_momentum
    if not config.optimizer.use_ema:
        return average

    def mean(average: Array, weight: Array) -> Array:
        is_constant = not jnp.issubdtype(weight.dtype, jnp.floating)
        return weight if is_constant else kept * average + (1 - kept) * weight

    return jax.tree.map(mean, average, parameters)


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
    shape: Shape,
    config: Config,
    metrics: Metrics,
    parameters: Parameters,
    blocks: Any,
    as_examples: Callable[[Any], Blocks],
) -> Float[Array, " sums"]:
    loss_function = losses.resolve(config.loss, shape.task)

    def block(sums: Array, block: Any) -> tuple[Array, None]:
        examples = as_examples(block)
        outputs = forward.outputs_of(shape, config, parameters, examples.x, None)
        targets = forward.as_targets(shape, examples.y)
        per_example = forward.losses_of(loss_function, outputs, targets)
        return sums + metrics.sums(per_example, outputs, targets, examples.weights), None

    return lax.scan(block, jnp.zeros(metrics.n_sums), blocks)[0]


def at_epoch_end(
    shape: Shape, config: Config, metrics: Metrics, data: Data, state: State, is_over: Bool[Array, ""]
) -> tuple[Float[Array, " row"], tuple[Slot, ...]]:
    """Validate; return the epoch's row and the slots, with its weights where they are the best of a run not over."""
    parts, weights = [metrics.values(state.sums)], to_evaluate(config, state)
    if shape.n_validation:
        validated = [weights, state.average] if config.optimizer.use_ema else [weights]
        to_validate = batches.validation_of(shape, data)
        parts.extend(metrics.values(_evaluated(shape, config, metrics, it, *to_validate)) for it in validated)
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
