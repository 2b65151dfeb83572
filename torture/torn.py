"""Files that end too soon: each file of a run is cut off after every one of its bytes.

What is whole of it is read, the rest is said to be damaged in one line, no other run is touched, and whoever goes on
writing begins a new line.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from torture.figure import Figure, say
from trainer import checkpoints, picture_file, runs
from trainer.commands import Inbox, Pause, Set, send
from trainer.config import Config
from trainer.events import Warned
from trainer.log import Log, Tail
from trainer.preparation import prepare
from trainer.problems import RunError
from trainer.store import all_runs
from trainer.training import start, train

_SETTINGS: Final = {"data.source": "iris", "model.hidden": [4], "training.epochs": 3, "training.batch_size": 60}
_SHORT_STEP: Final = 23


def torn(folder: Path, short: bool) -> list[Figure]:
    """Cut every file after each byte; in short after every twenty-third."""
    prepared = prepare(Config().changed(_SETTINGS))
    whole = train(prepared, start(prepared, folder / "store")).directory
    for command in (Set(key="optimizer.learning_rate", value=0.1, by="a person"), Pause(by="another")):
        send(whole, command)
    last = checkpoints.newest_good(whole / "checkpoints", "last")
    assert last is not None
    checks: dict[str, Callable[[Path, bytes], str]] = {
        "events.jsonl": _events,
        "commands.jsonl": _commands,
        "run.json": _status,
        "config.toml": _config,
        picture_file.NAME: _pictures,
        f"checkpoints/{last.name}": _checkpoint,
        f"checkpoints/{last.with_suffix('.json').name}": _checkpoint,
    }
    figures = []
    for name, check in checks.items():
        found = _cut(whole, folder / "store" / "cut", name, check, _SHORT_STEP if short else 1)
        kind = name if "/" not in name else f"checkpoint, {Path(name).suffix}"
        figures.append(Figure(f"{kind} cut off", len(found), sum(map(bool, found))))
        for why in dict.fromkeys(filter(None, found)):
            say(f"torn: {name}: {why}")
    return figures


def _cut(whole: Path, cut: Path, name: str, check: Callable[[Path, bytes], str], step: int) -> list[str]:
    """Return what was wrong at each length, "" for nothing."""
    content = (whole / name).read_bytes()
    shutil.copytree(whole, cut)
    found = []
    for length in range(0, len(content), step):
        (cut / name).write_bytes(content[:length])
        try:
            why = check(cut, content[:length])
        except Exception as error:  # noqa: BLE001 whatever comes instead of a line is what is looked for
            why = f"{type(error).__name__}: {error}"
        if not why and runs.peek(whole).damage:
            why = "another run is hurt"
        found.append(why)
    shutil.rmtree(cut)
    return found


def _events(run: Path, content: bytes) -> str:
    path = run / "events.jsonl"
    lines = content.count(b"\n")
    if len(Tail(path).read_all()) != lines:
        return "not all whole records are read"
    log = Log(path, next_seq=lines)
    log.append(Warned(message="on"))
    log.close()
    tail = Tail(path)
    # Of a line that lacks but its end nothing is lost.
    read = len(tail.read_all()) + tail.skipped
    return "" if read == lines + 1 + (not content.endswith(b"\n") and bool(content)) else "a new record is not read"


def _commands(run: Path, content: bytes) -> str:
    inbox = Inbox(run)
    commands, problems = inbox.read()
    if len(commands) != content.count(b"\n") or problems:
        return "not all whole commands are read"
    send(run, Pause(by="a third"))
    commands, problems = inbox.read()
    return "" if commands[-1].by == "a third" and len(problems) <= 1 else "a new command is not read"


def _status(run: Path, content: bytes) -> str:  # noqa: ARG001 as all of them
    return "" if "\n" not in (damage := runs.peek(run).damage) and damage and all_runs(run.parent) else "not damaged"


def _config(run: Path, content: bytes) -> str:  # noqa: ARG001 as all of them
    # What is left of it may well be a config; it is replaced in one go, so that only damage to the disk cuts it.
    return "" if "\n" not in runs.read(run).damage else "more than a line"


def _pictures(run: Path, content: bytes) -> str:  # noqa: ARG001 as all of them
    try:
        picture_file.read(run)
    except RunError as error:
        return "" if "\n" not in str(error) else "more than a line"
    return "it was read"


def _checkpoint(run: Path, content: bytes) -> str:  # noqa: ARG001 as all of them
    folder = run / "checkpoints"
    found = checkpoints.available(folder)
    newest = checkpoints.newest_good(folder)
    if len(found.damaged) != 1 or newest is None:
        return "it is not told as damaged"
    checkpoints.load(newest)
    return ""
