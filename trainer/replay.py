"""Replaying: a run that is resumed computes again what it had recorded beyond its checkpoint, and is measured by it.

Nothing is recorded twice: what comes out as it stands there already is passed over. Commands are obeyed at the updates
at which they were obeyed before, and new ones wait until the end of the replay, where the run is what it had been.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from trainer.commands import goes_on
from trainer.events import (
    CheckpointSaved,
    Commanded,
    Diverged,
    EarlyStopped,
    Epoch,
    Event,
    Finished,
    HyperparameterSet,
    Insight,
    Layers,
    LearningRateReduced,
    Reopened,
    Replayed,
    Started,
    Steps,
    Tested,
    Warned,
    WeightsRestored,
)

_DECIDED = (Layers, LearningRateReduced, EarlyStopped, Insight)
"""What follows from the metrics of an epoch, and is recorded right after it."""

_TOLD = (*_DECIDED, HyperparameterSet, Warned, Diverged, Tested, WeightsRestored, CheckpointSaved)
_AT_THE_END = (Tested, WeightsRestored)
"""What follows the last checkpoint, and may name an earlier update."""

_STAMPS = {"seq", "time", "elapsed"}


def standing(events: Iterable[Event]) -> list[Event]:
    """Return the records that still hold: without those that a replay found to be otherwise."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, Replayed) and (epoch := event.differs_from) is not None:
            found = [it for it in found if it.epoch < epoch or not isinstance(it, (Epoch, Steps, *_TOLD))]
        found.append(event)
    return found


class Replay:
    """The records of a run beyond the update from which it goes on; none for a new run.

    Attributes:
        end: updates done when the last of them was written.
    """

    def __init__(self, events: Sequence[Event] = (), step: int = 0, commands_read: int = 0) -> None:
        """Begin.

        Args:
            events: all records of the run.
            step: updates done at the checkpoint.
            commands_read: bytes of the commands that it knows of.
        """
        self.end = max((event.step for event in events), default=0)
        self._epochs = {event.epoch: event for event in events if isinstance(event, Epoch) and event.step > step}
        self._last_epoch = max(self._epochs, default=-1)
        self._told = Counter(map(_content, _told_beyond(events, step)))
        self._commands = _to_obey(events, commands_read)
        self._verified = 0
        self._differs_from: int | None = None
        self._is_judged = not self._epochs

    def covers(self, step: int) -> bool:
        """Return whether the update after so many was made and recorded before."""
        return step < self.end and self._differs_from is None

    def updates_left(self, step: int) -> int | None:
        """Return after how many updates something must be done that was done there before; None for never."""
        stops = [batch.step - step for batch in self._commands if batch.step > step]
        if self.covers(step):
            stops.append(self.end - step)
        return min(stops, default=None)

    def is_over(self, step: int) -> bool:
        """Return whether new commands may be obeyed."""
        return not self.covers(step) and not self._commands

    def commands_at(self, step: int) -> list[Commanded]:
        """Return the commands that were obeyed by now before; each once."""
        found = [batch for batch in self._commands if batch.step <= step]
        self._commands = [batch for batch in self._commands if batch.step > step]
        return found

    def known(self, event: Event) -> Event | None:
        """Return the record of the same that is there already; None if it is to be written."""
        if self._differs_from is not None or event.step > self.end:
            return None
        match event:
            case Steps():
                return event  # which updates they sum up is a question of time
            case Epoch() if event.epoch in self._epochs:
                return self._compared(event, self._epochs[event.epoch])
            case _ if isinstance(event, _TOLD):
                return self._found(event)
            case _:
                return None

    def verdict(self, step: int) -> Replayed | None:
        """Return how the replay went, once it is known, and once only."""
        if self._is_judged or self.covers(step):
            return None
        self._is_judged = True
        return Replayed(verified=self._verified, differs_from=self._differs_from)

    def _compared(self, event: Epoch, before: Epoch) -> Epoch | None:
        if _exactly(event.metrics) != _exactly(before.metrics):
            self._differs_from = event.epoch
            return None
        self._verified += 1
        return before

    def _found(self, event: Event) -> Event | None:
        content = _content(event)
        if self._told[content] > 0:
            self._told[content] -= 1
            return event
        # Of the last epoch not all may have been written.
        if isinstance(event, _DECIDED) and event.epoch < self._last_epoch:
            self._differs_from = event.epoch
        return None


def _told_beyond(events: Sequence[Event], step: int) -> Iterator[Event]:
    """Yield what was told beyond a checkpoint: later than its update, or at the end of a run whose end was cut off."""
    last_end = _last_end(events)
    for place, event in enumerate(events):
        is_beyond = event.step > step or (place > last_end and isinstance(event, _AT_THE_END))
        if is_beyond and isinstance(event, _TOLD):
            yield event


def _last_end(events: Sequence[Event]) -> int:
    """Return the place of the record with which the run last came to an end of its training; -1 for none."""
    last, trained = -1, True
    for place, event in enumerate(events):
        if isinstance(event, Reopened | Started):
            trained = isinstance(event, Started)
        elif isinstance(event, Finished) and trained:
            last = place
    return last


def _content(event: Event) -> str:
    return event.model_dump_json(exclude=_STAMPS)


def _exactly(metrics: dict[str, float]) -> dict[str, str]:
    """Return the metrics such that equal means the same bits, and no number is itself."""
    return {name: repr(value) for name, value in metrics.items()}


def _to_obey(events: Iterable[Event], commands_read: int) -> list[Commanded]:
    """Return the commands that a checkpoint does not know of.

    What held or ended the training is over: whoever resumes a run wants it to go on.
    """
    batches = (event for event in events if isinstance(event, Commanded) and event.offset > commands_read)
    return [batch.model_copy(update={"commands": [*filter(goes_on, batch.commands)]}) for batch in batches]
