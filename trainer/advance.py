"""Any number of updates in one call of the device, over the ends of epochs, without coming back to the host.

`advance` is compiled once for a structure; how far it goes and the live numbers are arguments. What the host needs to
know of a call comes back in one vector: one transfer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from trainer import horizons, numbers, step
from trainer.config import Config
from trainer.horizons import Horizons
from trainer.metrics import Metrics
from trainer.shape import Shape
from trainer.state import Data, State

MOST_EPOCHS: Final = 128
"""Most epochs in one call: rows of the buffer for their metrics."""


class Spread(NamedTuple):
    """Metrics of the updates of one call."""

    sum: Float[Array, " metrics"]
    min: Float[Array, " metrics"]
    max: Float[Array, " metrics"]
    last: Float[Array, " metrics"]


class _Call(NamedTuple):
    """What changes within a call: the state, the rows of the epochs that ended, the updates' metrics, the horizons."""

    state: State
    rows: Float[Array, "epochs metrics"]
    n_rows: Int[Array, ""]
    spread: Spread
    horizons: Horizons


def make_advance(shape: Shape) -> Callable[..., tuple[State, Float[Array, " report"]]]:
    """Return the function that makes updates.

    It takes the state (to be donated), the numbers, the data, two integers, and the callbacks' horizons as
    `horizons.pack` packs them. The integers: how many updates to make at most, and whether (1) or not (0) to end at a
    loss that is no number. The call ends after an epoch at which a callback must be asked. It returns the state and the
    report that `read_report` reads.
    """

    def advance(
        state: State,
        vector: Float[Array, " numbers"],
        data: Data,
        orders: Int[Array, "2"],
        packed: Float[Array, "fields callbacks"],
    ) -> tuple[State, Float[Array, " report"]]:
        config = numbers.unpack(shape.config, vector)
        metrics = step.metrics_of(shape, data.target_scale, data.target_mean)
        end, careful = state.step + orders[0], orders[1] > 0

        def goes_on(call: _Call) -> Bool[Array, ""]:
            return (call.state.step < end) & horizons.are_open(call.horizons) & ~_hopeless(call.state, careful)

        def stretch(call: _Call) -> _Call:
            return _stretch(shape, config, metrics, data, end, careful, call)

        call = lax.while_loop(goes_on, stretch, _begun(shape, state, horizons.unpack(packed)))
        return call.state, _report(call)

    return advance


def _begun(shape: Shape, state: State, told: Horizons) -> _Call:
    # One row more than can be needed: the last stretch writes one even when it ends within an epoch.
    rows = jnp.zeros((MOST_EPOCHS + 1, len(shape.row_names)))
    nothing = jnp.zeros(len(shape.step_names))
    return _Call(state, rows, jnp.int32(0), Spread(nothing, nothing + jnp.inf, nothing - jnp.inf, nothing), told)


def _hopeless(state: State, careful: Bool[Array, ""]) -> Bool[Array, ""]:
    return careful & (state.trouble.step >= 0)


def _stretch(
    shape: Shape,
    config: Config,
    metrics: Metrics,
    data: Data,
    end: Int[Array, ""],
    careful: Bool[Array, ""],
    call: _Call,
) -> _Call:
    """Make updates up to the end of the epoch or of the call; at the end of the epoch, validate."""
    state = step.at_epoch_begin(shape, call.state)
    n_updates = jnp.minimum(shape.steps_per_epoch - state.step % shape.steps_per_epoch, end - state.step)

    def update(_: Any, carry: tuple[State, Spread]) -> tuple[State, Spread]:
        state, measured = step.update(shape, config, metrics, data, carry[0])
        return state, _with(carry[1], measured)

    state, spread = lax.fori_loop(0, n_updates, update, (state, call.spread))
    ended = (state.step % shape.steps_per_epoch == 0) & ~_hopeless(state, careful)

    def at_epoch_end() -> tuple[Array, tuple[Any, ...], Horizons]:
        row, slots = step.at_epoch_end(shape, config, metrics, data, state)
        return row, slots, horizons.after(call.horizons, row)

    row, slots, told = lax.cond(
        ended, at_epoch_end, lambda: (jnp.zeros(len(shape.row_names)), state.slots, call.horizons)
    )
    rows = call.rows.at[call.n_rows].set(row)
    return _Call(state._replace(slots=slots), rows, call.n_rows + ended.astype(jnp.int32), spread, told)


def _with(spread: Spread, measured: Float[Array, " metrics"]) -> Spread:
    return Spread(spread.sum + measured, jnp.minimum(spread.min, measured), jnp.maximum(spread.max, measured), measured)


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


def _report(call: _Call) -> Float[Array, " report"]:
    state = call.state
    integers = jnp.stack([state.step, call.n_rows, state.trouble.step, *(slot.epoch for slot in state.slots)])
    return jnp.concatenate(
        [
            lax.bitcast_convert_type(integers, jnp.float32),
            jnp.stack([state.trouble.learning_rate, state.trouble.grad_norm, *(slot.value for slot in state.slots)]),
            *call.spread,
            call.rows.ravel(),
        ]
    )
