import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import presets
from trainer.config import Config, dump
from trainer.problems import ConfigError
from trainer.status import Status
from tui.launch import launch


class Opened:
    """Stands for the app: notes what it was opened with."""

    made: list["Opened"] = []  # noqa: RUF012

    def __init__(
        self, load: Callable[[], Config], base: Path | None, store: Path, compared: Sequence[Path] = ()
    ) -> None:
        self.config, self.base, self.store, self.compared = load(), base, store, list(compared)
        self.return_code = 0
        self.made.append(self)


def held(app: Opened, parent: None) -> int:
    """Stand for the session: the app is not shown."""
    return app.return_code


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.app.NnTui", Opened)
    monkeypatch.setattr("tui.foreground.fork", lambda: None)
    monkeypatch.setattr("tui.session.hold", held)
    monkeypatch.setattr(Opened, "made", [])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def opened(*words: str | Path, runs: Path | None = None) -> Opened:
    assert launch([str(word) for word in words], runs) == 0
    [app] = Opened.made
    return app


def made_run(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "config.toml").write_text(dump(Config()))
    (path / "run.json").write_text(Status().model_dump_json())
    return path


def test_no_word_opens_the_default_preset_on_the_store(tmp_path: Path):
    app = opened()
    assert (app.config, app.base, app.compared) == (presets.load(presets.DEFAULT), None, [])
    assert app.store == tmp_path / "runs"


def test_a_name_opens_that_preset():
    assert opened("iris-first").config == presets.load("iris-first")


def test_a_file_opens_with_its_folder_as_the_base_of_relative_paths(tmp_path: Path):
    (tmp_path / "mine.toml").write_text(dump(Config().changed({"name": "mine"})))
    app = opened(tmp_path / "mine.toml")
    assert (app.config.name, app.base) == ("mine", tmp_path)


def test_run_directories_are_compared_in_the_store_they_lie_in(tmp_path: Path):
    first, second = made_run(tmp_path / "other" / "a"), made_run(tmp_path / "other" / "b")
    app = opened(first, second)
    assert (app.compared, app.store) == ([first, second], tmp_path / "other")


def test_the_store_that_was_named_wins_over_that_of_the_runs(tmp_path: Path):
    app = opened(made_run(tmp_path / "other" / "a"), runs=tmp_path / "named")
    assert app.store == tmp_path / "named"


def test_a_folder_is_a_store(tmp_path: Path):
    (tmp_path / "stored").mkdir()
    assert opened(tmp_path / "stored", "iris-first").store == tmp_path / "stored"


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_what_is_no_terminal_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch, stream: str):
    monkeypatch.setattr(getattr(sys, stream), "isatty", lambda: False, raising=False)
    with pytest.raises(ConfigError, match=r"needs a terminal\. Train without a screen: nn-tui train PRESET"):
        launch([], None)
    assert not Opened.made


@pytest.mark.parametrize(("term", "words"), [("dumb", "TERM is dumb"), (None, "TERM is not set"), ("", "TERM is")])
def test_a_terminal_without_screens_is_refused(monkeypatch: pytest.MonkeyPatch, term: Any, words: str):
    monkeypatch.delenv("TERM") if term is None else monkeypatch.setenv("TERM", term)
    with pytest.raises(ConfigError, match=words):
        launch([], None)


def test_an_unknown_word_is_told_before_anything_about_the_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "dumb")
    with pytest.raises(ConfigError, match="Did you mean iris-first"):
        launch(["iris-frist"], None)
