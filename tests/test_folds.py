"""Folds: each example validates once, nothing of it reaches what trains, and a fold is the run it would be alone."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from trainer import batches, devices, numbers, picture_file, program, replicas, results, runs, step, training
from trainer.comparison import compare
from trainer.config import Config
from trainer.data.loading import describe, load
from trainer.data.split import deal
from trainer.data.splits import Splits
from trainer.lr_finder import find
from trainer.plan import compile_ahead, plan
from trainer.preparation import members, prepare
from trainer.problems import ConfigError
from trainer.run import Run
from trainer.shape import shape_of
from trainer.state import DATA_AXES, picked

devices.prepare_jax()

IRIS = {"data.source": "iris", "data.k_fold": 4, "model.hidden": [5], "training.batch_size": 16, "training.epochs": 4,
        "optimizer.learning_rate": 0.05, "model.dropout": 0.2, "loss.class_weight": "balanced",
        "training.diagnostics": False, "name": "iris"}  # fmt: skip


def trained(store: Path, config: Config) -> Run:
    lead, *_ = training.train_together(training.start_replicas(prepare(config), store))
    return runs.read(lead.directory)


@given(groups=st.lists(st.integers(0, 4), min_size=2, max_size=120), data=st.data(), seed=st.integers(0, 99))
@settings(max_examples=200, deadline=None)
def test_folds_are_even_in_all_and_in_each_class(groups: list[int], data: st.DataObject, seed: int) -> None:
    k = data.draw(st.integers(2, len(groups)))
    fold = deal(np.array(groups), k, seed)
    assert ((fold >= 0) & (fold < k)).all()
    for its in (fold, *(fold[np.array(groups) == group] for group in set(groups))):
        counts = np.bincount(its, minlength=k)
        assert counts.max() - counts.min() <= 1
    assert np.array_equal(fold, deal(np.array(groups), k, seed))


def write(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)


def table(n: int, gaps: bool = False) -> tuple[Any, Any]:
    """Features, the first of which says which example it is and the second lies far from 0, and a target."""
    rng = np.random.default_rng(n)
    x = np.column_stack([np.arange(n), 1e9 + rng.standard_normal(n), rng.standard_normal((n, 2)) * [1, 1e-3]])
    y = x[:, 2] * 3 + rng.standard_normal(n) + 40
    if gaps:
        x[rng.random(x.shape) < 0.1] = np.nan
        x[:, 0] = np.arange(n)
    return x, y


def own(path: Path, **more: Any) -> Any:
    changes = {"data.source": "path", "data.path": str(path), "data.k_fold": 3}
    return Config().changed(changes | {f"data.{key}": value for key, value in more.items()}).data


def places(part: Any, splits: Splits) -> list[int]:
    """Which examples these are, by their first feature."""
    return np.rint(part.x[:, 0] * float(splits.x_scale[0]) + float(splits.x_offset[0])).astype(int).tolist()


@pytest.mark.parametrize("n", [30, 31, 41])
def test_each_example_validates_once_and_trains_in_the_other_folds(tmp_path: Path, n: int) -> None:
    x, y = table(n)
    write(tmp_path / "a.npz", x=x, y=y)
    first = load(own(tmp_path / "a.npz", test_split=0.2))
    assert [it.fold.number for it in first.folds if it.fold] == [1, 2, 3]
    test = set(places(first.test, first))
    pool = sorted(set(range(n)) - test)
    assert len(test) == round(0.2 * n)
    assert sorted(place for its in first.folds for place in places(its.validation, its)) == pool
    for its in first.folds:
        assert sorted(places(its.train, its) + places(its.validation, its)) == pool
        assert set(places(its.test, its)) == test
        assert its.summary == first.summary == describe(own(tmp_path / "a.npz", test_split=0.2))
    sizes = [len(its.validation) for its in first.folds]
    assert max(sizes) - min(sizes) <= 1
    assert (first.summary.n_train, first.summary.n_validation) == (len(pool) - max(sizes), max(sizes))


def test_folds_whose_own_scaling_changes_nothing_train_beside_others(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", x=np.linspace(0, 1, 40)[:, None], y=np.arange(40) % 2)
    data = {f"data.{key}": value for key, value in own(tmp_path / "a.npz", standardize="minmax").model_dump().items()}
    runs = members(prepare(Config().changed({**data, "training.batch_size": 8})))
    shape = shape_of(runs)
    for member, run in enumerate(runs):
        its = picked(program.examples(run.splits, program.own(shape, runs)), DATA_AXES, member)
        x, _ = batches.examples_at(shape, jax.tree.map(jnp.asarray, its), jnp.asarray(run.splits.fold.train))
        assert (float(x.min()), float(x.max())) == pytest.approx((0, 1), abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "scaler"), [("standard", StandardScaler()), ("minmax", MinMaxScaler()), ("none", None)]
)
@pytest.mark.parametrize("gaps", [False, True])
def test_each_fold_is_filled_in_and_scaled_by_what_trains_in_it_alone(
    tmp_path: Path, kind: str, scaler: Any, gaps: bool
) -> None:
    x, y = table(50, gaps)
    write(tmp_path / "a.npz", x=x, y=y)
    rows = np.arange(50)
    for its in load(own(tmp_path / "a.npz", standardize=kind, missing="impute", test_split=0.1)).folds:
        train, validation, test = (rows[places(part, its)] for part in (its.train, its.validation, its.test))
        imputer = SimpleImputer(strategy="median").fit(x[train])
        filled = imputer.transform(x)
        expected = filled if scaler is None else scaler.fit(filled[train]).transform(filled)
        for part, which in ((its.train, train), (its.validation, validation), (its.test, test)):
            np.testing.assert_allclose(part.x, expected[which], rtol=1e-5, atol=2e-6)
            scaled = (y[which] - y[train].mean()) / y[train].std()
            np.testing.assert_allclose(np.asarray(part.y)[:, 0], scaled, rtol=1e-5, atol=2e-6)


def test_what_validates_has_no_part_in_what_trains(tmp_path: Path) -> None:
    x, y = table(40, gaps=True)
    write(tmp_path / "a.npz", x=x, y=y)
    its = load(own(tmp_path / "a.npz", fold=2, missing="impute"))
    other, validates = x.copy(), places(its.validation, its)
    other[validates, 1:] = other[validates, 1:] * 7 - 1000
    write(tmp_path / "b.npz", x=other, y=np.where(np.isin(np.arange(40), validates), y + 50, y))
    again = load(own(tmp_path / "b.npz", fold=2, missing="impute"))
    np.testing.assert_allclose(again.train.x, its.train.x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(again.train.y, its.train.y, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(again.x_offset, its.x_offset, rtol=1e-6)


def test_a_fold_is_a_plain_run_on_files_of_its_parts(tmp_path: Path) -> None:
    x, y = table(60, gaps=True)
    write(tmp_path / "all.npz", x=x, y=y)
    settings = {"data.source": "path", "data.missing": "impute", "model.hidden": [4], "training.batch_size": 11,
                "training.epochs": 3, "training.diagnostics": False}  # fmt: skip
    asked = {"data.path": str(tmp_path / "all.npz"), "data.k_fold": 3, "data.test_split": 0.1}
    prepared = prepare(Config().changed(settings | asked))
    group = trained(tmp_path / "folds", prepared.config)
    for its, run in zip(prepared.splits.folds, replicas.members(group), strict=True):
        for name, part in (("train", its.train), ("validation", its.validation), ("test", its.test)):
            which = places(part, its)
            write(tmp_path / f"{name}.npz", x=x[which], y=y[which])
        parts = {"data.path": "train.npz", "data.validation_path": "validation.npz", "data.test_path": "test.npz"}
        plain = prepare(Config().changed(settings | parts), tmp_path)
        alone = training.train(plain, training.start(plain, tmp_path / "plain"))
        assert alone.status.state == run.status.state == "finished"
        for name, series in alone.epochs.items():
            np.testing.assert_allclose(run.epochs[name].y, series.y, rtol=2e-3, atol=2e-4, err_msg=name)
        for name, value in alone.status.test.items():
            assert run.status.test[name] == pytest.approx(value, rel=1e-2, abs=1e-3), name


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The four folds of the iris, trained together."""
    return trained(tmp_path_factory.mktemp("group"), Config().changed(IRIS))


