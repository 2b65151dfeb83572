import json
import os
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from trainer import checkpoints, liveness, loop, program, runs
from trainer import store as stores
from trainer import training as engine
from trainer.commands import Command, Pause, Resume, Save, Set, Stop, send
from trainer.config import Config
from trainer.preparation import Prepared, prepare
from trainer.run import Run
from trainer.run_directory import RunDirectory

TINY = {"data.source": "iris", "model.hidden": [4], "training.batch_size": 40, "training.epochs": 6,
        "optimizer.learning_rate": 0.02}  # fmt: skip
WILD = {"data.source": "diabetes", "model.hidden": [4], "training.batch_size": 50, "training.epochs": 8,
        "optimizer.kind": "sgd",
        "optimizer.learning_rate": 300.0}  # fmt: skip
Hook = Callable[[RunDirectory, Any], None]


def prepared_of(settings: dict[str, Any], base: dict[str, Any] = TINY) -> Prepared:
    both = {**base, **settings}
    return prepare(Config().changed({key: value for key, value in both.items() if value is not None}))


def begun(prepared: Prepared, hook: Hook | None = None) -> RunDirectory:
    """A new run, whose hook is called in the training thread after each record."""
    directory = engine.start(prepared, stores.store())
    record = directory.record

    def record_and_tell(event: Any, **at: float) -> Any:
        written = record(event, **at)
        if hook:
            hook(directory, written)
        return written

    directory.record = record_and_tell  # type: ignore[method-assign]
    return directory


def trained(settings: dict[str, Any] | None = None, hook: Hook | None = None, base: dict[str, Any] = TINY) -> Run:
    prepared = prepared_of(settings or {}, base)
    return engine.train(prepared, begun(prepared, hook))


def at_epoch(number: int, *commands: Command) -> Hook:
    """Send commands once the record of an epoch is written."""

    def hook(directory: RunDirectory, event: Any) -> None:
        if event.kind == "epoch" and event.epoch == number:
            for command in commands:
                send(directory.path, command)

    return hook


