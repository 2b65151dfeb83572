import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from trainer import cgroup, devices, memory, program
from trainer.config import Config
from trainer.lr_finder import find
from trainer.preparation import prepare
from trainer.problems import RunError
from trainer.run import Run
from trainer.shape import shape_of

devices.prepare_jax()

MIB = 2**20
MOONS = {"data.source": "moons", "data.size": 3000, "model.hidden": [500], "training.batch_size": 2000,
         "training.epochs": 2, "data.test_split": 0.1, "data.validation_split": 0.1}  # fmt: skip


def line(size: int) -> int:
    """What a training needs that takes 10 MiB and 1 MiB more for each example of a batch."""
    return (10 + size) * MIB


@pytest.mark.parametrize(
    ("batch_size", "limit", "advice"),
    [
        (1000, 100, "batches of 1000 need 1,010.0 MiB, the device has 100.0 MiB. Use 64, which would fit."),
        (1000, 74, "Use 64, which would fit."),
        (1000, 73, "Use 32, which would fit."),
        (1000, 1009, "Use 512, which would fit."),
        (2000, 1009, "batches of 2000 need 2.0 GiB, the device has 1,009.0 MiB. Use 512, which would fit."),
        (2, 11, "Use 1, which would fit."),
        (1000, 10, "No batch size would fit: use fewer neurons or fewer examples."),
        (1, 10, "No batch size would fit: use fewer neurons or fewer examples."),
    ],
)
def test_what_does_not_fit_is_refused_with_a_batch_size_that_would(
    batch_size: int, limit: int, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "of_device", lambda devices: limit * MIB)
    with pytest.raises(RunError) as refused:
        memory.require(batch_size, 1, line)
    message = str(refused.value)
    assert message.startswith("training.batch_size must fit into memory: ")
    assert message.endswith(advice)
    assert "\n" not in message


