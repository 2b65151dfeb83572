"""Compiled functions that the next process takes from the disk: the same program only, and never a broken one."""

import json
import os
import subprocess
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from terminals import PROGRAM
from trainer import checkpoints, executables, program
from trainer.executables import executable
from trainer.run import Run
from trainer.runs import read

SMALL = {"data.source": "iris", "model.hidden": [3], "training.batch_size": 40, "training.epochs": 2,
         "data.test_split": 0.1}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("NN_TUI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def doubled(size: int = 3) -> Any:
    return jax.jit(lambda x: {"twice": x + x}, donate_argnums=0).lower(jax.ShapeDtypeStruct((size,), np.float32))


def saved(run: Run) -> dict[str, bytes]:
    newest = checkpoints.newest_good(run.directory / "checkpoints", "last")
    assert newest is not None
    return {name: array.tobytes() for name, array in checkpoints.load(newest)[0].items()}


def refuse() -> Any:
    raise AssertionError("it was traced")


def had(*key: Any, lower: Callable[[], Any] = refuse) -> executables.Executable:
    return executable(key, 1, lower)


def compiles(*key: Any, lower: Callable[[], Any] = doubled) -> bool:
    return not had(*key, lower=lower).from_cache


def test_what_was_compiled_is_taken_as_it_is_and_knows_what_it_cost(folder: Path) -> None:
    made, taken = had("doubled", lower=doubled), had("doubled")
    assert (made.from_cache, taken.from_cache) == (False, True)
    assert taken.facts == made.facts
    assert taken.facts.seconds > 0
    assert taken.facts.sizes is not None
    assert (taken.facts.sizes.arguments, taken.facts.sizes.results) == (12, 12)
    x = jnp.arange(3.0)
    assert taken(x)["twice"].tolist() == [0, 2, 4]
    assert x.is_deleted(), "it works in the place of its argument"
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("change", ["flag", "version", "instructions"])
def test_another_machine_compiles(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiles("doubled")
    match change:
        case "flag":
            monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
        case "version":
            monkeypatch.setattr(executables, "machine", lambda: {"jax": "99"})
        case "instructions":
            monkeypatch.setattr(executables, "_instructions", lambda: "flags: fpu")
    assert compiles("doubled")


def test_another_structure_and_newer_code_are_traced_and_compiled_only_if_the_program_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert compiles("doubled", 3)
    assert not compiles("doubled again", 3)
    assert compiles("doubled again", 4, lower=lambda: doubled(4))
    monkeypatch.setattr(executables, "_CODE", "newer")
    with pytest.raises(AssertionError, match="traced"):
        had("doubled", 3)
    assert not compiles("doubled", 3)
    assert had("doubled", 3)(jnp.ones(3))["twice"].tolist() == [2, 2, 2]


def test_what_no_key_says_is_found_by_its_text(folder: Path) -> None:
    assert not executable(None, 1, doubled).from_cache
    assert executable(None, 1, doubled).from_cache
    with pytest.raises(AssertionError, match="traced"):
        executable(None, 1, refuse)
    assert len([*folder.iterdir()]) == 1


def test_all_code_of_the_package_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(executables, "__file__", str(tmp_path / "executables.py"))
    digests = set()
    for content in ("x = 1\n", "x = 2\n"):
        (tmp_path / "models" / "mlp.py").write_text(content)
        digests.add(executables._code())
    assert len(digests) == 2


@pytest.mark.parametrize("damage", ["cut short", "a bit", "empty", "another's"])
@pytest.mark.parametrize("pattern", ["*.found", "*"])
def test_a_damaged_file_is_as_good_as_none_and_is_replaced(folder: Path, damage: str, pattern: str) -> None:
    had("doubled", lower=doubled)
    for path in folder.glob(pattern):
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
    assert compiles("doubled") == (pattern == "*")
    assert had("doubled")(jnp.ones(3))["twice"].tolist() == [2, 2, 2]


def test_what_nobody_took_for_longest_makes_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def age(seconds: int, *known: Path) -> list[Path]:
        new = [path for path in folder.iterdir() if path not in known]
        for path in new:
            os.utime(path, (seconds, seconds))
        return new

    def sized(size: int) -> Callable[[], Any]:
        return lambda: doubled(size)

    had(1, lower=sized(1))
    first = age(1)
    strangers = [folder / name for name in ("mine.npz", "program")]
    for path in strangers:
        path.write_bytes(b"not ours")
    age(0, *first)
    room = sum(path.stat().st_blocks * 512 for path in first)
    had(2, lower=sized(2))
    age(2, *first, *strangers)
    monkeypatch.setattr(executables, "_MOST_BYTES", int(2.2 * room))
    assert had(1), "which makes it the newest"
    had(3, lower=sized(3))
    assert had(1)
    assert had(3)
    assert compiles(2, lower=sized(2))
    assert [path.read_bytes() for path in strangers] == [b"not ours"] * 2


def test_what_another_put_there_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiles("doubled")
    with monkeypatch.context() as patch:
        patch.setattr("trainer.devices.cache_trouble", lambda: "")
        patch.setattr(os, "getuid", lambda: 12345)
        assert compiles("doubled")
    assert not compiles("doubled")


def test_without_a_folder_all_is_compiled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("NN_TUI_CACHE", "")
        assert [compiles("doubled") for _ in range(2)] == [True, True]
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    assert [compiles("doubled") for _ in range(2)] == [True, True]
    assert not [*folder.iterdir()]


def test_where_jax_was_told_to_keep_programs_only_jax_does(folder: Path, tmp_path: Path) -> None:
    words = [str(PROGRAM), "train", "iris-first", "--set", "training.epochs=1"]
    told = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "jax"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    environment = {**os.environ, **told, "NN_TUI_RUNS": str(tmp_path / "runs")}
    for _ in range(2):
        subprocess.run(words, env=environment, check=True, capture_output=True)
    assert [*(tmp_path / "jax").iterdir()]
    assert not folder.exists() or not [*folder.iterdir()]


def test_a_full_disk_and_a_platform_that_cannot_write_them_down_cost_nothing_but_the_next_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("trainer.files.replace_atomically", fail)
        assert had("doubled", lower=doubled)(jnp.ones(3))["twice"].tolist() == [2, 2, 2]
    assert not [*folder.iterdir()]
    with monkeypatch.context() as patch:
        patch.setattr("jax.experimental.serialize_executable.serialize", fail)
        assert had("doubled", lower=doubled)(jnp.ones(3))["twice"].tolist() == [2, 2, 2]
    assert compiles("doubled")
    assert not compiles("doubled")


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


def test_functions_of_one_text_that_take_other_arguments_are_told_apart(trained: Callable[..., Run]) -> None:
    """What begins a training uses no number of the schedule; but it is given them."""
    for kind in ("constant", "cosine", "constant"):
        program._programs.clear()
        run = trained({**SMALL, "schedule.kind": kind})
        assert run.status.state == "finished", run.status.message


def test_a_persons_own_network_is_found_by_its_text(tmp_path: Path, folder: Path) -> None:
    words = [str(PROGRAM), "train", "custom-model", "--set", "training.epochs=1", "--json"]
    found = []
    for _ in range(2):
        environment = {**os.environ, "NN_TUI_RUNS": str(tmp_path / "runs")}
        done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
        run = read(Path(json.loads(done.stdout)["run"]))
        found.append({event.from_cache for event in run.happenings if event.kind == "compiled"})
    assert found == [{False}, {True}]
    assert not [*folder.glob("*.found")]
