import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from trainer.data import (
    BreastCancer,
    Circles,
    Data,
    DataSection,
    Diabetes,
    Digits,
    Iris,
    Moons,
    Spirals,
    Wine,
    Xor,
)  # fmt: skip
from trainer.data.loading import describe, load
from trainer.data.scaling import fit
from trainer.data.split import split

SOURCES: list[type[DataSection]] = [Digits, Iris, Wine, BreastCancer, Diabetes, Moons, Circles, Spirals, Xor]
CLASSIFIED = [source for source in SOURCES if source is not Diabetes]


def raw(section: DataSection) -> np.ndarray[Any, Any]:
    return section.read(None).x.astype(np.float64)


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_finite_float32_features_and_its_sizes_add_up(source: type[DataSection]) -> None:
    splits = load(source())
    parts = (splits.train, splits.validation, splits.test)
    assert all(part.x.dtype == np.float32 and np.isfinite(part.x).all() for part in parts)
    assert all(part.x.shape == (len(part.y), splits.n_features) for part in parts)
    assert sum(map(len, parts)) == len(raw(source()))
    assert len(splits.x_offset) == len(splits.x_scale) == splits.n_features


@pytest.mark.parametrize("source", CLASSIFIED)
def test_class_indices_are_int32_and_stay_below_the_number_of_classes(source: type[DataSection]) -> None:
    splits = load(source())
    assert splits.task == "classification"
    assert splits.train.y.dtype == np.int32
    assert sorted(set(splits.train.y.tolist())) == list(range(splits.n_outputs))


@pytest.mark.parametrize("source", SOURCES)
def test_loading_twice_gives_the_same_bits(source: type[DataSection]) -> None:
    first, second = load(source(seed=3, test_split=0.1)), load(source(seed=3, test_split=0.1))
    assert first.fingerprint == second.fingerprint
    assert first.train.x.tobytes() == second.train.x.tobytes()
    assert first.test.y.tobytes() == second.test.y.tobytes()


@pytest.mark.parametrize("source", SOURCES)
def test_describe_tells_what_load_gives(source: type[DataSection]) -> None:
    section = source(test_split=0.1)
    splits, summary = load(section), describe(section)
    assert (summary.n_train, summary.n_validation, summary.n_test) == tuple(
        map(len, (splits.train, splits.validation, splits.test))
    )
    assert (summary.n_features, summary.n_outputs) == (splits.n_features, splits.n_outputs)
    assert (summary.task, summary.image_shape) == (splits.task, splits.image_shape)


@pytest.mark.parametrize(
    ("section", "oracle", "divisor"),
    [
        (Digits(), sklearn.datasets.load_digits(), 16),
        (Iris(), sklearn.datasets.load_iris(), 1),
        (Wine(), sklearn.datasets.load_wine(), 1),
        (BreastCancer(), sklearn.datasets.load_breast_cancer(), 1),
        (Diabetes(), sklearn.datasets.load_diabetes(scaled=False), 1),
    ],
    ids=lambda value: getattr(value, "source", ""),
)
def test_embedded_sets_are_those_of_scikit_learn(section: DataSection, oracle: Any, divisor: int) -> None:
    table = section.read(None)
    np.testing.assert_array_equal(table.x * divisor, oracle.data)
    np.testing.assert_array_equal(table.y.reshape(-1), oracle.target)
    assert list(table.feature_names) == list(oracle.feature_names)
    if table.task == "classification":
        assert list(table.target_names) == [str(name) for name in oracle.target_names]


def test_digits_are_pictures_from_0_to_1_when_not_standardized() -> None:
    splits = load(Digits(standardize="none"))
    assert splits.image_shape == (8, 8, 1)
    assert splits.train.x.min() == 0
    assert splits.train.x.max() == 1
    assert splits.warnings == ()


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer", "diabetes"])
def test_every_embedded_file_is_named_in_the_readme(name: str) -> None:
    folder = Path(__file__).parent.parent / "trainer" / "datasets"
    assert f"`{name}.npz`" in (folder / "README.md").read_text(encoding="utf-8")
    assert (folder / f"{name}.npz").is_file()


# --- the union


@pytest.mark.parametrize(
    "source", ["digits", "iris", "wine", "breast_cancer", "diabetes", "moons", "circles", "spirals", "xor"]
)
def test_the_source_picks_the_section(source: str) -> None:
    section: Any = TypeAdapter(Data).validate_python({"source": source})
    assert section.source == source


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "imagenet"},
        {"source": "images"},
        {"source": "path"},
        {"source": "digits", "validation_split": 0.9},
        {"source": "digits", "validation_split": -0.1},
        {"source": "digits", "validation_split": 0.5, "test_split": 0.5},
        {"source": "digits", "standardize": "zscore"},
        {"source": "digits", "noise": 0.1},
        {"source": "digits", "seed": -1},
        {"source": "digits", "seed": True},
        {"source": "moons", "size": 1},
        {"source": "moons", "noise": -0.1},
        {"source": "spirals", "classes": 1},
        {"source": "circles", "factor": 1.0},
    ],
)
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Data).validate_python(wrong)


