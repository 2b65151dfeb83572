"""The maths of training, as pure functions on arrays: begin, update, validate, advance by any number of updates.

* `advance` makes as many updates as its argument says, over the ends of epochs, validation included, without coming
  back to the host. It is compiled once for a structure; counts and live numbers are arguments.
* Every random number is a function of the seed, its purpose, and the epoch or update it is for. No key is carried
  along, so the state after update k does not depend on how the updates were grouped into calls.
* What the host needs to know of a call comes back in one vector: one transfer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from trainer import losses, numbers
from trainer.callbacks import Direction
from trainer.config import Config
from trainer.metrics import Metrics

_WEIGHTS, _ORDER, _DROPOUT = range(3)
"""Purposes of random numbers; the order is part of the meaning of a seed."""

MOST_EPOCHS: Final = 128
"""Most epochs in one call: rows of the buffer for their metrics."""

_EVALUATED_AT_ONCE: Final = 2048
_NEVER: Final = np.int32(-1)

Parameters = Any
"""A tree of float arrays, as the model's `init` returns it."""


@dataclass(frozen=True)
class Watch:
    """Which epoch's weights to keep: those of the best value of a metric.

    Attributes:
        metric: its name in the rows.
        direction: which way it improves.
        first_epoch: epochs before this one do not count.
        threshold: value that the first best must beat, or None.
    """

    metric: str
    direction: Direction
    first_epoch: int = 0
    threshold: float | None = None


@dataclass(frozen=True)
class Shape:
    """What is compiled in, beside the structural hyperparameters of `config`."""

    config: Config
    task: losses.Task
    n_features: int
    n_outputs: int
    n_train: int
    n_validation: int
    watches: tuple[Watch, ...] = ()

    @property
    def steps_per_epoch(self) -> int:
        """Return the updates of an epoch."""
        size = self.config.training.batch_size
        return self.n_train // size if self.config.training.drop_remainder else -(-self.n_train // size)

    @property
    def has_partial_batch(self) -> bool:
        """Return whether the last batch of an epoch is smaller than the others."""
        return self.steps_per_epoch * self.config.training.batch_size > self.n_train

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Return the names of the task's metrics."""
        return Metrics(self.task).names

    @property
    def row_names(self) -> tuple[str, ...]:
        """Return the names of the metrics of an epoch, in the order of a row."""
        validation = tuple(f"val_{name}" for name in self.metric_names) if self.n_validation else ()
        return (*self.metric_names, *validation, "learning_rate", "grad_norm")

    @property
    def step_names(self) -> tuple[str, ...]:
        """Return the names of the metrics of an update."""
        return (*self.metric_names[:2], "grad_norm")


class Data(NamedTuple):
    """The examples on the device. Classes are indices; validation is padded to whole blocks by examples of weight 0."""

    x: Float[Array, "train features"]
    y: Int[Array, " train"] | Float[Array, "train outputs"]
    validation: "Blocks"
    target_scale: Float[Array, " outputs"]
    target_mean: Float[Array, " outputs"]


class Blocks(NamedTuple):
    """Examples to evaluate on, in blocks of one size."""

    x: Float[Array, "blocks size features"]
    y: Int[Array, "blocks size"] | Float[Array, "blocks size outputs"]
    weights: Float[Array, "blocks size"]


class Slot(NamedTuple):
    """The best weights by one `Watch`, with their value and epoch; epoch -1 means none yet."""

    parameters: Parameters
    value: Float[Array, ""]
    epoch: Int[Array, ""]


class Trouble(NamedTuple):
    """The first update with a loss that is no number (-1: none), and the rate and gradient norm one update before."""

    step: Int[Array, ""]
    learning_rate: Float[Array, ""]
    grad_norm: Float[Array, ""]


class State(NamedTuple):
    """All that changes while training.

    Attributes:
        step: updates done.
        order: examples of the epoch in progress, in order; shape [steps per epoch x batch size].
        sums: what the metrics of the epoch in progress have summed up.
        grad_norms: sum of the gradient norms of the epoch in progress.
        slots: best weights, one for each watch.
    """

    parameters: Parameters
    optimizer: optax.OptState
    seed: UInt32[Array, ""]
    step: Int[Array, ""]
    order: Int[Array, " order"]
    sums: Float[Array, " sums"]
    grad_norms: Float[Array, ""]
    slots: tuple[Slot, ...]
    trouble: Trouble


