"""Whether a trainer is at work on a run, where the kernel's lock alone cannot say it.

On a local disk the lock is all: the kernel lets go of it when its process dies, whatever the cause. A network file
system may keep locks within each machine, or have none. There the trainer touches its lock file while it lives, whether
it trains, compiles or is paused; and on the machine of the trainer its process is looked for.
"""

import contextlib
import errno
import fcntl
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from trainer import files

BEAT_SECONDS: Final = 10.0
"""Between two touches of the lock file."""

SILENT_SECONDS: Final = 45.0
"""Without one of them, after which a trainer counts as dead: with the pace at which screens look, within a minute."""

_NETWORK: Final = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2",
        "orangefs", "panfs", "smb3", "smbfs", "vboxsf", "virtiofs", "wekafs",
    }
)  # fmt: skip
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
"""Errors of a file system that knows no locks."""

_STATUS_LIMIT = 1 << 20


def here() -> dict[str, Any]:
    """Return what tells this process from all others, as `Status` has it."""
    pid = os.getpid()
    return {"pid": pid, "process_started": _started(pid), "host": socket.gethostname(), "boot_id": _boot_id()}


def is_shared(path: Path) -> bool:
    """Say whether a folder may lie on another machine's disk, so that a lock which is free says little."""
    try:
        device = path.stat().st_dev
    except OSError:
        return False
    kind = _kind_of(device, os.path.realpath(path))
    return kind in _NETWORK or kind.startswith("fuse")


def lock(descriptor: int) -> bool:
    """Take a run's lock, held until the descriptor is closed; return False where the file system knows no locks.

    Raises:
        BlockingIOError: another trainer holds it.
        OSError: it cannot be had for another reason.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def is_alive(directory: Path) -> bool:
    """Say whether a trainer is at work on a run."""
    try:
        with files.open_regular(directory / "lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        # A server may keep the lock of a machine that it has lost.
        return not is_shared(directory) or _is_heard(directory)
    except OSError as error:
        says_nothing = error.errno in _NO_LOCKS
    else:
        says_nothing = is_shared(directory)
    return says_nothing and _is_heard(directory) and _may_run(directory)


class Heartbeat:
    """Touches a run's lock file as long as the process lives; `stop` ends it."""

    def __init__(self, lock: int) -> None:
        """Begin; `lock` is the descriptor of the lock file."""
        self._lock = lock
        self._stopped = threading.Event()
        self._touch()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it; the descriptor may be closed then."""
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            self._touch()

    def _touch(self) -> None:
        with contextlib.suppress(OSError):  # the next one may go through
            os.utime(self._lock)


def _is_heard(directory: Path) -> bool:
    """Say whether the lock file was touched of late."""
    try:
        with files.open_regular(directory / "lock") as file:  # opened, so that a network file system asks its server
            touched = os.fstat(file.fileno()).st_mtime
    except OSError:
        return False
    return _now_of(directory) - touched < SILENT_SECONDS


def _may_run(directory: Path) -> bool:
    """Say whether the process that writes a run may still be there; of another machine's that is not known."""
    try:
        told = json.loads(files.read_regular(directory / "run.json", _STATUS_LIMIT))
        host, boot_id, pid, started = (told.get(name) for name in ("host", "boot_id", "pid", "process_started"))
    except (OSError, ValueError, RecursionError, AttributeError):
        return False
    if host != socket.gethostname() or not boot_id:
        return True
    return boot_id == _boot_id() and isinstance(pid, int) and pid > 0 and _started(pid) == started


def _now_of(directory: Path) -> float:
    """Return the time by the clock of the file system, which is another machine's: that of a file just made in it."""
    path = directory / f".now.{secrets.token_hex(8)}.tmp"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return time.time()
    try:
        return os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108 as in `trainer.files`


def _started(pid: int) -> int:
    """Return when a process began, in ticks since the machine did; 0 if there is none, or no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    # The name of the program, in parentheses, may hold anything, blanks and parentheses included.
    return int(stat.rpartition(b")")[2].split()[19])


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


@cache
def _kind_of(device: int, path: str) -> str:
    """Return the type of the file system that a folder lies on, as the kernel names it; "" where it does not say."""
    number = f"{os.major(device)}:{os.minor(device)}"
    best = ("", "")
    for mounted, place, kind in _mounts():
        if mounted == number:
            return kind
        if f"{path}/".startswith(f"{place.rstrip('/')}/") and len(place) >= len(best[0]):
            best = (place, kind)
    return best[1]


def _mounts() -> Iterator[tuple[str, str, str]]:
    """Yield device number, place and type of everything that is mounted."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        before, _, after = line.partition(" - ")
        yield before.split()[2], before.split()[4].replace("\\040", " "), after.split()[0]
