"""What was counted, against its bar."""

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        what: that was done, with how often, such as "kills at random".
        tries: how often.
        failures: how many of them broke the promise; the bar is 0.
        note: what else was measured, in words.
    """

    what: str
    tries: int
    failures: int
    note: str = ""

    @property
    def kept(self) -> bool:
        """Return whether the promise was kept, and put to the test at all."""
        return self.tries > 0 and self.failures == 0


def say(text: str) -> None:
    """Tell on stderr what is being done."""
    print(text, file=sys.stderr, flush=True)
