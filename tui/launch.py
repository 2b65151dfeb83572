"""Opening the app: what the words of the command line mean, and whether this terminal can show it."""

import os
import sys
from pathlib import Path

import presets
from trainer.problems import ConfigError
from trainer.store import is_run, store
from trainer.text import clean


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
    config, base = found.load(), found.base
    _require_terminal()
    from tui.app import NnTui

    app = NnTui(config, base, folder, compared)
    app.run()
    app.train_screen.host.wait()
    return app.return_code or 0


def _require_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("the app needs a terminal. Train without a screen: nn-tui train PRESET")
    if os.environ.get("TERM", "dumb") in ("dumb", ""):
        raise ConfigError(
            f"TERM is {clean(os.environ.get('TERM', 'not set'))}: no screens here. Use: nn-tui train PRESET"
        )
