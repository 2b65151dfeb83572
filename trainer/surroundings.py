"""Surroundings: what the bits of a result may depend on beside config and code, and what of it has changed."""

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from trainer.devices import device_words, versions
from trainer.preparation import Prepared

_FLAGS: Final = (
    "jax_default_matmul_precision", "jax_default_prng_impl", "jax_disable_most_optimizations", "jax_enable_x64",
    "jax_numpy_dtype_promotion", "jax_threefry_partitionable",
)  # fmt: skip
_SHORT: Final = 12

_PLATFORM: Final = "platform"
_EXACT: Final = "cpu"


def surroundings(prepared: Prepared, directory: Path, members: int, devices: int) -> dict[str, str]:
    """Return everything by name, as words to compare.

    Args:
        prepared: config and data.
        directory: the run's folder.
        members: of the population it trains in.
        devices: that train.
    """
    import jax

    return {
        "data": prepared.splits.fingerprint[:_SHORT],
        "config.toml": _digest(directory / "config.toml"),
        **_code(prepared),
        **machine(),
        _PLATFORM: jax.default_backend(),
        "devices": device_words(devices),
        "runs that train together": str(members),
    }


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return in words what is no longer what it was, and whether bits come out the same at all."""
    names = dict.fromkeys((*before, *now))
    found = [
        f"{name}: {before.get(name) or 'none'} before, {now.get(name) or 'none'} now"
        for name in names
        if before.get(name, "") != now.get(name, "")
    ]
    kind = now.get(_PLATFORM, _EXACT)
    return found if kind == _EXACT else [*found, f"{_PLATFORM}: on a {kind} no run is another one to the bit"]


def _code(prepared: Prepared) -> dict[str, str]:
    """Return a person's own code, if there is any."""
    permission = prepared.config.model.permission
    file = permission and permission.file
    return {"code of the network": _digest(file)} if file else {}


def machine() -> dict[str, str]:
    """Return versions, processor and flags, by name."""
    import jax

    flags = {name.removeprefix("jax_"): str(getattr(jax.config, name, None)) for name in _FLAGS}
    return {
        "python": sys.version.split()[0],
        **versions(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        **{name: value for name, value in flags.items() if value not in ("None", "False")},
        **{name: value for name in ("XLA_FLAGS",) if (value := os.environ.get(name, "").strip())},
    }


@cache
def _processor() -> str:
    """Return the kind of the processor: another one may have other instructions, and round otherwise."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:_SHORT]
