"""Two processes: one that the shell waits for, and one that works and can be left alone.

The first is forked before anything heavy is loaded, and does nothing but wait: it passes signals on, and the other's
exit code. When the other one says that it goes on in the background, the first one leaves, and the prompt comes back.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
import threading
from collections.abc import Callable
from typing import NoReturn

from tui import signals

_BY_SIGNAL = 128
_LEFT_ON = "\x1b[?2004l\x1b[?7h\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
"""What takes back all that the app asks of a terminal."""


class Parent:
    """The process that the shell waits for, as the one that works sees it."""

    def __init__(self, news: int, life: int) -> None:
        self._news, self._life = news, life

    def watch(self, on_death: Callable[[], None]) -> None:
        """Have something called, in another thread, when the parent is gone without having been let go."""

        def wait() -> None:
            os.read(self._life, 1)
            on_death()

        threading.Thread(target=wait, name="parent", daemon=True).start()

    def let_go(self) -> None:
        """Leave the terminal's session, and have the parent end with 0: the shell's prompt comes back."""
        os.setsid()
        with contextlib.suppress(BrokenPipeError):
            os.write(self._news, b"!")


def fork() -> Parent:
    """Go on in a new process; the one that called waits for it, and never returns.

    Must be called by the main thread, before there is another. Signals wait from here on, until `signals.taken`.
    """
    signals.block()
    sys.stdout.flush()
    sys.stderr.flush()
    read_news, write_news = os.pipe()
    read_life, write_life = os.pipe()
    child = os.fork()
    if child:
        os.close(write_news)
        os.close(read_life)
        _wait(child, read_news)
    os.close(read_news)
    os.close(write_life)
    return Parent(write_news, read_life)


def _wait(child: int, news: int) -> NoReturn:
    modes = _modes()
    # What the keyboard sends comes to both; what somebody sends to this one alone is meant for the other.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda number, _: os.kill(child, number))
    signals.unblock()
    if os.read(news, 1):
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    _restore(modes)
    if code < 0:
        print(f"nn-tui was ended by signal {-code}. What it trained: nn-tui runs", file=sys.stderr)
    os._exit(code if code >= 0 else _BY_SIGNAL - code)


def _modes() -> list[object] | None:
    try:
        return termios.tcgetattr(0)
    except termios.error:
        return None


def _restore(modes: list[object] | None) -> None:
    """Put the terminal back into the state in which the other process found it, where that one did not."""
    if modes is None or modes == _modes():
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with contextlib.suppress(OSError, termios.error):
        os.write(1, _LEFT_ON.encode())
        termios.tcsetattr(0, termios.TCSANOW, modes)  # type: ignore[arg-type]
