"""`events.jsonl`: appended to by one trainer, followed by anybody.

One record is one line is one `write`, so that a killed trainer leaves whole lines. A torn last line, which only a lost
machine or a full disk leaves, is waited for by a reader and counted once something follows it.
"""

import contextlib
import threading
import time
from pathlib import Path

from pydantic import ValidationError

from trainer import failpoints, files
from trainer.appending import Appending
from trainer.events import Event, Warned, decode, encode

_READ_AT_ONCE = 1 << 20
_LINE_LIMIT = 1 << 22
_TORN = b" (torn)\n"
"""The end of a line that has none of its own: no record, even where nothing was missing but the end."""


class Log:
    """The writing end. Numbers the records; safe to use from several threads.

    Records that the disk refuses wait in memory until `flush` brings them to it.
    """

    def __init__(self, path: Path, next_seq: int = 0) -> None:
        """Open the file for appending; it is made where it is missing. Raises OSError."""
        self._file = Appending(path)
        self._file.flush()
        self._lock = threading.Lock()
        if not files.ends_a_line(path):  # a machine was lost in the middle of a record
            self._file.append(_TORN)
            self._file.flush()
        self.next_seq = next_seq

    @property
    def waiting(self) -> int:
        """Return how many records wait for the disk."""
        return self._file.waiting

    @property
    def lost(self) -> int:
        """Return how many records waited for so long that they had to go."""
        return self._file.lost

    def append(self, event: Event) -> Event:
        """Write the record, numbered and dated, unless others wait already; return it as written."""
        with self._lock:
            event = event.model_copy(update={"seq": self.next_seq, "time": time.time()})
            line = encode(event)
            if failpoints.reached("half a record"):
                self._file.append(line[: len(line) // 2])
                self._file.flush()
                failpoints.die()
            behind = bool(self._file.waiting)
            self._file.append(line)
            self.next_seq += 1
            if not behind:
                # Not lost: it waits, and whoever asks for a `flush` is told why.
                with contextlib.suppress(OSError):
                    self._file.flush()
            failpoints.pass_by("record written")
            return event

    def flush(self) -> None:
        """Write what waits. Raises OSError: the disk refuses it, and it goes on waiting."""
        with self._lock:
            self._file.flush()

    def give_up(self, message: str) -> None:
        """Have only the newest record wait, after a warning in the place of the others that says `message`."""
        with self._lock:
            instead = Warned(seq=self.next_seq - 2, time=time.time(), message=message)
            self._file.lost += self._file.give_up(encode(instead))

    def sync(self) -> None:
        """Have every record survive a power cut. Raises OSError: some wait, or the disk is in trouble."""
        self.flush()
        self._file.sync()

    @property
    def offset(self) -> int:
        """Return the length of the file in bytes."""
        return self._file.offset

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Tail:
    """The reading end: gives each whole record once, as it comes.

    Attributes:
        skipped: lines that were no record: torn, damaged, or of a kind that a newer version writes.
        rest: what follows the last whole line.
        problem: why the file could not be read when that was tried last, or "".
    """

    def __init__(self, path: Path) -> None:
        self.skipped = 0
        self.problem = ""
        self._path = path
        self._offset = 0
        self.rest = b""

    def read(self, limit: int = _READ_AT_ONCE) -> list[Event]:
        """Return the records that came since the last call, from at most `limit` bytes; none if the file is missing."""
        try:
            with files.open_regular(self._path) as file:
                file.seek(self._offset)
                data = file.read(limit)
        except FileNotFoundError:
            return []
        except OSError as error:
            self.problem = f"{self._path.name}: {error.strerror}"
            return []
        self.problem = ""
        self._offset += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        if len(self.rest) > _LINE_LIMIT:
            self.skipped, self.rest = self.skipped + 1, b""
        return [event for line in lines if line and (event := self._decoded(line))]

    def read_all(self) -> list[Event]:
        """Return every record there is now."""
        events: list[Event] = []
        before = -1
        while before < self._offset:
            before = self._offset
            events.extend(self.read())
        return events

    def _decoded(self, line: bytes) -> Event | None:
        try:
            return decode(line)
        except ValidationError:
            self.skipped += 1
            return None
