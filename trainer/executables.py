"""Compiled functions on the disk, so that a later process need not compile, nor even trace them.

JAX's own cache of compiled programs is asked by a program's text, which only tracing and lowering bring about: most of
what a second start takes. Here a function is found by what its text depends on: the structure, the shapes of the
arguments, this package's code, the versions, the machine, the flags. Where that does not say all, as with a person's
own network, or is new, as after a change of the code, the text is asked for after all.

What is here is machine code, and pickles: both are believed only in a folder that nobody else may write.
"""

import contextlib
import hashlib
import os
import pickle
import re
import time
import zlib
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

from trainer import devices, files
from trainer.surroundings import machine

_MOST_BYTES: Final = 1 << 28
"""What lies in the folder at most: the functions that nobody has taken for longest go first."""

_DIGEST: Final = hashlib.sha256().digest_size
_OURS: Final = re.compile(r"[0-9a-f]{64}\.(found|program)")
"""Names of files here: what a structure was found to be, and machine code."""

_FAST: Final = 1
"""Of nine levels of compression: a fifth of the bytes, read as fast as they were."""

_BLOCK: Final = 512
"""Bytes of what the system calls a block of a file."""


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
    """What is known of a compiled function: the seconds that it took, traced and compiled, and what XLA says."""

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
        key: all that the function's text depends on beside what is the same for this whole process, as values of which
            `repr` says all. None for a function whose text depends on more.
        used: how many devices it is for, the first ones.
        lower: traces it, and returns what `jax.jit(...).lower` does.
    """
    began = time.perf_counter()
    if (folder := _folder()) is None:
        return _compiled(lower(), began)
    here = _here(used)
    place = None if key is None else folder / f"{_digest(here, _CODE, key)}.found"
    if place and (told := _read(place)) and (found := _loaded(folder / told[0], told[1], used)):
        return found
    lowered = lower()
    trees = lowered.in_tree, lowered.out_tree
    name = f"{_digest(here, *map(str, trees), lowered.as_text())}.program"
    found = _loaded(folder / name, trees, used)
    if found is None:
        found = _compiled(lowered, began)
        _keep(folder / name, lambda: (_plain(found.facts), _machine_code(found.function)))
    if place:
        _keep(place, lambda: (name, trees))
    return found


def _folder() -> Path | None:
    """Return where functions are kept; None where nowhere, or where JAX was told to keep them in a place of its own.

    What comes out of JAX's cache cannot be written down again: XLA then writes half of it.
    """
    import jax

    told = jax.config.values
    if told["jax_compilation_cache_dir"] or not told["jax_enable_compilation_cache"]:
        return None
    return devices.cache_folder()


def _here(used: int) -> tuple[Any, ...]:
    """Return what is the same for all functions of this process on so many devices, and may not be in another one."""
    import jax

    there = jax.local_devices()[:used]
    kinds = tuple((it.id, it.platform, it.device_kind, it.client.platform_version) for it in there)
    variables = sorted(item for item in os.environ.items() if item[0].startswith(("JAX_", "XLA_")))
    settings = sorted((key, value) for key, value in jax.config.values.items() if isinstance(value, str | int | float))
    return machine(), _instructions(), variables, settings, kinds


def _compiled(lowered: Any, began: float) -> Executable:
    function = lowered.compile()
    facts = Facts(time.perf_counter() - began, (function.cost_analysis() or {}).get("flops"), _sizes(function))
    return Executable(function, facts, from_cache=False)


def _loaded(path: Path, trees: tuple[Any, Any], used: int) -> Executable | None:
    """Return the function in a file, whose arguments and results are such trees; None where there is none."""
    import jax
    from jax.experimental import serialize_executable

    if (told := _read(path)) is None:
        return None
    there = jax.local_devices()[:used]
    try:
        (seconds, flops, sizes), code = told
        facts = Facts(seconds, flops, sizes and Sizes(*sizes))
        function = serialize_executable.deserialize_and_load(code, *trees, there[0].client, there)
    except Exception:  # noqa: BLE001 whatever keeps it from being loaded, it can be compiled
        return None
    return Executable(function, facts, from_cache=True)


def _read(path: Path) -> Any:
    """Return what `_keep` kept; None where there is nothing, or nothing that is whole."""
    try:
        with files.open_regular(path) as file:
            if files.owner_trouble(os.fstat(file.fileno())):
                return None
            data = file.read()
        if data != _sealed(data[_DIGEST:]):
            return None
        told = pickle.loads(zlib.decompress(data[_DIGEST:]))  # noqa: S301 in a folder that is ours alone
    except Exception:  # noqa: BLE001 of an older version, say, whose classes are gone
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return told


def _keep(path: Path, what: Callable[[], Any]) -> None:
    """Keep something; where that cannot be done the next process compiles too, and nothing else is lost."""
    try:
        data = zlib.compress(pickle.dumps(what()), _FAST)
    except Exception:  # noqa: BLE001 a platform whose code cannot be written down
        return
    with contextlib.suppress(OSError):
        files.replace_atomically(path, _sealed(data), durable=False)
        _make_room(path.parent)


def _sealed(data: bytes) -> bytes:
    """Return the data behind their digest, by which a file that is damaged shows."""
    return hashlib.sha256(data).digest() + data


def _make_room(folder: Path) -> None:
    """Remove what nobody has taken for longest, until the rest fits."""
    ours = (path for path in folder.iterdir() if _OURS.fullmatch(path.name) or files.is_temporary(path.name))
    kept = sorted(((path, path.stat()) for path in ours), key=lambda it: -it[1].st_mtime)
    total = 0
    for path, status in kept:
        total += status.st_blocks * _BLOCK
        if total > _MOST_BYTES:
            files.remove(path)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _instructions() -> str:
    """Return what instructions the processor says it has: a home folder may be that of many machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _plain(facts: Facts) -> tuple[Any, ...]:
    """Return the facts without their classes, which a later version may have changed."""
    return facts.seconds, facts.flops, facts.sizes and astuple(facts.sizes)


def _machine_code(function: Any) -> bytes:
    from jax.experimental import serialize_executable

    code, *_ = serialize_executable.serialize(function)
    return bytes(code)


def _sizes(function: Any) -> Sizes | None:
    if (said := function.memory_analysis()) is None:
        return None
    return Sizes(
        said.argument_size_in_bytes, said.output_size_in_bytes, said.alias_size_in_bytes, said.temp_size_in_bytes
    )


def _code() -> str:
    """Return the digest of this package's code, all of it: what is compiled is in few of its files, but who knows."""
    digest = hashlib.sha256(repr(devices.versions()).encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_CODE: Final = _code()
"""Now, when the code is loaded: the files may be others by the time that something is compiled."""
