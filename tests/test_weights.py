"""Weights beside those that are trained, and gradients from elsewhere: running means, Lookahead, sharpness-aware."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest

from trainer import checkpoints, forward, numbers, program, step, training
from trainer.config import Config
from trainer.preparation import Prepared, prepare
from trainer.run import Run
from trainer.shape import Shape, shape_of
from trainer.state import State

IRIS = {"data.source": "iris", "model.hidden": [5], "training.batch_size": 16, "training.epochs": 8,
        "optimizer.learning_rate": 0.05}  # fmt: skip
WRAPPED: list[dict[str, Any]] = [
    {"optimizer.use_ema": True, "optimizer.ema_momentum": 0.9},
    {"optimizer.lookahead_steps": 3},
    {"optimizer.kind": "schedule_free_adamw"},
    {"optimizer.gradient_accumulation_steps": 3},
    {"optimizer.sam": True, "optimizer.sam_rho": 0.1},
    {"optimizer.kind": "muon", "optimizer.use_ema": True, "optimizer.lookahead_steps": 2, "optimizer.sam": True,
     "optimizer.gradient_accumulation_steps": 2, "optimizer.clipvalue": 0.5},
]  # fmt: skip


class Bench:
    """One member's maths, update by update."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.prepared = prepare(Config().changed({**IRIS, **settings}))
        self.config = self.prepared.config
        self.shape: Shape = shape_of([self.prepared])
        self.data = program.place(self.prepared.splits)
        self.metrics = forward.metrics_of(
            self.shape, self.data.target_scale, self.data.target_offset, self.data.target_mean
        )
        self.vector = numbers.pack(self.config)
        self._update = jax.jit(self._updated)
        first = jax.jit(step.make_init(self.shape))(np.uint32(0), self.vector)
        self.state: State = jax.jit(lambda state: step.at_epoch_begin(self.shape, self.data, state))(first)

    def update(self) -> State:
        self.state = self._update(self.state, self.vector)
        return self.state

    def gradient(self, parameters: Any) -> Any:
        """The gradient of the first batch at other weights, by the model and Optax alone."""
        batch = self.state.order[: self.config.training.batch_size]
        x, y = self.data.x[batch], self.data.y[batch]

        def objective(parameters: Any) -> Any:
            outputs = self.shape.network(self.config).apply(parameters, x, None)
            return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()

        return jax.grad(objective)(parameters)

    def _updated(self, state: State, vector: Any) -> State:
        config = numbers.unpack(self.config, vector)
        return step.update(self.shape, config, self.metrics, self.data, state)[0]


def trained(folder: Path, *settings: dict[str, Any]) -> list[Run]:
    first = prepare(Config().changed({**IRIS, **settings[0]}))
    members = [Prepared(prepare(Config().changed({**IRIS, **other})).config, first.splits) for other in settings]
    return training.train_together([(member, training.start(member, folder)) for member in members])


def rows(run: Run) -> dict[str, np.ndarray[Any, Any]]:
    return {name: np.array(series.y) for name, series in run.epochs.items()}


def close(found: Any, expected: Any, tolerance: float = 1e-5) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), found, expected)


def test_the_running_mean_is_that_of_the_weights() -> None:
    bench = Bench({"optimizer.use_ema": True, "optimizer.ema_momentum": 0.8})
    expected = jax.tree.map(np.asarray, bench.state.parameters)
    close(bench.state.average, expected)
    for _ in range(6):
        state = bench.update()
        expected = jax.tree.map(lambda mean, weight: 0.8 * mean + 0.2 * np.asarray(weight), expected, state.parameters)
        close(state.average, expected)


def test_a_sharpness_aware_gradient_is_taken_uphill() -> None:
    bench = Bench({"optimizer.kind": "sgd", "optimizer.sam": True, "optimizer.sam_rho": 0.3})
    start = jax.tree.map(np.asarray, bench.state.parameters)
    slope = bench.gradient(start)
    distance = 0.3 / optax.tree.norm(slope)
    uphill = bench.gradient(jax.tree.map(lambda weight, it: weight + distance * it, start, slope))
    close(bench.update().parameters, jax.tree.map(lambda weight, it: weight - 0.05 * it, start, uphill))
    assert not np.allclose(uphill[0].weight, slope[0].weight, rtol=0.05)


