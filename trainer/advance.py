"""Any number of updates in one call of the device, over the ends of epochs, without coming back to the host.

`advance` is compiled once for a structure; how far it goes and the live numbers are arguments. What the host needs to
know of a call comes back in one array: one transfer. The members of a population go through it side by side: loops and
branches are common to all, the maths is mapped over them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from trainer import diagnosis, forward, horizons, numbers, step
from trainer.horizons import Horizons
from trainer.shape import Shape
from trainer.state import AXES, DATA_AXES, MEMBERS, Data, Parameters, Slot, State, Trouble, picked, with_axis


class Spread(NamedTuple):
    """Metrics of the updates of one call."""

    sum: Float[Array, " metrics"]
    min: Float[Array, " metrics"]
    max: Float[Array, " metrics"]
    last: Float[Array, " metrics"]

    def including(self, measured: Float[Array, " metrics"]) -> "Spread":
        """Return the spread with one update more."""
        low, high = jnp.minimum(self.min, measured), jnp.maximum(self.max, measured)
        return Spread(self.sum + measured, low, high, measured)


class _Call(NamedTuple):
    """What changes within a call; of each member, but for the state's count of updates and `n_rows`.

    Attributes:
        state: where the training stands.
        rows: metrics of the epochs that ended, by epoch.
        n_rows: how many those are.
        insides: diagnoses of those epochs that were looked at.
        n_insides: how many those are.
        spread: metrics of the updates.
        horizons: epochs left before a callback must be asked.
    """

    state: State
    rows: Float[Array, "epochs *members metrics"]
    n_rows: Int[Array, ""]
    insides: Float[Array, "looks *members diagnosis"]
    n_insides: Int[Array, ""]
    spread: Spread
    horizons: Horizons


class _Maths(NamedTuple):
    """The functions of `step` for the numbers and data of a call, each mapped over the members."""

    begin_epoch: Callable[[State], State]
    update: Callable[[State, Spread], tuple[State, Spread]]
    end_epoch: Callable[[State, Bool[Array, " *members"]], tuple[Array, tuple[Slot, ...]]]
    look_inside: Callable[[State], Array]
    to_evaluate: Callable[[State], Parameters]
    count_down: Callable[[Horizons, Array], Horizons]
    are_over: Callable[[State], Bool[Array, " *members"]]


def make_advance(shape: Shape) -> Callable[..., tuple[State, Float[Array, "members report"]]]:
    """Return the function that makes updates.

    It takes the state (to be donated), the numbers, the data, two integers, and the callbacks' horizons as
    `horizons.pack` packs them; all of each member but the data. The integers: how many updates to make at most (0: the
    run is over, what becomes of it does not matter), and whether (1) or not (0) it is over at a loss that is no number.
    The call ends with the longest member, when all are over, and after an epoch at which a callback must be asked.

    It returns the state and for each member the report that `read_report` reads.
    """

    def advance(
        state: State,
        vectors: Float[Array, "members numbers"],
        data: Data,
        orders: Int[Array, "members 2"],
        packed: Float[Array, "members fields callbacks"],
    ) -> tuple[State, Float[Array, "members report"]]:
        alone = shape.members == 1
        if alone:  # an axis of size 1 would keep XLA from fusing and from working in place
            state, data = picked(state, AXES, 0), picked(data, DATA_AXES, 0)
            vectors, orders, packed = vectors[0], orders[0], packed[0]
        maths = _maths(shape, vectors, data, orders)
        end = state.step + orders[..., 0].max()

        def goes_on(call: _Call) -> Bool[Array, ""]:
            return (call.state.step < end) & horizons.are_open(call.horizons) & ~maths.are_over(call.state).all()

        told = _each(shape, horizons.unpack)(packed)
        call = lax.while_loop(goes_on, partial(_stretch, shape, maths, end), _begun(shape, state, told))
        state = call.state
        if shape.config.optimizer.evaluates_others:
            state = state._replace(evaluated=maths.to_evaluate(state))
        each_report = _each(shape, partial(_report, state.step, call.n_rows, call.n_insides), (0, 0, 1, 1))
        report = each_report(state.trouble, call.spread, call.rows, call.insides)
        return (with_axis(state), report[None]) if alone else (state, report)

    return advance


def _maths(shape: Shape, vectors: Array, data: Data, orders: Array) -> _Maths:
    def update(state: State, spread: Spread, vector: Array, data: Data) -> tuple[State, Spread]:
        metrics = forward.metrics_on(shape, data)
        state, measured = step.update(shape, numbers.unpack(shape.config, vector), metrics, data, state)
        return state, spread.including(measured)

    def end_epoch(state: State, is_over: Array, vector: Array, data: Data) -> tuple[Array, tuple[Slot, ...]]:
        metrics = forward.metrics_on(shape, data)
        return step.at_epoch_end(shape, numbers.unpack(shape.config, vector), metrics, data, state, is_over)

    def look_inside(state: State, vector: Array, data: Data) -> Array:
        return step.looked_inside(shape, numbers.unpack(shape.config, vector), data, state)

    def to_evaluate(state: State, vector: Array) -> Parameters:
        return step.to_evaluate(numbers.unpack(shape.config, vector), state)

    each_begin = _each(shape, partial(step.at_epoch_begin, shape), (DATA_AXES, AXES), AXES)
    each_update = _each(shape, update, (AXES, 0, 0, DATA_AXES), (AXES, 0))
    each_end = _each(shape, end_epoch, (AXES, 0, 0, DATA_AXES))
    each_look = _each(shape, look_inside, (AXES, 0, DATA_AXES))
    each_to_evaluate = _each(shape, to_evaluate, (AXES, 0))
    return _Maths(
        begin_epoch=lambda state: each_begin(data, state),
        update=lambda state, spread: each_update(state, spread, vectors, data),
        end_epoch=lambda state, are_over: each_end(state, are_over, vectors, data),
        look_inside=lambda state: each_look(state, vectors, data),
        to_evaluate=lambda state: each_to_evaluate(state, vectors),
        count_down=_each(shape, horizons.after),
        are_over=lambda state: (orders[..., 0] == 0) | ((orders[..., 1] > 0) & (state.trouble.step >= 0)),
    )


def _each(shape: Shape, function: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """Return the function mapped over the members; a single one has no axis."""
    return jax.vmap(function, in_axes, out_axes, axis_name=MEMBERS) if shape.members > 1 else function


def _begun(shape: Shape, state: State, told: Horizons) -> _Call:
    members = (shape.members,) if shape.members > 1 else ()
    # One row more than can be needed: the last stretch writes one even when it ends within an epoch.
    rows = jnp.zeros((horizons.MOST_EPOCHS + 1, *members, len(shape.row_names)))
    nothing = jnp.zeros((*members, len(shape.step_names)))
    looks = diagnosis.MOST if shape.layer_names else 0
    insides = jnp.zeros((looks, *members, diagnosis.length(shape.layer_names)))
    spread = Spread(nothing, nothing + jnp.inf, nothing - jnp.inf, nothing)
    return _Call(state, rows, jnp.int32(0), insides, jnp.int32(0), spread, told)


def _stretch(shape: Shape, maths: _Maths, end: Int[Array, ""], call: _Call) -> _Call:
    """Make updates up to the end of the epoch or of the call; at the end of the epoch, validate."""
    state = maths.begin_epoch(call.state)
    n_updates = jnp.minimum(shape.steps_per_epoch - state.step % shape.steps_per_epoch, end - state.step)
    state, spread = lax.fori_loop(0, n_updates, lambda _, carry: maths.update(*carry), (state, call.spread))
    over = maths.are_over(state)
    ended = (state.step % shape.steps_per_epoch == 0) & ~over.all()

    def at_epoch_end() -> tuple[Array, tuple[Slot, ...], Horizons]:
        row, slots = maths.end_epoch(state, over)
        return row, slots, maths.count_down(call.horizons, row)

    row, slots, told = lax.cond(ended, at_epoch_end, lambda: (jnp.zeros_like(call.rows[0]), state.slots, call.horizons))
    insides, n_insides = _insides(shape, maths, state, ended, call)
    rows = call.rows.at[call.n_rows].set(row)
    n_rows = call.n_rows + ended.astype(jnp.int32)
    return _Call(state._replace(slots=slots), rows, n_rows, insides, n_insides, spread, told)


def _insides(
    shape: Shape, maths: _Maths, state: State, ended: Bool[Array, ""], call: _Call
) -> tuple[Float[Array, "looks *members diagnosis"], Int[Array, ""]]:
    """Add a diagnosis if the epoch that ended is one to be looked at."""
    if not shape.layer_names:
        return call.insides, call.n_insides
    is_due = ended & diagnosis.is_due((state.step - 1) // shape.steps_per_epoch)
    insides = lax.cond(
        is_due, lambda: call.insides.at[call.n_insides].set(maths.look_inside(state)), lambda: call.insides
    )
    return insides, call.n_insides + is_due.astype(jnp.int32)


@dataclass(frozen=True, slots=True)
class Report:
    """What a call did to one member, on the host.

    Attributes:
        step: updates done, in all.
        rows: metrics of each epoch that ended within the call, in order; shape [epochs, metrics].
        insides: what `diagnosis.read` reads, of each of those epochs that were looked at; shape [looks, diagnosis].
        spread: sum, min, max and last of each metric over the call's updates; shape [4, metrics].
        trouble_step: first update with a loss that is no number, or -1; with the rate and gradient norm before it.
    """

    step: int
    rows: np.ndarray[Any, np.dtype[np.float32]]
    insides: np.ndarray[Any, np.dtype[np.float32]]
    spread: np.ndarray[Any, np.dtype[np.float32]]
    trouble_step: int
    trouble_learning_rate: float
    trouble_grad_norm: float


def read_report(shape: Shape, vector: np.ndarray[Any, np.dtype[np.float32]]) -> Report:
    """Return the report in the vector that `advance` returned for a member."""
    n_step = len(shape.step_names)
    integers, (rate, norm), rest = vector[:4].view(np.int32), vector[4:6], vector[6:]
    spread, rows, insides = np.split(rest, [4 * n_step, 4 * n_step + (horizons.MOST_EPOCHS + 1) * len(shape.row_names)])
    return Report(
        step=int(integers[0]),
        rows=rows.reshape(-1, len(shape.row_names))[: integers[1]],
        insides=insides.reshape(-1, max(1, diagnosis.length(shape.layer_names)))[: integers[3]],
        spread=spread.reshape(4, n_step),
        trouble_step=int(integers[2]),
        trouble_learning_rate=float(rate),
        trouble_grad_norm=float(norm),
    )


def _report(
    step: Int[Array, ""],
    n_rows: Int[Array, ""],
    n_insides: Int[Array, ""],
    trouble: Trouble,
    spread: Spread,
    rows: Float[Array, "epochs metrics"],
    insides: Float[Array, "looks diagnosis"],
) -> Float[Array, " report"]:
    integers = jnp.stack([step, n_rows, trouble.step, n_insides])
    return jnp.concatenate(
        [
            lax.bitcast_convert_type(integers, jnp.float32),
            jnp.stack([trouble.learning_rate, trouble.grad_norm]),
            *spread,
            rows.ravel(),
            insides.ravel(),
        ]
    )