def test_the_advice_holds_where_need_does_not_grow_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 100 examples on each takes more: the first guess is wrong, and is seen to be by compiling for it."""
    tried: list[int] = []

    def need(size: int) -> int:
        tried.append(size)
        return (size + 3 * max(0, min(size, 900) - 100)) * MIB

    monkeypatch.setattr(memory, "of_device", lambda devices: 600 * MIB)
    with pytest.raises(RunError, match="Use 128, which would fit"):
        memory.require(1000, 1, need)
    assert tried[-1] == 128
    assert need(128) <= 600 * MIB < need(256)


@pytest.mark.parametrize(("needed", "there"), [(None, 10), (10, None), (None, None), (10, 10)])
def test_where_nobody_says_or_it_fits_nothing_is_refused(
    needed: int | None, there: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "of_device", lambda devices: there)
    memory.require(64, 1, lambda size: needed)


@pytest.mark.parametrize(
    ("batch_size", "left", "advice"),
    [
        (1000, None, "it ran out with batches of 1000, which need 1,010.0 MiB. Use 256, which would fit."),
        (1000, 60, "which need 1,010.0 MiB; the device has 60.0 MiB free. Use 32, which would fit."),
        (1000, 5000, "the device has 4.9 GiB free. Use 256, which would fit."),
        (4, 5000, "Free what other programs hold, or use fewer neurons or fewer examples."),
    ],
)
def test_memory_that_ran_out_is_told_with_what_is_sure_to_fit(
    batch_size: int, left: int | None, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free", lambda devices: left and left * MIB)
    assert str(memory.shortage(batch_size, 1, line)).endswith(advice)
    assert str(memory.shortage(batch_size, 1, lambda size: None)).endswith(f"Try {batch_size // 2}.")


def test_the_memory_of_the_cpu_is_the_machines_and_shared_by_its_devices() -> None:
    (total,) = (int(it.split()[1]) for it in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in it)
    everything, eighth, left = memory.of_device(), memory.of_device(8), memory.free()
    assert everything is not None
    assert everything == pytest.approx(total * 1024, rel=0.01)
    assert eighth == everything // 8
    assert left is not None
    assert 0 < left < everything


def need_of(settings: dict[str, Any]) -> memory.Need:
    prepared = prepare(Config().changed(settings))
    test = program.place_blocks(prepared.splits.test)
    return program.need(shape_of([prepared]), program.examples(prepared.splits), test)


def test_what_training_needs_holds_its_parts() -> None:
    """Weights, two moments, the best weights, the examples, and at least the hidden layer of a batch."""
    needed = need_of(MOONS)(2000)
    prepared = prepare(Config().changed(MOONS))
    assert needed is not None
    examples = sum(leaf.nbytes for leaf in jax.tree.leaves(program.examples(prepared.splits)))
    least = 4 * 4 * prepared.n_parameters + examples + 4 * 2000 * 500
    assert least < needed < 10 * least


def test_a_run_that_does_not_fit_ends_before_its_first_update_and_its_advice_is_good(
    trained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sum(array.nbytes for array in jax.live_arrays())
    limit = need_of(MOONS)(300)
    monkeypatch.setattr(memory, "of_device", lambda devices: limit)
    run = trained(MOONS)
    assert (run.status.state, run.status.steps) == ("failed", 0)
    assert [event.kind for event in run.happenings] == ["finished"]
    message = run.status.message
    assert message.startswith("training.batch_size must fit into memory: batches of 2000 need ")
    assert "Use 256, which would fit." in message
    assert "\n" not in message
    assert "Traceback" in (run.directory / "log.txt").read_text()
    assert sum(array.nbytes for array in jax.live_arrays()) == before
    advised = trained({**MOONS, "training.batch_size": 256})
    assert (advised.status.state, advised.status.epochs) == ("finished", 2)
    refused_again = trained(MOONS)
    assert refused_again.status.message == message


def test_the_finder_tells_what_does_not_fit_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepare(Config().changed({**MOONS, "model.hidden": [50]}))
    monkeypatch.setattr(memory, "of_device", lambda devices: 2 * MIB)
    with pytest.raises(RunError, match=r"^training\.batch_size must fit into memory: .* Use \d+, which would fit\.$"):
        find(prepared, count=4, updates=4)
    monkeypatch.setattr(memory, "of_device", lambda devices: None)

    def fail(*_: Any) -> Any:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")

    monkeypatch.setattr("trainer.lr_finder.read_report", fail)
    with pytest.raises(RunError, match="it ran out with batches of 2000"):
        find(prepared, count=4, updates=4)


SHORT_OF_MEMORY = """
import gc, json, resource, sys
from pathlib import Path
import jax
from trainer import memory, training
from trainer.config import Config
from trainer.preparation import prepare

def trained(**settings):
    prepared = prepare(Config().changed({key.replace("__", "."): value for key, value in settings.items()}))
    run = training.train(prepared, training.start(prepared, Path(sys.argv[1])))
    held = sum(array.nbytes for array in jax.live_arrays())
    return {"state": run.status.state, "message": run.status.message, "held": held, "run": str(run.directory)}

