"""The machine: JAX made ready, devices in words, memory there is."""

import os
import stat
from functools import cache
from importlib import metadata
from pathlib import Path


def prepare_jax() -> None:
    """Load JAX and have it keep compiled programs in the user's own cache folder; calling it again does nothing more.

    A cached program is machine code, so a folder that others may write is not used. `$NN_TUI_CACHE` names another one;
    empty, it switches the cache off.
    """
    import jax

    folder = cache_folder()
    if folder is None or os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # Its further files hold absolute paths and are fragile when several processes share them.
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")


def cache_folder() -> Path | None:
    """Return the folder for compiled programs, made where missing; None if it would not be safe to use."""
    named = os.environ.get("NN_TUI_CACHE")
    if named == "":
        return None
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(named) if named else home / "nn-tui" / "jax"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError:
        return None
    safe = status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return folder if safe and os.access(folder, os.W_OK) else None


def device_words() -> str:
    """Return the device that trains, in words, such as "cpu" or "gpu: NVIDIA H100 (1 of 8)"."""
    import jax

    devices = jax.devices()
    device = devices[0]
    if device.platform == "cpu":
        return f"cpu, {os.cpu_count()} cores"
    return f"{device.platform}: {device.device_kind}" + (f" (1 of {len(devices)})" if len(devices) > 1 else "")


def free_memory() -> int | None:
    """Return the bytes free on the device that trains, or None where nobody says."""
    import jax

    device = jax.devices()[0]
    if device.platform == "cpu":
        return _free_host_memory()
    known = device.memory_stats() or {}
    return known["bytes_limit"] - known["bytes_in_use"] if "bytes_limit" in known else None


def _free_host_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None


@cache
def versions() -> dict[str, str]:
    """Return the versions that a result may depend on."""
    return {name: metadata.version(name) for name in ("nn-tui", "jax", "optax", "equinox", "numpy")}
