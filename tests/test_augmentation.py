"""Augmentation: each change against NumPy given the same drawn numbers, what is drawn, and who does not see it."""

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import augmenting, devices, numbers, program, step, training
from trainer.augmentation import Augmentation
from trainer.augmenting import Mix, Moves
from trainer.commands import Set, send
from trainer.config import Config
from trainer.gradient import gradient_of
from trainer.preparation import Prepared, prepare
from trainer.problems import ConfigError
from trainer.run import Run
from trainer.shape import shape_of

devices.prepare_jax()

DIGITS = {"data.source": "digits", "model.hidden": [8], "training.batch_size": 128, "training.epochs": 2,
          "training.diagnostics": False, "augmentation.enabled": True}  # fmt: skip
IRIS = {"data.source": "iris", "model.hidden": [4], "training.batch_size": 32, "training.epochs": 3,
        "augmentation.enabled": True}  # fmt: skip

Array = np.ndarray[Any, Any]
KEY = jax.random.key(3)


def pictures(n: int = 5, rows: int = 6, columns: int = 7, channels: int = 3) -> Array:
    return np.random.default_rng(n).standard_normal((n, rows, columns, channels)).astype(np.float32)


def value_between(picture: Array, row: float, column: float) -> Array:
    """The value at a place between pixels, bilinear, the rim going on outside."""
    found: Array = np.zeros(picture.shape[2])
    rows, columns = picture.shape[:2]
    row, column = min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)
    for r in (math.floor(row), math.floor(row) + 1):
        for c in (math.floor(column), math.floor(column) + 1):
            share = max(0.0, 1 - abs(row - r)) * max(0.0, 1 - abs(column - c))
            if share:
                found = found + share * picture[r, c].astype(np.float64)
    return found


def by_pixel(picture: Array, share: Array, start: Array, flipped: bool, shift: Array) -> Array:
    """Crop, then mirror, then shift one picture, pixel by pixel."""
    rows, columns, _ = picture.shape
    cropped = np.array(
        [
            [
                value_between(
                    picture, start[0] + (r + 0.5) * share[0] - 0.5, start[1] + (c + 0.5) * share[1] - 0.5
                )
                for c in range(columns)
            ]
            for r in range(rows)
        ]
    )  # fmt: skip
    mirrored = cropped[:, ::-1] if flipped else cropped
    shifted = np.zeros_like(mirrored)
    for r in range(rows):
        for c in range(columns):
            from_row, from_column = r - int(shift[0]), c - int(shift[1])
            if 0 <= from_row < rows and 0 <= from_column < columns:
                shifted[r, c] = mirrored[from_row, from_column]
    return shifted


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("asked", [{"shift": 2}, {"flip": 0.5}, {"crop": 0.3}, {"shift": 3, "flip": 0.5, "crop": 0.1}])
def test_pictures_move_as_drawn(asked: dict[str, Any], channels: int) -> None:
    given = pictures(channels=channels)
    moves = augmenting.draw_moves(KEY, Augmentation(enabled=True, **asked), given)
    found = augmenting.moved(given, moves)
    each = zip(given, *map(np.asarray, moves), strict=True)
    expected = [by_pixel(picture, share, start, flipped, shift) for picture, share, start, flipped, shift in each]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(found, given)


def test_a_picture_that_is_only_mirrored_or_shifted_keeps_its_pixels_to_the_bit() -> None:
    given, n = pictures(), 5
    still, zero = np.ones((n, 2), np.float32), np.zeros((n, 2), np.float32)
    moves = Moves(still, zero, np.ones(n, bool), zero)
    assert np.array_equal(augmenting.moved(given, moves), given[:, :, ::-1])
    assert np.array_equal(augmenting.moved(given, Moves(still, zero, np.zeros(n, bool), zero)), given)
    down = Moves(still, zero, np.zeros(n, bool), np.tile(np.float32([2, -1]), (n, 1)))
    expected = np.zeros_like(given)
    expected[:, 2:, :-1] = given[:, :-2, 1:]
    assert np.array_equal(augmenting.moved(given, down), expected)


@given(
    side=st.integers(1, 7), centres=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=5, max_size=5)
)
@settings(max_examples=25, deadline=None)
def test_the_square_that_is_cut_out_lies_around_its_centre(side: int, centres: list[tuple[int, int]]) -> None:
    given = pictures() + 10
    found = augmenting.cut_out(given, jnp.array(centres), jnp.float32(side))
    expected = given.copy()
    for picture, (row, column) in zip(expected, centres, strict=True):
        top, left = row - side // 2, column - side // 2
        picture[max(0, top) : top + side, max(0, left) : left + side] = 0
    assert np.array_equal(found, expected)


