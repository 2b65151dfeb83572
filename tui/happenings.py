"""Records as lines and signs: the same in the event log, on the curves and in what is printed."""

from typing import assert_never

from trainer.events import (
    CheckpointSaved,
    Commanded,
    Compiled,
    Diverged,
    EarlyStopped,
    Epoch,
    Event,
    Finished,
    HyperparameterSet,
    Insight,
    Layers,
    LearningRateReduced,
    Paused,
    Reopened,
    Replayed,
    Resumed,
    SavedAgain,
    Started,
    Steps,
    Tested,
    Unsaved,
    Warned,
    WeightsRestored,
)
from trainer.status import ENDS
from trainer.text import clean
from tui.wording import count, metrics_line, number, unsaved

GLYPHS: dict[type, str] = {
    LearningRateReduced: "▼",
    EarlyStopped: "■",
    CheckpointSaved: "◆",
    WeightsRestored: "↺",
    HyperparameterSet: "✎",
    Diverged: "✗",
    Insight: "✦",
    Warned: "!",
    Unsaved: "!",
    SavedAgain: "·",
    Paused: "‖",
    Resumed: "▶",
    Started: "▶",
    Replayed: "≡",
    Compiled: "·",
    Tested: "=",
    Finished: "●",
}
"""What stands for each kind of event, in the log and on the curves."""

MARKED = (LearningRateReduced, EarlyStopped, WeightsRestored, HyperparameterSet, Diverged)
"""Those that changed the course of the training: they stand on the curves too."""
STYLES: dict[type, str] = {
    Diverged: "bold",
    Warned: "bold",
    Unsaved: "bold",
    Insight: "bold",
    EarlyStopped: "bold",
    LearningRateReduced: "bold",
    Compiled: "dim",
    Started: "dim",
    CheckpointSaved: "dim",
}
"""How the line of an event is set off from the others."""


def is_routine(event: Event) -> bool:
    """Return whether a record is nothing to tell a person: it is for the run that is resumed."""
    return isinstance(event, Commanded | Reopened) or (isinstance(event, CheckpointSaved) and event.reason == "time")


def happening(event: Event) -> str:
    """Return what happened, with its reason, in one line that is safe to show."""
    return f"{_where(event)}{clean(_what(event))}"


def _where(event: Event) -> str:
    if isinstance(event, Started | Compiled | Finished | Paused | Resumed | Tested | Diverged | Reopened | Replayed):
        return ""
    if isinstance(event, CheckpointSaved) and event.reason != "best":
        return f"update {event.step}: "
    return f"epoch {event.epoch + 1}: "


def _what(event: Event) -> str:
    match event:
        case Started():
            streams = f", {event.buffer:,} examples at a time streamed from their file" if event.buffer else ""
            return (
                f"{_beginning(event)} {count(event.n_parameters)} parameters on {event.device}{streams}{_label(event)}"
            )
        case Reopened():
            return "made ready to go on"
        case Replayed(verified=n, differs_from=int(epoch)):
            return f"replay differs from epoch {epoch + 1}: the run is compatible, not exact; {n} before it verified"
        case Replayed(verified=n):
            return f"replay verified {n} epoch{'s' if n != 1 else ''}"
        case Commanded():
            return f"commands: {', '.join(command.kind for command in event.commands) or 'none that can be read'}"
        case Compiled():
            return f"{'loaded' if event.from_cache else 'compiled'} {event.what} in {event.seconds:.2f} s"
        case LearningRateReduced():
            return (
                f"learning rate {number(event.from_)} → {number(event.to)}: {event.monitor} no better than "
                f"{number(event.best)} for {event.wait} epochs"
            )
        case EarlyStopped(best_epoch=best_epoch):
            at = "" if best_epoch is None else f" (epoch {best_epoch + 1})"
            return f"stopped early: {event.monitor} no better than {number(event.best)}{at} for {event.wait} epochs"
        case CheckpointSaved():
            of = f" ({event.monitor} {number(event.value)})" if event.monitor and event.value is not None else ""
            return f"checkpoint saved: {event.reason}{of}"
        case WeightsRestored():
            return f"best weights restored: {event.monitor} {number(event.value)}"
        case HyperparameterSet():
            return f"{event.key} {event.from_} → {event.to}, by {event.by}"
        case Tested():
            return f"test: {metrics_line(event.metrics)}"
        case Finished():
            return ": ".join(filter(None, (ENDS[event.reason], event.message)))
        case Unsaved():
            return unsaved([event])
        case SavedAgain():
            return f"{event.what} saved again{f'; {event.message}' if event.message else ''}"
        case Insight() | Warned() | Diverged() | Paused() | Resumed():
            return event.message
        case Layers():
            dead = max((layer.dead or 0.0 for layer in event.layers.values()), default=0.0)
            return f"looked into {len(event.layers)} layers, at most {dead:.0%} of the units of one dead"
        case Epoch():
            return metrics_line(event.metrics)
        case Steps():
            return metrics_line({name: spread.mean for name, spread in event.metrics.items()})
        case _:
            assert_never(event)


def _beginning(event: Started) -> str:
    if event.resumed_from is None:
        return f"fork of {event.fork_of}: training" if event.fork_of else "training"
    epoch, rest = divmod(event.resumed_from, event.steps_per_epoch)
    return f"resumed after epoch {epoch}{f' and {rest} updates' if rest else ''}: training"


def _label(event: Started) -> str:
    if not event.differences:
        return ""
    return f"; compatible, not exact: {'; '.join(event.differences)}"