def test_a_gradient_is_cut_number_by_number() -> None:
    bench = Bench({"optimizer.kind": "sgd", "optimizer.clipvalue": 0.01})
    start = jax.tree.map(np.asarray, bench.state.parameters)
    slope = bench.gradient(start)
    assert max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(slope)) > 0.05
    cut = jax.tree.map(lambda weight, it: weight - 0.05 * np.clip(it, -0.01, 0.01), start, slope)
    close(bench.update().parameters, cut)


@pytest.mark.parametrize(
    ("kept_by", "stopped_by"),
    [("ema_val_loss", "ema_val_loss"), ("ema_val_loss", "val_loss"), ("val_loss", "ema_val_loss")],
)
def test_a_mean_of_the_weights_is_validated_beside_them_and_may_be_what_is_kept(
    tmp_path: Path, kept_by: str, stopped_by: str
) -> None:
    callbacks = {"callbacks.early_stopping.monitor": stopped_by, "callbacks.early_stopping.patience": 100,
                 "callbacks.model_checkpoint.monitor": kept_by}  # fmt: skip
    (run,) = trained(tmp_path, {"optimizer.use_ema": True, "optimizer.ema_momentum": 0.9, **callbacks})
    told = rows(run)
    assert {"val_loss", "ema_val_loss", "ema_val_accuracy"} <= told.keys()
    assert np.abs(told["ema_val_loss"] - told["val_loss"]).max() > 0.01
    assert run.status.best is not None
    assert (run.status.best.metric, run.status.best.value) == (stopped_by, told[stopped_by].min())
    path = checkpoints.newest_good(run.directory / "checkpoints", "best")
    assert path is not None
    arrays, manifest = checkpoints.load(path)
    assert (manifest.monitor, manifest.value) == (kept_by, told[kept_by].min())
    bench = Bench({})
    kept = jax.tree.unflatten(
        jax.tree.structure(bench.state.parameters), [value for name, value in sorted(arrays.items())]
    )
    examples = bench.prepared.splits.validation
    outputs = bench.shape.network(bench.config).apply(_in_order(kept), examples.x, None)
    loss = optax.softmax_cross_entropy_with_integer_labels(outputs, examples.y).mean()
    assert float(loss) == pytest.approx(manifest.value, rel=1e-4)


def _in_order(layers: Any) -> Any:
    """Sorted by name a bias comes before its weight."""
    return tuple(type(layer)(weight=layer[1], bias=layer[0]) for layer in layers)


def test_what_is_used_of_an_averaging_optimizer_is_what_was_validated(tmp_path: Path) -> None:
    quiet = {"callbacks.early_stopping.enabled": False}
    for settings in ({"optimizer.kind": "schedule_free_sgd"}, {"optimizer.lookahead_steps": 4}):
        (run,) = trained(tmp_path, {**settings, **quiet, "data.test_split": 0.1})
        assert run.status.state == "finished"
        assert rows(run)["val_loss"][-1] < rows(run)["val_loss"][0]
        assert np.isfinite(run.status.test["test_loss"])


@pytest.mark.parametrize("settings", WRAPPED, ids=str)
def test_members_of_a_population_and_calls_of_any_length_change_nothing(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the looks inside of layers all compiles in half the time.
    quiet = {"callbacks.early_stopping.enabled": False, "training.diagnostics": False}
    together = trained(tmp_path, {**settings, **quiet}, {**settings, **quiet, "training.seed": 3})
    (alone,) = trained(tmp_path, {**settings, **quiet, "training.seed": 3})
    monkeypatch.setattr("trainer.call_size._SECONDS", 1e-9)
    (in_steps,) = trained(tmp_path, {**settings, **quiet, "training.seed": 3})
    for name, values in rows(alone).items():
        np.testing.assert_array_equal(rows(in_steps)[name], values, err_msg=name)
        np.testing.assert_allclose(rows(together[1])[name], values, rtol=5e-3, atol=5e-4, err_msg=name)
    assert (rows(together[0])["loss"] != rows(together[1])["loss"]).any()
