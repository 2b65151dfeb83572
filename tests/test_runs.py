import fcntl
import json
import math
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer import commands, events, liveness, results, run_directory, runs
from trainer import store as stores
from trainer.commands import Inbox, Pause, Resume, Save, Set, Stop, send
from trainer.config import Config
from trainer.events import (
    Distribution,
    Epoch,
    Event,
    Finished,
    Layer,
    Layers,
    Spread,
    Started,
    Steps,
    Warned,
    decode,
    encode,
)
from trainer.log import Log, Tail
from trainer.problems import RunError
from trainer.run import Run
from trainer.run_directory import RunDirectory


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def begun(store: Path, name: str = "a run", **settings: Any) -> RunDirectory:
    return RunDirectory.create(
        store, Config().changed({"name": name, **settings}), n_parameters=7, data_fingerprint="f"
    )


def ended(store: Path, name: str = "a run") -> Path:
    """A short run that was written and closed."""
    directory = begun(store, name)
    directory.record(Started(n_parameters=7, device="cpu", steps_per_epoch=2))
    for epoch, loss in enumerate([0.5, 0.25, math.nan, 0.3]):
        directory.epoch, directory.step, directory.seconds = epoch, 2 * (epoch + 1), 0.5 * (epoch + 1)
        directory.record(Epoch(metrics={"loss": 1.0, "val_loss": loss}, examples_per_second=9.0))
    directory.record(Finished(reason="completed", message="done"))
    directory.close()
    return directory.path


NAN = {"loss": math.nan, "val_loss": math.inf, "x": -math.inf, "y": 5e-324}
EVERY: tuple[Event, ...] = (
    Started(n_parameters=3, device="cpu", steps_per_epoch=2),
    events.Compiled(what="advance", seconds=1.5, flops=1e9, memory_bytes=10),
    events.Compiled(what="advance", seconds=1.5),
    Steps(metrics={"loss": Spread(mean=math.nan, min=-math.inf, max=math.inf, last=0.1)}),
    Epoch(metrics=NAN, examples_per_second=1e5),
    Layers(
        layers={
            "output": Layer(
                gradient_norm=math.inf,
                weight_norm=2.0,
                update_ratio=1e-3,
                mean=0.5,
                std=1.0,
                dead=0.25,
                weights=Distribution(low=-1.0, high=1.0, counts=[1, 2]),
                outputs=None,
            )
        }
    ),
    events.LearningRateReduced(from_=0.1, to=0.05, monitor="val_loss", best=None, wait=3),
    events.EarlyStopped(monitor="val_loss", best=0.5, best_epoch=3, wait=5),
    events.CheckpointSaved(path="checkpoints/x", reason="best", monitor="val_loss", value=math.nan),
    events.WeightsRestored(reason="early_stopping", value=0.5),
    events.HyperparameterSet(key="model.dropout", from_=0.1, to=1, by="me"),
    events.Paused(message="by me"),
    events.Resumed(message="by me"),
    events.Diverged(message="since 3", evidence={"grad_norm": math.inf, "step": 3}),
    events.Insight(message="ä \u2028 \x1b[2J \ud7ff 🚀", evidence={"loss": math.nan}),
    events.Unsaved(what="records", message="No space left on device"),
    events.SavedAgain(what="records"),
    Warned(message='quote " and \\ and \n newline'),
    events.Tested(metrics={"test_loss": 0.1}),
    events.Commanded(commands=[Set(key="optimizer.learning_rate", value=0.1), Stop()], offset=120),
    events.Reopened(),
    events.Replayed(verified=3, differs_from=None),
    events.Replayed(verified=3, differs_from=2),
    Finished(reason="early_stopped", message="done"),
)


@pytest.mark.parametrize("event", EVERY, ids=lambda event: event.kind)
def test_a_record_is_one_line_of_strict_json_and_comes_back(event: Event) -> None:
    line = encode(event)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    parsed = json.loads(line, parse_constant=refuse)
    assert parsed["kind"] == event.kind
    assert set(parsed) >= {"seq", "time", "elapsed", "epoch", "step"}
    assert encode(decode(line)) == line


def test_every_kind_of_record_is_looked_at() -> None:
    kinds = get_args(get_args(Event)[0])
    assert {type(event) for event in EVERY} == set(kinds)