def strictly(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def records(run: Run) -> list[dict[str, Any]]:
    """Every record, read by somebody else's parser, strictly."""
    text = (run.directory / "events.jsonl").read_text()
    assert text.endswith("\n")
    return [json.loads(line, parse_constant=strictly) for line in text.splitlines()]


def of_kind(run: Run, kind: str) -> list[dict[str, Any]]:
    return [record for record in records(run) if record["kind"] == kind]


def epochs(run: Run) -> list[dict[str, float]]:
    return [record["metrics"] for record in of_kind(run, "epoch")]


def messages(run: Run, kind: str = "warning") -> list[str]:
    return [record["message"] for record in of_kind(run, kind)]


def check(run: Run) -> None:
    """What holds of every run, however it ended."""
    found = records(run)
    assert [record["seq"] for record in found] == list(range(len(found)))
    assert [record["kind"] for record in found].count("finished") == 1
    assert found[-1]["kind"] == "finished"
    assert found[-1]["reason"] == run.status.reason
    assert [record["epoch"] for record in of_kind(run, "epoch")] == list(range(run.status.epochs))
    elapsed = [record["elapsed"] for record in found]
    assert elapsed == sorted(elapsed)
    assert not liveness.is_alive(run.directory)
    again, listed = runs.read(run.directory), runs.peek(run.directory)
    assert again.status.model_dump_json() == listed.status.model_dump_json() == run.status.model_dump_json()
    assert again.shown_state == run.status.state
    assert again.config == run.config
    assert again.happenings == run.happenings


def loss_of(arrays: Any, part: Any, prefix: str = "parameters.") -> float:
    """Cross-entropy of a checkpoint's relu network, in NumPy."""
    x = part.x.astype(np.float64)
    n_layers = sum(name.startswith(prefix) and name.endswith(".weight") for name in arrays)
    for index in range(n_layers):
        x = x @ arrays[f"{prefix}{index}.weight"].T + arrays[f"{prefix}{index}.bias"]
        x = np.maximum(x, 0) if index < n_layers - 1 else x
    likelihood = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    return float(-likelihood[np.arange(len(part.y)), part.y].mean())


def best_checkpoint(run: Run) -> tuple[Any, checkpoints.Manifest]:
    path = checkpoints.newest_good(run.directory / "checkpoints", "best")
    assert path is not None
    return checkpoints.load(path)


def test_a_run_completes_and_leaves_its_files() -> None:
    run = trained()
    check(run)
    assert (run.status.state, run.status.reason, run.status.epochs, run.status.steps) == (
        "finished",
        "completed",
        6,
        18,
    )
    names = {path.name for path in run.directory.iterdir()}
    assert names - {"log.txt"} == {"config.toml", "run.json", "events.jsonl", "lock", "checkpoints", "pictures.json"}
    started = of_kind(run, "started")[0]
    assert (started["n_parameters"], started["steps_per_epoch"]) == (4 * 5 + 5 * 3, 3)
    assert of_kind(run, "steps"), "at the end at least"
    assert list(epochs(run)[0]) == ["loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "grad_norm"]
    assert epochs(run)[-1]["loss"] < epochs(run)[0]["loss"]


def test_a_run_keeps_its_last_state_and_its_best_weights() -> None:
    run = trained()
    good = {found.kind: found for found in checkpoints.available(run.directory / "checkpoints").good}
    best = min(range(6), key=lambda epoch: epochs(run)[epoch]["val_loss"])
    assert (good["last"].step, good["last"].epoch, good["last"].reason) == (18, 6, "end")
    assert (good["best"].epoch, good["best"].monitor) == (best, "val_loss")
    assert good["last"].numbers["optimizer.learning_rate"] == 0.02
    assert good["last"].callbacks["model_checkpoint"]["best_epoch"] == best
    assert {record["path"] for record in of_kind(run, "checkpoint_saved")} >= {
        f"checkpoints/{found.id}.safetensors" for found in good.values()
    }


def test_early_stopping_ends_a_run_and_the_truly_best_weights_come_back() -> None:
    """With a `min_delta` that nothing reaches, patience counts from the first epoch; the best is another one."""
    stopping = {"callbacks.early_stopping.enabled": True, "callbacks.early_stopping.patience": 4,
                "callbacks.early_stopping.min_delta": 100.0, "data.test_split": 0.1, "training.epochs": 50}  # fmt: skip
    run = trained(stopping)
    check(run)
    assert (run.status.state, run.status.reason, run.status.epochs) == ("finished", "early_stopped", 5)
    losses = [metrics["val_loss"] for metrics in epochs(run)]
    (stopped,), (restored,), (tested,) = (
        of_kind(run, kind) for kind in ("early_stopped", "weights_restored", "tested")
    )
    assert (stopped["epoch"], stopped["wait"], stopped["best"]) == (4, 4, min(losses))
    assert (restored["value"], restored["epoch"]) == (min(losses), losses.index(min(losses)))
    arrays, manifest = best_checkpoint(run)
    splits = prepared_of(stopping).splits
    assert manifest.value == min(losses)
    assert loss_of(arrays, splits.validation) == pytest.approx(min(losses), rel=1e-5)
    assert tested["metrics"]["test_loss"] == pytest.approx(loss_of(arrays, splits.test), rel=1e-5)


def test_weights_come_back_after_a_normal_end_too() -> None:
    run = trained(
        {
            "callbacks.early_stopping.enabled": True,
            "optimizer.learning_rate": 1.0,
            "callbacks.early_stopping.patience": 99,
        }
    )
    check(run)
    losses = [metrics["val_loss"] for metrics in epochs(run)]
    assert run.status.reason == "completed"
    assert [(found["epoch"], found["value"]) for found in of_kind(run, "weights_restored")] == [
        (losses.index(min(losses)), min(losses))
    ]


def test_weights_stay_where_restoring_is_off() -> None:
    run = trained({"callbacks.early_stopping.enabled": True, "callbacks.early_stopping.restore_best_weights": False})
    assert of_kind(run, "weights_restored") == []


def test_the_best_checkpoint_is_right_where_early_stopping_watches_later_epochs_only() -> None:
    """Two watches on one metric that differ in their first epoch."""
    settings = {"callbacks.early_stopping.enabled": True, "callbacks.early_stopping.start_from_epoch": 50}
    run = trained(settings)
    arrays, manifest = best_checkpoint(run)
    assert manifest.value == min(metrics["val_loss"] for metrics in epochs(run))
    assert loss_of(arrays, prepared_of(settings).splits.validation) == pytest.approx(manifest.value, rel=1e-5)


def test_a_run_whose_loss_leaves_the_numbers_ends_as_diverged() -> None:
    run = trained({}, base=WILD)
    check(run)
    assert (run.status.state, run.status.reason) == ("diverged", "diverged")
    (diverged,) = of_kind(run, "diverged")
    assert diverged["evidence"]["learning_rate"] == 300
    assert f"since update {diverged['evidence']['update']};" in diverged["message"]
    assert "Try a learning rate ten times lower (30)." in diverged["message"]
    assert of_kind(run, "tested") == []
    assert len(epochs(run)) == (diverged["evidence"]["update"] - 1) // 8
    assert all(np.isfinite(list(metrics.values())).all() for metrics in epochs(run))


def test_a_loss_that_is_no_number_from_the_start_has_no_update_before() -> None:
    run = trained({"optimizer.learning_rate": 1e-3, "loss.kind": "mse"}, base={**WILD, "data.standardize": "none"})
    wild = trained({"model.initializer": "ones", "model.hidden": [256] * 9, "model.activation": "identity"}, base=WILD)
    check(wild)
    assert run.status.state != "failed"
    (diverged,) = of_kind(wild, "diverged")
    assert diverged["evidence"] == {"update": 1}
    assert diverged["message"] == (
        "the loss is no longer a number since update 1. Try a learning rate ten times lower (30)."
    )


def test_the_best_weights_are_saved_when_a_run_diverges() -> None:
    run = trained(
        {"optimizer.learning_rate": 1e-4, "training.epochs": 100_000},
        at_epoch(9, Set(key="optimizer.learning_rate", value=1e5)), base=WILD,
    )  # fmt: skip
    check(run)
    assert run.status.state == "diverged"
    losses = [metrics["val_loss"] for metrics in epochs(run)]
    assert best_checkpoint(run)[1].epoch == losses.index(min(losses)) > 3
    assert best_checkpoint(run)[1].value == min(losses)


def test_the_last_finite_checkpoint_stays_when_a_run_diverges() -> None:
    settings = {
        "optimizer.learning_rate": 1e-4,
        "training.epochs": 100_000,
        "callbacks.model_checkpoint.save_best_only": False,
    }
    run = trained(settings, at_epoch(2, Set(key="optimizer.learning_rate", value=1e5)), base=WILD)
    check(run)
    assert run.status.state == "diverged"
    good = checkpoints.available(run.directory / "checkpoints").good
    assert good
    for manifest in good:
        arrays, _ = checkpoints.load(run.directory / "checkpoints" / f"{manifest.id}.safetensors")
        weights = [array for name, array in arrays.items() if name.startswith("parameters.")]
        assert all(np.isfinite(array).all() for array in weights)


def test_a_run_may_go_on_without_numbers() -> None:
    run = trained({"callbacks.terminate_on_nan.enabled": False}, base=WILD)
    check(run)
    assert (run.status.state, run.status.epochs) == ("finished", 8)
    assert epochs(run)[-1]["loss"] == "NaN"
    assert sum("no longer a number" in message for message in messages(run)) == 1
    assert of_kind(run, "diverged") == []


@pytest.mark.parametrize("keep_best", [True, False])
def test_a_command_stops_a_run(keep_best: bool) -> None:
    run = trained({"training.epochs": 100_000}, at_epoch(3, Stop(keep_best=keep_best)))
    check(run)
    assert (run.status.state, run.status.reason) == ("stopped", "stopped")
    assert 4 <= run.status.epochs < 100_000
    restored = [(found["reason"], found["value"]) for found in of_kind(run, "weights_restored")]
    assert restored == ([("stopped", min(metrics["val_loss"] for metrics in epochs(run)))] if keep_best else [])
    newest = checkpoints.newest_good(run.directory / "checkpoints", "last")
    assert newest is not None
    assert checkpoints.load(newest)[1].step == run.status.steps


def test_a_command_that_came_first_stops_a_run_before_its_first_update() -> None:
    prepared = prepared_of({})
    directory = engine.start(prepared, stores.store())
    send(directory.path, Stop())
    run = engine.train(prepared, directory)
    check(run)
    assert (run.status.state, run.status.steps, run.status.epochs) == ("stopped", 0, 0)
    assert run.status.message == "on command; no epoch was completed"


def test_an_event_interrupts_a_run_which_is_saved() -> None:
    cancelled = threading.Event()
    prepared = prepared_of({"training.epochs": 100_000})
    directory = begun(
        prepared, lambda _, event: cancelled.set() if event.kind == "epoch" and event.epoch == 2 else None
    )
    run = engine.train(prepared, directory, cancelled)
    check(run)
    assert (run.status.state, run.status.reason) == ("stopped", "interrupted")
    newest = checkpoints.newest_good(run.directory / "checkpoints", "last")
    assert newest is not None
    assert checkpoints.load(newest)[1].step == run.status.steps


@pytest.mark.parametrize(("how", "words"), [("an event", "interrupted"), ("a command", "on command")])
def test_nobody_waits_for_a_compile_to_end_a_run(how: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled, is_over = threading.Event(), threading.Event()
    prepared = prepared_of({})
    directory = begun(prepared)

    def endless(*_: object) -> None:
        cancelled.set() if how == "an event" else send(directory.path, Stop())
        is_over.wait()

    monkeypatch.setattr(program, "compiled", endless)
    run = engine.train(prepared, directory, cancelled)
    is_over.set()
    check(run)
    assert (run.status.state, run.status.message) == ("stopped", f"{words}; no epoch was completed")


def test_an_interruption_at_the_last_update_is_still_a_completed_run() -> None:
    """Epochs done are done: what comes at the end of the last call changes nothing."""
    run = trained({"training.epochs": 2}, at_epoch(1, Stop()))
    assert run.status.reason == "completed"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("boom\nand more"), "boom (log.txt has the traceback)"),
        (ValueError(""), "ValueError (log.txt has the traceback)"),
        (RuntimeError("\x1b[2Jevil"), "\\x1b[2Jevil (log.txt has the traceback)"),
        (RuntimeError("RESOURCE_EXHAUSTED: 9 GiB"),
         "training.batch_size must fit into memory: it ran out with batches of 40, which need "),
        (MemoryError(), "training.batch_size must fit into memory: it ran out with batches of 40, which need "),
    ],
)  # fmt: skip
def test_what_fails_in_a_run_is_told_by_the_run(error: Exception, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(program, "compiled", fail)
    run = trained()
    check(run)
    assert (run.status.state, run.status.reason) == ("failed", "failed")
    assert run.status.message.startswith(words)
    log = (run.directory / "log.txt").read_text()
    assert "Traceback" in log
    assert type(error).__name__ in log


def test_a_failure_in_the_middle_keeps_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def hook(_: RunDirectory, event: Any) -> None:
        if event.kind == "epoch" and event.epoch == 1:
            raise RuntimeError("boom")

    run = trained({}, hook)
    check(run)
    assert (run.status.state, run.status.epochs) == ("failed", 2)


def test_a_disk_that_takes_records_in_pieces_gets_them_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def hook(_: RunDirectory, event: Any) -> None:
        if event.kind == "epoch" and event.epoch == 0:
            monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data)[:10]))

    run = trained({}, hook)
    monkeypatch.setattr(os, "write", write)
    check(run)
    assert runs.read(run.directory).status.epochs == 6


