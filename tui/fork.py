"""`nn-tui fork`: a new run that goes on from a checkpoint of another one."""

from pathlib import Path

from trainer.config import parse_settings
from trainer.forking import fork, origin
from trainer.preparation import prepare
from trainer.store import find, store
from tui.headless import attend
from tui.resume import code_folder


def fork_run(
    word: str, at: str, settings: list[str], name: str, code: Path | None, runs: Path | None, as_json: bool
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

    Raises:
        RunError: there is no such run or checkpoint, or it does not fit; nothing was created.
        ConfigError: the config or its data are no good; nothing was created.
    """
    folder = store(runs)
    begin = origin(find(word, folder), at)
    config = begin.config.changed({**parse_settings(settings), **({"name": name} if name else {})})
    if permitted := code_folder(code):
        config = config.permitted(permitted)
    started = fork(prepare(config), begin, folder)
    return attend(started, config.training.epochs, as_json)
