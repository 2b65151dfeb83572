"""Sets of the Hugging Face Hub, through the library `datasets`, which a process of its own loads.

What is on this machine already is read at any time. To fetch a set takes a network and minutes, so that only who trains
asks for it; a form that passes over its name does not.
"""

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.data import hub_child
from trainer.data.content import MOST_BYTES, resolved, unreadable
from trainer.data.csv_lines import unique_names
from trainer.data.refusal import DataFile, refused
from trainer.text import clean

if TYPE_CHECKING:
    import polars as pl

_MOST_SECONDS = 600
_QUIET = ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY")
_PLACES = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE", "HF_XET_CACHE", "XDG_CACHE_HOME")
_INSTALL = "needs the library datasets, which is not installed. Install it with pip install 'nn-tui[datasets]'."


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        name: of the set on the Hub; "" for that of a folder.
        config: which variant of it; "" for the usual one.
        folder: that `save_to_disk` wrote; "" for a set of the Hub.
        parts: names of the parts by the fields that name them; the first one trains.
        stamp: what is another once the folder's files are.
    """

    name: str
    config: str
    folder: str
    parts: tuple[tuple[str, str], ...]
    stamp: Hashable = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it.

    Attributes:
        kinds: of the columns by name, which is safe to show: "plain", "label", "picture"; "" for one that is left out.
        names: of the classes of each column of labels, which are held by their index.
        frames: a part each.
    """

    kinds: dict[str, str]
    names: dict[str, list[str]]
    frames: "tuple[pl.DataFrame, ...]"


_latest: tuple[Request, Answer] | None = None
_lifelines: set[int] = set()
"""What processes that fetch read: at its end they end."""
_cutting = threading.Lock()


def is_installed() -> bool:
    """Return whether the library is there."""
    return importlib.util.find_spec("datasets") is not None


def fetch(request: Request) -> Answer:
    """Return the set, from the Hub if it is not on this machine. Raises ConfigError, in one line."""
    return _asked(request, is_to_fetch=True)


def give_up() -> None:
    """End what is being fetched, in whichever thread; who asked for it gets a ConfigError."""
    for lifeline in [*_lifelines]:
        _cut(lifeline)


def read(request: Request) -> Answer:
    """Return the set if it is on this machine. Raises ConfigError, in one line."""
    if is_installed() and (_latest is None or _latest[0] != request) and not request.folder and not _is_kept(request):
        raise refused(hub_child.STILL_TO_FETCH, "data.name")
    return _asked(request, is_to_fetch=False)


def folder_of(folder: str, name: str, file_base: Path | None) -> tuple[str, Hashable]:
    """Return the folder that is meant, "" for none, and what is another once it was written anew.

    Raises:
        ConfigError: neither a folder nor a name is given, or both, or the folder is none that the library wrote.
    """
    if bool(folder) == bool(name):
        raise refused("must be given, or data.folder in its place; one of the two.", "data.name")
    if not folder:
        return "", None
    path = resolved(folder, file_base, "data.folder")
    try:
        states = sorted([*path.glob("state.json"), *path.glob("*/state.json")])
        stamp = tuple((str(state), state.stat().st_mtime_ns) for state in states)
    except OSError as error:
        raise unreadable(DataFile(path, "data.folder"), error) from None
    if not stamp:
        raise refused("must be a folder that save_to_disk wrote, got another.", "data.folder", path)
    return str(path.absolute()), stamp


def _asked(request: Request, *, is_to_fetch: bool) -> Answer:
    global _latest
    if _latest is not None and _latest[0] == request:
        return _latest[1]
    if not is_installed():
        raise refused(_INSTALL, "data.source")
    told = {
        "name": request.name, "config": request.config, "folder": request.folder, "parts": dict(request.parts),
        "most_bytes": MOST_BYTES, "is_to_fetch": is_to_fetch,
    }  # fmt: skip
    command = [sys.executable, "-P", hub_child.__file__, json.dumps(told)]
    done = _run(command, {**os.environ, **_places(), **dict.fromkeys(_QUIET, "1")})
    if done.returncode == hub_child.REFUSED:
        wrong = json.loads(done.stdout)
        path = Path(request.folder or request.name)
        raise refused(clean(wrong["message"]), f"data.{wrong['field']}", path)
    if done.returncode == hub_child.GIVEN_UP:
        raise refused("must be fetched to its end, was given up. What has come is kept.", "data.name")
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.returncode}"]
        raise refused(f"must be a set that can be loaded, got: {clean(lines[-1][:200])}", "data.name")
    _latest = request, _parsed(done.stdout)
    return _latest[1]


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run the process that loads, which ends with this one, and by `give_up`, but not with the terminal."""
    reads, lifeline = os.pipe()
    with _cutting:
        _lifelines.add(lifeline)
    try:
        # From a folder without sets: a name that is also that of a folder here means the set of the Hub.
        return subprocess.run(  # noqa: S603
            command, stdin=reads, capture_output=True, check=False, timeout=_MOST_SECONDS, env=environment,
            cwd=Path(hub_child.__file__).parent, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise refused(f"must be fetched within {_MOST_SECONDS} seconds, got less. Try again.", "data.name") from None
    finally:
        os.close(reads)
        _cut(lifeline)


def _cut(lifeline: int) -> None:
    with _cutting:
        if lifeline in _lifelines:
            _lifelines.remove(lifeline)
            os.close(lifeline)


def _places() -> dict[str, str]:
    """Return where the library keeps things, as seen from any folder."""
    return {name: str(Path(place).expanduser().absolute()) for name in _PLACES if (place := os.environ.get(name))}


def _parsed(answer: bytes) -> Answer:
    import polars as pl

    head, _, body = answer.partition(b"\n")
    told, frames, start = json.loads(head), [], 0
    safe = dict(zip(told["kinds"], unique_names([*told["kinds"]])[0], strict=True))
    for size in told["sizes"]:
        frames.append(pl.read_ipc_stream(body[start : start + size]).rename(safe, strict=False))
        start += size
    kinds, names = ({safe[name]: found for name, found in told[key].items()} for key in ("kinds", "names"))
    return Answer(kinds, names, tuple(frames))


def _is_kept(request: Request) -> bool:
    """Return whether anything of the set was fetched before, where the library keeps it."""
    home = os.environ.get("HF_HOME") or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    kept = Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()
    return (kept / f"datasets--{request.name.replace('/', '--')}").is_dir()
