import contextlib
import errno
import itertools
import json
import os
import pickle
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from trainer import checkpoint_manifest, checkpoints, files
from trainer.checkpoint_writer import Failed, Saved, Writer
from trainer.checkpoints import Arrays, Kind, Manifest
from trainer.problems import RunError


def manifest(step: int = 0, kind: Kind = "last", **fields: Any) -> Manifest:
    return Manifest(kind=kind, epoch=0, step=step, time=1.5, **fields)


def arrays(value: float = 0.0) -> Arrays:
    return {"model/w": np.full((2, 3), value, np.float32), "count": np.array(int(value), np.int32)}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def value_of(path: Path) -> float:
    return float(checkpoints.load(path)[0]["model/w"].item(0))


def newest_value(folder: Path, kind: Kind | None = None) -> float | None:
    path = checkpoints.newest_good(folder, kind)
    return None if path is None else value_of(path)


def ids(folder: Path) -> list[str]:
    return [found.id for found in checkpoints.available(folder).good]


LEAVES: dict[str, np.ndarray[Any, Any]] = {
    "f32": np.linspace(-1, 1, 7, dtype=np.float32),
    "bf16": np.array([[1.5, -2.0], [np.inf, 3e38]], ml_dtypes.bfloat16),
    "transposed": np.arange(6, dtype=np.int64).reshape(2, 3).T,
    "strided": np.arange(10, dtype=np.int16)[::3],
    "big_endian": np.array([1.0, 2.0], ">f8"),
    "scalar": np.array(3.5, np.float32),
    "empty": np.zeros((0, 4), np.uint8),
    "bool": np.array([True, False]),
    "nan": np.array([np.nan], np.float16),
    "key/data å": np.array([1, 2], np.uint32),
}


def test_arrays_come_back_bit_for_bit(tmp_path: Path) -> None:
    loaded, _ = checkpoints.load(checkpoints.save(tmp_path / "c", LEAVES, manifest()))
    assert list(loaded) == list(LEAVES)
    for name, leaf in LEAVES.items():
        assert loaded[name].dtype == leaf.dtype.newbyteorder("=")
        assert loaded[name].shape == leaf.shape
        assert loaded[name].tobytes() == leaf.astype(leaf.dtype.newbyteorder("=")).tobytes()


def test_no_arrays_at_all_is_a_checkpoint(tmp_path: Path) -> None:
    assert checkpoints.load(checkpoints.save(tmp_path, {}, manifest()))[0] == {}


@pytest.mark.parametrize("leaf", [np.array([{}]), np.zeros(2, np.complex128), np.array(["x"])])
def test_types_that_cannot_be_stored_are_refused_before_anything_is_written(
    tmp_path: Path, leaf: np.ndarray[Any, Any]
) -> None:
    with pytest.raises(RunError, match="leaf x has type"):
        checkpoints.save(tmp_path, {"x": leaf}, manifest())
    assert not names(tmp_path)


def test_a_leaf_cannot_take_the_name_that_safetensors_keeps_for_itself(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="__metadata__"):
        checkpoints.save(tmp_path, {"__metadata__": np.zeros(1)}, manifest())


numbers: st.SearchStrategy[Any] = st.one_of(st.floats(), st.integers(-(2**63), 2**63), st.booleans(), st.none())
states = st.recursive(numbers, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


@given(st.dictionaries(st.text(), states), st.floats(), st.floats())
def test_every_number_of_the_manifest_comes_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, state: dict[str, Any], value: float, rate: float
) -> None:
    folder = tmp_path_factory.mktemp("c")
    before = manifest(value=value, monitor="loss", callbacks={"early": state}, numbers={"lr": rate}, extra={"e": state})
    _, after = checkpoints.load(checkpoints.save(folder, {}, before))
    for field in ("value", "callbacks", "numbers", "extra", "time", "monitor"):
        assert repr(getattr(after, field)) == repr(getattr(before, field))


def test_the_manifest_is_strict_json(tmp_path: Path) -> None:
    path = checkpoints.save(tmp_path, arrays(), manifest(7, callbacks={"a": {"best": float("inf")}}))
    text = path.with_suffix(".json").read_text()
    data = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert data["schema"] == 1
    assert data["id"] == path.stem == "step-00000007"
    assert data["callbacks"] == {"a": {"best": "Infinity"}}
    assert data["leaves"]["model/w"] == {"shape": [2, 3], "dtype": "float32"}
    assert data["size"] == path.stat().st_size


