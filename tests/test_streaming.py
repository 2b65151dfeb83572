"""Examples that stay in their .npy files: what is known of them, in which order they train, and that it is the same."""

import dataclasses
import json
import os
import time
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from refusals import refusal

from trainer import batches, checkpoints, devices, feed, lr_finder, program, training
from trainer.config import Config
from trainer.data import Files
from trainer.data.chunks import Chunks, drawn, ordered, pieces
from trainer.data.content import MOST_BYTES
from trainer.data.direct import direct
from trainer.data.loading import describe, load, overview
from trainer.data.refusal import DataFile
from trainer.data.stored import stored_in
from trainer.data.stream import StreamReader
from trainer.data.survey import moments_of
from trainer.events import Epoch, Started, Steps
from trainer.feed import feed_of
from trainer.log import Tail
from trainer.preparation import Prepared, prepare
from trainer.results import result
from trainer.run import Run
from trainer.shape import shape_of
from trainer.state import State
from tui.happenings import happening
from tui.outlook import outlooks
from tui.plan_words import course
from tui.status_line import _facts

devices.prepare_jax()

RNG = np.random.default_rng(0)
N, BATCH, BUFFER = 100, 8, 32
X = RNG.normal(3, 2, (N, 3)).astype(np.float32)
X[:, 2] = np.arange(N) / N
LABELS = (X[:, 0] > 3).astype(np.int64) + 2 * (X[:, 1] > 3)
TINY = {"model.hidden": [4], "training.batch_size": BATCH, "training.epochs": 3, "training.diagnostics": False,
        "data.validation_split": 0.0, "data.standardize": "none", "data.buffer_size": BUFFER, "data.stream": "always",
        "optimizer.learning_rate": 0.02, "callbacks.early_stopping.enabled": False}  # fmt: skip


def saved(folder: Path, x: NDArray[Any] = X, y: NDArray[Any] = LABELS) -> dict[str, str]:
    """Save arrays; return the paths as fields of the section."""
    folder.mkdir(exist_ok=True)
    paths = {"path": str(folder / "x.npy"), "target_path": str(folder / "y.npy")}
    np.save(paths["path"], x)
    np.save(paths["target_path"], y)
    return paths


def files(folder: Path, x: NDArray[Any] = X, y: NDArray[Any] = LABELS, **settings: Any) -> Files:
    return Files(**saved(folder, x, y), **{"stream": "always", **settings})


def prepared_of(folder: Path, x: NDArray[Any] = X, y: NDArray[Any] = LABELS, **settings: Any) -> Prepared:
    paths = {f"data.{name}": path for name, path in saved(folder, x, y).items()}
    given = {key.replace("__", "."): value for key, value in settings.items()}
    return prepare(Config().changed({"data.source": "path", **paths, **TINY, **given}))


def trained(prepared: Prepared, folder: Path) -> Run:
    run = training.train(prepared, training.start(prepared, folder / "runs"))
    assert run.status.state == "finished", run.status.message
    return run


def arrays_of(run: Run) -> dict[str, NDArray[Any]]:
    """Every array of the run's last checkpoint: all that the state at its end is."""
    path = checkpoints.newest_good(run.directory / "checkpoints", "last")
    assert path is not None
    return dict(checkpoints.load(path)[0])


def metrics_of(run: Run) -> list[dict[str, float]]:
    events = Tail(run.directory / "events.jsonl").read_all()
    return [event.metrics for event in events if isinstance(event, Epoch)]


def require_same(one: Run, other: Run, *, but: tuple[str, ...] = ()) -> None:
    """Two runs are the same to the bit."""
    ours, theirs = arrays_of(one), arrays_of(other)
    assert ours.keys() == theirs.keys()
    assert metrics_of(one) == metrics_of(other)
    for name in ours.keys() - set(but):
        assert ours[name].tobytes() == theirs[name].tobytes(), name


