"""What strangers leave in a store, and what machines do to one. Other input: docs/reliability.md has a list."""

import csv
import errno
import io
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from torture.faulty_disk import FaultyDisk
from torture.hostile_store import escaped, strings, write_run
from trainer import runs
from trainer.commands import Inbox, Pause, send
from trainer.config import Config
from trainer.events import Epoch, Finished, Started
from trainer.problems import RunError
from trainer.run_directory import RunDirectory
from trainer.store import all_runs
from tui import cli
from tui.wording import age


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def begun(store: Path) -> RunDirectory:
    directory = RunDirectory.create(store, Config())
    directory.record(Started(n_parameters=1, device="cpu", steps_per_epoch=1))
    return directory


def in_time(act: Callable[[], Any]) -> None:
    """Do something that must not wait for anybody."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(60.0)
    assert not thread.is_alive()


@pytest.mark.parametrize("name", ["events.jsonl", "run.json", "config.toml", "commands.jsonl", "pictures.json", "lock"])
@pytest.mark.parametrize("kind", ["fifo", "circle", "folder"])
def test_what_is_no_file_in_a_run_makes_nobody_wait(store: Path, name: str, kind: str) -> None:
    good, bad = begun(store), begun(store)
    bad.close()
    path = bad.path / name
    path.unlink(missing_ok=True)
    {"fifo": os.mkfifo, "circle": lambda it: it.symlink_to(it), "folder": os.mkdir}[kind](path)

    def look() -> None:
        listed = {run.directory: run.shown_state for run in all_runs(store)}
        assert listed[good.path] == "running"
        runs.read(bad.path)
        Inbox(bad.path).read()
        if name == "commands.jsonl":
            with pytest.raises(OSError, match=r"regular|device|directory|links"):
                send(bad.path, Pause())
        done.append(name)

    done: list[str] = []
    in_time(look)
    good.close()
    assert done == [name]


def test_a_store_that_is_read_only_can_be_looked_at_and_refuses_runs_in_one_line(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(store).close()
    with FaultyDisk(store, errno.EROFS, first=1):
        assert cli.run(["runs"]) == 0
        assert "crashed" in capsys.readouterr().out
        with pytest.raises(RunError, match=f"^no run can be kept in {store}: Read-only file system$"):
            RunDirectory.create(store, Config())
    assert len(all_runs(store)) == 1


def test_a_clock_that_jumps_changes_no_order_and_no_duration(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = begun(store)
    for epoch, now in enumerate([2e9, 0.0, 1e9]):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        directory.seconds = float(epoch)
        directory.record(Epoch(metrics={"loss": 3.0 - epoch}, examples_per_second=1.0), epoch=epoch, step=epoch + 1)
    directory.record(Finished(reason="completed"))
    directory.close()
    monkeypatch.undo()
    run = runs.read(directory.path)
    assert run.epochs["loss"].y.tolist() == [3.0, 2.0, 1.0]
    assert run.epochs["loss"].x("seconds").tolist() == [0.0, 1.0, 2.0]
    assert age(time.time() + 1e6) == "now"


def test_texts_of_strangers_are_spelled_out_in_whatever_is_printed(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = strings(48)
    for n, text in enumerate(texts):
        write_run(store / f"2026-{n:02d}", text, texts)
    presets = tmp_path / "config" / "nn-tui" / "presets"
    presets.mkdir(parents=True)
    (presets / "a\x1b]666;b\x07.toml").write_text('name = "[/]"\ndescription = "x"\n')
    for words in (
        ["runs"],
        ["compare", "2026-00", "2026-04"],
        ["examples", "2026-10"],
        ["presets"],
        ["runs", texts[0]],
    ):
        assert cli.run(words) == 0
    for words in (["train", texts[4]], ["control", "2026-00", texts[0]], ["compare", "2026-00", texts[24]]):
        assert cli.run(words) == 2
    out, err = capsys.readouterr()
    assert escaped(out.encode()) == escaped(err.encode()) == []
    assert len(err.splitlines()) == 3


def test_what_is_exported_holds_no_formula_and_no_escape(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(store / "2026-00", "=cmd()", ["=cmd()", "@SUM(1)", "\x1b[666m", "+1"])
    for words in (["export", "2026-00", "--to", "csv"], ["compare", "2026-00", "--csv"]):
        assert cli.run(words) == 0
        out = capsys.readouterr().out
        assert escaped(out.encode()) == []
        cells = [cell for row in csv.reader(io.StringIO(out)) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
        assert any(cell.startswith("'=cmd()") for cell in cells)