class Spread(NamedTuple):
    """Metrics of the updates of one call."""

    sum: Float[Array, " metrics"]
    min: Float[Array, " metrics"]
    max: Float[Array, " metrics"]
    last: Float[Array, " metrics"]


def blocks(x: np.ndarray[Any, np.dtype[Any]], y: np.ndarray[Any, np.dtype[Any]]) -> Blocks:
    """Return examples cut into blocks of one size; the last one is filled up with examples of weight 0."""
    size = max(1, min(len(x), _EVALUATED_AT_ONCE))
    n_blocks = -(-len(x) // size)
    pad = n_blocks * size - len(x)

    def cut(array: np.ndarray[Any, np.dtype[Any]]) -> Any:
        padded = np.concatenate([array, np.zeros((pad, *array.shape[1:]), array.dtype)])
        return padded.reshape(n_blocks, size, *array.shape[1:])

    return Blocks(cut(x), cut(y), cut(np.ones(len(x), np.float32)))


def make_init(shape: Shape) -> Callable[[UInt32[Array, ""], Float[Array, " numbers"]], State]:
    """Return the function from a seed and the numbers to the state before the first update."""

    def init(seed: UInt32[Array, ""], vector: Float[Array, " numbers"]) -> State:
        config = numbers.unpack(shape.config, vector)
        key = _key(seed, _WEIGHTS, jnp.int32(0))
        parameters = config.model.init(shape.n_features, shape.n_outputs, key)
        zero = jnp.zeros(())
        per_output = jnp.zeros(shape.n_outputs)
        return State(
            parameters=parameters,
            optimizer=config.optimizer.build(config.optimizer.learning_rate).init(parameters),
            seed=seed,
            step=jnp.int32(0),
            order=jnp.zeros(shape.steps_per_epoch * config.training.batch_size, jnp.int32),
            sums=jnp.zeros(_metrics(shape, per_output, per_output).n_sums),
            grad_norms=zero,
            slots=tuple(_empty_slot(watch, parameters) for watch in shape.watches),
            trouble=Trouble(jnp.int32(_NEVER), zero, zero),
        )

    return init


def make_advance(shape: Shape) -> Callable[..., tuple[State, Float[Array, " report"]]]:
    """Return the function that makes updates.

    It takes the state (to be donated), the numbers, the data, and two integers: how many updates to make, and whether
    (1) or not (0) to end at a loss that is no number. It returns the state and the report that `read_report` reads.
    """
    spe = shape.steps_per_epoch
    row_names = shape.row_names

    def advance(
        state: State, vector: Float[Array, " numbers"], data: Data, orders: Int[Array, "2"]
    ) -> tuple[State, Float[Array, " report"]]:
        config, metrics = numbers.unpack(shape.config, vector), _metrics(shape, data.target_scale, data.target_mean)
        count, careful = orders[0], orders[1] > 0
        first = state.step

        def hopeless(state: State) -> Any:
            return careful & (state.trouble.step >= 0)

        def goes_on(carry: tuple[State, Any, Any, Spread]) -> Any:
            return (carry[0].step - first < count) & ~hopeless(carry[0])

        def stretch(carry: tuple[State, Any, Any, Spread]) -> tuple[State, Any, Any, Spread]:
            state, rows, n_rows, spread = carry
            place = state.step % spe
            order, sums, grad_norms = lax.cond(
                place == 0,
                lambda: (_order(shape, state.seed, state.step // spe), jnp.zeros_like(state.sums), jnp.zeros(())),
                lambda: (state.order, state.sums, state.grad_norms),
            )
            state = state._replace(order=order, sums=sums, grad_norms=grad_norms)
            n_updates = jnp.minimum(spe - place, count - (state.step - first))
            state, spread = lax.fori_loop(
                0, n_updates, lambda _, carry: _update(shape, config, metrics, data, *carry), (state, spread)
            )
            ended = (state.step % spe == 0) & ~hopeless(state)
            row, slots = lax.cond(
                ended,
                lambda: _end_epoch(shape, config, metrics, data, state),
                lambda: (jnp.zeros(len(row_names)), state.slots),
            )
            return state._replace(slots=slots), rows.at[n_rows].set(row), n_rows + ended.astype(jnp.int32), spread

        # One row more than can be needed: the last stretch writes one even when it ends within an epoch.
        rows = jnp.zeros((MOST_EPOCHS + 1, len(row_names)))
        nothing = jnp.zeros(len(shape.step_names))
        spread = Spread(nothing, nothing + jnp.inf, nothing - jnp.inf, nothing)
        state, rows, n_rows, spread = lax.while_loop(goes_on, stretch, (state, rows, jnp.int32(0), spread))
        return state, _report(state, rows, n_rows, spread)

    return advance


def make_evaluate(shape: Shape) -> Callable[..., Float[Array, " metrics"]]:
    """Return the function from parameters, numbers, data and blocks of examples to the task's metrics on those."""

    def evaluate(
        parameters: Parameters, vector: Float[Array, " numbers"], data: Data, examples: Blocks
    ) -> Float[Array, " metrics"]:
        metrics = _metrics(shape, data.target_scale, data.target_mean)
        return metrics.values(_evaluated(shape, numbers.unpack(shape.config, vector), metrics, parameters, examples))

    return evaluate


@dataclass(frozen=True, slots=True)
class Report:
    """What a call did, on the host.

    Attributes:
        step: updates done, in all.
        rows: metrics of each epoch that ended within the call, in order; shape [epochs, metrics].
        spread: sum, min, max and last of each metric over the call's updates; shape [4, metrics].
        trouble_step: first update with a loss that is no number, or -1; with the rate and gradient norm before it.
        best: for each watch the best value and its epoch (-1: none).
    """

    step: int
    rows: np.ndarray[Any, np.dtype[np.float32]]
    spread: np.ndarray[Any, np.dtype[np.float32]]
    trouble_step: int
    trouble_learning_rate: float
    trouble_grad_norm: float
    best: tuple[tuple[float, int], ...]


def read_report(shape: Shape, vector: np.ndarray[Any, np.dtype[np.float32]]) -> Report:
    """Return the report in a vector that `advance` returned."""
    n_watches, n_step = len(shape.watches), len(shape.step_names)
    integers, rest = vector[: 3 + n_watches].view(np.int32), vector[3 + n_watches :]
    (rate, norm), values, rest = rest[:2], rest[2 : 2 + n_watches], rest[2 + n_watches :]
    rows = rest[4 * n_step :].reshape(-1, len(shape.row_names))
    return Report(
        step=int(integers[0]),
        rows=rows[: integers[1]],
        spread=rest[: 4 * n_step].reshape(4, n_step),
        trouble_step=int(integers[2]),
        trouble_learning_rate=float(rate),
        trouble_grad_norm=float(norm),
        best=tuple(zip(map(float, values), map(int, integers[3:]), strict=True)),
    )


def _report(state: State, rows: Array, n_rows: Array, spread: Spread) -> Float[Array, " report"]:
    integers = jnp.stack([state.step, n_rows, state.trouble.step, *(slot.epoch for slot in state.slots)])
    return jnp.concatenate(
        [
            lax.bitcast_convert_type(integers, jnp.float32),
            jnp.stack([state.trouble.learning_rate, state.trouble.grad_norm, *(slot.value for slot in state.slots)]),
            *spread,
            rows.ravel(),
        ]
    )


def _key(seed: UInt32[Array, ""], purpose: int, index: Int[Array, ""]) -> PRNGKeyArray:
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), purpose), index)