def test_a_fold_of_a_group_is_that_fold_alone(tmp_path: Path, group: Run) -> None:
    assert [run.config.data.fold for run in replicas.members(group) if run.config] == [0, 2, 3, 4]
    assert len({run.status.steps for run in replicas.members(group)}) == 1
    assert len({run.status.metrics["val_loss"] for run in replicas.members(group)}) == 4
    third = group.replicas[1]
    assert third.config is not None
    alone = trained(tmp_path, third.config)
    assert alone.replicas == []
    for name, series in alone.epochs.items():
        np.testing.assert_allclose(third.epochs[name].y, series.y, rtol=2e-3, atol=2e-4, err_msg=name)


@lru_cache
def epoch_of(batch_size: int, fold: int) -> tuple[Any, Any, Any]:
    """The rows that train, those of an epoch's batches with their weights, and the splits."""
    prepared = prepare(Config().changed(IRIS | {"training.batch_size": batch_size, "data.fold": fold}))
    shape = shape_of([prepared])
    data = picked(program.place(prepared.splits, own=program.own(shape, [prepared])), DATA_AXES, 0)
    data = data._replace(y=jnp.arange(len(data.y)))  # which example it is, in the place of its class
    state = step.make_init(shape)(jnp.uint32(0), jnp.array(numbers.pack(prepared.config)))
    state = step.at_epoch_begin(shape, data, state)

    def rows(start: Any) -> Any:
        its = data.own.fold.train[jax.lax.dynamic_slice_in_dim(state.order, start, batch_size)]
        return its, batches.batch_at(shape, data, state, start).weights

    found = [rows(jnp.int32(start)) for start in range(0, shape.steps_per_epoch * batch_size, batch_size)]
    assert prepared.splits.fold is not None
    return prepared.splits.fold, np.concatenate([its for its, _ in found]), np.concatenate([w for _, w in found])


