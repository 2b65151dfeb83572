"""Any bytes at all: the fuzzing tests of everything that reads somebody else's files, with many more examples.

Then whole files as they are, changed by a fuzzer that sees which code they reach; see `torture.guided`.
"""

import io
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

import presets
from torture.figure import Figure, say
from trainer.commands import Pause, Set, send
from trainer.config import Config
from trainer.preparation import prepare
from trainer.training import start, train

_SUBJECTS: Final = {
    "presets and settings": ("test_config_fuzz.py", ""),
    "tables, arrays and pictures": ("test_data_files.py test_data_formats.py test_image_folder.py", "any"),
    "files of a run": ("test_store_fuzz.py", ""),
}
_TESTS: Final = Path(__file__).parent.parent / "tests"
_EXAMPLES: Final = re.compile(r"(\d+) passing, \d+ failing")
_FAILED: Final = re.compile(r"^(\d+) failed", re.MULTILINE)
_GUIDED_RUNS: Final = 100_000
_GUIDED_RUNS_IN_SHORT: Final = 300
_DONE: Final = re.compile(r"^Done (\d+) runs", re.MULTILINE)
_REACHED: Final = re.compile(r"ft: (\d+)")


def fuzz(folder: Path, short: bool) -> list[Figure]:
    """Run the fuzzing tests with ten thousand examples each, then a hundred thousand files; in short, a few hundred."""
    known = [_fuzzed(what, *words, folder, short) for what, words in _SUBJECTS.items()]
    return known + [guided(kind, folder, short) for kind in KINDS]


def _fuzzed(what: str, files: str, only: str, folder: Path, short: bool) -> Figure:
    words = ["-q", "-n", "0", "--hypothesis-show-statistics", f"--basetemp={folder / 'tests'}"]
    words += [] if short else ["--hypothesis-profile=torture"]
    words += ["-k", only] if only else []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, *(str(_TESTS / name) for name in files.split())],
        cwd=_TESTS.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    examples = sum(map(int, _EXAMPLES.findall(done.stdout)))
    failed = sum(map(int, _FAILED.findall(done.stdout)))
    if done.returncode:
        say(f"fuzz: {what}:\n{done.stdout[-2000:]}")
    return Figure(f"{what} of any content read", examples, failed or int(done.returncode != 0))


def guided(kind: str, folder: Path, short: bool) -> Figure:
    """Let libFuzzer change the files of one of `KINDS`."""
    corpus = folder / kind
    corpus.mkdir()
    for n, content in enumerate(KINDS[kind](folder)):
        (corpus / f"{n}").write_bytes(content)
    words = [kind, str(corpus), str(_GUIDED_RUNS_IN_SHORT if short else _GUIDED_RUNS)]
    done = subprocess.run(
        [sys.executable, "-m", "torture.guided", *words], capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        say(f"fuzz: {kind}, led by what it reaches:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    runs = sum(map(int, _DONE.findall(done.stderr)))
    reached = [int(found) for found in _REACHED.findall(done.stderr)]
    note = f"from {reached[0]:,} to {max(reached):,} places and counts of code reached" if reached else ""
    return Figure(f"{kind} changed and read, led by what it reaches", runs or 1, int(done.returncode != 0), note)


def _presets(_: Path) -> list[bytes]:
    return [preset.path.read_bytes() for preset in presets.available() if preset.built_in]


def _table(_: Path) -> list[bytes]:
    return [b'a,b;c,"d"\n1,,x,"y ""z"\n-2.5e3,NA,y,yes\n3,4,x,no\n']


def _archive(_: Path) -> list[bytes]:
    file = io.BytesIO()
    np.savez(file, x=np.arange(12, dtype=np.float32).reshape(6, 2), y=np.array([0, 1, 0, 1, 0, 1]))
    return [file.getvalue()]


def _of_a_run(name: str, folder: Path) -> list[bytes]:
    """Return the lines of a file of a run that obeyed two commands."""
    settings = {"data.source": "iris", "model.hidden": [4], "training.epochs": 3, "training.batch_size": 60}
    prepared = prepare(Config().changed(settings))
    run = train(prepared, start(prepared, folder / f"store-{name}")).directory
    for command in (Set(key="optimizer.learning_rate", value=0.1, by="a person"), Pause(by="another")):
        send(run, command)
    return (run / name).read_bytes().splitlines(keepends=True)


KINDS: Final[dict[str, Callable[[Path], list[bytes]]]] = {
    "TOML": _presets,
    "CSV": _table,
    "NPZ": _archive,
    "records": partial(_of_a_run, "events.jsonl"),
    "status": partial(_of_a_run, "run.json"),
    "commands": partial(_of_a_run, "commands.jsonl"),
}
"""Of `torture.guided`, with what gives whole files to begin from, in a folder."""
