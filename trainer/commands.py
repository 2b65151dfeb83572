"""Commands to a live run: any screen or program appends them to `commands.jsonl`, the trainer reads them.

Replicas are commanded together, by the file of the one that leads them.
"""

import errno
import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from trainer import files

_LIMIT = 1 << 16


class _Command(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    by: str = "unknown"
    time: float = 0.0


class Pause(_Command):
    """Wait at the end of the call."""

    kind: Literal["pause"] = "pause"


class Resume(_Command):
    """Go on."""

    kind: Literal["resume"] = "resume"


class Stop(_Command):
    """End the run at the end of the call; with `keep_best`, on the best weights there are."""

    kind: Literal["stop"] = "stop"
    keep_best: bool = True


class Save(_Command):
    """Write a checkpoint at the end of the call."""

    kind: Literal["save"] = "save"


class Set(_Command):
    """Give a live hyperparameter another value from the next call on."""

    kind: Literal["set"] = "set"
    key: str
    value: Any


class Extend(_Command):
    """Train up to so many epochs in all, also where the run had come to its end; early stopping has patience again."""

    kind: Literal["extend"] = "extend"
    epochs: int


Command = Annotated[Pause | Resume | Stop | Save | Set | Extend, Field(discriminator="kind")]
_COMMANDS: TypeAdapter[Command] = TypeAdapter(Command, config=ConfigDict(defer_build=True))


def send(directory: Path, command: Command) -> None:
    """Append the command to those of the run. Raises OSError."""
    line = command.model_copy(update={"time": time.time()}).model_dump_json().encode() + b"\n"
    path = directory / "commands.jsonl"
    descriptor = files.open_to_append(path)
    try:
        if not files.ends_a_line(path):  # the disk took a part of one only
            line = b"\n" + line
        if os.write(descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


def goes_on(command: Command) -> bool:
    """Return whether a command is none that holds or ends a training, or lets go of it."""
    return not isinstance(command, Pause | Resume | Stop)


def size(directory: Path) -> int:
    """Return the bytes of a run's commands."""
    try:
        return (directory / "commands.jsonl").stat().st_size
    except OSError:  # who reads them tells it
        return 0


def _commands(data: bytes, problems: list[str]) -> list[Command]:
    """Return the commands in whole lines, and add a line about each that is none to the problems."""
    commands = []
    for line in data.splitlines():
        try:
            commands.append(_COMMANDS.validate_python(json.loads(line)))
        except (ValidationError, ValueError, RecursionError):
            problems.append(f"commands.jsonl has a line that is no command: {line[:80]!r}")
    return commands


class Inbox:
    """The trainer's end: gives each command once. Looking costs one `stat`.

    Attributes:
        directory: whose commands they are.
        offset: bytes read by now.
    """

    def __init__(self, directory: Path, offset: int = 0, over: int = 0) -> None:
        """Begin.

        Args:
            directory: of the run, or of the one that leads its group.
            offset: bytes read before.
            over: bytes of commands to an earlier training; what was to hold or end that one is passed over.
        """
        self.directory = directory
        self._path = directory / "commands.jsonl"
        self.offset = offset
        self._over = over
        self._refused = ""

    def read(self, until: int | None = None) -> tuple[list[Command], list[str]]:
        """Return the commands that came since the last call, and a line about each that was none.

        Args:
            until: bytes of the file that count, all by default; what came later is for the next call.
        """
        before = self.offset
        until = self.size if until is None else until
        if until <= self.offset:
            return [], []
        try:
            data = self._new(min(_LIMIT, until - self.offset))
        except FileNotFoundError:
            return [], []
        except OSError as error:
            return [], self._told(f"commands.jsonl cannot be read: {error.strerror or error}")
        self._refused = ""
        problems: list[str] = []
        place = max(0, self._over - before)
        old, new = (_commands(part, problems) for part in (data[:place], data[place:]))
        return [*filter(goes_on, old), *new], problems

    @property
    def size(self) -> int:
        """Return the bytes of all commands by now; more than any file has where `read` will say why it cannot."""
        try:
            return os.stat(self._path).st_size  # noqa: PTH116 at every call's end, and twice as fast
        except FileNotFoundError:
            return 0
        except OSError:
            return sys.maxsize

    def peek(self) -> list[Command]:
        """Return the commands that `read` would give."""
        before = self.offset, self._refused
        commands, _ = self.read()
        self.offset, self._refused = before
        return commands

    def _new(self, most: int) -> bytes:
        """Return the whole lines that came, of so many bytes, and go on behind them."""
        with files.open_regular(self._path) as file:
            file.seek(self.offset)
            data = file.read(most)
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) == _LIMIT:  # no command is that long, and waiting for its end would stop all others
            whole = len(data)
        self.offset += whole
        return data[:whole]

    def _told(self, problem: str) -> list[str]:
        """Return a problem the first time that it is met."""
        is_new, self._refused = problem != self._refused, problem
        return [problem] if is_new else []