def in_turn(prepared: Prepared, epochs: int) -> list[list[NDArray[Any]]]:
    """The features of the examples of each update, an epoch after the other, as the engine comes by them."""
    shape = shape_of([prepared])
    order = jax.jit(lambda step, seed: batches.order(shape, None, _state(step, seed)))
    batch = jax.jit(lambda data, step, order: batches.batch_at(
        shape, data, _state(step, 0)._replace(order=order), batches.start_of(shape, _state(step, 0))
    ))  # fmt: skip
    its, found, now = feed_of(prepared.splits, shape), [], None
    try:
        for step in range(epochs * shape.steps_per_epoch):
            data = its.at(step)
            if bool(batches.begins(shape, _state(step, 0))):
                now = order(step, np.uint32(prepared.config.training.seed))
            seen = batch(data, step, now)
            found.append(np.asarray(seen.x)[np.asarray(seen.weights) > 0])
    finally:
        its.close()
    return [found[epoch * shape.steps_per_epoch :][: shape.steps_per_epoch] for epoch in range(epochs)]


def _state(step: Any, seed: Any) -> State:
    return State(None, None, seed, jnp.int32(step), *[None] * (len(State._fields) - 4))  # type: ignore[arg-type]


def numbered(count: int) -> NDArray[np.float32]:
    """Features that say which example they are of."""
    return np.arange(count, dtype=np.float32)[:, None] + np.zeros(2, np.float32)


# --- which examples, in which order


@given(
    n_rows=st.integers(2, 700), length=st.integers(1, 40), shares=st.tuples(st.floats(0, 0.6), st.floats(0, 0.3)),
    buffer=st.integers(1, 90), seed=st.integers(0, 5), epoch=st.integers(0, 3), most=st.integers(1, 200),
)  # fmt: skip
def test_parts_share_out_all_rows_and_the_buffers_of_an_epoch_have_each_that_trains_once(
    n_rows: int, length: int, shares: tuple[float, float], buffer: int, seed: int, epoch: int, most: int
) -> None:
    chunks = Chunks(n_rows, length)
    if len(chunks) < 2:
        return
    parts = drawn(chunks, *shares, most, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(chunks)))
    assert len(parts[0]) > 0
    assert all(chunks.rows(part) <= max(most, length) for part in parts[1:])
    rows_of = [np.concatenate([np.arange(*chunks.bounds(chunk)) for chunk in part] or [[]]) for part in parts]
    order, n_train, found = ordered(parts[0], seed, epoch), len(rows_of[0]), []
    for start in range(0, n_train, buffer):
        stretches = list(pieces(chunks, order, start, min(start + buffer, n_train)))
        assert sum(count for _, count in stretches) == min(buffer, n_train - start)
        found += [np.arange(row, row + count) for row, count in stretches]
    assert sorted(np.concatenate(found)) == rows_of[0].tolist()


