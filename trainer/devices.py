"""The devices: JAX made ready for them, how many train, what they are in words."""

import os
from functools import cache
from importlib import metadata
from pathlib import Path

from trainer import files
from trainer.problems import ConfigError, Problem
from trainer.text import clean


def prepare_jax() -> None:
    """Load JAX; calling it again does nothing more.

    A GPU's memory is taken as it is needed, and not three quarters of what is free at
    the start, so that others find room beside a screen that is merely open; JAX's own variables have the last word.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax  # noqa: F401


def cache_folder() -> Path | None:
    """Return the folder for compiled functions, made where missing; None if it would not be safe to use.

    They are machine code, so a folder that others may write is not used. `$NN_TUI_CACHE` names another one; empty, it
    switches the cache off.
    """
    return None if cache_trouble() else _cache_folder()


def cache_trouble() -> str:
    """Return why there is no folder for compiled programs, or "" where there is one."""
    if os.environ.get("NN_TUI_CACHE") == "":
        return "NN_TUI_CACHE is empty"
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return "JAX_COMPILATION_CACHE_DIR is set, where JAX keeps them"
    folder = _cache_folder()
    try:
        files.make_folders(folder)
        trouble = files.owner_trouble(folder.stat())
    except OSError as error:
        return f"{clean(str(folder))}: {error.strerror}"
    if trouble:
        return f"{clean(str(folder))} {trouble}"
    return "" if os.access(folder, os.W_OK) else f"{clean(str(folder))} cannot be written"


def _cache_folder() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("NN_TUI_CACHE") or home / "nn-tui" / "programs")


def count(wanted: int) -> int:
    """Return how many devices train.

    Args:
        wanted: `training.devices`; 0 for all.

    Raises:
        ConfigError: there are fewer.
    """
    if wanted == 1:
        return 1
    import jax

    try:
        devices = jax.local_devices()
    except RuntimeError as error:
        problem = Problem(f"must be devices that JAX can use: {str(error).splitlines()[0]}", "training.devices")
        raise ConfigError(problem) from error
    there = len(devices)
    if wanted > there:
        found = f"the {there} that JAX finds here ({devices[0].platform})"
        raise ConfigError(Problem(f"must be at most {found}, got {wanted}. Use 0 for all.", "training.devices"))
    return wanted or there


def device_words(used: int = 1) -> str:
    """Return the devices that train, in words: "cpu, 2 cores", "gpu: NVIDIA H100 (1 of 8)", "8 x gpu: NVIDIA H100"."""
    import jax

    there = jax.local_device_count()
    device = jax.local_devices()[0]
    is_cpu = device.platform == "cpu"
    if is_cpu and used == 1:
        return f"cpu, {os.cpu_count()} cores"
    words = device.platform if is_cpu else f"{device.platform}: {device.device_kind}"
    return (f"{used} x " if used > 1 else "") + words + (f" ({used} of {there})" if used < there else "")


@cache
def versions() -> dict[str, str]:
    """Return the versions that a result may depend on."""
    return {name: metadata.version(name) for name in ("nn-tui", "jax", "jaxlib", "optax", "numpy")}
