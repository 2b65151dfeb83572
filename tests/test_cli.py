import csv
import gc
import io
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import presets
from trainer import lr_finder, picture_file
from trainer.commands import Stop, send
from trainer.config import Config, load
from trainer.preparation import prepare
from trainer.run import Run
from trainer.runs import peek
from trainer.store import all_runs, is_run
from trainer.training import start, train
from tui import attending, cli

PROGRAM = [sys.executable, "-c", "from tui.cli import main; main()"]
PATIENCE_SECONDS = 60
KEYS = {
    "run", "state", "reason", "epochs", "steps", "best", "metrics", "seconds", "compile_seconds", "examples_per_second",
}  # fmt: skip
TINY = ["--set", "training.epochs=2", "--set", "model.hidden=[8]"]
COMMANDS = (
    "train", "resume", "fork", "summary", "lr-find", "presets", "schema", "runs", "control", "compare", "examples",
    "export", "share", "doctor",
)  # fmt: skip


class Terminal:
    """Runs the command line in this process, as a shell would see it."""

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
def shell(capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    threshold = gc.get_threshold()
    yield Terminal(capsys)
    gc.set_threshold(*threshold)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two runs in one store, trained once for all tests that only look."""
    store = tmp_path_factory.mktemp("store")
    made = []
    for name, epochs in (("=first", 2), ("second", 3)):
        settings = {"name": name, "data.source": "iris", "model.hidden": [8], "training.epochs": epochs}
        prepared = prepare(Config().changed(settings))
        made.append(train(prepared, start(prepared, store)))
    return made


@pytest.fixture
def store(pair: list[Run]) -> Path:
    return pair[0].directory.parent


def strict(text: str) -> Any:
    """Read JSON that holds nothing but what JSON has."""

    def refuse(word: str) -> Any:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def last_object(out: str) -> dict[str, Any]:
    return strict(out.splitlines()[-1])  # type: ignore[no-any-return]


def lines_of_error(err: str) -> list[str]:
    lines = err.splitlines()
    assert lines
    assert all(line.startswith("nn-tui: ") for line in lines), err
    return lines


# train


def test_train_ends_with_one_strict_json_object(shell: Terminal, tmp_path: Path):
    code, out, err = shell("train", "iris-first", *TINY, "--name", "[/] mine", "--runs", tmp_path / "here", "--json")
    result = last_object(out)
    assert code == 0
    assert result.keys() >= KEYS
    assert (result["state"], result["reason"], result["epochs"], result["steps"]) == ("finished", "completed", 2, 16)
    assert result["best"].keys() == {"metric", "value", "epoch"}
    assert result["metrics"].keys() >= {"loss", "accuracy", "val_loss", "learning_rate"}
    assert result["seconds"] > 0
    assert "epoch 2/2" in err
    [run] = all_runs(tmp_path / "here")
    assert (str(run.directory), run.name, run.shown_state) == (result["run"], "[/] mine", "finished")
    assert run.config.training.epochs == 2


def test_train_without_json_says_how_it_went_and_where_it_is(shell: Terminal):
    code, out, _ = shell("train", "iris-first", *TINY)
    words, metrics, folder = out.splitlines()
    assert re.match(r"epoch \d+: loss [\d.e-]+  accuracy ", metrics)
    assert code == 0
    assert words.startswith("finished: all epochs done; best val_loss")
    assert is_run(Path(folder))
    assert Path(folder).parent == Path(os.environ["NN_TUI_RUNS"])


def test_train_takes_a_preset_by_path_and_settings_swap_kinds(shell: Terminal, tmp_path: Path):
    (tmp_path / "p.toml").write_text('schema = 1\n[data]\nsource = "iris"\n[model]\nhidden = [8]\n')
    code, out, _ = shell(
        "train", tmp_path / "p.toml", *TINY, "--set", "optimizer.kind=sgd", "--set", "optimizer.momentum=0.5", "--json"
    )
    assert code == 0
    optimizer = load(Path(last_object(out)["run"]) / "config.toml").optimizer
    assert (optimizer.kind, optimizer.momentum) == ("sgd", 0.5)


def test_a_diverged_run_exits_with_3_and_still_prints_strict_json(shell: Terminal):
    code, out, err = shell("train", "learning-rate-too-high", "--json")
    assert (code, last_object(out)["state"]) == (3, "diverged")
    assert err.count("the loss is no longer a number since update") == 1


def test_numbers_that_are_none_are_strings_in_the_json_of_train_and_runs(shell: Terminal):
    code, out, _ = shell(
        "train", "learning-rate-too-high", "--set", "callbacks.terminate_on_nan.enabled=false",
        "--set", "training.epochs=2", "--set", "optimizer.learning_rate=30", "--json",
    )  # fmt: skip
    assert code == 0
    assert last_object(out)["metrics"]["loss"] == "NaN"
    assert strict(shell("runs", "--json")[1])[0]["metrics"]["val_loss"] == "NaN"


def test_a_failure_exits_with_1_in_one_line_and_leaves_the_traceback_in_the_log(
    shell: Terminal, monkeypatch: pytest.MonkeyPatch
):
    def fail(loop: Any) -> Any:
        raise RuntimeError("the device caught fire")

    monkeypatch.setattr("trainer.loop.Loop.run", fail)
    code, out, err = shell("train", "iris-first", "--json")
    result = last_object(out)
    assert (code, result["state"], result["reason"]) == (1, "failed", "failed")
    assert result["message"] == "the device caught fire (log.txt has the traceback)"
    assert "RuntimeError" not in err
    assert "RuntimeError: the device caught fire" in (Path(result["run"]) / "log.txt").read_text()


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["train", "iris-frist"], ["Did you mean iris-first?"]),
        (["train", "iris-first", "--set", "optimizer.learning_rat=1"], ["Did you mean learning_rate?"]),
        (["train", "iris-first", "--set", "epochs"], ["--set needs key=value, got 'epochs'"]),
        (
            ["train", "iris-first", "--set", "training.epochs=0", "--set", "model.dropout=2"],
            ["model.dropout must be", "training.epochs must be at least 1, got 0."],
        ),
        (["train", "iris-first", "--set", "training.batch_size=9999"], ["must be at most the 120"]),
        (["train", "no-such-file.toml"], ["no-such-file.toml"]),
        (["train"], ["Missing argument 'PRESET'"]),
        (["train", "iris-first", "--sett", "a=b"], ["No such option: --sett"]),
        (["presets", "no-such-preset"], ["no-such-preset is no preset and no file."]),
        (["compare", "nothing-like-it"], ["nothing-like-it is no run in"]),
        (["compare"], ["Missing argument 'RUN...'"]),
        (["examples"], ["Missing argument 'RUN'"]),
        (["examples", "nothing"], ["nothing is no run in"]),
        (["export", "@last", "--to", "xlsx"], ["--to must be one of csv, json, got 'xlsx'."]),
        (["export", "nothing", "--to", "csv"], ["nothing is no run in"]),
        (["export", "@last", "--to", "csv"], ["@last is no run in"]),
    ],
)
def test_bad_usage_is_a_line_for_each_problem_exits_with_2_and_makes_nothing(
    shell: Terminal, words: list[str], lines: list[str]
):
    code, out, err = shell(*words)
    found = lines_of_error(err)
    assert (code, out, len(found)) == (2, "", len(lines))
    assert all(line in text for line, text in zip(lines, found, strict=True))
    assert not Path(os.environ["NN_TUI_RUNS"]).exists()


def test_a_problem_in_a_file_is_told_with_its_line(shell: Terminal, tmp_path: Path):
    (tmp_path / "p.toml").write_text("schema = 1\n\n[training]\nepochs = 0\n")
    assert f"{tmp_path}/p.toml:4: training.epochs must" in shell("train", tmp_path / "p.toml")[2]


def test_escape_codes_in_a_wrong_word_do_not_reach_the_terminal(shell: Terminal):
    for words in (["\x1b]0;x\x07"], ["train", "\x1b]0;x\x07"], ["train", "iris-first", "--\x1b]0;x\x07"]):
        err = shell(*words)[2]
        assert "\x1b" not in err
        assert "x1b" in err


@pytest.mark.parametrize(
    ("number", "code", "reason"), [(signal.SIGINT, 130, "stopped"), (signal.SIGTERM, 0, "interrupted")]
)
def test_a_run_that_is_asked_to_end_is_saved(number: signal.Signals, code: int, reason: str, tmp_path: Path):
    words = ["train", "iris-first", "--set", "training.epochs=1000000", "--json", "--runs", str(tmp_path / "runs")]
    words += ["--set", "callbacks.early_stopping.enabled=false"]
    with subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        killer = threading.Timer(PATIENCE_SECONDS, process.kill)
        killer.start()
        while "epoch 1/" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGUSR1)
        while "saved: command" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        killer.cancel()
    result = last_object(out)
    assert process.returncode == code
    assert (result["state"], result["reason"]) == ("stopped", reason)
    assert result["epochs"] >= 1
    assert "Traceback" not in err
    assert list((Path(result["run"]) / "checkpoints").iterdir())


def test_the_exit_codes_cover_every_state_that_a_run_can_end_in():
    from trainer.status import ENDS

    assert set(attending.EXIT_CODES) == set(ENDS.values())


# presets and schema


def test_presets_lists_every_preset_with_its_description(shell: Terminal):
    code, out, _ = shell("presets")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [preset.name for preset in presets.available()]
    assert "8x8 pictures of handwritten digits" in out


def test_presets_as_json_tell_a_broken_one_from_the_good_ones(shell: Terminal):
    presets.own_folder().mkdir(parents=True)
    (presets.own_folder() / "broken.toml").write_text("epochs = \n")
    (presets.own_folder() / "e\x1b[2J[@click=app.exit].toml").write_text(
        'schema = 1\nname = "[bold"\ndescription = "[/]"\n'
    )
    listed = {preset["name"]: preset for preset in strict(shell("presets", "--json")[1])}
    assert not listed["broken"]["good"]
    assert "cannot be read" in listed["broken"]["description"]
    assert listed["digits-mlp"] == {
        "name": "digits-mlp", "good": True, "built_in": True, "description": presets.load("digits-mlp").description,
        "path": str(presets.find("digits-mlp").path),
    }  # fmt: skip
    out = shell("presets")[1]
    assert "\x1b" not in out
    assert r"e\x1b[2J[@click=app.exit]" in out


@pytest.mark.parametrize("preset", presets.available(), ids=lambda preset: preset.name)
def test_a_printed_preset_loads_again_as_the_same(shell: Terminal, tmp_path: Path, preset: presets.Preset):
    code, out, _ = shell("presets", preset.name)
    (tmp_path / "again.toml").write_text(out)
    assert code == 0
    assert load(tmp_path / "again.toml").permitted(preset.path.parent) == preset.load()
    assert (
        Config.parse(strict(shell("presets", preset.name, "--json")[1])).permitted(preset.path.parent) == preset.load()
    )


def test_the_schema_describes_every_section_and_key_of_a_whole_preset(shell: Terminal):
    schema = strict(shell("schema")[1])
    table = strict(shell("presets", "digits-mlp", "--json")[1])
    assert schema["properties"].keys() == table.keys()
    assert schema["additionalProperties"] is False
    training = schema["$defs"][schema["properties"]["training"]["$ref"].rsplit("/")[-1]]
    assert training["properties"].keys() == table["training"].keys()
    assert training["properties"]["epochs"]["minimum"] == 1
    for definition in schema["$defs"].values():
        for name, field in definition.get("properties", {}).items():
            assert "description" in field or "const" in field or "$ref" in field, name


# runs


def test_runs_lists_the_newest_first_and_a_query_narrows_it(shell: Terminal, store: Path, pair: list[Run]):
    code, out, _ = shell("runs", "--runs", store)
    head, *rows = out.splitlines()
    assert code == 0
    assert head.split() == ["run", "state", "age", "epochs", "best"]
    assert {row.split()[0] for row in rows} == {run.id for run in pair}
    assert all("✓ finished" in row and "val_loss" in row for row in rows)
    assert [row.split()[0] for row in shell("runs", "SECOND", "--runs", store)[1].splitlines()[1:]] == [pair[1].id]
    assert shell("runs", "nothing like it", "--runs", store)[1] == "no run matches nothing like it\n"


def test_runs_as_json_is_a_list_with_id_name_and_result(shell: Terminal, store: Path, pair: list[Run]):
    listed = strict(shell("runs", "second", "--runs", store, "--json")[1])
    assert [(run["id"], run["name"], run["state"], run["epochs"]) for run in listed] == [
        (pair[1].id, "second", "finished", 3)
    ]
    assert listed[0].keys() >= KEYS


def test_runs_of_no_store_says_how_to_start_one(shell: Terminal, tmp_path: Path):
    code, out, _ = shell("runs", "--runs", tmp_path / "none")
    assert (code, out) == (0, f"no runs in {tmp_path / 'none'}. Start one: nn-tui train digits-mlp\n")
    assert shell("runs", "--runs", tmp_path / "none", "--json")[1] == "[]\n"


@pytest.mark.parametrize("words", [["runs"], ["compare", "@last"], ["control", "@last", "stop"], ["resume", "2026"]])
def test_a_store_that_cannot_be_read_is_one_line(shell: Terminal, words: list[str]):
    """One that nobody can read, root included: its name is too long."""
    code, out, err = shell(*words, "--runs", "r" * 300)
    assert (code, out, err) == (2, "", f"nn-tui: {'r' * 300} cannot be read: File name too long.\n")


def test_folders_of_somebody_else_with_hostile_names_are_listed_and_compared(
    shell: Terminal, tmp_path: Path, pair: list[Run]
):
    for name in ("a[bold]b", "c\x1b]0;x\x07", "[@click=app.exit]"):
        shutil.copytree(pair[0].directory, tmp_path / "runs" / name)
    for words in (["runs"], ["compare", "a[bold]b", "c\x1b]0;x\x07", "[@click=app.exit]"]):
        code, out, _ = shell(*words)
        assert code == 0
        assert "\x1b" not in out
        assert all(word in out for word in ("a[bold]b", r"c\x1b]0;x\x07", "[@click=app.exit]"))


# compare and export


def test_compare_shows_runs_side_by_side_with_what_differs(shell: Terminal, store: Path, pair: list[Run]):
    code, out, _ = shell("compare", *(run.id for run in pair), "--runs", store)
    assert code == 0
    assert out.splitlines()[0].split() == [run.id for run in pair]
    [row] = [line for line in out.splitlines() if line.strip().startswith("training.epochs")]
    assert row.split()[-2:] == ["2", "3"]


def test_compare_as_json_and_csv_hold_the_same_runs(shell: Terminal, store: Path, pair: list[Run]):
    words = ["compare", str(pair[0].directory), "@last", "--runs", str(store)]
    table = strict(shell(*words, "--json")[1])
    assert [run["state"] for run in table["runs"]] == ["finished", "finished"]
    rows = list(csv.reader(io.StringIO(shell(*words, "--csv")[1])))
    assert rows[0][2:4] == [run["id"] for run in table["runs"]]
    assert next(row for row in rows if row[0] == "name")[2] == "'=first"


def test_export_as_csv_has_a_row_for_each_epoch_and_no_formula(shell: Terminal, store: Path, pair: list[Run]):
    code, out, _ = shell("export", *(run.id for run in pair), "--to", "csv", "--runs", store)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [(row["run"], row["epoch"]) for row in rows] == [
        (run.id, str(epoch)) for run in pair for epoch in range(run.status.epochs)
    ]
    assert {row["name"] for row in rows} == {"'=first", "second"}
    assert float(rows[1]["val_loss"]) == pair[0].status.metrics["val_loss"]


def test_export_as_json_goes_to_a_file_with_config_and_history(
    shell: Terminal, store: Path, pair: list[Run], tmp_path: Path
):
    code, out, _ = shell("export", pair[1].id, "--to", "json", "--out", tmp_path / "o.json", "--runs", store)
    [run] = strict((tmp_path / "o.json").read_text())
    assert (code, out) == (0, "")
    assert Config.parse(run["config"]) == pair[1].config
    assert [row["epoch"] for row in run["history"]] == [0, 1, 2]
    assert run["history"][-1]["loss"] == pair[1].status.metrics["loss"]


def test_export_to_a_folder_that_is_not_there_is_one_line(shell: Terminal, store: Path, tmp_path: Path):
    code, _, err = shell("export", "@last", "--to", "csv", "--out", tmp_path / "no" / "o.csv", "--runs", store)
    assert (code, len(lines_of_error(err))) == (2, 1)
    assert "cannot be written" in err


# examples


def test_examples_tell_the_confusion_and_the_worst(shell: Terminal, store: Path, pair: list[Run]):
    code, out, _ = shell("examples", "@last", "--runs", store)
    pictures = picture_file.read(pair[1].directory)
    lines = out.splitlines()
    wrong = pictures.examples - pictures.right
    assert code == 0
    assert lines[0] == f"weights of epoch 3 · 30 validation examples · {wrong} wrong ({wrong / 30:.1%})"
    head = next(place for place, line in enumerate(lines) if line.startswith("confusion")) + 1
    assert lines[head].split() == ["setosa", "versicolor", "virginica"]
    for name, row, line in zip(lines[head].split(), pictures.confusion, lines[head + 1 :], strict=False):
        assert line.split() == [name, *(str(count) if count else "·" for count in row)]
    worst = lines[lines.index("worst examples") + 1 :]
    assert [line.split("#")[1].split()[0] for line in worst] == [str(example.index) for example in pictures.worst]


def test_examples_as_json_are_the_file(shell: Terminal, store: Path, pair: list[Run]):
    told = strict(shell("examples", pair[0].id, "--runs", store, "--json")[1])
    assert picture_file.Pictures.model_validate(told) == picture_file.read(pair[0].directory)


def test_examples_of_a_run_that_was_not_looked_at_are_one_line(shell: Terminal, tmp_path: Path, pair: list[Run]):
    shutil.copytree(pair[0].directory, tmp_path / "store" / pair[0].id)
    (tmp_path / "store" / pair[0].id / picture_file.NAME).unlink()
    code, out, err = shell("examples", "@last", "--runs", tmp_path / "store")
    assert (code, out, len(lines_of_error(err))) == (2, "", 1)
    assert "pictures.json cannot be read: No such file or directory" in err


# doctor, version, help, pipes


def test_doctor_finds_nothing_wrong_with_a_good_store(shell: Terminal, store: Path):
    code, out, _ = shell("doctor", "--runs", store, "--json")
    findings = {finding["subject"]: finding for finding in strict(out)}
    assert code == int(any(finding["verdict"] == "problem" for finding in findings.values()))
    assert findings.keys() >= {"python", "packages", "compile cache", "device", "terminal", "size", "encoding", "store"}
    assert findings["store"]["verdict"] == "ok"
    assert "2 runs (2 finished)" in findings["store"]["found"]
    assert findings["device"]["found"].startswith("cpu")


def test_doctor_exits_with_1_on_a_damaged_run(shell: Terminal, pair: list[Run], tmp_path: Path):
    damaged = tmp_path / "runs" / "damaged"
    shutil.copytree(pair[0].directory, damaged)
    (damaged / "run.json").write_text("{")
    code, out, _ = shell("doctor")
    assert code == 1
    assert any(re.match("✗ +damaged run +damaged: run.json", line) for line in out.splitlines())


def test_version_is_one_line_and_help_lists_every_command(shell: Terminal):
    from importlib.metadata import version

    assert shell("--version") == (0, f"nn-tui {version('nn-tui')}\n", "")
    for word in ("--help", "-h"):
        code, out, _ = shell(word)
        listed = out.split("Commands:")[1]
        assert code == 0
        assert tuple(line.split()[0] for line in listed.splitlines() if line.strip()) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(shell: Terminal, command: str):
    code, out, _ = shell(command, "--help")
    assert code == 0
    assert f"nn-tui {command} " in out.splitlines()[0]


@pytest.mark.parametrize("words", [["schema"], ["presets"], ["runs", "--json"]])
def test_a_reader_that_leaves_early_causes_no_complaint(words: list[str]):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*PROGRAM, *words], stdout=write, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_SECONDS)
    os.close(write)
    assert done.stderr == ""


def test_a_training_goes_on_when_nobody_reads_what_it_prints(tmp_path: Path):
    """Both pipes are closed after the first line: nobody who ran it through `tee` or `head` loses it."""
    words = ["train", "iris-first", "--set", "training.epochs=200", "--set", "callbacks.early_stopping.enabled=false"]
    command = [*PROGRAM, *words, "--runs", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline()
        process.stdout.close()
        process.stderr.close()
        assert process.wait(PATIENCE_SECONDS) == 0
    [run] = all_runs(tmp_path)
    assert (run.status.state, run.status.epochs) == ("finished", 200)


# control


def test_control_steers_a_live_run_and_prints_its_answer(shell: Terminal, tmp_path: Path):
    prepared = prepare(Config().changed({"data.source": "iris", "training.epochs": 1_000_000}))
    directory = start(prepared, tmp_path)
    worker = threading.Thread(target=train, args=(prepared, directory))
    worker.start()
    try:
        deadline = time.monotonic() + 60
        while peek(directory.path).status.state != "running":  # a command that comes while it compiles waits for that
            assert time.monotonic() < deadline
            time.sleep(0.02)
        for words, answer in (
            (("pause",), "paused by nn-tui control"),
            (
                ("set", "optimizer.learning_rate", "3e-4"),
                "optimizer.learning_rate 0.001 → 0.0003, by nn-tui control",
            ),
            (("set", "optimizer.b1=0.8"), "optimizer.b1 0.9 → 0.8, by nn-tui control"),
            (("save",), "checkpoint saved: command"),
            (("resume",), "resumed by nn-tui control"),
            (("stop",), "stopped: on command; best val_loss"),
        ):
            code, out, err = shell("control", "@last", *words, "--runs", tmp_path)
            assert (code, err) == (0, "")
            assert answer in out
            if words[0] in ("pause", "resume"):
                code, _, err = shell("control", "@last", words[0], "--runs", tmp_path)
                state = "paused" if words[0] == "pause" else "running"
                assert (code, lines_of_error(err)) == (2, [f"nn-tui: {directory.path.name} is {state} already."])
    finally:
        send(directory.path, Stop())
        worker.join()
    code, _, err = shell("control", "@last", "pause", "--runs", tmp_path)
    assert (code, lines_of_error(err)) == (2, [f"nn-tui: {directory.path.name} takes no commands: it is stopped."])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("explode",), "control needs one of pause, resume, stop, save, set (set KEY VALUE), got explode."),
        (("pause", "now"), "got pause now."),
        (("set",), "set needs KEY VALUE, got nothing."),
        (("set", "optimizer.learning_rate"), "set needs KEY VALUE, got optimizer.learning_rate."),
        (("set", "optimizer.learning_rate", "-1"), "optimizer.learning_rate must be greater than 0.0, got -1."),
        (("set", "optimizer.learning_rat", "1"), "Did you mean"),
        (("set", "model.hidden", "[3]"), "model.hidden cannot change while training: it is compiled in."),
        (("set", "model.hidden", "3"), "model.hidden cannot change while training: it is compiled in."),
        (("set", "training.epochs", "0"), "training.epochs must be at least 1, got 0."),
        (("set", "training.seed", "3"), "training.seed cannot change while training: it is read at the start."),
    ],
)
def test_control_says_why_a_run_cannot_do_that(shell: Terminal, tmp_path: Path, words: tuple[str, ...], said: str):
    prepared = prepare(Config().changed({"data.source": "iris"}))
    directory = start(prepared, tmp_path)
    try:
        code, out, err = shell("control", "@last", *words, "--runs", tmp_path)
        assert (code, out) == (2, "")
        [line] = lines_of_error(err)
        assert said in line
        assert not (directory.path / "commands.jsonl").exists()
    finally:
        directory.close()


# lr-find


def test_lr_find_prints_every_rate_and_its_suggestion(shell: Terminal):
    code, out, _ = shell("lr-find", "iris-first", "--updates", "60", "--from", "1e-5", "--to", "1")
    assert code == 0
    *tried, last = out.splitlines()
    assert len(tried) == 48
    assert tried[0].startswith("1e-05")
    [marked] = [line for line in tried if line.endswith("◀")]
    assert float(marked.split()[0]) == float(last.partition(":")[0])
    code, out, _ = shell("lr-find", "bad-initializer", "--updates", "40", "--json")
    found = last_object(out)
    assert (code, found["suggestion"], len(found["tried"])) == (0, None, 48)
    code, _, err = shell("lr-find", "iris-first", "--from", "1", "--to", "0.1")
    assert (code, lines_of_error(err)) == (2, ["nn-tui: --from must be below --to, got 1 and 0.1."])


def test_lr_find_draws_bars_by_the_share_of_the_fall_whatever_the_sign_of_the_losses(
    shell: Terminal, monkeypatch: pytest.MonkeyPatch
):
    losses = np.array([-2.0, -4.0, -6.0, 8.0, math.inf])
    seen = lr_finder.Found(np.array([1e-4, 1e-3, 1e-2, 0.1, 1.0]), losses, 200, 0.01, "because.")
    monkeypatch.setattr(lr_finder, "find", lambda *_, **__: seen)
    _, out, _ = shell("lr-find", "iris-first")
    assert [line.count("━") for line in out.splitlines()] == [0, 20, 40, 0, 0, 0]


# summary


def test_summary_prints_layers_memory_and_learning_rate_of_a_preset(shell: Terminal):
    code, out, _ = shell("summary", "iris-first", *TINY, "--set", "schedule.kind=cosine")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["layer", "output", "parameters", "FLOPs/example"]
    assert lines[4].split() == ["total", "67", "123"]
    assert "120 examples train, 30 validate" in out
    assert lines[lines.index("data") + 1] == "150 examples of 4 features (float64), 3 classes of 40 training examples."
    assert re.search(r"as compiled +[\d.]+ [KM]iB", out)
    assert re.search("[⠁-⣿]", out), "no curve was drawn"
    assert not Path(os.environ["NN_TUI_RUNS"]).exists()


def test_summary_as_json_holds_the_numbers(shell: Terminal):
    code, out, _ = shell("summary", "iris-first", *TINY, "--json")
    told = last_object(out)
    assert code == 0
    assert [layer["parameters"] for layer in told["layers"]] == [40, 27]
    assert [layer["output_shape"] for layer in told["layers"]] == [[8], [3]]
    assert (told["parameters"], told["flops"], told["input_shape"]) == (67, 123, [4])
    assert told["data"]["examples"] == {"train": 120, "validation": 30, "test": 0}
    assert told["data"]["classes"] == {"setosa": 40, "versicolor": 40, "virginica": 40}
    assert told["memory_bytes"]["parameters"] == 4 * 67
    assert told["memory_bytes"]["compiled"] > told["memory_bytes"]["examples"]
    assert told["learning_rates"][-1][0] == told["epochs"] == 2


def test_summary_of_a_model_that_cannot_work_on_its_data_tells_of_the_data_and_why(shell: Terminal):
    code, out, err = shell("summary", "iris-first", "--set", "model.kind=cnn")
    assert (code, err) == (
        2,
        'nn-tui: model.kind needs pictures, which these data are not. Use "mlp" or "transformer".\n',
    )
    assert "3 classes" in out


def test_summary_of_what_does_not_fit_its_data_says_so_after_what_is_known(shell: Terminal):
    code, out, err = shell("summary", "iris-first", "--set", "training.batch_size=999")
    assert code == 2
    assert "total" in out
    assert "must be at most the 120 training examples" in lines_of_error(err)[0]
    code, out, err = shell("summary", "iris-first", "--set", "training.batch_size=999", "--json")
    assert (code, out) == (2, "")
