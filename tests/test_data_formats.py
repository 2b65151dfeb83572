"""Parquet, .npy, IDX, MNIST's folder, gzip: what is read is what was written; what lies is refused in one line."""

import gzip
import io
import math
import os
import struct
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refusals import only_line, refusal

from trainer.config import Config
from trainer.data import Files, parquet_child
from trainer.data.loading import describe, load
from trainer.data.splits import Splits
from trainer.preparation import prepare
from trainer.problems import ConfigError

FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
RNG = np.random.default_rng(0)
LABELS = (np.arange(40) % 4).astype(np.uint8)
PIXELS = RNG.integers(0, 256, (40, 5, 4), np.uint8)
IDX_TYPES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
RAW = {"standardize": "none", "validation_split": 0.0}


def idx(array: Any) -> bytes:
    array = np.asarray(array)
    code = IDX_TYPES[array.dtype.str[1:]]
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def put(folder: Path, **files: bytes) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def pair(folder: Path, x: bytes, y: bytes, **more: Any) -> Splits:
    put(folder, x=x, y=y)
    return load(Files(path="x", target_path="y", **more), folder)


def refused(folder: Path, x: bytes, y: bytes = b"", **more: Any) -> str:
    put(folder, x=x, **({"y": y} if y else {}))
    return refusal(Files(path="x", target_path="y" if y else "", **more), folder)


# --- Parquet


def parquet(frame: pl.DataFrame, **more: Any) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file, **more)
    return file.getvalue()


FRAME = pl.DataFrame({
    "a": [1, 2, 3, 4] * 5, "colour": ["red", "green", "red", "blue"] * 5, "b": [0.1, -2.5, 1e-3, 7.0] * 5,
    "y": ["no", "yes"] * 10,
})  # fmt: skip


@pytest.mark.parametrize("compression", ["zstd", "snappy", "gzip", "lz4", "brotli", "uncompressed"])
def test_a_parquet_file_is_read_as_the_csv_file_of_the_same_columns(tmp_path: Path, compression: Any):
    put(tmp_path, p=parquet(FRAME, compression=compression), c=FRAME.write_csv().encode())
    ours, csv = (load(Files(path=name, target="y"), tmp_path) for name in "pc")
    assert ours.feature_names == ("a", "colour=blue", "colour=green", "colour=red", "b")
    assert ours.target_names == ("no", "yes")
    assert ours.fingerprint == csv.fingerprint


@pytest.mark.parametrize("target", ["", "b", "colour"])
def test_the_target_of_a_parquet_file_is_named_as_in_a_csv_file(tmp_path: Path, target: str):
    put(tmp_path, p=parquet(FRAME), c=FRAME.write_csv().encode())
    ours, csv = (load(Files(path=name, target=target), tmp_path) for name in "pc")
    assert (ours.task, ours.feature_names, ours.fingerprint) == (csv.task, csv.feature_names, csv.fingerprint)


@pytest.mark.parametrize("kind", [pl.Int8, pl.UInt64, pl.Float32, pl.Int64, pl.Decimal(10, 2)])
def test_numbers_of_every_type_keep_their_value(tmp_path: Path, kind: Any):
    values = [1, 2, 3, 100] * 5
    frame = pl.DataFrame({"a": pl.Series(values).cast(kind), "y": ["n", "m"] * 10})
    splits = load(Files(path=str(put(tmp_path, p=parquet(frame)) / "p"), **RAW))
    assert splits.train.x[:, 0].tolist() == values


@pytest.mark.parametrize(
    "values",
    [
        [2**62, 2**62 + 1],
        [-(2**62) - 1, 7],
        [2**63, 2**64 - 1],
        [9007199254740993, 9007199254740994, 9007199254740995],
    ],
)
def test_large_whole_numbers_are_classes_of_their_own(tmp_path: Path, values: list[int]):
    kind = pl.UInt64 if max(values) >= 2**63 else pl.Int64
    frame = pl.DataFrame({"a": range(60), "y": pl.Series((values * 30)[:60], dtype=kind)})
    put(tmp_path, p=parquet(frame), c=frame.write_csv().encode(), x=npy(np.arange(60.0)), y=npy(frame["y"].to_numpy()))
    for section in (Files(path="p"), Files(path="c"), Files(path="x", target_path="y")):
        splits = load(section, tmp_path)
        assert splits.target_names == tuple(map(str, sorted(values)))
        assert splits.summary.n_train + splits.summary.n_validation == 60
        assert sorted(splits.train_labels) == sorted(splits.target_names)


