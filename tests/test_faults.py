"""What a disk that refuses does to a run: to its records, its state, its screen and its end."""

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from screens import part, running, until, until_shown

from torture.faulty_disk import FaultyDisk, SmallDisk
from trainer import appending, checkpoints, runs
from trainer import store as stores
from trainer.config import Config
from trainer.events import Epoch, Finished, SavedAgain, Started, Unsaved, Warned
from trainer.log import Log, Tail
from trainer.past import Past
from trainer.preparation import prepare
from trainer.problems import RunError
from trainer.reserve import SIZE
from trainer.run_directory import RunDirectory, locked
from trainer.training import start_replicas, train_together
from tui import cli, headless

TINY = {"data.source": "iris", "model.hidden": [4], "training.batch_size": 40, "training.epochs": 4}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def begun(store: Path) -> RunDirectory:
    directory = RunDirectory.create(store, Config(), n_parameters=7, data_fingerprint="f")
    directory.record(Started(n_parameters=7, device="cpu", steps_per_epoch=1))
    return directory


def epochs(directory: RunDirectory, count: int) -> None:
    for _ in range(count):
        directory.epoch += 1
        directory.record(Epoch(metrics={"loss": 1.0}, examples_per_second=1.0), epoch=directory.epoch - 1)


def kinds(path: Path) -> list[str]:
    return [event.kind for event in Tail(path / "events.jsonl").read_all()]


# What waits.


def test_records_that_the_disk_refuses_wait_and_are_written_in_order(tmp_path: Path) -> None:
    log = Log(tmp_path / "events.jsonl")
    with FaultyDisk(tmp_path, errno.EIO, first=1):
        for number in range(3):
            log.append(Warned(message=str(number)))
        assert log.waiting == 3
        with pytest.raises(OSError, match="Input/output"):
            log.flush()
    log.append(Warned(message="3"))
    assert Tail(tmp_path / "events.jsonl").read_all() == [], "not before those that wait"
    log.flush()
    log.close()
    read = Tail(tmp_path / "events.jsonl").read_all()
    assert [event.seq for event in read] == [0, 1, 2, 3]
    assert log.waiting == 0


def test_a_record_of_which_the_disk_took_a_part_is_gone_on_with(tmp_path: Path) -> None:
    log = Log(tmp_path / "events.jsonl")
    with SmallDisk(tmp_path, capacity=100) as disk:
        log.append(Warned(message="x" * 300))
        log.append(Warned(message="next"))
        assert (tmp_path / "events.jsonl").stat().st_size == 100
        disk.capacity = 10_000
        log.flush()
    tail = Tail(tmp_path / "events.jsonl")
    assert [len(event.message) for event in tail.read_all() if isinstance(event, Warned)] == [300, 4]
    assert tail.skipped == 0
    log.close()


def test_more_than_memory_is_given_for_is_dropped_oldest_first_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "_MOST_BYTES", 1000)
    file = appending.Appending(tmp_path / "file")
    for number in range(20):
        file.append(b"%099d\n" % number)
    assert (file.waiting, file.lost) == (10, 10)
    file.flush()
    file.close()
    assert [int(line) for line in (tmp_path / "file").read_text().split()] == list(range(10, 20))


def test_a_log_whose_last_line_was_torn_begins_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"kind": "warn')
    log = Log(path)
    log.append(Warned(message="whole"))
    log.close()
    tail = Tail(path)
    assert [event.kind for event in tail.read_all()] == ["warning"]
    assert tail.skipped == 1


# What a run says of it.


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_run_goes_on_in_memory_and_saves_all_of_it_when_the_disk_is_well_again(store: Path, code: int) -> None:
    directory = begun(store)
    with FaultyDisk(store, code, first=1):
        epochs(directory, 3)
        directory.record(Warned(message="x"))
        assert directory.trouble is not None
        assert directory.trouble.message == os.strerror(code)
        assert [told.what for told in directory.run.unsaved] == ["records"]
        assert directory.run.status.epochs == 3
        assert runs.peek(directory.path).shown_state == "running"
    directory._status_due = 0.0
    epochs(directory, 1)
    assert directory.trouble is None
    assert kinds(directory.path) == ["started", "epoch", "unsaved", "epoch", "epoch", "warning", "epoch", "saved_again"]
    directory.record(Finished(reason="completed"))
    directory.close()
    read = runs.read(directory.path)
    assert (read.status.epochs, read.unsaved, runs.peek(directory.path).unsaved) == (4, [], [])


