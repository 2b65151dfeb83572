"""What is told of examples before they train: it is true of the training part, in its own units, and safe to show."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.data import Data, Diabetes, Digits, Files, Iris, Moons
from trainer.data.loading import describe, load, overview
from tui.data_words import data_lines, data_table


def raw_of(section: Any) -> Any:
    splits = load(section)
    return splits.train.x * splits.x_scale + splits.x_offset


def lines_of(section: Data, base: Path | None = None) -> list[str]:
    return data_lines(describe(section, base), overview(section, base))


@pytest.mark.parametrize("section", [Iris(), Diabetes(), Moons(size=200)], ids=lambda it: it.source)
def test_the_ranges_are_those_of_the_training_part_before_it_is_scaled(section: Any):
    raw = raw_of(section)
    for column, told in enumerate(overview(section).features):
        assert told.name == load(section).feature_names[column]
        expected = raw[:, column].min(), raw[:, column].mean(), raw[:, column].max()
        np.testing.assert_allclose((told.least, told.mean, told.greatest), expected, rtol=1e-4, atol=1e-6)


def test_all_pixels_of_pictures_are_one_range():
    (pixel,) = overview(Digits()).features
    assert (pixel.name, pixel.least, pixel.greatest) == ("pixel", 0, 1)
    assert pixel.mean == pytest.approx(raw_of(Digits()).mean(), rel=1e-4)


def test_outputs_are_told_in_their_own_units():
    splits = load(Diabetes())
    y = splits.train.y * splits.y_scale + splits.y_offset
    (told,) = overview(Diabetes()).outputs
    np.testing.assert_allclose((told.least, told.mean, told.greatest), (y.min(), y.mean(), y.max()), rtol=1e-5)


def test_the_classes_are_counted_in_the_training_part():
    assert dict(overview(Iris()).classes) == load(Iris()).train_labels
    assert overview(Diabetes()).classes == ()


def test_a_sample_of_each_of_the_first_classes_is_a_training_example():
    raw = raw_of(Iris())
    samples = overview(Iris()).samples
    assert [sample.target for sample in samples] == ["setosa", "versicolor", "virginica"]
    for sample in samples:
        assert np.isclose(raw, sample.values, rtol=1e-4).all(axis=1).any()


def test_after_describe_it_costs_no_second_reading(monkeypatch: pytest.MonkeyPatch):
    describe(Moons(seed=77))
    monkeypatch.setattr(Moons, "read", lambda *_: pytest.fail("it was read again"))
    assert overview(Moons(seed=77)).features


def test_the_lines_say_shape_balance_and_ranges():
    lines = lines_of(Iris())
    assert lines[0] == "150 examples of 4 features (float64), 3 classes of 40 training examples."
    assert lines[2].split() == ["class", "train", "share"]
    assert lines[3].split() == ["setosa", "40", "33.3%"]
    assert lines[7].split() == ["feature", "least", "mean", "greatest"]
    assert lines[-3].split() == ["setosa", *map(str, overview(Iris()).samples[0].values)]
    assert lines_of(Digits())[0] == "1,797 pictures of 8 x 8 x 1 (float32), 10 classes of 139 to 146 training examples."
    assert "and 2 more" in lines_of(Diabetes())


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
    assert [feature["name"] for feature in told["features"]] == list(load(Iris()).feature_names)
