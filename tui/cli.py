"""`nn-tui`: opens the app; every other thing the app does has a command, with the same engine and config.

Results go to stdout, all else to stderr, errors one line each. Exit codes: 0 finished or stopped, 1 failed, 2 bad usage
or config, 3 diverged, 130 interrupted.
"""

import os
import sys

import presets
from trainer.problems import ProblemsError
from trainer.text import clean
from tui import garbage

_FAILED, _USAGE = 1, 2


def main() -> None:
    """Run the command line; the one place where problems become lines and exit codes."""
    garbage.begin()
    # No plugin of pydantic's is wanted here, and to look for one means to read about every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    words = sys.argv[1:]
    try:
        sys.exit(_open(words) if _are_presets(words) else _command())
    except ProblemsError as error:
        for problem in error.problems:
            print(f"nn-tui: {problem}", file=sys.stderr)
        sys.exit(_USAGE)
    except BrokenPipeError:
        # The reader has seen enough; without this Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_FAILED)


def _are_presets(words: list[str]) -> bool:
    """Say whether the words are names of presets, or none at all: then there are no options to be read."""
    known = {preset.name for preset in presets.available()}
    return all(word in known for word in words)


def _open(words: list[str]) -> int:
    from tui.launch import launch

    return launch(words, None)


def _command() -> int:
    # Here and not above: reading options takes longer to load than the app's first picture to paint.
    import typer

    from tui.cli_commands import cli

    try:
        return int(cli(standalone_mode=False) or 0)
    except typer.TyperException as error:
        print(f"nn-tui: {clean(error.format_message()).rstrip('.')}. Try: nn-tui --help", file=sys.stderr)
        return int(error.exit_code)