def test_a_full_disk_takes_the_warning_and_the_end_but_not_what_does_not_fit(store: Path) -> None:
    directory = begun(store)
    with SmallDisk(store, capacity=SIZE + 4000) as disk:
        epochs(directory, 3000)
        assert disk.failed
        read = runs.read(directory.path)
        assert [(told.what, told.message) for told in read.unsaved] == [("records", "No space left on device")]
        assert [told.what for told in runs.peek(directory.path).unsaved] == ["records"]
        directory.record(Finished(reason="completed", message="done"))
        directory.close()
    assert directory.trouble is None
    read = runs.read(directory.path)
    assert read.status.state == runs.peek(directory.path).status.state == "finished"
    last = [event.message for event in read.happenings if isinstance(event, Warned | Finished)]
    assert last == [f"{directory.log.lost} records could not be saved", "done"]
    assert Tail(directory.path / "events.jsonl").skipped == 0


def test_a_run_holds_room_for_its_end_and_gives_it_back(store: Path) -> None:
    directory = begun(store)
    assert (directory.path / "reserve").stat().st_size == SIZE
    directory.record(Finished(reason="completed"))
    directory.close()
    assert not (directory.path / "reserve").exists()


def test_a_run_that_died_in_trouble_and_is_gone_on_with_says_that_it_is_saved_again(store: Path) -> None:
    directory = begun(store)
    with SmallDisk(store, capacity=SIZE + 4000):
        epochs(directory, 3000)
        os.close(directory._lock)  # as the kernel does when a process dies
    run = runs.read(directory.path)
    assert [told.what for told in run.unsaved] == ["records"]
    again = RunDirectory.reopen(directory.path, run, Past(next_seq=5000), locked(directory.path))
    again.record(Started(n_parameters=7, device="cpu", steps_per_epoch=1))
    again.close()
    assert runs.read(directory.path).unsaved == []


def test_what_could_not_be_saved_to_the_end_is_known_to_who_trained(store: Path) -> None:
    directory = begun(store)
    with FaultyDisk(store, errno.EROFS, first=1):
        epochs(directory, 2)
        directory.record(Finished(reason="completed"))
        directory.close()
    assert directory.trouble is not None
    assert directory.trouble.message == "Read-only file system"
    assert runs.read(directory.path).shown_state == "crashed"


def test_a_run_that_cannot_begin_leaves_nothing(store: Path) -> None:
    store.mkdir()
    with FaultyDisk(store) as disk:
        directory = RunDirectory.create(store, Config())
    directory.discard()
    for first in range(1, disk.calls + 1):
        with FaultyDisk(store, errno.ENOSPC, first, last=first), pytest.raises(RunError, match="No space left"):
            RunDirectory.create(store, Config())
        assert list(store.iterdir()) == []
    assert disk.calls > 10


