"""Opening the app: what the words of the command line mean, and whether this terminal can show it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import presets
from trainer.problems import ConfigError
from trainer.store import is_run, store
from trainer.text import clean
from tui import foreground, session

if TYPE_CHECKING:
    from trainer.config import Config

_FRAMES_A_SECOND = "120"
"""At most; a key that is pressed right after a frame waits for the next one. At Textual's own 60 that is 17 ms."""


def launch(words: list[str], runs: Path | None) -> int:
    """Open the app on a preset, on runs to compare, or on a folder of runs; return the exit code.

    Raises:
        ConfigError: a word means none of these, or this is no terminal.
    """
    folder, compared, preset = store(runs), [], presets.DEFAULT
    for word in words:
        path = Path(word)
        if is_run(path):
            compared.append(path)
        elif path.is_dir():
            folder = path
        else:
            preset = word
    if compared:
        folder = folder if runs else compared[0].absolute().parent
    found = presets.find(preset)
    load = _loader(found)
    _require_terminal()
    parent = foreground.fork()
    os.environ.setdefault("TEXTUAL_FPS", _FRAMES_A_SECOND)
    from tui.app import NnTui

    return session.hold(NnTui(load, found.base, folder, compared), parent)


def _loader(preset: presets.Preset) -> Callable[[], Config]:
    """Return what gives the preset's config; a person's own is read at once, since it may have problems to tell.

    They named it, so that it may run the code that it names.
    """
    if preset.built_in:
        return preset.load
    config = preset.permitted(preset.load())
    return lambda: config


def _require_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("the app needs a terminal. Train without a screen: nn-tui train PRESET")
    if os.environ.get("TERM", "dumb") in ("dumb", ""):
        raise ConfigError(
            f"TERM is {clean(os.environ.get('TERM', 'not set'))}: no screens here. Use: nn-tui train PRESET"
        )