def test_only_the_owner_may_read_a_checkpoint(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = checkpoints.save(tmp_path / "checkpoints", arrays(), manifest())
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (path.parent, path, path.with_suffix(".json"))]
    assert modes == [0o700, 0o600, 0o600]


def two_checkpoints(folder: Path) -> Path:
    checkpoints.save(folder, arrays(1), manifest(1))
    path = checkpoints.save(folder, arrays(2), manifest(2))
    assert newest_value(folder) == 2
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_torn_file_is_refused_at_every_length_and_the_previous_one_serves(tmp_path: Path, suffix: str) -> None:
    path = two_checkpoints(tmp_path)
    torn = path.with_suffix(suffix)
    whole = torn.read_bytes()
    for length in range(len(whole)):
        torn.write_bytes(whole[:length])
        with pytest.raises(RunError):
            checkpoints.load(path)
        newest = checkpoints.newest_good(tmp_path)
        assert newest is not None
        assert newest.stem == "step-00000001"
    assert newest_value(tmp_path) == 1


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path, suffix: str) -> None:
    path = two_checkpoints(tmp_path)
    flipped = path.with_suffix(suffix)
    whole = flipped.read_bytes()
    for position in range(len(whole)):
        data = bytearray(whole)
        data[position] ^= 1 << position % 8
        flipped.write_bytes(data)
        with pytest.raises(RunError) as caught:
            checkpoints.load(path)
        assert "\n" not in str(caught.value)
        assert ids(tmp_path) == ["step-00000001"]


