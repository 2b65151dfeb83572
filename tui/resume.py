"""`nn-tui resume`: go on with a run that was cut off or stopped, or train one that is over for longer."""

from pathlib import Path

from trainer.problems import ConfigError
from trainer.resuming import Wishes, resume
from trainer.runs import peek
from trainer.store import find, store
from trainer.text import clean
from tui.foreground import Parent
from tui.headless import attend


def resume_run(
    word: str,
    epochs: int | None,
    data_changed: bool,
    code: Path | None,
    runs: Path | None,
    as_json: bool,
    parent: Parent | None = None,
) -> int:
    """Go on with a run to its end; return the exit code.

    Args:
        word: path, id, start of an id, or `@last`.
        epochs: to train up to, in all; None for as many as planned.
        data_changed: whether data that are no longer the same are taken.
        code: the preset or Python file beside which the run's own network lies, which may run then.
        runs: folder of runs, or None for the usual one.
        as_json: whether the result is printed as JSON.
        parent: as for `attend`.

    Raises:
        RunError: it cannot go on, and why.
        ConfigError: its data or its code cannot be used.
    """
    directory = find(word, store(runs))
    wishes = Wishes(epochs, data_changed, code_folder(code))
    lead = directory if peek(directory).status.replicas else None
    return attend(lambda: resume(directory, wishes), as_json, parent, lead)


def code_folder(code: Path | None) -> Path | None:
    """Return the folder in which a run's own code may run, as a person named it. Raises ConfigError."""
    if code is None:
        return None
    if not code.exists():
        raise ConfigError(f"--code must be a file or a folder, and {clean(str(code))} is not there.")
    return (code if code.is_dir() else code.parent).absolute()
