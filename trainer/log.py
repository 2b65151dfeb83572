"""`events.jsonl`: appended to by one trainer, followed by anybody.

One record is one line is one `write`, so that a killed trainer leaves whole lines. A torn last line, which only a lost
machine leaves, is waited for by a reader and counted once something follows it.
"""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from trainer import failpoints
from trainer.events import Event, Finished, decode, encode

_READ_AT_ONCE = 1 << 20
_LINE_LIMIT = 1 << 22


class Log:
    """The writing end. Numbers the records; safe to use from several threads."""

    def __init__(self, path: Path, next_seq: int = 0) -> None:
        """Open the file for appending; it is made where it is missing."""
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._lock = threading.Lock()
        self.next_seq = next_seq

    def append(self, event: Event) -> Event:
        """Write the record, numbered and dated; return it as written.

        Raises:
            OSError: the disk refused it, or took only a part of it.
        """
        with self._lock:
            event = event.model_copy(update={"seq": self.next_seq, "time": time.time()})
            line = encode(event)
            if failpoints.reached("half a record"):
                os.write(self._descriptor, line[: len(line) // 2])
                failpoints.die()
            if os.write(self._descriptor, line) != len(line):
                raise OSError(28, "no space left for a whole record")
            self.next_seq += 1
            failpoints.pass_by("record written")
            return event

    def sync(self) -> None:
        """Have everything appended survive a power cut."""
        os.fsync(self._descriptor)

    @property
    def offset(self) -> int:
        """Return the length of the file in bytes."""
        return os.fstat(self._descriptor).st_size

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def cut_torn_line(path: Path) -> int:
    """Cut the file after its last whole line, so that the next record begins a line; return the bytes that went.

    Only for the one who may write it. Raises OSError; a file that is missing has nothing to cut.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return 0
    try:
        size = os.fstat(descriptor).st_size
        rest = os.pread(descriptor, _LINE_LIMIT, max(0, size - _LINE_LIMIT))
        torn = len(rest) - rest.rfind(b"\n") - 1
        if torn:
            os.ftruncate(descriptor, size - torn)
    finally:
        os.close(descriptor)
    return torn


class Tail:
    """The reading end: gives each whole record once, as it comes.

    Attributes:
        skipped: lines that were no record: torn, damaged, or of a kind that a newer version writes.
    """

    def __init__(self, path: Path) -> None:
        self.skipped = 0
        self._path = path
        self._offset = 0
        self._rest = b""

    def read(self, limit: int = _READ_AT_ONCE) -> list[Event]:
        """Return the records that came since the last call, from at most `limit` bytes; none if the file is missing."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(limit)
        except FileNotFoundError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LINE_LIMIT:
            self.skipped, self._rest = self.skipped + 1, b""
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


def follow(directory: Path, interval: float = 0.1) -> Iterator[Event]:
    """Yield the records of a run as they come, until `finished` or the death of its trainer.

    Args:
        directory: the run's.
        interval: seconds between two looks.
    """
    from trainer.store import is_alive

    tail = Tail(directory / "events.jsonl")
    while True:
        alive = is_alive(directory)
        events = tail.read()
        yield from events
        if any(isinstance(event, Finished) for event in events) or (not events and not alive):
            return
        if not events:
            time.sleep(interval)