def test_replicas_of_which_one_cannot_begin_leave_nothing(store: Path) -> None:
    prepared = prepare(Config().changed({**TINY, "training.replicas": 3}))
    with FaultyDisk(store) as disk:
        for _, directory in start_replicas(prepared, store):
            directory.discard()
    for first in range(disk.calls // 2, disk.calls // 4 * 3):
        with FaultyDisk(store, errno.ENOSPC, first, last=first), contextlib.suppress(RunError):
            for _, directory in start_replicas(prepared, store):
                directory.discard()
        assert list(store.iterdir()) == []


# What a training does.


def trained(store: Path, disk: Callable[[], Any], **settings: Any) -> RunDirectory:
    """Train on a disk that is made once the run has begun."""
    prepared = prepare(Config().changed({**TINY, **settings}))
    directories = start_replicas(prepared, store)
    with disk():
        train_together(directories)
    return directories[0][1]


def test_a_training_on_a_disk_that_is_read_only_from_its_second_on_ends_as_if_nothing_were(store: Path) -> None:
    directory = trained(store, lambda: FaultyDisk(store, errno.EROFS, first=1))
    assert directory.run.status.state == "finished"
    assert {told.what for told in directory.run.unsaved} >= {"checkpoints", "pictures.json", "log.txt"}
    assert directory.trouble is not None
    assert stores.all_runs(store)[0].status.state == "starting"


def test_event_files_wait_for_the_disk(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.callbacks.event_files._FLUSH_SECONDS", 0.0)
    from trainer.callbacks import EpochEnd, TensorBoard, TensorBoardSection

    board = TensorBoard(TensorBoardSection(enabled=True), store / "tensorboard", {})
    store.mkdir()
    with FaultyDisk(store, errno.ENOSPC, first=1):
        for epoch in range(3):
            board.on_epoch_end(EpochEnd(epoch, {"loss": 1.0}, 0.1))
            with pytest.raises(OSError, match="No space"):
                board.flush()
    board.close()
    [file] = (store / "tensorboard" / "train").iterdir()
    assert file.read_bytes().count(b"epoch_loss") == 3


def test_a_checkpoint_that_cannot_be_saved_is_told_once_and_so_is_the_next_that_can(store: Path) -> None:
    class Checkpoints(FaultyDisk):
        def do(self, name: str, call: Any, *args: Any, **kwargs: Any) -> Any:
            if name == "mkdir" and not self.failed:
                raise self.refuse(errno.EDQUOT)
            return call(*args, **kwargs)

    directory = trained(store, lambda: Checkpoints(store))
    told = [event for event in directory.run.happenings if isinstance(event, Unsaved | SavedAgain)]
    assert [(event.kind, event.what) for event in told] == [("unsaved", "checkpoints"), ("saved_again", "checkpoints")]
    assert told[0].message.startswith("Disk quota exceeded at update")
    assert checkpoints.newest_good(directory.path / "checkpoints") is not None


def test_a_run_that_ends_without_its_newest_checkpoint_says_so(store: Path) -> None:
    class Checkpoints(FaultyDisk):
        def do(self, name: str, call: Any, *args: Any, **kwargs: Any) -> Any:
            if name == "mkdir":
                raise self.refuse(errno.ENOSPC)
            return call(*args, **kwargs)

    directory = trained(store, lambda: Checkpoints(store))
    assert directory.run.status.state == "finished"
    assert directory.run.lost.startswith("its newest checkpoints: No space left on device at update")


def test_a_run_on_a_full_disk_makes_room_for_a_command(store: Path) -> None:
    directory = begun(store)
    held = (directory.path / "reserve").stat().st_size
    directory.make_room()
    assert (directory.path / "reserve").stat().st_size < held
    directory.close()


# What a person sees of it.


async def test_the_screen_says_what_is_not_saved_and_when_that_is_over(store: Path) -> None:
    # Long epochs: a screen that draws thousands of them takes longer than this test.
    settings = {"data.source": "digits", "model.hidden": [8], "training.batch_size": 1, "training.epochs": 1_000_000}
    settings["callbacks.model_checkpoint.enabled"] = False
    async with running(Config().changed(settings)) as pilot:
        await pilot.press("ctrl+r")
        await until_shown(pilot, "▶ running")
        with FaultyDisk(store, errno.EROFS, first=1):
            await until(pilot, lambda: "! records not saved since " in part(pilot, "#status"))
            await until(pilot, lambda: ": Read-only file system" in part(pilot, "#status"))
        await until(pilot, lambda: "examples/s" in part(pilot, "#status"))


def test_the_command_line_says_what_was_not_saved_and_fails(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", "iris-first", "--set", "training.epochs=2", "--set", "model.hidden=[4]"]
    started = headless.start_replicas

    def on_a_bad_disk(*args: Any) -> Any:
        made = started(*args)
        disk.__enter__()
        return made

    disk = FaultyDisk(store, errno.EIO, first=1)
    monkeypatch.setattr(headless, "start_replicas", on_a_bad_disk)
    try:
        assert cli.run(words) == 1
    finally:
        disk.__exit__()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"nn-tui: {store}")
    assert "records: Input/output error" in last
