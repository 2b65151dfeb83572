"""Any bytes, led by what they reach: `python -m torture.guided KIND CORPUS RUNS`.

libFuzzer, through atheris, changes the whole files of a corpus, keeps each one that reaches new code of its reader, and
goes on from there. What a reader may answer is its own refusal in one line; anything else ends the process, with the
bytes that did it beside the corpus.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["trainer", "tui", "tomllib", "zipfile"]):
    from trainer import config, log
    from trainer.commands import Inbox
    from trainer.data import Files
    from trainer.data.loading import load
    from trainer.problems import ConfigError
    from trainer.results import result
    from trainer.run import Run
    from trainer.runs import peek
    from trainer.text import clean
    from tui.followed import Followed
    from tui.happenings import happening
    from tui.status_line import status_lines

_LONGEST_FILE: Final = 4096
_LONGEST_SECONDS: Final = 20


def _preset(path: Path) -> None:
    _refused_in_lines(lambda: config.load(path))


def _data(path: Path) -> None:
    _refused_in_lines(lambda: load(Files(path=str(path))))


def _records(path: Path) -> None:
    followed = Followed(Run(path.parent, config=config.Config()), log.Tail(path))
    followed.poll(1 << 20)
    followed.progress()
    _show(followed.run)


def _status(path: Path) -> None:
    run = peek(path.parent)
    assert "\n" not in run.damage
    _show(run)


def _commands(path: Path) -> None:
    _, problems = Inbox(path.parent).read()
    assert all(problem.isprintable() for problem in problems)


def _show(run: Run) -> None:
    json.dumps(result(run), allow_nan=False)
    assert all("\n" not in happening(event) for event in run.happenings)
    status_lines(run, "", None, 80)


def _refused_in_lines(read: Callable[[], object]) -> None:
    problems = []
    try:
        read()
    except ConfigError as error:
        problems = [str(problem) for problem in error.problems] or [""]
    assert all(problem and clean(problem) == problem for problem in problems)


KINDS: Final[dict[str, tuple[str, Callable[[Path], None]]]] = {
    "TOML": ("preset.toml", _preset),
    "CSV": ("table.csv", _data),
    "NPZ": ("arrays.npz", _data),
    "records": ("events.jsonl", _records),
    "status": ("run.json", _status),
    "commands": ("commands.jsonl", _commands),
}
"""The name of a file, and what reads it."""


def main(kind: str, corpus: str, runs: str) -> None:
    """Fuzz one reader; what libFuzzer says goes to stderr."""
    name, read = KINDS[kind]
    folder = Path(corpus).parent / f"{kind}-files"
    folder.mkdir()
    (folder / "config.toml").write_text(config.dump(config.Config()), encoding="utf-8")

    def read_these(content: bytes) -> None:
        (folder / name).write_bytes(content)
        read(folder / name)

    options = [f"-runs={runs}", f"-max_len={_LONGEST_FILE}", f"-timeout={_LONGEST_SECONDS}", "-rss_limit_mb=0"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", corpus], read_these)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
