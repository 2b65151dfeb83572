"""What others on the machine can see and change, and what a run tells of its surroundings."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import presets
from trainer import devices
from trainer.config import Config
from trainer.preparation import prepare
from trainer.run_directory import RunDirectory
from trainer.training import start
from tui import cli

TINY = {"data.source": "iris", "model.hidden": [4], "training.batch_size": 40, "training.epochs": 2}
CANARY = "canary-5e1f0c7a"


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_whatever_is_created_is_its_owners_alone(
    open_umask: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("NN_TUI_CACHE", str(home / "cache" / "of" / "programs"))
    monkeypatch.setenv("NN_TUI_RUNS", str(home / "work" / "runs"))
    words = ["train", "iris-first", "--set", "training.epochs=1", "--set", "callbacks.tensorboard.enabled=true"]
    assert cli.run(words) == 0
    assert cli.run(["export", "@last", "--to", "csv", "--out", str(home / "run.csv")]) == 0
    presets.save(Config(), "mine")
    assert devices.cache_folder() == home / "cache" / "of" / "programs"
    made = [path for path in home.rglob("*") if path.parent.name != "programs"]
    found = {path.relative_to(home): stat.S_IMODE(path.stat().st_mode) for path in made}
    assert {path.name.partition(".out")[0] for path in found} >= {"events", "log.txt", "run.csv", "mine.toml", "of"}
    wrong = {path: oct(mode) for path, mode in found.items() if mode != (0o700 if (home / path).is_dir() else 0o600)}
    assert wrong == {}


def test_a_store_is_shared_with_a_group_to_read_and_with_nobody_again(
    open_umask: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    monkeypatch.setenv("NN_TUI_RUNS", str(runs))
    words = ["train", "iris-first", "--set", "training.epochs=1", "--set", "callbacks.tensorboard.enabled=true"]

    def modes() -> set[tuple[bool, str]]:
        paths = [path for path in (runs, *runs.rglob("*")) if not path.is_symlink()]
        return {(path.is_dir(), oct(stat.S_IMODE(path.stat().st_mode))) for path in paths}

    assert cli.run(words) == 0
    assert modes() == {(True, "0o700"), (False, "0o600")}
    (tmp_path / "elsewhere").touch(0o600)
    next(runs.iterdir()).joinpath("link").symlink_to(tmp_path / "elsewhere")
    assert cli.run(["share", "group"]) == 0
    assert f"can read {runs}: 1 runs, and later ones" in capsys.readouterr().out
    assert cli.run(words) == 0
    assert len(list(runs.glob("*/tensorboard/train/events*"))) == 2
    assert modes() == {(True, "0o2750"), (False, "0o640")}
    assert stat.S_IMODE((tmp_path / "elsewhere").stat().st_mode) == 0o600
    assert cli.run(["doctor"]) == 1, "the link is told"
    assert "can read it" in capsys.readouterr().out
    assert cli.run(["share", "nobody"]) == 0
    assert modes() == {(True, "0o700"), (False, "0o600")}


def test_a_store_behind_a_link_is_shared_and_a_folder_that_lets_nobody_through_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "runs").symlink_to(tmp_path / "private" / "runs")
    (tmp_path / "private" / "runs").mkdir(mode=0o700)
    assert cli.run(["share", "group", "--runs", str(tmp_path / "runs")]) == 0
    assert stat.S_IMODE((tmp_path / "private" / "runs").stat().st_mode) == 0o2750
    assert f"but {tmp_path / 'private'} lets nobody of them through" in capsys.readouterr().err


def test_a_store_is_not_shared_because_it_lies_in_a_shared_folder(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    project.chmod(0o2750)
    start(prepare(Config().changed(TINY)), project / "my" / "runs").close()
    made = [project / "my", *(project / "my").rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_dir()} == {0o700}


@pytest.mark.parametrize(("words", "told"), [
    (["everybody"], "READERS must be one of group, nobody, got 'everybody'."),
    (["group", "--runs", "/proc/runs"], "/proc/runs cannot be shared: "),
])  # fmt: skip
def test_what_cannot_be_shared_is_told_in_one_line(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["share", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"nn-tui: {told}")


def test_what_libraries_create_for_the_program_is_its_owners_alone_too() -> None:
    script = "import os; os.umask(0); from tui import cli; cli.run = lambda words: print(os.umask(0)) or 0; cli.main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"{0o077}\n"


def test_no_secret_of_the_environment_is_in_a_run(
    trained: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HF_TOKEN", "WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "ANYTHING"):
        monkeypatch.setenv(name, CANARY)
    trained({**TINY, "callbacks.tensorboard.enabled": True})
    with monkeypatch.context() as patch:
        patch.setattr("trainer.loop.Loop.run", lambda self: 1 / 0)
        assert trained(TINY).status.state == "failed", "with a traceback"
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]


def test_a_cache_of_another_user_or_that_others_may_write_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NN_TUI_CACHE", str(tmp_path / "cache"))
    assert devices.cache_folder() == tmp_path / "cache"
    (tmp_path / "cache").chmod(0o770)
    assert devices.cache_folder() is None
    assert devices.cache_trouble() == f"{tmp_path / 'cache'} can be written by others"
    (tmp_path / "cache").chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert devices.cache_folder() is None
    assert "belongs to another user" in devices.cache_trouble()


def test_a_run_in_a_folder_that_others_may_write_says_so(tmp_path: Path) -> None:
    store = tmp_path / "runs"
    store.mkdir()
    store.chmod(0o777)
    directory = RunDirectory.create(store, Config())
    assert [event.message for event in directory.run.happenings if event.kind == "warning"] == [
        "the folder of runs can be written by others, who may put other weights into a run"
    ]
    directory.close()
    store.chmod(0o700)
    directory = start(prepare(Config().changed(TINY)), store)
    assert directory.run.happenings == []
    directory.close()
