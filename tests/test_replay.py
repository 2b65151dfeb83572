"""Records that stand there already are passed over and compared; pure, without a training."""

import math
from typing import Any

from trainer.commands import Pause, Set, Stop
from trainer.events import Commanded, EarlyStopped, Epoch, Event, LearningRateReduced, Replayed, Steps
from trainer.replay import Replay, standing

SPE = 10


def epoch(index: int, loss: float, **stamps: Any) -> Epoch:
    metrics = {"loss": loss, "val_loss": math.nan}
    return Epoch(epoch=index, step=(index + 1) * SPE, metrics=metrics, examples_per_second=1.0, **stamps)


def cut(index: int, to: float = 0.5) -> LearningRateReduced:
    return LearningRateReduced(
        epoch=index, step=(index + 1) * SPE, from_=1.0, to=to, monitor="val_loss", best=0.1, wait=3
    )


BEFORE: tuple[Event, ...] = (
    epoch(0, 0.9), epoch(1, 0.8, elapsed=7.0), cut(1), Steps(step=25, metrics={}), epoch(2, -0.0),
)  # fmt: skip


def test_what_comes_out_the_same_is_known_and_keeps_the_time_at_which_it_was_recorded() -> None:
    replay = Replay(BEFORE, step=SPE)
    assert replay.end == 3 * SPE
    found = replay.known(epoch(1, 0.8, elapsed=99.0))
    assert found is not None
    assert found.elapsed == 7.0
    assert replay.known(cut(1)) is not None
    assert replay.verdict(2 * SPE) is None, "it is not over"
    assert replay.known(epoch(2, -0.0)) is not None
    assert replay.verdict(3 * SPE) == Replayed(verified=2)
    assert replay.verdict(3 * SPE) is None


def test_one_bit_makes_a_difference_and_from_there_all_is_written_anew() -> None:
    replay = Replay(BEFORE, step=SPE)
    assert replay.known(epoch(1, 0.8)) is not None
    assert replay.known(epoch(2, 0.0)) is None, "0 is not -0"
    assert replay.verdict(2 * SPE) == Replayed(verified=1, differs_from=2)
    assert not replay.covers(2 * SPE)


def test_a_decision_that_was_not_made_before_is_a_difference_unless_the_kill_kept_it_from_being_recorded() -> None:
    replay = Replay(BEFORE, step=0)
    stop = EarlyStopped(monitor="val_loss", best=0.1, best_epoch=0, wait=3)
    assert replay.known(stop.model_copy(update={"epoch": 2, "step": 3 * SPE})) is None
    assert replay.covers(0), "of the last epoch not all may have been written"
    assert replay.known(stop.model_copy(update={"epoch": 0, "step": SPE})) is None
    assert not replay.covers(0)


def test_commands_are_given_once_at_their_update_but_for_those_that_held_or_ended_the_run() -> None:
    rate, rest = Set(key="optimizer.learning_rate", value=0.1), Set(key="model.dropout", value=0.2)
    events = (
        Commanded(step=4, offset=10, commands=[rest]), Commanded(step=6, offset=20, commands=[rate, Pause()]),
        Commanded(step=9, offset=30, commands=[Stop()]), *BEFORE,
    )  # fmt: skip
    replay = Replay(events, step=4, commands_read=10)
    assert replay.updates_left(4) == 2
    assert replay.commands_at(5) == []
    assert not replay.is_over(30)
    assert [(batch.offset, batch.commands) for batch in replay.commands_at(6)] == [(20, [rate])]
    assert replay.commands_at(6) == []
    assert replay.updates_left(6) == 3
    assert [(batch.offset, batch.commands) for batch in replay.commands_at(9)] == [(30, [])]
    assert replay.updates_left(9) == 30 - 9
    assert replay.is_over(30)


def test_of_a_new_run_nothing_is_known() -> None:
    replay = Replay()
    assert replay.known(epoch(0, 0.9)) is None
    assert replay.verdict(0) is None
    assert replay.updates_left(0) is None
    assert replay.is_over(0)


def test_records_that_a_replay_found_otherwise_no_longer_stand() -> None:
    told = Replayed(verified=1, differs_from=2)
    assert standing([*BEFORE, told, epoch(2, 0.7)]) == [*BEFORE[:4], told, epoch(2, 0.7)]