def test_labels_that_64_bits_do_not_hold_are_those_that_are_written(tmp_path: Path):
    lines = "".join(f"{n},1{n % 2:024}\n" for n in range(40))
    put(tmp_path, c=("x,y\n" + lines).encode(), v=f"x,y\n1,1{2:024}\n".encode())
    assert load(Files(path="c"), tmp_path).target_names == (f"1{0:024}", f"1{1:024}")
    assert f"got '1{2:024}'" in refusal(Files(path="c", validation_path="v"), tmp_path)


def test_a_large_label_that_training_lacks_is_not_taken_for_its_neighbour(tmp_path: Path):
    train, other = (pl.DataFrame({"a": range(40), "y": [2**60 + place, 2**60 + 4] * 20}) for place in (0, 1))
    put(tmp_path, p=parquet(train), v=other.write_csv().encode())
    line = refusal(Files(path="p", validation_path="v"), tmp_path)
    assert f"no class that training lacks, got '{2**60 + 1}'" in line


def test_whole_numbers_that_are_many_are_no_classes_however_large(tmp_path: Path):
    put(tmp_path, p=parquet(pl.DataFrame({"a": range(100), "y": [2**62 + n for n in range(100)]})))
    assert load(Files(path="p"), tmp_path).task == "regression"


def test_truth_values_and_categories_are_words(tmp_path: Path):
    words = pl.Series(["u", "v"] * 10)
    frame = pl.DataFrame({"flag": [True, False] * 10, "kind": words.cast(pl.Categorical), "y": [True, False] * 10})
    splits = load(Files(path=str(put(tmp_path, p=parquet(frame)) / "p"), **RAW))
    assert splits.feature_names == ("flag=false", "flag=true", "kind=u", "kind=v")
    assert splits.target_names == ("false", "true")
    assert splits.train.x[0].tolist() == [0, 1, 1, 0]


def test_nulls_and_nan_are_missing_values(tmp_path: Path):
    frame = pl.DataFrame({"a": [None, 1.0, float("nan"), 3.0] * 5, "w": ["", "u", "v", "NA"] * 5, "y": [0, 1] * 10})
    put(tmp_path, p=parquet(frame))
    assert "got 10 in column 'a', the first in row 1, and more in 1 other column" in refusal(Files(path="p"), tmp_path)
    splits = load(Files(path="p", missing="drop", **RAW), tmp_path)
    assert splits.train.x[:, 0].tolist() == [1.0] * 5


PARQUET = parquet(FRAME)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (FRAME.select("a"), "at least two columns, got 1"),
        (FRAME.head(0), "columns without any"),
        (FRAME.with_columns(when=date(2024, 1, 1)), "'when' of type Date. Convert them, or name"),
        (FRAME.select(when=date(2024, 1, 1), then=date(2024, 1, 2)), "truth values or text, got none"),
        (FRAME.with_columns(many=pl.lit([1, 2])), "got 'many' of type List"),
        (FRAME.with_columns(bytes=pl.lit(b"x")), "got 'bytes' of type Binary"),
        (FRAME.with_columns(both=pl.struct("a", "b")), "got 'both' of type Struct"),
        (FRAME.with_columns(a=pl.lit(float("inf"))), "got 'inf' in column 'a'. Rescale it. It is in row 1."),
        (FRAME.with_columns(nothing=pl.lit(None)), "got 20 in column 'nothing'"),
        (pl.DataFrame({f"c{n}": [1] for n in range(10_001)}), "at most 10000 columns, got 10001"),
        (FRAME.with_columns(colour=pl.Series([f"word {chr(97 + n)}" for n in range(20)]) + "?"), ""),
        (pl.DataFrame({"w": [chr(97 + n) for n in range(22)], "y": [0, 1] * 11}), "got 'w' (22 words)"),
    ],
)  # fmt: skip
def test_columns_that_cannot_be_trained_on_are_refused(tmp_path: Path, frame: pl.DataFrame, said: str):
    put(tmp_path, p=parquet(frame))
    if said:
        assert said in refusal(Files(path="p"), tmp_path)
    else:
        assert load(Files(path="p"), tmp_path).n_features == 22


