"""Data that do not fit: a process held to 2 GB trains on a file of 6 GB, against the same network on data that fit.

Before each training the file's pages are dropped from the system's cache, so that they are read, and count, in the
process that is held: what it may not keep it reads again in the next epoch.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import presets
from benchmarks.bench import Bench, say
from benchmarks.report import Result
from trainer import config as configs

_BYTES, _QUICK_BYTES, _HELD_TO = 6_000_000_000, 300_000_000, 2_000_000_000
_FITS = 400_000_000
_PIXELS, _CLASSES, _ROWS_AT_ONCE = 784, 10, 16_384
_REPETITIONS, _EPOCHS, _BAR = 3, 3, 0.9
_GROUPS = Path("/sys/fs/cgroup/memory")


def measure(bench: Bench) -> list[Result]:
    """Return the result."""
    size = _QUICK_BYTES if bench.repetitions < _REPETITIONS else _BYTES
    what, against = f"training from a file of {size / 1e9:g} GB in {_HELD_TO / 1e9:g} GB", "the same, data that fit"
    free = shutil.disk_usage(bench.folder).free
    if free < 2 * size:
        return [Result(what, against, _BAR, True, (), note=f"{free / 1e9:.1f} GB of disk free, too little")]
    large, small = (_preset(bench, name, count) for name, count in (("large", size), ("small", min(size, _FITS))))
    try:
        pairs = list(_pairs(bench, large, small, size))
    finally:
        shutil.rmtree(bench.folder / "large")
    ratios = tuple(ours["examples_per_second"] / theirs["examples_per_second"] for ours, theirs, _ in pairs)
    ours, theirs, how = pairs[-1]
    note = (
        f"{how}; {ours['examples_per_second']:,.0f} examples/s, {theirs['examples_per_second']:,.0f} of data that fit; "
        f"input stall {ours['input_stall']:.1%}, peak {ours['peak_bytes'] / 1e9:.2f} GB resident, the pass before "
        f"training {ours['prepare_seconds']:.0f} s"
    )
    return [Result(what, against, _BAR, True, ratios, note=note)]


def _pairs(bench: Bench, large: Path, small: Path, size: int) -> Iterator[tuple[dict[str, Any], dict[str, Any], str]]:
    """Yield what is told of a training that streams and of one that does not, in turn, and how the first was held."""
    epochs = str(_EPOCHS), str(max(_EPOCHS, _EPOCHS * size // _FITS))
    for repetition in range(min(_REPETITIONS, bench.repetitions)):
        say(f"streaming {size / 1e9:g} GB, {repetition + 1} of {min(_REPETITIONS, bench.repetitions)}")
        with held(_HELD_TO) as (words, how):
            _drop_from_cache(bench.folder / "large" / "x.npy")
            ours = bench.module("streaming_loop", str(large), "--epochs", epochs[0], within=words)
        theirs = bench.module("streaming_loop", str(small), "--epochs", epochs[1])
        yield ours, theirs, how


@contextmanager
def held(size: int) -> Iterator[tuple[list[str], str]]:
    """Give the words that hold a command behind them to so much memory, and what holds it."""
    scope = ["systemd-run", "--quiet", "--scope", f"--property=MemoryMax={size}", "--property=MemorySwapMax=0"]
    if (
        shutil.which("systemd-run")
        and not subprocess.run([*scope, "true"], capture_output=True, check=False).returncode
    ):
        yield scope, "held by systemd, page cache included"
    elif group := _group(size):
        try:
            yield (
                ["sh", "-c", f'echo $$ > "{group}/cgroup.procs" && exec "$@"', "held"],
                "held by a control group, page cache included",
            )
        finally:
            group.rmdir()
    else:
        held_to = ["sh", "-c", f'ulimit -d {size // 1024} && exec "$@"', "held"]
        yield held_to, "held by RLIMIT_DATA, which leaves out the page cache"


def _group(size: int) -> Path | None:
    """Return a new control group, of version 1, below that of this process; None where none can be made."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = next(path for _, name, path in (line.split(":", 2) for line in lines) if name == "memory")
        group = _GROUPS / own.lstrip("/") / f"nn-tui-bench-{os.getpid()}"
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(size))
    except (OSError, StopIteration):
        return None
    return group


def _preset(bench: Bench, name: str, size: int) -> Path:
    """Write examples of MNIST's shape, of so many bytes, and the digits preset for them; return its path.

    Their class is the largest of ten random sums over the pixels, so that there is something to learn.
    """
    say(f"writing {size / 1e9:g} GB")
    folder = bench.folder / name
    folder.mkdir()
    random, n_rows = np.random.default_rng(0), size // (4 * _PIXELS)
    sums = random.standard_normal((_PIXELS, _CLASSES), np.float32)
    labels = np.empty(n_rows, np.int32)
    with (folder / "x.npy").open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, _PIXELS)}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, n_rows, _ROWS_AT_ONCE):
            x = random.random((min(_ROWS_AT_ONCE, n_rows - start), _PIXELS), np.float32)
            labels[start : start + len(x)] = (x @ sums).argmax(1)
            file.write(x.data)
    np.save(folder / "y.npy", labels)
    data = {"source": "path", "path": str(folder / "x.npy"), "target_path": str(folder / "y.npy")}
    data |= {"stream": "always" if name == "large" else "never"}
    values = {f"data.{key}": value for key, value in data.items()} | {"data.validation_split": 0.0}
    path = folder / "preset.toml"
    path.write_text(configs.dump(presets.load("digits-mlp").changed(values)))
    return path


def _drop_from_cache(path: Path) -> None:
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