def _order(shape: Shape, seed: UInt32[Array, ""], epoch: Int[Array, ""]) -> Int[Array, " order"]:
    """Return the epoch's order of the examples; the last batch is filled up from the start, with weight 0."""
    permutation = jax.random.permutation(_key(seed, _ORDER, epoch), shape.n_train).astype(jnp.int32)
    length = shape.steps_per_epoch * shape.config.training.batch_size
    return permutation[jnp.arange(length) % shape.n_train]


def _metrics(shape: Shape, target_scale: Array, target_mean: Array) -> Metrics:
    if shape.task == "classification":
        return Metrics(shape.task)
    return Metrics(shape.task, target_scale, target_mean)


def _targets(shape: Shape, y: Array) -> Float[Array, "batch outputs"]:
    return jax.nn.one_hot(y, shape.n_outputs) if shape.task == "classification" else y


def _update(
    shape: Shape, config: Config, metrics: Metrics, data: Data, state: State, spread: Spread
) -> tuple[State, Spread]:
    size = config.training.batch_size
    start = state.step % shape.steps_per_epoch * size
    batch = lax.dynamic_slice_in_dim(state.order, start, size)
    x, targets = data.x[batch], _targets(shape, data.y[batch])
    weights = (start + jnp.arange(size) < shape.n_train).astype(x.dtype) if shape.has_partial_batch else jnp.ones(size)
    key = partial(_key, state.seed, _DROPOUT, state.step)
    loss_function = losses.resolve(config.loss, shape.task)

    def objective(parameters: Parameters) -> tuple[Array, tuple[Array, Array]]:
        outputs = config.model.apply(parameters, x, key)
        per_example = loss_function.per_example(outputs, targets)
        return (per_example * weights).sum() / weights.sum(), (per_example, outputs)

    (loss, (per_example, outputs)), gradients = jax.value_and_grad(objective, has_aux=True)(state.parameters)
    gradients = _with_penalties(config, state.parameters, gradients)
    grad_norm = optax.tree.norm(gradients)
    rate = _learning_rate(shape, config, state.step)
    updates, optimizer = config.optimizer.build(rate).update(
        _clipped(config, gradients, grad_norm), state.optimizer, state.parameters
    )
    sums = metrics.sums(per_example, outputs, targets, weights)
    measured = jnp.concatenate([metrics.values(sums)[:2], grad_norm[None]])
    state = state._replace(
        parameters=optax.apply_updates(state.parameters, updates),
        optimizer=optimizer,
        step=state.step + 1,
        sums=state.sums + sums,
        grad_norms=state.grad_norms + grad_norm,
        trouble=_trouble(state, loss, rate, grad_norm),
    )
    spread = Spread(
        spread.sum + measured, jnp.minimum(spread.min, measured), jnp.maximum(spread.max, measured), measured
    )
    return state, spread


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
    limit = config.optimizer.global_clipnorm
    scale = jnp.where((limit > 0) & (grad_norm > limit), limit / grad_norm, 1.0)
    return jax.tree.map(lambda gradient: gradient * scale, gradients)


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
        outputs = config.model.apply(parameters, examples.x, None)
        targets = _targets(shape, examples.y)
        per_example = loss_function.per_example(outputs, targets)
        return sums + metrics.sums(per_example, outputs, targets, examples.weights), None

    return lax.scan(block, jnp.zeros(metrics.n_sums), examples)[0]


