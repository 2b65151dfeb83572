"""Runs that train together: each is what it would have been alone, to rounding."""

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from terminals import wait_for
from trainer import checkpoints, runs, training
from trainer.commands import Set, Stop, send
from trainer.compaction import is_worth_it
from trainer.config import Config
from trainer.preparation import Prepared, prepare
from trainer.run import Run

BASE = {"data.source": "iris", "model.hidden": [6], "training.batch_size": 16, "training.epochs": 12,
        "optimizer.learning_rate": 0.02, "data.test_split": 0.1}  # fmt: skip
TOGETHER: list[dict[str, Any]] = [
    {},
    {"optimizer.learning_rate": 0.001, "training.seed": 7},
    {"model.dropout": 0.4, "regularization.l2": 1e-3},
    {"training.epochs": 5},
    {"callbacks.reduce_lr_on_plateau.enabled": True, "callbacks.reduce_lr_on_plateau.patience": 1,
     "callbacks.reduce_lr_on_plateau.min_delta": 0.05},
    {"optimizer.learning_rate": 1e6, "optimizer.global_clipnorm": 0.0, "training.seed": 3},
]  # fmt: skip


def prepared_of(*settings: dict[str, Any]) -> list[Prepared]:
    first = prepare(Config().changed(BASE))
    return [Prepared(first.config.changed(changes), first.splits) for changes in settings]


def trained(store: Path, *settings: dict[str, Any]) -> list[Run]:
    members = [(prepared, training.start(prepared, store)) for prepared in prepared_of(*settings)]
    return training.train_together(members)


def rows(run: Run) -> dict[str, np.ndarray[Any, Any]]:
    return {name: np.array(series.y) for name, series in run.epochs.items()}


def told(run: Run) -> list[tuple[str, int]]:
    quiet = {"started", "compiled", "checkpoint_saved"}
    return [(event.kind, event.epoch) for event in run.happenings if event.kind not in quiet]


def test_a_member_is_the_run_that_it_would_have_been_alone(tmp_path: Path) -> None:
    together = trained(tmp_path / "together", *TOGETHER)
    assert [run.status.reason for run in together][:5] == ["completed"] * 5
    assert [run.status.epochs for run in together][:5] == [12, 12, 12, 5, 12]
    assert any(event.kind == "learning_rate_reduced" for event in together[4].happenings)
    for run, settings in zip(together, TOGETHER, strict=True):
        (alone,) = trained(tmp_path / "alone", settings)
        assert told(run) == told(alone)
        for name, values in rows(alone).items():
            np.testing.assert_allclose(rows(run)[name], values, rtol=2e-3, atol=2e-4, err_msg=name)
        assert runs.read(run.directory).status.model_dump_json() == run.status.model_dump_json()
        assert run.status.test.keys() == alone.status.test.keys()
        for name, value in alone.status.test.items():
            assert run.status.test[name] == pytest.approx(value, rel=1e-2, abs=1e-3)


def test_members_differ_by_their_seed_alone(tmp_path: Path) -> None:
    one, same, other = trained(tmp_path, {}, {}, {"training.seed": 1})
    assert rows(one).keys() == rows(same).keys()
    assert all((values == rows(same)[name]).all() for name, values in rows(one).items())
    assert (rows(one)["loss"] != rows(other)["loss"]).any()


def test_a_member_that_diverges_leaves_the_others_alone(tmp_path: Path) -> None:
    wild = {"optimizer.kind": "sgd", "optimizer.learning_rate": 1e6, "model.activation": "identity"}
    tame = {**wild, "optimizer.learning_rate": 0.05}
    first, diverged, second = trained(tmp_path, tame, wild, {**tame, "training.seed": 2})
    assert [run.status.state for run in (first, diverged, second)] == ["finished", "diverged", "finished"]
    assert first.status.epochs == second.status.epochs == 12
    assert all(np.isfinite(values).all() for run in (first, second) for values in rows(run).values())


def test_commands_are_for_the_member_whose_folder_they_are_in(tmp_path: Path) -> None:
    prepared = prepared_of({"training.epochs": 3000}, {"training.epochs": 3000}, {"training.epochs": 40})
    members = [(one, training.start(one, tmp_path)) for one in prepared]
    send(members[0][1].path, Stop())
    send(members[1][1].path, Set(key="training.epochs", value=30))
    stopped, shortened, left_alone = training.train_together(members)
    assert (stopped.status.reason, stopped.status.steps) == ("stopped", 1)
    assert (shortened.status.reason, shortened.status.epochs) == ("completed", 30)
    assert (left_alone.status.reason, left_alone.status.epochs) == ("completed", 40)


def test_a_member_whose_disk_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    members = [(one, training.start(one, tmp_path)) for one in prepared_of({}, {})]

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    broken = members[0][1]
    original = broken.record
    broken.record = lambda event, **at: refuse() if event.kind == "epoch" else original(event, **at)  # type: ignore
    failed, well = training.train_together(members)
    assert (failed.status.state, well.status.state) == ("failed", "finished")
    assert "No space left on device" in failed.status.message
    assert well.status.epochs == 12