def test_a_checkpoint_that_cannot_be_written_is_a_warning() -> None:
    def hook(directory: RunDirectory, event: Any) -> None:
        if event.kind == "started":
            (directory.path / "checkpoints").rmdir() if (directory.path / "checkpoints").is_dir() else None
            (directory.path / "checkpoints").write_text("in the way")

    run = trained({}, hook)
    assert (run.status.state, run.status.epochs) == ("finished", 6)
    assert [event["what"] for event in of_kind(run, "unsaved")] == ["checkpoints"]
    assert of_kind(run, "checkpoint_saved") == []


def test_the_epochs_of_a_config_are_always_the_same() -> None:
    settings = {"model.dropout": 0.3, "callbacks.reduce_lr_on_plateau.enabled": True,
                "callbacks.reduce_lr_on_plateau.patience": 1,
                "optimizer.learning_rate": 0.5}  # fmt: skip
    assert epochs(trained(settings)) == epochs(trained(settings)) != epochs(trained({**settings, "training.seed": 1}))


@pytest.mark.parametrize("call_seconds", [1e-9, 1e-3, 1e9])
def test_the_length_of_the_calls_changes_no_record_of_an_epoch(
    call_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"callbacks.reduce_lr_on_plateau.enabled": True, "callbacks.reduce_lr_on_plateau.patience": 2,
                "training.epochs": 200,
                "callbacks.early_stopping.enabled": True, "callbacks.early_stopping.patience": 9,
                "optimizer.learning_rate": 0.3}  # fmt: skip
    story = ("epoch", "learning_rate_reduced", "early_stopped", "weights_restored", "insight")

    def told(run: Run) -> list[dict[str, Any]]:
        passing = {"seq", "time", "elapsed", "examples_per_second"}
        return [
            {k: v for k, v in record.items() if k not in passing} for record in records(run) if record["kind"] in story
        ]

    usual = told(trained(settings))
    monkeypatch.setattr("trainer.call_size._SECONDS", call_seconds)
    monkeypatch.setattr("trainer.call_size._GROWTH", 1 << 20)
    assert {record["kind"] for record in usual} >= {"learning_rate_reduced", "early_stopped"}
    assert told(trained(settings)) == usual


