"""Replicas: one config, several seeds, one result with its spread."""

import json
import math
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.style import Style

from terminals import wait_for
from trainer import replicas, results, runs, training
from trainer.commands import Set, Stop
from trainer.comparison import as_csv, as_json, compare
from trainer.config import Config
from trainer.events import Epoch, HyperparameterSet
from trainer.preparation import Prepared, prepare
from trainer.problems import RunError
from trainer.run import Run
from trainer.status import Best, Status
from trainer.store import find
from tui.comparison_cells import comparison_cells
from tui.controls import control
from tui.followed import Followed
from tui.panels import LossPanel, View

SMALL = {"data.source": "iris", "model.hidden": [5], "training.batch_size": 16, "training.epochs": 8,
         "optimizer.learning_rate": 0.05, "training.replicas": 3, "training.seed": 4, "name": "iris"}  # fmt: skip


def trained(store: Path, **changes: Any) -> Run:
    prepared = prepare(Config().changed(SMALL | {key.replace("__", "."): value for key, value in changes.items()}))
    lead, *_ = training.train_together(training.start_replicas(prepared, store))
    return runs.read(lead.directory)


def run_with(name: str, losses: list[float], best: float | None = None, **status: Any) -> Run:
    found = None if best is None else Best(metric="val_loss", value=best, epoch=0)
    run = Run(Path("store") / name, status=Status(name="x", best=found, **status))
    run.apply_all(
        [Epoch(epoch=i, step=i + 1, metrics={"loss": y}, examples_per_second=1) for i, y in enumerate(losses)]
    )
    run.status.best = found
    return run


def test_a_replica_is_the_run_of_its_own_seed_and_reproduces_alone(tmp_path: Path) -> None:
    lead = trained(tmp_path / "together")
    assert [one.config.training.seed for one in replicas.members(lead) if one.config] == [4, 5, 6]
    assert [one.name for one in replicas.members(lead)] == ["iris ×3", "iris #2", "iris #3"]
    second = lead.replicas[0]
    assert second.status.group == lead.id
    assert second.config is not None
    again = prepare(second.config)
    alone = training.train(again, training.start(again, tmp_path / "alone"))
    for name, series in second.epochs.items():
        np.testing.assert_allclose(alone.epochs[name].y, series.y, rtol=2e-3, atol=2e-4, err_msg=name)


def test_one_replica_is_a_run_like_any_other(tmp_path: Path) -> None:
    run = trained(tmp_path, training__replicas=1)
    assert (run.status.group, run.status.replicas, run.name) == ("", [], "iris")


def test_the_last_run_is_the_one_that_leads_its_group(tmp_path: Path) -> None:
    lead = trained(tmp_path)
    assert find("@last", tmp_path).name == lead.id


def test_the_spread_is_that_of_a_sample_and_leaves_out_what_is_no_number() -> None:
    found = replicas.spread([1.0, 2.0, 4.0, None, math.nan, math.inf])
    assert found == (statistics.fmean([1, 2, 4]), statistics.stdev([1, 2, 4]), 3)
    assert replicas.spread([2.0]) == (2.0, 0.0, 1)
    assert replicas.spread([None, math.nan]) is None


def test_the_band_goes_on_with_those_that_are_not_over() -> None:
    lead = run_with("a", [4.0, 2.0])
    lead.replicas = [run_with("b", [2.0, 1.0, 1.0]), run_with("c", [3.0, math.nan, 3.0, 5.0])]
    band = replicas.band(lead, "loss", "steps")
    assert band is not None
    assert band.x.tolist() == [1, 2, 3, 4]
    assert band.mean.tolist() == [3.0, 1.5, 2.0, 5.0]
    assert (band.high - band.mean).tolist() == pytest.approx([1.0, math.sqrt(0.5), math.sqrt(2), 0.0])
    assert replicas.band(lead, "accuracy", "steps") is None


@pytest.mark.parametrize(
    ("states", "shown"),
    [(("finished", "finished"), "finished"), (("finished", "running"), "running"), (("stopped", "finished"), "stopped"),
     (("diverged", "failed"), "failed"), (("paused", "finished"), "paused")],
)  # fmt: skip
def test_a_group_is_live_while_one_is_and_ends_as_badly_as_the_worst(states: tuple[Any, ...], shown: str) -> None:
    assert replicas.shown_state(run_with("a", []), states) == shown


def test_folding_puts_replicas_under_their_leader_and_leaves_strangers_alone() -> None:
    lead = run_with("a", [], group="a", replica=1, replicas=["b", "gone"])
    member, other = run_with("b", [], group="a", replica=2), run_with("c", [])
    orphan = run_with("d", [], group="nobody", replica=2)
    assert replicas.folded([other, member, orphan, lead]) == [other, orphan, lead]
    assert lead.replicas == [member]


def test_a_group_is_compared_by_mean_and_deviation(tmp_path: Path) -> None:
    group, alone = trained(tmp_path / "group"), trained(tmp_path / "alone", training__replicas=1)
    comparison = compare([group, alone])
    row = next(row for row in comparison.outcomes if row.name == "best val_loss")
    bests = [one.status.best.value for one in replicas.members(group) if one.status.best]
    assert row.values[0] == pytest.approx(statistics.fmean(bests))
    assert row.stds == (pytest.approx(statistics.stdev(bests)), None)
    assert row.epochs[0] is None
    told = as_json(comparison)
    assert next(row for row in told["outcomes"] if row["name"] == "loss")["stds"][1] is None
    assert json.loads(json.dumps(told)) == told
    assert "std of best val_loss" in as_csv(comparison)
    cells = comparison_cells(comparison, Style(), Style())["best val_loss"]
    assert " ± " in cells[1].text
    assert "±" not in cells[2].text


