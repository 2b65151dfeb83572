"""Runs that went on when their terminal was gone: noted in their folder, and told once, at the next start of the app.

The note says since when. All else, such as how the run ended, the run says itself.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tui import streams

_NAME = "unattended"
_MOST_BYTES = 32


def go_on(directory: Path | None, *, in_background: bool = False) -> None:
    """Let go of the terminal, with a note in the run that it goes on without; None for a process without a run."""
    streams.leave_terminal(directory and directory / "log.txt", all_of_them=in_background)
    if directory is not None:
        mark(directory, streams.left_at())


def mark(directory: Path, since: float | None = None) -> None:
    """Note that a run goes on without a terminal, since now or a time in Unix seconds; an earlier note stays."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory / _NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{since or time.time():.0f}\n")


def forget(directory: Path) -> None:
    """Drop the note of a run that somebody goes on with in a terminal: they know."""
    with contextlib.suppress(OSError):
        (directory / _NAME).unlink()


def tell(store: Path) -> list[str]:
    """Return a line about each run of a store that went on without a terminal; one that has ended is told once."""
    return [line for path in sorted(store.glob(f"*/{_NAME}")) for line in _lines(path)]


def _lines(note: Path) -> Iterator[str]:
    from trainer import files
    from trainer.replicas import is_live
    from trainer.runs import peek

    try:
        since = _clock(int(files.read_regular(note, _MOST_BYTES)))
        run = peek(note.parent)
        last = (note.parent / "run.json").stat().st_mtime
        if is_live(run):
            if run.status.state == "paused":
                yield f"{run.name} is without a terminal since {since}, paused until somebody goes on with it (f5)"
            else:
                yield f"{run.name} goes on without a terminal since {since}"
            return
        note.unlink()
    except (OSError, ValueError, OverflowError):
        return
    yield f"{run.name} went on without a terminal {since}–{_clock(last)}, {run.shown_state}"


def _clock(moment: float) -> str:
    """Return a time of today as 14:02, of another day as 27 Nov 14:02."""
    at = time.localtime(moment)
    today = at[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%d %b %H:%M", at)
