"""The training loop on the host: make a call, decide, make the next call, and only then write down what happened.

A call is any number of updates in one go on the device, of all members at once. The callbacks bound it: each says
within how many epochs it cannot act and what would renew them, so that many short epochs fit into one call and nothing
is decided too late. Between the end of a call and the start of the next stand only the callbacks' decisions; records
are written while the device is at work.
"""

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from trainer import advance, failpoints, horizons, memory, placement, program
from trainer.abandoning import AbandonedError, unless
from trainer.cadence import Cadence
from trainer.call_size import most_updates, updates_with_room
from trainer.checkpoints import Arrays
from trainer.compaction import is_worth_it, moved
from trainer.devices import device_words
from trainer.events import Compiled, Started, Warned
from trainer.feed import feed_of
from trainer.looking import Looking
from trainer.member import Member
from trainer.past import Past
from trainer.problems import RunError
from trainer.program import Compilation
from trainer.restoring import require_fit, restored
from trainer.shape import Shape, shape_of
from trainer.state import Own, State, blocks
from trainer.surroundings import differences, surroundings
from trainer.training import Runs

_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Call:
    """A call on its way: its reports, when it began, the seconds then waited for examples, where the training stood."""

    reports: Any
    began: float
    waited: float
    first_step: int


class Loop:
    """Runs of one structure and one data set that train together, from compiling to the last checkpoint."""

    def __init__(self, runs: Runs, cancelled: threading.Event) -> None:
        """Make a loop.

        Args:
            runs: config and data of each, and its folder; all of the same structure and data.
            cancelled: set by another thread to have all end, saved, at the next call's end; or at once, while nothing
                has been trained yet.
        """
        self._prepared = runs[0][0]
        self._shape = _as_before(shape_of([prepared for prepared, _ in runs]), runs[0][1].past)
        self._members = [
            Member(prepared, directory, self._shape, index) for index, (prepared, directory) in enumerate(runs)
        ]
        self._alive = list(self._members)
        self._computed = self._alive
        self._looking = Looking(self._members)
        self._cancelled = cancelled
        self._step = runs[0][1].past.step
        self._seconds_per_update = 0.0
        self._most_updates = 1
        self._may_compact = False

    def run(self) -> None:
        """Train all members to an end."""
        try:
            self._begin()
        except AbandonedError:
            self._end_before_it_began()
            return
        self._cadence = Cadence()
        is_new = all(member.directory.past.is_new for member in self._members)
        if not is_new:
            self._make_ready_to_look()
            self._finish(self._sort_out())  # there may be commands waiting, or nothing left to train
        call: _Call | None = self._next_call()
        if is_new:
            self._make_ready_to_look()
        while call is not None:
            self._take(call)
            ended = self._sort_out()
            waits = any(member.course.is_paused for member in self._alive)
            call = None if waits else self._next_call()
            self._finish(ended)
            self._each(self._alive, Member.record)
            if waits:
                self._wait()
                call = self._next_call()

    def shortage(self) -> RunError:
        """Return what to tell of memory that ran out, after letting go of all that the training has on the devices."""
        self._looking.close()
        self._looking = Looking(self._members)
        self._let_go_of_examples()
        for name in ("_test", "_state"):
            vars(self).pop(name, None)
        splits = self._prepared.splits
        data = program.examples(splits, self._own(), self._shape.buffer)
        held = program.held_test(splits)
        test = blocks(held.x, held.y) if len(held) else None
        need = program.need(self._shape, data, test)
        return memory.shortage(self._prepared.config.training.batch_size, self._shape.devices, need)

    def close(self) -> None:
        """Let go of files and threads."""
        self._let_go_of_examples()
        self._looking.close()
        for member in self._members:
            member.close()

    def _let_go_of_examples(self) -> None:
        if feed := vars(self).pop("_feed", None):
            feed.close()

    def _begin(self) -> None:
        splits = self._prepared.splits
        if arrays := self._kept_arrays():
            require_fit(self._shape, arrays, whole=all(member.directory.past.is_whole for member in self._members))
        self._feed = feed_of(splits, self._shape, self._own(), self._step)
        whole = placement.whole(self._shape)
        held = program.held_test(splits)
        self._test = program.place_blocks(held, whole) if len(held) else None
        # It may take minutes, and all that is to be saved is on the disk.
        compile_it = partial(program.compiled, self._shape, self._feed.data, self._test)
        self._program, compilations = unless(self._is_unwanted, compile_it)
        seeds = [np.uint32(member.course.live.config.training.seed) for member in self._members]
        self._state: State = self._program.init(_stacked(seeds, self._shape.members), self._vectors())
        self._restore()
        for member in self._members:
            _tell(member, compilations)
            member.directory.record(self._started(member))
            member.recorder.tell_of_before()

    def _has_news(self) -> bool:
        """Return whether somebody waits for a command to be obeyed, or for all to end."""
        return self._cancelled.is_set() or any(member.inbox.peek() for member in self._alive)

    def _is_unwanted(self) -> bool:
        return self._cancelled.is_set() or all(member.is_told_to_stop for member in self._members)

    def _end_before_it_began(self) -> None:
        """End all members where they stood when they were opened."""
        self._each(self._members, Member.give_up)
        self._each(self._alive, Member.finish)

    def _kept_arrays(self) -> list[Arrays]:
        """Return those of the members' checkpoints; none where the training begins with the first update."""
        pasts = [member.directory.past for member in self._members]
        return [past.arrays for past in pasts if past.manifest is not None]

    def _restore(self) -> None:
        """Go on from the checkpoints of runs that were resumed, all of the same update."""
        if arrays := self._kept_arrays():
            self._state = restored(self._shape, self._state, arrays, self._step)
        for member in self._members:
            member.directory.past.let_go()

    def _started(self, member: Member) -> Started:
        past, shape = member.directory.past, self._shape
        now = surroundings(member.prepared, member.directory.path, shape.members, shape.devices)
        return Started(
            n_parameters=member.prepared.n_parameters,
            device=device_words(shape.devices),
            steps_per_epoch=shape.steps_per_epoch,
            buffer=shape.buffer,
            resumed_from=past.step if past.has_begun else None,
            fork_of=parent.words if (parent := member.directory.run.status.parent) else "",
            surroundings=now,
            differences=differences(past.started.surroundings, now) if past.started else [],
        )

    def _worth_moving_into(self) -> Shape | None:
        """Return a smaller population for the members that are still training; None if it isn't worth a compile."""
        before, alive = self._shape, self._alive
        left = max((member.updates_planned for member in self._alive), default=0)
        seconds = self._program.compile_seconds
        # The last one stays on one device: it had no more, and to split its batches is another way to train.
        members, used = placement.spread(len(alive), before.devices) if len(alive) > 1 else (len(alive), 1)
        on_each = members // used, before.members // before.devices
        self._may_compact = is_worth_it(*on_each, left, self._seconds_per_update, seconds)
        return replace(before, members=members, devices=used) if self._may_compact else None

    def _compact(self, shape: Shape) -> None:
        """Move the members that are still training into another population, unless something comes up meanwhile."""
        places = _stacked([np.int32(member.index) for member in self._alive], shape.members)
        try:
            (state, data), test = moved(self._state, self._feed.data, places), self._test
            if self._shape.devices > 1:
                state, data, test = placement.settled(shape, state, data, test)
            compiled = unless(self._has_news, partial(program.compiled, shape, data, test))
        except AbandonedError:
            return  # the compile goes on, and is taken over after the next call
        except Exception as error:  # noqa: BLE001 they can train on as they are
            self._may_compact = False
            for member in self._alive:
                member.directory.note("".join(traceback.format_exception(error)))
                member.recorder.note(Warned(message="could not leave those that ended behind, and trains no faster"))
            return
        self._may_compact = False
        self._shape, self._state, self._test = shape, state, test
        self._program, compilations = compiled
        self._feed.move(data, placement.whole(shape))
        self._computed = list(self._alive)
        for index, member in enumerate(self._computed):
            member.move(index, shape)
            _tell(member, compilations)
        self._make_ready_to_look()
        self._keep()

    def _make_ready_to_look(self) -> None:
        self._looking.begin(self._program, self._shape, self._state, self._vectors()[0], self._feed.data)

    def _next_call(self) -> _Call | None:
        """Send the next call off, or return None if the training is over."""
        if not self._alive:
            return None
        orders = np.zeros((self._shape.members, 2), np.int32)
        told = horizons.unbound(self._shape.members)
        count = self._size_of_call()
        for member in self._alive:
            orders[member.index] = count, member.course.is_careful
            told[member.index] = horizons.pack(member.course.callbacks, self._shape.row_names)
        began, waited = time.perf_counter(), self._feed.waited
        data = self._feed.at(self._step)
        self._state, reports = self._program.advance(self._state, self._vectors(), data, orders, told)
        failpoints.pass_by("call sent")
        return _Call(reports, began, self._feed.waited - waited, self._step)

    def _size_of_call(self) -> int:
        here = self._feed.updates_left(self._step)
        left = min(member.updates_left for member in self._alive)
        bound = min(here, updates_with_room(self._step, self._shape.steps_per_epoch), left, self._most_updates)
        # Calls on one buffer are equally long: a short last one would say little of the speed.
        return -(-here // -(-here // max(1, bound)))

    def _take(self, call: _Call) -> None:
        """Wait for the call and have each member decide what it means."""
        vectors = np.asarray(call.reports)
        seconds = time.perf_counter() - call.began
        reports = [advance.read_report(self._shape, vectors[member.index]) for member in self._alive]
        self._step = reports[0].step
        count = max(1, self._step - call.first_step)
        self._seconds_per_update = (seconds - call.waited) / count
        self._most_updates = most_updates(count, seconds - call.waited)
        by_member = dict(zip(self._alive, reports, strict=True))
        self._each(self._alive, lambda member: member.decide(by_member[member], seconds, call.waited))

    def _sort_out(self) -> list[Member]:
        """Carry out commands, copy what is to be saved, and part with the members whose run is over."""
        is_cancelled = self._cancelled.is_set()
        if is_cancelled:
            self._looking.let_go()
        # Asked for before any of them reads: a group, which shares its commands, obeys the same at the same update.
        reach = {member.inbox.directory: member.inbox.size for member in self._alive}
        self._each(self._alive, lambda member: member.obey(reach[member.inbox.directory]))
        self._each(self._alive, lambda member: member.settle(cancelled=is_cancelled))
        ended = [member for member in self._alive if member.course.reason is not None]
        self._alive = [member for member in self._alive if member.course.reason is None]
        self._keep()
        self._looking.between_calls(self._alive, self._state)
        parted = self._each(ended, self._part_with)
        self._may_compact |= bool(ended)
        if not self._may_compact or (shape := self._worth_moving_into()) is None:
            return parted
        self._finish(parted)  # they need not wait for the compile
        self._compact(shape)
        return []

    def _keep(self) -> None:
        """Copy what is to be saved; now and then the state of all members, at the same update."""
        is_time = self._cadence.is_due
        if is_time:
            self._each(self._alive, Member.want_state)
        self._each(self._alive, lambda member: member.keep(self._state))
        if is_time:
            trained = max((member.directory.seconds for member in self._alive), default=0.0)
            costs = [member.cost_of_state for member in self._alive]
            self._cadence.wait(trained, sum(copying for copying, _ in costs), sum(writing for _, writing in costs))

    def _part_with(self, member: Member) -> None:
        """Copy the member's end off the device."""
        member.record()
        ending = member.keep_last(self._state)
        if ending is None:
            return
        if self._program.evaluate is not None:
            index, vector = np.int32(member.index), member.course.live.vector
            data = program.without_examples(self._feed.data)
            measured = self._program.evaluate(ending.parameters, index, vector, data, self._test)
            member.take_test(np.asarray(measured))
        self._looking.at_the_end(member, ending)

    def _finish(self, ended: Sequence[Member]) -> None:
        """Write what was seen of the members, and the last records of those whose run is over."""
        self._looking.write()
        self._each(ended, Member.finish)

    def _each(self, members: Sequence[Member], act: Callable[[Member], None]) -> list[Member]:
        """Have each member do something; one that fails ends as failed and leaves the others alone."""
        well = []
        for member in members:
            try:
                act(member)
                well.append(member)
            except Exception as error:  # noqa: BLE001 whatever fails in a run is told by that run
                member.directory.fail(error)
                self._alive = [other for other in self._alive if other is not member]
        return well

    def _wait(self) -> None:
        """Wait, paused, until told otherwise: they train together, so that one that waits has all wait."""
        for member in self._alive:
            member.directory.write_status()
        while any(member.course.is_paused for member in self._alive):
            time.sleep(_POLL_SECONDS)
            self._finish(self._sort_out())
            self._each(self._alive, Member.flush)

    def _own(self) -> Own:
        return program.own(self._shape, [member.prepared for member in self._computed])

    def _vectors(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        return _stacked([member.course.live.vector for member in self._computed], self._shape.members)


def _stacked(rows: list[Any], members: int) -> np.ndarray[Any, Any]:
    """Return a row for each member; those that stay idle, since devices and runs do not divide, copy the last."""
    return np.stack([*rows, *rows[-1:] * (members - len(rows))])


def _as_before(shape: Shape, past: Past) -> Shape:
    """Return the shape with as many members as trained together when the checkpoint was taken; some may be over by now.

    What others do in the same call changes no member; but a program for fewer of them may round otherwise.
    """
    population = past.manifest.extra.get("population") if past.manifest else None
    if isinstance(population, dict):
        members, used = population.get("members"), population.get("devices")
    else:
        members, used = placement.spread(past.together, shape.devices)
    if isinstance(members, int) and isinstance(used, int) and members > shape.members and 1 <= used <= shape.devices:
        return replace(shape, members=members, devices=used)
    return shape


def _tell(member: Member, compilations: Sequence[Compilation]) -> None:
    for done in compilations:
        member.directory.record(Compiled(**asdict(done)))
