"""`nn-tui fork`: a new run that goes on from a checkpoint of another one."""

from collections.abc import Sequence
from pathlib import Path

from trainer.config import parse_settings
from trainer.forking import fork, origin
from trainer.preparation import Prepared, prepare
from trainer.run_directory import RunDirectory
from trainer.store import find, store
from tui.foreground import Parent
from tui.headless import attend
from tui.resume import code_folder


def fork_run(
    word: str,
    at: str,
    settings: list[str],
    name: str,
    code: Path | None,
    runs: Path | None,
    as_json: bool,
    parent: Parent | None = None,
) -> int:
    """Train a fork to its end; return the exit code.

    Args:
        word: path, id, start of an id, or `@last`.
        at: the checkpoint, as `forking.origin` takes it.
        settings: `key=value` words.
        name: of the fork; "" for that of the run.
        code: as for `resume_run`.
        runs: folder of runs, or None for the usual one.
        as_json: whether the result is printed as JSON.
        parent: as for `attend`.

    Raises:
        RunError: there is no such run or checkpoint, or it does not fit; nothing was created.
        ConfigError: the config or its data are no good; nothing was created.
    """

    def start() -> Sequence[tuple[Prepared, RunDirectory]]:
        folder = store(runs)
        begin = origin(find(word, folder), at)
        config = begin.config.changed({**parse_settings(settings), **({"name": name} if name else {})})
        if permitted := code_folder(code):
            config = config.permitted(permitted)
        return fork(prepare(config), begin, folder)

    return attend(start, as_json, parent)