@pytest.mark.parametrize(
    ("changes", "what"), [({"model.hidden": [7]}, "one structure"), ({"data.test_split": 0.2}, "the same data")]
)
def test_runs_that_cannot_train_together_say_why(tmp_path: Path, changes: dict[str, Any], what: str) -> None:
    one, other = (prepare(Config().changed({**BASE, **more})) for more in ({}, changes))
    found = training.train_together([(run, training.start(run, tmp_path)) for run in (one, other)])
    assert [run.status.state for run in found] == ["failed", "failed"]
    assert all(what in run.status.message for run in found)


def test_a_member_goes_back_to_the_best_epoch_by_the_metric_that_it_watches_itself(tmp_path: Path) -> None:
    stopping = {"callbacks.early_stopping.enabled": True, "callbacks.early_stopping.patience": 50}
    by_loss = {**stopping, "callbacks.early_stopping.monitor": "val_loss"}
    by_accuracy = {**stopping, "callbacks.early_stopping.monitor": "accuracy"}
    for run, metric in zip(trained(tmp_path, by_loss, by_accuracy), ("val_loss", "accuracy"), strict=True):
        (restored,) = (event for event in run.happenings if event.kind == "weights_restored")
        assert (restored.monitor, restored.epoch) == (metric, run.status.best.epoch if run.status.best else None)


def test_a_member_that_is_stopped_keeps_the_best_by_what_it_watches_itself(tmp_path: Path) -> None:
    quiet = {"training.epochs": 500_000, "callbacks.early_stopping.enabled": False}
    watched = ("val_accuracy", "val_loss")
    settings = [{**quiet, "callbacks.model_checkpoint.monitor": metric} for metric in watched]
    members = [(prepared, training.start(prepared, tmp_path)) for prepared in prepared_of(*settings)]
    with ThreadPoolExecutor(1) as pool:
        trained = pool.submit(training.train_together, members)
        wait_for(lambda: all(runs.peek(directory.path).status.epochs for _, directory in members), "an epoch")
        for _, directory in members:
            send(directory.path, Stop())
        found = trained.result()
    for run, metric in zip(found, watched, strict=True):
        (restored,) = (event for event in run.happenings if event.kind == "weights_restored")
        assert restored.monitor == metric


def test_members_that_cannot_move_train_on_beside_those_that_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: Any) -> None:
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")

    monkeypatch.setattr("trainer.compaction._WORTH", 0.0)
    monkeypatch.setattr("trainer.loop.moved", out_of_memory)
    together = trained(tmp_path, *({"training.epochs": epochs} for epochs in (2, 2, 2, 12)))
    assert [(run.status.reason, run.status.epochs) for run in together] == [("completed", 2)] * 3 + [("completed", 12)]
    assert [event.message for event in together[-1].happenings if event.kind == "warning"] == [
        "could not leave those that ended behind, and trains no faster"
    ]


@pytest.mark.parametrize("left", [1, 2])
def test_members_that_go_on_move_together_when_it_is_worth_it_and_are_what_they_would_have_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    monkeypatch.setattr("trainer.compaction._WORTH", 0.0)
    monkeypatch.setattr("trainer.program._programs", OrderedDict())  # compiling is told only where it is done
    saved = {"callbacks.model_checkpoint.save_best_only": False, "callbacks.model_checkpoint.save_freq": 20}
    short = [{"training.epochs": 2, "training.seed": seed} for seed in range(4)]
    long = [{"training.epochs": 12, "training.seed": seed, **saved} for seed in (7, 8)[:left]]
    together = trained(tmp_path / "together", *short[:2], long[0], *short[2:], *long[1:])
    found = [run for run in together if run.config and run.config.training.epochs == 12]
    assert [run.status.epochs for run in together if run not in found] == [2] * 4
    for run, settings in zip(found, long, strict=True):
        assert [event.what for event in run.happenings if event.kind == "compiled"].count("advance") == 2
        (alone,) = trained(tmp_path / "alone", settings)
        for name, values in rows(alone).items():
            np.testing.assert_allclose(rows(run)[name], values, rtol=2e-3, atol=2e-4, err_msg=name)
        newest = checkpoints.newest_good(run.directory / "checkpoints", "last")
        assert newest is not None
        assert checkpoints.load(newest)[1].extra["population"] == {"members": left, "devices": 1}
        assert run.status.test["test_loss"] == pytest.approx(alone.status.test["test_loss"], rel=1e-2)
        mine, other = (newest_weights(one) for one in (run, alone))
        assert mine.keys() == other.keys()
        for name, array in mine.items():
            np.testing.assert_allclose(array, other[name], rtol=1e-2, atol=1e-3, err_msg=name)


def newest_weights(run: Run) -> dict[str, np.ndarray[Any, Any]]:
    path = checkpoints.newest_good(run.directory / "checkpoints", "last")
    assert path is not None
    return {name: array for name, array in checkpoints.load(path)[0].items() if name.startswith("parameters")}


@pytest.mark.parametrize(
    ("alive", "updates_left", "is_worth"),
    [(32, 10_000, True), (32, 300, False), (33, 10_000, False), (0, 10_000, False), (1, 230, True)],
)
def test_members_move_only_if_that_saves_more_than_it_costs(alive: int, updates_left: int, is_worth: bool) -> None:
    # 64 members take 10 ms an update, compiling took 1 s: 32 of them save 5 ms an update, and must save 2 s.
    assert is_worth_it(alive, 64, updates_left, 0.01, 1.0) is is_worth