def test_a_followed_leader_brings_its_group_and_shows_a_band(tmp_path: Path) -> None:
    lead = trained(tmp_path)
    followed = Followed.read(lead.directory)
    assert [one.name for one in replicas.members(followed.run)] == ["iris ×3", "iris #2", "iris #3"]
    assert replicas.ended(followed.run)
    assert {told.replica for told in followed.happenings} == {1, 2, 3}
    train, validation = LossPanel().curves(followed.run, View())
    assert (train.label, validation.label) == ("loss", "val_loss")
    assert train.low is not None
    assert train.high is not None
    assert (train.low <= train.y).all()
    assert (train.y <= train.high).all()


def test_whoever_ends_sooner_stays_in_the_mean(tmp_path: Path) -> None:
    lead, other = run_with("a", [4.0, 3.0, 2.0, 1.0]), run_with("b", [6.0, 5.0])
    lead.replicas = [other]
    live = replicas.band(lead, "loss", "epochs")
    assert live is not None
    np.testing.assert_allclose(live.mean, [5.0, 4.0, 2.0, 1.0])
    other.status.state = "finished"
    over = replicas.band(lead, "loss", "epochs")
    assert over is not None
    np.testing.assert_allclose(over.mean, [5.0, 4.0, 3.5, 3.0])


def test_the_mean_of_each_metric_is_known_where_each_is_best(tmp_path: Path) -> None:
    lead = trained(tmp_path)
    at_best = [
        run.metrics_at(run.status.best.epoch)["val_accuracy"] for run in replicas.members(lead) if run.status.best
    ]
    assert replicas.at_best(lead)["val_accuracy"] == replicas.spread(at_best)


def test_a_replica_whose_folder_is_gone_is_left_out(tmp_path: Path) -> None:
    lead = trained(tmp_path)
    (lead.replicas[0].directory / "run.json").unlink()
    assert [one.name for one in replicas.members(runs.read(lead.directory))] == ["iris ×2", "iris #3"]


def test_a_name_that_is_a_path_leads_nowhere(tmp_path: Path) -> None:
    lead = trained(tmp_path / "store", training__replicas=1)
    trained(tmp_path / "elsewhere", training__replicas=1).directory.rename(tmp_path / "stranger")
    lead.status.replicas = ["../../stranger", "..", "."]
    assert runs.replica_paths(lead) == []


@pytest.mark.parametrize("number", [0, 2])
def test_a_command_to_any_of_them_reaches_the_whole_group(tmp_path: Path, number: int) -> None:
    prepared = prepare(Config().changed(SMALL | {"training.epochs": 5000}))
    started = training.start_replicas(prepared, tmp_path)
    replicas.send_to_group(started[number][1].path, Stop())
    assert {run.status.reason for run in training.train_together(started)} == {"stopped"}


def test_a_number_changes_at_the_same_update_in_all_of_them(tmp_path: Path) -> None:
    prepared = prepare(Config().changed(SMALL | {"training.epochs": 500_000, "training.replicas": 8}))
    started = training.start_replicas(prepared, tmp_path)
    rates = [0.01 + 0.001 * number for number in range(20)]
    with ThreadPoolExecutor(1) as pool:
        trained = pool.submit(training.train_together, started)
        for rate in rates:
            time.sleep(0.02)
            replicas.send_to_group(started[3][1].path, Set(key="optimizer.learning_rate", value=rate))
        replicas.send_to_group(started[5][1].path, Stop())
        group = trained.result()
    changes = [[(it.step, it.to) for it in run.happenings if isinstance(it, HyperparameterSet)] for run in group]
    assert [rate for _, rate in changes[0]] == pytest.approx(rates)
    assert changes == [changes[0]] * 8
    assert len({run.status.steps for run in group}) == 1


def test_a_group_whose_leader_is_over_is_paused_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepared = prepare(Config().changed(SMALL | {"training.epochs": 500_000}))
    short = prepared.config.changed({"training.epochs": 2})
    (_, first), *others = training.start_replicas(prepared, tmp_path)
    lead, started = first.path, [(Prepared(short, prepared.splits), first), *others]
    with ThreadPoolExecutor(1) as pool:
        trained = pool.submit(training.train_together, started)
        wait_for(lambda: runs.peek(lead).status.state == "finished", "the end of the first")
        control(lead.name, "pause", [], tmp_path)
        wait_for(lambda: shown(lead) == "paused", "the pause of all others")
        with pytest.raises(RunError, match="paused already"):
            control(lead.name, "pause", [], tmp_path)
        control(started[1][1].path.name, "resume", [], tmp_path)
        wait_for(lambda: shown(lead) == "running", "all others to go on")
        control(lead.name, "stop", [], tmp_path)
        group = trained.result()
    assert [run.status.reason for run in group] == ["completed", "stopped", "stopped"]
    assert "sent" not in capsys.readouterr().out


def shown(directory: Path) -> str:
    return replicas.shown_state(runs.peek_group(directory))


def test_the_result_of_a_group_has_every_replica_and_the_spread(tmp_path: Path) -> None:
    lead = trained(tmp_path)
    told = results.group_result(lead)
    assert (told["state"], told["run"], len(told["replicas"])) == ("finished", str(lead.directory), 3)
    assert told["spread"]["best val_loss"]["n"] == 3
    assert told["spread"]["loss"]["mean"] == pytest.approx(
        statistics.fmean(one.status.metrics["loss"] for one in replicas.members(lead))
    )