def test_mixing_takes_shares_of_inputs_and_targets_alike() -> None:
    x, targets = pictures().reshape(5, -1), np.eye(5, dtype=np.float32)
    mix = Mix(jnp.array([1.0, 0.7, 0.5, 0.0, 0.2]), jnp.array([4, 0, 2, 1, 3]))
    mixed_x, mixed_targets = augmenting.mixed((x, targets), mix)
    for row, (share, partner) in enumerate(zip(np.asarray(mix.share), np.asarray(mix.partner), strict=True)):
        np.testing.assert_allclose(mixed_x[row], share * x[row] + (1 - share) * x[partner], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(mixed_targets[row], share * targets[row] + (1 - share) * targets[partner], atol=1e-6)
    np.testing.assert_allclose(mixed_targets.sum(axis=1), 1, rtol=1e-6)


N = 4000


@pytest.mark.parametrize("chance", [0.0, 0.2, 1.0])
def test_a_picture_is_mirrored_as_often_as_asked(chance: float) -> None:
    flipped = augmenting.draw_moves(KEY, Augmentation(flip=chance), np.zeros((N, 8, 8, 1))).flipped
    assert float(flipped.mean()) == pytest.approx(chance, abs=4 * math.sqrt(0.25 / N) * (0 < chance < 1))


def test_shifts_are_whole_and_equally_likely_each_way() -> None:
    shift = np.asarray(augmenting.draw_moves(KEY, Augmentation(shift=2), np.zeros((N, 8, 8, 1))).shift)
    values, counts = np.unique(shift, return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    np.testing.assert_allclose(counts / (2 * N), 0.2, atol=0.02)


def test_a_crop_keeps_at_least_the_area_asked_for_and_lies_within_the_picture() -> None:
    moves = augmenting.draw_moves(KEY, Augmentation(crop=0.25), np.zeros((N, 8, 16, 1)))
    share, start = np.asarray(moves.share), np.asarray(moves.start)
    area = share.prod(axis=1)
    assert area.min() >= 0.25 * (1 - 1e-5)
    assert area.mean() == pytest.approx(0.625, abs=0.03)
    assert (start >= 0).all()
    assert (start + share * [8, 16] <= np.array([8, 16]) + 1e-4).all()


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_the_shares_of_mixup_have_the_moments_of_the_beta_distribution(alpha: float) -> None:
    mix = augmenting.draw_mix(KEY, Augmentation(mixup=alpha), N)
    variance = 1 / (4 * (2 * alpha + 1))
    assert float(mix.share.mean()) == pytest.approx(0.5, abs=4 * math.sqrt(variance / N))
    assert float(mix.share.var()) == pytest.approx(variance, rel=0.1)
    assert sorted(np.asarray(mix.partner).tolist()) == list(range(N))


@lru_cache
def batch_of(**asked: Any) -> tuple[Array, Array, Any]:
    """The first batch of the iris: as it is, and as the network is given it."""
    prepared = prepare(Config().changed(IRIS | {f"augmentation.{key}": value for key, value in asked.items()}))
    shape, data = shape_of([prepared]), program.place(prepared.splits)
    vector = numbers.pack(prepared.config)

    def given() -> Any:
        state = step.at_epoch_begin(shape, data, step.make_init(shape)(jnp.uint32(0), jnp.array(vector)))
        config = numbers.unpack(shape.config, vector)
        rows = state.order[:32]
        return data.x[rows], data.y[rows], gradient_of(shape, config, data, state, jnp.int32(0)).batch

    x, y, batch = jax.jit(given)()
    return np.asarray(x), np.asarray(y), batch


def test_noise_has_the_deviation_asked_for() -> None:
    x, _, batch = batch_of(noise=0.3)
    noise = np.asarray(batch.x) - x
    assert noise.std() == pytest.approx(0.3, rel=0.15)
    assert abs(noise.mean()) < 0.1


def test_a_batch_is_mixed_with_itself() -> None:
    x, y, batch = batch_of(mixup=1.0)
    targets = np.asarray(batch.targets)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-5)
    assert ((targets > 0.01) & (targets < 0.99)).any()
    assert (targets[np.arange(32), y] >= 0).all()
    np.testing.assert_allclose(np.asarray(batch.x).mean(), x.mean(), atol=0.3)


def test_on_with_nothing_asked_for_leaves_the_batch_as_it_is() -> None:
    x, y, batch = batch_of()
    assert np.array_equal(batch.x, x)
    assert np.array_equal(np.asarray(batch.targets).argmax(axis=1), y)


def trained(store: Path, base: dict[str, Any], *settings: dict[str, Any]) -> list[Run]:
    first = prepare(Config().changed(base))
    runs = [Prepared(first.config.changed(its), first.splits) for its in settings]
    return training.train_together([(run, training.start(run, store)) for run in runs])


MEMBERS: list[dict[str, Any]] = [
    {},
    {"augmentation.shift": 1, "augmentation.flip": 0.3, "training.seed": 4},
    {"augmentation.crop": 0.6, "augmentation.cutout": 3},
    {"augmentation.mixup": 0.3, "augmentation.noise": 0.1},
]


def test_a_member_is_augmented_as_the_run_alone_would_be(tmp_path: Path) -> None:
    together = trained(tmp_path / "together", DIGITS, *MEMBERS)
    losses = [run.status.metrics["loss"] for run in together]
    assert len(set(losses)) == len(losses)
    for run, its in zip(together, MEMBERS, strict=True):
        (alone,) = trained(tmp_path / "alone", DIGITS, its)
        for name, series in alone.epochs.items():
            np.testing.assert_allclose(run.epochs[name].y, series.y, rtol=2e-3, atol=2e-4, err_msg=name)


def test_nothing_asked_for_trains_as_without_and_validation_is_never_augmented(tmp_path: Path) -> None:
    (off,) = trained(tmp_path, DIGITS | {"augmentation.enabled": False}, {})
    (on,) = trained(tmp_path, DIGITS, {})
    for name, series in off.epochs.items():
        np.testing.assert_allclose(on.epochs[name].y, series.y, rtol=2e-3, atol=2e-4, err_msg=name)
    still = {"optimizer.learning_rate": 1e-30}
    harsh = {"augmentation.noise": 5.0, "augmentation.cutout": 7, "augmentation.mixup": 1.0}
    (plain,), (wild,) = trained(tmp_path, DIGITS, still), trained(tmp_path, DIGITS, still | harsh)
    assert wild.epochs["val_loss"].y.tolist() == plain.epochs["val_loss"].y.tolist()
    assert (wild.epochs["loss"].y > 1.5 * plain.epochs["loss"].y).all()


def program_text(**changes: Any) -> str:
    prepared = prepare(Config().changed(IRIS | {key.replace("__", "."): value for key, value in changes.items()}))
    shape = shape_of([prepared])
    state = jax.eval_shape(step.make_init(shape), jnp.uint32(0), jnp.array(numbers.pack(prepared.config)))
    args = program.place(prepared.splits), state
    return jax.jit(
        lambda data, state: gradient_of(shape, shape.config, data, state, jnp.int32(0)).gradient
    ).lower(*args).as_text()  # fmt: skip


def test_what_is_off_is_not_in_the_program() -> None:
    off = program_text(augmentation__enabled=False)
    assert program_text(augmentation__enabled=False, augmentation__noise=0.5) == off
    assert program_text(augmentation__noise=0.5) != off


def test_numbers_of_the_augmentation_change_while_it_trains_and_compile_nothing(tmp_path: Path) -> None:
    prepared = prepare(Config().changed(IRIS))
    directory = training.start(prepared, tmp_path)
    for key, value in {"noise": 0.2, "shift": 1, "mixup": 0.5}.items():
        send(directory.path, Set(key=f"augmentation.{key}", value=value))
    run = training.train(prepared, directory)
    assert [event.key for event in run.happenings if event.kind == "hyperparameter_set"] == [
        "augmentation.noise", "augmentation.mixup"
    ]  # fmt: skip
    assert [event.message for event in run.happenings if event.kind == "warning"] == [
        "augmentation.shift must be 0 for examples that are no pictures, got 1."
    ]
    plain = prepare(prepared.config.changed({"augmentation.enabled": False}))
    directory = training.start(plain, tmp_path)
    send(directory.path, Set(key="augmentation.noise", value=0.2))
    run = training.train(plain, directory)
    assert [event.message for event in run.happenings if event.kind == "warning"] == [
        "augmentation.noise cannot change while training: augmentation is off."
    ]


@pytest.mark.parametrize(
    ("base", "changes", "message"),
    [
        (IRIS, {"flip": 0.5}, "flip must be 0 for examples that are no pictures, got 0.5."),
        (IRIS, {"crop": 0.5}, "crop must be 1 for examples that are no pictures, got 0.5."),
        (
            {"data.source": "text", "model.kind": "transformer_lm"}, {"enabled": True},
            "enabled must be false for tokens: nothing lies between two of them.",
        ),
        (DIGITS, {"shift": 8}, "shift must be less than the 8 pixels of the shorter side, got 8."),
        (DIGITS, {"cutout": 9}, "cutout must be less than the 8 pixels of the shorter side, got 9."),
        (
            DIGITS | {"loss.kind": "focal"}, {"mixup": 0.2},
            'mixup must be 0 for loss.kind = "focal", whose targets are whole classes, got 0.2.',
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(base: dict[str, Any], changes: dict[str, Any], message: str) -> None:
    config = Config().changed(base | {f"augmentation.{key}": value for key, value in changes.items()})
    with pytest.raises(ConfigError) as caught:
        prepare(config)
    assert str(caught.value) == f"augmentation.{message}"
    assert prepare(config.changed({"augmentation.enabled": False}))
