"""The commands that train without a screen: a preset, a run that goes on, a fork of one.

Each trains to the end and returns the exit code. Their arguments mean the same: `word` is the path or id of a run, the
start of an id, or `@last`; `settings` are `key=value` words; `code` is the preset or Python file beside which a run's
own network lies, which may run then; `runs` is the folder of runs, None for the usual one; `as_json` says whether the
result is printed as JSON; `parent` is as for `attend`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import presets
from trainer import forking, resuming
from trainer.config import parse_settings
from trainer.preparation import prepare
from trainer.problems import ConfigError
from trainer.resuming import Wishes
from trainer.runs import peek
from trainer.store import find, store
from trainer.text import clean
from trainer.training import Runs, start_replicas
from tui.attending import attend

if TYPE_CHECKING:
    from tui.foreground import Parent


def train(
    preset: str, settings: list[str], name: str, runs: Path | None, as_json: bool, parent: "Parent | None" = None
) -> int:
    """Train a preset, as a run of that name; "" for its own.

    Raises:
        ConfigError, RunError: nothing was created.
    """

    def start() -> Runs:
        changes = _changes(settings, name)
        found = presets.find(preset)
        config = found.permitted(found.load().changed(changes))
        return start_replicas(prepare(config, found.base), store(runs))

    return attend(start, as_json, parent)


def resume(
    word: str,
    epochs: int | None,
    data_changed: bool,
    code: Path | None,
    runs: Path | None,
    as_json: bool,
    parent: "Parent | None" = None,
) -> int:
    """Go on with a run that was cut off or stopped, or train one that is over for longer.

    Up to so many `epochs` in all, or as many as planned; `data_changed` has data taken that are no longer the same.

    Raises:
        RunError: it cannot go on, and why.
        ConfigError: its data or its code cannot be used.
    """
    directory = find(word, store(runs))
    wishes = Wishes(epochs, data_changed, _folder_of(code))
    lead = directory if peek(directory).status.replicas else None
    return attend(lambda: resuming.resume(directory, wishes), as_json, parent, lead)


def fork(
    word: str,
    at: str,
    settings: list[str],
    name: str,
    code: Path | None,
    runs: Path | None,
    as_json: bool,
    parent: "Parent | None" = None,
) -> int:
    """Train a fork: a new run, of that name or its parent's, that begins at a checkpoint, which `origin` finds by `at`.

    Raises:
        RunError: there is no such run or checkpoint, or it does not fit; nothing was created.
        ConfigError: the config or its data are no good; nothing was created.
    """

    def start() -> Runs:
        folder = store(runs)
        begin = forking.origin(find(word, folder), at)
        config = begin.config.changed(_changes(settings, name))
        if permitted := _folder_of(code):
            config = config.permitted(permitted)
        return forking.fork(prepare(config), begin, folder)

    return attend(start, as_json, parent)


def _changes(settings: list[str], name: str) -> dict[str, Any]:
    """Return what a person wants otherwise in a config, by dotted key."""
    return {**parse_settings(settings), **({"name": name} if name else {})}


def _folder_of(code: Path | None) -> Path | None:
    """Return the folder in which a run's own code may run, as a person named it. Raises ConfigError."""
    if code is None:
        return None
    if not code.exists():
        raise ConfigError(f"--code must be a file or a folder, and {clean(str(code))} is not there.")
    return (code if code.is_dir() else code.parent).absolute()