@pytest.mark.parametrize("unread", [date(2024, 1, 1), b"x", [1, 2]])
def test_columns_that_are_not_read_may_be_left_out(tmp_path: Path, unread: Any):
    frame = FRAME.select(pl.lit(unread).alias("\x1b[when"), *FRAME.columns, pl.lit(unread).alias("then"))
    put(tmp_path, p=parquet(frame), plain=parquet(FRAME))
    splits = load(Files(path="p", ignore=("\x1b[when", "then"), validation_path="p"), tmp_path)
    assert splits.fingerprint == load(Files(path="plain", validation_path="plain"), tmp_path).fingerprint
    assert "got 'then' of type" in refusal(Files(path="p", ignore=("\x1b[when",), target="y"), tmp_path)


def test_hostile_column_names_are_spelled_out(tmp_path: Path):
    frame = FRAME.rename({"a": "\x1b[2J", "b": "\u202eb", "colour": " "})
    put(tmp_path, p=parquet(frame))
    names = load(Files(path="p"), tmp_path).feature_names
    assert names[0] == r"\x1b[2J"
    assert names[-1] == r"\u202eb"
    assert "column_2=red" in names


def test_parquet_columns_whose_names_read_as_patterns_are_read(tmp_path: Path):
    frame = pl.DataFrame({"*": [0.5] * 8, "^a.*$": ["p", "q"] * 4, "ab": [3, 4, 5, 6] * 2, "label": ["x", "y"] * 4})
    put(tmp_path, p=parquet(frame))
    assert load(Files(path="p"), tmp_path).feature_names == ("*", "^a.*=p", "^a.*=q", "ab")
    assert load(Files(path="p", ignore=("*",)), tmp_path).feature_names == ("^a.*=p", "^a.*=q", "ab")


