"""Whether a run has a trainer: by the kernel's lock, and where that says nothing, by heartbeat and process."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from trainer import liveness, runs
from trainer.config import Config
from trainer.events import Started
from trainer.run_directory import RunDirectory

TRAINER = """
import sys, time
from pathlib import Path
from trainer.config import Config
from trainer.events import Started
from trainer.run_directory import RunDirectory
directory = RunDirectory.create(Path(sys.argv[1]), Config())
directory.record(Started(n_parameters=1, device="cpu", steps_per_epoch=1))
print(directory.path, flush=True)
time.sleep(600)
"""


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file system is another machine's."""
    monkeypatch.setattr(liveness, "_kind_of", lambda device, path: "nfs4")


def begun(store: Path) -> RunDirectory:
    directory = RunDirectory.create(store, Config())
    directory.record(Started(n_parameters=1, device="cpu", steps_per_epoch=1))
    return directory


def silent_for(directory: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(directory / "lock", (then, then))


def rewritten(directory: Path, **known: Any) -> None:
    status = runs.peek(directory).status.model_copy(update=known)
    (directory / "run.json").write_text(status.model_dump_json())


def test_a_trainer_that_is_killed_shows_as_dead_at_once(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", TRAINER, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        directory = Path(process.stdout.readline().strip())
        assert runs.peek(directory).shown_state == "running"
        process.send_signal(signal.SIGSTOP)
        assert runs.peek(directory).shown_state == "running", "one that is stopped lives"
        process.kill()
        process.wait()
        assert runs.peek(directory).shown_state == "crashed"


def test_the_first_look_at_a_run_that_is_being_trained_elsewhere_goes_by_the_heartbeat(
    tmp_path: Path, shared: None
) -> None:
    directory = begun(tmp_path)
    assert liveness.is_alive(directory.path), "its lock is held and was touched"
    silent_for(directory.path, liveness.SILENT_SECONDS + 1)
    assert not liveness.is_alive(directory.path), "a server keeps the lock of a machine that is gone"
    directory.close()


@pytest.mark.parametrize(
    ("known", "alive"),
    [
        ({}, True),
        ({"process_started": 1}, False),
        ({"pid": 1 << 22}, False),
        ({"boot_id": "of another start"}, False),
        ({"host": "another", "pid": 1 << 22, "boot_id": "another"}, True),
    ],
)
def test_where_locks_say_nothing_the_process_is_looked_for_on_its_own_machine(
    tmp_path: Path, shared: None, known: dict[str, Any], alive: bool
) -> None:
    directory = begun(tmp_path)
    directory.close()
    rewritten(directory.path, **known)
    assert liveness.is_alive(directory.path) == alive
    silent_for(directory.path, liveness.SILENT_SECONDS + 1)
    assert not liveness.is_alive(directory.path)


def test_a_trainer_on_another_machines_disk_touches_its_lock_until_it_lets_go(
    tmp_path: Path, shared: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "BEAT_SECONDS", 0.001)
    directory = begun(tmp_path)
    silent_for(directory.path, 1000)
    while (directory.path / "lock").stat().st_mtime < time.time() - 500:
        time.sleep(0.001)
    directory.close()
    silent_for(directory.path, 1000)
    assert directory._heartbeat is not None
    assert not directory._heartbeat._thread.is_alive()
    assert not liveness.is_alive(directory.path)


def test_the_heartbeat_is_judged_by_the_clock_of_the_file_system(
    tmp_path: Path, shared: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = begun(tmp_path)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert liveness.is_alive(directory.path)
    silent_for(directory.path, -1e9)
    directory.close()
    assert sorted(path.name for path in directory.path.iterdir()) == ["config.toml", "events.jsonl", "lock", "run.json"]


def test_a_file_system_without_locks_stops_no_training_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    directory = begun(tmp_path)
    assert [event.kind for event in directory.run.happenings] == ["warning", "started"]
    assert liveness.is_alive(directory.path)
    silent_for(directory.path, liveness.SILENT_SECONDS + 1)
    assert not liveness.is_alive(directory.path)
    directory.close()


def test_a_lock_that_is_no_file_says_that_nobody_is_there(tmp_path: Path) -> None:
    directory = begun(tmp_path)
    directory.close()
    (directory.path / "lock").unlink()
    os.mkfifo(directory.path / "lock")
    assert not liveness.is_alive(directory.path)


def test_the_file_system_of_a_folder_is_known_by_its_device_or_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = tmp_path.stat()
    number = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    monkeypatch.setattr(liveness, "_mounts", lambda: iter([("0:1", "/", "ext4"), (number, "/x", "fuse.sshfs")]))
    liveness._kind_of.cache_clear()
    assert liveness.is_shared(tmp_path)
    liveness._kind_of.cache_clear()
    monkeypatch.setattr(liveness, "_mounts", lambda: iter([("0:1", "/", "nfs"), ("0:2", str(tmp_path), "ext4")]))
    assert not liveness.is_shared(tmp_path)
    liveness._kind_of.cache_clear()
