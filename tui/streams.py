"""Where the process's own file descriptors lead: to the terminal, to a run's log, or nowhere.

Libraries write to descriptors 1 and 2 as they like, XLA above all. While a screen is shown that would land in the
picture; when the terminal is gone it would be an error. Only what led to a terminal at first is led elsewhere: output
that a person sent into a file or a pipe stays with them.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from pathlib import Path
from typing import IO

from trainer import files

_IN, _OUT, _ERR = 0, 1, 2

_ours: set[int] = set()
"""Those of the three that led to a terminal when it was noted."""

_copies: dict[int, int] = {}
"""Where they led, to lead them back there."""

_left: list[float] = []
"""When the terminal was left for good."""


def hold() -> None:
    """Note which descriptors lead to a terminal, and take output away from it until `give_back`."""
    note()
    for number in _ours & {_OUT, _ERR}:
        _copies[number] = os.dup(number)
    lead_to(None)


def note() -> None:
    """Note which descriptors lead to a terminal. Once it is gone, nobody can say."""
    _ours.update(number for number in (_IN, _OUT, _ERR) if os.isatty(number))


def lead_to(log: Path | None) -> None:
    """Have output that would go to the terminal go to the end of a file; None for nowhere. Does nothing before `hold`.

    A file that cannot be written takes nothing.
    """
    if _copies:
        _lead(_ours & {_OUT, _ERR}, log)


def give_back() -> None:
    """Have output go to the terminal again."""
    for number, copy in _copies.items():
        os.dup2(copy, number)
        os.close(copy)
    _copies.clear()


def leave_terminal(log: Path | None, *, all_of_them: bool = False) -> None:
    """Let go of the terminal for good: input comes from nowhere, output goes to the log, or nowhere without one.

    Args:
        log: file to append to.
        all_of_them: also what leads elsewhere, for a process in the background that nobody waits for.
    """
    _left.append(time.time())
    for copy in _copies.values():
        os.close(copy)
    _copies.clear()
    numbers = {_IN, _OUT, _ERR} if all_of_them else set(_ours)
    _lead(numbers & {_IN}, None)
    _lead(numbers - {_IN}, log)


def left_at() -> float | None:
    """Return when the terminal was left, in Unix seconds; None if it was not."""
    return _left[0] if _left else None


def outlive_terminal() -> None:
    """Have what is printed from here on survive a terminal, a pipe or a disk that takes it no more: it goes nowhere."""
    note()
    for name, number in (("stdout", _OUT), ("stderr", _ERR)):
        stream = getattr(sys, name)
        if not _leads_to(stream, number):  # somebody has taken it over
            continue
        with contextlib.suppress(OSError):
            stream.flush()
        buffer = io.BufferedWriter(_Outlasting(number, "wb", closefd=False))
        text = io.TextIOWrapper(buffer, stream.encoding, stream.errors, line_buffering=True)
        setattr(sys, name, text)


def _leads_to(stream: IO[str], number: int) -> bool:
    try:
        return stream.fileno() == number
    except (OSError, ValueError):
        return False


class _Outlasting(io.FileIO):
    """A descriptor to write to. Once it takes nothing any more it leads nowhere, as do all that led to its terminal."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError:
            if self.fileno() in _ours:
                leave_terminal(None)
            else:
                _lead({self.fileno()}, None)
            return memoryview(data).nbytes  # type: ignore[arg-type]


def _lead(numbers: set[int], log: Path | None) -> None:
    if not numbers:
        return
    target = _opened(log)
    for number in numbers:
        os.dup2(target, number)
    os.close(target)


def _opened(log: Path | None) -> int:
    if log is not None:
        try:
            return files.open_to_append(log)
        except OSError:
            pass
    return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