def test_a_parquet_file_that_unpacks_to_too_much_is_refused_by_its_footer(tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr("trainer.data.parquet_file.MOST_BYTES", 1_000_000)
    frame = pl.DataFrame({"a": pl.repeat(1.0, 400_000, eager=True), "y": pl.repeat(1, 400_000, eager=True)})
    content = parquet(frame)
    assert len(content) < 10_000
    put(tmp_path, p=content)
    assert "got 400000 rows of 2 columns" in refusal(Files(path="p"), tmp_path)


def test_long_text_is_refused_once_it_takes_too_much(tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr("trainer.data.parquet_file.MOST_BYTES", 1_000_000)
    put(tmp_path, p=parquet(pl.DataFrame({"w": [f"{n}" * 20_000 for n in range(90)], "y": list(range(90))})))
    assert "must unpack to at most 1000000 bytes, got more" in refusal(Files(path="p"), tmp_path)


@pytest.mark.parametrize("kept", [4, 8, 60, 0.5, 0.99])
def test_a_truncated_parquet_file_is_refused(tmp_path: Path, kept: float):
    put(tmp_path, p=PARQUET[: kept if isinstance(kept, int) else int(len(PARQUET) * kept)])
    assert "got a damaged one. Write it again" in refusal(Files(path="p"), tmp_path)


@pytest.mark.parametrize(
    ("crash", "said"),
    [
        ("import os; os.abort()", "got a damaged one"),
        ("raise MemoryError", "got a damaged one"),
        ("import time; time.sleep(60)", "got one without an end"),
        ("import sys; print('\\x1b[2J', end=''); sys.exit(3)", r"\x1b[2J"),
    ],
)
def test_whatever_becomes_of_the_process_that_unpacks_ends_in_one_line(
    tmp_path: Path, monkeypatch: Any, crash: str, said: str
):
    program = tmp_path / "child.py"
    program.write_text(crash)
    monkeypatch.setattr("trainer.data.parquet_child.__file__", str(program))
    monkeypatch.setattr("trainer.data.parquet_file._MOST_SECONDS", 3)
    put(tmp_path, p=PARQUET)
    assert said in refusal(Files(path="p"), tmp_path)


def test_the_process_that_unpacks_is_given_no_more_memory_than_a_sound_file_takes(tmp_path: Path):
    script = (
        "import runpy, sys\n"
        f"child = runpy.run_path({parquet_child.__file__!r})\n"
        "child['_bound'](1000)\n"
        "try:\n    bytearray(1 << 33)\nexcept MemoryError:\n    print('refused')"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "refused"


@settings(FUZZ, max_examples=20)
@given(changes=st.lists(st.tuples(st.integers(4, len(PARQUET) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_damage_to_a_parquet_file_gives_examples_or_a_refusal(tmp_path: Path, changes: list[tuple[int, int]]):
    damaged = bytearray(PARQUET)
    for place, value in changes:
        damaged[place] = value
    put(tmp_path, p=bytes(damaged))
    attempt(Files(path="p"), tmp_path)


def attempt(section: Files, base: Path) -> None:
    try:
        splits = load(section, base)
    except ConfigError as error:
        only_line(error)
    else:
        assert np.isfinite(splits.train.x).all()


# --- .npy


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float32", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_features_and_targets_are_those_that_numpy_saved(tmp_path: Path, dtype: str, order: Any):
    x = np.asarray(RNG.integers(0, 100, (40, 3)).astype(dtype), order=order)
    splits = pair(tmp_path, npy(x), npy(LABELS), **RAW)
    np.testing.assert_array_equal(splits.train.x, x.astype(np.float32))
    np.testing.assert_array_equal(splits.train.y, LABELS)


@pytest.mark.parametrize("shape", [(40, 5, 4), (40, 5, 4, 1), (40, 5, 4, 3)])
def test_npy_pictures_keep_their_shape(tmp_path: Path, shape: tuple[int, ...]):
    splits = pair(tmp_path, npy(RNG.integers(0, 256, shape, np.uint8)), npy(LABELS))
    assert splits.image_shape == (5, 4, shape[3] if len(shape) == 4 else 1)


def test_npy_targets_may_be_text_or_several_numbers(tmp_path: Path):
    x = RNG.normal(size=(40, 3))
    assert pair(tmp_path, npy(x), npy(np.array(["u", "v"] * 20))).target_names == ("u", "v")
    assert pair(tmp_path, npy(x), npy(x[:, :2])).target_names == ("y[0]", "y[1]")


def test_a_pickled_array_is_refused_and_does_not_run(tmp_path: Path):
    class Canary:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    assert "|O" in refused(tmp_path, npy(np.array([Canary()] * 40, dtype=object)), npy(LABELS))
    assert "|O" in refused(tmp_path, npy(PIXELS), npy(np.array([Canary()] * 40, dtype=object)))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (npy(PIXELS), b"", "data.target_path must be given, got a file that holds features alone"),
        (
            npy(PIXELS),
            npy(LABELS[:9]),
            "y: data.target_path must hold a target for each example of 'x', got [9] for [40, 5, 4]",
        ),
        (npy(PIXELS), b"y\n1\n2\n", "data.target_path must be a .npy or IDX file, got a CSV file in UTF-8"),
        (b"a,y\n1,2\n", npy(LABELS), "data.target_path must be empty for a CSV file"),
        (parquet(FRAME), npy(LABELS), "data.target_path must be empty for a Parquet file"),
        (npy(PIXELS)[:-1], npy(LABELS), "which is 800 bytes, and has 799"),
        (npy(PIXELS) + b"x", npy(LABELS), "which is 800 bytes, and has 801"),
        (npy(np.float64(1)), npy(LABELS), "a target for each example of 'x', got [40] for []"),
        (npy(PIXELS[:0]), npy(LABELS[:0]), "must hold examples"),
        (npy(np.full((40, 2), np.nan)), npy(LABELS), "got 40 in column 'x[0]'"),
        (npy(PIXELS.astype(complex)), npy(LABELS), "<c16"),
        (npy(np.array(["u"] * 40)), npy(LABELS), "one of text"),
        (npy(PIXELS), npy(LABELS)[:40], "data.target_path must hold a plain array"),
    ],
)
def test_arrays_that_cannot_be_trained_on_are_refused(tmp_path: Path, x: bytes, y: bytes, said: str):
    assert said in refused(tmp_path, x, y)


def test_what_is_wrong_with_targets_names_their_file(tmp_path: Path):
    hole, x = np.where(np.arange(40) == 3, np.nan, LABELS), np.arange(40.0)
    line = refused(tmp_path, npy(x), npy(hole))
    assert line.startswith("y: data.target_path must hold no missing values, got 1 in column 'y[0]'")
    assert refused(tmp_path, npy(hole), npy(hole)).startswith("x: data.path must hold no missing values, got 1 in")
    assert refused(tmp_path, npy(x), npy(np.where(hole == 2, np.inf, 0.5))).startswith("y: ")
    assert refused(tmp_path, npy(x), npy(np.eye(4)[LABELS])).startswith("y: data.target must not be one-hot")
    left = pair(tmp_path, npy(x), npy(hole), missing="drop")
    assert "data.target_path: 1 of 40 examples are left out: they miss a value" in left.warnings


def header(text: str, values: bytes = b"") -> bytes:
    packed = text.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(packed)) + packed + values


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ("(1000000000000,)", "which is 1000000000000 bytes, and has 8"),
        ("(99999999999999999999,)", "shape cannot be understood"),
        ("(0, 1000000000000000, 1000000000000000)", "which is 0 bytes, and has 8"),
        ("(-1,)", "cannot be understood"),
    ],
)
def test_an_npy_header_that_lies_is_refused_before_anything_is_allocated(tmp_path: Path, shape: str, said: str):
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    assert said in refused(tmp_path, header(text, bytes(8)), npy(LABELS))


@FUZZ
@given(text=st.text(st.characters(codec="latin-1"), max_size=80), values=st.binary(max_size=16))
def test_any_npy_header_gives_examples_or_a_refusal(tmp_path: Path, text: str, values: bytes):
    put(tmp_path, x=header(text, values), y=npy(np.arange(4)))
    attempt(Files(path="x", target_path="y"), tmp_path)


# --- IDX


@pytest.mark.parametrize("kind", IDX_TYPES)
def test_idx_values_of_every_type_are_read(tmp_path: Path, kind: str):
    x = RNG.integers(0, 100, (40, 3)).astype(kind)
    splits = pair(tmp_path, idx(x), idx(LABELS), **RAW)
    np.testing.assert_array_equal(splits.train.x, x.astype(np.float32))
    np.testing.assert_array_equal(splits.train.y, LABELS)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_pictures_are_read_packed_or_not(tmp_path: Path, pack: Any):
    splits = pair(tmp_path, pack(idx(PIXELS)), pack(idx(LABELS)), **RAW)
    assert (splits.image_shape, splits.task, splits.n_outputs) == ((5, 4, 1), "classification", 4)
    np.testing.assert_array_equal(splits.train.x, PIXELS.reshape(40, 20))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (idx(PIXELS)[:3], "damaged header"),
        (idx(PIXELS)[:10], "damaged header"),
        (b"\0\0\x08\0", "damaged header"),
        (b"\0\0\x08\xff" + bytes(2000), "damaged header"),
        (idx(PIXELS)[:-1], "got 799 bytes for [40, 5, 4], which is 800"),
        (idx(PIXELS) + b"x", "got 801 bytes for [40, 5, 4], which is 800"),
        (b"\0\0\x08\x03" + b"\xff" * 12 + b"x", f"which is {(2**32 - 1) ** 3}"),
        (b"\0\0\x0e\x08" + b"\xff" * 32 + b"x", f"which is {8 * (2**32 - 1) ** 8}"),
        (b"\0\0\x08\x03" + bytes(4) + b"\xff" * 8, "must hold examples"),
        (b"\0\0\x07\x01\0\0\0\x01x", "NUL byte at offset 0"),
        (idx(np.full((40, 2), np.inf, "f4")), "got inf in row 1"),
    ],
)
def test_an_idx_file_that_lies_is_refused(tmp_path: Path, content: bytes, said: str):
    assert said in refused(tmp_path, content, idx(LABELS))