@pytest.fixture
def compiles() -> Iterator[list[str]]:
    """What XLA compiles, cached or not."""
    seen: list[str] = []

    def listen(event: str, duration: float, **_: Any) -> None:
        if "backend_compile" in event:
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


def test_a_second_run_of_a_structure_compiles_nothing(compiles: list[str]) -> None:
    trained()
    compiles.clear()
    run = trained({"optimizer.learning_rate": 0.5, "training.epochs": 9, "training.seed": 3, "regularization.l2": 0.1})
    assert of_kind(run, "compiled") == []
    assert compiles == []


def test_a_number_is_set_while_the_run_trains_and_nothing_is_compiled(compiles: list[str]) -> None:
    trained()
    compiles.clear()
    run = trained({"training.epochs": 3000}, at_epoch(1, Set(key="optimizer.learning_rate", value=0.5, by="me")))
    check(run)
    (record,) = of_kind(run, "hyperparameter_set")
    assert (record["key"], record["from"], record["to"], record["by"]) == ("optimizer.learning_rate", 0.02, 0.5, "me")
    rates = [metrics["learning_rate"] for metrics in epochs(run)]
    assert sorted(set(rates)) == [0.02, 0.5]
    assert rates == sorted(rates), "never back"
    assert rates.index(0.5) >= 2
    assert compiles == []
    assert run.config is not None
    assert run.config.optimizer.learning_rate == 0.02, "the config is what the run was started with"