def test_a_change_is_recorded_from_and_to_and_nothing_else() -> None:
    parsed = json.loads(encode(EVERY[6]))
    assert (parsed["from"], parsed["to"]) == (0.1, 0.05)
    assert "from_" not in parsed


def test_numbers_that_are_not_finite_come_back_as_numbers() -> None:
    epoch = decode(encode(Epoch(metrics=NAN, examples_per_second=1.0)))
    assert isinstance(epoch, Epoch)
    assert math.isnan(epoch.metrics["loss"])
    assert (epoch.metrics["val_loss"], epoch.metrics["x"], epoch.metrics["y"]) == (math.inf, -math.inf, 5e-324)


@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b'{"kind": "dance"}', b'{"kind": "epoch"}', b"\xff", b"[" * 100_000, b"{"]
)
def test_a_line_that_is_no_record_is_skipped_and_counted(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(encode(Warned(message="1")) + data + b"\n" + encode(Warned(message="2")))
    tail = Tail(path)
    assert [event.message for event in tail.read_all() if isinstance(event, Warned)] == ["1", "2"]
    assert tail.skipped == bool(data)


def test_a_torn_last_line_is_waited_for_and_counted_once_something_follows(tmp_path: Path) -> None:
    path, line = tmp_path / "events.jsonl", encode(Warned(message="late"))
    tail = Tail(path)
    assert tail.read_all() == []
    path.write_bytes(line + line[:10])
    assert (len(tail.read_all()), tail.skipped) == (1, 0)
    with path.open("ab") as file:
        file.write(line[10:])
    assert (len(tail.read_all()), tail.skipped) == (1, 0)
    with path.open("ab") as file:
        file.write(line[:10] + b"\n" + line)
    assert (len(tail.read_all()), tail.skipped) == (1, 1)


@given(cuts=st.lists(st.integers(0, 4000), max_size=12), limit=st.integers(1, 300))
def test_records_come_whole_and_once_however_the_file_grows(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], limit: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "grown.jsonl"
    path.unlink(missing_ok=True)
    whole = b"".join(map(encode, EVERY))
    tail, found = Tail(path), []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(whole)], strict=True):
        with path.open("ab") as file:
            file.write(whole[start:end])
        found.extend(tail.read(limit))
    while more := tail.read(limit) or tail.read(limit) or tail.read(1 << 20):
        found.extend(more)
    assert [encode(event) for event in found] == [encode(event) for event in EVERY]
    assert tail.skipped == 0


def test_a_line_without_end_takes_no_memory_and_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.log._LINE_LIMIT", 1000)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * 5000)
    tail = Tail(path)
    for _ in range(10):
        tail.read(500)
    assert len(tail.rest) <= 1500
    assert tail.skipped >= 1
    with path.open("ab") as file:
        file.write(b"\n" + encode(Warned(message="after")))
    assert [event.kind for event in tail.read_all()] == ["warning"]


