import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from screens import part, running, shown, until, until_shown
from textual import events
from textual.app import App
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Input

import presets
from trainer import training
from trainer.commands import Set, Stop, send
from trainer.config import Config, dump
from trainer.events import Epoch, Finished, HyperparameterSet, Insight, Started, Warned
from trainer.log import Log
from trainer.preparation import prepare
from trainer.runs import read
from trainer.status import Status
from trainer.store import all_runs
from tui.app import NnTui
from tui.compare_screen import CompareScreen
from tui.dialogs import Keys, Leaving, Question, RunList, SaveAs
from tui.form import Form
from tui.form_fields import widget_id
from tui.preset_picker import PresetPicker
from tui.run_table import RunTable
from tui.train_screen import TrainScreen

DEADLINE_SECONDS = 30.0
SHORT = Config().changed(
    {
        "name": "short", "data.source": "iris", "data.standardize": "standard", "model.hidden": [8],
        "training.epochs": 3, "training.batch_size": 16, "callbacks.early_stopping.enabled": False,
        "callbacks.reduce_lr_on_plateau.enabled": False,
    }
)  # fmt: skip
LONG = SHORT.changed({"name": "long", "training.epochs": 1_000_000, "model.hidden": [64, 64]})
DONE = "all epochs done"


def keys_of(owner: type[Any], action: str) -> list[str]:
    bound = (binding for binding in owner.BINDINGS if isinstance(binding, Binding) and binding.action == action)
    return next(bound).key.split(",")


def store() -> Path:
    return Path(os.environ["NN_TUI_RUNS"])


def host(pilot: Pilot[None]) -> Any:
    return pilot.app.train_screen.host  # type: ignore[attr-defined]


async def until_over(pilot: Pilot[None], words: str = DONE) -> None:
    """Wait until the last record stands in the event log and the next run may start."""
    await until(pilot, lambda: words in part(pilot, "EventLog"))
    await until(pilot, lambda: not host(pilot).is_busy)


async def start_long(pilot: Pilot[None]) -> None:
    await pilot.press("ctrl+r")
    await until(pilot, lambda: "▶ running" in part(pilot, "#status") and "epoch 0/" not in part(pilot, "#status"))


def written(folder: Path, name: str = "written", config: Config = SHORT, events: Sequence[Any] = ()) -> Path:
    """Write a run as another program would have."""
    path = store() / folder
    path.mkdir(parents=True)
    (path / "config.toml").write_text(dump(config))
    (path / "run.json").write_text(Status(name=name, epochs_planned=3).model_dump_json())
    log = Log(path / "events.jsonl")
    log.append(Started(n_parameters=67, device="cpu", steps_per_epoch=8))
    for epoch in range(3):
        metrics = {"loss": 1.0 / (epoch + 1), "val_loss": 1.2 / (epoch + 1), "accuracy": 0.5, "learning_rate": 0.001}
        stamps = {"epoch": epoch, "step": 8 * (epoch + 1), "elapsed": 0.5 * (epoch + 1)}
        log.append(Epoch(metrics=metrics, examples_per_second=100.0, **stamps))
    for event in events:
        log.append(event)
    log.append(Finished(reason="completed", message="the end", epoch=3, step=24, elapsed=1.5))
    log.close()
    return path


async def focus(pilot: Pilot[None], path: str) -> Input:
    field = pilot.app.screen.query_one(f"#{widget_id(path)}")
    field.focus()
    await pilot.pause()
    return field  # type: ignore[return-value]


async def type_into(pilot: Pilot[None], path: str, text: str) -> None:
    await focus(pilot, path)
    await pilot.press("ctrl+u", "ctrl+k", *(f"{key}" for key in map(_key, text)))
    await until(pilot, lambda: pilot.app.screen.query_one(f"#{widget_id(path)}").value == text)  # type: ignore[attr-defined]


def _key(character: str) -> str:
    names = {"/": "slash", ".": "full_stop", "-": "minus", "_": "underscore", "[": "left_square_bracket",
             "]": "right_square_bracket", "@": "at", "=": "equals_sign", " ": "space"}  # fmt: skip
    return names.get(character, character)


# What the first screen shows.


async def test_the_first_screen_shows_the_form_and_what_to_press():
    async with running(SHORT) as pilot:
        await until_shown(pilot, "learning_rate", "no run yet: ctrl+r trains what the form says", "^r Run", "f10 Quit")
        assert "short" in part(pilot, "#preset-name")
        assert part(pilot, "LossPanel").count("waiting for the first epoch") == 1


