import gzip
import io
import os
import pickle
import socket
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from refusals import only_line

from trainer.data import Files, content
from trainer.data.csv_file import read_csv
from trainer.data.loading import describe, load
from trainer.data.parts import Parts
from trainer.data.record_table import table_of_records
from trainer.data.refusal import DataFile
from trainer.data.section import Table
from trainer.data.splits import Splits
from trainer.data.target import task_of_numbers
from trainer.problems import ConfigError
from trainer.text import clean

Write = Callable[..., Path]


@pytest.fixture
def data(tmp_path: Path) -> Callable[..., Splits]:
    """Write the bytes, or the arrays, to a file and load it."""

    def write_and_load(given: bytes | str | dict[str, Any], **settings: Any) -> Splits:
        path = tmp_path / "data"
        if isinstance(given, dict):
            with path.open("wb") as file:
                np.savez(file, **given)
        else:
            path.write_bytes(given.encode() if isinstance(given, str) else given)
        return load(Files(path=str(path), **settings))

    return write_and_load


@pytest.fixture
def refusal(data: Callable[..., Splits]) -> Callable[..., str]:
    """Load as `data` does, and return the one line of the refusal, without the path."""

    def refuse(given: bytes | str | dict[str, Any], **settings: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            data(given, **settings)
        return only_line(caught.value)

    return refuse


def rows(*lines: str, header: str = "a,b,label", times: int = 5) -> str:
    return "\n".join([header, *(lines * times)]) + "\n"


def csv_table(text: str) -> Table:
    return table_of_records(Parts(read_csv(text.encode(), DataFile(Path("x.csv")))), "", "auto", "error")


PLAIN = rows("1,2.5,yes", "3,4.5,no")


def x_of(splits: Splits) -> list[list[float]]:
    """Return all raw feature rows, sorted."""
    parts = np.concatenate([splits.train.x, splits.validation.x, splits.test.x])
    return sorted((parts * splits.x_scale + splits.x_offset).round(4).tolist())


# --- CSV that is read


def test_a_csv_gives_numbers_and_classes_named_by_its_labels(data: Callable[..., Splits]) -> None:
    splits = data(PLAIN, standardize="none")
    assert splits.task == "classification"
    assert (splits.feature_names, splits.target_names) == (("a", "b"), ("no", "yes"))
    assert x_of(splits) == [[1.0, 2.5]] * 5 + [[3.0, 4.5]] * 5
    assert splits.warnings == ()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(data: Callable[..., Splits], separator: str) -> None:
    assert data(PLAIN.replace(",", separator)).feature_names == ("a", "b")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_is_read(data: Callable[..., Splits], end: str) -> None:
    assert len(x_of(data(PLAIN.replace("\n", end)))) == 10


def test_mixed_line_ends_and_a_missing_last_one_are_read(data: Callable[..., Splits]) -> None:
    assert len(x_of(data("a,b,label\r\n1,2,x\n3,4,y\r5,6,x\n7,8,y"))) == 4


def test_a_byte_order_mark_is_no_part_of_the_first_name(data: Callable[..., Splits]) -> None:
    assert data(b"\xef\xbb\xbf" + PLAIN.encode()).feature_names == ("a", "b")


def test_empty_lines_count_for_nothing(data: Callable[..., Splits]) -> None:
    assert data("\n" + PLAIN.replace("\n", "\n\n") + "\n").fingerprint == data(PLAIN).fingerprint


def test_quoted_headers_and_fields_may_hold_separators_quotes_and_line_ends(data: Callable[..., Splits]) -> None:
    splits = data('"a ""x""","b, c","label\nlong"\n' + '"1","2.5","yes, sir"\n"3","4.5","no\nway"\n' * 5)
    assert splits.feature_names == ('a "x"', "b, c")
    assert splits.target_names == ("no\\nway", "yes, sir")


def test_blanks_around_cells_are_dropped(data: Callable[..., Splits]) -> None:
    assert data(PLAIN.replace(",", " , ")).fingerprint == data(PLAIN).fingerprint


def test_the_target_may_be_any_column(data: Callable[..., Splits]) -> None:
    splits = data(PLAIN, target="b", task="regression")
    assert (splits.target_names, splits.task) == (("b",), "regression")
    assert splits.feature_names == ("a", "label=no", "label=yes")


def test_a_column_of_few_words_becomes_a_feature_for_each(data: Callable[..., Splits]) -> None:
    splits = data(rows("red,1,x", "green,2,y"), standardize="none")
    assert splits.feature_names == ("a=green", "a=red", "b")
    assert x_of(splits)[0] == [0.0, 1.0, 1.0]


def test_columns_are_left_out_by_name(data: Callable[..., Splits]) -> None:
    lines = [f"p{n},{n},{n}.5,{'xy'[n % 2]}" for n in range(40)]
    splits = data(rows(*lines, header='"name, first",id,b,label', times=1), ignore=("name, first", "id"))
    assert splits.feature_names == ("b",)
    assert Files(path="x", ignore='"name, first", id').ignore == ("name, first", "id")


def test_names_that_read_as_patterns_are_names(data: Callable[..., Splits]) -> None:
    lines = [f"{n},{n}.5,{n % 3},{'xy'[n % 2]}" for n in range(40)]
    table = rows(*lines, header="*,^a.*$,ab,label", times=1)
    assert data(table).feature_names == ("*", "^a.*", "ab")
    assert data(table, ignore=("*",)).feature_names == ("^a.*", "ab")
    assert data(table, ignore=("^a.*",)).feature_names == ("*", "ab")


def test_what_is_left_out_must_be_there_and_leave_something(refusal: Callable[..., str]) -> None:
    assert "data.ignore must name a column, got 'B'. Columns: a, b, label." in refusal(PLAIN, ignore=("B",))
    assert "data.ignore must leave a target and a column beside it" in refusal(PLAIN, ignore=("a", "b"))


def test_empty_and_repeated_headers_are_renamed_and_told(data: Callable[..., Splits]) -> None:
    splits = data(rows("1,2,3,x", "2,3,4,y", header="a,,a,label"))
    assert splits.feature_names == ("a", "column_2", "a_2")
    assert len(splits.warnings) == 2


def test_examples_with_missing_values_are_left_out_where_asked(data: Callable[..., Splits]) -> None:
    splits = data(PLAIN + "NA,1,yes\n1,,no\n1,nan,yes\n1,2, \n", missing="drop")
    assert len(x_of(splits)) == 10
    assert splits.warnings[0] == "4 of 14 examples are left out: they miss a value"


def test_hostile_names_and_labels_are_spelled_out(data: Callable[..., Splits]) -> None:
    splits = data(rows("1,2,\x1b[2Jx", "2,3,\x9d52;c;y\x9c", header="\x1b]0;t\x1b\\,b\u202e,label"))
    assert splits.feature_names == ("\\x1b]0;t\\x1b\\", "b\\u202e")
    assert splits.target_names == ("\\x1b[2Jx", "\\x9d52;c;y\\x9c")


def test_a_constant_column_is_told_and_stays_finite(data: Callable[..., Splits]) -> None:
    splits = data(rows("1,1e30,x", "2,1e30,y"))
    assert splits.warnings == ("features that never change in the training part: b",)
    assert np.isfinite(splits.train.x).all()


def test_a_single_class_is_told(data: Callable[..., Splits]) -> None:
    (warning,) = data(rows("1,2,x", "2,3,x")).warnings
    assert "of one class, 'x'" in warning


def test_a_class_too_small_to_be_validated_is_told_with_its_count(data: Callable[..., Splits]) -> None:
    splits = data(rows("1,2,x", "2,3,y") + "5,6,rare\n")
    assert splits.warnings == ("classes with too few examples to be in the validation part: 'rare' (1)",)
    assert splits.target_names.index("rare") in splits.train.y


def test_a_split_without_examples_is_told(data: Callable[..., Splits]) -> None:
    assert len(data("a,y\n1,1.5\n2,2.5\n").warnings) == 1


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e37, 1e37))
def test_numbers_are_read_as_python_reads_them(value: float) -> None:
    table = csv_table(f"a,y\n{value!r},0.5\n1,1.5\n")
    assert table.x[0, 0] == value


