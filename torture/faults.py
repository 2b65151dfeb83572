"""A disk that refuses: every call on the file system of a short training fails, once or from then on.

Whatever fails, the training goes on to its end in memory, the store can be read, the good checkpoints load, no other
run is touched, and what is not on the disk is told.
"""

import errno
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from torture.faulty_disk import FaultyDisk
from torture.figure import Figure, say
from trainer import checkpoints, picture_file, runs
from trainer.config import Config
from trainer.events import Unsaved, Warned
from trainer.preparation import Prepared, prepare
from trainer.problems import RunError
from trainer.run import Run
from trainer.run_directory import RunDirectory
from trainer.store import all_runs
from trainer.training import start, train

CODES: Final = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
_SETTINGS: Final = {
    "data.source": "iris", "model.hidden": [8], "training.epochs": 3, "training.batch_size": 60,
    "callbacks.tensorboard.enabled": True,
}  # fmt: skip
_SHORT_STEP: Final = 7


def faults(folder: Path, short: bool) -> list[Figure]:
    """Have every call fail; in short every seventh, with one error each."""
    prepared = prepare(Config().changed(_SETTINGS))
    good = train(prepared, start(prepared, folder / "store")).directory
    with FaultyDisk(folder) as disk:
        train(prepared, start(prepared, folder / "counted"))
    say(f"faults: a training makes {disk.calls} calls on its files")
    figures = []
    for for_good in (False, True):
        tried, broken = 0, 0
        for first, code in _positions(disk.calls, short):
            found = _broken(prepared, good, FaultyDisk(good.parent, code, first, None if for_good else first))
            tried, broken = tried + 1, broken + bool(found)
            if found:
                say(f"faults: call {first}, {errno.errorcode[code]}, {for_good=}: {'; '.join(found)}")
        words = "from one call on" if for_good else "one call"
        figures.append(Figure(f"trainings whose disk refuses {words}", tried, broken, f"{disk.calls} calls each"))
    return figures


def _positions(calls: int, short: bool) -> Iterator[tuple[int, int]]:
    if short:
        yield from zip(range(1, calls + 1, _SHORT_STEP), itertools.cycle(CODES), strict=False)
    else:
        yield from itertools.product(range(1, calls + 1), CODES)


def _broken(prepared: Prepared, good: Path, disk: FaultyDisk) -> list[str]:
    """Train on the disk, and return which promises were broken."""
    store = good.parent
    with disk:
        try:
            directory = start(prepared, store)
        except RunError as error:
            directory, refusal = None, str(error)
        else:
            run = train(prepared, directory)
    if directory is None:
        found = [] if "\n" not in refusal else ["the refusal is more than a line"]
        others = [path for path in store.iterdir() if path != good]
        found += [f"{others} are left of a run that was refused"] * bool(all_runs(store)[1:])
    else:
        others = [directory.path]
        found = _broken_by(run, directory, is_hurt=bool(disk.failed))
    if runs.read(good).status.state != "finished" or runs.peek(good).damage:
        found.append("another run is hurt")
    for path in others:
        shutil.rmtree(path, ignore_errors=True)
    return found


def _broken_by(run: Run, directory: RunDirectory, *, is_hurt: bool) -> list[str]:
    found = []
    if run.status.state != "finished":
        found.append(f"it {run.status.state}: {run.status.message}")
    read = runs.read(directory.path)
    if runs.peek(directory.path).damage or read.damage:
        found.append(f"it cannot be read: {read.damage}")
    available = checkpoints.available(directory.path / "checkpoints")
    found += [f"a damaged checkpoint: {problem}" for problem in available.damaged]
    for manifest in available.good:
        checkpoints.load(directory.path / "checkpoints" / f"{manifest.id}.safetensors")
    told = directory.trouble or any(isinstance(event, Unsaved | Warned) for event in run.happenings)
    if is_hurt and not told and (lacks := _lacking(run, read)):
        found.append(f"nobody was told that it lacks {lacks}")
    return found


def _lacking(run: Run, read: Run) -> str:
    """Return what of a run is not on the disk, or ""."""
    path = run.directory
    if read.status.model_dump() != runs.peek(path).status.model_dump() or not read.ended:
        return "its last state"
    if [event.seq for event in read.happenings] != [event.seq for event in run.happenings]:
        return "records"
    if not any(path.glob("tensorboard/train/events*")):
        return "event files"
    newest = checkpoints.newest_good(path / "checkpoints", "last")
    if newest is None or checkpoints.load(newest)[1].step != run.status.steps:
        return "its last checkpoint"
    return "" if (path / picture_file.NAME).exists() else picture_file.NAME
