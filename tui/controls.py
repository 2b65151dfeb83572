"""`nn-tui control`: a command to a live run, whichever process trains it, and the run's answer."""

import time
from pathlib import Path

from trainer.commands import Command, Extend, Pause, Resume, Save, Set, Stop
from trainer.config import parse_settings
from trainer.events import CheckpointSaved, Event, Finished, HyperparameterSet, Paused, Resumed, Warned
from trainer.log import Tail
from trainer.problems import ConfigError, Problem, RunError
from trainer.replicas import members, send_to_group, shown_state
from trainer.run import Run
from trainer.runs import lead_of, open_run, peek_group
from trainer.schema import EPOCHS, hyperparameters
from trainer.status import LIVE
from trainer.store import find, store
from trainer.text import clean
from tui.happenings import happening

ACTIONS = ("pause", "resume", "stop", "save", "set")
_BY = "nn-tui control"
_PATIENCE = 5.0
"""Seconds to wait for the run's answer; it takes a command up at the end of its call, usually within 0.2 s."""
_POLL = 0.05


def control(word: str, action: str, rest: list[str], folder: Path | None) -> None:
    """Send a command and print what the run records of it.

    Args:
        word: path, id, start of an id, or `@last`.
        action: one of `ACTIONS`.
        rest: for "set" a key and a value, or `key=value`.
        folder: folder of runs, or None for the usual one.

    Raises:
        RunError: there is no such run, or it is not live.
        ConfigError: the run cannot take it, and why.
    """
    lead = peek_group(lead_of(find(word, store(folder))))
    state = shown_state(lead)
    if state not in LIVE:
        raise RunError(f"{clean(lead.id)} takes no commands: it is {state}.")
    if (action == "pause" and state == "paused") or (action == "resume" and state == "running"):
        raise RunError(f"{clean(lead.id)} is {state} already.")
    # Whoever is over sooner says nothing any more; all that train do the same.
    run, tail = open_run(next(it.directory for it in members(lead) if it.is_live))
    run.apply_all(tail.read_all())
    command = _command(run, action, rest)
    try:
        send_to_group(run.directory, command)
    except OSError as error:
        raise RunError(f"{clean(run.id)} takes no commands from here: {error.strerror or error}.") from error
    print(_answer(tail, command) or f"sent; {clean(run.id)} has not answered yet")


def _command(run: Run, action: str, rest: list[str]) -> Command:
    if action == "set":
        return _set(run, rest)
    if rest or action not in ACTIONS:
        words = " ".join([action, *rest])
        raise ConfigError(f"control needs one of {', '.join(ACTIONS)} (set KEY VALUE), got {clean(words)}.")
    match action:
        case "pause":
            return Pause(by=_BY)
        case "resume":
            return Resume(by=_BY)
        case "save":
            return Save(by=_BY)
        case _:
            return Stop(by=_BY)


def _set(run: Run, rest: list[str]) -> Set:
    """Return the command, checked as the run itself will check it, so that a mistake is told at once."""
    setting = rest[0] if len(rest) == 1 else "=".join(rest) if len(rest) == 2 else ""
    if "=" not in setting:
        raise ConfigError(f"set needs KEY VALUE, got {clean(' '.join(rest)) or 'nothing'}.")
    [(key, value)] = parse_settings([setting]).items()
    if run.config is None:
        raise RunError(f"{clean(run.id)} has no config that can be read: {clean(run.damage)}")
    known = hyperparameters(run.config).get(key)
    if known is not None and (why := known.why_not_live):
        raise ConfigError(Problem(f"cannot change while training: it {why}.", key))
    run.config.changed({key: value})
    if key == EPOCHS and value <= run.status.epochs:
        told = f"must be more than the {run.status.epochs} epochs done, got {value}. To end it: nn-tui control RUN stop"
        raise ConfigError(Problem(told, key))
    return Set(by=_BY, key=key, value=value)


def _answer(tail: Tail, command: Command) -> str:
    """Return what the run records of the command; "" if that takes too long."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if answer := next((event for event in tail.read() if _answers(event, command)), None):
            return happening(answer)
        time.sleep(_POLL)
    return ""


def _answers(event: Event, command: Command) -> bool:
    match command:
        case Pause():
            return isinstance(event, Paused)
        case Resume():
            return isinstance(event, Resumed)
        case Save():
            return isinstance(event, CheckpointSaved) and event.reason == "command"
        case Set() | Extend():
            return isinstance(event, HyperparameterSet | Warned)
        case Stop():
            return isinstance(event, Finished)
