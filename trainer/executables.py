"""Compiled functions on the disk, so that a later process need not even trace them.

JAX's own cache of compiled programs is asked by a program's text, which only tracing and lowering bring about: most of
what a second start takes. Here a function is found by all that its text depends on: the structure, the shapes of the
arguments, this package's code, the versions, the machine, the flags. JAX's cache still serves a person's own network,
and a package whose code is newer.
"""

import contextlib
import hashlib
import os
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from trainer import devices, files
from trainer.surroundings import machine

_MOST_BYTES: Final = 1 << 28
"""What lies in the folder at most: the functions that nobody has taken for longest go first."""

_DIGEST: Final = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes on each device of a call: of its arguments, its results, what both share, and what lies between."""

    arguments: int
    results: int
    shared: int
    between: int

    @property
    def all(self) -> int:
        """Return the bytes of all of it."""
        return self.arguments + self.results - self.shared + self.between


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a compiled function: the seconds that compiling took, and what XLA says, None where nothing."""

    seconds: float
    flops: float | None
    sizes: Sizes | None


@dataclass(frozen=True, slots=True)
class Executable:
    """A compiled function, to be called with arrays of the shapes it was compiled for.

    Attributes:
        function: it.
        facts: what is known of it.
        from_cache: whether an earlier process compiled it.
    """

    function: Any
    facts: Facts
    from_cache: bool

    def __call__(self, *arguments: Any) -> Any:
        """Call it."""
        return self.function(*arguments)


def executable(key: tuple[Any, ...] | None, used: int, lower: Callable[[], Any]) -> Executable:
    """Return the function for a key: from the disk, or lowered, compiled, and kept there.

    Args:
        key: all that the function depends on beside what is the same for this whole process, as values of which `repr`
            says all. None for a function that depends on more: it is never kept.
        used: how many devices it is for, the first ones.
        lower: traces it, and returns what `jax.jit(...).lower` does.
    """
    path = _path(key, used)
    if path is not None and (found := _read(path, used)) is not None:
        return found
    began = time.perf_counter()
    function = lower().compile()
    facts = Facts(time.perf_counter() - began, (function.cost_analysis() or {}).get("flops"), _sizes(function))
    made = Executable(function, facts, from_cache=False)
    if path is not None:
        _keep(path, made)
    return made


def _path(key: tuple[Any, ...] | None, used: int) -> Path | None:
    folder = devices.cache_folder()
    if key is None or folder is None:
        return None
    said = repr((key, _code(), machine(), _instructions(), _flags(), _devices(used)))
    return folder / "executables" / hashlib.sha256(said.encode()).hexdigest()


def _devices(used: int) -> tuple[Any, ...]:
    import jax

    there = jax.local_devices()[:used]
    return tuple((device.id, device.platform, device.device_kind, device.client.platform_version) for device in there)


def _read(path: Path, used: int) -> Executable | None:
    """Return the function in a file; None where there is none that is whole and can be had on these devices."""
    import jax
    from jax.experimental import serialize_executable

    try:
        data = path.read_bytes()
    except OSError:
        return None
    if data != _sealed(data[_DIGEST:]):
        return None
    try:
        facts, code, inputs, outputs = pickle.loads(data[_DIGEST:])  # noqa: S301 in a folder that is ours alone
        there = jax.local_devices()[:used]
        function = serialize_executable.deserialize_and_load(code, inputs, outputs, there[0].client, there)
    except Exception:  # noqa: BLE001 whatever keeps it from being loaded, it can be compiled
        return None
    with contextlib.suppress(OSError):
        path.touch()
    return Executable(function, facts, from_cache=True)


def _keep(path: Path, made: Executable) -> None:
    from jax.experimental import serialize_executable

    try:
        parts = serialize_executable.serialize(made.function)
    except Exception:  # noqa: BLE001 a platform that cannot do it; the function is there
        return
    data = pickle.dumps((made.facts, *parts))
    with contextlib.suppress(OSError):
        files.make_folders(path.parent)
        files.replace_atomically(path, _sealed(data), durable=False)
        _make_room(path.parent)


def _sealed(data: bytes) -> bytes:
    """Return the data behind their digest, by which a file that is damaged shows."""
    return hashlib.sha256(data).digest() + data


def _make_room(folder: Path) -> None:
    """Remove the functions that nobody has taken for longest, until the others fit."""
    kept = sorted(((path, path.stat()) for path in folder.iterdir()), key=lambda it: -it[1].st_mtime)
    total = 0
    for path, status in kept:
        total += status.st_size
        if total > _MOST_BYTES:
            files.remove(path)


def _instructions() -> str:
    """Return what instructions the processor says it has: a home folder may be that of many machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _flags() -> list[tuple[str, str]]:
    """Return what the environment tells JAX and XLA, beside what `machine` says of it."""
    return sorted(item for item in os.environ.items() if item[0].startswith(("JAX_", "XLA_")))


def _sizes(function: Any) -> Sizes | None:
    if (said := function.memory_analysis()) is None:
        return None
    return Sizes(
        said.argument_size_in_bytes, said.output_size_in_bytes, said.alias_size_in_bytes, said.temp_size_in_bytes
    )


@cache
def _code() -> str:
    """Return the digest of this package's code, all of it: what is compiled is in few of its files, but who knows."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
