"""Parts that have a file of their own, and missing values that are filled in from the training part alone."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from refusals import refusal
from sklearn.impute import SimpleImputer

from trainer.config import Config
from trainer.data import Files
from trainer.data.loading import describe, load
from trainer.preparation import prepare

RAW: dict[str, Any] = {"standardize": "none", "validation_split": 0.0}
HEADER = "size,colour,label\n"
TRAIN = HEADER + "1,red,no\n2,green,yes\n3,red,no\n4,green,yes\n" * 3
OTHER = HEADER + "5,green,yes\n6,red,no\n"


def put(folder: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def files(**settings: Any) -> Files:
    return Files(**{"path": "train", "validation_path": "other", **settings})


# --- files of their own


def test_a_part_with_a_file_of_its_own_is_that_file(tmp_path: Path):
    put(tmp_path, train=TRAIN, other=OTHER, test=HEADER + "7,red,yes\n")
    splits = load(files(test_path="test", standardize="none"), tmp_path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (12, 2, 1)
    assert splits.validation.x.tolist() == [[5, 1, 0], [6, 0, 1]]
    assert splits.validation.y.tolist() == [1, 0]
    assert splits.test.x.tolist() == [[7, 0, 1]]
    assert describe(files(test_path="test"), tmp_path) == load(files(test_path="test"), tmp_path).summary


def test_the_other_part_is_still_drawn_from_the_main_file(tmp_path: Path):
    put(tmp_path, train=TRAIN, other=OTHER)
    splits = load(files(test_split=0.25), tmp_path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (9, 2, 3)
    splits = load(Files(path="train", test_path="other", validation_split=0.25), tmp_path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (9, 3, 2)


def test_the_scaling_is_fitted_on_the_main_file(tmp_path: Path):
    put(tmp_path, train=TRAIN, other=OTHER)
    splits = load(files(), tmp_path)
    sizes = np.array([1, 2, 3, 4] * 3)
    assert splits.x_offset[0] == pytest.approx(sizes.mean())
    assert splits.x_scale[0] == pytest.approx(sizes.std())
    np.testing.assert_allclose(splits.validation.x[:, 0], (np.array([5, 6]) - sizes.mean()) / sizes.std(), rtol=1e-6)


def test_columns_may_stand_in_another_order_and_format(tmp_path: Path):
    frame = pl.DataFrame({"label": ["yes", "no"], "colour": ["green", "red"], "size": [5, 6]})
    frame.write_parquet(tmp_path / "other")
    put(tmp_path, train=TRAIN, csv=OTHER)
    parquet, csv = (load(files(validation_path=name, target="label"), tmp_path) for name in ("other", "csv"))
    assert parquet.fingerprint == csv.fingerprint


def test_a_column_of_words_may_not_turn_to_numbers_in_another_file(tmp_path: Path):
    frame = pl.DataFrame({"size": [5], "colour": [7], "label": ["no"]})
    frame.write_parquet(tmp_path / "other")
    put(tmp_path, train=TRAIN)
    line = refusal(files(), tmp_path)
    assert "must hold no word that training lacks, got '7' in column 'colour'" in line
    assert line.endswith("It is in row 1.")


def test_numbers_of_a_regression_stay_numbers_in_another_file(tmp_path: Path):
    put(tmp_path, train="a,y\n" + "1,1.5\n2,2.5\n3,4.5\n" * 4, other="a,y\n1,0\n2,1\n")
    splits = load(files(standardize_target=False), tmp_path)
    assert (splits.task, splits.validation.y.tolist()) == ("regression", [[0.0], [1.0]])


def test_archives_may_be_divided_into_files_too(tmp_path: Path):
    x = np.arange(48.0).reshape(12, 2, 2)
    np.savez(tmp_path / "train.npz", x=x, y=np.array(["u", "v"] * 6))
    np.savez(tmp_path / "test.npz", x=x[:3] + 0.5, y=np.array(["v", "v", "u"]))
    splits = load(Files(path="train.npz", test_path="test.npz", **RAW), tmp_path)
    assert splits.test.y.tolist() == [1, 1, 0]
    np.testing.assert_array_equal(splits.test.x, (x[:3] + 0.5).reshape(3, 4))


def test_every_file_is_named_by_its_whole_path_in_the_config_of_a_run(tmp_path: Path):
    put(tmp_path, train=TRAIN, other=OTHER)
    config = Config().changed({"data.source": "path", "data.path": "train", "training.batch_size": 2})
    data = prepare(config.changed({"data.validation_path": "other"}), tmp_path).config.data
    assert isinstance(data, Files)
    assert (data.path, data.validation_path, data.test_path) == (str(tmp_path / "train"), str(tmp_path / "other"), "")


def test_describe_looks_again_once_another_file_changed(tmp_path: Path):
    put(tmp_path, train=TRAIN, other=OTHER)
    assert describe(files(), tmp_path).n_validation == 2
    put(tmp_path, other=OTHER + "9,red,no\n")
    assert describe(files(), tmp_path).n_validation == 3


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (HEADER + "5,green,maybe\n", "other: data.validation_path must hold no class that training lacks, got 'maybe'"),
        (HEADER + "5,red,no\n5,blue,no\n", "other:3: data.validation_path must hold no word that training lacks"),
        (HEADER + "5,red,no\nbig,red,no\n", "other:3: data.validation_path must hold a number, got 'big'"),
        (HEADER + "5,red,no\n,red,no\n", "other:3: data.validation_path must hold no missing values, got 1"),
        ("size,label\n1,no\n", "data.validation_path must have the columns of data.path, got none named 'colour'"),
        ("size,colour,label,more\n1,red,no,2\n", "got one more, 'more'. Remove it."),
        (HEADER, "got a header and no line under it"),
        ("", "must hold examples, got an empty file"),
        (b"\x80\x04", "perhaps a pickle"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_the_main_one_is_refused(tmp_path: Path, other: Any, said: str):
    put(tmp_path, train=TRAIN, other=other)
    assert said in refusal(files(), tmp_path)


def test_a_file_that_is_not_there_is_refused_by_its_own_name(tmp_path: Path):
    put(tmp_path, train=TRAIN)
    assert refusal(files(), tmp_path).startswith("other: data.validation_path must name a file")
    assert refusal(files(validation_path="", test_path="a\0b"), tmp_path).startswith("data.test_path must name a file")


def test_arrays_and_tables_do_not_mix(tmp_path: Path):
    np.savez(tmp_path / "arrays.npz", x=np.ones((4, 2)), y=np.arange(4))
    np.save(tmp_path / "x.npy", np.ones((4, 2)))
    put(tmp_path, train=TRAIN)
    assert "must hold a table, as data.path does" in refusal(files(validation_path="arrays.npz"), tmp_path)
    assert "must hold arrays, as data.path does" in refusal(files(path="arrays.npz", validation_path="train"), tmp_path)
    assert "must hold targets too, got a .npy file" in refusal(
        files(path="arrays.npz", validation_path="x.npy"), tmp_path
    )


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (np.ones((3, 3)), np.arange(3), "of the shape that training has, [2] with targets [], got [3] with []"),
        (np.ones((3, 2)), np.array(["a", "b", "c"]), "of the type that training has, got text and numbers"),
        (np.ones((3, 2)), np.array([0, 1, 7]), "got '7'"),
    ],
)
def test_arrays_that_are_not_like_the_main_ones_are_refused(tmp_path: Path, x: Any, y: Any, said: str):
    np.savez(tmp_path / "train", x=np.ones((8, 2)), y=np.arange(8) % 2)
    np.savez(tmp_path / "other", x=x, y=y)
    assert said in refusal(files(path="train.npz", validation_path="other.npz"), tmp_path)


# --- values that are filled in


def holed(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, 4))
    x[rng.random(x.shape) < 0.2] = np.nan
    return x


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_numbers_are_filled_in_as_scikit_learn_does_from_the_training_part(tmp_path: Path, kind: str):
    x, y = holed(0), np.arange(60) % 3
    frame = pl.DataFrame({**{f"c{n}": x[:, n] for n in range(4)}, "y": y})
    if kind == "csv":
        frame.with_columns(pl.all().fill_nan(None)).write_csv(tmp_path / "data")
    elif kind == "parquet":
        frame.write_parquet(tmp_path / "data")
    else:
        with (tmp_path / "data").open("wb") as file:
            np.savez(file, x=x, y=y)
    settings: dict[str, Any] = {"path": "data", "standardize": "none", "validation_split": 0.5}
    splits = load(Files(**settings, missing="impute"), tmp_path)
    train = np.array([_place(part, x) for part in splits.train.x])
    oracle = SimpleImputer(strategy="median").fit(x[train])
    np.testing.assert_allclose(splits.train.x, oracle.transform(x[train]), rtol=1e-6)
    validation = np.array([_place(part, x) for part in splits.validation.x])
    np.testing.assert_allclose(splits.validation.x, oracle.transform(x[validation]), rtol=1e-6)
    assert sorted([*train, *validation]) == list(range(60))
    count = int(np.isnan(x).sum())
    assert splits.warnings[0].startswith(
        f"{count} missing values are filled in by the median of the training part, in "
    )


def _place(filled: Any, x: Any) -> int:
    """Return which example this is, by the values that it did not miss."""
    known = ~np.isnan(x)
    (place,) = np.flatnonzero((np.isclose(x, filled, rtol=1e-6) | ~known).all(axis=1))
    return int(place)


def test_missing_words_are_a_word_of_their_own(tmp_path: Path):
    put(tmp_path, train=TRAIN + "5,,no\n6,NA,yes\n")
    splits = load(Files(path="train", missing="impute", **RAW), tmp_path)
    assert splits.feature_names == ("size", "colour=green", "colour=missing", "colour=red")
    assert splits.train.x[-2:].tolist() == [[5, 0, 1, 0], [6, 0, 1, 0]]
    assert splits.warnings == ("missing words are filled in by one of their own, 'missing', in colour",)


def test_another_file_is_filled_in_from_the_training_part(tmp_path: Path):
    put(tmp_path, train=TRAIN, other=HEADER + ",,no\n100,red,no\n")
    splits = load(files(missing="impute", standardize="none"), tmp_path)
    assert splits.validation.x.tolist() == [[2.5, 0, 1, 0], [100, 0, 0, 1]]
    assert splits.train.x[:, 2].tolist() == [0] * 12


def test_an_example_without_a_target_is_left_out_and_told(tmp_path: Path):
    put(tmp_path, train=TRAIN + ",red,\n7,red,nan\n", other=OTHER + "1,red,\n")
    splits = load(files(missing="impute"), tmp_path)
    assert (len(splits.train), len(splits.validation)) == (12, 2)
    assert splits.warnings == (
        "2 of 14 examples are left out: they miss the target",
        "data.validation_path: 1 of 3 examples are left out: they miss the target",
    )


def test_archives_without_some_targets_lose_those_examples(tmp_path: Path):
    x, y = holed(1), np.arange(60) / 7
    y[:5] = np.nan
    np.savez(tmp_path / "data.npz", x=x, y=y)
    splits = load(Files(path="data.npz", missing="impute"), tmp_path)
    assert len(splits.train) + len(splits.validation) == 55
    assert splits.warnings[0] == "5 of 60 examples are left out: they miss the target"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            ",red,no\n" * 4 + ",red,yes\n" * 4,
            "data.missing must have values to fill in from, got none in column 'size'",
        ),
        ("1,red,\n" * 4, "must hold examples without missing values, got none"),
        ("1,red,no\ninf,red,yes\n" * 4, "got 'inf' in column 'size'"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(tmp_path: Path, rows: str, said: str):
    put(tmp_path, train=HEADER + rows)
    assert said in refusal(Files(path="train", missing="impute"), tmp_path)


def test_infinity_in_an_archive_is_not_filled_in(tmp_path: Path):
    x = holed(2)
    x[3, 1] = np.inf
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(60) % 2)
    assert "got inf in row 4" in refusal(Files(path="data.npz", missing="impute"), tmp_path)
