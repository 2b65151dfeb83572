"""In the app: a run that was cut off goes on, is forked, is trained for longer."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from screens import running, shown, until, until_shown
from textual.widgets import Input

from trainer import loop, runs, training
from trainer.config import Config
from trainer.events import Epoch, Replayed
from trainer.preparation import prepare
from trainer.resuming import resume
from trainer.run import Run
from trainer.run_directory import RunDirectory
from trainer.store import all_runs
from tui.compare_screen import CompareScreen
from tui.followed import Followed
from tui.pace import Pace
from tui.resume_dialogs import CheckpointList, MoreEpochs

TINY = Config().changed({"data.source": "iris", "model.hidden": [6], "training.batch_size": 16, "training.epochs": 5,
                         "training.diagnostics": False, "name": "cut-off"})  # fmt: skip


@pytest.fixture
def cut_off() -> Run:
    prepared = prepare(TINY)
    directory = training.start(prepared, Path(os.environ["NN_TUI_RUNS"]))
    cancelled = threading.Event()
    record = directory.record

    def record_and_cancel(event: Any, **at: float) -> Any:
        if event.kind == "started":
            cancelled.set()
        return record(event, **at)

    directory.record = record_and_cancel  # type: ignore[method-assign]
    return training.train(prepared, directory, cancelled)


async def compared(pilot: Any) -> None:
    """Go to the compare screen, with the cursor on its run."""
    await pilot.press("f9")
    await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
    await until_shown(pilot, "cut-off")


async def test_a_run_of_the_table_goes_on_and_then_for_longer(cut_off: Run):
    async with running(Config(), (80, 24)) as pilot:
        await compared(pilot)
        await pilot.press("g")
        await until(pilot, lambda: runs.peek(cut_off.directory).status.state == "finished")
        await until_shown(pilot, "finished cut-off  epoch 5/5")
        await until(pilot, lambda: not pilot.app.train_screen.host.is_busy)
        await pilot.press("g")
        await until(pilot, lambda: isinstance(pilot.app.screen, MoreEpochs))
        assert "5 are done" in shown(pilot)
        pilot.app.screen.query_one(Input).value = "5"
        await pilot.press("enter")
        await until_shown(pilot, "it must be more than these")
        pilot.app.screen.query_one(Input).value = "7"
        await pilot.press("enter")
        await until_shown(pilot, "finished cut-off  epoch 7/7")
    assert runs.peek(cut_off.directory).status.resumed == "exact"


async def test_a_run_is_followed_while_what_it_goes_on_with_is_made_ready(
    cut_off: Run, monkeypatch: pytest.MonkeyPatch
):
    is_ready = threading.Event()
    monkeypatch.setattr(loop, "unless", lambda _, work: [is_ready.wait(), work()][-1])
    async with running(Config(), (80, 24)) as pilot:
        await compared(pilot)
        await pilot.press("g")
        await until_shown(pilot, "starting cut-off")
        await pilot.pause(1.0)  # long enough for a screen to believe that nothing more comes
        is_ready.set()
        await until_shown(pilot, "finished cut-off  epoch 5/5")


async def test_a_run_that_is_over_is_drawn_whatever_was_drawn_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    prepared = prepare(TINY)
    directory = training.train(prepared, training.start(prepared, tmp_path)).directory
    monkeypatch.setattr(Pace, "allows", lambda _: False)
    async with running(Config(), (160, 45)) as pilot:
        for _ in range(2):  # the second time nothing about it is new
            pilot.app.train_screen.run_view.follow(Followed.open(directory))
            await until_shown(pilot, "waiting for the first epoch")
            await until_shown(pilot, "── loss ")


async def test_a_fork_fills_the_form_and_ctrl_r_trains_it(cut_off: Run):
    async with running(Config(), (160, 45)) as pilot:
        await compared(pilot)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(pilot.app.screen, CheckpointList))
        assert "Fork cut-off from" in shown(pilot)
        await pilot.press("enter")
        await until_shown(pilot, "fork of cut-off at epoch 0")
        assert pilot.app.train_screen.form_side.form.config.data.source == "iris"
        await pilot.press("ctrl+r")
        await until_shown(pilot, "finished cut-off  epoch 5/5", f"fork of {cut_off.id}")
    fork = next(run for run in all_runs(cut_off.directory.parent) if run.id != cut_off.id)
    assert fork.status.parent is not None
    assert fork.status.parent.run == cut_off.id


async def test_other_data_are_asked_about(tmp_path: Path):
    table = tmp_path / "data.csv"
    rows = [f"{i % 7},{(i * 3) % 11},{'ab'[i % 2]}" for i in range(60)]
    table.write_text("x,y,label\n" + "\n".join(rows))
    source = {"data.source": "path", "data.path": str(table), "data.target": "label", "data.test_split": 0.0}
    prepared = prepare(TINY.changed(source))
    directory = training.start(prepared, Path(os.environ["NN_TUI_RUNS"]))
    directory.close()
    table.write_text("x,y,label\n" + "\n".join([*rows[1:], "3,4,a"]))
    async with running(Config(), (160, 45)) as pilot:
        await compared(pilot)
        await pilot.press("g")
        await until_shown(pilot, "The data are not those that the run was trained on.")
        await pilot.press("y")
        await until_shown(pilot, "finished cut-off  epoch 5/5")


async def test_without_a_run_the_keys_say_where_runs_are():
    async with running(TINY) as pilot:
        await pilot.press("escape", "g")
        await until_shown(pilot, "No run is on the panels. f9 shows all of them.")


async def test_a_run_on_the_panels_that_another_process_goes_on_with_moves_again(cut_off: Run):
    async with running(Config(), (80, 24)) as pilot:
        await compared(pilot)
        await pilot.press("enter")
        await until_shown(pilot, "stopped cut-off")
        await pilot.pause(1.0)  # long enough for the screen to be at rest
        training.train_together(resume(cut_off.directory))
        await until_shown(pilot, "finished cut-off  epoch 5/5")


def test_epochs_that_differ_in_their_metrics_are_played_again_each_with_its_own(tmp_path: Path):
    directory = RunDirectory.create(tmp_path, TINY)
    for epoch, metrics in enumerate(({"loss": 3.0}, {"loss": 2.0, "val_loss": 2.5}, {"val_loss": 2.0})):
        directory.record(Epoch(metrics=metrics, examples_per_second=1.0), epoch=epoch, step=epoch + 1)
    directory.record(Replayed(verified=2, differs_from=2))
    followed = Followed.read(directory.path)
    assert {name: series.y.tolist() for name, series in followed.run.epochs.items()} == {
        "loss": [3.0, 2.0],
        "val_loss": [2.5],
    }
    directory.close()