@FUZZ
@given(head=st.binary(max_size=24), kind=st.sampled_from([*IDX_TYPES.values(), 0]), axes=st.integers(0, 9))
def test_any_idx_header_gives_examples_or_a_refusal(tmp_path: Path, head: bytes, kind: int, axes: int):
    put(tmp_path, x=bytes([0, 0, kind, axes]) + head, y=idx(LABELS[:4]))
    attempt(Files(path="x", target_path="y"), tmp_path)


@FUZZ
@given(shape=st.lists(st.integers(0, 6), min_size=1, max_size=4))
def test_any_array_comes_back_from_idx(tmp_path: Path, shape: list[int]):
    array = np.arange(math.prod(shape), dtype=np.uint8).reshape(shape)
    put(tmp_path, x=idx(array), y=idx((np.arange(shape[0]) % 2).astype(np.uint8)))
    if math.prod(shape) and shape[0] > 1:
        splits = load(Files(path="x", target_path="y", task="classification", **RAW), tmp_path)
        np.testing.assert_array_equal(splits.train.x, array.reshape(shape[0], -1))
    else:
        refusal(Files(path="x", target_path="y"), tmp_path)


# --- MNIST's folder


def mnist(folder: Path, pack: Any = bytes, dot: str = "-", end: str = "") -> Path:
    for part, rows in ("train", slice(0, 30)), ("t10k", slice(30, 40)):
        (folder / f"{part}-images{dot}idx3-ubyte{end}").write_bytes(pack(idx(PIXELS[rows])))
        (folder / f"{part}-labels{dot}idx1-ubyte{end}").write_bytes(pack(idx(LABELS[rows])))
    return folder


