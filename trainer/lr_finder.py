"""Learning-rate finder: a population over a range of rates, each from the same weights, and what their losses say.

Smith's range test (2017) raises one run's rate step by step, so that each loss also depends on the rates before. Runs
are cheap here when they train together: each rate has its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer import horizons, program
from trainer.advance import read_report
from trainer.live_numbers import LiveNumbers
from trainer.preparation import Prepared
from trainer.shape import shape_of

_MEASURED = 0.25
"""Share of the updates, the last ones, whose mean loss counts."""

_ENOUGH = 0.05
"""The suggestion's loss may miss this share of the greatest fall: smaller steps pay later in a training."""

_LEAST_FALL = 0.01
"""Share of itself that the loss must fall by at some rate, else no rate is suggested."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the finder saw.

    Attributes:
        rates: learning rates tried, ascending; shape [rates].
        losses: training loss of each at the end, not finite where it diverged; shape [rates].
        updates: updates that each made.
        suggestion: the rate to try, or None.
        reason: why, in one line.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    updates: int
    suggestion: float | None
    reason: str


def find(prepared: Prepared, lowest: float = 1e-6, highest: float = 10.0, count: int = 48, updates: int = 200) -> Found:
    """Train a copy of the network at each rate for some updates and suggest one.

    Nothing is recorded or saved. The schedule is left out, since it would change the rates.

    Args:
        prepared: config and data.
        lowest: first rate of the range, above 0.
        highest: last rate of the range, above `lowest`.
        count: number of rates, evenly spread over the logarithm, at least 2.
        updates: of each, at least 4.

    Raises:
        ValueError: an argument is out of its bounds.
    """
    if not 0 < lowest < highest or count < 2 or updates < 4:
        raise ValueError(f"lr range must ascend above 0, got {lowest} to {highest} in {count}, {updates} updates.")
    rates = np.array([float(f"{rate:.3g}") for rate in np.geomspace(lowest, highest, count)])
    losses = _losses(prepared, rates, updates)
    suggestion, reason = judged(rates, losses, updates)
    return Found(rates, losses, updates, suggestion, reason)


def judged(rates: NDArray[np.float64], losses: NDArray[np.float64], updates: int) -> tuple[float | None, str]:
    """Return the rate to try and why: the smallest whose loss falls nearly as far as any.

    Args:
        rates: ascending; shape [rates].
        losses: loss at the end of each, not finite where it diverged; shape [rates].
        updates: how many each made, for the words.
    """
    finite = np.isfinite(losses)
    if not finite.any():
        return None, "the loss is no number at any of these rates."
    start = losses[finite][0]
    best = int(np.nanargmin(np.where(finite, losses, np.nan)))
    fall = start - losses[best]
    if not fall > _LEAST_FALL * abs(start):
        return None, f"no rate lowers the loss ({start:.4g}) in {updates} updates."
    good = finite & (losses <= losses[best] + _ENOUGH * fall)
    suggestion = float(rates[int(np.argmax(good))])
    reason = (
        f"after {updates} updates the loss is lowest, {losses[best]:.4g}, at {rates[best]:.3g}; {suggestion:.3g} is "
        f"the smallest rate that comes within {_ENOUGH:.0%} of that fall"
    )
    worse = rates[best + 1 :][~(losses[best + 1 :] < start)]
    return suggestion, f"{reason}, and from {worse[0]:.3g} on training makes it worse." if len(worse) else f"{reason}."


def _losses(prepared: Prepared, rates: NDArray[np.float64], updates: int) -> NDArray[np.float64]:
    plain = Prepared(prepared.config.changed({"schedule.kind": "constant"}), prepared.splits)
    shape = shape_of([plain] * len(rates))
    data = program.place(plain.splits)
    compiled, _ = program.compiled(shape, data, None)
    live = LiveNumbers(plain.config)
    vectors = np.tile(live.vector, (len(rates), 1))
    vectors[:, live.names.index("optimizer.learning_rate")] = rates
    state = compiled.init(np.full(len(rates), plain.config.training.seed, np.uint32), vectors)
    told = horizons.unbound(len(rates))

    def advance(wanted: int) -> NDArray[np.float64]:
        """Make updates; return the sum of their losses, of each rate."""
        nonlocal state
        sums = np.zeros(len(rates))
        while wanted:
            # A call has room for so many epochs' rows.
            count = min(wanted, horizons.MOST_EPOCHS * shape.steps_per_epoch)
            orders = np.tile(np.array([count, 0], np.int32), (len(rates), 1))
            state, reports = compiled.advance(state, vectors, data, orders, told)
            sums += [read_report(shape, report).spread[0, 0] for report in np.asarray(reports)]
            wanted -= count
        return sums

    measured = max(1, int(updates * _MEASURED))
    advance(updates - measured)
    return advance(measured) / measured
