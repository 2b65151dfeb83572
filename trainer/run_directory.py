"""The writing end of a run: its folder, its lock, its records. One per training, in the thread that trains."""

import fcntl
import os
import re
import secrets
import socket
import sys
import time
import traceback
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from trainer import config as configs
from trainer import files, memory
from trainer.config import Config
from trainer.devices import versions
from trainer.events import Finished, Record
from trainer.log import Log
from trainer.past import Past
from trainer.problems import RunError
from trainer.runs import Run, Status
from trainer.text import clean

_STATUS_INTERVAL = 1.0
_SLUG_LENGTH = 40
_LOCK_SECONDS = 1.0
_LOCK_POLL = 0.02

_R = TypeVar("_R", bound=Record)


class RunDirectory:
    """A run that this process writes.

    Attributes:
        path: the folder.
        run: what its records add up to so far.
        log: `events.jsonl`.
        seconds: trained so far, without compiling and pauses; set by the training loop, stamped on every record.
        stalled: for how much of that the devices waited for examples that stream; likewise.
        step, epoch: likewise.
        past: what the run goes on from; that of a new run is empty.
    """

    def __init__(self, path: Path, lock: int, run: Run, past: Past | None = None) -> None:
        self.path = path
        self.run = run
        self.past = past or Past()
        self.log = Log(path / "events.jsonl", self.past.next_seq)
        self.seconds = 0.0
        self.stalled = 0.0
        self.step = 0
        self.epoch = 0
        self._lock = lock
        self._status_written = 0.0

    @classmethod
    def create(cls, store: Path, config: Config, **status: Any) -> "RunDirectory":
        """Make the folder of a new run in the store, which is made where it is missing.

        Args:
            store: folder of runs.
            config: everything the run needs to be done again.
            **status: what is known of `runs.Status` already.

        Raises:
            RunError: the folder cannot be made or written.
        """
        try:
            store.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = _new_path(store, config.name)
            files.make_folder(path)
            lock = _locked(path)
            files.replace_atomically(path / "config.toml", configs.dump(config).encode(), durable=True)
            known = Status(
                name=config.name, created=time.time(), epochs_planned=config.training.epochs, **_process(), **status
            )
            directory = cls(path, lock, Run(path, config=config, status=known))
            directory.write_status()
        except OSError as error:
            raise RunError(f"no run can be kept in {store}: {error.strerror or error}") from error
        return directory

    @classmethod
    def reopen(cls, path: Path, run: Run, past: Past, lock: int) -> "RunDirectory":
        """Go on with a run; it is written as before from here on.

        Args:
            path: the folder.
            run: its records, applied.
            past: what it goes on from.
            lock: from `locked`, which this takes over.
        """
        for name, value in _process().items():
            setattr(run.status, name, value)
        directory = cls(path, lock, run, past)
        directory.seconds = run.status.seconds
        directory.stalled = (run.status.input_stall or 0.0) * run.status.seconds
        return directory

    def join(self, group: str, replica: int, others: Sequence[str]) -> None:
        """Belong to a group of replicas.

        Args:
            group: id of the run that leads it.
            replica: number within the group, from 1.
            others: ids of the other runs, for the one that leads.

        Raises:
            OSError: the disk refused it.
        """
        status = self.run.status
        status.group, status.replica, status.replicas = group, replica, list(others)
        self.write_status()

    def record(self, event: _R, **at: float) -> _R:
        """Append a record, unless it stands there since before the run was resumed; return it as it stands there.

        Args:
            event: what happened.
            **at: `epoch`, `step` and `elapsed`, where they are not the present ones.

        Raises:
            OSError: the disk refused it.
        """
        stamps = {"elapsed": round(self.seconds, 6), "epoch": self.epoch, "step": self.step, **at}
        stamped: Any = event.model_copy(update=stamps)
        if (known := self.past.replay.known(stamped)) is not None:
            return known  # type: ignore[return-value]
        self.tell_verdict()
        return self._append(stamped)  # type: ignore[no-any-return]

    def tell_verdict(self) -> None:
        """Record how a replay went, once that is known. Raises OSError."""
        if (verdict := self.past.replay.verdict(self.step)) is not None:
            stamps = {"elapsed": round(self.seconds, 6), "epoch": self.epoch, "step": self.step}
            self._append(verdict.model_copy(update=stamps))

    def _append(self, event: Any) -> Any:
        written = self.log.append(event)
        before = self.run.status.state
        self.run.apply(written)
        if self.run.status.state != before or time.monotonic() - self._status_written > _STATUS_INTERVAL:
            self.write_status()
        return written

    def write_status(self) -> None:
        """Replace `run.json`. Raises OSError."""
        files.replace_atomically(
            self.path / "run.json", self.run.status.model_dump_json(indent=1).encode(), durable=False
        )
        self._status_written = time.monotonic()

    def note(self, text: str) -> None:
        """Append lines to `log.txt`: what is too long for a record, such as a traceback."""
        descriptor = os.open(self.path / "log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text.rstrip()}\n")

    def fail(self, error: Exception) -> None:
        """Leave a failure in the run as its last record, as far as the disk still takes anything."""
        lines = [line for line in str(error).splitlines() if line.strip()]
        message = clean(lines[0])[:300] if lines else type(error).__name__
        if memory.has_run_out(error):
            message = "memory ran out. Use a smaller training.batch_size or fewer neurons."
        try:
            self.note("".join(traceback.format_exception(error)))
            self.record(Finished(reason="failed", message=f"{message} (log.txt has the traceback)"))
            self.write_status()
        except OSError:
            if not self.run.ended:
                self.run.apply(Finished(reason="failed", message=message))

    def close(self) -> None:
        """Let go of the files and the lock; a run without a last record then counts as crashed."""
        self.log.close()
        os.close(self._lock)


def locked(path: Path) -> int:
    """Return the lock of a run's folder, which is held until it is closed.

    Raises:
        RunError: a trainer holds it.
        OSError: it cannot be opened.
    """
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return _locked(path)
        except BlockingIOError:
            # Whoever asks whether a run is alive holds the lock for an instant.
            if time.monotonic() > end:
                raise RunError(f"{clean(path.name)} is being trained already; nn-tui control commands it.") from None
            time.sleep(_LOCK_POLL)


def _locked(path: Path) -> int:
    lock = os.open(path / "lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def _process() -> dict[str, Any]:
    """Return what a run's status tells of this process."""
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "boot_id": _boot_id(),
        "versions": {"python": sys.version.split()[0], **versions()},
    }


def _new_path(store: Path, name: str) -> Path:
    # A search starts many runs in a second, among which two random bytes are sure to be drawn twice some day.
    while (path := store / _new_id(name)).exists():
        pass
    return path


def _new_id(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_LENGTH].strip("-") or "run"
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{slug}-{secrets.token_hex(2)}"


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
