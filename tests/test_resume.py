"""A run that was killed, at whatever record, and resumed is the run that it would have been, to the bit."""

import contextlib
import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer import cadence, checkpoints, liveness, loop, runs, training
from trainer import store as stores
from trainer.abandoning import AbandonedError
from trainer.commands import Pause, Resume, Set, Stop, send
from trainer.config import Config
from trainer.preparation import prepare
from trainer.problems import ConfigError, RunError
from trainer.reserve import Reserve
from trainer.resuming import Wishes, resume
from trainer.run import Run
from trainer.run_directory import RunDirectory

TINY = {"data.source": "iris", "model.hidden": [6], "training.batch_size": 16, "training.epochs": 40,
        "optimizer.learning_rate": 0.02, "data.test_split": 0.1, "training.diagnostics": False}  # fmt: skip
ACTING = {"training.diagnostics": True, "model.dropout": 0.3, "optimizer.kind": "adamw",
          "callbacks.reduce_lr_on_plateau.enabled": True, "callbacks.reduce_lr_on_plateau.patience": 1,
          "callbacks.reduce_lr_on_plateau.min_delta": 0.02, "callbacks.early_stopping.enabled": True,
          "callbacks.early_stopping.patience": 9}  # fmt: skip
STAMPS = ("seq", "time", "elapsed", "examples_per_second", "input_stall")
TIMED = ("steps", "compiled", "checkpoint_saved", "started", "reopened", "replayed", "commanded", "paused",
         "resumed")  # fmt: skip
"""Records of what depends on time, or on the resume itself."""

ENDS = ("finished", "weights_restored", "tested")

NOTHING_MORE = Wishes()

FIRST_SAVED = 10
"""Records after which there must be a checkpoint."""


@pytest.fixture(autouse=True)
def saves_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cadence, "_BOUNDS", (0.0, 0.0))
    monkeypatch.setattr(cadence, "_COST_TO_TRAINING", 0)
    monkeypatch.setattr(loop, "most_updates", lambda count, seconds: 11)


