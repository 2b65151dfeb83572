"""`nn-tui doctor`: what this machine, terminal and store are like, and what is wrong with them."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trainer.store import store
from trainer.text import clean
from tui.finding import Finding, Verdict
from tui.limits import what_ends_it
from tui.store_health import examine_store
from tui.wording import size

_GLYPHS: dict[Verdict, str] = {"ok": "✓", "note": "·", "problem": "✗"}
_SMALLEST = (80, 24)


def examine(runs: Path | None, as_json: bool) -> int:
    """Print what was found; return 1 if anything is a problem, else 0."""
    findings = [*_software(), *_devices(), *_terminal(), *_background(), *examine_store(store(runs))]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        for finding in findings:
            table.add_row(_GLYPHS[finding.verdict], Text(finding.subject, "bold"), Text(finding.found))
        Console(highlight=False).print(table)
    return int(any(finding.verdict == "problem" for finding in findings))


def _software() -> Iterator[Finding]:
    from trainer.devices import cache_folder, cache_trouble, versions

    yield Finding("python", f"{sys.version.split()[0]}, {sys.platform}")
    yield Finding("packages", ", ".join(f"{name} {version}" for name, version in versions().items()))
    folder, trouble = cache_folder(), cache_trouble()
    if folder:
        programs = [path.stat().st_size for path in folder.iterdir() if path.is_file()]
        yield Finding("compile cache", f"{clean(str(folder))}: {len(programs)} files, {size(sum(programs))}")
    else:
        yield Finding("compile cache", f"off: {trouble}", "note")


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
