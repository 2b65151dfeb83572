import time
from pathlib import Path

import pytest

from trainer.config import Config
from trainer.events import Finished, Paused
from trainer.run_directory import RunDirectory
from tui import cli, limits, unattended

NOON = time.mktime((*time.localtime()[:3], 12, 0, 0, 0, 0, -1))


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs", Config().changed({"name": "digits"}))


def test_a_run_that_went_on_is_told_once_when_it_has_ended(directory: RunDirectory, tmp_path: Path):
    unattended.mark(directory.path, NOON)
    assert unattended.tell(tmp_path / "runs") == ["digits goes on without a terminal since 12:00"]
    directory.record(Finished(reason="completed"))
    directory.close()
    ended = time.strftime("%H:%M", time.localtime((directory.path / "run.json").stat().st_mtime))
    lines = unattended.tell(tmp_path / "runs")
    assert lines == [f"digits went on without a terminal 12:00–{ended}, finished"]
    assert unattended.tell(tmp_path / "runs") == []


def test_a_run_that_is_paused_does_not_go_on(directory: RunDirectory, tmp_path: Path):
    unattended.mark(directory.path, NOON)
    directory.record(Paused(message="by the app"))
    [line] = unattended.tell(tmp_path / "runs")
    assert line == "digits is without a terminal since 12:00, paused until somebody goes on with it (f5)"
    directory.close()


def test_the_first_note_stays(directory: RunDirectory, tmp_path: Path):
    unattended.mark(directory.path, NOON)
    unattended.mark(directory.path, NOON + 3600)
    assert "since 12:00" in unattended.tell(tmp_path / "runs")[0]


def test_of_a_run_that_somebody_goes_on_with_nothing_is_told(directory: RunDirectory, tmp_path: Path):
    unattended.mark(directory.path, NOON)
    directory.close()
    assert cli.run(["resume", directory.path.name, "--epochs", "1", "--runs", str(tmp_path / "runs")]) == 0
    assert unattended.tell(tmp_path / "runs") == []


def test_another_day_is_named(directory: RunDirectory, tmp_path: Path):
    unattended.mark(directory.path, NOON - 40 * 86400)
    day = time.strftime("%d %b", time.localtime(NOON - 40 * 86400))
    assert f"since {day} 12:00" in unattended.tell(tmp_path / "runs")[0]


@pytest.mark.parametrize("damage", ["no time", "", "9" * 100, "nan", "inf"])
def test_a_damaged_note_tells_nothing_and_harms_nobody(directory: RunDirectory, tmp_path: Path, damage: str):
    (directory.path / "unattended").write_text(damage)
    assert unattended.tell(tmp_path / "runs") == []


def test_a_store_that_does_not_exist_has_nothing_to_tell(tmp_path: Path):
    assert unattended.tell(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"}, "SLURM ends it with step 0 of job 7"),
        ({"SLURM_JOB_ID": "7"}, "SLURM ends it with job 7"),
    ],
)
def test_the_end_of_a_slurm_job_is_foretold(environment: dict[str, str], words: str):
    assert limits.what_ends_it(environment).startswith(words)


@pytest.mark.parametrize(
    ("group", "answer", "is_told"),
    [
        ("0::/user.slice/user-1000.slice/session-4.scope", "KillUserProcesses=yes", True),
        ("0::/user.slice/user-1000.slice/session-4.scope", "KillUserProcesses=no", False),
        ("0::/user.slice/user-1000.slice/user@1000.service/run-1.scope", "KillUserProcesses=yes", False),
    ],
)
def test_a_logout_that_ends_all_processes_is_foretold(
    group: str, answer: str, is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "cgroup").write_text(group)
    monkeypatch.setattr(limits, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(limits, "_ASKED", ["echo", answer])
    assert ("systemd-run" in limits.what_ends_it({})) == is_told


def test_where_nobody_can_be_asked_nothing_is_foretold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "cgroup").write_text("0::/user.slice/session-4.scope")
    monkeypatch.setattr(limits, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(limits, "_ASKED", [str(tmp_path / "none")])
    assert limits.what_ends_it({}) == ""
