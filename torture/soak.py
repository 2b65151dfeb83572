"""The app at work for long: what it holds of memory, descriptors and threads, and what its run takes on the disk."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from terminals import Terminal
from torture.figure import Figure, say
from trainer.runs import peek

_SECONDS: Final = 3600.0
_SHORT_SECONDS: Final = 6.0
_LOOKS: Final = 60
_PRESET: Final = (
    'schema = 1\nname = "soak"\n[data]\nsource = "digits"\n[model]\nhidden = [256]\n'
    "[training]\nepochs = 1000000\nbatch_size = 8\n[callbacks.early_stopping]\nenabled = false\n"
    "[callbacks.reduce_lr_on_plateau]\nenabled = false\n"
)
_BYTES_AN_EPOCH: Final = 4096
"""Of memory and of disk each, at most: an epoch is a record, and a point of each curve on both sides of the screen."""

_BYTES_AT_LARGE: Final = 48 << 20
"""Of memory beside that: what allocators keep, and what a page or a picture needs at times."""


@dataclass(frozen=True, slots=True)
class _Look:
    epochs: int
    resident: int
    descriptors: int
    threads: int
    disk: int


def soak(folder: Path, short: bool) -> list[Figure]:
    """Train an hour in the app; in short some seconds."""
    (folder / "soak.toml").write_text(_PRESET)
    seconds = _SHORT_SECONDS if short else _SECONDS
    looks: list[_Look] = []
    with Terminal(folder / "soak.toml", size=(140, 45), NN_TUI_RUNS=str(folder / "runs")) as app:
        directory = app.start_run()
        pid = peek(directory).status.pid
        for _ in range(_LOOKS):
            time.sleep(seconds / _LOOKS)
            looks.append(_look(pid, directory))
    settled, last = looks[len(looks) // 3], looks[-1]
    epochs = last.epochs - settled.epochs
    grown, written = last.resident - settled.resident, last.disk - settled.disk
    say(f"soak: {settled} {last}")
    return [
        Figure(
            "looks at the memory of the app while it trains", len(looks),
            int(grown > _BYTES_AT_LARGE + epochs * _BYTES_AN_EPOCH),
            f"{seconds / 60:.0f} min, {last.epochs:,} epochs; from a third on {grown / 2**20:+.1f} MiB "
            f"({grown / max(1, epochs):,.0f} bytes an epoch)",
        ),
        Figure(
            "looks at its files", len(looks), int(written > (4 << 20) + epochs * _BYTES_AN_EPOCH),
            f"{last.disk / 2**20:.1f} MiB ({written / max(1, epochs):,.0f} bytes an epoch)",
        ),
        Figure(
            "looks at its descriptors and threads", len(looks),
            int(last.descriptors > settled.descriptors + 4) + int(last.threads > settled.threads + 2),
            f"{last.descriptors} descriptors, {last.threads} threads",
        ),
    ]  # fmt: skip


def _look(pid: int, run: Path) -> _Look:
    process = Path("/proc") / str(pid)
    pages = int((process / "statm").read_text().split()[1])
    return _Look(
        epochs=peek(run).status.epochs,
        resident=pages * os.sysconf("SC_PAGE_SIZE"),
        descriptors=len(list((process / "fd").iterdir())),
        threads=len(list((process / "task").iterdir())),
        disk=sum(path.stat().st_size for path in run.rglob("*") if path.is_file()),
    )
