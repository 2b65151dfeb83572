"""Memory: what there is, what to say to a run that needs more, and a batch size with which it would fit.

What training needs is told by the compiler before the first update. Where nobody says what there is, nothing is
compared.
"""

import os
from collections.abc import Callable
from pathlib import Path

from trainer import cgroup
from trainer.problems import Problem, RunError

Need = Callable[[int], int | None]
"""From a batch size to the bytes that training takes of each device; None where the compiler does not say."""

_SHARE_OF_EXAMPLES = 0.5
_ANY_DEVICE_HOLDS = 1 << 28

_UNITS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def installed() -> int | None:
    """Return the bytes of memory that this process may have: the machine's, or its container's; None if nobody says."""
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
    return min(there, cgroup.limit() or there)


def may_hold(*, on_device: int, on_host: int) -> bool:
    """Return whether so many bytes of examples leave half of the device's memory, and of what is free here, to others.

    The device is asked where it matters: to ask loads JAX.
    """
    here = _free_of_machine()
    if here is not None and on_host > here * _SHARE_OF_EXAMPLES:
        return False
    if on_device <= _ANY_DEVICE_HOLDS:
        return True
    there = of_device()
    return there is None or on_device <= there * _SHARE_OF_EXAMPLES


def shortage_here(size: int) -> str:
    """Return what so many bytes lack of the memory that is free on this machine, in words; "" if they fit."""
    here = _free_of_machine()
    return "" if here is None or size <= here else f"{_words(size)}, of which {_words(max(0, here))} are free"


def of_device(devices: int = 1) -> int | None:
    """Return the bytes that each of the devices that train may take, or None where nobody says."""
    statistics = _statistics(devices)
    if statistics is None:
        return _share(installed(), devices)
    return min((known["bytes_limit"] for known in statistics), default=None)


def free(devices: int = 1) -> int | None:
    """Return the bytes now free on each of the devices that train, or None where nobody says."""
    statistics = _statistics(devices)
    if statistics is None:
        return _share(_free_of_machine(), devices)
    return min((known["bytes_limit"] - known["bytes_in_use"] for known in statistics), default=None)


def require(batch_size: int, devices: int, need: Need) -> None:
    """Check before the first update that training fits.

    Args:
        batch_size: that of the run.
        devices: how many train.
        need: what training at some batch size takes of each.

    Raises:
        RunError: it does not fit; with a batch size that would.
    """
    needed, there = need(batch_size), of_device(devices)
    if needed is not None and there is not None and needed > there:
        found = f"batches of {batch_size} need {_words(needed)}, {_where(devices)} has {_words(there)}"
        raise _refusal(found, "No batch size would fit: use", batch_size, there, need)


def has_run_out(error: BaseException) -> bool:
    """Say whether an error means that there was no memory left, here or on a device."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)


def shortage(batch_size: int, devices: int, need: Need) -> RunError:
    """Return what to tell of a run that ran out of memory although it should have fitted; all it held is free again.

    Others take memory too, and what is free may lie in pieces: at most half of what failed counts as sure. Arguments as
    for `require`.
    """
    found = f"it ran out with batches of {batch_size}"
    needed, left = need(batch_size), free(devices)
    if needed is None:
        return _problem(found, f"Try {max(1, batch_size // 2)}.")
    found += f", which need {_words(needed)}"
    if left is not None:
        found += f"; {_where(devices)} has {_words(left)} free"
    sure = needed // 2 if left is None else min(needed // 2, left)
    return _refusal(found, "Free what other programs hold, or use", batch_size, sure, need)


def _refusal(found: str, otherwise: str, batch_size: int, limit: int, need: Need) -> RunError:
    fitting = _largest_fitting(batch_size, limit, need)
    if fitting is None:
        return _problem(found, f"{otherwise} fewer neurons or fewer examples.")
    return _problem(found, f"Use {fitting}, which would fit.")


def _problem(found: str, advice: str) -> RunError:
    return RunError(Problem(f"must fit into memory: {found}. {advice}", "training.batch_size"))


def _where(devices: int) -> str:
    return "the device" if devices == 1 else "each device"


def _largest_fitting(batch_size: int, limit: int, need: Need) -> int | None:
    """Return a power of two that fits, by compiling with it; None if not even batches of one example do.

    What is needed grows nearly in proportion to the batch size, so that the first guess is the largest or next to it.
    """
    least, most = need(1) or 0, need(batch_size) or 0
    if batch_size == 1 or least > limit:
        return None
    of_each = max(1.0, (most - least) / (batch_size - 1))
    size = 1 << (min(batch_size - 1, 1 + int((limit - least) / of_each)).bit_length() - 1)
    while size > 1 and (need(size) or 0) > limit:
        size //= 2
    return size


def _statistics(devices: int) -> list[dict[str, int]] | None:
    """Return what each device that knows says about its memory; None where it is the machine's own."""
    import jax

    used = jax.local_devices()[:devices]
    if used[0].platform == "cpu":
        return None
    return [known for device in used if "bytes_limit" in (known := device.memory_stats() or {})]


def _share(bytes_of_all: int | None, devices: int) -> int | None:
    return None if bytes_of_all is None else bytes_of_all // devices


def _free_of_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        there = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None
    ours = cgroup.free()
    return there if ours is None else min(there, ours)


def _words(amount: int) -> str:
    unit, name = next(((unit, name) for unit, name in _UNITS if amount >= unit), _UNITS[-1])
    return f"{amount / unit:,.1f} {name}"
