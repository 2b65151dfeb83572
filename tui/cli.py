"""`nn-tui`: opens the app; every other thing the app does has a command, with the same engine and config.

Results go to stdout, all else to stderr, errors one line each. Exit codes: 0 finished or stopped, 1 failed, 2 bad usage
or config, 3 diverged, 130 interrupted.
"""

import atexit
import os
import sys

import presets
from trainer.problems import ProblemsError
from trainer.text import clean
from tui import garbage

_FAILED, _USAGE = 1, 2


def main() -> None:
    """Run the command line, and end the process."""
    os.umask(0o077)  # for what libraries create: compiled programs are machine code, data sets may be private
    garbage.begin()
    leaving = _Leaving()
    atexit.register(leaving.at_exit)
    leaving.code = run(sys.argv[1:])
    sys.exit(leaving.code)


class _Leaving:
    """The end of the process: threads end and exit functions run, but nothing that was loaded is taken apart.

    That would take as long as half the training of a small network.
    """

    def __init__(self) -> None:
        self.code: int | None = None

    def at_exit(self) -> None:
        """Leave, if the command line came to its end. Registered first, hence called when all others have been."""
        if self.code is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.code)


def run(words: list[str]) -> int:
    """Do what the words say; return the exit code. The one place where problems become lines and exit codes."""
    # No plugin of pydantic's is wanted here, and to look for one means to read about every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        code = _open(words) if _are_presets(words) else _command(words)
        sys.stdout.flush()
        return code
    except ProblemsError as error:
        for problem in error.problems:
            print(f"nn-tui: {clean(str(problem))}", file=sys.stderr)
        return _USAGE
    except BrokenPipeError:
        # The reader has seen enough; without this Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED


def _are_presets(words: list[str]) -> bool:
    """Say whether the words are names of presets, or none at all: then there are no options to be read."""
    known = {preset.name for preset in presets.available()}
    return all(word in known for word in words)


def _open(words: list[str]) -> int:
    from tui.launch import launch

    return launch(words, None)


def _command(words: list[str]) -> int:
    # Here and not above: reading options takes longer to load than the app's first picture to paint.
    import typer

    from tui.cli_commands import cli

    try:
        return int(cli(words, prog_name="nn-tui", standalone_mode=False) or 0)
    except typer.TyperException as error:
        print(f"nn-tui: {clean(error.format_message()).rstrip('.')}. Try: nn-tui --help", file=sys.stderr)
        return int(error.exit_code)
