"""The end of a run: which weights it keeps, and its last words."""

from typing import Final, NamedTuple

import numpy as np

from trainer.callbacks import EarlyStopping
from trainer.course import Course
from trainer.events import Reason, WeightsRestored
from trainer.numbers import shortest
from trainer.shape import Shape, watch_of
from trainer.state import Parameters, State
from trainer.status import Best

_WORDS: Final[dict[Reason, str]] = {
    "completed": "all epochs done",
    "early_stopped": "stopped early",
    "stopped": "on command",
    "interrupted": "interrupted",
}
"""Why a run ended, where its state does not say it."""


class Ending(NamedTuple):
    """What a run ends with: weights, of all members, and how many updates they have behind them."""

    parameters: Parameters
    step: int


def best_ending(state: State, shape: Shape, member: int, course: Course) -> tuple[Ending, WeightsRestored] | None:
    """Return the best weights where a run is to end on these, with the record of it.

    None where it keeps those of its last update: nobody wants the best, no epoch was completed, or no value is finite.

    Args:
        state: of all members, at the end of this one.
        shape: what was compiled.
        member: the run's place along the first axis of the state.
        course: what was decided of it.
    """
    # Its own: others of the population may watch something else.
    own = [(callback, watch) for callback in course.callbacks if (watch := watch_of(callback)) in shape.watches]
    stopping = [watch for callback, watch in own if isinstance(callback, EarlyStopping)]
    wanted = stopping or ([watch for _, watch in own] if course.keeps_best else [])
    for watch in () if course.keeps_best is False else wanted:
        slot = state.slots[shape.watches.index(watch)]
        # Through NumPy: picking one number out of an array on the device traces and compiles a program for it.
        if (epoch := int(np.asarray(slot.epoch)[member])) >= 0:
            step = (epoch + 1) * shape.steps_per_epoch
            record = WeightsRestored(
                reason="early_stopping" if stopping else "stopped",
                monitor=watch.metric,
                value=shortest(np.asarray(slot.value)[member]),
                epoch=epoch,
                step=step,
            )
            return Ending(slot.parameters, step), record
    return None


def last_words(reason: Reason, best: Best | None) -> str:
    """Return what a run says at its end: why it ended, and its best epoch."""
    found = f"best {best.metric} {best.value:.4g} at epoch {best.epoch + 1}" if best else "no epoch was completed"
    return "; ".join(filter(None, (_WORDS.get(reason), found)))
