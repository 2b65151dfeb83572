"""How often a live screen is drawn: as often as it likes at first, then only so much a second over the wire."""

import time


class Pace:
    """An allowance of cells that drawing spends and time refills."""

    def __init__(self, rate: float, most: float) -> None:
        """Start with a full allowance.

        Args:
            rate: cells a second that come back.
            most: cells that can be saved up.
        """
        self._rate = rate
        self._most = self._left = most
        self._looked = time.monotonic()

    def allows(self) -> bool:
        """Say whether something may be drawn now."""
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._looked) * self._rate)
        self._looked = now
        return self._left > 0

    def spend(self, cells: int) -> None:
        """Take note of cells that were painted; the allowance may go below nothing and is paid back by waiting."""
        self._left -= cells