def test_a_log_numbers_its_records_whoever_writes(tmp_path: Path) -> None:
    log = Log(tmp_path / "events.jsonl", next_seq=5)
    threads = [
        threading.Thread(target=lambda: [log.append(Warned(message="x" * 300)) for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    found = Tail(tmp_path / "events.jsonl").read_all()
    assert [event.seq for event in found] == list(range(5, 205))
    assert all(abs(event.time - time.time()) < 600 for event in found)


def test_a_log_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match=r"symbolic|Too many levels"):
        Log(tmp_path / "events.jsonl")


def test_a_run_read_from_its_records_is_the_one_in_its_status(store: Path) -> None:
    path = ended(store)
    read, peeked = runs.read(path), runs.peek(path)
    assert read.status.model_dump_json() == peeked.status.model_dump_json()
    assert read.config == peeked.config == Config(name="a run")
    assert read.status.best is not None
    assert (read.status.best.value, read.status.best.epoch) == (0.25, 1)
    assert (read.status.state, read.status.epochs, read.status.steps, read.status.seconds) == ("finished", 4, 8, 2.0)
    assert (read.status.n_parameters, read.status.data_fingerprint, read.status.pid) == (7, "f", os.getpid())
    assert read.epochs["val_loss"].x("epochs").tolist() == [1, 2, 3, 4]
    assert read.epochs["val_loss"].x("steps").tolist() == [2, 4, 6, 8]
    assert read.epochs["val_loss"].x("seconds").tolist() == [0.5, 1, 1.5, 2]
    np.testing.assert_array_equal(read.epochs["val_loss"].y, [0.5, 0.25, np.nan, 0.3])
    assert [event.kind for event in read.happenings] == ["started", "finished"]


@given(order=st.lists(st.sampled_from(EVERY), max_size=30))
def test_any_records_in_any_order_add_up_without_a_failure(order: list[Event]) -> None:
    run = Run(Path("x"), config=Config())
    run.apply_all(order)
    again = Run(Path("x"), config=Config())
    again.apply_all(decode(encode(event)) for event in order)
    assert again.status.model_dump_json() == run.status.model_dump_json()
    assert len(run.happenings) == sum(
        not isinstance(event, Epoch | Steps | Layers | events.Commanded | events.Reopened) for event in order
    )
    assert run.status.compile_seconds == 1.5 * sum(event.kind == "compiled" for event in order)


@pytest.mark.parametrize(
    ("reason", "state"),
    [("completed", "finished"), ("early_stopped", "finished"), ("stopped", "stopped"), ("interrupted", "stopped"),
     ("diverged", "diverged"), ("failed", "failed")],
)  # fmt: skip
def test_the_reason_of_the_end_is_the_state(reason: Any, state: str) -> None:
    run = Run(Path("x"))
    run.apply(Finished(reason=reason))
    assert (run.status.state, run.ended) == (state, True)


def test_the_state_follows_the_records() -> None:
    run, seen = Run(Path("x")), []
    for event in (
        EVERY[1],
        EVERY[0],
        events.Paused(message=""),
        events.Resumed(message=""),
        Finished(reason="stopped"),
    ):
        seen.append(run.status.state)
        run.apply(event)
    assert seen == ["starting", "compiling", "running", "paused", "running"]


@pytest.mark.parametrize(
    ("settings", "metric", "best"),
    [
        ({}, "val_loss", 1),
        ({"callbacks.model_checkpoint.monitor": "val_accuracy"}, "val_accuracy", 2),
        ({"callbacks.early_stopping.enabled": True, "callbacks.early_stopping.monitor": "accuracy"}, "accuracy", 0),
        ({"callbacks.model_checkpoint.monitor": "val_f1"}, "val_loss", 1),
    ],
)
def test_a_run_is_judged_by_what_its_callbacks_watch(settings: dict[str, Any], metric: str, best: int) -> None:
    run = Run(Path("x"), config=Config().changed(settings))
    rows = [(0.9, 0.9, 0.5, 0.1), (0.8, 0.5, 0.2, 0.3), (0.7, 0.5, 0.3, 0.8), (0.9, math.nan, math.nan, 0.8)]
    for epoch, values in enumerate(rows):
        metrics = dict(zip(("loss", "accuracy", "val_loss", "val_accuracy"), values, strict=True))
        run.apply(Epoch(metrics=metrics, examples_per_second=1.0, epoch=epoch))
    assert run.status.best is not None
    assert (run.status.best.metric, run.status.best.epoch) == (metric, best)


def test_a_real_run_is_followed_from_another_thread(trained: Callable[..., Any], store: Path) -> None:
    settings = {"data.source": "iris", "model.hidden": [4], "training.batch_size": 40, "training.epochs": 20}
    thread = threading.Thread(target=trained, args=(settings,))
    thread.start()
    while not (found := stores.all_runs(store)):
        time.sleep(0.001)
    followed = Run(found[0].directory, config=found[0].config)
    tail = Tail(found[0].directory / "events.jsonl")
    while not followed.ended:
        followed.apply_all(tail.read())
    thread.join()
    assert followed.status.reason == "completed"
    assert followed.epochs["loss"].y.tolist() == runs.read(found[0].directory).epochs["loss"].y.tolist()
    assert len(followed.epochs["loss"]) == 20


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("run.json", b""), ("run.json", b"{"), ("run.json", b"[]"), ("run.json", b'{"state": "dancing"}'),
        ("run.json", b'{"epochs": "many"}'), ("run.json", b"\xff\xfe"), ("run.json", b"[" * 200_000), ("run.json",
         None),
        ("config.toml", b""), ("config.toml", b"="), ("config.toml", b"\xff"), ("config.toml",
         b"[optimizer]\nkind = 'x'"),
        ("config.toml", None),
    ],
)  # fmt: skip
def test_a_damaged_run_harms_no_other(store: Path, file: str, content: bytes | None) -> None:
    good = [ended(store, name) for name in ("one", "two")]
    bad = ended(store, "bad")
    (bad / file).unlink()
    if content is None:
        (bad / file).mkdir()  # neither a file nor nothing
    else:
        (bad / file).write_bytes(content)
    listed = {run.directory: run for run in stores.all_runs(store)}
    assert listed.keys() == {bad, *good}
    assert all(listed[path].shown_state == "finished" for path in good)
    if content == b"" and file == "config.toml":
        assert listed[bad].config == Config(), "an empty file is a config"
    else:
        assert listed[bad].shown_state == "damaged"
        assert "\n" not in listed[bad].damage
        assert listed[bad].name
        assert runs.read(bad).damage == listed[bad].damage