gc.disable()  # what a failed run held must be free at once
small = dict(data__source="moons", data__size=500, training__epochs=2)
large = dict(small, data__size=40_000, model__hidden=[4096], training__batch_size=30_000, training__epochs=1)
told = [trained(**small)]
free, room = 400 * 2**20, 1200 * 2**20  # compiling takes some of the room too
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
memory.of_device, memory.free = lambda devices: None, lambda devices: free
resource.setrlimit(resource.RLIMIT_AS, (taken + room,) * 2)
told.append(trained(**large))
told.append(trained(**small, training__seed=1))
advised = int(told[1]["message"].split("Use ")[1].split(",")[0])
told.append(trained(**{**large, "training__batch_size": advised}))
print(json.dumps(told))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux refuses memory beyond a process's own limit")
def test_memory_that_really_runs_out_ends_the_run_in_one_line_and_the_next_one_trains(tmp_path: Path) -> None:
    """XLA is refused an allocation in the first update, since the process may not grow any more."""
    done = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY, str(tmp_path)],
        env={**os.environ, "XLA_FLAGS": ""}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, failed, second, advised = json.loads(done.stdout.splitlines()[-1])
    assert [run["state"] for run in (first, failed, second, advised)] == ["finished", "failed", "finished", "finished"]
    assert "must fit into memory: it ran out with batches of 30000" in failed["message"]
    assert "RESOURCE_EXHAUSTED" not in failed["message"]
    assert "RESOURCE_EXHAUSTED" in (Path(failed["run"]) / "log.txt").read_text()
    assert "Traceback" not in done.stderr
    assert [run["held"] for run in (first, failed, second)] == [0, 0, 0]
    assert np.log2(int(failed["message"].split("Use ")[1].split(",")[0])) % 1 == 0


GIB = 2**30


def groups(folder: Path, files: dict[str, str], own: str) -> dict[str, Path]:
    """Files as the kernel shows them, and those that say which group this process is in."""
    for name, text in files.items():
        (folder / "mounted" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "mounted" / name).write_text(text)
    (folder / "own").write_text(own)
    return {"mounted": folder / "mounted", "own": folder / "own"}


V2 = {"memory.max": "max\n", "jobs/memory.max": f"{3 * GIB}\n", "jobs/one/memory.max": f"{4 * GIB}\n",
      "jobs/memory.current": f"{2 * GIB}\n", "jobs/memory.stat": f"anon 5\ninactive_file {GIB}\n",
      "jobs/one/memory.current": f"{2 * GIB}\n"}  # fmt: skip
V1 = {"memory/memory.limit_in_bytes": "9223372036854771712\n", "memory/jobs/memory.limit_in_bytes": f"{GIB}\n",
      "memory/jobs/memory.usage_in_bytes": f"{GIB // 2}\n"}  # fmt: skip


@pytest.mark.parametrize(
    ("files", "own", "limit", "free"),
    [
        (V2, "0::/jobs/one\n", 3 * GIB, 2 * GIB),
        (V2, "0::/\n", None, None),
        (V1, "4:memory:/jobs\n3:cpu:/\n0::/\n", GIB, GIB // 2),
        (V1, "5:hugetlb:/jobs\n0::/jobs\n", None, None),
        ({"memory.max": f"{GIB}\n"}, "0::/outside/of/the/container\n", GIB, GIB),
        ({}, "0::/jobs\n", None, None),
    ],
)
def test_the_tightest_group_around_the_process_bounds_its_memory(
    files: dict[str, str], own: str, limit: int | None, free: int | None, tmp_path: Path
) -> None:
    shown = groups(tmp_path, files, own)
    assert (cgroup.limit(**shown), cgroup.free(**shown)) == (limit, free)


@pytest.mark.parametrize(
    ("host", "device", "fits"), [(10, 10, True), (9, 10, False), (10, 9, False), (None, None, True), (10, None, True)]
)
def test_examples_may_take_half_of_the_memory_of_the_host_and_of_the_device(
    host: int | None, device: int | None, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_free_of_machine", lambda: host and host * GIB)
    monkeypatch.setattr(memory, "of_device", lambda: device and device * GIB)
    assert memory.may_hold(on_device=5 * GIB, on_host=5 * GIB) == fits


def test_a_device_is_not_asked_about_what_every_device_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "of_device", lambda: 0)
    assert memory.may_hold(on_device=MIB, on_host=MIB)


@pytest.mark.parametrize("standardize", ["none", "standard"])
def test_examples_are_not_copied_once_more_for_the_cpu(standardize: str) -> None:
    config = Config().changed({"data.source": "digits", "data.standardize": standardize})
    splits = prepare(config).splits
    placed = program.place(splits).x
    assert placed.unsafe_buffer_pointer() == splits.train.x.ctypes.data