# --- the task


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"] * 5, "classification"),
        (["True", "False"] * 5, "classification"),
        (["0", "1", "2"] * 5, "classification"),
        (["1.0", "2.0"] * 5, "classification"),
        (["-1", "1"] * 5, "classification"),
        (["0.5", "1.5"] * 5, "regression"),
        ([str(n) for n in range(100, 150)], "regression"),
    ],
)
def test_the_task_follows_from_the_target(data: Callable[..., Splits], values: list[str], task: str) -> None:
    assert data("a,y\n" + "".join(f"{n},{value}\n" for n, value in enumerate(values))).task == task


def test_whole_numbers_as_class_names_have_no_point(data: Callable[..., Splits]) -> None:
    assert data(rows("1,2,1.0", "2,3,-1")).target_names == ("-1", "1")


def test_many_classes_counted_from_0_are_classes() -> None:
    assert task_of_numbers(np.arange(3000) % 100) == "classification"
    assert task_of_numbers(np.arange(3000) % 100 + 1) == "regression"


def test_the_task_may_be_set_against_the_guess(data: Callable[..., Splits]) -> None:
    numbers = rows("1,2,0", "2,3,1")
    assert data(numbers, task="regression").train.y.dtype == np.float32
    assert data(rows("1,2,0.5", "2,3,1.5"), task="classification").target_names == ("0.5", "1.5")


