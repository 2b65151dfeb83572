"""How many updates a call of the device makes: a short one is polite, a long one is fast."""

from typing import Final

from trainer import horizons

_SECONDS: Final = 0.15
"""How long a call shall take: pause and stop, and a person who has seen enough, wait for its end."""

_GROWTH: Final = 8
"""At most how many times longer than the last one a call may be: the first ones measure the speed."""


def updates_with_room(step: int, steps_per_epoch: int) -> int:
    """Return how many updates fit into the call that begins after `step` of them: it ends with its last row's epoch."""
    return horizons.MOST_EPOCHS * steps_per_epoch - step % steps_per_epoch


def most_updates(count: int, seconds: float) -> int:
    """Return how many updates the next call may make, after one of so many that took so long."""
    return max(1, min(_GROWTH * count, int(_SECONDS * count / seconds)))
