"""A person's own code runs where they named its preset or said yes, and nowhere else: here it then leaves a file."""

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screens import following, part, running, until, until_shown
from textual.pilot import Pilot

import presets
from trainer import lr_finder
from trainer.config import Config, load
from trainer.preparation import misfits, prepare
from trainer.problems import ConfigError
from trainer.runs import read
from trainer.store import all_runs
from trainer.training import start, train
from tui import cli, launch
from tui.compare_screen import CompareScreen
from tui.dialogs import Question, RiskyQuestion, SaveAs
from tui.form_fields import widget_id
from tui.lr_screen import LearningRateFinder
from tui.outlook import outlooks
from tui.pages import PAGES
from tui.plan_page import PlanPage
from tui.preset_picker import PresetPicker
from tui.train_screen import TrainScreen

CODE = """
import equinox as eqx
from pathlib import Path
Path(__file__).with_name("ran").touch()

def network(config, shape, outputs, key):
    return eqx.nn.Linear(shape[0], outputs, key=key)
"""
PRESET = """
name = "mine"
data.source = "iris"
model = { kind = "custom", target = "mine:network", arguments = { width = 8 } }
training.epochs = 2
"""
REFUSED = "model.target is code, which runs only where its preset was named or you said yes"


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    """A preset and the code that it names, beside it."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "mine.py").write_text(CODE)
    (folder / "mine.toml").write_text(PRESET)
    return folder / "mine.toml"


@pytest.fixture(scope="module")
def somebodys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of such a preset."""
    folder = tmp_path_factory.mktemp("somebody")
    for name, text in (("mine.py", CODE), ("mine.toml", PRESET)):
        (folder / name).write_text(text)
    prepared = prepare(load(folder / "mine.toml").permitted(folder))
    done = train(prepared, start(prepared, folder / "runs"))
    assert (done.status.state, (folder / "ran").exists()) == ("finished", True)
    return done.directory


@pytest.fixture
def run(somebodys: Path, preset: Path) -> Path:
    """A run that somebody sent, with code in it."""
    copy = preset.parent / "runs" / somebodys.name
    shutil.copytree(somebodys, copy)
    (copy / "mine.py").write_text(CODE)
    return copy


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)


def has_run(preset: Path) -> bool:
    return any(preset.parent.rglob("ran"))