@pytest.mark.parametrize(("batch_size", "fold", "left_out"), [(16, 1, 0), (16, 4, 1), (10, 1, 0), (10, 4, 0)])
def test_an_epoch_has_what_trains_once_and_nothing_else(batch_size: int, fold: int, left_out: int) -> None:
    its, rows, weights = epoch_of(batch_size, fold)
    trains = its.train.tolist()
    assert len(trains) == {1: 112, 4: 113}[fold]
    counted = rows[weights > 0].tolist()
    assert len(set(counted)) == len(counted) == len(trains) - left_out
    assert set(rows.tolist()) <= set(trains)


def test_what_is_shown_of_a_member_is_of_its_own_fold(group: Run) -> None:
    prepared = prepare(Config().changed(IRIS))
    for its, run in zip(prepared.splits.folds, replicas.members(group), strict=True):
        pictures = picture_file.read(run.directory)
        assert pictures is not None
        assert pictures.of == pictures.examples == len(its.validation)
        assert np.sum(pictures.confusion, axis=1).tolist() == np.bincount(its.validation.y, minlength=3).tolist()
        assert pictures.right / pictures.of == pytest.approx(run.status.metrics["val_accuracy"], abs=0.2)
        raw = its.validation.x * its.x_scale + its.x_offset
        for example in pictures.worst:
            assert its.target_names[example.true] == its.target_names[its.validation.y[example.index]]
            for feature in example.features:
                place = its.feature_names.index(feature.name)
                assert feature.value == pytest.approx(raw[example.index, place], rel=1e-4, abs=1e-4)


def test_a_group_of_folds_is_told_as_one_with_mean_and_deviation(group: Run) -> None:
    assert [run.name for run in replicas.members(group)] == ["iris ×4", "iris #2", "iris #3", "iris #4"]
    told = json.loads(json.dumps(results.group_result(group)))
    assert told["k_fold"] == 4
    values = [run.status.metrics["val_loss"] for run in replicas.members(group)]
    assert told["spread"]["val_loss"] == pytest.approx({"mean": np.mean(values), "std": np.std(values, ddof=1), "n": 4})
    row = next(row for row in compare([group, group.replicas[0]]).outcomes if row.name == "val_loss")
    assert row.stds[0] == pytest.approx(np.std(values, ddof=1))
    assert replicas.band(group, "val_loss", "epochs") is not None


def test_folds_are_planned_compiled_ahead_and_looked_into_for_a_rate() -> None:
    prepared = prepare(Config().changed(IRIS))
    assert [one.splits.fold.number for one in members(prepared) if one.splits.fold] == [1, 2, 3, 4]
    compile_ahead(prepared)
    assert plan(prepared.config, prepared.splits.summary).is_compiled
    assert np.isfinite(find(prepared, count=4, updates=8).losses).any()


def test_two_features_have_a_plane_in_each_fold(tmp_path: Path) -> None:
    settings = {"data.source": "moons", "data.size": 41, "data.k_fold": 2, "model.hidden": [3], "training.epochs": 1,
                "training.batch_size": 8}  # fmt: skip
    group = trained(tmp_path, Config().changed(settings))
    found = [picture_file.read(run.directory) for run in replicas.members(group)]
    assert sorted(it.of for it in found if it) == [20, 21]
    assert all(it and it.boundary for it in found)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.k_fold": 1}, "data.k_fold must be 0 or at least 2, got 1. Use 0 for a single split."),
        ({"data.fold": 5}, "data.fold must be at most k_fold = 4, got 5."),
        ({"data.k_fold": 0, "data.fold": 1}, "data.fold must be at most k_fold = 0, got 1."),
        ({"data.k_fold": 151}, "data.k_fold must be at most the 150 examples, got 151. Use fewer."),
        ({"training.replicas": 2}, "training.replicas must be 1 with data.k_fold, whose folds are the runs, got 2."),
        ({"training.batch_size": 113}, "training.batch_size must be at most the 112 training examples, got 113."),
    ],
)
def test_folds_that_make_no_sense_are_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(Config().changed(IRIS | changes))
    assert str(caught.value) == message


def test_a_validation_part_of_its_own_leaves_no_folds_to_draw(tmp_path: Path) -> None:
    x, y = table(20)
    for name in ("a", "b"):
        write(tmp_path / f"{name}.npz", x=x, y=y)
    with pytest.raises(ConfigError) as caught:
        load(own(tmp_path / "a.npz", validation_path=str(tmp_path / "b.npz")))
    assert (
        str(caught.value) == "data.k_fold must be 0 where the validation part is given, got 3. Leave one of them out."
    )
