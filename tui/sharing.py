"""Who may read a store: its owner alone, or also the group that its folder belongs to."""

import contextlib
import grp
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trainer import files
from trainer.problems import ConfigError, RunError
from trainer.store import run_folders, store
from trainer.text import clean

READERS: Final = ("group", "nobody")


def share(readers: str, runs: Path | None) -> None:
    """Have a store and all of its runs, also later ones, be read by the folder's group, or by nobody else again.

    Raises:
        ConfigError: there are no such readers.
        RunError: something in it is not ours, or could not be changed, and what.
    """
    if readers not in READERS:
        raise ConfigError(f"READERS must be one of {', '.join(READERS)}, got {readers!r}.")
    folder = store(runs).resolve()
    path = folder
    try:
        files.make_folders(folder)
        group = folder.stat().st_gid
        for path in _all_of(folder):
            with contextlib.suppress(FileNotFoundError):  # a live run removes some of its files
                files.share(path, with_group=group if readers == "group" else None)
        shut = [] if readers == "nobody" else [path for path in folder.parents if not _lets_through(path, group)]
    except OSError as error:
        raise RunError(f"{clean(str(path))} cannot be shared: {error.strerror or error}") from error
    whom = f"the group {group_name(group)} can read" if readers == "group" else "nobody else can read"
    print(f"{whom} {clean(str(folder))}: {len(run_folders(folder))} runs, and later ones")
    for path in shut:
        print(f"but {clean(str(path))} lets nobody of them through (chmod o+x)", file=sys.stderr)


def group_name(number: int) -> str:
    """Return the name of a group, or its number where it has none."""
    try:
        return clean(grp.getgrgid(number).gr_name)
    except KeyError:
        return str(number)


def _lets_through(folder: Path, group: int) -> bool:
    """Say whether members of a group can pass through a folder, as far as its mode says it."""
    status = folder.stat()
    its = status.st_mode & (stat.S_IXGRP if status.st_gid == group else stat.S_IXOTH)
    return bool(its)


def _all_of(folder: Path) -> Iterator[Path]:
    """Yield the store and what its runs hold, folders before their contents, without links to elsewhere."""
    yield folder
    for run in run_folders(folder):
        if run.is_symlink():
            continue
        for parent, _, names in os.walk(run):
            yield Path(parent)
            yield from (path for name in names if not (path := Path(parent, name)).is_symlink())
