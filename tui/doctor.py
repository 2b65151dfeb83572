"""`nn-tui doctor`: what this machine, terminal and store are like, and what is wrong with them."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trainer.store import all_runs, store
from tui.limits import what_ends_it

Verdict = Literal["ok", "note", "problem"]
_GLYPHS: dict[Verdict, str] = {"ok": "✓", "note": "·", "problem": "✗"}
_SMALLEST = (80, 24)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: its subject, what was found, and whether that is as it should be."""

    subject: str
    found: str
    verdict: Verdict = "ok"


def examine(runs: Path | None, as_json: bool) -> int:
    """Print what was found; return 1 if anything is a problem, else 0."""
    findings = [*_software(), *_devices(), *_terminal(), *_background(), *_store(store(runs))]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        for finding in findings:
            table.add_row(_GLYPHS[finding.verdict], Text(finding.subject, "bold"), Text(finding.found))
        Console(highlight=False).print(table)
    return int(any(finding.verdict == "problem" for finding in findings))


def _software() -> Iterator[Finding]:
    from trainer.devices import cache_folder, versions

    yield Finding("python", f"{sys.version.split()[0]}, {sys.platform}")
    yield Finding("packages", ", ".join(f"{name} {version}" for name, version in versions().items()))
    folder = cache_folder()
    if folder:
        yield Finding("compile cache", str(folder))
    else:
        yield Finding("compile cache", "off: no folder that only you can write; every start compiles anew", "note")


def _devices() -> Iterator[Finding]:
    from trainer import devices, memory

    try:
        devices.prepare_jax()
        words, free = devices.device_words(), memory.free()
    except Exception as error:  # noqa: BLE001 whatever a broken driver raises is the finding
        yield Finding("device", f"JAX finds none: {str(error).splitlines()[0]}", "problem")
        return
    room = f", {free / 2**30:.1f} GiB free" if free else ""
    yield Finding("device", f"{words}{room}")
    if words.startswith("cpu") and shutil.which("nvidia-smi"):
        yield Finding("gpu", "there is one, but JAX does not use it: install nn-tui[cuda]", "problem")


def _terminal() -> Iterator[Finding]:
    columns, lines = shutil.get_terminal_size()
    colours = os.environ.get("COLORTERM") or ("none (NO_COLOR)" if "NO_COLOR" in os.environ else "256 or fewer")
    name = os.environ.get("TERM", "")
    multiplexer = ", inside tmux" if "TMUX" in os.environ else ""
    yield Finding("terminal", f"{name or 'TERM is not set'}{multiplexer}, colours: {colours}", "ok" if name else "note")
    small = columns < _SMALLEST[0] or lines < _SMALLEST[1]
    wanted = f"; the app wants {_SMALLEST[0]}x{_SMALLEST[1]}" if small else ""
    yield Finding("size", f"{columns}x{lines}{wanted}", "note" if small else "ok")
    encoding = (sys.stdout.encoding or "").lower()
    unicode = encoding.replace("-", "") == "utf8"
    yield Finding(
        "encoding", encoding if unicode else f"{encoding}: set LANG to a UTF-8 one", "ok" if unicode else "problem"
    )


def _background() -> Iterator[Finding]:
    if limit := what_ends_it():
        yield Finding("detached runs", limit, "note")


def _store(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        yield Finding("store", f"{folder} does not exist yet; the first run makes it", "note")
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("store", f"{folder} cannot be written: runs can be looked at, not made", "problem")
    runs = all_runs(folder)
    free = shutil.disk_usage(folder).free / 2**30
    states = [run.shown_state for run in runs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    yield Finding("store", f"{folder}: {len(runs)} runs{f' ({counts})' if counts else ''}, {free:.1f} GiB free")
    for run in runs:
        if run.damage:
            yield Finding("damaged run", f"{run.id}: {run.damage}", "problem")