@pytest.mark.parametrize(
    "spelling", [{}, {"dot": "."}, {"pack": gzip.compress, "end": ".gz"}], ids=["plain", "dotted", "gzip"]
)
def test_a_folder_of_mnists_four_files_keeps_its_test_part(tmp_path: Path, spelling: dict[str, Any]):
    splits = load(Files(path=str(mnist(tmp_path, **spelling)), standardize="none", validation_split=0.2))
    np.testing.assert_array_equal(splits.test.x, PIXELS[30:].reshape(10, 20))
    np.testing.assert_array_equal(splits.test.y, LABELS[30:])
    assert (len(splits.train), len(splits.validation)) == (24, 6)
    trained = np.concatenate([splits.train.x, splits.validation.x])
    assert sorted(map(tuple, trained.tolist())) == sorted(map(tuple, PIXELS[:30].reshape(30, 20).tolist()))


def test_describe_tells_of_the_folder_and_looks_again_once_it_changed(tmp_path: Path):
    section = Files(path=str(mnist(tmp_path)))
    summary = describe(section)
    assert (summary.n_train, summary.n_validation, summary.n_test) == (24, 6, 10)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(PIXELS[:12]))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[:12]))
    assert describe(section).n_test == 12


@pytest.mark.parametrize("name", ["target_path", "validation_path", "test_path"])
def test_beside_the_folder_no_other_file_is_named(tmp_path: Path, name: str):
    said = refusal(Files(**{"path": str(mnist(tmp_path)), name: "x"}))  # type: ignore[arg-type]
    assert f"data.{name} must be empty beside MNIST's folder" in said


def test_a_test_label_that_training_lacks_is_refused(tmp_path: Path):
    (mnist(tmp_path) / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[:10] + 2))
    assert "must hold no class that training lacks, got '4'" in refusal(Files(path=str(tmp_path)))


def test_a_test_part_of_other_pictures_is_refused(tmp_path: Path):
    (mnist(tmp_path) / "t10k-images-idx3-ubyte").write_bytes(idx(PIXELS[:10, :4]))
    assert "of the shape that training has, [5, 4] with targets [], got [4, 4]" in refusal(Files(path=str(tmp_path)))


def test_a_folder_that_lacks_one_of_the_four_is_refused(tmp_path: Path):
    (mnist(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
    assert "got a folder" in refusal(Files(path=str(tmp_path)))


def test_a_run_of_two_files_names_both_by_their_whole_path(tmp_path: Path, monkeypatch: Any):
    put(tmp_path, x=npy(PIXELS), y=npy(LABELS))
    config = Config().changed(
        {"data.source": "path", "data.path": "x", "data.target_path": "y", "training.batch_size": 8}
    )
    data = prepare(config, tmp_path).config.data
    assert isinstance(data, Files)
    assert (data.path, data.target_path) == (str(tmp_path / "x"), str(tmp_path / "y"))


# --- gzip


@pytest.mark.parametrize("plain", [FRAME.write_csv().encode(), PARQUET], ids=["csv", "parquet"])
def test_a_packed_file_is_the_file_in_it(tmp_path: Path, plain: bytes):
    put(tmp_path, plain=plain, packed=gzip.compress(plain), twice=gzip.compress(plain[:50]) + gzip.compress(plain[50:]))
    fingerprints = {load(Files(path=name), tmp_path).fingerprint for name in ("plain", "packed", "twice")}
    assert len(fingerprints) == 1


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr("trainer.data.content.MOST_BYTES", 1_000_000)
    monkeypatch.setattr("trainer.data.unpacking._PIECE", 1 << 16)
    bomb = gzip.compress(bytes(200_000_000))
    put(tmp_path, x=bomb[: -len(bomb) // 2])
    assert "must unpack to at most 1000000 bytes" in refusal(Files(path="x"), tmp_path)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "header"])
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, damage: str):
    packed = gzip.compress(FRAME.write_csv().encode())
    flipped = packed[:30] + bytes([packed[30] ^ 0xFF]) + packed[31:]
    content = {"cut": packed[:-9], "flipped": flipped, "empty": gzip.compress(b""), "header": b"\x1f\x8b"}[damage]
    put(tmp_path, x=content)
    said = refusal(Files(path="x"), tmp_path)
    assert ("got an empty file" if damage == "empty" else "whole gzip file, got a damaged one") in said
