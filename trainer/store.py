"""Stores: folders of runs. Where they are, which runs they hold, which of these live."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.liveness import is_alive
from trainer.problems import Problem, RunError, nearest
from trainer.text import clean

if TYPE_CHECKING:
    from trainer.run import Run
    from trainer.status import Shown


_MADE_BY_US = re.compile(r"\d{8}-\d{6}-.+-[0-9a-f]{4}")


def store(runs: str | Path | None = None) -> Path:
    """Return the folder that runs are kept in: the one given, else `$NN_TUI_RUNS`, else `./runs`."""
    return Path(runs or os.environ.get("NN_TUI_RUNS") or "runs")


def is_run(directory: Path) -> bool:
    """Say whether a folder is a run's."""
    try:
        return (directory / "config.toml").is_file() and (directory / "run.json").is_file()
    except OSError:  # a name too long to be one, a folder of somebody else
        return False


def is_id(name: str) -> bool:
    """Say whether a name can be that of a run's folder within a store: no path, and none that leads out of it."""
    return bool(name) and "/" not in name and not name.startswith(".")


def live(folder: Path) -> list[Path]:
    """Return the folders of the runs of a store that a trainer is at work on, newest first; of a group its leader's."""
    from trainer.runs import peek

    alive = [path for path in run_folders(folder) if is_alive(path)]
    groups = {path: peek(path).status.group for path in alive}
    leads = (folder / groups[path] if is_id(groups[path]) else path for path in alive)
    return [path for path in dict.fromkeys(leads) if is_run(path)]


def all_runs(folder: Path) -> list[Run]:
    """Return the runs of a store, newest first, from their `run.json`; a damaged one says so and stops nobody."""
    from trainer.runs import peek

    return [peek(path) for path in run_folders(folder) if not path.is_symlink()]


def find(word: str, folder: Path) -> Path:
    """Return the folder of the run meant by a path, an id, a unique prefix of an id, or `@last`.

    Raises:
        RunError: there is none, or more than one.
    """
    from trainer.runs import lead_of

    if is_run(Path(word)):
        return Path(word)
    known = [path.name for path in run_folders(folder)]
    if word == "@last":
        matches = [lead_of(folder / name).name for name in known[:1]]
    else:
        matches = [name for name in known if name == word] or [name for name in known if name.startswith(word) and word]
    if len(matches) == 1:
        return folder / matches[0]
    if matches:
        raise RunError(f"{clean(word)} means {len(matches)} runs: {', '.join(matches[:3])} ... Write more of the id.")
    where = clean(str(folder))
    raise RunError(Problem(f"{clean(word)} is no run in {where}.{nearest(word, known)} List them with: nn-tui runs"))


@dataclass
class Listing:
    """The runs of a store, read again only where a trainer wrote since the last look."""

    folder: Path
    _known: dict[Path, tuple[tuple[int, int, int], Run]] = field(default_factory=dict)

    def read(self, others: Sequence[Path] = ()) -> list[tuple[Run, Shown]]:
        """Return every run of the folder, newest first, then the others, each with what it shows as.

        Raises:
            RunError: the folder cannot be read.
        """
        from trainer.runs import peek

        here = run_folders(self.folder)
        paths = [*here, *(path for path in others if path not in here)]
        known, self._known = self._known, {}
        for path in paths:
            stamp = _stamp(path)
            old = known.get(path)
            self._known[path] = old if old and old[0] == stamp else (stamp, peek(path))
        return [(run, run.shown_state) for _, run in self._known.values()]


def run_folders(folder: Path) -> list[Path]:
    """Return the folders of the runs in a store, damaged ones included, newest first; without a store there are none.

    Raises:
        RunError: the store cannot be read.
    """
    try:
        found = [path for path in folder.iterdir() if is_run(path) or _was_run(path)] if folder.is_dir() else []
    except OSError as error:
        raise RunError(f"{clean(str(folder))} cannot be read: {error.strerror or error}.") from error
    return sorted(found, key=lambda path: path.name, reverse=True)


def _was_run(path: Path) -> bool:
    """Say whether a folder is that of a run which had begun, and lost files since; not of one that could not begin."""
    try:
        return bool(_MADE_BY_US.fullmatch(path.name)) and path.is_dir() and _has_begun(path) and not is_alive(path)
    except OSError:  # a folder of somebody else
        return False


def _has_begun(path: Path) -> bool:
    records = path / "events.jsonl"
    return (path / "checkpoints").exists() or (records.is_file() and records.stat().st_size > 0)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = (path / "run.json").stat()
    except OSError:
        return 0, 0, 0
    return status.st_ino, status.st_mtime_ns, status.st_size