def test_data_is_read_without_jax_and_polars() -> None:
    code = (
        "import sys; from trainer.data import Digits; from trainer.data.loading import load; load(Digits());"
        "print({'jax', 'polars'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- scaling


@pytest.mark.parametrize("standardize", ["none", "standard", "minmax", "minmax_all"])
def test_raw_values_come_back_from_offset_and_scale(standardize: Any) -> None:
    splits = load(Wine(standardize=standardize, validation_split=0.0))
    np.testing.assert_allclose(splits.train.x * splits.x_scale + splits.x_offset, raw(Wine()), rtol=1e-5)


def test_standard_gives_the_training_part_zero_mean_and_unit_variance() -> None:
    train = load(BreastCancer()).train.x
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(axis=0), 1, rtol=1e-5)


def test_minmax_gives_the_training_part_the_range_0_to_1() -> None:
    train = load(Wine(standardize="minmax")).train.x
    assert train.min() == 0
    assert train.max() == 1


def test_minmax_all_has_one_scale_for_all_features() -> None:
    splits = load(Wine(standardize="minmax_all", validation_split=0.0))
    whole = raw(Wine())
    np.testing.assert_allclose(splits.train.x, (whole - whole.min()) / (whole.max() - whole.min()), rtol=1e-5)


def test_minmax_all_scales_a_feature_that_training_never_changes_like_all_others() -> None:
    scaling = fit(np.array([[0.0, 0.0], [0.0, 255.0]]), "minmax_all")
    assert scaling.apply(np.array([[51.0, 51.0]])).tolist() == [[np.float32(0.2), np.float32(0.2)]]
    assert scaling.constant.tolist() == [True, False]


def test_scaling_is_fitted_on_the_training_part_alone() -> None:
    splits = load(Wine(validation_split=0.5))
    whole = (raw(Wine()).mean(axis=0)).astype(np.float32)
    assert not np.allclose(splits.x_offset, whole, rtol=1e-4)
    assert abs(splits.validation.x.mean(axis=0)).max() > 1e-3


def test_the_target_of_a_regression_is_standardized_and_can_be_told_in_its_own_units() -> None:
    splits, plain = load(Diabetes()), load(Diabetes(standardize_target=False))
    assert splits.train.y.shape == (354, 1)
    np.testing.assert_allclose(splits.train.y.std(), 1, rtol=1e-5)
    np.testing.assert_allclose(splits.train.y * splits.y_scale + splits.y_offset, plain.train.y, rtol=1e-4)
    assert plain.y_scale.tolist() == [1]


def test_classes_have_the_identity_as_scaling() -> None:
    splits = load(Iris())
    assert (splits.y_offset.tolist(), splits.y_scale.tolist()) == ([0], [1])


@pytest.mark.parametrize("kind", ["standard", "minmax", "minmax_all"])
@pytest.mark.parametrize("magnitude", [0.0, 1e-30, 1.0, 0.1, 1e30])
def test_a_constant_column_has_scale_1(kind: Any, magnitude: float) -> None:
    scaling = fit(np.full((7, 1), magnitude), kind)
    assert scaling.constant.tolist() == [True]
    assert scaling.scale.tolist() == [1]
    np.testing.assert_allclose(scaling.apply(np.full((7, 1), magnitude)), 0, atol=1e-6)


@pytest.mark.parametrize("kind", ["standard", "minmax", "minmax_all"])
@pytest.mark.parametrize("magnitude", [1e-30, 1e-3, 1.0, 1e30, 1e38])
def test_columns_of_any_magnitude_stay_finite(kind: Any, magnitude: float) -> None:
    values = magnitude * np.array([[-1.0], [0.0], [1.0]])
    scaled = fit(values, kind).apply(values)
    assert np.isfinite(scaled).all()
    assert np.ptp(scaled) >= 1


def test_a_time_stamp_keeps_its_digits() -> None:
    values = 1.7e9 + np.arange(10.0)[:, np.newaxis]
    scaled = fit(values, "standard").apply(values)
    np.testing.assert_allclose(np.diff(scaled[:, 0]), 1 / np.arange(10).std(), rtol=1e-4)


# --- split

