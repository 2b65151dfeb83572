"""What is told of examples before they train: it is true of the training part, in its own units, and safe to show."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.data import Data, Diabetes, Digits, Files, Iris, Moons
from trainer.data.loading import describe, load, overview
from tui.data_words import data_lines, data_table, sample_table


def raw_of(section: Any) -> Any:
    splits = load(section)
    return splits.train.x * splits.x_scale + splits.x_offset


def lines_of(section: Data, base: Path | None = None) -> list[str]:
    return data_lines(describe(section, base), overview(section, base))


@pytest.mark.parametrize("section", [Iris(), Diabetes(), Moons(size=200)], ids=lambda it: it.source)
def test_the_ranges_are_those_of_the_training_part_before_it_is_scaled(section: Any):
    raw = raw_of(section)
    for column, told in enumerate(overview(section).columns):
        assert (told.name, told.kind, told.missing) == (load(section).feature_names[column], "number", 0)
        values = raw[:, column].astype(np.float64)
        expected = values.min(), values.mean(), values.max(), values.std()
        found = told.least, told.mean, told.greatest, told.deviation
        np.testing.assert_allclose(np.array(found, float), expected, rtol=1e-4, atol=1e-6)


def test_all_pixels_of_pictures_are_one_range():
    (pixel,) = overview(Digits()).columns
    assert (pixel.name, pixel.kind, pixel.least, pixel.greatest) == ("pixel", "pixel", 0, 1)
    assert pixel.mean == pytest.approx(raw_of(Digits()).mean(), rel=1e-4)
    assert pixel.deviation == pytest.approx(raw_of(Digits()).std(), rel=1e-4)


def test_outputs_are_told_in_their_own_units():
    splits = load(Diabetes())
    y = splits.train.y * splits.y_scale + splits.y_offset
    (told,) = overview(Diabetes()).outputs
    np.testing.assert_allclose((told.least, told.mean, told.greatest), (y.min(), y.mean(), y.max()), rtol=1e-5)


def test_the_classes_are_counted_in_the_training_part():
    assert dict(overview(Iris()).classes) == load(Iris()).train_labels
    assert overview(Diabetes()).classes == ()


def test_samples_are_training_examples_of_each_class_in_turn():
    raw = raw_of(Iris())
    samples = overview(Iris()).samples
    assert [sample.target for sample in samples] == ["setosa", "versicolor", "virginica"] * 4
    places = [np.flatnonzero(np.isclose(raw, sample.values, rtol=1e-4).all(axis=1)) for sample in samples]
    assert all(found.size for found in places)
    assert len({int(found[0]) for found in places}) == len(samples)


def test_samples_of_pictures_are_drawn_from_black_to_white():
    told = overview(Digits())
    raw = raw_of(Digits())
    first = raw[load(Digits()).train.y == 0][0]
    assert (told.image_shape, told.samples[0].target) == ((8, 8, 1), "0")
    assert told.samples[0].pixels == tuple((first * 255).round().astype(int))


MIXED = "".join(
    f"{['red', 'green', 'green', ''][n % 4]},{n if n % 5 else ''},7,const,{'uv'[n % 2]}\n" for n in range(200)
)


@pytest.mark.parametrize("categories", ["one_hot", "embedding"])
def test_columns_are_told_by_type_with_what_is_missing(tmp_path: Path, categories: Any):
    (tmp_path / "data.csv").write_text("colour,n,seven,word,label\n" + MIXED)
    section = Files(path="data.csv", missing="impute", categories=categories)
    colour, n, seven, word = overview(section, tmp_path).columns
    assert (colour.kind, colour.n_categories, colour.missing, colour.commonest) == ("category", 2, 50, "green")
    assert colour.commonest_share == pytest.approx(0.5, abs=0.1)
    assert (n.kind, n.missing) == ("number", 40)
    assert (seven.kind, word.kind, word.commonest) == ("constant", "constant", "const")
    values = {sample.values[0] for sample in overview(section, tmp_path).samples}
    assert values <= {"red", "green", "missing"}
    assert {sample.values[2:] for sample in overview(section, tmp_path).samples} == {(7.0, "const")}


def test_ranges_are_those_of_the_values_that_are_there(tmp_path: Path):
    (tmp_path / "data.csv").write_text("colour,n,seven,word,label\n" + MIXED)
    found = overview(Files(path="data.csv", missing="impute", validation_split=0.0), tmp_path)
    there = np.array([n for n in range(200) if n % 5])
    n = found.columns[1]
    assert (n.least, n.greatest) == (1, 199)
    assert (n.mean, n.deviation) == (pytest.approx(there.mean()), pytest.approx(there.std()))
    assert found.samples[0].values[1] == "missing", "the first row has none"


def test_after_describe_it_costs_no_second_reading(monkeypatch: pytest.MonkeyPatch):
    describe(Moons(seed=77))
    monkeypatch.setattr(Moons, "read", lambda *_: pytest.fail("it was read again"))
    assert overview(Moons(seed=77)).columns


def test_the_lines_say_shape_balance_and_ranges():
    lines = lines_of(Iris())
    assert lines[0] == "150 examples of 4 features (float64), 3 classes of 40 training examples."
    assert lines[2] == "train 120 x 4 · validation 30 x 4 · test none"
    assert lines[4].split() == ["class", "train", "share"]
    assert lines[5].split() == ["setosa", "40", "33.3%", "━" * 16]
    assert lines[9].split() == ["column", "type", "missing", "min", "mean", "max", "std"]
    assert lines[-3].split() == ["setosa", *map(str, overview(Iris()).samples[0].values)]
    assert lines_of(Digits())[0] == "1,797 pictures of 8 x 8 x 1 (float32), 10 classes of 139 to 146 training examples."
    assert lines_of(Diabetes())[4].split() == ["output", "type", "missing", "min", "mean", "max", "std"]


def test_of_many_columns_and_classes_the_first_are_printed(tmp_path: Path):
    names = ",".join(f"n{n}" for n in range(30))
    rows = "".join(",".join(str(n * row) for n in range(30)) + f",c{row % 25}\n" for row in range(100))
    (tmp_path / "data.csv").write_text(f"{names},y\n{rows}")
    lines = lines_of(Files(path="data.csv"), tmp_path)
    assert "and 10 more" in lines
    assert "and 5 more" in lines


def test_missing_values_and_hostile_names_are_told_safely(tmp_path: Path):
    rows = "".join(f"{n},{'' if n % 5 else n},{'uv'[n % 2]}\n" for n in range(20))
    (tmp_path / "data.csv").write_text("\x1b[2J,b" + "b" * 99 + ",label\n" + rows)
    lines = lines_of(Files(path="data.csv", missing="impute"), tmp_path)
    assert all(line.isprintable() and len(line) < 200 for line in lines)
    assert any(line.startswith(r"\x1b[2J") for line in lines)
    assert lines[-1].startswith("! 16 missing values are filled in by the median")


def test_for_programs_the_classes_are_a_table():
    told = data_table(describe(Iris()), overview(Iris()))
    assert told["classes"] == {"setosa": 40, "versicolor": 40, "virginica": 40}
    assert (told["task"], told["examples"]["validation"]) == ("classification", 30)
    assert [column["name"] for column in told["columns"]] == list(load(Iris()).feature_names)


def test_one_word_with_gaps_is_one_category(tmp_path: Path):
    (tmp_path / "data.csv").write_text("word,n,label\n" + "yes,1,u\n,2,v\n" * 20)
    lines = lines_of(Files(path="data.csv", missing="impute"), tmp_path)
    assert next(line for line in lines if line.startswith("word")).split()[1:4] == ["1", "category", "20"]


@pytest.mark.parametrize(
    ("value", "words"),
    [(39_062.5, "39062"), (-1_234_567.0, "-1234567"), (9_999_999.6, "1e+07"), (9999.6, "10000"), (12.345, "12.35"),
     (0.00123, "0.00123"), (2e-7, "2e-07")],
)  # fmt: skip
def test_ordinary_amounts_are_told_without_an_exponent(tmp_path: Path, value: float, words: str):
    rows = "".join(f"{value},{n},{n + 0.5}\n" for n in range(20))
    (tmp_path / "data.csv").write_text("a,b,y\n" + rows)
    section = Files(path="data.csv", target="y", standardize="none")
    lines = lines_of(section, tmp_path)
    assert next(line for line in lines if line.startswith("a ")).split()[3:6] == [words] * 3
    head, of_a, *_ = sample_table(overview(section, tmp_path))
    assert head.split()[0] == "y"
    assert of_a.split()[1] == words


def test_the_examples_say_what_is_predicted():
    heads = [sample_table(overview(section))[0].split()[0] for section in (Diabetes(), Iris())]
    assert heads == [load(Diabetes()).target_names[0].split()[0], "class"]
