"""The commands of `nn-tui` and their options; `tui.cli` runs them. Each does its work in a module of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from tui.foreground import Parent


class _Commands(TyperGroup):
    """The commands; what begins with none of them opens the app."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "-h", "--version")):
            args = ["open", *args]
        return super().parse_args(ctx, args)


cli = typer.Typer(
    cls=_Commands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Edit, train, watch and compare neural networks in the terminal. Without a command, opens the app:\n\n"
    "nn-tui [--runs DIR] [PATH]...   PATH is a preset, run directories to compare, or a folder of runs.",
)

Runs = Annotated[
    Path | None, typer.Option("--runs", metavar="DIR", help="Folder of runs; default $NN_TUI_RUNS, else ./runs.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Result = Annotated[bool, typer.Option("--json", help="Print the result as JSON, as the last line.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a hyperparameter; repeatable.")
]
Detach = Annotated[bool, typer.Option("--detach", help="Go on in the background once the run has begun.")]
Code = Annotated[
    Path | None,
    typer.Option("--code", metavar="PATH", help="Preset or file beside which the run's own network lies; it may run."),
]
PresetWord = Annotated[str, typer.Argument(metavar="PRESET", help="Name of a preset, or path of a file.")]
_RUN = "Path, id, start of an id, or @last."
RunWord = Annotated[str, typer.Argument(metavar="RUN", help=_RUN)]
RunWords = Annotated[list[str], typer.Argument(metavar="RUN...", help=_RUN)]


@contextmanager
def _process(detach: bool) -> Iterator["Parent | None"]:
    """Have signals wait until the training takes them; give the process that the shell waits for, if it is another."""
    from tui import signals
    from tui.foreground import fork

    # Before anything is loaded that starts threads: they do not come along, and take signals as they like.
    parent = fork() if detach else None
    with signals.held():
        yield parent


@cli.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        print(f"nn-tui {version_of('nn-tui')}")
        raise typer.Exit


@cli.command("open", hidden=True)
def open_app(
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH...")] = None,
    runs: Runs = None,
) -> None:
    """Open the app."""
    from tui.launch import launch

    raise typer.Exit(launch(paths or [], runs))


@cli.command()
def train(
    preset: PresetWord,
    settings: Settings = None,
    name: Annotated[str, typer.Option(help="Name of the run.")] = "",
    runs: Runs = None,
    as_json: Result = False,
    detach: Detach = False,
) -> None:
    """Train without a screen."""
    with _process(detach) as parent:
        from tui import headless

        raise typer.Exit(headless.train(preset, settings or [], name, runs, as_json, parent))


@cli.command()
def resume(
    word: RunWord,
    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Train up to N epochs in all; a run that is over goes on from its end."),
    ] = None,
    data_changed: Annotated[
        bool, typer.Option("--data-changed", help="Go on although the data are not those that it was trained on.")
    ] = False,
    code: Code = None,
    runs: Runs = None,
    as_json: Result = False,
    detach: Detach = False,
) -> None:
    """Go on with a run that was cut off, stopped or is to be trained for longer, as if nothing had been."""
    with _process(detach) as parent:
        from tui import headless

        raise typer.Exit(headless.resume(word, epochs, data_changed, code, runs, as_json, parent))


@cli.command()
def fork(
    word: RunWord,
    at: Annotated[
        str, typer.Option(metavar="CHECKPOINT", help="last, best, or the updates done at another checkpoint.")
    ] = "last",
    settings: Settings = None,
    name: Annotated[str, typer.Option(help="Name of the fork; default that of the run.")] = "",
    code: Code = None,
    runs: Runs = None,
    as_json: Result = False,
    detach: Detach = False,
) -> None:
    """Train a new run that goes on from a checkpoint of another one, with other hyperparameters."""
    with _process(detach) as parent:
        from tui import headless

        raise typer.Exit(headless.fork(word, at, settings or [], name, code, runs, as_json, parent))


@cli.command()
def summary(
    preset: PresetWord,
    settings: Settings = None,
    as_json: Json = False,
    run_code: Annotated[
        bool, typer.Option("--run-code", help="Run the code of a custom model, to tell of it.")
    ] = False,
) -> None:
    """Tell layers, data, memory and learning rate of a preset, without training."""
    from tui.summary import print_summary

    print_summary(preset, settings or [], as_json, run_code)


@cli.command("lr-find")
def lr_find(
    preset: PresetWord,
    settings: Settings = None,
    lowest: Annotated[float, typer.Option("--from", help="Lowest rate.", min=1e-12)] = 1e-6,
    highest: Annotated[float, typer.Option("--to", help="Highest rate.", max=1e6)] = 10.0,
    updates: Annotated[int, typer.Option(help="Updates at each rate.", min=4, max=100_000)] = 200,
    as_json: Json = False,
) -> None:
    """Try a range of learning rates, all at once, and suggest one."""
    from tui.lr_find import print_search

    print_search(preset, settings or [], lowest, highest, updates, as_json)


@cli.command()
def presets(
    name: Annotated[str, typer.Argument(help="Preset to print; without it, all are listed.")] = "",
    as_json: Json = False,
) -> None:
    """List presets, or print one."""
    from tui import listings

    listings.print_preset(name, as_json) if name else listings.print_presets(as_json)


@cli.command()
def schema() -> None:
    """Print the JSON Schema of the config."""
    from tui import listings

    listings.print_schema()


@cli.command()
def runs(
    query: Annotated[str, typer.Argument(help="Show only runs whose id, name or state holds this.")] = "",
    runs: Runs = None,
    as_json: Json = False,
) -> None:
    """List the runs of a store."""
    from tui import listings

    listings.print_runs(query, runs, as_json)


@cli.command(context_settings={"ignore_unknown_options": True})  # a value may begin with a minus
def control(
    word: RunWord,
    action: Annotated[str, typer.Argument(metavar="ACTION", help="pause, resume, stop, save, or set KEY VALUE.")],
    rest: Annotated[list[str] | None, typer.Argument(metavar="[KEY VALUE]")] = None,
    runs: Runs = None,
) -> None:
    """Pause, resume, stop or save a live run, or set a live hyperparameter in it."""
    from tui.controls import control as control_run

    control_run(word, action, rest or [], runs)


@cli.command()
def compare(
    words: RunWords,
    runs: Runs = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Compare runs: outcomes, and the hyperparameters that differ."""
    from tui import listings

    listings.print_comparison(words, runs, "json" if as_json else "csv" if as_csv else "table")


@cli.command()
def examples(
    word: RunWord,
    runs: Runs = None,
    as_json: Json = False,
) -> None:
    """Say what a run's network makes of the examples: which classes it confuses, and where it is most wrong."""
    from tui.examples import print_examples

    print_examples(word, runs, as_json)


@cli.command()
def export(
    words: RunWords,
    to: Annotated[str, typer.Option(help="csv: the metrics of every epoch; json: the same, with config and result.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="File to write; default stdout.")] = None,
    runs: Runs = None,
) -> None:
    """Write runs in a form that other tools read."""
    from tui import exports

    exports.export(words, to, out, runs)


@cli.command()
def share(
    readers: Annotated[str, typer.Argument(metavar="READERS", help="group (that of the folder of runs), or nobody.")],
    runs: Runs = None,
) -> None:
    """Let a group read a store and all of its runs, or nobody again."""
    from tui.sharing import share as share_store

    share_store(readers, runs)


@cli.command()
def doctor(runs: Runs = None, as_json: Json = False) -> None:
    """Say what this machine, terminal and store are like, and what is wrong with them."""
    from tui.doctor import examine

    raise typer.Exit(examine(runs, as_json))
