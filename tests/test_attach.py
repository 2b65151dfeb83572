"""The app beside runs that others train: here the test holds their locks, as a trainer does."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from screens import part, running, send, until, until_shown
from textual.widgets import Input

from trainer.config import Config
from trainer.events import Epoch, Finished, Started
from trainer.run import Run
from trainer.run_directory import RunDirectory
from trainer.status import Best, Status
from trainer.store import live
from tui import unattended
from tui.dialogs import RunList
from tui.form_fields import widget_id
from tui.listings import print_runs
from tui.run_table import place

SHORT = Config().changed({"name": "mine", "data.source": "iris", "model.hidden": [8], "training.epochs": 3})

Begun = Callable[[str], RunDirectory]


@pytest.fixture
def begun() -> Iterator[Begun]:
    made: list[RunDirectory] = []

    def begin(name: str) -> RunDirectory:
        directory = RunDirectory.create(Path(os.environ["NN_TUI_RUNS"]), SHORT.changed({"name": name}))
        directory.record(Started(n_parameters=67, device="cpu", steps_per_epoch=8))
        directory.record(Epoch(metrics={"loss": 0.5, "val_loss": 0.6}, examples_per_second=100.0), step=8)
        made.append(directory)
        return directory

    yield begin
    for directory in made:
        if not directory.run.ended:
            directory.record(Finished(reason="stopped"))
            directory.close()


def end(directory: RunDirectory) -> None:
    directory.record(Finished(reason="completed"))
    directory.close()


def commands(directory: RunDirectory) -> list[dict[str, Any]]:
    path = directory.path / "commands.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def test_a_live_run_of_another_process_is_shown_at_the_start_and_steered(begun: Begun):
    theirs = begun("theirs")
    async with running(SHORT) as pilot:
        await until_shown(pilot, "▶ running theirs")
        theirs.record(Epoch(metrics={"loss": 0.4, "val_loss": 0.5}, examples_per_second=100.0), epoch=1, step=16)
        await until(pilot, lambda: "epoch 2/3" in part(pilot, "#status"))
        await pilot.press("f5", "ctrl+y", "f4")
        await until_shown(pilot, "Stop the run and keep its best weights?")
        await pilot.press("y")
        await until(pilot, lambda: [command["kind"] for command in commands(theirs)] == ["pause", "save", "stop"])


async def test_a_number_of_the_form_goes_to_the_live_run_of_another_process(begun: Begun):
    theirs = begun("theirs")
    async with running(SHORT) as pilot:
        await until_shown(pilot, "▶ running theirs")
        field = pilot.app.screen.query_one(f"#{widget_id('optimizer.learning_rate')}", Input)
        field.focus()
        field.value = "0.01"
        await pilot.press("enter")
        await until(pilot, lambda: commands(theirs))
    [command] = commands(theirs)
    assert (command["kind"], command["key"], command["value"]) == ("set", "optimizer.learning_rate", 0.01)


async def test_a_number_mended_and_sent_faster_than_it_is_checked_goes_to_the_run(begun: Begun):
    theirs = begun("theirs")
    async with running(SHORT) as pilot:
        await until_shown(pilot, "▶ running theirs")
        pilot.app.screen.query_one(f"#{widget_id('optimizer.learning_rate')}", Input).focus()
        await pilot.press("ctrl+u", "minus", "5", "enter")
        await until_shown(pilot, "must be greater than 0")
        send(pilot.app, "ctrl+u", "4", "e", "minus", "3", "enter")
        await until(pilot, lambda: commands(theirs))
        await until_shown(pilot, "optimizer.learning_rate → 0.004 in theirs")
    assert [command["value"] for command in commands(theirs)] == [0.004]


async def test_the_newest_of_several_is_shown_and_the_list_has_live_ones_first(begun: Begun):
    begun("first")
    begun("second")
    end(begun("third"))
    async with running(SHORT) as pilot:
        await until_shown(pilot, "1 more live run: f8 shows them.")
        await pilot.press("f8")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunList))
        await until(pilot, lambda: part(pilot, "OptionList").count("▶ running") == 2)
        text = part(pilot, "OptionList")
        assert "first" in text
        assert "second" in text
        assert "third" not in text


async def test_without_live_runs_nothing_is_shown(begun: Begun):
    end(begun("over"))
    async with running(SHORT) as pilot:
        await pilot.press("f8")
        await until_shown(pilot, "none yet: ctrl+r starts one")


async def test_what_went_on_without_a_terminal_is_told_once(begun: Begun):
    theirs = begun("theirs")
    unattended.mark(theirs.path)
    end(theirs)
    async with running(SHORT) as pilot:
        await until_shown(pilot, "theirs went on without a", "finished")
    assert unattended.tell(Path(os.environ["NN_TUI_RUNS"])) == []


def test_a_group_is_live_as_its_leader(begun: Begun):
    lead, other = begun("lead"), begun("other")
    lead.join(lead.path.name, 1, [other.path.name])
    other.join(lead.path.name, 2, [])
    end(lead)
    assert live(Path(os.environ["NN_TUI_RUNS"])) == [lead.path]


@pytest.mark.parametrize("sort", ["age", "best", "name"])
def test_live_runs_come_first_in_every_order_of_the_table(sort: str):
    older = Run(Path("a"), status=Status(name="z", created=1.0))
    newer = Run(Path("b"), status=Status(name="a", created=2.0, best=Best(metric="val_loss", value=0.1, epoch=0)))
    order = sorted([(newer, "finished"), (older, "running")], key=lambda entry: place(sort, entry))  # type: ignore[arg-type]
    assert [state for _, state in order] == ["running", "finished"]


def test_live_runs_come_first_in_the_list_of_runs(begun: Begun, capsys: pytest.CaptureFixture[str]):
    begun("theirs")
    end(begun("newer"))
    print_runs("", None, False)
    text = capsys.readouterr().out
    assert text.index("theirs") < text.index("newer")
