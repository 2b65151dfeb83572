"""Two screens on one run, of which one is in another process: both show it, commands from both are carried out."""

from pathlib import Path

from terminals import Terminal, wait_for
from torture.figure import Figure, say
from trainer.events import Event, Paused, Resumed
from trainer.log import Tail
from trainer.runs import peek

_PRESET = """
schema = 1
name = "watched"
data.source = "iris"
model.hidden = [8]
training.epochs = 1000000
callbacks.early_stopping.enabled = false
"""
_ROUNDS = 25
_PAUSE = b"\x1b[15~"


def two_screens(folder: Path, short: bool) -> list[Figure]:
    """Open a second app beside one that trains, press keys on both in turn, and count what the run made of it."""
    preset = folder / "watched.toml"
    preset.write_text(_PRESET)
    rounds, wrong = 2 if short else _ROUNDS, []

    def opened() -> Terminal:
        return Terminal(preset, controls=True, NN_TUI_RUNS=str(folder / "runs"))

    try:
        with opened() as first:
            directory = first.start_run()
            with opened() as second:
                second.until_shown("▶ running watched")
                for number in range(rounds):
                    say(f"two screens, {number + 1} of {rounds}")
                    _pause_and_go_on(directory, first, second)
                    _pause_and_go_on(directory, second, first)
        told = [event for event in Tail(directory / "events.jsonl").read_all() if isinstance(event, Paused | Resumed)]
        if not _is_in_order(told, rounds):
            wrong.append("commands were lost, or changed places")
    except TimeoutError as error:
        wrong.append(str(error))
    return [Figure("commands from two screens on one run, in turn", 4 * rounds, len(wrong), "; ".join(wrong))]


def _pause_and_go_on(directory: Path, one: Terminal, other: Terminal) -> None:
    """Pause on one screen, go on from the other; both show it."""
    for terminal, state in ((one, "paused"), (other, "running")):
        terminal.press(_PAUSE)
        wait_for(lambda state=state: peek(directory).status.state == state, state)  # type: ignore[misc]
        one.until_shown(f"{state} watched")
        other.until_shown(f"{state} watched")


def _is_in_order(told: list[Event], rounds: int) -> bool:
    kinds = [type(event) for event in told]
    return kinds == [Paused, Resumed] * (2 * rounds)