@pytest.mark.parametrize(("count", "batch", "buffer", "drop"), [(100, 8, 32, False), (96, 8, 24, False),
    (50, 7, 20, False), (50, 50, 9, False), (64, 16, 500, False), (50, 7, 20, True), (50, 7, 500, True),
])  # fmt: skip
def test_an_epoch_has_every_example_once_in_an_order_of_its_own(
    count: int, batch: int, buffer: int, drop: bool, tmp_path: Path
) -> None:
    settings = {"training__batch_size": batch, "data__buffer_size": buffer, "training__drop_remainder": drop}
    prepared = prepared_of(tmp_path, numbered(count), np.arange(count) % 3, **settings)
    epochs = [np.concatenate(seen)[:, 0].astype(int).tolist() for seen in in_turn(prepared, 3)]
    for seen in epochs:
        assert len(seen) == len(set(seen)) == (count // batch * batch if drop else count)
    assert epochs[0] != epochs[1] != epochs[2]
    again = [np.concatenate(seen)[:, 0].astype(int).tolist() for seen in in_turn(prepared, 3)]
    assert again == epochs
    if drop:
        assert len({*epochs[0], *epochs[1], *epochs[2]}) == count, "what is left out is drawn anew"


def test_the_order_is_another_with_another_seed_and_that_of_the_chunks_with_another_seed_of_the_data(
    tmp_path: Path,
) -> None:
    """Members of a population differ in their seed and share the buffers."""
    seen = [
        [set(part[:, 0].astype(int).tolist()) for part in in_turn(prepared_of(tmp_path, numbered(N), **seeds), 1)[0]]
        for seeds in ({}, {"training__seed": 1}, {"data__seed": 1})
    ]
    buffers = [[set().union(*parts[start : start + 4]) for start in range(0, 13, 4)] for parts in seen]
    assert seen[0] != seen[1]
    assert buffers[0] == buffers[1] != buffers[2]


# --- the same training


def test_one_buffer_of_all_examples_trains_as_if_they_were_held_to_the_bit(tmp_path: Path) -> None:
    held = trained(prepared_of(tmp_path, data__stream="never"), tmp_path)
    streamed = trained(prepared_of(tmp_path, data__buffer_size=1000), tmp_path)
    require_same(held, streamed, but=("order",))  # the last batch is filled up otherwise, with weight 0


def test_many_buffers_train_as_examples_that_are_held_in_the_same_order_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepared_of(tmp_path)
    streamed = trained(prepared, tmp_path)
    rows = [np.rint(np.concatenate(seen)[:, 2] * N).astype(np.int32) for seen in in_turn(prepared, 3)]
    table = jnp.asarray(np.stack([np.resize(epoch, 13 * BATCH) for epoch in rows]))
    monkeypatch.setattr(batches, "order", lambda shape, data, state: table[state.step // shape.steps_per_epoch])
    monkeypatch.setattr(program, "_programs", OrderedDict())
    monkeypatch.setenv("NN_TUI_CACHE", "")  # it is another program than its structure says
    held = trained(prepared_of(tmp_path, data__stream="never"), tmp_path)
    require_same(held, streamed, but=("order",))


def test_how_updates_are_grouped_into_calls_changes_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    for seconds in (0.0, 60.0):
        monkeypatch.setattr("trainer.call_size._SECONDS", seconds)
        runs.append(trained(prepared_of(tmp_path), tmp_path))
    require_same(*runs)


def test_members_of_a_population_share_the_buffers_and_are_what_they_are_alone(tmp_path: Path) -> None:
    prepared = prepared_of(tmp_path, training__replicas=2)
    together = training.train_together(training.start_replicas(prepared, tmp_path / "runs"))
    for seed, member in enumerate(together):
        alone = trained(prepared_of(tmp_path, training__seed=seed), tmp_path)
        for ours, theirs in zip(metrics_of(member), metrics_of(alone), strict=True):
            np.testing.assert_allclose(list(ours.values()), list(theirs.values()), rtol=1e-4)


def test_the_learning_rate_finder_streams_too(tmp_path: Path) -> None:
    found = [
        lr_finder.find(prepared_of(tmp_path, data__stream=stream, data__buffer_size=1000), 1e-4, 1e-1, 2, 40).losses
        for stream in ("never", "always")
    ]
    np.testing.assert_allclose(*found, rtol=1e-6)  # calls end elsewhere, and each adds up its losses


@pytest.mark.parametrize("dtype", ["f4", "f2", "u1", "i2", "?", "f8", "i8", ">f4", ">i2"])
def test_features_of_any_type_train_as_if_they_were_held(dtype: str, tmp_path: Path) -> None:
    """Scaled on the device or here: to the rounding of 32 bits."""
    x = (X * 20).clip(0, 100).astype(dtype)
    held = load(files(tmp_path, x, stream="never", validation_split=0.0))
    prepared = prepared_of(tmp_path, x, data__standardize="standard", data__buffer_size=1000)
    shape = shape_of([prepared])
    its = feed_of(prepared.splits, shape)
    try:
        data = its.at(0)
        seen = np.asarray(batches.examples_at(shape, data, np.arange(N))[0])
    finally:
        its.close()
    np.testing.assert_allclose(seen, held.train.x, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(prepared.splits.x_offset, held.x_offset, rtol=1e-6)
    np.testing.assert_allclose(prepared.splits.x_scale, held.x_scale, rtol=1e-6)


TARGETS: dict[str, NDArray[Any]] = {
    "classes": LABELS, "far": LABELS * 100 - 50, "float": LABELS.astype(np.float32), "truth": LABELS > 1,
    "text": np.array(list("abcd"))[LABELS], "numbers": X[:, 0] * 3, "two": X[:, :2].astype(np.float64),
    "column": LABELS[:, None],
}  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_targets_mean_what_they_mean_where_examples_are_held(target: str, tmp_path: Path) -> None:
    y = TARGETS[target]
    held = load(files(tmp_path, y=y, stream="never", validation_split=0.0))
    section = files(tmp_path, y=y, validation_split=0.0, buffer_size=1000)
    streamed = load(section)
    assert (streamed.task, streamed.target_names) == (held.task, held.target_names)
    assert streamed.train_labels == held.train_labels
    assert streamed.summary == dataclasses.replace(held.summary, buffer=1000) == describe(section)
    np.testing.assert_allclose(streamed.train.y, held.train.y[streamed.sampled], rtol=1e-6)
    np.testing.assert_allclose(streamed.train.x, held.train.x[streamed.sampled], rtol=1e-6)
    assert streamed.least_target == pytest.approx(float(np.min(y)) if streamed.task == "regression" else 0)
    told = program.examples(streamed, buffer=1000), program.examples(held)
    np.testing.assert_allclose(told[0].target_mean, told[1].target_mean, atol=1e-6)


def test_parts_that_validate_and_test_are_held_as_usual_and_bounded_by_a_buffer(tmp_path: Path) -> None:
    prepared = prepared_of(tmp_path, data__validation_split=0.3, data__test_split=0.1, data__buffer_size=16,
                           training__diagnostics=True)  # fmt: skip
    splits = prepared.splits
    assert (splits.n_train, len(splits.validation), len(splits.test)) == (74, 16, 10)
    assert (
        "data.validation_split = 0.3 of 100 examples is cut to 16: where examples stream, as many as a buffer has"
        in (splits.warnings)
    )
    rows = [{tuple(row) for row in part.x.tolist()} for part in (splits.validation, splits.test)]
    assert not rows[0] & rows[1]
    assert rows[0] | rows[1] < {tuple(row) for row in X.tolist()}
    run = trained(prepared, tmp_path)
    assert {"val_loss", "val_accuracy"} <= run.status.metrics.keys()
    assert run.status.test.keys() == {"test_loss", "test_accuracy"}
    assert (run.directory / "pictures.json").exists()


# --- one pass over the files


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 60), st.sampled_from(["f4", "f8", "u1", "i8"]))
@settings(max_examples=60)
def test_moments_of_pieces_are_those_of_the_whole(rows: int, columns: int, cut: int, dtype: str) -> None:
    values = (np.random.default_rng(rows).normal(1e3, 1, (rows, columns)) % 251).astype(dtype)
    cut = min(cut, rows - 1)
    found = moments_of(values[cut:])
    if cut:
        found = moments_of(values[:cut]).merged(found)
    exact = values.astype(np.float64)
    assert found.count == rows
    np.testing.assert_array_equal([found.low, found.high], [exact.min(0), exact.max(0)])
    np.testing.assert_allclose([found.mean, found.deviation], [exact.mean(0), exact.std(0)], rtol=1e-9, atol=1e-9)


def test_the_fingerprint_is_of_every_byte_and_of_the_order(tmp_path: Path) -> None:
    found = {load(files(tmp_path)).fingerprint}
    for place in ((0, 0), (57, 1), (99, 2)):
        x = X.copy()
        x.view(np.uint8)[place] ^= 1
        found.add(load(files(tmp_path, x)).fingerprint)
    y = LABELS.copy()
    y[-1] = (y[-1] + 1) % 4
    found.add(load(files(tmp_path, y=y)).fingerprint)
    found |= {load(files(tmp_path, **other)).fingerprint for other in ({"seed": 1}, {"buffer_size": 7})}
    assert len(found) == 7
    assert load(files(tmp_path / "elsewhere")).fingerprint in found


def test_describing_reads_no_features_but_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = files(tmp_path)
    monkeypatch.setattr("trainer.data.streaming.columns_of", None)
    seen = overview(section)
    assert describe(section).n_train == 80
    assert sum(count for _, count in seen.classes) == 80
    assert seen.warnings[0] == "ranges are those of 64 sampled examples: the data stream"


def test_what_cannot_stream_is_refused_in_one_line(tmp_path: Path) -> None:
    cases: list[tuple[Callable[[], Files], str]] = [
        (lambda: files(tmp_path, np.asfortranarray(X)), "must hold row after row to stream"),
        (lambda: files(tmp_path, np.where(X[40, 1] == X, np.nan, X)), "got one in column 'x[1]', row 41. Fill"),
        (lambda: files(tmp_path, np.where(X[40, 1] == X, np.inf, X)), "finite numbers below 1e+38, got inf in row 41"),
        (lambda: files(tmp_path, y=LABELS[:-1]), "y.npy: data.target_path must hold a target for each example of"),
        (lambda: files(tmp_path, y=np.eye(4)[LABELS]), "must not be one-hot"),
        (lambda: files(tmp_path, y=np.where(X[:, 0] > 3, np.nan, X[:, 0])), "must hold no missing values"),
        (lambda: files(tmp_path, y=np.where(LABELS > 2, "", "a")), "must hold no missing values where it streams"),
        (lambda: files(tmp_path, X[:1], LABELS[:1]), "must hold at least 2 examples"),
        (lambda: files(tmp_path, X.astype(complex)), "<c16"),
        (lambda: files(tmp_path, validation_path=str(tmp_path / "x.npy")), "must be empty where data.path streams"),
    ]  # fmt: skip
    for section, words in cases:
        assert words in refusal(section())


def test_damaged_files_and_headers_that_lie_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    section = files(tmp_path)
    path = Path(section.path)
    whole_file = path.read_bytes()
    path.write_bytes(whole_file[:-1])
    assert "which is 1200 bytes, and has 1199" in refusal(section)
    path.write_bytes(whole_file.replace(b"(100, 3)", b"(9" + b"9" * 4 + b", 3)"[:2]))
    assert "data.path must hold a plain array" in refusal(section)
    path.write_bytes(b"a,b\n1,2\n")
    assert 'data.stream must be "auto" or "never" here, got "always". Only .npy files stream.' in refusal(section)
    path.write_bytes(whole_file)
    Path(section.target_path).write_bytes(b"a,b\n1,2\n")
    assert "data.target_path must be a .npy file where data.path streams" in refusal(section)


@pytest.mark.parametrize("spoil", ["cut", "changed", "gone"])
def test_a_file_that_changes_before_its_run_ends_it_in_one_line(spoil: str, tmp_path: Path) -> None:
    prepared = prepared_of(tmp_path)
    path = Path(prepared.config.data.path)  # type: ignore[union-attr]
    if spoil == "cut":
        os.truncate(path, path.stat().st_size - 400)
    elif spoil == "changed":
        np.save(path, X + 1)
        os.utime(path, (1, 1))
    else:
        path.unlink()
    run = training.train(prepared, training.start(prepared, tmp_path / "runs"))
    assert run.status.state == "failed"
    words = "must name a file" if spoil == "gone" else "must not change while it is read"
    assert f"data.path {words}" in run.status.message
    assert "\n" not in run.status.message


def test_a_file_that_is_cut_short_while_it_trains_ends_the_run_and_not_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepared_of(tmp_path, training__epochs=1000)
    path, read, calls = Path(prepared.config.data.path), StreamReader.read_into, []  # type: ignore[union-attr]

    def cut_at_last(self: StreamReader, *given: Any) -> None:
        calls.append(0)
        if len(calls) == 200:
            os.truncate(path, 300)
        read(self, *given)

    monkeypatch.setattr(StreamReader, "read_into", cut_at_last)
    run = training.train(prepared, training.start(prepared, tmp_path / "runs"))
    assert run.status.state == "failed"
    assert run.status.epochs > 0
    assert "data.path must not change while it is read" in run.status.message


# --- when, and at what cost


@pytest.mark.parametrize(("fits", "stream"), [(True, "never"), (False, "always")])
def test_what_does_not_fit_streams_and_the_run_remembers_it(
    fits: bool, stream: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("trainer.memory.may_hold", lambda **bytes: asked.append(bytes) or fits)
    prepared = prepared_of(tmp_path, data__stream="auto")
    size = Path(prepared.config.data.path).stat().st_size  # type: ignore[union-attr]
    assert asked[0] == {"on_device": X.nbytes, "on_host": size + 2 * X.nbytes}
    assert prepared.config.data.stream == stream  # type: ignore[union-attr]
    assert (prepared.splits.stream is not None) == (stream == "always")
    assert (shape_of([prepared]).buffer > 0) == (stream == "always")


def test_a_file_too_large_to_be_read_whole_streams_whatever_the_memory(tmp_path: Path) -> None:
    """Its holes take no disk."""
    rows = MOST_BYTES // 4096 + 1
    with (tmp_path / "x.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (rows, 4096)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + rows * 4096)
    np.save(tmp_path / "y.npy", np.arange(rows) % 2)
    section = Files(path=str(tmp_path / "x.npy"), target_path=str(tmp_path / "y.npy"))
    found = describe(section)
    assert found.n_train + found.n_validation == rows
    assert found.buffer == (1 << 27) // (4 * 4096)
    assert found.n_validation <= found.buffer
    assert "at most 2000000000 bytes" in refusal(section.model_copy(update={"stream": "never"}))


def test_what_is_to_be_held_and_does_not_fit_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = files(tmp_path, X, stream="never")
    monkeypatch.setattr("trainer.memory._free_of_machine", lambda: 3 * X.nbytes)
    assert len(load(section).train)
    monkeypatch.setattr("trainer.memory._free_of_machine", lambda: 1024)
    line = 'data.stream must be "auto" or "always" here, got "never", for which memory is short: '
    assert line in refusal(section)
    (tmp_path / "a.csv").write_text("x,y\n" + "1,2\n" * 1023)
    line = "data.path must fit into memory, got a file that needs 8.0 KiB, of which 1.0 KiB are free."
    assert line in refusal(Files(path=str(tmp_path / "a.csv")))


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system takes no advice about files")
@pytest.mark.parametrize("is_larger", [False, True])
def test_of_a_file_larger_than_memory_nothing_is_left_in_the_cache(
    is_larger: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it cannot be read past the cache."""
    monkeypatch.setattr("trainer.memory.installed", lambda: X.nbytes if is_larger else 1 << 40)
    monkeypatch.setattr("trainer.data.stored.direct", lambda _: None)
    dropped, advise = [], os.posix_fadvise

    def noted(descriptor: int, offset: int, length: int, advice: int) -> None:
        advise(descriptor, offset, length, advice)
        dropped.append((advice, offset, length))

    monkeypatch.setattr(os, "posix_fadvise", noted)
    array = stored_in(DataFile(Path(saved(tmp_path)["path"])))
    assert array is not None
    with array.opened() as reader:
        np.testing.assert_array_equal(reader.rows(0, 7), X[:7])
    assert dropped == [(os.POSIX_FADV_DONTNEED, array.offset, 7 * array.row_bytes)] * is_larger


@pytest.mark.parametrize("width", [7, 64])
def test_examples_read_past_the_cache_are_the_same_to_the_bit(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of 28 bytes lie nowhere in blocks, and those of 256 do."""
    x = RNG.random((6000, width), np.float32)
    settings = {"training__batch_size": 100, "data__buffer_size": 1700}
    runs, readers = [], []
    for installed in (1 << 40, x.nbytes):
        monkeypatch.setattr("trainer.memory.installed", lambda installed=installed: installed)
        monkeypatch.setattr("trainer.data.stored.direct", lambda it: readers.append(direct(it)) or readers[-1])
        runs.append(trained(prepared_of(tmp_path, x, np.arange(len(x)) % 2, **settings), tmp_path))
        assert bool(readers) == (installed == x.nbytes)
    assert all(readers), "this file system reads past the cache"
    require_same(*runs)


def test_the_host_holds_two_buffers_however_large_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, memory = [], feed._Memory
    monkeypatch.setattr(feed, "_Memory", lambda *given: made.append(given[0]) or memory(*given))
    x = RNG.random((40_000, 50), np.float32)
    prepared = prepared_of(tmp_path, x, np.arange(len(x)) % 2, training__batch_size=100, data__buffer_size=1000)
    shape = shape_of([prepared])
    tracemalloc.start()
    its = feed_of(prepared.splits, shape)
    try:
        for step in range(0, shape.steps_per_epoch, shape.steps_per_buffer):
            its.at(step)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        its.close()
        tracemalloc.stop()
    assert made == [1000] * 4, "features and targets of two buffers"
    assert peak < 4 * 1000 * 51 * 4 < x.nbytes / 8


def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    read = StreamReader.read_into

    def wait_and_read(self: StreamReader, *given: Any) -> None:
        time.sleep(0.003)
        read(self, *given)

    monkeypatch.setattr(StreamReader, "read_into", wait_and_read)


def test_the_time_that_the_training_waits_for_examples_is_told_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch)
    run = trained(prepared_of(tmp_path), tmp_path)
    stall = run.status.input_stall
    assert stall is not None
    assert 0.5 < stall < 1
    assert result(run)["input_stall"] == stall
    events = list(Tail(run.directory / "events.jsonl").read_all())
    told = [event.input_stall for event in events if isinstance(event, Epoch | Steps)]
    assert all(share is not None and 0 < share < 1 for share in told)
    assert json.loads((run.directory / "run.json").read_text())["input_stall"] == stall
    assert f"input stall {stall:.0%}" in _facts(run, "").plain
    (started,) = (event for event in events if isinstance(event, Started))
    assert "32 examples at a time streamed from their file" in happening(started)


def test_a_run_whose_examples_are_held_has_no_word_of_it(tmp_path: Path) -> None:
    run = trained(prepared_of(tmp_path, data__stream="never"), tmp_path)
    text = (run.directory / "events.jsonl").read_text()
    assert "input_stall" not in text
    assert '"buffer"' not in text
    assert "input_stall" not in result(run)
    assert "stall" not in _facts(run, "").plain


def test_the_plan_tells_how_many_examples_there_are_at_a_time(tmp_path: Path) -> None:
    *_, outlook = outlooks(prepared_of(tmp_path).config, None, compiles=False)
    assert course(outlook).endswith("39 updates, 13 an epoch. The data stream, 32 examples at a time.")
    assert outlook.plan is not None
    assert outlook.plan.memory.examples == 2 * 32 * 4 * 4


def test_what_the_next_buffer_takes_counts_as_memory_of_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepared_of(tmp_path)
    shape = shape_of([prepared])
    data = program.examples(prepared.splits, buffer=shape.buffer)
    needed = program.need(shape, data, None)(BATCH)
    monkeypatch.setattr(program, "_beside", lambda *_: ())
    alone = program.need(shape, data, None)(BATCH)
    assert needed is not None
    assert alone is not None
    assert needed - alone == BUFFER * (3 * 4 + 4)
