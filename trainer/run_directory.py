"""The writing end of a run: its folder, its lock, its records. One per training, in the thread that trains.

Once a run has begun, a disk that refuses something does not end it: records and state wait in memory, and the run says
so, in its own records as far as the disk still takes them (`Reserve`), and to whoever holds this object.
"""

import contextlib
import os
import re
import secrets
import shutil
import sys
import time
import traceback
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from trainer import config as configs
from trainer import files, liveness, memory
from trainer.appending import Appending
from trainer.config import Config
from trainer.devices import versions
from trainer.events import Finished, Record, SavedAgain, Unsaved, Warned, What
from trainer.liveness import Heartbeat
from trainer.log import Log
from trainer.past import Past
from trainer.problems import RunError
from trainer.reserve import SIZE, STEP, Reserve
from trainer.run import Run
from trainer.status import Status
from trainer.text import clean

_STATUS_INTERVAL = 1.0
_WITHOUT_LOCKS = "this file system knows no locks: nothing keeps a second program from training into this run"
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
        self._reserve = Reserve(path)
        try:
            self._reserve.hold()
            self.log = Log(path / "events.jsonl", self.past.next_seq)
        except OSError:
            with contextlib.suppress(OSError):
                self._reserve.release()
            raise
        self.seconds = 0.0
        self.stalled = 0.0
        self.step = 0
        self.epoch = 0
        self._lock = lock
        self._has_locks = liveness.lock(lock)
        self._heartbeat = Heartbeat(lock) if liveness.is_shared(path) or not self._has_locks else None
        self._status_due = 0.0
        self._status_waits = False
        self._refused: Unsaved | None = run.status.unsaved.get("records")  # of a run that is gone on with

    @classmethod
    def create(cls, store: Path, config: Config, **status: Any) -> "RunDirectory":
        """Make the folder of a new run in the store, which is made where it is missing.

        Args:
            store: folder of runs.
            config: everything the run needs to be done again.
            **status: what is known of `Status` already.

        Raises:
            RunError: the folder cannot be made or written.
        """
        with contextlib.ExitStack() as undo:
            try:
                files.make_folders(store)
                path = _new_path(store, config.name)
                undo.callback(_unmake, path)
                files.make_folder(path)
                lock = _locked(path)
                undo.callback(os.close, lock)
                files.replace_atomically(path / "config.toml", configs.dump(config).encode(), durable=True)
                known = Status(
                    name=config.name, created=time.time(), epochs_planned=config.training.epochs, **_process(), **status
                )
                directory = cls(path, lock, Run(path, config=config, status=known))
                undo.callback(directory.log.close)
                directory.write_status()
            except OSError as error:
                raise RunError(f"no run can be kept in {clean(str(store))}: {error.strerror or error}") from error
            undo.pop_all()
        directory._warn_of_place()
        return directory

    @classmethod
    def reopen(cls, path: Path, run: Run, past: Past, lock: int) -> "RunDirectory":
        """Go on with a run; it is written as before from here on.

        Args:
            path: the folder.
            run: its records, applied.
            past: what it goes on from.
            lock: from `locked`; it is held until both this and the directory are closed.
        """
        for name, value in _process().items():
            setattr(run.status, name, value)
        lock = os.dup(lock)
        try:
            directory = cls(path, lock, run, past)
        except OSError:
            os.close(lock)
            raise
        directory.seconds = run.status.seconds
        directory.stalled = (run.status.input_stall or 0.0) * run.status.seconds
        return directory

    def _warn_of_place(self) -> None:
        """Record what the place of the run does not give."""
        trouble = files.owner_trouble(self.path.parent.stat())
        others = f"the folder of runs {trouble}, who may put other weights into a run" if trouble else ""
        for warning in filter(None, (others, "" if self._has_locks else _WITHOUT_LOCKS)):
            self.record(Warned(message=warning))

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

        Where the disk refuses it, it waits in memory.

        Args:
            event: what happened.
            **at: `epoch`, `step` and `elapsed`, where they are not the present ones.
        """
        stamps = {"elapsed": round(self.seconds, 6), "epoch": self.epoch, "step": self.step, **at}
        stamped: Any = event.model_copy(update=stamps)
        if (known := self.past.replay.known(stamped)) is not None:
            return known  # type: ignore[return-value]
        self.tell_verdict()
        return self._append(stamped)  # type: ignore[no-any-return]

    def tell_verdict(self) -> None:
        """Record how a replay went, once that is known."""
        if (verdict := self.past.replay.verdict(self.step)) is not None:
            stamps = {"elapsed": round(self.seconds, 6), "epoch": self.epoch, "step": self.step}
            self._append(verdict.model_copy(update=stamps))

    def not_saved(self, what: What, error: OSError) -> None:
        """Say that the disk refuses something, unless the run says so already."""
        if what not in self.run.status.unsaved and not self.run.ended:
            self.record(Unsaved(what=what, message=error.strerror or str(error)))

    def saved(self, what: What) -> None:
        """Say that the disk takes it again, if it did not before."""
        if what in self.run.status.unsaved and not self.run.ended:
            self.record(SavedAgain(what=what))

    @property
    def trouble(self) -> Unsaved | None:
        """Return why the run's end, or anything before, is in memory alone; None if everything is on the disk."""
        return self._refused if self.log.waiting or self._status_waits else None

    def write_status(self) -> None:
        """Replace `run.json`. Raises OSError."""
        self._status_due = time.monotonic() + _STATUS_INTERVAL
        self._status_waits = True
        self.run.status.write(self.path)
        self._status_waits = False

    def note(self, text: str) -> bool:
        """Append lines to `log.txt`: what is too long for a record, such as a traceback; return whether that went."""
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text.rstrip()}\n"
        file = Appending(self.path / "log.txt")
        file.append(line.encode(errors="backslashreplace"))
        try:
            file.flush()
        except OSError as error:
            self.not_saved("log.txt", error)
            return False
        finally:
            file.close()
        self.saved("log.txt")
        return True

    def fail(self, error: Exception) -> None:
        """Leave a failure in the run as its last record, as far as the disk still takes anything."""
        lines = [line for line in str(error).splitlines() if line.strip()]
        message = clean(lines[0])[:300] if lines else type(error).__name__
        if memory.has_run_out(error):
            message = "memory ran out. Use a smaller training.batch_size or fewer neurons."
        where = " (log.txt has the traceback)" if self.note("".join(traceback.format_exception(error))) else ""
        self.record(Finished(reason="failed", message=f"{message}{where}"))

    def make_room(self) -> None:
        """Give some of the room held back to a full disk, for a command to this run. From any thread."""
        with contextlib.suppress(OSError):  # then there is no room
            self._reserve.lend()

    def close(self) -> None:
        """Let go of the files and the lock; a run without a last record then counts as crashed."""
        if self.log.waiting or self._status_waits:
            self._try_a_last_time()
        if told := self.trouble:
            records = self.log.waiting + self.log.lost
            self.run.lost = f"{f'{records} records' if records else 'run.json'}: {told.message}"
        elif refused := self.run.status.unsaved.get("checkpoints"):
            self.run.lost = f"its newest checkpoints: {refused.message}"
        with contextlib.suppress(OSError):  # it is of no use to anybody, but does no harm either
            self._reserve.release()
        self.log.close()
        if self._heartbeat is not None:
            self._heartbeat.stop()
        os.close(self._lock)

    def discard(self) -> None:
        """Close a run that never began, and remove it."""
        self.close()
        _unmake(self.path)

    def _append(self, event: Any) -> Any:
        before = self.run.status.state
        written = self.log.append(event)
        self.run.apply(written)
        is_news = self.log.waiting and self._refused is None
        if is_news or self.run.status.state != before or time.monotonic() > self._status_due:
            self._catch_up()
        return written

    def _catch_up(self) -> None:
        """Bring the disk up to date as far as it takes it, and say where it no longer does, or does again."""
        try:
            self._reserve.hold()
            self.log.flush()
            self.write_status()
        except OSError as error:
            self._status_due = time.monotonic() + _STATUS_INTERVAL
            if self._refused is None:
                self._begin_trouble(Unsaved(what="records", message=error.strerror or str(error), time=time.time()))
        else:
            if self._refused is not None:
                self._end_trouble()

    def _begin_trouble(self, refused: Unsaved) -> None:
        self._refused = refused
        if not self.run.ended:
            self.record(refused)
        with contextlib.suppress(OSError):  # all of it waits, and is tried again
            self._reserve.lend()
            self.log.flush()
            self.write_status()

    def _end_trouble(self) -> None:
        self._refused = None
        if self.run.ended:
            self.run.status.unsaved = {w: told for w, told in self.run.status.unsaved.items() if w != "records"}
        else:
            lost = f"{self.log.lost} records were lost" if self.log.lost else ""
            self.record(SavedAgain(what="records", message=lost))
        with contextlib.suppress(OSError):  # the next record notices
            self.write_status()

    def _try_a_last_time(self) -> None:
        """Write what waits into the room that was held for it; if that is too little, the last record alone."""
        for room in (SIZE - 2 * STEP, STEP):
            with contextlib.suppress(OSError):  # `trouble` tells it
                self._reserve.lend(room)
                self.log.flush()
                self.write_status()
                self._end_trouble()
                return
            if self.log.waiting > 1:
                self.log.give_up(f"{self.log.waiting - 1} records could not be saved")


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
                raise being_trained(path) from None
            time.sleep(_LOCK_POLL)


def being_trained(path: Path) -> RunError:
    """Return what is told of a run that another trainer is at work on."""
    return RunError(f"{clean(path.name)} is being trained already; nn-tui control commands it.")


def _locked(path: Path) -> int:
    lock = files.open_to_append(path / "lock")
    try:
        liveness.lock(lock)
    except OSError:
        os.close(lock)
        raise
    return lock


def _process() -> dict[str, Any]:
    """Return what a run's status tells of this process."""
    return {**liveness.here(), "versions": {"python": sys.version.split()[0], **versions()}}


def _new_path(store: Path, name: str) -> Path:
    # A search starts many runs in a second, among which two random bytes are sure to be drawn twice some day.
    while (path := store / _new_id(name)).exists():
        pass
    return path


def _unmake(path: Path) -> None:
    """Remove a folder that was made just now, as far as the disk lets it be removed."""
    shutil.rmtree(path, ignore_errors=True)


def _new_id(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_LENGTH].strip("-") or "run"
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{slug}-{secrets.token_hex(2)}"
