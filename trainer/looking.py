"""Looking at the models while they train: when, at what cost, and into which file.

A look is one more device call between two calls of the training. It changes nothing of the training, waits until it is
compiled, which a thread does while the device trains, and comes so seldom that it takes a hundredth of the time at
most. What a network for text writes is wanted at each evaluation, for a twentieth of the time at most. The file is
written while the device is at work again. What only looks need is loaded by that thread too, so that the first update
does not wait for it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import jax
import numpy as np

from trainer import placement, program
from trainer.abandoning import begun
from trainer.data.splits import Part, Splits
from trainer.ending import Ending
from trainer.events import Warned
from trainer.member import Member
from trainer.program import Program
from trainer.shape import Shape
from trainer.state import Blocks, Data, Parameters, State, blocks

if TYPE_CHECKING:
    from trainer.picture_file import Pictures
    from trainer.subject import Subject

_LEAST_SECONDS: Final = 0.5
_COST_TO_TRAINING: Final = 100
"""Seconds between two looks: at least the first, and so many times what a look costs."""

_COST_OF_WRITING: Final = 20
"""The same for the first look after an evaluation, at what a network for text writes."""

_MOST_MEMBERS: Final = 8
"""Members of a population that are looked at while they train; at its end each is."""


class _Asked(NamedTuple):
    """What the model is asked about: on the host, and on the device."""

    subject: Subject
    examples: Blocks
    n_examples: int


@dataclass(frozen=True, slots=True)
class _Sight:
    """What came back from the device, still to be made into pictures."""

    member: Member
    asked: _Asked
    told: Any
    step: int


class Looking:
    """Looks at the members of a loop. All methods are for the training thread."""

    def __init__(self, members: Sequence[Member]) -> None:
        """Make ready to look at these members, the first few of them while they train."""
        self._watched = frozenset(members[:_MOST_MEMBERS])
        self._splits = members[0].prepared.splits
        self._shape: Shape | None = None
        self._ready: Future[Any] | None = None
        self._asked: dict[str, _Asked] = {}
        self._sights: list[_Sight] = []
        self._cost = 0.0
        self._costs: deque[float] = deque(maxlen=2)
        self._usual_cost = 0.0
        self._looked_at = 0
        self._last = 0.0

    def begin(self, compiled: Program, shape: Shape, state: State, vector: Any, data: Data) -> None:
        """Compile for a program in a thread; the device is at work on its first call meanwhile.

        Args:
            compiled: the program that trains from now on.
            shape: what is compiled into it.
            state: where the training stands; only its shapes count.
            vector: a member's numbers, likewise.
            data: the examples on the device.
        """
        self._shape = shape
        parameters = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), state.weights)
        self._ready = begun(partial(self._make_ready, compiled, shape, parameters, vector, data))
        self._last = time.monotonic()

    def between_calls(self, members: Sequence[Member], state: State) -> None:
        """Look at those of the members that are watched, if it is time and anything has changed."""
        if self._ready is None or not self._ready.done():
            return
        watched = [member for member in members if member in self._watched]
        if watched and self._is_time(watched[0].directory.step):
            self._looked_at = watched[0].directory.step
            for member in watched:
                self._look(member, state.weights, self._looked_at)

    def at_the_end(self, member: Member, ending: Ending) -> None:
        """Look at a member whose run is over, with the weights that it keeps."""
        self._look(member, ending.parameters, ending.step)

    def write(self) -> None:
        """Write what was seen; where that cannot be, the run has a warning."""
        if not self._sights or self._shape is None:
            return
        began = time.perf_counter()
        sights, self._sights = self._sights, []
        for sight in sights:
            _write(self._shape, sight)
        self._costs.append(self._cost + time.perf_counter() - began)
        self._cost = 0.0
        # Of the last two; but one may be held up by anything, and should not hold up the next for a minute.
        self._usual_cost = min(sum(self._costs) / len(self._costs), 2 * min(self._costs))
        self._last = time.monotonic()

    def let_go(self) -> None:
        """Wait for no compile: the training is to end at once, without a last look if need be."""
        if self._ready is not None and not self._ready.done():
            self._ready = None

    def close(self) -> None:
        """Wait for the thread, if it is waited for."""
        if self._ready is not None:
            wait([self._ready])

    def _is_time(self, step: int) -> bool:
        """Return whether to look after so many updates."""
        if step == self._looked_at or self._shape is None:
            return False
        is_evaluated = step // self._shape.steps_per_epoch > self._looked_at // self._shape.steps_per_epoch
        writes = self._shape.task == "language_modeling"
        times = _COST_OF_WRITING if writes and is_evaluated else _COST_TO_TRAINING
        return time.monotonic() >= self._last + max(_LEAST_SECONDS, times * self._usual_cost)

    def _look(self, member: Member, parameters: Parameters, step: int) -> None:
        if self._ready is None:
            return
        began = time.perf_counter()
        try:
            function = self._ready.result()
            asked = self._asked_of(member.prepared.splits)
            moment = np.array([member.course.live.config.training.seed, step], np.uint32)
            told = function(parameters, np.int32(member.index), member.course.live.vector, asked.examples, moment)
            self._sights.append(_Sight(member, asked, np.asarray(told), step))
        except jax.errors.JaxRuntimeError as error:  # out of memory, say
            self._ready = None
            member.recorder.note(Warned(message=f"no look at the model: {error}"))
        self._cost += time.perf_counter() - began

    def _make_ready(self, compiled: Program, shape: Shape, parameters: Parameters, vector: Any, data: Data) -> Any:
        import trainer.pictures  # noqa: F401 so that it is there when something was seen

        for member in self._watched:
            self._asked_of(member.prepared.splits, data)
        asked = self._asked_of(self._splits, data)
        # A population that has become smaller may train on other devices.
        if self._splits.fold is None:
            asked = asked._replace(examples=jax.device_put(asked.examples, placement.whole(shape)))
            self._asked[self._splits.fingerprint] = asked
        return program.look(compiled, shape, parameters, vector, asked.examples)

    def _asked_of(self, splits: Splits, data: Data | None = None) -> _Asked:
        """Return what members of these splits are asked: folds differ, all others have the same.

        What a fold is asked stays on the host, as all of them together are all examples once more.
        """
        from trainer.subject import subject_of

        if splits.fingerprint not in self._asked:
            subject = subject_of(splits)
            part = subject.asked
            if splits.fold is not None:
                part = part or Part(splits.validation.x, splits.validation.y)
                most = splits.fold.most_validation + len(part) - len(splits.validation)
                examples = blocks(part.x, part.y, most)
            elif part is not None:
                examples = program.place_blocks(part)
            else:
                assert data is not None
                examples = data.validation
            self._asked[splits.fingerprint] = _Asked(subject, examples, len(subject.rows if part is None else part))
        return self._asked[splits.fingerprint]


def _write(shape: Shape, sight: _Sight) -> None:
    from trainer import picture_file

    epoch = max(0, sight.step - 1) // shape.steps_per_epoch
    is_over = sight.step == (epoch + 1) * shape.steps_per_epoch
    try:
        pictures = _pictures(shape, sight, epoch).model_copy(update={"epoch_is_over": is_over})
        picture_file.write(sight.member.directory.path, pictures)
    except OSError as error:  # a picture is not worth a training
        sight.member.directory.not_saved("pictures.json", error)
    except ValueError as error:
        sight.member.recorder.note(Warned(message=f"{picture_file.NAME} was not written: {error}"))
    else:
        sight.member.directory.saved("pictures.json")


def _pictures(shape: Shape, sight: _Sight, epoch: int) -> Pictures:
    from trainer.look import read_look
    from trainer.passages import passages_of
    from trainer.pictures import pictures_of

    subject, n = sight.asked.subject, sight.asked.n_examples
    if shape.task == "language_modeling":
        return passages_of(subject, sight.told[:n], epoch, sight.step)
    return pictures_of(subject, read_look(shape, sight.told, n), epoch, sight.step)