class CutOff(threading.Event):
    """Set when it was asked so often."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._left = after

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


Hook = Callable[[RunDirectory, Any], None]


def begun(settings: dict[str, Any], folder: Path, hook: Hook | None = None) -> list[tuple[Any, RunDirectory]]:
    made = training.start_replicas(prepare(Config().changed({**TINY, **settings})), folder)
    if hook is not None:
        tell(made[0][1], hook)
    return made


def tell(directory: RunDirectory, hook: Hook) -> None:
    """Have a hook called in the training thread after each record."""
    record = directory.record

    def record_and_tell(event: Any, **at: float) -> Any:
        written = record(event, **at)
        hook(directory, written)
        return written

    directory.record = record_and_tell  # type: ignore[method-assign]


def image_of(store: Path, to: Path) -> None:
    """Copy a store as it lies on the disk at this moment: what kill -9 would leave.

    Arrays before manifests, and these before records: so they are written, and a manifest is removed before its arrays.
    """
    for path in sorted(store.rglob("*"), key=lambda it: (it.parent.name != "checkpoints", it.suffix == ".json", it)):
        copy = to / path.relative_to(store)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # a checkpoint that was pruned meanwhile
            if path.is_file() and path.name != "lock":
                shutil.copyfile(path, copy)


class Images:
    """Takes an image of the store at some records of a run."""

    def __init__(self, store: Path, to: Path, *at: int) -> None:
        self._store, self._to, self._at = store, to, at

    def __call__(self, directory: RunDirectory, event: Any) -> None:
        if event.seq in self._at:
            while event.seq > FIRST_SAVED and not list(directory.path.glob("checkpoints/*.json")):
                time.sleep(0.001)  # a thread writes it
            image_of(self._store, self._to / str(event.seq))

    def __iter__(self) -> Iterator[Path]:
        return (path for path in sorted(self._to.iterdir()))


def lead_of(store: Path) -> Path:
    return next(run.directory for run in stores.all_runs(store) if run.status.replica <= 1)


def resumed(store: Path, wishes: Wishes = NOTHING_MORE) -> Run:
    """Resume the run of a store to its end, and read it as anybody would."""
    training.train_together(resume(lead_of(store), wishes))
    return runs.read(lead_of(store))


def records(run: Run, *without: str) -> list[dict[str, Any]]:
    lines = (run.directory / "events.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines if not line.endswith("(torn)")]
    assert [record["seq"] for record in found] == list(range(len(found)))
    kept = [record for record in found if record["kind"] not in without]
    return [{name: value for name, value in record.items() if name not in STAMPS} for record in kept]


def of_kind(run: Run, kind: str) -> list[dict[str, Any]]:
    return [record for record in records(run) if record["kind"] == kind]


def newest(run: Run, kind: checkpoints.Kind) -> tuple[Any, checkpoints.Manifest]:
    path = checkpoints.newest_good(run.directory / "checkpoints", kind)
    assert path is not None
    return checkpoints.load(path)


def assert_same(run: Run, whole: Run, *, ends: int = 1) -> None:
    """One run is the other, but for time: its records, what they add up to, and both checkpoints, to the bit."""
    found = records(run, *TIMED)
    assert found == records(whole, *TIMED)
    assert run.status.best == whole.status.best
    assert run.status.metrics == whole.status.metrics
    assert run.status.test == whole.status.test
    assert (run.status.epochs, run.status.steps, run.status.reason) == (
        whole.status.epochs, whole.status.steps, whole.status.reason,
    )  # fmt: skip
    for kind in ("last", "best"):
        (arrays, manifest), (wanted, other) = newest(run, kind), newest(whole, kind)
        assert {name: array.tobytes() for name, array in arrays.items()} == {
            name: array.tobytes() for name, array in wanted.items()
        }
        assert (manifest.step, manifest.callbacks, manifest.numbers, manifest.value) == (
            other.step, other.callbacks, other.numbers, other.value,
        )  # fmt: skip
    elapsed = [json.loads(line)["elapsed"] for line in (run.directory / "events.jsonl").read_text().splitlines()]
    assert elapsed == sorted(elapsed)
    assert runs.peek(run.directory).status.model_dump_json() == run.status.model_dump_json()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[Path]]:
    """A run that cuts its rate and stops early, and what it would have left at some of its records."""
    folder = tmp_path_factory.mktemp("images")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cadence, "_BOUNDS", (0.0, 0.0))
        patch.setattr(cadence, "_COST_TO_TRAINING", 0)
        patch.setattr(loop, "most_updates", lambda count, seconds: 11)
        taken = Images(folder / "store", folder / "images", 4, 11, 23, 34, 47, 60, 74)
        (run,) = training.train_together(begun(ACTING, folder / "store", taken))
    return run, list(taken)


def test_killed_at_any_record_and_resumed_a_run_is_what_it_would_have_been(
    images: tuple[Run, list[Path]], tmp_path: Path
) -> None:
    whole, taken = images
    assert whole.status.reason == "early_stopped"
    assert of_kind(whole, "learning_rate_reduced")
    assert len(taken) == 7
    verified = 0
    for image in taken:
        image_of(image, tmp_path / image.name)
        run = resumed(tmp_path / image.name)
        assert_same(run, whole)
        verified += sum(record["verified"] for record in of_kind(run, "replayed"))
        assert all(
            "differs_from" not in record or record["differs_from"] is None for record in of_kind(run, "replayed")
        )
        assert run.status.resumed == ("" if image.name == "0" else "exact") or image.name == "0"
    assert verified > 0


def test_without_checkpoints_it_begins_anew_and_verifies_all(images: tuple[Run, list[Path]], tmp_path: Path) -> None:
    whole, taken = images
    image_of(taken[-1], tmp_path / "store")
    shutil.rmtree(lead_of(tmp_path / "store") / "checkpoints")
    before = runs.read(lead_of(tmp_path / "store"))
    run = resumed(tmp_path / "store")
    assert_same(run, whole)
    assert [record["verified"] for record in of_kind(run, "replayed")] == [before.status.epochs]


def test_a_damaged_checkpoint_is_told_kept_and_passed_over(images: tuple[Run, list[Path]], tmp_path: Path) -> None:
    whole, taken = images
    image_of(taken[-1], tmp_path / "store")
    path = checkpoints.newest_good(lead_of(tmp_path / "store") / "checkpoints", "last")
    assert path is not None
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x55")
    run = resumed(tmp_path / "store")
    assert path.stem in json.dumps([record["message"] for record in of_kind(run, "warning")])
    assert path.exists()
    assert records(run, *TIMED, "warning") == records(whole, *TIMED, "warning")


@pytest.mark.parametrize("missing", [1, 30])
def test_a_line_without_its_end_is_written_anew(missing: int, images: tuple[Run, list[Path]], tmp_path: Path) -> None:
    whole, taken = images
    image_of(taken[-1], tmp_path / "store")
    log = lead_of(tmp_path / "store") / "events.jsonl"
    log.write_bytes(log.read_bytes()[:-missing])
    run = resumed(tmp_path / "store")
    assert records(run, *TIMED, "warning") == records(whole, *TIMED, "warning")
    assert any("not whole" in record["message"] for record in of_kind(run, "warning"))


def test_another_trainer_keeps_a_run_from_being_resumed(images: tuple[Run, list[Path]], tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("trainer.run_directory._LOCK_SECONDS", 0.05)
    image_of(images[1][2], tmp_path / "store")
    opened = resume(lead_of(tmp_path / "store"))
    before = (lead_of(tmp_path / "store") / "events.jsonl").read_bytes()
    with pytest.raises(RunError, match="is being trained already"):
        resume(lead_of(tmp_path / "store"))
    assert (lead_of(tmp_path / "store") / "events.jsonl").read_bytes() == before
    opened[0][1].close()


def test_what_an_earlier_version_left_is_compatible_and_not_exact(
    images: tuple[Run, list[Path]], tmp_path: Path
) -> None:
    whole, taken = images
    image_of(taken[3], tmp_path / "store")
    log = lead_of(tmp_path / "store") / "events.jsonl"
    log.write_text(log.read_text().replace('"optax":"', '"optax":"0.'))
    run = resumed(tmp_path / "store")
    (again,) = [record for record in of_kind(run, "started") if record["resumed_from"] is not None]
    assert [words.partition(":")[0] for words in again["differences"]] == ["optax"]
    assert run.status.resumed == "compatible"
    assert records(run, *TIMED) == records(whole, *TIMED)


def test_a_replay_that_comes_out_otherwise_is_told_and_what_was_recorded_gives_way(
    images: tuple[Run, list[Path]], tmp_path: Path
) -> None:
    whole, taken = images
    image_of(taken[-1], tmp_path / "store")
    directory = lead_of(tmp_path / "store")
    shutil.rmtree(directory / "checkpoints")
    lines = (directory / "events.jsonl").read_text().splitlines()
    forged = [json.loads(line) for line in lines]
    for record in forged:
        if record["kind"] == "epoch" and record["epoch"] == 4:
            record["metrics"]["val_loss"] = 1e-9
    (directory / "events.jsonl").write_text("".join(json.dumps(record) + "\n" for record in forged))
    run = resumed(tmp_path / "store")
    (told,) = of_kind(run, "replayed")
    assert (told["verified"], told["differs_from"]) == (4, 4)
    assert run.status.resumed == "compatible"
    assert run.status.best == whole.status.best
    assert list(run.epochs["val_loss"].y) == list(whole.epochs["val_loss"].y)
    assert runs.peek(run.directory).status.model_dump_json() == run.status.model_dump_json()


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer.kind": "schedule_free_adamw", "training.precision": "bfloat16", "augmentation.enabled": True,
         "augmentation.noise": 0.1, "training.epochs": 12, "callbacks.model_checkpoint.save_best_only": False,
         "callbacks.model_checkpoint.save_freq": 13},
        {"optimizer.use_ema": True, "optimizer.lookahead_steps": 3, "optimizer.gradient_accumulation_steps": 3,
         "optimizer.sam": True, "training.epochs": 12, "schedule.kind": "cosine",
         "callbacks.model_checkpoint.save_best_only": False},
    ],
    ids=["schedule-free, half precision, noise", "mean, lookahead, accumulated, sam"],
)  # fmt: skip
def test_all_that_an_update_depends_on_is_in_the_checkpoint(settings: dict[str, Any], tmp_path: Path) -> None:
    taken = Images(tmp_path / "store", tmp_path / "images", 9, 16)
    (whole,) = training.train_together(begun(settings, tmp_path / "store", taken))
    for image in taken:
        run = resumed(image)
        if settings.get("callbacks.model_checkpoint.save_freq"):
            assert records(run, *TIMED) == records(whole, *TIMED)
        else:
            assert_same(run, whole)


def test_commands_are_obeyed_once_and_at_the_same_update(tmp_path: Path) -> None:
    def command(directory: RunDirectory, event: Any) -> None:
        if event.kind == "epoch" and event.epoch == 3:
            send(directory.path, Set(key="optimizer.learning_rate", value=0.005))
        if event.kind == "epoch" and event.epoch == 9:
            send(directory.path, Set(key="training.epochs", value=20))
            send(directory.path, Pause(by="test"))
            send(directory.path, Resume(by="test"))
        if event.kind in ("commanded", "hyperparameter_set", "paused") and event.epoch > 6:
            image_of(tmp_path / "store", tmp_path / "images" / event.kind)
            image_of(tmp_path / "store", tmp_path / "without-checkpoints" / event.kind)

    (whole,) = training.train_together(begun({}, tmp_path / "store", command))
    assert [record["key"] for record in of_kind(whole, "hyperparameter_set")] == [
        "optimizer.learning_rate", "training.epochs",
    ]  # fmt: skip
    for image in (tmp_path / "images").iterdir():
        assert_same(resumed(image), whole)
    for image in (tmp_path / "without-checkpoints").iterdir():
        shutil.rmtree(lead_of(image) / "checkpoints")
        training.train_together(resume(lead_of(image)), CutOff(after=3))
        assert newest(runs.read(lead_of(image)), "last")[1].step < 50, "it is cut off again within the replay"
        run = resumed(image)
        assert records(run, *TIMED, *ENDS) == records(whole, *TIMED, *ENDS)
        assert newest(run, "last")[1].numbers == newest(whole, "last")[1].numbers


def test_a_command_that_nobody_obeyed_yet_is_obeyed(images: tuple[Run, list[Path]], tmp_path: Path) -> None:
    """But for one that was to end or to hold the training that is over: who resumes a run wants it to go on."""
    image_of(images[1][3], tmp_path / "store")
    send(lead_of(tmp_path / "store"), Stop(by="test"))
    send(lead_of(tmp_path / "store"), Pause(by="test"))
    send(lead_of(tmp_path / "store"), Set(key="training.epochs", value=35))
    run = resumed(tmp_path / "store")
    assert run.status.reason in ("early_stopped", "completed")
    assert run.status.epochs_planned == 35


@contextlib.contextmanager
def given_up_while_compiling() -> Iterator[threading.Event]:
    """Within it, whoever ends a run by the event does so while it compiles."""

    def unless(is_unwanted: Callable[[], bool], work: Callable[[], Any]) -> Any:
        if is_unwanted():
            raise AbandonedError
        return work()

    cancelled = threading.Event()
    cancelled.set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "unless", unless)
        yield cancelled


@pytest.mark.parametrize("while_compiling", [False, True])
def test_interrupted_and_resumed_again_and_again_it_is_the_same(
    while_compiling: bool, images: tuple[Run, list[Path]], tmp_path: Path
) -> None:
    whole, taken = images
    image_of(taken[2], tmp_path / "store")
    cancelled = threading.Event()
    cancelled.set()
    for _ in range(3):
        with given_up_while_compiling() if while_compiling else contextlib.nullcontext(cancelled):
            training.train_together(resume(lead_of(tmp_path / "store")), cancelled)
    run = resumed(tmp_path / "store")
    assert records(run, *TIMED, *ENDS) == records(whole, *TIMED, *ENDS)
    assert run.status.best == whole.status.best


def test_killed_between_its_last_checkpoint_and_its_last_record_a_run_is_over_all_the_same(
    images: tuple[Run, list[Path]], tmp_path: Path
) -> None:
    whole, _ = images
    lines = (whole.directory / "events.jsonl").read_text().splitlines()
    stopped = next(place for place, line in enumerate(lines) if '"early_stopped"' in line)
    for kept in range(stopped + 1, len(lines)):
        store = tmp_path / str(kept)
        image_of(whole.directory.parent, store)
        (lead_of(store) / "events.jsonl").write_text("".join(line + "\n" for line in lines[:kept]))
        running = whole.status.model_copy(update={"state": "running"})
        (lead_of(store) / "run.json").write_text(running.model_dump_json())
        assert_same(resumed(store), whole)


def test_a_run_that_is_over_says_so_and_how_to_extend_it(images: tuple[Run, list[Path]]) -> None:
    whole, _ = images
    with pytest.raises(RunError, match=r"is over after \d+ epochs \(early_stopped\).*--epochs"):
        resume(whole.directory)
    with pytest.raises(RunError, match="--epochs must be more than"):
        resume(whole.directory, Wishes(epochs=2))


def test_extended_a_run_is_what_a_longer_one_would_have_been(tmp_path: Path) -> None:
    short = {"training.epochs": 8, "callbacks.early_stopping.enabled": True, "callbacks.early_stopping.patience": 30}
    (run,) = training.train_together(begun(short, tmp_path / "short"))
    (longer,) = training.train_together(begun({**short, "training.epochs": 14}, tmp_path / "longer"))
    extended = resumed(tmp_path / "short", Wishes(epochs=14))
    assert extended.status.epochs_planned == 14
    assert [record["metrics"] for record in of_kind(extended, "epoch")] == [
        record["metrics"] for record in of_kind(longer, "epoch")
    ]
    (arrays, _), (wanted, _) = newest(extended, "last"), newest(longer, "last")
    assert all(arrays[name].tobytes() == wanted[name].tobytes() for name in wanted)
    assert run.directory == extended.directory
    assert extended.status.state == "finished"


def test_extended_after_an_early_stop_it_has_patience_again(tmp_path: Path) -> None:
    stopping = {"callbacks.early_stopping.enabled": True, "callbacks.early_stopping.patience": 2,
                "callbacks.early_stopping.min_delta": 10.0, "schedule.kind": "cosine"}  # fmt: skip
    (run,) = training.train_together(begun(stopping, tmp_path))
    assert run.status.epochs == 3
    extended = resumed(tmp_path, Wishes(epochs=50))
    assert extended.status.epochs == 5
    assert any("cosine schedule now spans 50 epochs" in record["message"] for record in of_kind(extended, "warning"))


def test_other_data_are_refused_unless_taken(tmp_path: Path) -> None:
    table = tmp_path / "data.csv"
    rows = [f"{i % 7},{(i * 3) % 11},{'ab'[i % 2]}" for i in range(60)]
    table.write_text("x,y,label\n" + "\n".join(rows))
    settings = {"data.source": "path", "data.path": str(table), "data.target": "label", "training.epochs": 5,
                "data.test_split": 0.0}  # fmt: skip
    taken = Images(tmp_path / "store", tmp_path / "images", 6)
    training.train_together(begun(settings, tmp_path / "store", taken))
    (image,) = taken
    table.write_text("x,y,label\n" + "\n".join([*rows, *rows]))
    before = {path: path.read_bytes() for path in image.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match=r"had 3 updates an epoch, and has 6 with these data.*nn-tui fork"):
        resume(lead_of(image), Wishes(takes_other_data=True))
    assert {path: path.read_bytes() for path in image.rglob("*") if path.is_file() and path.name != "lock"} == before
    table.write_text("x,y,label\n" + "\n".join([*rows[1:], "3,4,a"]))
    with pytest.raises(RunError, match=r"other data: fingerprint \w{12} then, \w{12} now.*--data-changed"):
        resume(lead_of(image))
    run = resumed(image, Wishes(takes_other_data=True))
    assert (run.status.state, run.status.resumed) == ("finished", "compatible")
    assert [record["epoch"] for record in of_kind(run, "epoch")][-1] == 4


@pytest.mark.parametrize("epochs", [2_000_000])
def test_more_epochs_than_there_may_be_are_refused(epochs: int, images: tuple[Run, list[Path]]) -> None:
    with pytest.raises(ConfigError, match=r"training\.epochs must be at most 1000000"):
        resume(images[0].directory, Wishes(epochs=epochs))


def test_other_data_that_need_another_network_change_nothing(tmp_path: Path) -> None:
    table = tmp_path / "data.csv"
    rows = [f"{i % 7},{'uv'[i % 2]},{'ab'[i % 2]}" for i in range(60)]
    table.write_text("x,word,label\n" + "\n".join(rows))
    settings = {"data.source": "path", "data.path": str(table), "data.target": "label", "training.epochs": 40,
                "data.test_split": 0.0}  # fmt: skip
    taken = Images(tmp_path / "store", tmp_path / "images", 30)
    training.train_together(begun(settings, tmp_path / "store", taken))
    (image,) = taken
    table.write_text("x,word,label\n" + "\n".join([*rows[1:], "3,w,a"]))
    before = {path: path.read_bytes() for path in image.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match=r"does not fit the run's config: parameters\.0\.weight is float32 \[6, "):
        resume(lead_of(image), Wishes(takes_other_data=True))
    after = {path: path.read_bytes() for path in image.rglob("*") if path.is_file() and path.name != "lock"}
    assert after == before


@pytest.mark.parametrize("kept", [0, 5])
def test_a_run_whose_records_end_before_its_state_is_not_begun_anew(
    kept: int, images: tuple[Run, list[Path]], tmp_path: Path
) -> None:
    whole, _ = images
    image_of(whole.directory.parent, tmp_path)
    log = lead_of(tmp_path) / "events.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:kept]))
    with pytest.raises(RunError, match=r"has lost records: events\.jsonl ends before its state of update \d+.*fork"):
        resume(lead_of(tmp_path), Wishes(epochs=90))


def test_weights_of_another_network_are_refused_in_one_line(images: tuple[Run, list[Path]], tmp_path: Path) -> None:
    image_of(images[1][4], tmp_path / "store")
    config = lead_of(tmp_path / "store") / "config.toml"
    config.write_text(config.read_text().replace("hidden = [\n    6,\n]", "hidden = [7]").replace("[6]", "[7]"))
    run = resumed(tmp_path / "store")
    assert run.status.state == "failed"
    assert run.status.message.startswith(
        "the checkpoint does not fit the run's config: parameters.0.weight is float32 [6, 4]"
    )


def test_streamed_examples_go_on_where_they_were(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(300, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", (x[:, 0] > 0).astype(np.int64))
    settings = {"data.source": "path", "data.path": str(tmp_path / "x.npy"), "data.stream": "always",
                "data.target_path": str(tmp_path / "y.npy"), "data.buffer_size": 64, "training.epochs": 5,
                "data.test_split": 0.2}  # fmt: skip
    taken = Images(tmp_path / "store", tmp_path / "images", 5, 9)
    (whole,) = training.train_together(begun(settings, tmp_path / "store", taken))
    trained = tmp_path / "images" / "killed when all was trained"
    image_of(tmp_path / "store", trained)
    lines = (whole.directory / "events.jsonl").read_text().splitlines()
    tested = next(place for place, line in enumerate(lines) if '"tested"' in line)
    (lead_of(trained) / "events.jsonl").write_text("".join(line + "\n" for line in lines[:tested]))
    running = whole.status.model_copy(update={"state": "running", "test": {}})
    (lead_of(trained) / "run.json").write_text(running.model_dump_json())
    for image in taken:
        assert_same(resumed(image), whole)


def test_replicas_go_on_together_from_an_update_that_all_have(tmp_path: Path) -> None:
    settings = {"training.replicas": 3, "training.epochs": 14, **ACTING, "callbacks.early_stopping.patience": 5}
    taken = Images(tmp_path / "store", tmp_path / "images", 12, 24)
    whole, *others = training.train_together(begun(settings, tmp_path / "store", taken))
    for image in taken:
        run = resumed(image)
        for one, other in zip([run, *run.replicas], [whole, *others], strict=True):
            assert_same(one, runs.read(other.directory))
            assert one.status.resumed == "exact"


def test_of_a_group_those_that_are_over_stay_so(tmp_path: Path) -> None:
    settings = {"training.replicas": 3, "training.epochs": 14}
    _, *others = training.train_together(begun(settings, tmp_path / "store"))
    image_of(tmp_path / "store", tmp_path / "image")
    (last,) = [path for path in (tmp_path / "image").iterdir() if path.name == others[1].directory.name]
    cut_back(last, 20)
    run = resumed(tmp_path / "image")
    assert [one.status.state for one in (run, *run.replicas)] == ["finished"] * 3
    assert run.status.resumed == run.replicas[0].status.resumed == ""
    assert run.replicas[1].status.resumed == "exact"
    assert [record["metrics"] for record in of_kind(run.replicas[1], "epoch")] == [
        record["metrics"] for record in of_kind(others[1], "epoch")
    ]


def cut_back(directory: Path, count: int) -> None:
    """Have a run as if it had been killed, its checkpoints lost, after so many records."""
    log = directory / "events.jsonl"
    log.write_text("".join(line + "\n" for line in log.read_text().splitlines()[:count]))
    status = json.loads((directory / "run.json").read_text())
    (directory / "run.json").write_text(json.dumps({**status, "state": "running", "reason": "", "message": ""}))
    shutil.rmtree(directory / "checkpoints")


def test_a_group_that_was_not_whole_yet_is_begun_anew(tmp_path: Path) -> None:
    prepared = prepare(Config().changed({**TINY, "training.replicas": 2}))
    training.start(prepared, tmp_path).close()
    with pytest.raises(RunError, match=r"cut off before its group was there.*nn-tui train .*config\.toml"):
        resume(lead_of(tmp_path))


def test_a_network_of_ones_own_is_not_run_because_a_folder_names_it(tmp_path: Path) -> None:
    settings = {name: value for name, value in TINY.items() if name != "model.hidden"}
    config = Config().changed({**settings, "model.kind": "custom", "model.target": "presets.custom_model:network",
                               "model.arguments": {"width": 4, "experts": 2, "dropout": 0.0}})  # fmt: skip
    directory = training.start(prepare(config.permitted(None)), tmp_path)
    directory.close()
    with pytest.raises(RunError, match="--code PATH"):
        resume(directory.path)
    with pytest.raises((RunError, ConfigError)):
        resume(directory.path, Wishes(code=directory.path))


def test_the_end_that_a_kill_kept_from_being_done_is_done_although_a_compile_was_given_up(
    images: tuple[Run, list[Path]], tmp_path: Path
) -> None:
    whole, _ = images
    image_of(whole.directory.parent, tmp_path)
    log = lead_of(tmp_path) / "events.jsonl"
    lines = log.read_text().splitlines()
    stopped = next(place for place, line in enumerate(lines) if '"early_stopped"' in line)
    log.write_text("".join(line + "\n" for line in lines[: stopped + 1]))
    running = whole.status.model_copy(update={"state": "running", "reason": "", "test": {}})
    (lead_of(tmp_path) / "run.json").write_text(running.model_dump_json())
    with given_up_while_compiling() as cancelled:
        training.train_together(resume(lead_of(tmp_path)), cancelled)
    assert runs.read(lead_of(tmp_path)).status.reason == "interrupted"
    run = resumed(tmp_path)
    assert (run.status.reason, run.status.test) == (whole.status.reason, whole.status.test)


def test_a_run_that_is_over_stays_as_it_is_where_nothing_was_trained_beyond(
    images: tuple[Run, list[Path]], tmp_path: Path
) -> None:
    whole, _ = images
    image_of(whole.directory.parent, tmp_path)
    with given_up_while_compiling() as cancelled:
        training.train_together(resume(lead_of(tmp_path), Wishes(epochs=60)), cancelled)
    run = runs.read(lead_of(tmp_path))
    assert (run.status.state, run.status.epochs, run.status.test) == ("stopped", whole.status.epochs, whole.status.test)


def test_a_stop_that_ended_a_run_ends_it_once(images: tuple[Run, list[Path]], tmp_path: Path) -> None:
    """It came while what had been recorded was to be computed again, where no new command is obeyed."""
    image_of(images[1][2], tmp_path / "store")
    shutil.rmtree(lead_of(tmp_path / "store") / "checkpoints")
    again = resume(lead_of(tmp_path / "store"))
    send(lead_of(tmp_path / "store"), Stop(by="test"))
    training.train_together(again)
    assert runs.read(lead_of(tmp_path / "store")).status.state == "stopped"
    run = resumed(tmp_path / "store")
    assert run.status.reason == "early_stopped"
    assert records(run, *TIMED, *ENDS) == records(images[0], *TIMED, *ENDS)


def test_a_group_of_which_one_cannot_be_opened_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training.train_together(begun({"training.replicas": 2, "training.epochs": 3}, tmp_path))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    held: list[Reserve] = []

    def hold(self: Reserve) -> None:
        held.append(self)
        if len(held) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Reserve, "hold", hold)
    with pytest.raises(RunError, match="cannot be resumed: No space left on device"):
        resume(lead_of(tmp_path), Wishes(epochs=9))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not any(liveness.is_alive(run.directory) for run in stores.all_runs(tmp_path))


def test_on_another_machines_disk_the_heartbeat_keeps_a_second_trainer_out(
    images: tuple[Run, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_of(images[1][4], tmp_path)
    monkeypatch.setattr(liveness, "_kind_of", lambda device, path: "nfs4")
    monkeypatch.setattr(liveness.fcntl, "flock", lambda *_: None)
    ((_, first),) = resume(lead_of(tmp_path))
    assert runs.peek(lead_of(tmp_path)).shown_state == "starting"
    with pytest.raises(RunError, match="is being trained already"):
        resume(lead_of(tmp_path))
    first.close()


def test_warnings_of_the_data_are_told_by_the_first_training_that_begins(tmp_path: Path) -> None:
    prepared = prepare(Config().changed({**TINY, "training.epochs": 2}))
    warned = replace(prepared, splits=replace(prepared.splits, warnings=("3 rows were left out.",)))
    with given_up_while_compiling() as cancelled:
        training.train(warned, training.start(warned, tmp_path), cancelled)
    assert of_kind(runs.read(lead_of(tmp_path)), "warning") == []
    ((_, again),) = resume(lead_of(tmp_path))
    training.train(warned, again)
    assert [record["message"] for record in of_kind(runs.read(lead_of(tmp_path)), "warning")] == [
        "3 rows were left out."
    ]
