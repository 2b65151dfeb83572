"""The thread that writes checkpoints, so that training never waits for the disk."""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from trainer import checkpoints, files
from trainer.checkpoints import Arrays, Kind, Manifest
from trainer.problems import RunError

_READ_BACK_EVERY = 20
"""The first save, and then one of so many, is read back from the disk and checked."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint that is durable: its arrays, the manifest as submitted, and the seconds that writing took."""

    path: Path
    manifest: Manifest
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Something the disk refused: the manifest as submitted, and one line about it. Older checkpoints are untouched.

    `is_lost` says whether that was the checkpoint itself, and not only the removal of older ones.
    """

    manifest: Manifest
    message: str
    is_lost: bool = True


class Writer:
    """Writes and prunes the checkpoints of one run in a thread of its own.

    One submission of each kind waits at most; a newer one takes its place. What was submitted is still written when
    the interpreter exits without `close`, since the thread is not a daemon. All methods are for the training thread.
    """

    def __init__(self, folder: Path, before_publish: Callable[[], object] | None = None) -> None:
        """Take over the folder, whose run's lock the caller holds; `before_publish` as for `checkpoints.save`."""
        self._folder = folder
        self._before_publish = before_publish
        self._seen = checkpoints.Seen()
        self._saves = 0
        self._lock = threading.Lock()
        self._pending: dict[Kind, tuple[Arrays, Manifest]] = {}
        self._jobs: deque[Future[list[Saved | Failed]]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")

    def submit(self, arrays: Arrays, manifest: Manifest) -> None:
        """Have a checkpoint written, of the manifest's kind.

        Args:
            arrays: leaves by path; they must not change from now on.
            manifest: as for `checkpoints.save`.
        """
        with self._lock:
            if manifest.kind not in self._pending:
                self._jobs.append(self._pool.submit(self._write, manifest.kind))
            self._pending[manifest.kind] = (arrays, manifest)

    def completed(self) -> list[Saved | Failed]:
        """Return what happened since the last call, oldest first, without waiting.

        Raises:
            Exception: whatever `before_publish` raised, other than `OSError`, `MemoryError` and `RunError`.
        """
        results: list[Saved | Failed] = []
        while self._jobs and self._jobs[0].done():
            results.extend(self._jobs.popleft().result())
        return results

    def flush(self) -> None:
        """Wait until everything submitted is durable or has failed."""
        wait(self._jobs)

    def close(self) -> None:
        """Flush and end the thread; `completed` still has the last results."""
        self._pool.shutdown()

    def _write(self, kind: Kind) -> list[Saved | Failed]:
        with self._lock:
            arrays, manifest = self._pending.pop(kind)
        started = time.perf_counter()
        try:
            path = self._save(arrays, manifest)
        except (OSError, MemoryError, RunError) as error:
            return [Failed(manifest, f"{_reason(error)} at update {manifest.step}; older ones are kept")]
        results: list[Saved | Failed] = [Saved(path, manifest, time.perf_counter() - started)]
        try:
            checkpoints.prune(self._folder, self._seen)
        except OSError as error:
            results.append(Failed(manifest, f"old checkpoints were not removed: {_reason(error)}", is_lost=False))
        return results

    def _save(self, arrays: Arrays, manifest: Manifest) -> Path:
        if not self._saves and self._folder.exists():
            files.remove_temporaries(self._folder)
        path = checkpoints.save(self._folder, arrays, manifest, self._before_publish, self._seen)
        if self._saves % _READ_BACK_EVERY == 0:
            checkpoints.load(path)
        self._saves += 1
        return path


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "out of memory"
    return (isinstance(error, OSError) and error.strerror) or str(error)