def test_a_store_may_hold_other_things(store: Path) -> None:
    path = ended(store)
    (store / "notes.txt").write_text("x")
    (store / "folder").mkdir()
    (store / "link").symlink_to(path)
    os.mkfifo(store / "fifo")
    assert [run.directory for run in stores.all_runs(store)] == [path]
    assert stores.all_runs(store / "missing") == []


def test_runs_are_listed_newest_first(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = []
    for second in range(3):
        monkeypatch.setattr(run_directory, "_new_id", lambda name, second=second: f"20260101-00000{second}-x-0000")
        paths.append(ended(store))
    assert [run.directory for run in stores.all_runs(store)] == paths[::-1]
    assert stores.find("@last", store) == paths[-1]


@pytest.fixture
def named(store: Path) -> list[Path]:
    paths = [
        store / name
        for name in ("20260101-000000-alpha-1111", "20260101-000001-beta-2222", "20260101-000001-beta-2222-more")
    ]
    for path in paths:
        ended(store).rename(path)
    return paths


def test_a_run_is_found_by_path_id_and_prefix(named: list[Path], store: Path) -> None:
    assert stores.find(str(named[0]), Path("elsewhere")) == named[0]
    assert stores.find(f"{named[0]}/", store) == named[0]
    assert stores.find(named[0].name, store) == named[0]
    assert stores.find("20260101-000000", store) == named[0]
    assert stores.find("20260101-000001-beta-2222", store) == named[1], "a whole id before a prefix"
    assert stores.find("@last", store) == named[2]


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("20260101", "20260101 means 3 runs: 20260101-000001-beta-2222-more, "),
        ("20260101-000000-alpa-1111", "Did you mean 20260101-000000-alpha-1111?"),
        ("zzz", "zzz is no run in"), ("", "is no run in"), ("../runs", "is no run in"), ("\x1b[2J",
         "\\x1b[2J is no run"),
        ("x" * 300, "is no run in"), ("x" * 5000, "is no run in"), ("a\0b", "is no run in"), (".", "is no run in"),
    ],
)  # fmt: skip
def test_a_word_that_means_no_run_is_refused_in_one_line(named: list[Path], store: Path, word: str, words: str) -> None:
    with pytest.raises(RunError) as caught:
        stores.find(word, store)
    (problem,) = caught.value.problems
    assert words in str(problem)
    assert str(problem).isprintable()


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_an_empty_store_has_no_last_run(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="@last is no run in"):
        stores.find("@last", tmp_path / folder)


def test_the_store_is_the_one_given_else_the_environments_else_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NN_TUI_RUNS", "/somewhere")
    assert [stores.store("/given"), stores.store(), stores.store("")] == [
        Path("/given"),
        Path("/somewhere"),
        Path("/somewhere"),
    ]
    monkeypatch.setenv("NN_TUI_RUNS", "")
    assert stores.store() == Path("runs")


