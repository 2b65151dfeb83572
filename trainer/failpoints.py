"""Named places at which a process can be made to die, as if by kill -9: for torture, and off unless asked for.

`NN_TUI_DIE_AT="half a record:3"` has the process die when it comes to that place for the third time.
"""

import os
import signal
from typing import Final

POINTS: Final = (
    "temporary written", "renamed", "arrays saved", "manifest saved", "pruning", "half a record", "record written",
    "commands recorded", "call sent",
)  # fmt: skip
"""The places there are."""

_name, _, _count = os.environ.get("NN_TUI_DIE_AT", "").partition(":")
_left = int(_count or 1)


def reached(name: str) -> bool:
    """Say whether the process is to die here; each time it comes by counts."""
    global _left
    if name != _name:
        return False
    _left -= 1
    return _left <= 0


def pass_by(name: str) -> None:
    """Die here, if the process is to."""
    if reached(name):
        die()


def die() -> None:
    """End the process as kill -9 does: nothing is flushed, nothing runs any more."""
    os.kill(os.getpid(), signal.SIGKILL)
