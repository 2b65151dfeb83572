"""Compiled functions that the next process takes from the disk: the same program only, and never a broken one."""

import os
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trainer import checkpoints, devices, executables
from trainer.executables import executable
from trainer.run import Run

SMALL = {"data.source": "iris", "model.hidden": [3], "training.batch_size": 40, "training.epochs": 2,
         "data.test_split": 0.1}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("NN_TUI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "executables"


def doubled(size: int) -> Any:
    return jax.jit(lambda x: {"twice": x + x}, donate_argnums=0).lower(jax.ShapeDtypeStruct((size,), np.float32))


def saved(run: Run) -> dict[str, bytes]:
    newest = checkpoints.newest_good(run.directory / "checkpoints", "last")
    assert newest is not None
    return {name: array.tobytes() for name, array in checkpoints.load(newest)[0].items()}


def refuse() -> Any:
    raise AssertionError("it was traced")


def had(*key: Any, lower: Callable[[], Any] = refuse) -> executables.Executable:
    return executable(key, 1, lower)


def test_what_was_compiled_is_taken_as_it_is_and_knows_what_it_cost(folder: Path) -> None:
    made = had("doubled", 3, lower=lambda: doubled(3))
    taken = had("doubled", 3)
    assert (made.from_cache, taken.from_cache) == (False, True)
    assert taken.facts == made.facts
    assert taken.facts.seconds > 0
    assert taken.facts.sizes is not None
    assert (taken.facts.sizes.arguments, taken.facts.sizes.results) == (12, 12)
    x = jnp.arange(3.0)
    assert taken(x)["twice"].tolist() == [0, 2, 4]
    assert x.is_deleted(), "it works in the place of its argument"
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


@pytest.mark.parametrize("change", ["key", "code", "flag", "version", "instructions"])
def test_another_program_is_compiled(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    had("doubled", lower=lambda: doubled(3))
    match change:
        case "code":
            monkeypatch.setattr(executables, "_code", lambda: "newer")
        case "flag":
            monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
        case "version":
            monkeypatch.setattr(executables, "machine", lambda: {"jax": "99"})
        case "instructions":
            monkeypatch.setattr(executables, "_instructions", lambda: "flags: fpu")
    assert not had("tripled" if change == "key" else "doubled", lower=lambda: doubled(3)).from_cache


def test_all_code_of_the_package_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(executables, "__file__", str(tmp_path / "executables.py"))
    digests = set()
    for content in ("x = 1\n", "x = 2\n"):
        (tmp_path / "models" / "mlp.py").write_text(content)
        digests.add(executables._code.__wrapped__())
    assert len(digests) == 2


@pytest.mark.parametrize("damage", ["cut short", "a bit", "empty", "another's"])
def test_a_damaged_one_is_compiled_anew_and_replaced(folder: Path, damage: str) -> None:
    had("doubled", lower=lambda: doubled(3))
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    match damage:
        case "cut short":
            path.write_bytes(whole[:-100])
        case "a bit":
            path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        case "empty":
            path.write_bytes(b"")
        case "another's":
            path.write_bytes(executables._sealed(b"no pickle"))
    assert not had("doubled", lower=lambda: doubled(3)).from_cache
    assert had("doubled")(jnp.ones(3))["twice"].tolist() == [2, 2, 2]


def test_the_ones_that_nobody_took_for_longest_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    had(0, lower=lambda: doubled(3))
    (path,) = folder.iterdir()
    monkeypatch.setattr(executables, "_MOST_BYTES", 3 * path.stat().st_size + 99)
    os.utime(path, (1, 1))
    for number in (1, 2):
        had(number, lower=lambda: doubled(3))
    os.utime(next(it for it in folder.iterdir() if it != path), (2, 2))
    assert had(0).from_cache, "which makes it the newest"
    had(3, lower=lambda: doubled(3))
    assert len([*folder.iterdir()]) == 3
    assert had(0).from_cache


def test_without_a_folder_all_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NN_TUI_CACHE", "")
    for _ in range(2):
        assert not had("doubled", lower=lambda: doubled(3)).from_cache
    monkeypatch.setenv("NN_TUI_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir(mode=0o777)
    (tmp_path / "cache").chmod(0o777)
    assert not had("doubled", lower=lambda: doubled(3)).from_cache
    assert not [*(tmp_path / "cache").iterdir()]


def test_a_full_disk_and_a_platform_that_cannot_write_them_down_cost_nothing_but_the_next_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("trainer.files.replace_atomically", fail)
        assert had("doubled", lower=lambda: doubled(3))(jnp.ones(3))["twice"].tolist() == [2, 2, 2]
    with monkeypatch.context() as patch:
        patch.setattr("jax.experimental.serialize_executable.serialize", fail)
        assert had("doubled", lower=lambda: doubled(3))(jnp.ones(3))["twice"].tolist() == [2, 2, 2]
    assert not [*folder.iterdir()]


def test_a_run_whose_program_is_on_the_disk_traces_nothing_and_is_the_same_to_the_bit(
    trained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained(SMALL)
    monkeypatch.setattr("trainer.program._programs", OrderedDict())
    monkeypatch.setattr("trainer.program.make_advance", lambda shape: refuse)
    monkeypatch.setattr("trainer.step.make_init", lambda shape: refuse)
    monkeypatch.setattr("trainer.step.make_evaluate", lambda shape: refuse)
    second = trained(SMALL)
    assert (second.status.state, second.status.message) == (first.status.state, first.status.message)
    for run, expected in ((first, False), (second, True)):
        compiled = [event for event in run.happenings if event.kind == "compiled"]
        assert [event.what for event in compiled] == ["init", "advance", "evaluate"]
        assert {event.from_cache for event in compiled} == {expected}
    assert second.status.test == first.status.test
    assert saved(second) == saved(first)


def test_a_persons_own_network_is_compiled_each_time(tmp_path: Path, folder: Path) -> None:
    environment = {**os.environ, "NN_TUI_RUNS": str(tmp_path / "runs")}
    words = [str(Path(sys.executable).with_name("nn-tui")), "train", "custom-model", "--set", "training.epochs=1"]
    subprocess.run(words, env=environment, check=True, capture_output=True)
    assert not folder.exists()
    assert devices.cache_folder() is not None
    assert [*folder.parent.iterdir()], "it is in JAX's own"