@pytest.mark.parametrize(("epochs_set", "reached"), [(1, 3), (5, 5), (60, 60)])
def test_the_number_of_epochs_is_a_live_number_too(
    epochs_set: int, reached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.call_size._SECONDS", 1e-9)
    run = trained({"training.epochs": 40}, at_epoch(1, Set(key="training.epochs", value=epochs_set)))
    check(run)
    assert (run.status.epochs_planned, run.status.reason) == (epochs_set, "completed")
    assert max(2, epochs_set) <= run.status.epochs <= reached


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("model.hidden", [9], "model.hidden cannot change while training"),
        ("training.seed", 9, "training.seed cannot change while training"),
        ("callbacks.early_stopping.patience", 9, "cannot change while training"),
        ("optimizer.kind", "sgd", "optimizer.kind cannot change while training"),
        ("optimizer.kind", ["sgd"], "optimizer.kind must be one of"),
        ("name", "x", "name cannot change while training"),
        ("optimizer.learning_rate", -1.0, "optimizer.learning_rate must be greater than 0.0, got -1.0"),
        ("optimizer.learning_rate", "fast", "optimizer.learning_rate must be a number, got 'fast'"),
        ("optimizer.learning_rat", 1.0, "Did you mean learning_rate?"),
        ("training.epochs", 2.5, "training.epochs must be a whole number"),
        ("", 1, "is not known"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_a_warning_and_the_run_goes_on(key: str, value: Any, words: str) -> None:
    run = trained(
        {},
        lambda directory, event: send(directory.path, Set(key=key, value=value)) if event.kind == "started" else None,
    )
    check(run)
    assert run.status.state == "finished"
    assert of_kind(run, "hyperparameter_set") == []
    (message,) = messages(run)
    assert words in message


def test_a_line_that_is_no_command_is_a_warning() -> None:
    def hook(directory: RunDirectory, event: Any) -> None:
        if event.kind == "started":
            (directory.path / "commands.jsonl").write_bytes(b'{"kind": "dance"}\nnonsense\n')

    run = trained({}, hook)
    assert run.status.state == "finished"
    assert len(messages(run)) == 2


def test_a_run_waits_while_it_is_paused_and_goes_on_to_the_same_end() -> None:
    states = []

    def hook(directory: RunDirectory, event: Any) -> None:
        if event.kind == "epoch" and event.epoch == 1:
            send(directory.path, Resume())
            send(directory.path, Pause(by="me"))
            send(directory.path, Pause())
        if event.kind == "paused":
            states.append(runs.peek(directory.path).shown_state)
            send(directory.path, Resume(by="you"))
        if event.kind == "resumed":
            states.append(runs.peek(directory.path).shown_state)

    run = trained({"training.epochs": 3000}, hook)
    check(run)
    assert states == ["paused", "running"]
    assert messages(run, "paused") == ["paused by me"]
    assert messages(run, "resumed") == ["resumed by you"]
    assert epochs(run) == epochs(trained({"training.epochs": 3000}))


def test_a_run_that_waits_saves_its_state_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.cadence.Cadence.is_due", property(lambda _: True))
    saved = []

    def hook(directory: RunDirectory, event: Any) -> None:
        if event.kind == "epoch" and event.epoch == 1:
            send(directory.path, Pause())
        if event.kind == "paused":
            threading.Timer(1.0, send, [directory.path, Stop()]).start()
        if event.kind == "checkpoint_saved" and event.reason == "time":
            saved.append(event.step)

    trained({"training.epochs": 3000}, hook)
    assert len(saved) > 0
    assert len(saved) == len(set(saved))


def test_a_number_may_be_set_while_the_run_is_paused() -> None:
    def hook(directory: RunDirectory, event: Any) -> None:
        if event.kind == "started":
            send(directory.path, Pause())
        if event.kind == "paused":
            send(directory.path, Set(key="optimizer.learning_rate", value=0.25))
        if event.kind == "hyperparameter_set":
            send(directory.path, Resume())

    run = trained({}, hook)
    check(run)
    assert [metrics["learning_rate"] for metrics in epochs(run)] == [0.25] * 6


@pytest.mark.parametrize("how", ["stop", "interrupt"])
def test_a_paused_run_can_be_ended(how: str) -> None:
    cancelled = threading.Event()

    def hook(directory: RunDirectory, event: Any) -> None:
        if event.kind == "started":
            send(directory.path, Pause())
        if event.kind == "paused":
            cancelled.set() if how == "interrupt" else send(directory.path, Stop())

    prepared = prepared_of({})
    run = engine.train(prepared, begun(prepared, hook), cancelled)
    check(run)
    assert run.status.reason == {"stop": "stopped", "interrupt": "interrupted"}[how]


def test_a_command_saves() -> None:
    run = trained({"training.epochs": 60, "callbacks.model_checkpoint.enabled": False}, at_epoch(2, Save()))
    check(run)
    (saved,) = of_kind(run, "checkpoint_saved")
    assert saved["reason"] == "command"
    arrays, manifest = checkpoints.load(run.directory / saved["path"])
    assert (manifest.step, manifest.kind) == (saved["step"], "last")
    assert arrays["step"] == saved["step"] > 0


def test_a_command_saves_while_the_run_waits() -> None:
    def hook(directory: RunDirectory, event: Any) -> None:
        if event.kind == "started":
            send(directory.path, Pause())
        if event.kind == "paused":
            send(directory.path, Save())
        if event.kind == "checkpoint_saved" and event.reason == "command":
            send(directory.path, Stop())

    run = trained({"training.epochs": 100_000, "callbacks.model_checkpoint.enabled": False}, hook)
    check(run)
    (saved,) = of_kind(run, "checkpoint_saved")
    assert (saved["reason"], saved["step"]) == ("command", run.status.steps)


def test_every_epoch_is_saved_where_that_is_asked_for() -> None:
    """Calls of any length end where an epoch that is to be saved does; an epoch may also be the best."""
    manifests = []

    def hook(directory: RunDirectory, event: Any) -> None:
        if event.kind == "checkpoint_saved" and event.path.startswith("checkpoints/step"):
            manifests.append(checkpoints.load(directory.path / event.path)[1])

    run = trained({"callbacks.model_checkpoint.save_best_only": False}, hook)
    check(run)
    losses = [metrics["val_loss"] for metrics in epochs(run)]
    by_epoch = [manifest for manifest in manifests if manifest.reason == "epoch"]
    assert by_epoch
    for manifest in by_epoch:
        assert manifest.step % 3 == 0
        assert manifest.value == losses[manifest.step // 3 - 1]
    assert best_checkpoint(run)[1].value == min(losses)


@pytest.mark.parametrize(
    ("keep_best", "monitor", "reason"),
    [(True, "val_loss", "early_stopping"), (False, "val_loss", None), (True, "val_f1", "stopped")],
)
def test_stopping_on_command_goes_back_to_the_weights_that_early_stopping_would(
    keep_best: bool, monitor: str, reason: str | None
) -> None:
    settings = {"callbacks.early_stopping.enabled": True, "callbacks.early_stopping.patience": 90_000,
                "callbacks.early_stopping.monitor": monitor, "training.epochs": 100_000}  # fmt: skip
    run = trained(settings, at_epoch(3, Stop(keep_best=keep_best)))
    check(run)
    assert [found["reason"] for found in of_kind(run, "weights_restored")] == ([reason] if reason else [])


def test_weights_that_early_stopping_did_not_watch_are_not_its_own() -> None:
    """It has seen no epoch from `start_from_epoch` on; what ModelCheckpoint keeps is not what it asked for."""
    settings = {"callbacks.early_stopping.enabled": True, "callbacks.early_stopping.start_from_epoch": 50}
    run = trained(settings)
    check(run)
    assert of_kind(run, "weights_restored") == []


def test_the_best_epoch_is_the_one_whose_weights_are_kept() -> None:
    settings = {"callbacks.model_checkpoint.monitor": "grad_norm", "callbacks.model_checkpoint.mode": "max"}
    run = trained(settings)
    norms = [metrics["grad_norm"] for metrics in epochs(run)]
    assert run.status.best is not None
    assert (run.status.best.epoch, run.status.best.value) == (norms.index(max(norms)), max(norms))
    assert best_checkpoint(run)[1].epoch == run.status.best.epoch


def test_a_changed_number_of_epochs_reaches_who_follows_the_run() -> None:
    run = trained({"training.epochs": 100_000}, at_epoch(2, Set(key="training.epochs", value=4000)))
    followed, tail = runs.open_run(run.directory)
    followed.status.epochs_planned = 100_000
    followed.apply_all(tail.read_all())
    assert followed.status.epochs_planned == run.status.epochs_planned == run.status.epochs == 4000


def test_checkpoints_come_every_so_many_updates_where_that_is_asked_for() -> None:
    run = trained({"callbacks.model_checkpoint.save_best_only": False, "callbacks.model_checkpoint.save_freq": 5})
    check(run)
    saved = [record["step"] for record in of_kind(run, "checkpoint_saved") if record["reason"] == "updates"]
    assert saved
    assert all(step % 5 == 0 for step in saved)


def test_a_checkpoint_is_of_the_update_that_its_manifest_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of seven updates end within the epochs of three."""
    monkeypatch.setattr(loop.Loop, "_size_of_call", lambda self: min(7, self._alive[0].updates_left))
    steps = []

    def hook(directory: RunDirectory, event: Any) -> None:
        if event.kind == "checkpoint_saved" and event.path.startswith("checkpoints/step"):
            arrays, manifest = checkpoints.load(directory.path / event.path)
            steps.append((int(arrays["step"]), manifest.step, event.step, manifest.epoch * 3))

    check(
        trained(
            {"callbacks.model_checkpoint.save_best_only": False, "callbacks.model_checkpoint.monitor": "loss"}, hook
        )
    )
    check(trained({"callbacks.model_checkpoint.save_best_only": False, "optimizer.learning_rate": 1.0}, hook))
    assert steps
    for step, *named, epoch_began in steps:
        assert named == [step, step]
        assert epoch_began == step // 3 * 3


@pytest.mark.parametrize("enabled", [True, False])
def test_checkpoints_are_written_where_they_are_on(enabled: bool) -> None:
    run = trained({"callbacks.model_checkpoint.enabled": enabled})
    assert bool(of_kind(run, "checkpoint_saved")) is enabled


def test_a_metric_that_is_not_there_is_told_once_by_each_callback() -> None:
    run = trained(
        {"callbacks.early_stopping.enabled": True, "callbacks.early_stopping.monitor": "val_auc",
         "callbacks.early_stopping.patience": 1,
         "callbacks.reduce_lr_on_plateau.enabled": True, "callbacks.reduce_lr_on_plateau.monitor": "val_f1"}
    )  # fmt: skip
    check(run)
    assert (run.status.reason, run.status.epochs) == ("completed", 6)
    told = messages(run)
    assert len(told) == 2
    assert any("got 'val_auc'" in message for message in told)
    assert any("got 'val_f1'" in message for message in told)


def test_a_run_without_validation_is_judged_by_its_loss() -> None:
    run = trained({"data.validation_split": 0.0})
    check(run)
    assert run.status.best is not None
    assert run.status.best.metric == "loss"
    assert len([message for message in messages(run) if "val_loss" in message]) == 1


def test_event_files_are_written_where_they_are_on() -> None:
    run = trained({"callbacks.tensorboard.enabled": True})
    check(run)
    assert list((run.directory / "tensorboard").rglob("events*"))


def test_no_thread_is_left_of_a_run() -> None:
    before = threading.active_count()
    trained()
    assert threading.active_count() == before


def test_the_trainer_holds_the_lock_while_it_trains() -> None:
    alive = []
    run = trained({}, lambda directory, event: alive.append(liveness.is_alive(directory.path)))
    assert set(alive) == {True}
    assert not liveness.is_alive(run.directory)


def test_the_insights_of_a_run_are_recorded_after_their_epoch() -> None:
    run = trained({"model.initializer": "zeros"})
    found = records(run)
    (insight,) = (record for record in found if record["kind"] == "insight")
    before = found[insight["seq"] - 2 : insight["seq"]]
    assert [(record["kind"], record["epoch"]) for record in before] == [("epoch", 2), ("layers", 2)]
    assert insight["epoch"] == 2


@pytest.mark.xdist_group("keras")
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize(
    ("stopping", "plateau", "rate"),
    [
        ({"patience": 8}, {"patience": 2, "factor": 0.5}, 0.5),
        ({"patience": 6, "min_delta": 0.01}, {"patience": 1, "factor": 0.1, "cooldown": 3, "min_lr": 1e-3}, 1.0),
        ({"patience": 10, "monitor": "val_accuracy"}, {"patience": 2, "factor": 0.3, "min_delta": 0.05,
         "monitor": "accuracy"}, 0.3),
        ({"patience": 5, "start_from_epoch": 7, "baseline": 0.01}, {"patience": 1, "factor": 0.9, "cooldown": 1}, 0.5),
    ],
)  # fmt: skip
def test_the_callbacks_of_keras_act_at_the_epochs_of_a_real_run(
    keras: Any, stopping: dict[str, Any], plateau: dict[str, Any], rate: float
) -> None:
    both = {"early_stopping": {"enabled": True, **stopping}, "reduce_lr_on_plateau": {"enabled": True, **plateau}}
    settings = {f"callbacks.{name}.{key}": value for name, part in both.items() for key, value in part.items()}
    run = trained({**settings, "optimizer.learning_rate": rate, "training.epochs": 150})
    check(run)
    optimizer = keras.optimizers.SGD(rate)
    model = SimpleNamespace(optimizer=optimizer, stop_training=False)
    direction = {"val_accuracy": "max", "accuracy": "max"}
    callbacks = [
        keras.callbacks.ReduceLROnPlateau(**plateau, mode=direction.get(plateau.get("monitor", ""), "min")),
        keras.callbacks.EarlyStopping(**stopping, mode=direction.get(stopping.get("monitor", ""), "min")),
    ]
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    cuts, stops = [], []
    for epoch, metrics in enumerate(epochs(run)):
        before = float(optimizer.learning_rate)
        assert metrics["learning_rate"] == pytest.approx(before, rel=1e-7), "the rate that the epoch used"
        for callback in callbacks:
            callback.on_epoch_end(epoch, dict(metrics))
        if float(optimizer.learning_rate) != before:
            cuts.append((epoch, np.float32(before), np.float32(optimizer.learning_rate)))
        if model.stop_training:
            stops.append(epoch)
    ours = [
        (cut["epoch"], np.float32(cut["from"]), np.float32(cut["to"])) for cut in of_kind(run, "learning_rate_reduced")
    ]
    assert ours == cuts
    assert cuts
    assert [stop["epoch"] for stop in of_kind(run, "early_stopped")] == stops
    assert stops == [run.status.epochs - 1], "the run ended where Keras would have"