def test_numbers_mixed_with_words_are_classes_where_said_so(data: Callable[..., Splits]) -> None:
    mixed = rows("1,2,1", "2,3,2", "3,4,many")
    assert data(mixed, task="classification").target_names == ("1", "2", "many")


# --- CSV that is refused


@pytest.mark.parametrize(
    ("given", "settings", "said"),
    [
        ("", {}, "data: data.path must hold examples, got an empty file."),
        ("\n \n", {}, "got a file of blanks"),
        ("a,b\n", {}, "got a header and no line under it"),
        ("a,b\n1,2\n", {}, "at least 2 examples, got 1"),
        ("a\n1\n2\n", {}, "at least two columns"),
        ("1,2\n3,4\n", {}, "data:1: data.path must start with column names"),
        (b"\xff\xfea\0,\0b\0", {}, "UTF-16 text. Save it as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-be"), {}, "NUL byte at offset 0"),
        ("a,b\n1,\0\n", {}, "NUL byte at offset 6"),
        (b"a,b\n1,\xe9\n", {}, "byte 0xe9 at offset 6"),
        ("a,b\n1,2\n3\n4,5,6\n", {}, "data:3: data.path must have 2 fields in every line, as in the header, got 1"),
        (rows("1,2", "3", header="a,b"), {}, "(5 such lines)"),
        ('a,b\n1,"2\n3,4\n', {}, "data:"),
        ('a,b\n1,2\n1x"y,2\n', {}, "data"),
        ('a,b\n"1"x,2\n3,4\n', {}, "data:2: "),
        ("a,b\n" + "1" * 200_000 + ",2\n", {}, "data:2: data.path must have closed quotes"),
        ("a,b,y\n1,2,x\n,NA,y\n1,na,x\n", {}, "data:3: data.path must hold no missing values, got 1 in column 'a'"),
        ("a,y\nNA,1\n,2\n", {"missing": "drop"}, "got none. Column 'a' is empty: fill it, or name it in data.ignore."),
        ("a,b,y\nNA,1,1\n3,,2\n", {"missing": "drop"}, "got none. Fill them."),
        (rows("1,2,x", "2,oops,y"), {}, "data:3: data.path must hold a number, got 'oops' in column 'b'."),
        (rows("1,2,x", "2,oops,y"), {}, "Correct the cell, or name the column in data.ignore."),
        (rows("1,inf,x", "2,3,y"), {}, "got 'inf' in column 'b'"),
        (rows("1,1e400,x", "2,3,y"), {}, "got '1e400' in column 'b'"),
        (rows("1,1_000,x", "2,2_000,y"), {}, "got 'b' (neither all numbers nor all words, such as '1_000')"),
        (rows("1,１２,x", "2,１３,y"), {}, "nor all words, such as '１２')"),
        (rows("1;2,5;x", "2;3,5;y", header="a;b;label"), {}, "Write 1.5, not 1,5."),
        (rows("1,2024-01-01,x", "2,2024-01-02,y"), {}, "got 'b' (dates, which are not read, such as '2024-01-01')"),
        (rows("1,5%,x", "2,10%,y"), {}, "got 'b' (neither all numbers nor all words, such as '5%')"),
        (rows("1,1 000,x", "2,2 000,y"), {}, "got 'b' (neither all numbers nor all words, such as '1 000')"),
        (rows("1,E1,x", "2,2,y", "3,3,x"), {}, "must hold a number, got 'E1' in column 'b'."),
        (rows("1,2,1.5", "2,3,much"), {}, "got 'much' in column 'label'"),
        (rows("1,2,1", "2,3,2", "2,4,x"), {}, "got 'x' in column 'label'. Correct the cell, or set data.task ="),
        (rows("1,2,1", "2,3,x"), {}, 'set data.task = "classification" if these are classes.'),
        (rows(*(f"1,2,{n}-{n + 9}" for n in range(30))), {}, "got '0-9' in column 'label'. Correct the cell, or set"),
        (PLAIN, {"task": "regression"}, "got 'yes' in column 'label'"),
        (PLAIN, {"target": "lable"}, "got 'lable'. Did you mean label? Columns: a, b, label."),
        (",".join(f"c{n}" for n in range(10_001)) + "\n", {}, "at most 10000 columns, got 10001"),
        (rows(*(f"{letter},1,x" for letter in "abcdefghijklmnopqrstu")), {}, "got 'a' (21 words)"),
        ("a,\x1b]0;t\x07\n1,2\n1,x\n", {}, "column '\\x1b]0;t\\x07'"),
    ],
)  # fmt: skip
def test_a_csv_that_cannot_be_trained_on_is_refused_in_one_line(
    refusal: Callable[..., str], given: bytes | str, settings: dict[str, Any], said: str
) -> None:
    assert said in refusal(given, **settings)