def shell(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = cli.run([str(word) for word in words])
    return code, *capsys.readouterr()


@pytest.mark.parametrize("words", [["train"], ["lr-find"], ["summary", "--run-code"]], ids=" ".join)
def test_what_was_named_to_be_run_runs(
    words: list[str], preset: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = lr_finder.Found(np.array([0.1]), np.array([1.0]), 4, 0.1, "it was not looked for")
    monkeypatch.setattr(lr_finder, "find", lambda *_, **__: seen)
    code, _, err = shell(capsys, *words, preset)
    assert (code, has_run(preset)) == (0, True), err


@pytest.mark.parametrize(
    "words", [["presets"], ["presets", "--json"], ["summary"], ["summary", "--json"]], ids=" ".join
)
def test_what_only_tells_of_a_preset_runs_nothing(words: list[str], preset: Path, capsys: Any) -> None:
    command, *options = words
    code, out, err = shell(capsys, command, preset, *options)
    assert not has_run(preset)
    if command == "summary":
        assert (code, err.count("\n")) == (2, 1)
        assert err.startswith(f"nn-tui: {REFUSED}")
        assert options or "3 classes of 40 training examples" in out, "what is known without the code is told"
    else:
        assert "mine:network" in out


def test_copies_of_the_built_in_preset_and_its_module_belong_together(tmp_path: Path) -> None:
    built_in = presets.find("custom-model")
    for file in (built_in.path, built_in.path.with_name("custom_model.py")):
        shutil.copy(file, tmp_path)
    copy = presets.find(str(tmp_path / "custom-model.toml"))
    assert copy.load().model.permission is None, "only who names it lets it run"
    for preset in (built_in, copy):
        permission = preset.permitted(preset.load()).model.permission
        assert permission is not None
        assert permission.file == preset.path.with_name("custom_model.py")
        assert permission.function.__name__ == "network"


def test_what_tells_of_all_presets_and_of_the_machine_runs_nothing(preset: Path, capsys: Any) -> None:
    presets.own_folder().mkdir(parents=True)
    for file in preset.parent.iterdir():
        (presets.own_folder() / file.name).write_text(file.read_text())
    for words in (["presets"], ["presets", "--json"], ["schema"], ["doctor"]):
        shell(capsys, *words)
    assert not any(presets.own_folder().rglob("ran"))


@pytest.mark.parametrize(
    "words",
    [
        ["runs"], ["runs", "--json"], ["compare", "@last"], ["compare", "@last", "--json"], ["examples", "@last"],
        ["export", "@last", "--to", "csv"], ["export", "@last", "--to", "json"], ["control", "@last", "stop"],
        ["control", "@last", "set", "model.arguments.width", "3"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_no_command_runs_the_code_of_a_run(words: list[str], run: Path, preset: Path, capsys: Any) -> None:
    shell(capsys, *words, "--runs", run.parent)
    assert not has_run(preset)


@pytest.mark.parametrize("words", [["train"], ["lr-find"], ["summary"], ["summary", "--run-code"]], ids=" ".join)
@pytest.mark.parametrize("place", ["", "deep/er"])
def test_the_config_of_a_run_runs_no_code_even_if_it_is_named(
    words: list[str], place: str, run: Path, preset: Path, capsys: Any
) -> None:
    named = run / place
    named.mkdir(parents=True, exist_ok=True)
    for file in ("config.toml", "mine.py"):
        (named / file).write_text((run / file).read_text())
    code, _, err = shell(
        capsys, words[0], named / "config.toml", *words[1:], *(["--runs", run.parent] * (words == ["train"]))
    )
    assert (code, has_run(preset)) == (2, False)
    assert err.startswith(f"nn-tui: {REFUSED}")
    assert "copy config.toml to where the code lies" in err
    assert len(all_runs(run.parent)) == 1


def test_nothing_in_the_library_runs_the_code_of_a_config_that_was_merely_loaded(run: Path, preset: Path) -> None:
    for config in (load(preset), load(run / "config.toml"), read(run).config, presets.load(str(preset))):
        assert config is not None
        assert config.model.permission is None
        changed = config.changed({"training.epochs": 3}).renewed()
        with pytest.raises(ConfigError, match=REFUSED):
            prepare(changed, run)
        [*_, last] = outlooks(changed, preset.parent, compiles=True)
        assert last.data is not None
        assert last.summary is None
        assert [str(problem).startswith(REFUSED) for problem in last.problems] == [True]
        assert [*misfits(changed, last.data)]
    assert not has_run(preset)


def test_a_permission_is_for_one_target_and_lost_with_it(preset: Path) -> None:
    config = load(preset).permitted(preset.parent)
    kept = config.changed({"training.epochs": 3, "model.arguments.width": 9})
    assert kept.model.permission == config.model.permission
    assert config.changed({"model.target": "other:network"}).model.permission is None
    assert config.changed({"model.kind": "mlp"}).model.permission is None
    assert Config.parse(config.table()).model.permission is None
    assert not has_run(preset)


def test_the_app_may_run_what_its_command_line_named_but_no_run(run: Path, preset: Path) -> None:
    assert launch._loader(presets.find(str(preset)))().model.permission is not None
    assert launch._loader(presets.find(str(run / "config.toml")))().model.permission is None
    assert launch._loader(presets.find("custom-model"))().model.permission is not None
    assert not has_run(preset)


async def chosen(pilot: Pilot[None], preset: Path) -> None:
    """Open a preset through the picker, which previews it letter by letter."""
    await pilot.press("ctrl+o")
    await until(pilot, lambda: isinstance(pilot.app.screen, PresetPicker))
    picker = pilot.app.screen
    assert isinstance(picker, PresetPicker)
    picker.path.focus()
    picker.path.value = str(preset)
    await until_shown(pilot, "model.arguments.width")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, TrainScreen))
    await until_shown(pilot, "mine:network")


async def until_asked(pilot: Pilot[None], preset: Path) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, RiskyQuestion))
    await until_shown(pilot, "network of", "Do not")
    assert str(preset.with_suffix(".py")) in "".join(part(pilot, "RiskyQuestion Label").split())


async def test_the_app_asks_before_it_runs_what_was_opened_in_it(preset: Path) -> None:
    async with running(Config(), size=(120, 40)) as pilot:
        await chosen(pilot, preset)
        await pilot.press(str(PAGES.index(PlanPage) + 1))
        await until_shown(pilot, "! model.target is code")
        for key in ("ctrl+r", "ctrl+l", "ctrl+t"):
            for answer in ("enter", "n", "escape"):
                await pilot.press(key)
                await until_asked(pilot, preset)
                await pilot.press(answer)
                await until(pilot, lambda: isinstance(pilot.app.screen, TrainScreen))
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(pilot.app.screen, SaveAs))
        await pilot.press("enter")
        await pilot.pause()
        assert not has_run(preset)
        assert not any(presets.own_folder().rglob("ran"))
        await pilot.press("ctrl+t")
        await until_asked(pilot, preset)
        await pilot.press("y")
        await until_shown(pilot, "linear", "15")
        assert has_run(preset)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(pilot.app.screen, LearningRateFinder))
        await pilot.press("escape")


async def test_another_target_is_asked_for_again(preset: Path) -> None:
    (preset.parent / "other.py").write_text(CODE.replace('"ran"', '"other-ran"'))
    config = load(preset).permitted(preset.parent)
    async with running(config, size=(120, 40), base=preset.parent) as pilot:
        target = pilot.app.screen.query_one(f"#{widget_id('model.target')}")
        target.value = "other:network"  # type: ignore[attr-defined]
        await pilot.pause()
        await pilot.press("ctrl+r")
        await until(pilot, lambda: isinstance(pilot.app.screen, Question))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, TrainScreen))
        assert not (preset.parent / "other-ran").exists()
        target.value = "mine:network"  # type: ignore[attr-defined]
        width = pilot.app.screen.query_one(f"#{widget_id('model.arguments.width')}")
        width.value = "9"  # type: ignore[attr-defined]
        await pilot.pause()
        assert pilot.app.screen.form_side.form.config.model.arguments == {"width": 9}  # type: ignore[attr-defined]


async def test_screens_of_runs_run_nothing(run: Path, preset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with following(run) as pilot:
        await until_shown(pilot, "finished")
        for page in range(len(PAGES)):
            await pilot.press(str(page + 1))
            await pilot.pause()
    monkeypatch.setenv("NN_TUI_RUNS", str(run.parent))
    async with running(Config(), compared=(run,)) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await until_shown(pilot, "mine")
    assert not has_run(preset)