def _end_epoch(
    shape: Shape, config: Config, metrics: Metrics, data: Data, state: State
) -> tuple[Float[Array, " row"], tuple[Slot, ...]]:
    """Validate; return the epoch's row and the slots with its weights where they are the best."""
    parts = [metrics.values(state.sums)]
    if shape.n_validation:
        parts.append(metrics.values(_evaluated(shape, config, metrics, state.parameters, data.validation)))
    rate = _learning_rate(shape, config, state.step - 1)
    row = jnp.concatenate([*parts, jnp.stack([rate, state.grad_norms / shape.steps_per_epoch])])
    epoch = (state.step - 1) // shape.steps_per_epoch
    slots = tuple(
        _kept(watch, slot, row[shape.row_names.index(watch.metric)], epoch, state.parameters)
        for watch, slot in zip(shape.watches, state.slots, strict=True)
    )
    return row, slots


def _empty_slot(watch: Watch, parameters: Parameters) -> Slot:
    worst = np.inf if watch.direction == "min" else -np.inf
    start = worst if watch.threshold is None else watch.threshold
    return Slot(jax.tree.map(jnp.zeros_like, parameters), jnp.float32(start), jnp.int32(_NEVER))


def _kept(watch: Watch, slot: Slot, value: Array, epoch: Array, parameters: Parameters) -> Slot:
    better = value < slot.value if watch.direction == "min" else value > slot.value
    better = better & jnp.isfinite(value) & (epoch >= watch.first_epoch)
    return lax.cond(better, lambda: Slot(parameters, value, epoch.astype(jnp.int32)), lambda: slot)