def test_a_damaged_checkpoint_is_named_and_hides_no_other(tmp_path: Path) -> None:
    path = two_checkpoints(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    good, damaged = checkpoints.available(tmp_path)
    assert [found.step for found in good] == [1]
    assert [str(problem) for problem in damaged] == [
        f"{path}: is damaged (the content does not match the hash in the manifest). Use an older checkpoint."
    ]


def test_a_checkpoint_that_is_pruned_while_it_is_read_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_checkpoints(tmp_path)
    read = checkpoint_manifest.read_manifest

    def pruned_first(path: Path) -> Manifest:
        if path.stem == "step-00000001":
            path.with_suffix(".json").unlink()
        return read(path)

    monkeypatch.setattr("trainer.checkpoints.read_manifest", pruned_first)
    good, damaged = checkpoints.available(tmp_path)
    assert [found.step for found in good] == [2]
    assert damaged == []


def test_a_folder_that_does_not_exist_has_no_checkpoints(tmp_path: Path) -> None:
    assert checkpoints.available(tmp_path / "none") == ([], [])
    assert checkpoints.newest_good(tmp_path / "none") is None


class Canary:
    def __reduce__(self) -> Any:
        return pytest.fail, ("the pickle ran",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04" + bytes(50), "zip archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
        (b"\x93NUMPY" + bytes(50), "NumPy"),
        (pickle.dumps(Canary()), "pickle, which runs code"),
        (pickle.dumps(Canary(), protocol=2), "pickle, which runs code"),
        (b"GGUF" + bytes(50), "another format"),
        (b"", "another format"),
    ],
)
def test_other_formats_are_refused_by_what_they_are(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(RunError, match=said):
        checkpoints.load(path)
    if content:
        renamed = path.rename(tmp_path / "model.safetensors")
        with pytest.raises(RunError, match=r"only safetensors|cannot be read"):
            checkpoints.load(renamed)


def test_a_header_length_that_looks_like_a_pickle_is_no_pickle(tmp_path: Path) -> None:
    for padding in range(0, 1200, 8):
        path = checkpoints.save(tmp_path, {"x" * (1 + padding % 800): np.zeros(1, np.uint8)}, manifest(padding))
        checkpoints.load(path)


def rewritten(path: Path, **changes: Any) -> None:
    """Change fields of a manifest and give it the right checksum again, as another program might."""
    data = json.loads(path.with_suffix(".json").read_text()) | changes
    del data["checksum"]
    path.with_suffix(".json").write_bytes(checkpoint_manifest.sealed(json.dumps(data).encode()))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": 2, "kind": {"new": "shape"}}, "has schema 2, this nn-tui reads up to 1. Update nn-tui."),
        ({"step": -1}, "step: Input should be greater than or equal to 0"),
        ({"step": True}, "step: Input should be a valid integer"),
        ({"id": "../../evil"}, "was renamed"),
        ({"leaves": {}}, "the arrays are not those that the manifest lists"),
        (
            {"leaves": {"count": {"shape": [], "dtype": "int32"}, "model/w": {"shape": [3, 2], "dtype": "float32"}}},
            "leaf",
        ),
        (
            {"leaves": {"count": {"shape": [], "dtype": "int32"}, "model/w": {"shape": [2, 3], "dtype": "int32"}}},
            "leaf",
        ),
        ({"size": 1 << 62}, "bytes where the manifest says"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = checkpoints.save(tmp_path, arrays(), manifest())
    rewritten(path, **changes)
    with pytest.raises(RunError) as caught:
        checkpoints.load(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fields_of_a_newer_version_are_passed_over(tmp_path: Path) -> None:
    path = checkpoints.save(tmp_path, arrays(4), manifest(callbacks={"a": {"wait": 2}}))
    rewritten(path, mood="good")
    assert checkpoints.load(path)[1].callbacks == {"a": {"wait": 2}}
    assert checkpoints.load(path.with_suffix(".json"))[0]["count"] == 4


def test_a_deeply_nested_manifest_is_refused(tmp_path: Path) -> None:
    path = checkpoints.save(tmp_path, {}, manifest())
    rewritten(path, extra={"x": 1})
    text = path.with_suffix(".json").read_text().replace('"x": 1', '"x": ' + "[" * 900 + "]" * 900)
    body = text.encode().rpartition(checkpoint_manifest._CHECKSUM)[0] + b"}"
    path.with_suffix(".json").write_bytes(checkpoint_manifest.sealed(body))
    with pytest.raises(RunError, match="damaged"):
        checkpoints.load(path)


def test_saving_a_step_again_never_touches_the_first(tmp_path: Path) -> None:
    paths = [checkpoints.save(tmp_path, arrays(n), manifest(5)) for n in range(3)]
    assert [path.stem for path in paths] == ["step-00000005", "step-00000005-2", "step-00000005-3"]
    assert [value_of(path) for path in paths] == [0, 1, 2]
    assert newest_value(tmp_path) == 2


def test_newest_goes_by_the_order_of_saving_not_by_step_or_clock(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, arrays(1), manifest(200))
    checkpoints.save(tmp_path, arrays(2), Manifest(kind="last", epoch=0, step=150, time=-1.0))
    checkpoints.save(tmp_path, arrays(3), manifest(100, "best"))
    assert [newest_value(tmp_path, kind) for kind in (None, "last", "best")] == [3, 2, 3]
    assert ids(tmp_path) == ["best-00000100", "step-00000150", "step-00000200"]


def test_prune_keeps_the_last_two_and_the_best(tmp_path: Path) -> None:
    for step in range(1, 6):
        checkpoints.save(tmp_path, arrays(), manifest(step))
        checkpoints.save(tmp_path, arrays(), manifest(step, "best"))
    checkpoints.prune(tmp_path)
    assert ids(tmp_path) == ["best-00000005", "step-00000005", "step-00000004"]
    assert len(names(tmp_path)) == 6


def test_prune_counts_only_good_ones_and_leaves_newer_damaged_ones(tmp_path: Path) -> None:
    paths = {step: checkpoints.save(tmp_path, arrays(step), manifest(step)) for step in range(1, 7)}
    for step in (4, 6):
        paths[step].write_bytes(b"torn")
    checkpoints.prune(tmp_path)
    assert [step for step, path in paths.items() if path.exists()] == [3, 4, 5, 6]
    assert ids(tmp_path) == ["step-00000005", "step-00000003"]


def test_prune_removes_only_what_a_save_can_have_made(tmp_path: Path) -> None:
    for step in range(4):
        checkpoints.save(tmp_path, arrays(), manifest(step))
    foreign = ["notes.txt", "mine.safetensors", "mine.json", "step-1.safetensors", "step-00000001-keep.json", ".x.tmp"]
    for name in foreign:
        (tmp_path / name).write_text("{}")
    (tmp_path / "step-00000009.safetensors").write_text("cut off before its manifest")
    checkpoints.prune(tmp_path)
    assert set(foreign) <= set(names(tmp_path))
    assert len(names(tmp_path)) == len(foreign) + 4


class FaultyOs:
    """`os`, of which the call with the given number fails: once, or together with all that follow, as in a kill."""

    COUNTED = frozenset({"open", "write", "fsync", "replace", "unlink", "mkdir", "close"})

    def __init__(self, failing: int, for_good: bool) -> None:
        self.calls, self.failing, self.for_good = 0, failing, for_good

    def __getattr__(self, name: str) -> Any:
        return self.counted(getattr(os, name), name) if name in self.COUNTED else getattr(os, name)

    def counted(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls == self.failing or (self.for_good and self.calls > self.failing):
                if name == "close":
                    function(*args)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return function(*args, **kwargs)

        return call


@pytest.mark.parametrize("for_good", [False, True])
def test_a_save_may_fail_at_any_call_and_the_store_stays_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, for_good: bool
) -> None:
    for failing in itertools.count(1):
        folder = tmp_path / str(failing)
        checkpoints.save(folder, arrays(1), manifest(1))
        checkpoints.save(folder, arrays(2), manifest(2, "best"))
        with monkeypatch.context() as patch:
            faulty = FaultyOs(failing, for_good)
            patch.setattr(files, "os", faulty)
            with contextlib.suppress(OSError):
                checkpoints.save(folder, arrays(3), manifest(3))
                checkpoints.prune(folder)
        good, damaged = checkpoints.available(folder)
        assert not damaged
        assert {found.step for found in good} >= {1, 2}
        assert newest_value(folder) in (2, 3)
        if not for_good:
            assert not list(folder.glob(".*"))
        files.remove_temporaries(folder)
        checkpoints.save(folder, arrays(4), manifest(3))
        checkpoints.prune(folder)
        assert newest_value(folder) == 4
        assert len(names(folder)) == 6
        if faulty.calls < failing:
            break
    assert failing > 15


def test_a_prune_may_fail_at_any_call_and_no_damaged_checkpoint_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for failing in itertools.count(1):
        folder = tmp_path / str(failing)
        for step in range(1, 5):
            checkpoints.save(folder, arrays(step), manifest(step))
        with monkeypatch.context() as patch:
            faulty = FaultyOs(failing, for_good=True)
            patch.setattr(files, "os", faulty)
            with contextlib.suppress(OSError):
                checkpoints.prune(folder)
        good, damaged = checkpoints.available(folder)
        assert not damaged
        assert [found.step for found in good][:2] == [4, 3]
        checkpoints.prune(folder)
        assert len(names(folder)) == 4
        if faulty.calls < failing:
            break
    assert failing > 4


def test_what_is_synced_before_publishing_comes_before_the_manifest(tmp_path: Path) -> None:
    seen: list[str] = []
    checkpoints.save(tmp_path, arrays(), manifest(), lambda: seen.extend(names(tmp_path)))
    assert seen == ["step-00000000.safetensors"]


def test_nothing_is_published_when_the_events_cannot_be_synced(tmp_path: Path) -> None:
    def refuse() -> None:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        checkpoints.save(tmp_path, arrays(), manifest(), refuse)
    assert not names(tmp_path)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "checkpoints")
    yield writer
    writer.close()


def test_writer_saves_prunes_and_reports(tmp_path: Path) -> None:
    threads: list[threading.Thread] = []

    writer = Writer(tmp_path / "checkpoints", lambda: threads.append(threading.current_thread()))
    for step in range(1, 5):
        writer.submit(arrays(), manifest(step))
        writer.flush()
    results = writer.completed()
    assert [(type(result), result.manifest.step) for result in results] == [(Saved, step) for step in range(1, 5)]
    assert isinstance(results[-1], Saved)
    assert results[-1].path == checkpoints.newest_good(tmp_path / "checkpoints")
    assert writer.completed() == []
    assert ids(tmp_path / "checkpoints") == ["step-00000004", "step-00000003"]
    assert len(set(threads)) == 1
    assert threads[0] is not threading.main_thread()
    assert not threads[0].daemon
    writer.close()


def test_writer_replaces_a_waiting_save_of_the_same_kind_and_does_not_block(tmp_path: Path) -> None:
    started, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        assert go_on.wait(30)

    writer = Writer(tmp_path / "checkpoints", wait)
    writer.submit(arrays(1), manifest(1))
    assert started.wait(30)
    for step in (2, 3, 4):
        writer.submit(arrays(step), manifest(step))
    writer.submit(arrays(3), manifest(3, "best"))
    assert writer.completed() == []
    go_on.set()
    writer.close()
    results = writer.completed()
    assert [(r.manifest.step, r.manifest.kind) for r in results] == [(1, "last"), (4, "last"), (3, "best")]
    assert newest_value(tmp_path / "checkpoints", "last") == 4


def test_writer_reports_a_full_disk_in_one_line_and_goes_on(
    tmp_path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkpoints"
    writer.submit(arrays(1), manifest(1))
    writer.flush()
    with monkeypatch.context() as patch:
        patch.setattr(files, "os", FaultyOs(6, for_good=True))
        writer.submit(arrays(2), manifest(2))
        writer.flush()
    assert newest_value(folder) == 1
    writer.submit(arrays(3), manifest(3))
    writer.flush()
    first, second, third = writer.completed()
    assert isinstance(first, Saved)
    assert second == Failed(manifest(2), "No space left on device at update 2; older ones are kept")
    assert isinstance(third, Saved)
    assert newest_value(folder) == 3


def test_writer_reports_that_memory_ran_out_and_goes_on(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(data: Any) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(safetensors.numpy, "save", too_large)
        writer.submit(arrays(), manifest(1))
        writer.flush()
    writer.submit(arrays(), manifest(2))
    writer.flush()
    first, second = writer.completed()
    assert isinstance(first, Failed)
    assert first.message == "out of memory at update 1; older ones are kept"
    assert isinstance(second, Saved)


def test_writer_reports_old_checkpoints_that_cannot_be_removed(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(files, "remove", refuse)
    for step in (1, 2, 3):
        writer.submit(arrays(), manifest(step))
        writer.flush()
    *saved, failed = writer.completed()
    assert [type(result) for result in saved] == [Saved, Saved, Saved]
    assert failed == Failed(manifest(3), "old checkpoints were not removed: Permission denied", is_lost=False)


def test_writer_reports_a_missing_run_folder(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "gone" / "checkpoints")
    writer.submit(arrays(), manifest())
    writer.close()
    (result,) = writer.completed()
    assert isinstance(result, Failed)
    assert "No such file or directory" in result.message


def test_writer_removes_what_a_killed_one_left(tmp_path: Path, writer: Writer) -> None:
    (tmp_path / "checkpoints").mkdir()
    left = tmp_path / "checkpoints" / ".step-00000001.safetensors.0123456789abcdef.tmp"
    left.touch()
    writer.submit(arrays(), manifest())
    writer.flush()
    assert not left.exists()


def test_writer_does_not_prune_after_a_save_that_does_not_read_back(
    tmp_path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkpoints"
    for step in (1, 2, 3):
        checkpoints.save(folder, arrays(step), manifest(step))

    def corrupt(path: Path, data: bytes, durable: bool) -> None:
        path.write_bytes(data[:-1] + b"x")

    monkeypatch.setattr(files, "replace_atomically", corrupt)
    writer.submit(arrays(4), manifest(4))
    writer.flush()
    (result,) = writer.completed()
    assert isinstance(result, Failed)
    assert "damaged" in result.message
    assert ids(folder) == ["step-00000003", "step-00000002", "step-00000001"]


def test_a_mistake_in_the_caller_reaches_the_caller(tmp_path: Path) -> None:
    empty: dict[str, int] = {}
    writer = Writer(tmp_path / "checkpoints", lambda: empty["missing"])
    writer.submit(arrays(), manifest())
    writer.close()
    with pytest.raises(KeyError):
        writer.completed()


def test_a_writer_reads_what_others_left_once_and_never_what_it_wrote(
    tmp_path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkpoints"
    checkpoints.save(folder, arrays(1), manifest(1))
    checkpoints.save(folder, arrays(2), manifest(2))
    writer.submit(arrays(3), manifest(3))  # the first is read back
    writer.flush()
    read: list[str] = []
    honest = files.open_regular

    def noted(path: Path) -> Any:
        read.append(path.name)
        return honest(path)

    monkeypatch.setattr(files, "open_regular", noted)
    for step in (4, 5):
        writer.submit(arrays(step), manifest(step))
        writer.flush()
    assert not read
    assert ids(folder) == ["step-00000005", "step-00000004"]


def test_a_checkpoint_that_somebody_removed_does_not_count_among_those_that_are_kept(
    tmp_path: Path, writer: Writer
) -> None:
    folder = tmp_path / "checkpoints"
    for step in (1, 2):
        writer.submit(arrays(step), manifest(step))
        writer.flush()
    (folder / "step-00000002.safetensors").unlink()
    writer.submit(arrays(3), manifest(3))
    writer.flush()
    assert ids(folder) == ["step-00000003", "step-00000001"]
