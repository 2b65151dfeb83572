"""Compaction: the members of a population that are still training, moved together into a smaller one.

Members that ended cost as much as the others. A smaller population is another program, which takes its time to compile;
so members move only when what is left to train is worth it.
"""

from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from trainer.state import AXES, DATA_AXES, Data, State, picked

_WORTH: Final = 2.0
"""How many times the seconds of another compile must be saved."""


def is_worth_it(alive: int, members: int, updates_left: int, seconds_per_update: float, compile_seconds: float) -> bool:
    """Say whether the members still training should move into a population of their own.

    Args:
        alive: how many those are, on each device that they would have.
        members: how many are computed now, on each device.
        updates_left: what the longest of them has still to do, at most.
        seconds_per_update: of all members together, as measured.
        compile_seconds: what the program of all members took to compile.
    """
    if not 0 < alive <= members / 2:
        return False
    saved = updates_left * seconds_per_update * (1 - alive / members)
    return saved > _WORTH * compile_seconds


def moved(states: State, data: Data, members: np.ndarray[Any, np.dtype[np.int32]]) -> tuple[State, Data]:
    """Return the state and the data of a population of these members, in this order."""
    places = jnp.array(members)
    return picked(states, AXES, places), picked(data, DATA_AXES, places)
