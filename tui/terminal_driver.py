"""How the app reads from its terminal and writes to it: such that losing the terminal costs the screen and no more.

Textual's own driver dies of a hang-up, spins when the terminal reads as ended, and stands still with one that is not
drained. This one has a descriptor of its own, which does not block; it takes any end of the terminal, with a signal or
without, as one and the same thing, which it tells the app; it neither stops the process nor starts it again. Only
sequences of `tui.escapes` go out.
"""

import asyncio
import contextlib
import os
import selectors
import signal
import termios
import tty
from codecs import getincrementaldecoder
from threading import Thread
from typing import Any

from textual import constants, events
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import (
    KITTY_DISAMBIGUATE_ESCAPE_CODES,
    KITTY_REPORT_ALL_KEYS,
    KITTY_REPORT_ASSOCIATED_TEXT,
    LinuxDriver,
)
from textual.geometry import Size

from tui import streams
from tui.escapes import checked
from tui.outlet import Outlet

_SMALL = (80, 24)
_READ_AT_ONCE = 1 << 12
_LOOK_SECONDS = 0.1
_KITTY_KEYS = KITTY_DISAMBIGUATE_ESCAPE_CODES | KITTY_REPORT_ALL_KEYS | KITTY_REPORT_ASSOCIATED_TEXT


class TerminalDriver(LinuxDriver):
    """A driver for an app with `lose_terminal`, which is called, from any thread, when the terminal is gone."""

    def __init__(
        self, app: Any, *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        # The kernel sends CONT with every hang-up; what stopped the process is not the app's business. TTOU comes when
        # the shell has taken the terminal back, and the app wants to leave it tidy.
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
        for number in (signal.SIGTSTP, signal.SIGTTOU, signal.SIGTTIN):
            signal.signal(number, signal.SIG_IGN)
        self._lost = app.lose_terminal
        self._is_own, self.fileno = _own_descriptor(self.fileno)
        self._outlet = Outlet(self.fileno, self._paint_anew, self._lost)
        self._size = size or self._get_terminal_size()
        streams.hold()

    @property
    def can_suspend(self) -> bool:
        """Return that the process does not stop itself: the training would stop with it."""
        return False

    def write(self, data: str) -> None:
        """Add to the frame."""
        self._outlet.write(checked(data))

    def flush(self) -> None:
        """Send the frame off."""
        self._outlet.flush()

    def start_application_mode(self) -> None:
        """Take the terminal over."""
        signal.signal(signal.SIGWINCH, self._take_size)
        self.write("\x1b[?1049h")
        self._enable_mouse_support()
        with contextlib.suppress(termios.error):
            self.attrs_before = termios.tcgetattr(self.fileno)
            termios.tcsetattr(self.fileno, termios.TCSANOW, self._patched(termios.tcgetattr(self.fileno)))
        self.write("\x1b[?25l")
        self.write("\x1b[?1004h")
        if not constants.DISABLE_KITTY_KEY:
            self.write(f"\x1b[>{_KITTY_KEYS}u")
        self._key_thread = Thread(target=self._run_input_thread, name="textual-input")
        self._key_thread.start()
        self._request_terminal_sync_mode_support()
        self._enable_bracketed_paste()
        self._disable_line_wrap()
        self.flush()

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was."""
        self._outlet.finish_picture()
        super().stop_application_mode()

    def close(self) -> None:
        """Send the last bytes; from here on what is printed is seen again."""
        self._outlet.close()
        if self._is_own:
            os.close(self.fileno)
            self._is_own = False
        streams.give_back()

    def run_input_thread(self) -> None:
        """Read keys until the app or the terminal ends."""
        parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")(errors="replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(_LOOK_SECONDS):
                    data = self._read()
                    if data == b"":
                        self._lost()
                        return
                    for event in parser.feed(decode(data or b"")) if data else ():
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
        with contextlib.suppress(EOFError, ParseError):
            list(parser.feed(""))

    def _read(self) -> bytes | None:
        """Return what was typed, None for nothing after all, b"" when the terminal is gone."""
        try:
            return os.read(self.fileno, _READ_AT_ONCE)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _patched(self, modes: list[Any]) -> list[Any]:
        modes[tty.LFLAG] = self._patch_lflag(modes[tty.LFLAG])
        modes[tty.IFLAG] = self._patch_iflag(modes[tty.IFLAG])
        modes[tty.CC][termios.VMIN] = 1
        return modes

    def _get_terminal_size(self) -> tuple[int, int]:
        try:
            columns, lines = os.get_terminal_size(self.fileno)
        except OSError:
            columns = lines = 0
        return (columns, lines) if columns and lines else self._size or _SMALL

    def _take_size(self, *_: object) -> None:
        """Have the app take the terminal's new size; one of no columns or lines, as some send on the way, is none."""
        self._size = self._get_terminal_size()
        size = Size(*self._size)
        asyncio.run_coroutine_threadsafe(self._app._post_message(events.Resize(size, size)), loop=self._loop)

    def _paint_anew(self) -> None:
        self._app.screen.refresh(layout=True)


def _own_descriptor(descriptor: int) -> tuple[bool, int]:
    """Return a descriptor of the same terminal that only this process has, and that it is one; or the same, if not.

    That the shell's does not block is nothing to change: the shell has it too.
    """
    try:
        name = os.ttyname(descriptor)
        return True, os.open(name, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False, descriptor
