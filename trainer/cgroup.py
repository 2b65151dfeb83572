"""Control groups: how much memory a container, a job queue or systemd leaves this process, on Linux.

A group is bound by the tightest of its own limit and those of the groups around it. Source: the kernel's documentation,
"Control Group v2" (memory.max, memory.current) and "Memory Resource Controller" of v1 (memory.limit_in_bytes).
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_MOUNTED = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


class _Files(NamedTuple):
    """Names of a version: files of the limit and of what is used, key in `memory.stat` of what can be dropped."""

    limit: str
    used: str
    droppable: str


_V1 = _Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = _Files("memory.max", "memory.current", "inactive_file")


def limit(mounted: Path = _MOUNTED, own: Path = _OWN) -> int | None:
    """Return the bytes that this process may take with all others of its group, or None where nobody limits them."""
    return min((most for _, _, most in _limited(mounted, own)), default=None)


def free(mounted: Path = _MOUNTED, own: Path = _OWN) -> int | None:
    """Return the bytes that its group may still take, or None where nobody limits them."""
    return min((most - _used(folder, files) for folder, files, most in _limited(mounted, own)), default=None)


def _limited(mounted: Path, own: Path) -> Iterator[tuple[Path, _Files, int]]:
    """Yield the groups around this process that have a limit, with it."""
    for folder, files in _groups(mounted, own):
        most = _number(folder / files.limit)
        if most is not None:
            yield folder, files, most


def _groups(mounted: Path, own: Path) -> Iterator[tuple[Path, _Files]]:
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "memory" in controllers.split(","):
            root, files = (mounted / "memory", _V1) if controllers else (mounted, _V2)
            # Inside of a container the path may be that of the machine outside, of which only the root is seen.
            inner = PurePosixPath(path.lstrip("/"))
            for place in (inner, *inner.parents):
                yield root / place, files


def _used(folder: Path, files: _Files) -> int:
    """Return what is taken, without pages of files that the kernel drops when memory is asked for."""
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        lines = []
    droppable = next((int(line.split()[1]) for line in lines if line.startswith(f"{files.droppable} ")), 0)
    return max(0, (_number(folder / files.used) or 0) - droppable)


def _number(path: Path) -> int | None:
    """Return the number in a file; None where there is none, such as "max"."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