SHARES = st.floats(0, 0.47)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=80), SHARES, SHARES, st.integers(0, 2**32))
def test_split_uses_every_example_once_and_trains_on_every_class(
    values: list[int], validation: float, test: float, seed: int
) -> None:
    labels = np.unique(values, return_inverse=True)[1]
    parts = split(labels, validation, test, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    assert set(labels[parts[0]]) == set(labels)
    assert len(parts[1]) <= round(len(labels) * validation)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=40, max_size=200), st.floats(0.05, 0.5))
def test_split_takes_from_every_class_its_share_within_one(values: list[int], validation: float) -> None:
    labels = np.unique(values, return_inverse=True)[1]
    taken = np.bincount(labels[split(labels, validation, 0.0, 0)[1]], minlength=labels.max() + 1)
    assert (abs(taken - np.bincount(labels) * validation) <= 1 + 1e-9).all()


def test_split_without_classes_has_exact_sizes() -> None:
    parts = split(np.zeros(103, np.int32), 0.2, 0.1, 0)
    assert tuple(map(len, parts)) == (72, 21, 10)


def test_another_seed_gives_another_split() -> None:
    labels = np.zeros(100, np.int32)
    assert split(labels, 0.2, 0.0, 0)[1].tolist() != split(labels, 0.2, 0.0, 1)[1].tolist()


def test_the_split_of_a_seed_never_changes() -> None:
    assert split(np.arange(20, dtype=np.int32) % 2, 0.2, 0.1, 0)[1].tolist() == [3, 8, 11, 14]


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"validation_split": 0.3}, {"test_split": 0.1}, {"standardize": "none"}],
)
def test_the_fingerprint_changes_with_the_settings(change: dict[str, Any]) -> None:
    assert load(Iris(**change)).fingerprint != load(Iris()).fingerprint


def test_the_fingerprint_of_a_set_never_changes() -> None:
    assert load(Iris()).fingerprint[:16] == "9f5588cfd22f5dcc"


def test_noise_changes_the_fingerprint_of_generated_points() -> None:
    assert load(Moons(noise=0.2)).fingerprint != load(Moons()).fingerprint


# --- generated points


def test_moons_without_noise_lie_on_their_half_circles() -> None:
    table = Moons(noise=0.0, size=101).read(None)
    first, second = table.x[table.y == 0], table.x[table.y == 1]
    np.testing.assert_allclose(np.hypot(*first.T), 1, rtol=1e-6)
    np.testing.assert_allclose(np.hypot(1 - second[:, 0], 0.5 - second[:, 1]), 1, rtol=1e-6)
    assert first[:, 1].min() > -1e-6
    assert second[:, 1].max() < 0.5 + 1e-6


def test_moons_without_noise_are_those_of_scikit_learn() -> None:
    table = Moons(noise=0.0, size=100).read(None)
    points, labels = sklearn.datasets.make_moons(100, shuffle=False)
    for label in (0, 1):
        np.testing.assert_allclose(table.x[table.y == label], points[labels == label], atol=1e-6)


def test_circles_without_noise_are_those_of_scikit_learn() -> None:
    table = Circles(noise=0.0, size=100, factor=0.3).read(None)
    points, labels = sklearn.datasets.make_circles(100, shuffle=False, factor=0.3)
    for label in (0, 1):
        np.testing.assert_allclose(table.x[table.y == label], points[labels == label], atol=1e-6)


def test_spirals_turn_as_often_as_asked_and_their_arms_are_rotations_of_one_another() -> None:
    table = Spirals(noise=0.0, size=3000, classes=3, turns=2.0).read(None)
    arm = [table.x[table.y == label, 0] + 1j * table.x[table.y == label, 1] for label in range(3)]
    np.testing.assert_allclose(arm[1], arm[0] * np.exp(2j * np.pi / 3), atol=1e-6)
    turned = np.unwrap(np.angle(arm[0]))
    assert (turned[-1] - turned[0]) / (2 * np.pi) == pytest.approx(2.0, abs=0.01)


def test_xor_without_noise_is_the_sign_of_the_product() -> None:
    table = Xor(noise=0.0).read(None)
    np.testing.assert_array_equal(table.y, table.x[:, 0] * table.x[:, 1] < 0)
    assert abs(table.x).max() <= 1


@pytest.mark.parametrize("source", [Moons, Circles, Spirals, Xor])
def test_noise_has_the_standard_deviation_asked_for(source: type[DataSection]) -> None:
    quiet, noisy = (source(size=20_000, noise=noise).read(None).x for noise in (0.0, 0.3))
    assert np.std(noisy - quiet) == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("source", [Moons, Circles, Spirals, Xor])
def test_size_is_the_number_of_points(source: type[DataSection]) -> None:
    assert source(size=97).read(None).x.shape == (97, 2)