def test_the_first_screen_is_painted_before_jax_or_numpy_is_loaded():
    script = """
import asyncio, sys
from pathlib import Path
from trainer.config import Config
from tui.app import NnTui
from tui.train_screen import TrainScreen
seen = []
def note(screen):
    lines = screen._compositor.render_strips()
    text = "".join(part.text for strip in lines for part in strip)
    seen.append((text, {"jax", "numpy"} & sys.modules.keys()))
TrainScreen._look_around = note
async def main():
    async with NnTui(Config, None, Path("runs")).run_test(size=(120, 40)) as pilot:
        while not seen:
            await pilot.pause(0.01)
asyncio.run(main())
text, loaded = seen[0]
assert "learning_rate" in text and "waiting for the first epoch" in text, text
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=DEADLINE_SECONDS)


# ctrl+r.


@pytest.mark.parametrize("key", keys_of(TrainScreen, "run"))
async def test_the_run_key_trains_what_the_form_says_to_the_end(key: str):
    async with running(SHORT) as pilot:
        await pilot.press(key)
        await until_over(pilot)
        status = part(pilot, "#status")
        assert all(word in status for word in ("✓ finished", "short", "epoch 3/3", "step 24", "100%", "examples/s"))
        assert re.search(r"── loss 0\.\d+  ┄┄ val_loss 0\.\d+", part(pilot, "LossPanel"))
        assert re.search("[⠁-⣿]", part(pilot, "LossPanel")), "no curve was drawn"
        assert "● finished: all epochs done; best val_loss" in part(pilot, "EventLog")
    [run] = all_runs(store())
    assert (run.name, run.shown_state, run.status.epochs) == ("short", "finished", 3)


async def test_an_edited_field_is_what_is_trained_and_is_marked():
    async with running(SHORT) as pilot:
        assert "●" not in part(pilot, "#preset-name")
        await type_into(pilot, "training.epochs", "2")
        await until(pilot, lambda: "●" in part(pilot, "#preset-name"))
        await pilot.press("ctrl+r")
        await until_shown(pilot, "epoch 2/2", DONE)


async def test_a_second_run_of_the_session_takes_the_panels_over():
    async with running(SHORT) as pilot:
        await pilot.press("ctrl+r")
        await until_over(pilot)
        await type_into(pilot, "training.epochs", "2")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "epoch 2/2" in part(pilot, "#status"))
        await until_over(pilot)
        assert part(pilot, "EventLog").count(DONE) == 1
    assert sorted(run.status.epochs for run in all_runs(store())) == [2, 3]


async def test_a_run_under_way_is_not_joined_by_another():
    async with running(LONG) as pilot:
        await start_long(pilot)
        await pilot.press("ctrl+r")
        await until_shown(pilot, "A run is under way.")
    assert len(all_runs(store())) == 1


async def test_a_field_with_a_problem_is_not_trained():
    async with running(SHORT) as pilot:
        await type_into(pilot, "training.epochs", "0")
        await pilot.press("ctrl+r")
        await until_shown(pilot, "A field has a problem", "must be at least 1")
        assert not host(pilot).is_busy
    assert not store().exists()


async def test_a_start_that_fails_says_so_under_the_field_and_the_next_one_works():
    async with running(SHORT.changed({"training.batch_size": 9999})) as pilot:
        await pilot.press("ctrl+r")
        await until_shown(pilot, "must be at most the 120")
        lines = part(pilot, "Form").splitlines()
        row = next(index for index, line in enumerate(lines) if "batch_size" in line)
        assert "must be at most the 120" in lines[row + 1]
        assert "no run yet" in part(pilot, "#status")
        await until(pilot, lambda: not host(pilot).is_busy)
        await type_into(pilot, "training.batch_size", "16")
        await pilot.press("ctrl+r")
        await until_over(pilot)
        assert "must be at most" not in shown(pilot)
    assert len(all_runs(store())) == 1


async def test_a_data_file_that_is_not_there_is_a_problem_under_its_field(tmp_path: Path):
    table = {"data": {"source": "path", "path": "missing.csv", "target": "label"}}
    async with running(Config.parse(table), base=tmp_path) as pilot:
        await pilot.press("ctrl+r")
        await until_shown(pilot, "must name a file")
        lines = part(pilot, "Form").splitlines()
        row = next(index for index, line in enumerate(lines) if "missing.csv" in line)
        assert "must name a file" in lines[row + 1]
        await until(pilot, lambda: not host(pilot).is_busy)
    assert not store().exists()


async def test_a_store_that_cannot_be_made_is_told_and_the_app_lives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NN_TUI_RUNS", str(tmp_path / "file" / "runs"))
    async with running(SHORT) as pilot:
        await pilot.press("ctrl+r")
        await until_shown(pilot, "no run can be kept in", "no run yet")
        assert pilot.app.is_running


async def test_an_installation_that_is_broken_is_told_when_a_run_is_started(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "trainer.preparation", None)
    async with running(SHORT) as pilot:
        await pilot.press("ctrl+r")
        await until_shown(pilot, "the run could not be started", "no run yet")
        await until(pilot, lambda: not host(pilot).is_busy)


async def test_a_run_that_diverges_is_told_in_the_log_with_what_to_try():
    config = presets.load("learning-rate-too-high")
    async with running(config, size=(160, 45)) as pilot:
        await pilot.press("ctrl+r")
        await until_over(pilot, "● diverged: best val_loss")
        log = part(pilot, "EventLog")
        assert log.count("the loss is no longer a number since update") == 1
        assert "✗ diverged" in part(pilot, "#status")


async def test_a_run_that_fails_is_one_line_in_the_log_and_the_next_one_works(monkeypatch: pytest.MonkeyPatch):
    def fail(loop: Any) -> Any:
        raise RuntimeError("the device [/] caught \x1b]0;fire\x07\nand this line stays in the file")

    async with running(SHORT, size=(160, 45)) as pilot:
        with monkeypatch.context() as patched:
            patched.setattr("trainer.loop.Loop.run", fail)
            await pilot.press("ctrl+r")
            await until_over(pilot, "caught")
        log = part(pilot, "EventLog")
        assert r"● failed: the device [/] caught \x1b]0;fire\x07 (log.txt has the traceback)" in log
        assert "Traceback" not in shown(pilot)
        assert "! failed" in part(pilot, "#status")
        assert "preparing" not in part(pilot, "#status")
        await pilot.press("ctrl+r")
        await until_over(pilot)


async def test_more_devices_than_there_are_is_a_problem_under_its_field_and_no_run():
    async with running(SHORT.changed({"training.devices": 64}), size=(160, 45)) as pilot:
        await pilot.press("ctrl+r")
        await until_shown(pilot, "must be at most the 1 that JAX finds", "no run yet")
        await until(pilot, lambda: not host(pilot).is_busy)
    assert not store().exists()


async def test_a_run_that_does_not_fit_into_memory_is_one_line_with_advice_and_the_next_one_works(
    monkeypatch: pytest.MonkeyPatch,
):
    wide = SHORT.changed({"model.hidden": [900], "training.batch_size": 100, "training.diagnostics": False})
    async with running(wide, size=(160, 45)) as pilot:
        with monkeypatch.context() as patched:
            patched.setattr("trainer.memory.of_device", lambda devices: 1_000_000)
            await pilot.press("ctrl+r")
            await until_over(pilot, "must fit into memory")
        assert "Use 32, which would fit." in " ".join(part(pilot, "EventLog").replace("│", "").split())
        assert "! failed" in part(pilot, "#status")
        await pilot.press("ctrl+r")
        await until_over(pilot)


# The other keys of the train screen.


@pytest.mark.parametrize("key", keys_of(TrainScreen, "flip"))
async def test_the_form_key_goes_to_the_form_and_from_it_to_the_panels(key: str):
    async with running(SHORT) as pilot:
        assert pilot.app.focused is None
        await pilot.press(key)
        await until(pilot, lambda: pilot.app.focused is not None and "›" in part(pilot, "Form"))
        await pilot.press("f3")
        await until(pilot, lambda: pilot.app.focused is None and "›" not in part(pilot, "Form"))


async def test_a_narrow_screen_shows_the_form_or_the_panels():
    async with running(SHORT, size=(80, 24)) as pilot:
        assert "learning_rate" in shown(pilot)
        assert "no run yet" not in shown(pilot)
        await pilot.press("f3")
        await until_shown(pilot, "no run yet", "╭─ loss")
        assert "learning_rate" not in shown(pilot)
        await pilot.press("f3")
        await until_shown(pilot, "learning_rate")


@pytest.mark.parametrize("key", keys_of(TrainScreen, "next_panel"))
async def test_a_narrow_screen_shows_one_chart_after_the_other(key: str):
    async with running(SHORT, size=(80, 24)) as pilot:
        await pilot.press("f3")
        titles = ["╭─ loss", "╭─ metric", "╭─ learning rate"]
        for index in (0, 1, 2, 0):
            await until_shown(pilot, titles[index])
            assert sum(title in shown(pilot) for title in titles) == 1
            await pilot.press(key)


@pytest.mark.parametrize("key", keys_of(TrainScreen, "toggle_log"))
async def test_the_log_key_changes_the_y_axis_and_back(key: str):
    path = written(Path("a"))
    async with running(SHORT) as pilot:
        pilot.app.train_screen.show_run(path)
        await until_shown(pilot, "the end")
        await until(pilot, lambda: "val_loss 0.4" in part(pilot, "LossPanel"))
        linear = part(pilot, "LossPanel")
        await pilot.press(key)
        await until(pilot, lambda: part(pilot, "LossPanel") != linear)
        await pilot.press(key)
        await until(pilot, lambda: part(pilot, "LossPanel") == linear)


@pytest.mark.parametrize("key", keys_of(TrainScreen, "cycle_axis"))
async def test_the_axis_key_goes_from_epochs_to_steps_to_seconds_and_round(key: str):
    path = written(Path("a"))
    async with running(SHORT) as pilot:
        pilot.app.train_screen.show_run(path)
        await until_shown(pilot, "the end")
        for axis in ("epochs", "steps", "seconds", "epochs"):
            await until(pilot, lambda axis=axis: f" {axis} " in part(pilot, "LossPanel"))
            await pilot.press(key)


async def test_each_stop_key_asks_and_a_yes_ends_the_run_on_its_best_weights():
    key, *_, other = keys_of(TrainScreen, "stop")
    async with running(LONG) as pilot:
        await pilot.press(key)
        assert not isinstance(pilot.app.screen, Question), "there is no run to stop"
        await start_long(pilot)
        await pilot.press(key)
        await until_shown(pilot, "Stop the run and keep its best weights?", "Go on (n)")
        await pilot.press("n")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Question))
        assert host(pilot).is_busy
        await pilot.press(other)
        await until_shown(pilot, "Stop the run and keep its best weights?")
        await pilot.press("y")
        await until_over(pilot, "stopped: on command")
        assert "■ stopped" in part(pilot, "#status")
        assert "best weights restored" in part(pilot, "EventLog")
    assert [run.shown_state for run in all_runs(store())] == ["stopped"]


async def test_each_pause_key_pauses_and_goes_on():
    key, *_, other = keys_of(TrainScreen, "pause")
    async with running(LONG) as pilot:
        await start_long(pilot)
        await until(pilot, lambda: "f5 Pause" in part(pilot, "KeyBar"))
        await pilot.press(other)
        await until(pilot, lambda: "‖ paused" in part(pilot, "#status"))
        await until(pilot, lambda: "paused by the app" in part(pilot, "EventLog"))
        await until(pilot, lambda: "f5 Go on" in part(pilot, "KeyBar"))
        assert "f5 Pause" not in part(pilot, "KeyBar")
        await pilot.press(key)
        await until(pilot, lambda: "▶ running" in part(pilot, "#status"))
        await until(pilot, lambda: "resumed by the app" in part(pilot, "EventLog"))


async def test_a_run_that_is_still_being_started_counts_the_seconds_and_pauses_once_it_is_compiled(
    monkeypatch: pytest.MonkeyPatch,
):
    go = threading.Event()
    monkeypatch.setattr("tui.training_host.load", go.wait)
    async with running(LONG) as pilot:
        try:
            await pilot.press("ctrl+r", "f5")
            await until_shown(pilot, "pauses once it is compiled")
            await until(pilot, lambda: "compiling · 1 s" in part(pilot, "#status"))
            await until(pilot, lambda: "compiling · 2 s" in part(pilot, "#status"))
        finally:
            go.set()
        await until(pilot, lambda: "‖ paused" in part(pilot, "#status"))


async def test_a_paused_run_goes_on_even_while_an_earlier_one_is_on_the_panels():
    async with running(SHORT) as pilot:
        await pilot.press("ctrl+r")
        await until_over(pilot)
        await type_into(pilot, "training.epochs", "1000000")
        await pilot.press("escape")
        await start_long(pilot)
        await pilot.press("f5")
        await until(pilot, lambda: "‖ paused" in part(pilot, "#status"))
        await pilot.press("f8", "down", "enter")
        await until(pilot, lambda: "✓ finished" in part(pilot, "#status"))
        await pilot.press("f5", "f8", "enter")
        await until(pilot, lambda: "▶ running" in part(pilot, "#status"))


@pytest.mark.parametrize("key", keys_of(TrainScreen, "earlier"))
async def test_the_runs_key_brings_an_earlier_run_of_the_session_back(key: str):
    async with running(SHORT) as pilot:
        await pilot.press(key)
        await until_shown(pilot, "none yet: ctrl+r starts one")
        await pilot.press("escape", "ctrl+r")
        await until_over(pilot)
        await type_into(pilot, "training.epochs", "2")
        await pilot.press("escape", "ctrl+r")
        await until(pilot, lambda: "epoch 2/2" in part(pilot, "#status"))
        await until_over(pilot)
        await pilot.press(key)
        await until_shown(pilot, "Live runs, and those of this session")
        assert part(pilot, "OptionList").count("✓ finished") == 2
        await pilot.press("down", "enter")
        await until(pilot, lambda: "epoch 3/3" in part(pilot, "#status"))
        assert DONE in part(pilot, "EventLog")


# Presets.


@pytest.mark.parametrize("key", keys_of(TrainScreen, "open"))
async def test_the_open_key_shows_what_a_preset_would_change_and_takes_it(key: str):
    async with running(SHORT) as pilot:
        await pilot.press(key)
        await until_shown(pilot, "Open a preset", "bad-initializer", "would change", "model.hidden  8 → 128, 128")
        names = [preset.name for preset in presets.available()]
        await pilot.press(*["down"] * names.index("iris-first"))
        await until_shown(pilot, "150 flowers", "model.activation  relu → tanh")
        await pilot.press("enter")
        await until(pilot, lambda: "iris-first" in part(pilot, "#preset-name"))
        await until(pilot, lambda: "tanh" in part(pilot, "Form"))
        assert "●" not in part(pilot, "#preset-name")


async def test_what_is_typed_over_the_presets_finds_one():
    async with running(SHORT, size=(80, 24)) as pilot:
        await pilot.press("ctrl+o")
        await until_shown(pilot, "Open a preset")
        await pilot.press(*"cnn")
        await until_shown(pilot, "convolutions: above 98.5", "cnn")
        await pilot.press("ctrl+u", *"wine")
        await until(pilot, lambda: "wine-replicas" in part(pilot, "OptionList"))
        await pilot.press("ctrl+u", *"iris")
        await until_shown(pilot, "150 flowers")
        await pilot.press("up", "down", "enter")
        await until(pilot, lambda: "iris-first" in part(pilot, "#preset-name"))


async def test_escape_leaves_the_picker_and_the_form_as_it_is():
    async with running(SHORT) as pilot:
        await pilot.press("ctrl+o")
        await until_shown(pilot, "Open a preset")
        await pilot.press("down", "escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, PresetPicker))
        assert part(pilot, "#preset-name").split() == ["short"]


async def test_a_preset_is_opened_by_the_path_of_its_file_and_a_broken_one_shows_its_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("broken.toml").write_text('schema = 1\n[training]\nepochs = 0\nbatch_sise = 4\n[model]\ndropout = "[/]"\n')
    Path("good.toml").write_text(dump(SHORT.changed({"name": "from-a-file"})))
    async with running(SHORT, size=(160, 45)) as pilot:
        await pilot.press("ctrl+o", "tab")
        await until(pilot, lambda: isinstance(pilot.app.focused, Input))
        await pilot.press(*map(_key, "broken.toml"), "enter")
        await until_shown(pilot, "training.epochs must be at least 1", "Did you mean batch_size?", "model.dropout")
        assert re.search(r"broken\.toml:3: *\S*training\.epochs", "".join(part(pilot, "#preview").split()))
        assert isinstance(pilot.app.screen, PresetPicker)
        await pilot.press("ctrl+u", *map(_key, "good.toml"), "enter")
        await until(pilot, lambda: not isinstance(pilot.app.screen, PresetPicker))
        assert part(pilot, "#preset-name").split() == ["from-a-file"]


@pytest.mark.parametrize("key", keys_of(TrainScreen, "save"))
async def test_the_save_key_writes_a_preset_that_the_picker_then_lists(key: str):
    async with running(SHORT) as pilot:
        await type_into(pilot, "training.epochs", "7")
        await pilot.press(key)
        await until_shown(pilot, "Save the form as a preset named", "makes ")
        await pilot.press("ctrl+u", *"mine", "enter")
        await until_shown(pilot, "Saved")
        assert presets.load("mine") == SHORT.changed({"name": "mine", "training.epochs": 7})
        assert presets.path_of("mine").is_relative_to(os.environ["XDG_CONFIG_HOME"])
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "mine" in part(pilot, "OptionList"))


async def test_a_name_that_no_preset_can_have_is_refused_and_nothing_written():
    async with running(SHORT) as pilot:
        await pilot.press("f2")
        await until_shown(pilot, "Save the form as a preset named")
        await pilot.press("ctrl+u", "full_stop", "full_stop", "slash", "x")
        await until_shown(pilot, "a preset is named by")
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(pilot.app.screen, SaveAs))
        await until_shown(pilot, "a preset is named by")
        assert not presets.own_folder().exists()


async def test_a_form_with_a_problem_is_not_saved():
    async with running(SHORT) as pilot:
        await type_into(pilot, "training.epochs", "0")
        await pilot.press("f2")
        await until_shown(pilot, "mend it before you save")
        assert not isinstance(pilot.app.screen, SaveAs)


# The keys that work everywhere.


@pytest.mark.parametrize("key", keys_of(NnTui, "compare"))
async def test_the_compare_key_goes_to_the_runs_of_the_store_and_back(key: str):
    written(Path("20261120-000000-stored-0000"), "stored")
    async with running(SHORT) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await until_shown(pilot, "stored")
        await pilot.press(key)
        await until(pilot, lambda: pilot.app.screen is pilot.app.train_screen)


async def test_a_run_opened_on_the_compare_screen_comes_onto_the_panels():
    written(Path("20261120-000000-stored-0000"), "stored")
    async with running(SHORT) as pilot:
        await pilot.press("f9")
        await until_shown(pilot, "stored")
        await pilot.press("enter")
        await until_shown(pilot, "the end")
        assert "✓ finished stored" in part(pilot, "#status")


async def test_a_screen_that_is_left_before_its_first_picture_leaves_the_other_one_whole(
    monkeypatch: pytest.MonkeyPatch,
):
    path = written(Path("20261120-000000-stored-0000"), "stored")
    # What waits for a refresh waits for the screen on top, and is lost where that one goes before.
    monkeypatch.setattr(CompareScreen, "_invoke_later", lambda *_: None)
    async with running(SHORT, compared=[path]) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        assert not pilot.app.train_screen.is_ready
        pilot.app.screen.runs.post_message(RunTable.Opened(path))
        await until_shown(pilot, "the end", "learning_rate")
        assert "✓ finished stored" in part(pilot, "#status")


async def test_runs_named_at_the_start_are_compared_first():
    path = written(Path("20261120-000000-stored-0000"), "stored")
    async with running(SHORT, compared=[path]) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await until_shown(pilot, "stored", "best val_loss")


def keys_listed(text: str) -> dict[str, list[str]]:
    """Return the keys that the help lists under each of its titles; lines that go on from the one above have none."""
    listed: dict[str, list[str]] = {}
    for line in text.splitlines():
        if re.fullmatch("[A-Z][a-z]+", line.strip()):
            listed[line.strip()] = []
        elif match := re.match(r"((?:\S+, )*\S+) {2,}\S", line.strip()):
            [*listed.values()][-1].extend(match[1].split(", "))
    return listed


@pytest.mark.parametrize("key", keys_of(NnTui, "keys"))
async def test_the_help_key_lists_every_key_once(key: str):
    async with running(SHORT, size=(120, 100)) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, Keys))
        await until_shown(pilot, "Everywhere", "Letters are keys")
        listed = keys_listed(part(pilot, "VerticalScroll"))
        for title, owner in (("Everywhere", NnTui), ("Train", TrainScreen), ("Form", Form)):
            bound = [key.replace("question_mark", "?") for binding in owner.BINDINGS for key in binding.key.split(",")]
            assert listed[title] == bound + ["ctrl+p"] * (owner is NnTui)
        assert "/" in listed["Compare"]
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Keys))


@pytest.mark.parametrize("owner", [NnTui, TrainScreen])
def test_every_binding_says_what_it_does_and_has_an_id_of_its_own(owner: type[Any]):
    bindings = [binding for binding in owner.BINDINGS if isinstance(binding, Binding)]
    assert len(bindings) == len(owner.BINDINGS)
    assert all(binding.id and binding.tooltip and binding.description for binding in bindings)


def test_no_key_has_two_meanings_on_the_train_screen():
    bindings = [it for owner in (NnTui, TrainScreen) for it in owner.BINDINGS if it.action != "unpause"]  # as pause
    bound = [key for binding in bindings for key in binding.key.split(",")]
    assert len(bound) == len(set(bound))


async def test_every_key_that_acts_is_in_the_palette_in_the_same_words():
    async with running(SHORT, size=(120, 100)) as pilot:
        await pilot.press("ctrl+p")
        without_run = {"stop", "pause", "unpause"}
        bindings = [it for owner in (NnTui, TrainScreen) for it in owner.BINDINGS if it.action not in without_run]
        await until(pilot, lambda: f"{bindings[-1].description} (" in shown(pilot))
        lines = [line.strip() for line in shown(pilot).splitlines()]
        for binding in bindings:
            place = lines.index(f"{binding.description} ({binding.key.split(',')[0]})")
            assert lines[place + 1] == binding.tooltip


async def test_a_command_of_the_palette_does_what_its_key_does():
    async with running(SHORT) as pilot:
        await pilot.press("ctrl+p")
        await until_shown(pilot, "Search for commands")
        await pilot.press(*"runs")
        await until_shown(pilot, "Runs (f8)")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunList))


async def test_the_palette_of_the_compare_screen_has_its_keys():
    async with running(SHORT, size=(120, 100)) as pilot:
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await pilot.press("ctrl+p")
        bindings = [binding for owner in (NnTui, CompareScreen) for binding in owner.BINDINGS]
        names = [f"{binding.description} ({binding.key.split(',')[0]})" for binding in bindings]
        await until_shown(pilot, *names)


@pytest.mark.parametrize("key", [*keys_of(NnTui, "leave"), "ctrl+q"])
async def test_the_quit_key_leaves_an_idle_app_at_once(key: str):
    async with running(SHORT) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: pilot.app._exit)
        assert pilot.app.return_code == 0


async def test_each_quit_key_asks_while_training_and_stopping_ends_the_run_saved():
    async with running(LONG) as pilot:
        await start_long(pilot)
        for key in (*keys_of(NnTui, "leave"), "ctrl+q"):
            await pilot.press(key)
            await until_shown(pilot, "A run is under way.", "Detach (d)", "Wait (w)", "Stop (s)", "Stay (esc)")
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(pilot.app.screen, Leaving))
            assert not pilot.app._exit
        await pilot.press("ctrl+q")
        await until_shown(pilot, "A run is under way.")
        await pilot.press("s")
        await until(pilot, lambda: pilot.app._exit)
    [run] = all_runs(store())
    assert (run.shown_state, run.status.reason) == ("stopped", "stopped")
    assert list((run.directory / "checkpoints").iterdir())


async def test_quitting_right_after_the_start_leaves_no_run_without_an_end():
    async with running(LONG) as pilot:
        await pilot.press("ctrl+r", "q")
        await until_shown(pilot, "A run is under way.")
        await pilot.press("s")
        await until(pilot, lambda: pilot.app._exit)
    assert [run.shown_state for run in all_runs(store())] in ([], ["stopped"])


async def test_ctrl_c_says_how_to_quit_and_quits_nothing():
    async with running(SHORT) as pilot:
        await pilot.press("ctrl+c")
        await until_shown(pilot, "f10 quits")
        assert not pilot.app._exit


async def test_letters_in_a_field_are_text_and_no_commands():
    letters = [
        key for owner in (NnTui, TrainScreen) for binding in owner.BINDINGS for key in binding.key.split(",")
        if len(key) == 1
    ]  # fmt: skip
    assert set("fspyxmrcq") <= set(letters)
    config = Config.parse({"data": {"source": "path", "path": "a.csv", "target": "label"}})
    async with running(config) as pilot:
        field = await focus(pilot, "data.path")
        await pilot.press("ctrl+u", "ctrl+k", *letters, "question_mark")
        await until(pilot, lambda: field.value == "".join([*letters, "?"]))
        assert pilot.app.screen is pilot.app.train_screen
        assert not pilot.app._exit
        assert host(pilot)._thread is None


# Strangers' text.


HOSTILE = [
    "[/]",
    "[@click=app.exit]go[/]",
    "[bold",
    "[type=x, v={'a[0]'}]",
    "\N{HEBREW LETTER ALEF}e\u0301\N{PILE OF POO}",
]


def click_targets(app: App[Any]) -> list[Any]:
    strips = app.screen._compositor.render_strips()
    return [part.style.meta for strip in strips for part in strip if part.style and "@click" in part.style.meta]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_name_with_markup_is_shown_as_it_is_on_every_screen(name: str):
    async with running(SHORT.changed({"name": name, "description": name}), size=(160, 45)) as pilot:
        assert name in part(pilot, "#preset-name")
        await pilot.press("ctrl+r")
        await until_over(pilot)
        assert name[:24] in part(pilot, "#status")
        await pilot.press("f8")
        await until_shown(pilot, "Live runs, and those of this session", name)
        await pilot.press("escape", "f9")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await until_shown(pilot, name[:8])
        await pilot.press("f9", "ctrl+o")
        await until_shown(pilot, "Open a preset")
        await pilot.press("escape", "f2")
        await until_shown(pilot, "Save the form as a preset named", "a preset is named by")
        assert not click_targets(pilot.app)


async def test_escape_codes_in_a_run_of_somebody_else_are_spelled_out():
    code = "\x1b]52;c;ZXZpbA==\x07\x9b2J\u202e[/][@click=app.exit]x"
    events = [Warned(message=f"warned {code}"), Insight(message=f"seen {code}", epoch=1)]
    path = written(Path("a"), name=f"n{code}", events=events)
    async with running(SHORT, size=(160, 45)) as pilot:
        pilot.app.train_screen.show_run(path)
        await until_shown(pilot, "the end")
        text = shown(pilot)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
        assert r"warned \x1b]52;c;ZXZpbA==\x07\x9b2J\u202e[/][@click=app.exit]x" in text
        assert r"n\x1b]52" in part(pilot, "#status")
        assert not click_targets(pilot.app)


async def test_a_preset_whose_file_name_holds_escape_codes_is_listed_spelled_out():
    presets.own_folder().mkdir(parents=True)
    (presets.own_folder() / "a\x1b]0;x\x07[@click=app.exit].toml").write_text(dump(SHORT))
    async with running(SHORT, size=(160, 45)) as pilot:
        await pilot.press("ctrl+o")
        await until_shown(pilot, r"a\x1b]0;x\x07[")
        await pilot.press("end")
        await until_shown(pilot, "is what the form holds")
        assert "\x1b" not in shown(pilot)
        assert not click_targets(pilot.app)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(pilot.app.screen, PresetPicker))


# Sizes and looks.


@pytest.mark.parametrize("size", [(80, 24), (160, 45), (20, 5), (1, 1)])
async def test_every_size_trains_and_shows_every_screen_without_an_error(size: tuple[int, int]):
    async with running(SHORT, size=size) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: host(pilot)._thread is not None and not host(pilot).is_busy)
        await until(pilot, lambda: (followed := pilot.app.train_screen.run_view.followed) and followed.run.ended)
        for key in (
            "f3",
            "f3",
            "down",
            "enter",
            "escape",
            "f6",
            "f7",
            "f8",
            "escape",
            "ctrl+o",
            "escape",
            "f1",
            "escape",
            "f9",
            "f9",
            "ctrl+p",
            "escape",
            "f2",
        ):
            await pilot.press(key)
            lines = shown(pilot).splitlines()
            assert [len(lines), pilot.app.size.width] == [size[1], size[0]]
        assert isinstance(pilot.app.screen, SaveAs)


async def test_a_storm_of_resizes_while_training_ends_in_a_whole_picture():
    async with running(LONG) as pilot:
        await start_long(pilot)
        for width, height in [(1, 1), (20, 5), (300, 100), (80, 24), (3, 60), (200, 2), (109, 31), (110, 32)] * 2:
            await pilot.resize_terminal(width, height)
        await pilot.resize_terminal(120, 40)
        await until_shown(pilot, "▶ running", "╭─ loss", "╭─ accuracy", "╭─ learning rate", "╭─ callbacks", "╭─ events")
        assert host(pilot).is_busy


async def test_the_status_line_of_an_ended_run_follows_the_width():
    async with running(SHORT, size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until_over(pilot)
        narrow = part(pilot, "#status").count("━")
        await pilot.resize_terminal(200, 45)
        await until(pilot, lambda: part(pilot, "#status").count("━") > narrow)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "100%" in part(pilot, "#status"))


async def test_without_colour_the_app_says_all_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(SHORT) as pilot:
        await pilot.press("ctrl+r")
        await until_over(pilot)
        assert "✓ finished" in part(pilot, "#status")
        colours = {
            part.style.color.triplet
            for strip in pilot.app.screen._compositor.render_strips()
            for part in strip
            if part.style and part.style.color and part.style.color.triplet
        }
        assert all(red == green == blue for red, green, blue in colours), "not grey"


@pytest.mark.parametrize("theme", ["textual-light", "ansi-light", "textual-dark"])
async def test_every_theme_shows_a_whole_run(theme: str):
    async with running(SHORT) as pilot:
        pilot.app.theme = theme
        await pilot.press("ctrl+r")
        await until_over(pilot)
        await until_shown(pilot, "✓ finished", "── loss", "reduce_lr_on_plateau")


async def test_a_run_that_is_stopped_from_elsewhere_is_shown_as_stopped():
    async with running(LONG) as pilot:
        await start_long(pilot)
        [run] = all_runs(store())
        send(run.directory, Stop(by="somebody else"))
        await until_over(pilot, "stopped: on command")


# Numbers given to a live run.


async def test_enter_in_a_live_field_gives_the_number_to_the_live_run():
    async with running(LONG) as pilot:
        await type_into(pilot, "optimizer.learning_rate", "0.002")
        await pilot.press("enter")
        assert all_runs(store()) == []
        await pilot.press("escape")
        await start_long(pilot)
        await type_into(pilot, "optimizer.learning_rate", "0.0005")
        await pilot.press("enter")
        await until_shown(pilot, "optimizer.learning_rate 0.002 → 0.0005, by the app")
        # What was not typed is none of the run's business, and what is compiled in says so.
        send(all_runs(store())[0].directory, Set(key="optimizer.learning_rate", value=0.0001, by="test"))
        await until_shown(pilot, "0.0005 → 0.0001, by test")
        await focus(pilot, "optimizer.learning_rate")
        await pilot.press("enter")
        await type_into(pilot, "training.epochs", "1")
        await pilot.press("enter")
        await until_shown(pilot, "epochs are done. f4 stops the run")
        await type_into(pilot, "training.batch_size", "20")
        await pilot.press("enter")
        await until_shown(pilot, "training.batch_size is compiled in")
    [run] = [read(found.directory) for found in all_runs(store())]
    assert [event.to for event in run.happenings if isinstance(event, HyperparameterSet)] == [0.0005, 0.0001]
    assert run.epochs["learning_rate"].y[-1] == pytest.approx(0.0001)


async def test_the_keys_act_on_the_live_run_of_another_process_that_is_shown():
    prepared = prepare(LONG)
    directory = training.start(prepared, store())
    other = threading.Thread(target=training.train, args=(prepared, directory))
    other.start()
    try:
        async with running(SHORT) as pilot:
            pilot.app.train_screen.show_run(directory.path)
            await until(pilot, lambda: "▶ running" in part(pilot, "#status"))
            await pilot.press("f5")
            await until_shown(pilot, "‖ paused", "paused by the app")
            await pilot.press("f5")
            await until(pilot, lambda: "▶ running" in part(pilot, "#status"))
            await type_into(pilot, "optimizer.learning_rate", "0.0005")
            await pilot.press("enter")
            await until_shown(pilot, "→ 0.0005, by the app")
            await pilot.press("f4")
            await until_shown(pilot, "Stop the run and keep its best weights?")
            await pilot.press("y")
            await until_shown(pilot, "■ stopped", "stopped: on command")
    finally:
        send(directory.path, Stop())
        await asyncio.to_thread(other.join)


async def test_keys_that_come_fast_all_count():
    async with running(SHORT, size=(160, 45)) as pilot:
        await pilot.press("f3")
        await until(pilot, lambda: "›" in part(pilot, "Form"))
        form = pilot.app.screen.query_one(Form)
        fields = [widget for widget in pilot.app.screen.focus_chain if form in widget.ancestors]
        first = fields.index(pilot.app.focused)
        for _ in range(6):
            pilot.app.post_message(events.Key("down", None))
        await until(pilot, lambda: pilot.app.focused is fields[first + 6])


async def test_a_letter_in_a_choice_goes_to_the_next_word_that_begins_with_it():
    async with running(SHORT, size=(160, 45)) as pilot:
        field = await focus(pilot, "optimizer.kind")
        await pilot.press("r")
        await until(pilot, lambda: field.value == "radam")
        await pilot.press("a", "a", "c", "q")
        await until(pilot, lambda: field.value == "adadelta")
        assert pilot.app.screen is pilot.app.train_screen


async def test_the_palette_finds_the_keys_of_the_table_of_runs():
    written(Path("a"))
    async with running(SHORT) as pilot:
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        titles = [command.title for command in pilot.app.get_system_commands(pilot.app.screen)]
        assert {"Mark (space)", "Filter (slash)", "Sort (o)", "Open (enter)"} <= set(titles)


async def test_a_run_that_ended_before_its_first_epoch_says_so():
    deep = {"model.initializer": "ones", "model.hidden": [256] * 20, "model.activation": "identity"}
    async with running(SHORT.changed(deep | {"training.diagnostics": False})) as pilot:
        await pilot.press("ctrl+r")
        await until_over(pilot, "diverged: ")
        await until(pilot, lambda: "no epoch was completed" in part(pilot, "RatePanel"))
        assert "waiting" not in part(pilot, "RatePanel")
