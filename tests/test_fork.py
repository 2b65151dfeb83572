"""A fork goes on from another run's checkpoint, with what fits of it, in a folder of its own."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer import checkpoints, results, runs, training
from trainer.config import Config
from trainer.forking import Origin, fork, origin
from trainer.preparation import prepare
from trainer.problems import ConfigError, RunError
from trainer.resuming import resume
from trainer.run import Run

TINY = {"data.source": "iris", "model.hidden": [6], "training.batch_size": 16, "training.epochs": 8,
        "optimizer.learning_rate": 0.02, "training.diagnostics": False, "name": "first"}  # fmt: skip


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Run:
    prepared = prepare(Config().changed(TINY))
    return training.train(prepared, training.start(prepared, tmp_path_factory.mktemp("parents")))


def forked(begin: Origin, store: Path, **settings: Any) -> Run:
    config = begin.config.changed({name.replace("__", "."): value for name, value in settings.items()})
    (run, *_) = training.train_together(fork(prepare(config), begin, store))
    return runs.read(run.directory)


def records(run: Run, kind: str) -> list[dict[str, Any]]:
    lines = (run.directory / "events.jsonl").read_text().splitlines()
    return [record for line in lines if (record := json.loads(line))["kind"] == kind]


def test_a_fork_that_changes_nothing_but_its_length_is_the_longer_run(parent: Run, tmp_path: Path) -> None:
    prepared = prepare(Config().changed({**TINY, "training.epochs": 14}))
    longer = training.train(prepared, training.start(prepared, tmp_path / "longer"))
    run = forked(origin(parent.directory), tmp_path / "store", training__epochs=14)
    assert (run.status.state, run.status.epochs, run.status.steps) == ("finished", 14, longer.status.steps)
    assert [record["epoch"] for record in records(run, "epoch")] == list(range(8, 14))
    assert [record["metrics"] for record in records(run, "epoch")] == [
        record["metrics"] for record in records(longer, "epoch")[8:]
    ]


def test_a_fork_knows_its_parent_and_the_parent_is_left_alone(parent: Run, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in parent.directory.rglob("*") if path.is_file()}
    run = forked(origin(parent.directory, "best"), tmp_path, training__epochs=10, optimizer__learning_rate=0.001)
    known = run.status.parent
    assert known is not None
    best = next(it for it in checkpoints.available(parent.directory / "checkpoints").good if it.kind == "best")
    assert (known.run, known.checkpoint, known.epoch) == (parent.id, best.id, best.epoch + 1)
    assert results.result(run)["parent"] == known.model_dump()
    assert records(run, "started")[0]["fork_of"] == f"{parent.id} at epoch {best.epoch + 1}"
    assert run.config is not None
    assert run.config.optimizer.learning_rate == 0.001
    assert run.metrics_at(9)["learning_rate"] == pytest.approx(0.001)
    assert {path: path.read_bytes() for path in parent.directory.rglob("*") if path.is_file()} == before
    assert [message for it in records(run, "warning") if "optimizer begins anew" in (message := it["message"])]


def test_a_fork_that_was_killed_needs_its_parent_no_longer(parent: Run, tmp_path: Path) -> None:
    image_of_parent = tmp_path / "parents" / parent.id
    shutil.copytree(parent.directory, image_of_parent)
    begin = origin(image_of_parent)
    whole = forked(begin, tmp_path / "whole", training__epochs=12)
    config = begin.config.changed({"training.epochs": 12})
    for _, directory in fork(prepare(config), begin, tmp_path / "store"):
        directory.close()  # killed before it trained
    shutil.rmtree(image_of_parent)
    (run,) = training.train_together(resume(directory.path))
    assert [record["metrics"] for record in records(run, "epoch")] == [
        record["metrics"] for record in records(whole, "epoch")
    ]


def test_other_batches_begin_at_the_epoch_and_keep_weights_and_optimizer(parent: Run, tmp_path: Path) -> None:
    run = forked(origin(parent.directory), tmp_path, training__epochs=9, training__batch_size=40)
    assert [record["epoch"] for record in records(run, "epoch")] == [8]
    assert run.status.steps == 9 * run.steps_per_epoch
    assert records(run, "warning") == []
    assert records(run, "epoch")[0]["metrics"]["loss"] < parent.epochs["loss"].y[0]


def test_another_optimizer_begins_anew_and_says_so(parent: Run, tmp_path: Path) -> None:
    run = forked(origin(parent.directory), tmp_path, training__epochs=9, optimizer__kind="sgd", optimizer__use_ema=True)
    assert run.status.state == "finished"
    assert any("the optimizer begins anew" in record["message"] for record in records(run, "warning"))
    assert np.isfinite(run.epochs["ema_val_loss"].y).all()


@pytest.mark.parametrize("kind", ["adamax", "adabelief", "radam", "nadam"])
def test_a_state_of_the_same_shape_but_another_optimizer_is_not_taken(kind: str, parent: Run, tmp_path: Path) -> None:
    run = forked(origin(parent.directory), tmp_path, training__epochs=9, optimizer__kind=kind)
    (warning,) = [record["message"] for record in records(run, "warning")]
    assert warning == (
        "the optimizer begins anew, as its state does not fit: "
        f"optimizer.kind is adam in the checkpoint, this config needs {kind}."
    )


def test_the_state_of_a_schedule_free_optimizer_is_that_of_its_b1(tmp_path: Path) -> None:
    prepared = prepare(Config().changed({**TINY, "optimizer.kind": "schedule_free_sgd", "optimizer.b1": 0.8}))
    begin = origin(training.train(prepared, training.start(prepared, tmp_path / "parents")).directory)
    same = forked(begin, tmp_path / "same", training__epochs=9, optimizer__learning_rate=0.01)
    assert records(same, "warning") == []
    other = forked(begin, tmp_path / "other", training__epochs=9, optimizer__b1=0.5)
    (warning,) = [record["message"] for record in records(other, "warning")]
    assert "begins anew" in warning
    assert "optimizer.b1 is 0.8 in the checkpoint, this config needs 0.5" in warning


def test_weights_that_do_not_fit_are_refused_by_the_first_that_does_not(parent: Run, tmp_path: Path) -> None:
    begin = origin(parent.directory)
    with pytest.raises(
        RunError, match=r"does not fit: parameters\.0\.weight is float32 \[6, 4\] .* needs float32 \[7, 4\]"
    ):
        forked(begin, tmp_path, training__epochs=9, model__hidden=[7])
    assert not list(tmp_path.iterdir())


def test_what_has_nothing_left_to_train_is_no_fork(parent: Run, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"training\.epochs must be more than the 8 epochs done at the checkpoint, got 8"
    ):
        forked(origin(parent.directory), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_that_is_not_there_is_told_with_those_that_are(parent: Run) -> None:
    with pytest.raises(
        RunError, match=r"has no checkpoint '12345'\. There are, with their updates: best \(64\), last \(64\)"
    ):
        origin(parent.directory, "12345")
