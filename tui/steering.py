"""What a process that trains can be told from outside of its screens: by signals, and by the way it is left."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.commands import Command


class Steering:
    """The wishes for one training. All methods may be called from any thread, and only leave word for the trainer.

    Attributes:
        cancelled: set to have the run end, saved.
        directory: folder of the run, or of the one that leads its group; None before there is one.
        is_interrupted: whether a person stopped it by a signal.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.cancelled = threading.Event()
        self.directory = directory
        self.is_interrupted = False

    def save(self) -> None:
        """Have a checkpoint written at the end of the call."""
        from trainer.commands import Save

        self._send(Save(by="a signal"))

    def end(self) -> None:
        """Have the run end at the end of the call, saved, so that it can be gone on with."""
        self.cancelled.set()

    def stop(self) -> None:
        """Have the run end at the end of the call, on its best weights."""
        from trainer.commands import Stop

        self.is_interrupted = True
        self._send(Stop(by="a signal"))
        # Where the disk takes no command, the run ends all the same.
        self.cancelled.set()

    def _send(self, command: Command) -> None:
        from trainer.replicas import send_to_group

        if self.directory is not None:
            with contextlib.suppress(OSError):
                send_to_group(self.directory, command)