def test_a_run_is_alive_as_long_as_its_lock_is_held(store: Path) -> None:
    directory = begun(store)
    directory.record(Started(n_parameters=1, device="cpu", steps_per_epoch=1))
    assert liveness.is_alive(directory.path)
    assert runs.peek(directory.path).shown_state == "running"
    with (directory.path / "lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    directory.close()
    assert not liveness.is_alive(directory.path)
    assert runs.peek(directory.path).shown_state == runs.read(directory.path).shown_state == "crashed"


def test_looking_whether_a_run_is_alive_does_not_make_it_so(store: Path) -> None:
    path = ended(store)
    assert [liveness.is_alive(path) for _ in range(3)] == [False] * 3
    (path / "lock").unlink()
    assert not liveness.is_alive(path)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("../../x", "x"), ("/etc/passwd", "etc-passwd"), ("🚀", "run"), ("🚀 to the Mond", "to-the-mond"), ("Ärger",
         "arger"),
        ("x" * 300, "x" * 40), ("a" * 39 + "-b", "a" * 39), ("..", "run"), ("-rf", "rf"), ("a\u202eb", "ab"), ("a\nb",
         "a-b"),
        ("", "run"), ("CON", "con"), ("a.b_c", "a-b-c"), ("模型", "run"), ("a  b", "a-b"), ("\ud800", "run"),
    ],
)  # fmt: skip
def test_an_id_is_one_path_part_whatever_the_name(name: str, slug: str) -> None:
    made = run_directory._new_id(name)
    day, second, rest = made.split("-", 2)
    assert (len(day), len(second)) == (8, 6)
    assert rest[:-5] == slug
    assert Path(made).name == made
    assert made.isascii()
    assert len(made) <= 64


@given(name=st.text(max_size=80))
def test_an_id_is_a_plain_word(name: str) -> None:
    assert all(
        character.islower() or character.isdigit() or character == "-" for character in run_directory._new_id(name)
    )


def test_a_run_of_a_hostile_name_stays_in_its_store_and_keeps_its_name(store: Path) -> None:
    directory = begun(store, "../../../etc/🚀")
    directory.close()
    assert directory.path.parent == store
    assert runs.peek(directory.path).name == "../../../etc/🚀"


