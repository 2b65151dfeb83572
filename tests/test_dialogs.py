from pathlib import Path
from typing import Any

import pytest
from screens import shown, until
from textual.app import App
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Input, Static

import presets
from trainer.checkpoints import Manifest
from trainer.config import Config, dump
from trainer.run import Run
from trainer.status import Best, Status
from tui.dialogs import Keys, Leaving, Question, RunList, SaveAs
from tui.preset_picker import Picked, PresetPicker, describe
from tui.resume_dialogs import CheckpointList

UNSET = object()


class DialogApp(App[None]):
    CSS_PATH = "../tui/app.tcss"

    def __init__(self, dialog: Screen[Any]) -> None:
        super().__init__()
        self.animation_level = "none"
        self._dialog = dialog
        self.answer: Any = UNSET

    def on_mount(self) -> None:
        self.push_screen(self._dialog, self._take)

    def _take(self, answer: Any) -> None:
        self.answer = answer


async def answer_to(dialog: Screen[Any], *keys: str, size: tuple[int, int] = (100, 30)) -> Any:
    """Press keys on a dialog; return what it gives back."""
    app = DialogApp(dialog)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press(*keys)
        await until(pilot, lambda: app.answer is not UNSET)
    return app.answer


async def told(dialog: Screen[Any], *keys: str) -> str:
    """Return what the dialog shows after some keys."""
    app = DialogApp(dialog)
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
        assert app.answer is UNSET
        return shown(pilot)


def run_named(name: str, **status: Any) -> Run:
    return Run(Path(f"20261120-000000-{name}-0000"), status=Status(name=name, **status))


@pytest.mark.parametrize(
    ("keys", "answer"),
    [("y", True), ("n", False), ("escape", None), ("enter", True), ("tab enter", False), ("right y", True)],
)
async def test_a_question_is_answered_by_letter_or_button(keys: str, answer: bool | None):
    assert await answer_to(Question("Stop?", "Stop", "Go on"), *keys.split()) is answer


async def test_a_question_shows_markup_as_text_and_each_answer_with_its_letter():
    text = await told(Question("Stop [/] [bold?", "Stop", "Go on"))
    assert all(word in text for word in ("Stop [/] [bold?", "Stop (y)", "Go on (n)"))


async def test_a_click_on_an_answer_takes_it():
    app = DialogApp(Question("Stop?", "Stop", "Go on"))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        await pilot.click("#no")
        await until(pilot, lambda: app.answer is not UNSET)
    assert app.answer is False


async def test_save_as_gives_the_name_back_and_escape_none():
    assert await answer_to(SaveAs("digits"), "enter") == "digits"
    assert await answer_to(SaveAs("digits"), "ctrl+u", "a", "enter") == "a"
    assert await answer_to(SaveAs("digits"), "escape") is None


async def test_save_as_says_what_it_would_do_as_the_name_is_typed():
    presets.save(Config(), "taken")
    assert "makes " in await told(SaveAs("free"))
    assert "replaces " in await told(SaveAs("taken"))
    text = await told(SaveAs("x"), "ctrl+u", "left_square_bracket", "slash", "right_square_bracket")
    assert "a preset is named by" in text
    assert "got '[/]'." in " ".join(text.replace("│", " ").split())


async def test_the_newest_run_comes_first_and_the_one_chosen_comes_back_by_its_place():
    runs = [
        run_named("first", state="finished", best=Best(metric="val_loss", value=0.25, epoch=4)),
        run_named("second"),
    ]
    text = await told(RunList(runs))
    assert text.index("second") < text.index("first")
    assert "✓ finished" in text
    assert "val_loss 0.25 @5" in text
    assert await answer_to(RunList(runs), "enter") == 1
    assert await answer_to(RunList(runs), "down", "enter") == 0
    assert await answer_to(RunList(runs), "escape") is None


async def test_a_list_of_no_runs_says_what_to_press():
    assert "none yet: ctrl+r starts one" in await told(RunList([]))


async def test_a_run_with_a_hostile_name_is_listed_spelled_out():
    text = await told(RunList([run_named("[/]\x1b]0;x\x07[@click=app.exit]")]))
    assert r"[/]\x1b]0;x\x07[@click=app.exit]" in text


@pytest.mark.parametrize("key", ["escape", "f1", "question_mark", "q"])
async def test_the_keys_are_listed_with_their_tooltips_and_closed_by_every_close_key(key: str):
    groups = [
        ("Here", [Binding("f9,question_mark,slash", "go", "Go", tooltip="Go [/] there"), Binding("x", "x", "Mark")])
    ]
    lines = [" ".join(line.strip(" │▁▂▃▄▅▆▇█").split()) for line in (await told(Keys(groups))).splitlines()]
    assert {"Here", "f9, ?, / Go [/] there", "x Mark"} <= set(lines)
    assert await answer_to(Keys(groups), key) is None


