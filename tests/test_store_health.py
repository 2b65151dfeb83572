"""What the doctor finds in a store."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainer import checkpoints
from trainer import store as stores
from trainer.config import Config
from trainer.events import Started
from trainer.run_directory import RunDirectory
from tui.finding import Finding
from tui.store_health import examine_store

TINY = {"data.source": "iris", "model.hidden": [4], "training.batch_size": 40, "training.epochs": 2}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing is wrong with, trained once."""
    from trainer.preparation import prepare
    from trainer.training import start, train

    prepared = prepare(Config().changed(TINY))
    return train(prepared, start(prepared, tmp_path_factory.mktemp("sound"))).directory


@pytest.fixture
def run(sound: Path, tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir(mode=0o700)
    shutil.copytree(sound, tmp_path / "store" / "hurt")
    shutil.copytree(sound, tmp_path / "store" / "well")
    return tmp_path / "store" / "hurt"


def found(run: Path) -> list[Finding]:
    """Return what is not as it should be."""
    return [finding for finding in examine_store(run.parent) if finding.verdict != "ok"]


def test_a_sound_store_is_one_line(run: Path) -> None:
    [line] = examine_store(run.parent)
    assert line.verdict == "ok"
    assert "2 runs (2 finished)" in line.found


def test_a_store_that_cannot_be_read_is_a_problem_of_its_own() -> None:
    [line] = examine_store(Path("r" * 300))
    assert (line.verdict, line.found) == ("problem", f"{'r' * 300} cannot be read: File name too long.")


def test_a_store_of_another_user_is_told_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    [line] = found(run)
    assert "belongs to another user" in line.found


def test_a_run_that_lost_its_files_is_listed_and_says_so(run: Path) -> None:
    lost = run.with_name("20261128-140000-lost-0a1b")
    run.rename(lost)
    for name in ("run.json", "config.toml"):
        (lost / name).unlink()
    [listed] = [one for one in stores.all_runs(lost.parent) if one.directory == lost]
    assert (listed.shown_state, listed.damage) == ("damaged", "run.json: No such file or directory")
    assert any("lost-0a1b: run.json: No such file or directory" in finding.found for finding in found(lost))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def newest(run: Path) -> Path:
    path = checkpoints.newest_good(run / "checkpoints", "last")
    assert path is not None
    return path


HURTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "run.json": (lambda run: cut(run / "run.json"), "run.json is not what a trainer writes"),
    "config.toml": (lambda run: (run / "config.toml").write_text("="), "config.toml:1: is not TOML"),
    "events.jsonl": (lambda run: cut(run / "events.jsonl"), "events.jsonl: 1 line is torn or no record"),
    "pictures.json": (lambda run: cut(run / "pictures.json"), "pictures.json is not what a trainer writes"),
    "arrays": (lambda run: cut(newest(run)), "is damaged ("),
    "manifest": (lambda run: cut(newest(run).with_suffix(".json")), "the manifest does not match its checksum"),
    "missing": (lambda run: (run / "run.json").unlink(), "hurt: lacks run.json"),
    "fifo": (lambda run: ((run / "events.jsonl").unlink(), os.mkfifo(run / "events.jsonl")), "not a regular file"),
    "circle": (lambda run: (run / "more").symlink_to(run), "more is a link to elsewhere"),
    "rights": (lambda run: (run / "log.txt").chmod(0o666), "log.txt can be written by others"),
    "store": (lambda run: run.parent.chmod(0o777), "can be written by others. Make it yours"),
}


@pytest.mark.parametrize("what", HURTS)
def test_what_is_damaged_is_named_with_its_reason_and_the_rest_is_looked_at(run: Path, what: str) -> None:
    hurt, words = HURTS[what]
    hurt(run)
    findings = found(run)
    assert [finding.verdict for finding in findings if words in finding.found] == ["problem"], findings
    assert all("\n" not in finding.found for finding in findings)
    assert not [finding for finding in findings if "well" in finding.found]


def test_a_dead_run_says_from_where_it_can_go_on(run: Path) -> None:
    directory = RunDirectory.create(run.parent, Config())
    directory.record(Started(n_parameters=1, device="cpu", steps_per_epoch=1))
    (directory.path / ".run.json.0123456789abcdef.tmp").touch(0o600)
    directory.close()
    shutil.copytree(run / "checkpoints", directory.path / "checkpoints")
    dead, left = found(run)
    assert (dead.subject, dead.verdict, left.subject) == ("dead run", "note", "left over")
    assert f"nn-tui resume {directory.path.name} goes on from update 6" in dead.found