def test_two_runs_never_share_a_folder(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two random bytes in the id: a search that starts many runs in a second will draw the same ones some day."""
    drawn = iter(["aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr(run_directory.secrets, "token_hex", lambda n: next(drawn) if n == 2 else os.urandom(n).hex())
    monkeypatch.setattr(time, "strftime", lambda *_: "20260101-000000")
    first = ended(store, "x")
    second = begun(store, "x")
    second.close()
    assert [first.name, second.path.name] == ["20260101-000000-x-aaaa", "20260101-000000-x-bbbb"]
    assert runs.read(first).status.state == "finished"


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_only_the_owner_may_look_into_a_run(open_umask: None, trained: Callable[..., Any], store: Path) -> None:
    run = trained({"data.source": "iris", "model.hidden": [4], "training.batch_size": 40, "training.epochs": 2})
    send(run.directory, Pause())
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in [store, *store.rglob("*")]}
    assert {path.name for path in found} >= {
        "run.json",
        "config.toml",
        "events.jsonl",
        "commands.jsonl",
        "lock",
        "checkpoints",
    }
    assert {path: oct(mode) for path, mode in found.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}


def test_a_store_that_cannot_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"no run can be kept in .*file.*: (Not a directory|File exists)"):
        begun(tmp_path / "file" / "runs")


def test_a_note_is_appended_with_its_time(store: Path) -> None:
    directory = begun(store)
    directory.note("one\n")
    directory.note("two \ud800")
    directory.close()
    first, second = (directory.path / "log.txt").read_text().splitlines()
    assert first.endswith("Z one")
    assert second.endswith("Z two \\ud800")


def test_the_status_is_written_at_each_change_of_state_and_else_once_a_second(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, now = begun(store), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def written_after(event: Any, seconds: float = 0.0) -> int:
        now[0] += seconds
        directory.record(event)
        return runs.peek(directory.path).status.epochs

    directory.write_status()
    epochs = [Epoch(metrics={"loss": 1.0}, examples_per_second=1.0, epoch=index) for index in range(9)]
    directory.epoch = 1
    assert written_after(epochs[0]) == 0
    directory.epoch = 2
    assert written_after(epochs[1], 1.1) == 3
    directory.epoch = 5
    assert written_after(epochs[2]) == 3
    assert written_after(events.Paused(message="")) == 6
    directory.close()


COMMANDS = (Pause(by="me"), Resume(), Stop(keep_best=False), Save(), Set(key="optimizer.learning_rate", value=0.5))


def test_commands_come_once_in_order_and_as_they_were_sent(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    assert inbox.read() == ([], [])
    for command in COMMANDS:
        send(tmp_path, command)
    found, problems = inbox.read()
    assert [command.model_copy(update={"time": 0.0}) for command in found] == list(COMMANDS)
    assert all(command.time > 0 for command in found)
    assert problems == []
    send(tmp_path, Pause())
    assert (len(inbox.read()[0]), inbox.read()) == (1, ([], []))


@pytest.mark.parametrize("value", [1, 0.5, True, "word", None, [1, 2], {"a": 1}])
def test_a_value_that_is_set_keeps_its_type(tmp_path: Path, value: Any) -> None:
    send(tmp_path, Set(key="k", value=value))
    ((command,), _) = Inbox(tmp_path).read()
    assert isinstance(command, Set)
    assert command.value == value
    assert type(command.value) is type(value)


def test_half_a_command_is_waited_for(tmp_path: Path) -> None:
    inbox, path, line = Inbox(tmp_path), tmp_path / "commands.jsonl", b'{"kind": "pause"}\n'
    path.write_bytes(line + line[:5])
    assert len(inbox.read()[0]) == 1
    assert inbox.read() == ([], [])
    with path.open("ab") as file:
        file.write(line[5:])
    assert len(inbox.read()[0]) == 1


@pytest.mark.parametrize(
    "line",
    [b"nonsense", b"[]", b"null", b'{"kind": "dance"}', b'{"kind": "set"}', b"\xff\xfe", b"[" * 10_000, b"1" * 5000,
     b'{"kind": "stop", "keep_best": "perhaps"}', b"\x1b]0;title\x07"],
)  # fmt: skip
def test_a_line_that_is_no_command_is_told_and_the_next_one_counts(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "commands.jsonl").write_bytes(line + b"\n" + b'{"kind": "resume"}\n')
    found, (problem,) = Inbox(tmp_path).read()
    assert found == [Resume()]
    assert problem.isprintable()
    assert len(problem) < 500


def test_commands_that_cannot_be_looked_at_are_told_once(tmp_path: Path) -> None:
    (tmp_path / "commands.jsonl").symlink_to("commands.jsonl")
    inbox = Inbox(tmp_path)
    assert [inbox.read(inbox.size)[1], inbox.read()[1]] == [
        ["commands.jsonl cannot be read: Too many levels of symbolic links"], []
    ]  # fmt: skip


def test_a_line_without_end_does_not_stop_the_commands_after_it(tmp_path: Path) -> None:
    inbox, path = Inbox(tmp_path), tmp_path / "commands.jsonl"
    path.write_bytes(b"x" * (3 * commands._LIMIT) + b"\n")
    send(tmp_path, Stop())
    found, problems = [], []
    for _ in range(6):
        new, told = inbox.read()
        found.extend(new)
        problems.extend(told)
    assert [command.kind for command in found] == ["stop"]
    assert problems


def test_a_flood_of_commands_comes_in_portions_and_whole(tmp_path: Path) -> None:
    line = b'{"kind": "pause"}\n'
    (tmp_path / "commands.jsonl").write_bytes(line * 10_000)
    inbox, found = Inbox(tmp_path), 0
    while portion := inbox.read()[0]:
        found += len(portion)
        assert len(portion) <= commands._LIMIT // len(line)
    assert found == 10_000


def test_a_command_does_not_follow_a_link_out_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "commands.jsonl").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match=r"symbolic|Too many levels"):
        send(tmp_path, Pause())
    assert not (tmp_path / "victim").exists()


def test_the_result_of_a_run_says_where_and_how_it_ended(store: Path) -> None:
    path = ended(store)
    result = results.result(runs.read(path))
    assert (result["run"], result["state"], result["reason"], result["epochs"]) == (
        str(path),
        "finished",
        "completed",
        4,
    )
    assert result["best"] == {"metric": "val_loss", "value": 0.25, "epoch": 1}
    assert result["metrics"] == {"loss": 1.0, "val_loss": 0.3}
