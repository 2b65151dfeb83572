"""The health of a store: whose it is, what is damaged in it and why, what died and can go on."""

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from trainer import checkpoints, files, liveness, picture_file
from trainer.events import Epoch
from trainer.log import Tail
from trainer.problems import RunError
from trainer.run import Run
from trainer.runs import peek
from trainer.store import run_folders
from trainer.text import clean
from tui.finding import Finding, Verdict
from tui.sharing import group_name
from tui.wording import unsaved

_FILES = ("config.toml", "run.json", "events.jsonl")
"""Of these a folder has some if it is a run's."""

_FOLDERS = ("checkpoints", "tensorboard")
_LEAST_FREE = 1.0
"""GiB: with less than that, a disk may soon be full."""

_BYTES_AT_ONCE = 1 << 20


def examine_store(folder: Path) -> Iterator[Finding]:
    """Yield what there is to say of a store, and of each run in it that is not as it should be."""
    try:
        if not folder.exists():
            yield Finding("store", f"{clean(str(folder))} does not exist yet; the first run makes it", "note")
            return
        folders = run_folders(folder)
        runs = [peek(path) for path in folders]
        free = shutil.disk_usage(folder).free / 2**30
        others = sorted(path for path in {*folder.iterdir()} - {*folders} if _has_some(path))
    except (OSError, RunError) as error:
        why = f"{clean(str(folder))} cannot be read: {error.strerror}." if isinstance(error, OSError) else str(error)
        yield Finding("store", why, "problem")
        return
    states = [run.shown_state for run in runs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    in_words = f"{len(runs)} run{'s' * (len(runs) != 1)}{f' ({counts})' if counts else ''}"
    verdict: Verdict = "ok" if free >= _LEAST_FREE else "problem"
    yield Finding("store", f"{clean(str(folder))}: {in_words}, {free:.1f} GiB free", verdict)
    yield from _rights(folder)
    yield from _locks(folder)
    for path in others:
        missing = ", ".join(name for name in _FILES if not os.path.lexists(path / name))
        strange = ", ".join(name for name in _FILES if os.path.lexists(path / name) and not (path / name).is_file())
        parts = [f"lacks {missing}"] * bool(missing) + [f"{strange} is no regular file"] * bool(strange)
        yield Finding("damaged run", f"{clean(path.name)}: {'; '.join(parts)}", "problem")
    for run in runs:
        yield from _examine(run)


def _has_some(path: Path) -> bool:
    try:
        return path.is_dir() and any((path / name).exists() for name in _FILES)
    except OSError:  # somebody else's, into which we cannot look
        return False


def _rights(folder: Path) -> Iterator[Finding]:
    """Say whose the store is: who may write into it may have us read what they like."""
    status = folder.stat()
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("store", "cannot be written: runs can be looked at, not made", "problem")
    if trouble := files.owner_trouble(status):
        advice = "To train, name another: --runs" if status.st_uid != os.getuid() else "Make it yours: chmod go-w"
        yield Finding("store", f"{trouble}. {advice}", "problem")
    if files.is_open_to_group(status):
        yield Finding("store", f"the group {group_name(status.st_gid)} can read it", "note")


def _locks(folder: Path) -> Iterator[Finding]:
    if liveness.is_shared(folder):
        seconds = round(liveness.SILENT_SECONDS)
        yield Finding("locks", f"a network file system: a dead run shows as dead after {seconds} s", "note")
    probe = folder / f".doctor.{secrets.token_hex(8)}.tmp"
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return  # what cannot be written has been said
    try:
        if not liveness.lock(descriptor):
            yield Finding("locks", "this file system has none: do not train into one run twice", "note")
    finally:
        os.close(descriptor)
        files.remove(probe)


def _examine(run: Run) -> Iterator[Finding]:
    """Yield what is wrong with one run; whatever that is, the next one is looked at."""
    name = clean(run.id)
    state = run.shown_state
    if run.damage:
        yield Finding("damaged run", f"{name}: {clean(run.damage)}", "problem")
    for problem in (*_bad_records(run), *_bad_pictures(run), *_bad_kinds(run), *_bad_rights(run)):
        yield Finding("damaged run", f"{name}: {problem}", "problem")
    try:
        found = checkpoints.available(run.directory / "checkpoints")
    except OSError as error:
        yield Finding("checkpoints", f"{name}: cannot be read: {error.strerror}", "problem")
        return
    for damaged in found.damaged:
        yield Finding("checkpoint", clean(f"{run.id}: {Path(damaged.file).name} {damaged.message}"), "problem")
    if run.unsaved:
        yield Finding("unsaved", f"{name}: {unsaved(run.unsaved, goes_on=run.is_live)}", "note")
    if state == "crashed":
        last = next((one for one in found.good if one.kind == "last"), None)
        there = (
            f"nn-tui resume {name} goes on from update {last.step}" if last else "it has no checkpoint to go on from"
        )
        yield Finding("dead run", f"{name}: its trainer is gone; {there}", "note")
    if state not in ("crashed", "damaged") or run.is_live:
        return
    if left := [path for path in run.directory.rglob(".*.tmp") if files.is_temporary(path.name)]:
        yield Finding("left over", f"{name}: {len(left)} temporary files of writes that were cut off", "note")


def _bad_records(run: Run) -> Iterator[str]:
    path = run.directory / "events.jsonl"
    tail = Tail(path)
    told = 0
    for _ in range(0, 1 + (path.stat().st_size if path.exists() else 0), _BYTES_AT_ONCE):
        told = max((event.epoch + 1 for event in tail.read(_BYTES_AT_ONCE) if isinstance(event, Epoch)), default=told)
    if tail.problem:
        yield tail.problem
    elif told < run.status.epochs and not run.is_live:
        yield f"events.jsonl tells of {told} epochs, run.json of {run.status.epochs}"
    torn = 0 if run.is_live or not tail.rest else 1
    if tail.skipped or torn:
        count = tail.skipped + torn
        are = "1 line is torn or no record" if count == 1 else f"{count} lines are torn or no records"
        yield f"events.jsonl: {are}; the others are read"


def _bad_pictures(run: Run) -> Iterator[str]:
    if not os.path.lexists(run.directory / picture_file.NAME):
        return
    try:
        picture_file.read(run.directory)
    except RunError as error:
        yield clean(str(error))


def _bad_kinds(run: Run) -> Iterator[str]:
    """Yield what is no file where a trainer writes one, such as a FIFO."""
    for path in sorted(run.directory.rglob("*")):
        is_folder = path.name in _FOLDERS or path.parent.name == "tensorboard"
        with contextlib.suppress(OSError):  # the trainer has removed it
            kind = path.lstat().st_mode
            if not (stat.S_ISLNK(kind) or stat.S_ISREG(kind) or (is_folder and stat.S_ISDIR(kind))):
                yield f"{clean(path.name)} is no regular file"


def _bad_rights(run: Run) -> Iterator[str]:
    owner = run.directory.parent.stat().st_uid  # if that is not us, it has been said of the store
    for path in (run.directory, *sorted(run.directory.rglob("*"))):
        try:
            status = path.lstat()
        except OSError:  # the trainer has removed it
            continue
        if stat.S_ISLNK(status.st_mode):
            yield f"{clean(path.name)} is a link to elsewhere"
        elif trouble := files.owner_trouble(status, owner):
            yield f"{clean(path.name)} {trouble}"
