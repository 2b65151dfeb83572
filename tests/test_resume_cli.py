"""`nn-tui resume` and `nn-tui fork`, as a shell sees them."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from trainer import runs, training
from trainer.config import Config
from trainer.preparation import prepare
from trainer.resuming import resume
from trainer.run import Run
from tui import cli

TINY = {"data.source": "iris", "model.hidden": [6], "training.batch_size": 16, "training.epochs": 6,
        "training.diagnostics": False, "name": "cut off"}  # fmt: skip


class Shell:
    """Runs the command line in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str | Path) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr."""
        self._capsys.readouterr()
        code = cli.run([str(word) for word in words])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture
def cut_off(tmp_path: Path) -> Run:
    """A run that was interrupted at the first opportunity."""
    prepared = prepare(Config().changed(TINY))
    cancelled = threading.Event()
    cancelled.set()
    run = training.train(prepared, training.start(prepared, tmp_path), cancelled)
    assert run.status.reason == "interrupted"
    assert run.status.epochs < 6
    return run


def result(out: str) -> dict[str, Any]:
    return json.loads(out.splitlines()[-1])  # type: ignore[no-any-return]


def test_a_run_goes_on_is_extended_and_forked(shell: Shell, cut_off: Run, tmp_path: Path) -> None:
    code, out, err = shell("resume", "@last", "--runs", tmp_path, "--json")
    told = result(out)
    assert code == 0
    assert (told["run"], told["state"], told["epochs"], told["resumed"]) == (
        str(cut_off.directory), "finished", 6, "exact",
    )  # fmt: skip
    assert "resumed after epoch" in err
    assert err.count("training 51 parameters") == 1, "what was told before is not told again"

    code, out, err = shell("resume", cut_off.id, "--runs", tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith(f"nn-tui: {cut_off.id} is over after 6 epochs (completed).")
    assert err.count("\n") == 1

    code, _, err = shell("resume", cut_off.id, "--runs", tmp_path, "--epochs", "3")
    assert (code, err) == (2, "nn-tui: --epochs must be more than the 6 epochs done, got 3.\n")

    code, out, err = shell("resume", cut_off.directory, "--epochs", "9")
    assert code == 0
    assert "training.epochs 6 → 9, by resume" in err
    assert out.startswith("finished: all epochs done")

    code, out, _ = shell(
        "fork", cut_off.id, "--at", "best", "--set", "training.epochs=12", "--set", "optimizer.learning_rate=0.5",
        "--name", "branch", "--runs", tmp_path, "--json",
    )  # fmt: skip
    told = result(out)
    assert code == 0
    assert told["parent"]["run"] == cut_off.id
    assert runs.peek(Path(told["run"])).name == "branch"
    assert runs.peek(Path(told["run"])).config.optimizer.learning_rate == 0.5  # type: ignore[union-attr]

    code, _, err = shell(
        "fork", cut_off.id, "--set", "model.hidden=[7]", "--set", "training.epochs=20", "--runs", tmp_path
    )
    assert code == 2
    assert "parameters.0.weight is float32 [6, 4] in the checkpoint, this config needs float32 [7, 4]" in err


def test_a_run_that_another_process_trains_is_left_to_it(
    shell: Shell, cut_off: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.run_directory._LOCK_SECONDS", 0.05)
    ((_, directory),) = resume(cut_off.directory)
    code, _, err = shell("resume", cut_off.directory)
    assert (code, err) == (
        2, f"nn-tui: {cut_off.id} is being trained already; nn-tui control commands it.\n",
    )  # fmt: skip
    directory.close()


def test_code_is_named_by_a_path_that_is_there(shell: Shell, cut_off: Run) -> None:
    code, _, err = shell("resume", cut_off.directory, "--code", "nowhere.py")
    assert (code, err) == (2, "nn-tui: --code must be a file or a folder, and nowhere.py is not there.\n")
