"""Signals, taken by a thread of their own: it answers while all others are busy, and interrupts none of them.

HUP, TERM, USR1 and INT are blocked in every other thread; one that is started later inherits that, those of JAX too. An
answer only sets a flag or appends a command, and the training acts on it at the end of its call.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

TAKEN = frozenset({signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGINT})

Answers = Mapping[signal.Signals, Callable[[], None]]

INTERRUPTED = 130
"""Exit code of a process whose run a person stopped by INT."""

_BY_SIGNAL = 128
"""What is added to a signal's number in the exit code of a process that it ended."""

_PATIENCE_SECONDS = 25.0
"""How long a polite end may take; what sends a TERM often sends a KILL half a minute later."""

_ECHO_SECONDS = 1.0
"""Two TERMs within this time are one: a process and its parent got it, and the parent passed its own on."""

_QUICK_ECHO_SECONDS = 0.3
"""Likewise of INTs, which a hand may press twice in a second: one may come to the process and to its group."""


def block() -> None:
    """Have signals wait until they are taken. To be called before any other thread is started."""
    signal.pthread_sigmask(signal.SIG_BLOCK, TAKEN)


def unblock() -> None:
    """Have signals come as they come to any program, in a process that was started by one where they wait."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TAKEN)


class Signals:
    """Takes signals as long as it is open.

    Attributes:
        answers: what is done on each, in the thread that takes them; one without an answer is passed over.
    """

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self._is_over = False
        self._thread = threading.Thread(target=self._take, name="signals", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more."""
        self._is_over = True
        assert self._thread.ident is not None
        signal.pthread_kill(self._thread.ident, signal.SIGUSR1)
        self._thread.join()

    def _take(self) -> None:
        while True:
            number = signal.sigwait(TAKEN)
            if self._is_over:
                return
            self.answers.get(signal.Signals(number), _pass_over)()


@contextmanager
def held() -> Iterator[None]:
    """Have signals wait within a `with`, which begins before anything is loaded that starts threads."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, TAKEN)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def taken(answers: Answers) -> Iterator[Signals]:
    """Take signals within a `with`."""
    with held():
        signals = Signals(answers)
        try:
            yield signals
        finally:
            signals.close()


def die_by(number: signal.Signals) -> Callable[[], None]:
    """Return what ends the process at once, as the signal does where nobody takes it."""
    return lambda: os._exit(_BY_SIGNAL + number)


def asked_to_end(end: Callable[[], None], is_saved: Callable[[], bool]) -> Callable[[], None]:
    """Return the answer to TERM: end politely within half a minute; asked again, at once.

    Args:
        end: has all that is under way end, saved.
        is_saved: says, if the process still lives after that time, whether nothing would be lost with it. A terminal
            that is not read may hold it up, with the last line that it has to tell.
    """
    first: list[float] = []
    at_once = die_by(signal.SIGTERM)

    def leave() -> None:
        if is_saved():
            os._exit(0)
        at_once()

    def answer() -> None:
        if not first:
            first.append(time.monotonic())
            watch = threading.Timer(_PATIENCE_SECONDS, leave)
            watch.daemon = True
            watch.start()
            end()
        elif time.monotonic() - first[0] > _ECHO_SECONDS:
            at_once()

    return answer


def interrupted(stop: Callable[[], None]) -> Callable[[], None]:
    """Return the answer to INT: stop; asked again, at once."""
    first: list[float] = []
    at_once = die_by(signal.SIGINT)

    def answer() -> None:
        if not first:
            first.append(time.monotonic())
            stop()
        elif time.monotonic() - first[0] > _QUICK_ECHO_SECONDS:
            at_once()

    return answer


def _pass_over() -> None:
    pass