def test_a_line_number_counts_empty_lines_and_lines_within_quotes(refusal: Callable[..., str]) -> None:
    assert "data:7: " in refusal('a,b\n\n"x\ny",1\n\n"x",2\n"z",oops\n')


@pytest.mark.parametrize(
    ("magic", "said"),
    [
        (b"PAR1....", "damaged"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x1f\x8b\x08", "whole gzip file"),
        (gzip.compress(gzip.compress(b"a,b", mtime=0), mtime=0), "within another"),
        (b"\x89PNG\r\n\x1a\n", "single picture"),
        (pickle.dumps([1]), "pickle"),
        (b"\x93NUMPY\x01\x00", "header that cannot be understood"),
    ],
)
def test_content_and_not_the_suffix_says_what_a_file_is(refusal: Callable[..., str], magic: bytes, said: str) -> None:
    assert said in refusal(magic)


# --- paths


def refused_path(path: str, base: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(Files(path=path), base)
    return str(caught.value)


def test_a_relative_path_starts_from_the_given_folder(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(PLAIN)
    assert load(Files(path="a.csv"), tmp_path).feature_names == ("a", "b")


def test_a_symbolic_link_is_followed_and_a_circle_of_them_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(PLAIN)
    (tmp_path / "link").symlink_to("a.csv")
    (tmp_path / "circle").symlink_to("circle")
    assert load(Files(path="link"), tmp_path).n_features == 2
    assert "lead in a circle" in refused_path("circle", tmp_path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("absent.csv", "got a path where there is none"),
        (".", "got a folder"),
        ("a.csv/b", "no folder"),
        ("x" * 300, "too long"),
        ("a\0b", "NUL character"),
        ("~nobody-of-this-name/x", "home folder"),
        ("/dev/null", "got a pipe, socket or device"),
        ("fifo", "got a pipe, socket or device"),
        ("socket", "got a pipe, socket or device"),
    ],
)
def test_a_path_that_is_no_regular_file_is_refused_at_once(
    tmp_path: Path, path: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text(PLAIN)
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert said in refused_path(path, tmp_path)


def test_a_folder_whose_name_is_not_utf8_is_shown_spelled_out(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/na\xffme"))
    folder.mkdir()
    (folder / "a.csv").write_text(PLAIN)
    assert load(Files(path="a.csv"), folder).n_features == 2
    assert "na\\udcffme/b.csv: data.path" in refused_path("b.csv", folder)


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(ValidationError):
        Files(path="")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text(PLAIN)
    fdopen = os.fdopen

    def open_and_grow(descriptor: int, mode: str) -> Any:
        file = fdopen(descriptor, mode)
        read = file.read

        class Growing:
            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def read(self, size: int) -> bytes:
                content = read(size)
                with path.open("a") as other:
                    other.write("9,9,yes\n")
                return bytes(content)

        return Growing()

    monkeypatch.setattr(content.os, "fdopen", open_and_grow)
    assert "must not change while it is read" in refused_path(str(path))


def test_a_file_beyond_the_size_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(content.MOST_BYTES + 1)
    assert "at most 2000000000 bytes" in refused_path(str(path))


def test_a_file_that_does_not_fit_into_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> bytes:
        raise MemoryError

    (tmp_path / "a.csv").write_text(PLAIN)
    monkeypatch.setattr("trainer.data.csv_file.read_csv", exhausted)
    assert "must fit into memory" in refused_path("a.csv", tmp_path)


def test_describe_reads_again_once_the_file_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(PLAIN)
    assert describe(Files(path=str(path))).n_train == 8
    path.write_text(PLAIN + "5,6,yes\n" * 10)
    assert describe(Files(path=str(path))).n_train == 16


def test_the_fingerprint_is_of_the_content_and_not_of_the_place(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(PLAIN)
    (tmp_path / "b.csv").write_text(PLAIN)
    (tmp_path / "c.csv").write_text(PLAIN.replace("2.5", "2.6"))
    a, b, c = (load(Files(path=f"{name}.csv"), tmp_path).fingerprint for name in "abc")
    assert a == b != c


def test_values_too_far_from_the_training_part_are_refused(tmp_path: Path) -> None:
    table = "a,y\n" + "".join(f"{n}e-37,{n}.5\n" for n in range(100)) + "1e38,1.5\n"
    (tmp_path / "a.csv").write_text(table)
    messages = []
    for seed in range(20):
        try:
            load(Files(path="a.csv", seed=seed, validation_split=0.5), tmp_path)
        except ConfigError as error:
            messages.append(str(error))
    assert messages
    assert all("too far from the training part" in message for message in messages)


# --- NPZ that is read

X = np.arange(40, dtype=np.float64).reshape(20, 2)
Y = np.arange(20) % 2


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float32", "float64", ">f4", ">i8"])
def test_arrays_of_every_plain_number_type_are_read(data: Callable[..., Splits], dtype: str) -> None:
    values = X.astype(dtype)
    splits = data({"x": values, "y": Y}, standardize="none", validation_split=0.0)
    np.testing.assert_array_equal(splits.train.x, values.astype(np.float32))
    assert splits.feature_names == ("x[0]", "x[1]")


def test_compressed_and_fortran_ordered_arrays_are_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.asfortranarray(X), y=Y)
    splits = load(Files(path="a.npz", standardize="none", validation_split=0.0), tmp_path)
    np.testing.assert_array_equal(splits.train.x, X.astype(np.float32))


@pytest.mark.parametrize(
    ("shape", "picture"),
    [
        ((3, 4), (3, 4, 1)),
        ((3, 4, 1), (3, 4, 1)),
        ((3, 4, 3), (3, 4, 3)),
        ((3, 4, 2), None),
        ((3, 4, 3, 3), None),
        ((), None),
    ],
)
def test_pictures_are_flattened_and_keep_their_shape(data: Callable[..., Splits], shape: Any, picture: Any) -> None:
    x = np.random.default_rng(0).random((20, *shape))
    splits = data({"x": x, "y": Y})
    assert splits.image_shape == picture
    assert splits.n_features == int(np.prod(shape))


def test_other_keys_may_be_named(data: Callable[..., Splits]) -> None:
    arrays = {"x_train": X, "y_train": Y, "x_test": X}
    assert data(arrays, features="x_train", target="y_train").n_features == 2


@pytest.mark.parametrize(
    ("y", "task", "names"),
    [
        (np.array(["b", "a"] * 10), "classification", ("a", "b")),
        (Y == 1, "classification", ("False", "True")),
        (Y[:, np.newaxis], "classification", ("0", "1")),
        (np.where(Y, 5, -1), "classification", ("-1", "5")),
        (X[:, 0] / 3, "regression", ("y",)),
        (X / 3, "regression", ("y[0]", "y[1]")),
    ],
)
def test_targets_are_classes_or_outputs(data: Callable[..., Splits], y: Any, task: str, names: tuple[str, ...]) -> None:
    splits = data({"x": X, "y": y})
    assert (splits.task, splits.target_names) == (task, names)
    assert splits.train.y.shape == ((16,) if task == "classification" else (16, len(names)))


def test_examples_with_nan_are_left_out_where_asked(data: Callable[..., Splits]) -> None:
    x = X.copy()
    x[3, 1] = np.nan
    assert len(x_of(data({"x": x, "y": Y}, missing="drop"))) == 19


# --- NPZ that is refused


def holed(value: float) -> np.ndarray[Any, Any]:
    x = X.copy()
    x[3, 1] = value
    return x


@pytest.mark.parametrize(
    ("arrays", "settings", "said"),
    [
        ({"X": X, "y": Y}, {}, "got 'x'. It holds: X (<f8 [20, 2]), y (<i8 [20])."),
        ({"x": X}, {}, "data.target must name an array"),
        ({"x": X, "y": Y}, {"target": "x"}, "for both"),
        ({"x": X, "y": Y[:19]}, {}, "as many examples each, got 'x' [20, 2] and 'y' [19]"),
        ({"x": X[:0], "y": Y[:0]}, {}, "must hold examples"),
        ({"x": X[:, :0], "y": Y}, {}, "must hold examples"),
        ({"x": X[:1], "y": Y[:1]}, {}, "at least 2 examples, got 1"),
        ({"x": np.float64(1), "y": Y}, {}, "as many examples each"),
        ({"x": X.astype(complex), "y": Y}, {}, "is of type <c16"),
        ({"x": X.astype(object), "y": Y}, {}, "is of type |O"),
        ({"x": np.zeros(20, [("a", "<f4")]), "y": Y}, {}, "is of type structured"),
        ({"x": X.astype("datetime64[s]"), "y": Y}, {}, "is of type <M8[s]"),
        ({"x": X.astype(str), "y": Y}, {}, "one of text"),
        ({"x": X, "y": np.array([b"a", b"b"] * 10)}, {}, "is of type |S1"),
        ({"x": holed(np.nan), "y": Y}, {}, "got 1 in column 'x[1]', the first in row 4"),
        ({"x": holed(np.inf), "y": Y}, {}, "got inf in row 4"),
        ({"x": holed(1e39), "y": Y}, {}, "got 1e+39 in row 4"),
        ({"x": X, "y": np.full(20, np.nan)}, {}, "column 'y[0]'"),
        ({"x": X, "y": np.array(["a", ""] * 10)}, {}, "got 10 in column 'y[0]'"),
        ({"x": X, "y": np.array(["a", "b"] * 10)}, {"task": "regression"}, "got text"),
        ({"x": X, "y": np.eye(2)[Y]}, {}, "one-hot"),
        ({"x": X, "y": X}, {"task": "classification"}, "one class an example"),
        ({"x": X, "y": np.zeros((20, 2, 2))}, {}, "one class an example"),
        ({"x": np.zeros((2, 100_001), np.uint8), "y": Y[:2]}, {}, "at most 100000 numbers an example"),
        ({"x": np.zeros((10_001, 1)), "y": np.arange(10_001)}, {"task": "classification"}, "at most 10000 classes"),
        ({"\x1b[2J": X, "y": Y}, {}, "\\x1b[2J (<f8"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Casting complex")
def test_arrays_that_cannot_be_trained_on_are_refused_in_one_line(
    refusal: Callable[..., str], arrays: dict[str, Any], settings: dict[str, Any], said: str
) -> None:
    assert said in refusal(arrays, **settings)


class Canary:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.place,)

    def __init__(self, place: str) -> None:
        self.place = place


def test_a_pickle_in_an_archive_does_not_run(tmp_path: Path, refusal: Callable[..., str]) -> None:
    place = tmp_path / "ran"
    payload = np.array([Canary(str(place))] * 20, dtype=object)
    assert "is of type |O" in refusal({"x": payload, "y": Y})
    assert not place.exists()


def npy(header: str, values: bytes) -> bytes:
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + values


def archive(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, member in members.items():
            packed.writestr(name, member)
    return file.getvalue()


def plain(descr: str, shape: str) -> str:
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"


SOUND_Y = npy(plain("|u1", "(4,)"), b"\0\1\0\1")
SOUND = archive(**{"x.npy": npy(plain("|u1", "(4, 2)"), bytes(range(8))), "y.npy": SOUND_Y})


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (plain("<f8", "(1000000000000,)"), "which is 8000000000000 bytes, and has 8"),
        (plain("<f8", "(99999999999999999999,)"), "shape cannot be understood"),
        (plain("<f8", "(2,)"), "which is 16 bytes, and has 8"),
        (plain("<f8", "(0,)"), "which is 0 bytes, and has 8"),
        (plain("<f8", "(-1,)"), "cannot be understood"),
        (plain("<f8", "(" + "1," * 40 + ")"), "shape cannot be understood"),
        (plain("<f16", "(1,)"), "which is not read"),
        (plain("<U0", "(1,)"), "which is not read"),
        (plain("__import__", "(1,)"), "neither real numbers nor text"),
        ("(" * 3000, "cannot be understood"),
        ("x" * 20_000, "a header of 20001 bytes"),
    ],
)
def test_a_header_that_lies_is_refused_before_anything_is_allocated(
    refusal: Callable[..., str], header: str, said: str
) -> None:
    assert said in refusal(archive(**{"x.npy": npy(header, bytes(8)), "y.npy": SOUND_Y}))


def test_a_bomb_is_refused_by_its_declared_size(refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.data.npz_file.MOST_BYTES", 10_000_000)
    bomb = npy(plain("|u1", "(20000000,)"), bytes(20_000_000))
    assert "is 20000000 bytes, of at most 10000000" in refusal(archive(**{"x.npy": bomb, "y.npy": SOUND_Y}))


def test_names_in_an_archive_are_keys_and_never_paths(tmp_path: Path, refusal: Callable[..., str]) -> None:
    said = refusal(archive(**{"../../evil.npy": SOUND_Y, "y.npy": SOUND_Y}))
    assert "It holds: ../../evil (|u1 [4])" in said
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_text_that_is_no_unicode_is_refused(refusal: Callable[..., str]) -> None:
    bad = npy(plain("<U1", "(4,)"), struct.pack("<4I", 65, 66, 0x110000, 65))
    x = npy(plain("|u1", "(4, 2)"), bytes(8))
    assert "no Unicode" in refusal(archive(**{"x.npy": x, "y.npy": bad}))


@pytest.mark.parametrize("kept", [4, 30, 100, 0.5, 0.9])
def test_a_truncated_archive_is_refused(refusal: Callable[..., str], kept: float) -> None:
    cut = SOUND[: kept if isinstance(kept, int) else int(len(SOUND) * kept)]
    assert "damaged" in refusal(cut)


def test_a_spreadsheet_is_refused_by_what_it_holds(refusal: Callable[..., str]) -> None:
    assert "It holds: [Content_Types].xml" in refusal(archive(**{"[Content_Types].xml": b"<xml/>"}))


# --- anything at all

FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
CELLS = st.sampled_from(
    ["1", "2.5", "-3e2", "", "NA", "x", "yes", '"', '"a"', '"a""b"', "a b", "１", "1,5", "inf", "\x1b[2J", "\u202e"]
)  # fmt: skip
CSV_TEXT = st.lists(st.lists(CELLS, max_size=4), max_size=6).flatmap(
    lambda lines: st.tuples(st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n", "\r"])).map(
        lambda ends: ends[1].join(ends[0].join(cells) for cells in lines).encode()
    )
)


def attempt(path: Path, given: bytes, **settings: Any) -> None:
    path.write_bytes(given)
    try:
        splits = load(Files(path=str(path), **settings))
    except ConfigError as error:
        only_line(error)
    else:
        assert np.isfinite(splits.train.x).all()
        assert all(clean(name) == name for name in (*splits.feature_names, *splits.target_names))


@FUZZ
@given(given=st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "ignore")) | CSV_TEXT)
@pytest.mark.parametrize("missing", ["error", "drop", "impute"])
def test_any_bytes_give_examples_or_a_refusal(tmp_path: Path, missing: Any, given: bytes) -> None:
    attempt(tmp_path / "a", given, missing=missing)


@FUZZ
@given(changes=st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=4))
def test_any_damage_to_an_archive_gives_examples_or_a_refusal(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(SOUND)
    for place, value in changes:
        damaged[place] = value
    attempt(tmp_path / "a", bytes(damaged))


@FUZZ
@given(header=st.text(st.characters(codec="latin-1"), max_size=80), values=st.binary(max_size=16))
def test_any_array_header_gives_examples_or_a_refusal(tmp_path: Path, header: str, values: bytes) -> None:
    attempt(tmp_path / "a", archive(**{"x.npy": npy(header, values), "y.npy": SOUND_Y}))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e30, 1e30), st.sampled_from(["a", "b,c", 'd"e'])), min_size=2, max_size=20))
def test_what_a_csv_library_wrote_is_read_back(written: list[tuple[float, str]]) -> None:
    frame = pl.DataFrame({"number": [number for number, _ in written], "word": [word for _, word in written]})
    table = csv_table(frame.write_csv())
    assert table.x[:, 0].tolist() == frame["number"].to_list()
    assert [table.target_names[index] for index in table.y] == frame["word"].to_list()


def test_codes_that_are_read_as_numbers_are_told(data: Callable[..., Splits]) -> None:
    lines = rows("01005,0,0.5,no", "70173,,0.25,yes", header="plz,digit,share,label")
    (warning,) = data(lines, missing="impute", standardize="none").warnings[:1]
    assert warning == (
        "digits that begin with 0, such as '01005', are read as numbers, in plz: name codes in data.ignore,"
        " or write a letter before them"
    )
    assert not any("digits" in told for told in data(rows("10,0.5,no", "0,1.5,yes", header="a,b,label")).warnings)
