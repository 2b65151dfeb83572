"""What a look at the model says, against the run's own checkpoint, NumPy and scikit-learn."""

import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from trainer import checkpoints, looking, picture_file, program, training
from trainer.config import Config
from trainer.data.splits import Splits
from trainer.picture_file import LIMIT, Pictures
from trainer.pictures import Seen, pictures_of
from trainer.preparation import prepare
from trainer.run import Run
from trainer.subject import subject_of

Floats = np.ndarray[Any, np.dtype[np.float64]]

SMALL = {"model.hidden": [7], "training.batch_size": 32, "training.epochs": 20, "optimizer.learning_rate": 0.02}
RESTORED = {"callbacks.early_stopping.enabled": True, "callbacks.early_stopping.patience": 3}
IRIS = {"data.source": "iris", **SMALL}


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have every call followed by a look; the steps of those that were written."""
    monkeypatch.setattr(looking, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(looking, "_COST_TO_TRAINING", 0)
    written, write = [], picture_file.write

    def note(directory: Path, pictures: Pictures) -> None:
        written.append(pictures.step)
        write(directory, pictures)

    monkeypatch.setattr(picture_file, "write", note)
    return written


def splits_of(run: Run) -> Splits:
    assert run.config is not None
    return prepare(run.config).splits


def kept_weights(run: Run, kind: str = "best") -> list[tuple[Floats, Floats]]:
    good = [manifest for manifest in checkpoints.available(run.directory / "checkpoints").good if manifest.kind == kind]
    arrays, _ = checkpoints.load(run.directory / "checkpoints" / f"{good[0].id}.safetensors")
    n_layers = sum(name.startswith("parameters") and name.endswith("weight") for name in arrays)
    return [
        (arrays[f"parameters.{i}.weight"].astype(np.float64), arrays[f"parameters.{i}.bias"].astype(np.float64))
        for i in range(n_layers)
    ]


def outputs_of(weights: list[tuple[Floats, Floats]], x: Any) -> Floats:
    """A network of relus, by hand."""
    for weight, bias in weights[:-1]:
        x = np.maximum(x @ weight.T + bias, 0)
    return x @ weights[-1][0].T + weights[-1][1]


def probabilities(outputs: Floats) -> Floats:
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_the_confusion_is_scikit_learns_on_the_weights_that_the_run_keeps(trained: Callable[..., Run]):
    run = trained({**IRIS, **RESTORED, "optimizer.learning_rate": 0.3, "callbacks.early_stopping.monitor": "val_loss"})
    assert run.status.best is not None
    pictures, part = picture_file.read(run.directory), splits_of(run).validation
    predicted = outputs_of(kept_weights(run), part.x).argmax(axis=1)
    assert pictures.epoch == run.status.best.epoch < run.status.epochs - 1
    assert pictures.confusion == confusion_matrix(part.y, predicted, labels=range(3)).tolist()
    assert pictures.right == int((predicted == part.y).sum())
    assert (pictures.split, pictures.examples, pictures.of) == ("validation", len(part), len(part))
    assert pictures.target_names == ["setosa", "versicolor", "virginica"]
    off_diagonal = {(pair.true, pair.predicted): pair.count for pair in pictures.confused}
    matrix = pictures.confusion
    assert off_diagonal == {(i, j): matrix[i][j] for i in range(3) for j in range(3) if i != j and matrix[i][j]}


def test_the_worst_examples_are_those_of_the_greatest_loss(trained: Callable[..., Run]):
    run = trained({**IRIS, "training.epochs": 3})
    pictures, splits = picture_file.read(run.directory), splits_of(run)
    part = splits.validation
    shares = probabilities(outputs_of(kept_weights(run, "last"), part.x))
    losses = -np.log(shares[np.arange(len(part)), part.y])
    worst = np.argsort(-losses)[:12]
    assert [example.index for example in pictures.worst] == worst.tolist()
    for example, index in zip(pictures.worst, worst, strict=True):
        assert example.loss == pytest.approx(losses[index], rel=1e-4)
        assert (example.true, example.predicted) == (part.y[index], shares[index].argmax())
        assert example.true_share == pytest.approx(shares[index][part.y[index]], rel=1e-4)
        assert example.predicted_share == pytest.approx(shares[index].max(), rel=1e-4)
        deviations = [abs(feature.deviation) for feature in example.features]
        assert deviations == sorted(deviations, reverse=True)
        column = splits.feature_names.index(example.features[0].name)
        raw = part.x[index, column] * splits.x_scale[column] + splits.x_offset[column]
        assert example.features[0].value == pytest.approx(raw, rel=1e-5)


def test_predicted_and_true_values_are_in_the_targets_own_units(trained: Callable[..., Run]):
    run = trained({"data.source": "diabetes", **SMALL, "training.epochs": 2})
    pictures, splits = picture_file.read(run.directory), splits_of(run)
    part = splits.validation
    predicted = outputs_of(kept_weights(run, "last"), part.x)[:, 0] * splits.y_scale[0] + splits.y_offset[0]
    true = part.y[:, 0] * splits.y_scale[0] + splits.y_offset[0]
    assert 25 <= true.min() < true.max() <= 346  # the data set's own range
    (scatter,) = pictures.scatter
    np.testing.assert_allclose(scatter.true, true, rtol=1e-5)
    np.testing.assert_allclose(scatter.predicted, predicted, rtol=1e-3)
    worst = pictures.worst[0]
    assert worst.index == int(abs(predicted - true).argmax())
    assert worst.true == pytest.approx([true[worst.index]], rel=1e-5)
    assert not pictures.confusion
    assert pictures.boundary is None


@pytest.mark.parametrize("source", ["moons", "spirals"])
def test_the_boundary_is_what_the_network_says_on_the_grid(trained: Callable[..., Run], source: str):
    run = trained({"data.source": source, **SMALL, "training.epochs": 5})
    boundary, splits = picture_file.read(run.directory).boundary, splits_of(run)
    assert boundary is not None
    grid = [[x, y] for y in np.linspace(*boundary.y, boundary.rows) for x in np.linspace(*boundary.x, boundary.columns)]
    points = (np.array(grid) - splits.x_offset) / splits.x_scale
    shares = probabilities(outputs_of(kept_weights(run, "last"), points))
    classes, near = shares.argmax(axis=1), abs(shares[:, 0] - 0.5) < 1e-3
    assert (np.array(boundary.classes) == classes)[~near].all()
    np.testing.assert_allclose(boundary.percents, shares.max(axis=1) * 100, atol=0.6)
    assert boundary.names == splits.feature_names
    raw = splits.train.x * splits.x_scale + splits.x_offset
    assert boundary.x[0] < raw[:, 0].min() < raw[:, 0].max() < boundary.x[1]
    shown = np.array([boundary.point_x, boundary.point_y]).T
    assert len(shown) == 300
    assert abs(raw[:, None] - shown[None]).sum(axis=2).min(axis=0).max() < 1e-3


def test_a_network_of_two_features_that_predicts_numbers_has_a_plane_of_values(
    trained: Callable[..., Run], tmp_path: Path
):
    x = np.random.default_rng(0).uniform(-2, 5, (120, 2)).astype(np.float32)
    np.savez(tmp_path / "plane.npz", x=x, y=(100 + 40 * x[:, :1] - 7 * x[:, 1:]))
    data = {"data.source": "path", "data.path": str(tmp_path / "plane.npz")}
    run = trained({**data, **SMALL, "model.hidden": [], "training.epochs": 200})
    boundary = picture_file.read(run.directory).boundary
    assert boundary is not None
    assert not boundary.classes
    values = np.array(boundary.values).reshape(boundary.rows, boundary.columns)
    across, up = np.linspace(*boundary.x, boundary.columns), np.linspace(*boundary.y, boundary.rows)
    np.testing.assert_allclose(values, 100 + 40 * across[None] - 7 * up[:, None], atol=3)


def test_the_examples_on_the_plane_are_of_all_classes_whatever_their_order(trained: Callable[..., Run]):
    run = trained(
        {"data.source": "moons", "data.size": 600, "data.validation_split": 0.0, **SMALL, "training.epochs": 1}
    )
    boundary = picture_file.read(run.directory).boundary
    assert boundary is not None
    assert 120 < sum(boundary.point_targets) < 180, "the classes alternate in the data"
    assert 20 < sum(boundary.point_targets[:80]) < 60, "the first few are such a choice too"


def test_pictures_are_the_pixels_as_they_were_read(trained: Callable[..., Run]):
    run = trained({"data.source": "digits", **SMALL, "training.epochs": 1, "data.standardize": "standard"})
    pictures, splits = picture_file.read(run.directory), splits_of(run)
    assert pictures.image_shape == (8, 8, 1)
    for example in pictures.worst:
        raw = splits.validation.x[example.index] * splits.x_scale + splits.x_offset
        np.testing.assert_allclose(example.image, raw * 255, atol=0.51)
        assert not example.features


def test_a_colour_picture_keeps_its_channels(trained: Callable[..., Run], tmp_path: Path):
    x = np.random.default_rng(0).integers(0, 256, (60, 5, 4, 3))
    np.savez(tmp_path / "colour.npz", x=x, y=np.arange(60) % 2)
    run = trained({"data.source": "path", "data.path": str(tmp_path / "colour.npz"), **SMALL, "training.epochs": 1})
    pictures, splits = picture_file.read(run.directory), splits_of(run)
    assert pictures.image_shape == (5, 4, 3)
    darkest, brightest = (float(end(splits.train.x * splits.x_scale + splits.x_offset)) for end in (np.min, np.max))
    for example in pictures.worst:
        raw = splits.validation.x[example.index] * splits.x_scale + splits.x_offset
        np.testing.assert_allclose(example.image, (raw - darkest) / (brightest - darkest) * 255, atol=0.6)


def test_without_a_validation_part_it_is_the_training_part_that_is_looked_at(trained: Callable[..., Run]):
    run = trained({**IRIS, "data.validation_split": 0.0, "training.epochs": 2})
    pictures = picture_file.read(run.directory)
    assert (pictures.split, pictures.examples, sum(map(sum, pictures.confusion))) == ("train", 150, 150)


def test_looks_change_no_bit_of_the_training(trained: Callable[..., Run], eager: list[int], monkeypatch: Any):
    settings = {"data.source": "moons", **SMALL, "training.epochs": 400, "model.dropout": 0.2}
    with_looks = trained(settings)
    assert len(eager) > 1, "the run was not looked at while it trained"
    monkeypatch.setattr(looking.Looking, "begin", lambda *_: None)
    without = trained(settings)
    assert not (without.directory / picture_file.NAME).exists()
    assert with_looks.epochs.keys() == without.epochs.keys()
    for name, series in without.epochs.items():
        assert series.y.tobytes() == with_looks.epochs[name].y.tobytes(), name
    for (ours, our_bias), (theirs, their_bias) in zip(
        kept_weights(with_looks, "last"), kept_weights(without, "last"), strict=True
    ):
        assert (ours == theirs).all()
        assert (our_bias == their_bias).all()


def test_the_pictures_while_it_trains_go_forward_and_the_last_are_of_the_end(
    trained: Callable[..., Run], eager: list[int]
):
    run = trained({**IRIS, "training.epochs": 3000})
    assert eager == sorted(set(eager))
    assert eager[-1] == run.status.steps
    assert picture_file.read(run.directory).epoch == 2999


@pytest.mark.parametrize(("step", "epoch", "is_over"), [(0, 0, False), (8, 0, False), (23, 0, True), (24, 1, False)])
def test_a_look_in_the_midst_of_an_epoch_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, epoch: int, is_over: bool
):
    plain: dict[str, Any] = {"time": 0.0, "split": "train", "examples": 0, "of": 0, "task": "classification"}
    monkeypatch.setattr(looking, "_pictures", lambda *_: Pictures(**plain, epoch=epoch, step=step, image_shape=None))
    member = SimpleNamespace(directory=SimpleNamespace(path=tmp_path, saved=lambda _: None))
    looking._write(SimpleNamespace(steps_per_epoch=23), SimpleNamespace(member=member, step=step))  # type: ignore[arg-type]
    assert picture_file.read(tmp_path).epoch_is_over is is_over


def test_of_a_population_each_has_its_own_and_only_some_are_looked_at_while_they_train(
    tmp_path: Path, eager: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(looking, "_MOST_MEMBERS", 1)
    prepared = prepare(Config().changed({**IRIS, "training.epochs": 400}))
    seeds = [prepared.config.changed({"training.seed": seed}) for seed in range(3)]
    runs = training.train_together(
        [(one, training.start(one, tmp_path)) for one in (type(prepared)(config, prepared.splits) for config in seeds)]
    )
    at_the_end = runs[0].status.steps
    assert eager.count(at_the_end) == 3
    assert len(set(eager)) == len(eager) - 2 > 1, "only one is looked at before the end"
    losses = [picture_file.read(run.directory).worst[0].loss for run in runs]
    assert len(set(losses)) == 3


def test_members_that_move_together_are_looked_at_where_they_are_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("trainer.compaction._WORTH", 0.0)
    monkeypatch.setattr(program, "_programs", OrderedDict())
    prepared = prepare(Config().changed(IRIS))
    settings = [{"training.epochs": 2, "training.seed": 1}, {"training.epochs": 2}, {"training.seed": 7}]
    members = [type(prepared)(prepared.config.changed(changes), prepared.splits) for changes in settings]
    *ended, moved = training.train_together([(one, training.start(one, tmp_path)) for one in members])
    assert [event.what for event in moved.happenings if event.kind == "compiled"].count("advance") == 2
    for run in (*ended, moved):
        predicted = outputs_of(kept_weights(run, "last"), prepared.splits.validation.x).argmax(axis=1)
        pictures = picture_file.read(run.directory)
        assert pictures.confusion == confusion_matrix(prepared.splits.validation.y, predicted).tolist()
        assert pictures.step == run.status.steps


def test_a_disk_that_takes_no_pictures_is_a_warning_and_the_run_goes_on(
    trained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(picture_file, "write", refuse)
    run = trained({**IRIS, "training.epochs": 2})
    assert run.status.state == "finished"
    (told,) = run.unsaved
    assert (told.what, told.message) == ("pictures.json", "No space left on device")


def test_a_device_without_room_for_a_look_trains_on(trained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch):
    def fail(*_: Any) -> None:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")

    monkeypatch.setattr(program, "look", fail)
    run = trained({**IRIS, "training.epochs": 2})
    assert (run.status.state, run.status.epochs) == ("finished", 2)
    (warning,) = (event for event in run.happenings if event.kind == "warning")
    assert warning.message.startswith("no look at the model: RESOURCE_EXHAUSTED")


def test_a_second_run_of_a_structure_looks_with_the_function_of_the_first(
    trained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
):
    trained({**IRIS, "model.hidden": [9], "training.epochs": 1})
    monkeypatch.setattr("trainer.look.make_look", lambda _: pytest.fail("compiled again"))
    run = trained({**IRIS, "model.hidden": [9], "training.epochs": 1, "optimizer.learning_rate": 0.5})
    assert picture_file.read(run.directory).step == run.status.steps


@pytest.mark.parametrize("kind", ["focal", "kl_divergence", "sigmoid_cross_entropy", "hinge", "mse", "log_cosh"])
def test_every_loss_of_classes_tells_probabilities(trained: Callable[..., Run], kind: str):
    run = trained({**IRIS, "loss.kind": kind, "training.epochs": 2})
    for example in picture_file.read(run.directory).worst:
        assert example.true_share is not None
        assert example.predicted_share is not None
        assert 0 <= example.true_share <= example.predicted_share <= 1


# Pure: from what was seen to the file.


def seen_of(splits: Splits, rng: np.random.Generator) -> Seen:
    n = len(splits.validation)
    return Seen(
        rng.uniform(0, 5, n).astype(np.float32),
        rng.integers(0, splits.n_outputs, n),
        rng.uniform(0, 1, n).astype(np.float32),
        rng.uniform(0, 1, n).astype(np.float32),
    )


def archive(tmp_path: Path, **arrays: Any) -> Splits:
    np.savez(tmp_path / "data.npz", **arrays)
    return prepare(Config().changed({"data.source": "path", "data.path": str(tmp_path / "data.npz")})).splits


def test_more_classes_than_a_matrix_has_are_told_by_the_pairs_that_are_confused_most(tmp_path: Path):
    rng = np.random.default_rng(0)
    splits = archive(tmp_path, x=rng.normal(size=(1200, 3)), y=np.arange(1200) % 60)
    assert splits.n_outputs == 60
    seen = seen_of(splits, rng)
    pictures = pictures_of(subject_of(splits), seen, 0, 1)
    assert pictures.confusion == []
    counts = [pair.count for pair in pictures.confused]
    assert counts == sorted(counts, reverse=True)
    for pair in pictures.confused:
        assert pair.true != pair.predicted
        together = (splits.validation.y == pair.true) & (seen.predicted == pair.predicted)
        assert pair.count == together.sum()


def test_a_loss_that_is_no_number_is_the_worst_and_the_file_stays_strict_json(tmp_path: Path):
    splits = archive(tmp_path, x=np.random.default_rng(0).normal(size=(100, 4)), y=np.arange(100) % 2)
    seen = seen_of(splits, np.random.default_rng(1))
    seen.losses[3], seen.losses[7] = np.nan, np.inf
    picture_file.write(tmp_path, pictures_of(subject_of(splits), seen, 0, 1))
    text = (tmp_path / picture_file.NAME).read_text()
    told = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert [example["loss"] for example in told["worst"][:2]] == ["NaN", "Infinity"]
    assert [example.index for example in picture_file.read(tmp_path).worst[:2]] == [3, 7]


def test_the_largest_file_is_within_the_limit_and_large_pictures_are_thinned_out(tmp_path: Path):
    rng = np.random.default_rng(0)
    splits = archive(tmp_path, x=rng.normal(size=(1000, 90, 40, 3)) * 1e-7, y=np.arange(1000) % 50)
    pictures = pictures_of(subject_of(splits), seen_of(splits, rng), 10**9, 10**12)
    assert pictures.image_shape == (32, 32, 3)
    assert pictures.worst[0].image
    picture_file.write(tmp_path, pictures.model_copy(update={"target_names": ["\u2318" * 40] * 256}))
    assert (tmp_path / picture_file.NAME).stat().st_size < LIMIT
    outputs = rng.normal(size=(3000, 11)) * 1e-7
    splits = archive(tmp_path, x=rng.normal(size=(3000, 2)) * 1e-7, y=outputs)
    subject = subject_of(splits)
    assert subject.plane is not None
    n = len(subject.rows) + len(subject.plane.points)
    seen = Seen(rng.normal(size=n).astype(np.float32), rng.normal(size=(n, 8)).astype(np.float32), None, None)
    pictures = pictures_of(subject, seen, 0, 1)
    assert [len(scatter.true) for scatter in pictures.scatter] == [500] * 8
    picture_file.write(tmp_path, pictures)
    assert (tmp_path / picture_file.NAME).stat().st_size < LIMIT
    assert picture_file.read(tmp_path) == pictures


def test_a_feature_that_never_changes_leaves_a_plane_with_room(tmp_path: Path):
    x = np.stack([np.full(90, 7.0), np.linspace(0, 1, 90)], axis=1)
    plane = subject_of(archive(tmp_path, x=x, y=np.arange(90) % 2)).plane
    assert plane is not None
    assert (plane.low < plane.high).all()


def test_a_long_training_part_without_validation_is_looked_at_in_part(tmp_path: Path):
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).normal(size=(20_000, 1)), y=np.arange(20_000) % 2)
    settings = {"data.source": "path", "data.path": str(tmp_path / "data.npz"), "data.validation_split": 0.0}
    subject = subject_of(prepare(Config().changed(settings)).splits)
    assert len(subject.rows) == len(set(subject.rows.tolist())) == 16_384
    assert subject.asked is not None
    assert (subject.asked.x == subject.splits.train.x[subject.rows]).all()