async def test_what_a_key_does_goes_on_beside_the_keys_and_not_below_them():
    text = await told(Keys([("Here", [Binding("f9", "go", "Go", tooltip="word " * 20)])]))
    lines = [line for line in text.splitlines() if "word" in line]
    assert len(lines) == 3
    assert len({line.index("word") for line in lines}) == 1


async def test_of_two_checkpoints_to_go_on_from_one_is_the_last():
    kept = [Manifest(id=f"step-{step:08}", kind="last", epoch=step, step=8 * step, time=1.0) for step in (4, 3)]
    best = Manifest(id="best-00000016", kind="best", epoch=1, step=16, time=1.0, monitor="loss", value=0.5)
    text = await told(CheckpointList("digits", [*kept, best]))
    words = ("last     after epoch 4 (update 32)", "earlier  after epoch 3 (update 24)", "best     after epoch 2 (")
    assert all(word in text for word in words)


async def test_the_picker_gives_the_preset_under_the_cursor_without_a_base():
    names = [preset.name for preset in presets.available()]
    picked = await answer_to(PresetPicker(Config()), *["down"] * names.index("plateau"), "enter")
    assert picked == Picked(presets.load("plateau"), None)


async def test_the_picker_gives_a_file_with_its_folder_as_the_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("p.toml").write_text(dump(Config().changed({"name": "p"})))
    picked = await answer_to(PresetPicker(Config()), "tab", "p", "full_stop", *"toml", "enter")
    assert (picked.config.name, picked.base) == ("p", tmp_path)


async def test_the_picker_stays_and_says_why_a_word_is_no_preset():
    text = await told(PresetPicker(Config()), "tab", *"plateu", "enter")
    assert "plateu is no preset and no file. Did you mean plateau?" in " ".join(text.replace("│", " ").split())


async def test_a_broken_preset_of_ones_own_is_listed_with_its_problem_and_cannot_be_taken():
    presets.own_folder().mkdir(parents=True)
    (presets.own_folder() / "zz.toml").write_text("schema = 1\n[training]\nepochs = 0\n")
    app, problem = DialogApp(PresetPicker(Config())), "training.epochs must be at least 1, got 0."
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.pause()
        await pilot.press("end", "enter")
        await until(pilot, lambda: problem in str(app.screen.query_one("#preview", Static).content))
        assert "zz" in shown(pilot)
        assert app.answer is UNSET


async def test_an_empty_path_chooses_nothing():
    app = DialogApp(PresetPicker(Config()))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        await pilot.press("tab", "enter")
        await pilot.pause()
        assert isinstance(app.focused, Input)
        assert app.answer is UNSET


def test_a_description_tells_every_value_that_would_change_and_no_other():
    before = Config()
    after = before.changed({"training.epochs": 7, "optimizer.kind": "sgd", "optimizer.momentum": 0.5})
    text = describe(after, before).plain
    assert "training.epochs  30 → 7" in text
    assert "optimizer.kind  adam → sgd" in text
    assert "optimizer.momentum  – → 0.5" in text
    assert "training.batch_size" not in text
    assert describe(before, before).plain.endswith("is what the form holds\n")


def test_a_description_spells_out_what_a_terminal_would_obey():
    table = {"description": "first\nsecond [/]", "data": {"source": "path", "path": "a\x1b]0;x\x07", "target": "y"}}
    text = describe(Config.parse(table), Config()).plain
    assert "first\\nsecond [/]" in text
    assert r"a\x1b]0;x\x07" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("keys", "way"),
    [
        ("d", "detach"), ("w", "wait"), ("s", "stop"), ("n", None), ("escape", None), ("enter", "detach"),
        ("down enter", "wait"), ("down down enter", "stop"), ("up enter", None),
    ],
)  # fmt: skip
async def test_a_training_is_left_by_letter_or_by_choice(keys: str, way: str | None):
    assert await answer_to(Leaving(), *keys.split(), size=(80, 24)) == way


async def test_a_run_that_is_paused_is_said_to_stay_so_whoever_leaves():
    text = await told(Leaving(is_paused=True))
    assert "The run is paused until somebody goes on with it." in text
    assert text.count("the run stays paused") == 2
    assert "the training goes on" not in text


async def test_what_a_detached_run_will_not_survive_is_told_with_the_choice():
    text = await told(Leaving("SLURM ends it [/] with job 7."))
    assert "SLURM ends it [/] with job 7." in text
    assert all(word in text for word in ("Detach (d)", "Wait (w)", "Stop (s)", "Stay (esc)"))
