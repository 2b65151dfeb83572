"""When the whole state of a training is saved by itself, so that a run that is killed loses little."""

import time
from typing import Final

_SHARE: Final = 0.1
_BOUNDS: Final = (2.0, 60.0)
"""Seconds between two saves: this share of the training so far, between these bounds. Early on the next one is near;
later what a kill costs is small beside what was trained, and a minute at most."""

_COST_TO_TRAINING: Final = 100
"""At least so many times what a save costs: a hundredth of the time at most."""


class Cadence:
    """Says when the next save is due."""

    def __init__(self) -> None:
        self._due = time.monotonic() + _BOUNDS[0]

    @property
    def is_due(self) -> bool:
        """Return whether it is time."""
        return time.monotonic() >= self._due

    def wait(self, trained: float, copying: float, writing: float) -> None:
        """Set the time of the next save.

        Args:
            trained: seconds so far.
            copying: seconds that a save takes of the training itself, as far as it is known by now.
            writing: seconds that a thread takes for it then, most of them waiting for the disk: a minute between two
                saves is enough for them.
        """
        least, most = _BOUNDS
        wanted = max(least, _SHARE * trained, _COST_TO_TRAINING * writing)
        self._due = time.monotonic() + max(min(most, wanted), _COST_TO_TRAINING * copying)
