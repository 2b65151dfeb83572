"""Trainings on eight devices, which XLA makes of one CPU, against the same trainings on one.

Run as a program, this file does the trainings and prints what came of them, since a process has the devices that it
began with.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer import checkpoints, compaction, devices, numbers, program, training
from trainer.config import Config
from trainer.lr_finder import find
from trainer.placement import spread
from trainer.preparation import Prepared, prepare
from trainer.problems import ConfigError
from trainer.run import Run
from trainer.shape import shape_of
from trainer.state import on_host

pytestmark = pytest.mark.xdist_group("devices")

CLOSE = {"rtol": 1e-4, "atol": 1e-6}
"""Devices add up a batch in another order. That is a rounding of 1e-7, which some hundred updates make up to 1e-5."""

CLASSES = {"data.source": "iris", "model.hidden": [16], "training.batch_size": 13, "training.epochs": 10,
           "model.dropout": 0.1, "data.test_split": 0.1,
           "callbacks.early_stopping.enabled": False}  # fmt: skip
NUMBERS = {"data.source": "diabetes", "model.hidden": [8], "training.batch_size": 64, "training.epochs": 5}
POPULATION = {**CLASSES, "training.diagnostics": False}
SHORT = {"training.epochs": 4}
MEMBERS: list[dict[str, Any]] = [
    {}, {"training.seed": 1, **SHORT}, {"optimizer.learning_rate": 0.01}, SHORT, {"training.seed": 2, **SHORT},
    {"model.dropout": 0.5}, {"training.seed": 3, **SHORT}, {"training.seed": 4}, {"training.seed": 5, **SHORT},
]  # fmt: skip


LONG = [changes for changes in MEMBERS if "training.epochs" not in changes]


@pytest.mark.parametrize(
    ("runs", "there", "expected"),
    [(1, 8, (1, 8)), (8, 8, (8, 8)), (9, 8, (10, 5)), (5, 8, (5, 5)), (64, 8, (64, 8)), (7, 1, (7, 1)), (2, 3, (2, 2))],
)
def test_members_are_shared_out_evenly_with_as_few_idle_as_can_be(
    runs: int, there: int, expected: tuple[int, int]
) -> None:
    assert spread(runs, there) == expected


@pytest.mark.parametrize(("case", "words"), [("classes", "8 x cpu"), ("numbers", "3 x cpu (3 of 8)")])
def test_a_run_alone_has_the_same_losses_on_one_device_and_on_several(case: str, words: str) -> None:
    one, several = (seen()[f"{case}, {on}"] for on in ("one", "several"))
    (one_run,), (several_run,) = one["runs"], several["runs"]
    assert one_run["device"].startswith("cpu, ")
    assert several_run["device"] == words
    require_close(several_run, one_run)


def test_the_members_of_a_population_have_the_same_losses_on_one_device_and_on_several() -> None:
    """Nine on eight devices: two each on five of them, one of which is idle; the four longer ones then on four."""
    one, several = seen()["population, one"]["runs"], seen()["population, several"]["runs"]
    assert [run["device"] for run in several] == ["5 x cpu (5 of 8)"] * 9
    for of_several, of_one in zip(several, one, strict=True):
        require_close(of_several, of_one)
    assert [run["compiled"] for run in several] == [int(changes in LONG) for changes in MEMBERS], (
        "one program was there"
    )
    last = [json.dumps(run["arrays"]) for run in several]
    assert len(set(last)) == 9, "each saved its own weights"


def test_the_last_member_goes_on_alone_on_one_device() -> None:
    last, *short = seen()["the last"]["runs"]
    assert [run["compiled"] for run in (last, *short)] == [2, 1, 1]
    require_close(last, seen()["population, one"]["runs"][0])


def require_close(several: dict[str, Any], one: dict[str, Any]) -> None:
    assert several["state"] == one["state"] == "finished"
    assert several["told"] == one["told"]
    for part in ("rows", "test", "arrays"):
        assert several[part].keys() == one[part].keys()
        for name, values in one[part].items():
            np.testing.assert_allclose(several[part][name], values, **CLOSE, err_msg=name)


def test_each_device_has_its_part_of_the_work() -> None:
    placed = seen()["placed"]
    assert placed["a batch of 13"] == [2], "rows that each device multiplies with the weights"
    assert placed["weights of a run alone"] == [1, 16, 4], "all of them"
    assert placed["weights of ten members"] == [2, 16, 4], "those of two members"


def test_a_member_on_any_device_is_copied_whole() -> None:
    assert seen()["placed"]["copied"] == list(range(10))


def test_a_run_that_wants_more_devices_than_there_are_leaves_no_folder(tmp_path: Path) -> None:
    refused = seen()["refused"]
    line = "training.devices must be at most the 8 that JAX finds here (cpu), got 9. Use 0 for all."
    assert refused == {"problem": line, "store exists": False}
    with pytest.raises(ConfigError, match=r"^training.devices must be at most the 1 that JAX finds here"):
        training.start(prepare(Config().changed({"training.devices": 2})), tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_the_finder_sees_the_same_losses_on_one_device_and_on_several() -> None:
    one, several = seen()["finder, one"], seen()["finder, several"]
    assert len(one) == 9
    np.testing.assert_allclose(several, one, **CLOSE)


@cache
def seen() -> dict[str, Any]:
    """What this file prints when it is run on eight devices."""
    # On a busy machine eight devices wait long for each other: XLA would end the process after 40 seconds.
    eight = "--xla_force_host_platform_device_count=8 --xla_cpu_collective_call_terminate_timeout_seconds=280"
    flags = f"{os.environ['XLA_FLAGS']} {eight}"
    done = subprocess.run(
        [sys.executable, "-W", "error", __file__],
        env={**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def trained(settings: dict[str, Any], members: list[dict[str, Any]], store: Path) -> dict[str, Any]:
    first = prepare(Config().changed(settings))
    prepared = [Prepared(first.config.changed(changes), first.splits) for changes in members]
    runs = training.train_together([(one, training.start(one, store)) for one in prepared])
    return {"runs": [told_of(run) for run in runs]}


def told_of(run: Run) -> dict[str, Any]:
    path = checkpoints.newest_good(run.directory / "checkpoints", "last")
    assert path is not None, run.status.message
    arrays, _ = checkpoints.load(path)
    return {
        "state": run.status.state,
        "device": run.status.device,
        "compiled": [event.what for event in run.happenings if event.kind == "compiled"].count("advance"),
        "told": [event.kind for event in run.happenings if event.kind not in ("compiled", "checkpoint_saved")],
        "rows": {name: list(series.y) for name, series in run.epochs.items()},
        "test": run.status.test,
        "arrays": {name: array.tolist() for name, array in arrays.items() if name.startswith("parameters")},
    }


def begun(settings: dict[str, Any], runs: int) -> tuple[Any, Any]:
    """The compiled program of runs that train together, and the state that it begins with; seeds count from 0."""
    prepared = prepare(Config().changed(settings))
    shape = shape_of([prepared] * runs)
    test = program.place_blocks(prepared.splits.test)
    compiled, _ = program.compiled(shape, program.examples(prepared.splits), test)
    vectors = np.tile(numbers.pack(prepared.config), (shape.members, 1))
    return compiled, compiled.init(np.arange(shape.members, dtype=np.uint32), vectors)


def placed() -> dict[str, Any]:
    """Where arrays lie, by the compiled programs and the states that they make."""
    alone, state = begun({**CLASSES, "training.devices": 0}, 1)
    _, states = begun({**POPULATION, "training.devices": 0}, 9)
    lines = alone.advance.function.as_text().splitlines()
    products = [line for line in lines if " dot(" in line and "while/body/while/body/jvp" in line]
    shape_on_device = [it.parameters[0].weight.addressable_shards[0].data.shape for it in (state, states)]
    return {
        "a batch of 13": sorted({int(line.split(" = f32[")[1].split(",")[0]) for line in products}),
        "weights of a run alone": shape_on_device[0],
        "weights of ten members": shape_on_device[1],
        "copied": [int(on_host({"seed": states.seed}, member)["seed"]) for member in range(10)],
    }


def refused(store: Path) -> dict[str, Any]:
    try:
        training.start(prepare(Config().changed({"training.devices": 9})), store)
    except ConfigError as error:
        return {"problem": str(error), "store exists": store.exists()}
    return {"problem": None, "store exists": store.exists()}


def main() -> None:
    devices.prepare_jax()
    eight: dict[str, Any] = {"training.devices": 0}
    three: dict[str, Any] = {"training.devices": 3}
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        found: dict[str, Any] = {"refused": refused(store / "none"), "placed": placed()}
        for case, settings, on_several in (("classes", CLASSES, eight), ("numbers", NUMBERS, three)):
            found[f"{case}, one"] = trained(settings, [{}], store)
            found[f"{case}, several"] = trained({**settings, **on_several}, [{}], store)
        for on, changes in (("one", {}), ("several", eight)):
            # Members move together as soon as they are few enough, or never.
            compaction._WORTH = 0.0 if on == "several" else math.inf  # type: ignore[misc]
            found[f"population, {on}"] = trained({**POPULATION, **changes}, MEMBERS, store)
            prepared = prepare(Config().changed({**POPULATION, **changes}))
            found[f"finder, {on}"] = find(prepared, 1e-4, 0.1, count=9, updates=40).losses.tolist()
        compaction._WORTH = 0.0  # type: ignore[misc]
        found["the last"] = trained({**POPULATION, "training.devices": 2}, [{}, MEMBERS[1], SHORT], store)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
