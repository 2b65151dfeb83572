import dataclasses
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import devices, horizons, numbers, program
from trainer.advance import Report, make_advance, read_report
from trainer.callbacks import Callback
from trainer.config import Config
from trainer.data.splits import Splits
from trainer.preparation import prepare
from trainer.program import Program
from trainer.shape import Shape, Watch, shape_of
from trainer.state import Data, State

devices.prepare_jax()

SMALL = {"data.source": "iris", "model.hidden": [5], "training.batch_size": 16, "training.epochs": 6,
         "model.dropout": 0.2,
         "optimizer.learning_rate": 0.05, "data.test_split": 0.1}  # fmt: skip
NUMBERS = {"data.source": "diabetes", "model.hidden": [], "training.batch_size": 100, "training.drop_remainder": True,
           "data.validation_split": 0.0, "optimizer.kind": "sgd", "optimizer.momentum": 0.9,
           "schedule.kind": "cosine"}  # fmt: skip
PLAIN = {"data.source": "iris", "model.hidden": [], "training.batch_size": 16, "optimizer.kind": "sgd",
         "optimizer.learning_rate": 0.3,
         "model.dropout": 0.0}  # fmt: skip
WRAPPED = {**SMALL, "optimizer.use_ema": True, "optimizer.lookahead_steps": 3, "optimizer.sam": True,
           "optimizer.gradient_accumulation_steps": 2}  # fmt: skip


def alone(states: State, member: int = 0) -> State:
    """The state of one member."""
    its = states._replace(step=None)  # type: ignore[arg-type]
    return cast("State", jax.tree.map(lambda leaf: leaf[member], its))._replace(step=states.step)


def as_members(states: Sequence[State]) -> State:
    """States as those of the members of a population, which stand at the same update."""
    together = [state._replace(step=None) for state in states]  # type: ignore[arg-type]
    return cast("State", jax.tree.map(lambda *leaves: jnp.stack(leaves), *together))._replace(step=states[0].step)


class Engine(NamedTuple):
    """A compiled program with its data, and the numbers it was made for."""

    config: Config
    splits: Splits
    shape: Shape
    data: Data
    compiled: Program
    vector: np.ndarray[Any, Any]

    def begin(self, seed: int = 0) -> State:
        return alone(self.compiled.init(np.array([seed], np.uint32), self.vector[None]))

    def advance(
        self, state: State, count: int, careful: bool = False, watchers: Sequence[Callback] = ()
    ) -> tuple[State, Report]:
        told = horizons.pack(watchers, self.shape.row_names)
        orders = np.array([[count, careful]], np.int32)
        states, reports = self.compiled.advance(as_members([state]), self.vector[None], self.data, orders, told[None])
        return alone(states), read_report(self.shape, np.asarray(reports)[0])

    def run(self, counts: list[int], seed: int = 0, careful: bool = False) -> tuple[State, list[Report]]:
        state, reports = self.begin(seed), []
        for count in counts:
            state, report = self.advance(state, count, careful)
            reports.append(report)
        return state, reports

    def with_numbers(self, **values: float) -> "Engine":
        """The same program at other numbers; `__` for a dot."""
        vector = self.vector.copy()
        for key, value in values.items():
            vector[numbers.names(self.config).index(key.replace("__", "."))] = value
        return self._replace(vector=vector)


@lru_cache
def engine(settings: tuple[tuple[str, Any], ...], watches: tuple[Watch, ...] | None = None) -> Engine:
    prepared = prepare(
        Config().changed({key: list(value) if isinstance(value, tuple) else value for key, value in settings})
    )
    shape = shape_of([prepared])
    shape = shape if watches is None else dataclasses.replace(shape, watches=watches)
    data = program.place(prepared.splits)
    test = program.place_blocks(prepared.splits.test) if len(prepared.splits.test) else None
    compiled, _ = program.compiled(shape, data, test)
    return Engine(prepared.config, prepared.splits, shape, data, compiled, numbers.pack(prepared.config))


def made(settings: dict[str, Any], watches: tuple[Watch, ...] | None = None, **more: Any) -> Engine:
    both = {**settings, **{key.replace("__", "."): value for key, value in more.items()}}
    return engine(
        tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in both.items()), watches
    )


def bits(tree: Any) -> list[bytes]:
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def on_host(tree: Any) -> Any:
    """Copies, since the next call takes the memory over."""
    return jax.tree.map(np.array, tree)


def forward(layers: Any, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The network in NumPy, in double precision, with relu."""
    for index, layer in enumerate(layers):
        x = x.astype(np.float64) @ np.asarray(layer.weight, np.float64).T + np.asarray(layer.bias, np.float64)
        x = np.maximum(x, 0) if index < len(layers) - 1 else x
    return x


def measured(layers: Any, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Cross-entropy and accuracy in NumPy."""
    logits = forward(layers, x)
    logits = logits - logits.max(axis=1, keepdims=True)
    likelihood = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -likelihood[np.arange(len(y)), y].mean(), (logits.argmax(axis=1) == y).mean()


SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=8)


@pytest.mark.parametrize("chosen", [SMALL, NUMBERS], ids=["classes", "numbers"])
def test_the_sizes_of_the_calls_do_not_change_a_bit(chosen: dict[str, Any]) -> None:
    made_engine = made(chosen)
    whole, (report,) = made_engine.run([48])
    expected, expected_rows = bits(whole), report.rows

    @settings(max_examples=30, deadline=None)
    @given(sizes=SIZES)
    def check(sizes: list[int]) -> None:
        ends = [0, *np.minimum(np.cumsum(sizes), 48), 48]
        state, reports = made_engine.run([end - start for start, end in pairwise(ends) if end > start])
        assert bits(state) == expected
        assert np.concatenate([report.rows for report in reports]).tobytes() == expected_rows.tobytes()
        assert [report.step for report in reports][-1] == 48

    check()


def test_the_spread_of_a_call_is_that_of_its_updates() -> None:
    small = made(SMALL)
    _, (whole,) = small.run([20])
    _, singles = small.run([1] * 20)
    each = np.array([report.spread[3] for report in singles])
    np.testing.assert_allclose(whole.spread[0], each.sum(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(whole.spread[1:], [each.min(axis=0), each.max(axis=0), each[-1]])
    assert small.shape.step_names == ("loss", "accuracy", "grad_norm")


def test_the_rows_of_many_epochs_in_one_call_are_those_of_one_call_each() -> None:
    small = made(SMALL)
    _, (whole,) = small.run([6 * small.shape.steps_per_epoch])
    _, singles = small.run([small.shape.steps_per_epoch] * 6)
    assert [len(report.rows) for report in singles] == [1] * 6
    assert whole.rows.tobytes() == np.concatenate([report.rows for report in singles]).tobytes()


def test_the_program_is_the_same_without_being_compiled() -> None:
    """Two updates, traced by nobody: loops and branches run in Python."""
    small = made(SMALL)
    compiled, (report,) = small.run([2])
    begin, vector = small.begin(), jnp.asarray(small.vector)
    unbound = jnp.asarray(horizons.unbound(1)[0])
    with jax.disable_jit():
        orders = jnp.array([[2, 0]], jnp.int32)
        states, told = make_advance(small.shape)(as_members([begin]), vector[None], small.data, orders, unbound[None])
    plain, state = read_report(small.shape, np.asarray(told)[0]), alone(states)
    np.testing.assert_allclose(plain.spread, report.spread, rtol=1e-4, atol=1e-6)
    for ours, theirs in zip(jax.tree.leaves(state.parameters), jax.tree.leaves(compiled.parameters), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_the_validation_of_an_epoch_is_a_numpy_forward_pass_without_dropout() -> None:
    small = made(SMALL)
    state = small.begin()
    for _ in range(3):
        state, report = small.advance(state, small.shape.steps_per_epoch)
        row = dict(zip(small.shape.row_names, report.rows[0], strict=True))
        loss, accuracy = measured(state.parameters, small.splits.validation.x, small.splits.validation.y)
        assert row["val_loss"] == pytest.approx(loss, rel=1e-5)
        assert row["val_accuracy"] == pytest.approx(accuracy, rel=1e-6)


def test_the_validation_of_more_examples_than_a_block_holds_is_exact() -> None:
    moons = made({"data.source": "moons", "data.size": 6000, "data.validation_split": 0.5, "model.hidden": [4],
                  "training.batch_size": 1000})  # fmt: skip
    assert moons.data.validation.x.shape[0] == 2
    state, (report,) = moons.run([moons.shape.steps_per_epoch])
    row = dict(zip(moons.shape.row_names, report.rows[0], strict=True))
    loss, accuracy = measured(state.parameters, moons.splits.validation.x, moons.splits.validation.y)
    assert (row["val_loss"], row["val_accuracy"]) == pytest.approx((loss, accuracy), rel=1e-5)


def test_the_test_split_is_measured_by_the_same_forward_pass() -> None:
    small = made(SMALL)
    state, _ = small.run([20])
    test = program.place_blocks(small.splits.test)
    found = np.asarray(
        small.compiled.evaluate(
            as_members([state]).parameters, np.int32(0), small.vector, program.without_examples(small.data), test
        )
    )
    assert found == pytest.approx(measured(state.parameters, small.splits.test.x, small.splits.test.y), rel=1e-5)


def test_an_epoch_of_plain_descent_is_the_one_written_in_numpy() -> None:
    """A linear model by hand: order, padding, update, running metrics and gradient norm."""
    plain = made(PLAIN)
    x, y, size = plain.splits.train.x, plain.splits.train.y, plain.config.training.batch_size
    (layer,) = on_host(plain.begin().parameters)
    w, b = layer.weight.astype(np.float64), layer.bias.astype(np.float64)
    state, (report,) = plain.run([plain.shape.steps_per_epoch])
    order = np.asarray(state.order)[: len(x)]
    losses, hits, norms = [], [], []
    for start in range(0, len(x), size):
        batch = order[start : start + size]
        logits = x[batch] @ w.T + b
        likelihood = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        losses.extend(-likelihood[np.arange(len(batch)), y[batch]])
        hits.extend(logits.argmax(axis=1) == y[batch])
        error = (np.exp(likelihood) - np.eye(3)[y[batch]]) / len(batch)
        dw, db = error.T @ x[batch], error.sum(axis=0)
        norms.append(np.sqrt((dw**2).sum() + (db**2).sum()))
        w, b = w - 0.3 * dw, b - 0.3 * db
    np.testing.assert_allclose(state.parameters[0].weight, w, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state.parameters[0].bias, b, rtol=1e-4, atol=1e-5)
    row = dict(zip(plain.shape.row_names, report.rows[0], strict=True))
    assert row["loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert row["accuracy"] == pytest.approx(np.mean(hits), rel=1e-6)
    assert row["grad_norm"] == pytest.approx(np.mean(norms), rel=1e-4)
    assert row["learning_rate"] == pytest.approx(0.3)


WATCHES = (
    Watch("val_loss", "min"),
    Watch("val_accuracy", "max"),
    Watch("val_loss", "max"),
    Watch("val_loss", "min", first_epoch=3),
    Watch("val_loss", "min", threshold=1e-9),
    Watch("loss", "max", first_epoch=1, threshold=0.2),
)


def test_a_slot_holds_the_weights_of_the_best_epoch_of_its_watch() -> None:
    small = made({**SMALL, "optimizer.learning_rate": 0.3}, WATCHES)
    state, rows, weights = small.begin(), [], []
    for _ in range(12):
        state, report = small.advance(state, small.shape.steps_per_epoch)
        rows.append(dict(zip(small.shape.row_names, report.rows[0], strict=True)))
        weights.append(bits(state.parameters))
    whole, (report,) = small.run([12 * small.shape.steps_per_epoch])
    bests = []
    for watch in WATCHES:
        best, value = -1, watch.threshold
        for epoch, row in enumerate(rows):
            now, sign = row[watch.metric], 1 if watch.direction == "min" else -1
            if epoch >= watch.first_epoch and (value is None or sign * now < sign * value):
                best, value = epoch, now
        bests.append(best)
    assert [int(slot.epoch) for slot in whole.slots] == bests
    assert bests[4] == -1
    assert bests[3] >= 3
    assert len(set(bests)) >= 4, "the epochs differ, else the test says little"
    for best, slot, watch in zip(bests, whole.slots, WATCHES, strict=True):
        if best >= 0:
            assert bits(slot.parameters) == weights[best]
            assert float(slot.value) == rows[best][watch.metric]


def displacement(chosen: Engine) -> tuple[Any, Any, Report]:
    """The weights at the start, how one update moves them, and its report."""
    before = on_host(chosen.begin().parameters)
    state, (report,) = chosen.run([1])
    return before, jax.tree.map(lambda new, old: np.asarray(new) - old, state.parameters, before), report


def norm(tree: Any) -> float:
    return float(np.sqrt(sum((np.asarray(leaf, np.float64) ** 2).sum() for leaf in jax.tree.leaves(tree))))


@pytest.mark.parametrize("limit", [0.0, 0.01, 0.5, 1e6])
def test_a_gradient_longer_than_the_limit_is_scaled_down_to_it(limit: float) -> None:
    _, free, report = displacement(made(PLAIN))
    _, moved, clipped_report = displacement(made(PLAIN).with_numbers(optimizer__global_clipnorm=limit))
    length = float(report.spread[3][2])
    assert norm(free) == pytest.approx(0.3 * length, rel=1e-4)
    assert norm(moved) == pytest.approx(0.3 * (min(limit, length) if limit else length), rel=1e-4)
    assert clipped_report.spread[3][2] == report.spread[3][2], "the norm before the limit is told"
    scale = norm(moved) / norm(free)
    for ours, theirs in zip(jax.tree.leaves(moved), jax.tree.leaves(free), strict=True):
        np.testing.assert_allclose(ours, theirs * scale, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("l1", "l2"), [(0.1, 0.0), (0.0, 0.1), (0.3, 0.2)])
def test_the_penalties_pull_as_their_gradient_says_and_leave_biases_alone(l1: float, l2: float) -> None:
    before, free, free_report = displacement(made(PLAIN))
    _, pulled, report = displacement(made(PLAIN).with_numbers(regularization__l1=l1, regularization__l2=l2))

    def penalty(layers: Any) -> Any:
        return sum(l1 * jnp.abs(layer.weight).sum() + l2 * (layer.weight**2).sum() for layer in layers)

    pull = jax.grad(penalty)(jax.tree.map(jnp.asarray, before))
    for ours, theirs, expected in zip(*map(jax.tree.leaves, (pulled, free, pull)), strict=True):
        np.testing.assert_allclose(ours - theirs, -0.3 * np.asarray(expected), rtol=1e-3, atol=1e-6)
    assert report.spread[3][0] == free_report.spread[3][0], "the loss that is told leaves the penalties out"


@pytest.fixture
def compiles() -> Iterator[list[str]]:
    """What XLA compiles from here on."""
    seen: list[str] = []

    def listen(event: str, duration: float, **_: Any) -> None:
        if "compile" in event:
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


def weights(engine: Engine) -> list[bytes]:
    """All weights after an epoch: those trained, their mean, and those to use."""
    state, _ = engine.run([engine.shape.steps_per_epoch])
    return bits((state.parameters, state.average, state.evaluated))


def inert(config: Config) -> set[str]:
    """The live numbers that change nothing, since what they are for is off."""
    optimizer = config.optimizer
    off = {
        # Nothing is dropped from a linear model, and the length of a training matters to some schedules only.
        "training.epochs": config.schedule.kind == "constant",
        "model.dropout": not config.model.hidden,
        "optimizer.ema_momentum": not optimizer.use_ema,
        "optimizer.lookahead_step_size": not optimizer.lookahead_steps,
        "optimizer.sam_rho": not optimizer.sam,
    }
    return {key for key, is_off in off.items() if is_off}


@pytest.mark.parametrize("chosen", [SMALL, NUMBERS, PLAIN, WRAPPED], ids=["small", "numbers", "plain", "wrapped"])
def test_a_changed_live_number_compiles_nothing_and_changes_the_result(
    chosen: dict[str, Any], compiles: list[str]
) -> None:
    first = made(chosen)
    base = weights(first)
    compiles.clear()
    for index, key in enumerate(numbers.names(first.config)):
        vector = first.vector.copy()
        vector[index] = vector[index] * 0.5 + 0.01
        assert (weights(first._replace(vector=vector)) == base) is (key in inert(first.config)), key
    assert compiles == []


def test_compiling_is_noticed_where_it_happens(compiles: list[str]) -> None:
    jax.jit(lambda x: x * 3.25 + len(compiles))(jnp.ones(7))
    assert compiles


def test_a_config_with_other_numbers_has_the_same_program() -> None:
    first = made(SMALL)
    other = first.config.changed(
        {"optimizer.learning_rate": 0.7, "optimizer.b1": 0.1, "model.dropout": 0.0, "training.epochs": 99,
         "training.seed": 5,
         "regularization.l1": 0.2, "name": "other", "optimizer.global_clipnorm": 2.0}
    )  # fmt: skip
    test = program.place_blocks(first.splits.test)
    kept, compilations = program.compiled(dataclasses.replace(first.shape, config=other), first.data, test)
    assert kept is first.compiled
    assert compilations == ()


def test_what_was_compiled_is_told_and_a_program_that_fell_out_is_compiled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = made(PLAIN)
    monkeypatch.setattr(program, "_programs", type(program._programs)())
    monkeypatch.setattr(program, "_KEPT", 1)
    _, compilations = program.compiled(plain.shape, plain.data, None)
    assert [done.what for done in compilations] == ["init", "advance"]
    assert all(done.seconds > 0 for done in compilations)
    assert program.compiled(plain.shape, plain.data, None)[1] == ()
    wide = dataclasses.replace(plain.shape, config=plain.config.changed({"model.hidden": [2]}))
    assert len(program.compiled(wide, plain.data, None)[1]) == 2
    assert len(program.compiled(plain.shape, plain.data, None)[1]) == 2


WILD = {**NUMBERS, "optimizer.momentum": 0.0, "schedule.kind": "constant"}


def test_the_first_loss_that_is_no_number_is_found_whatever_the_calls() -> None:
    wild = made(WILD).with_numbers(optimizer__learning_rate=300.0)
    _, singles = wild.run([1] * 40)
    losses = [report.spread[3][0] for report in singles]
    first = next(index for index, loss in enumerate(losses) if not np.isfinite(loss))
    assert 3 < first < 30
    assert [report.trouble_step for report in singles] == [-1] * first + [first] * (40 - first)
    for sizes in ([40], [first, 40 - first], [first + 1, 40], [7] * 6):
        _, reports = wild.run(sizes)
        assert reports[-1].trouble_step == first
        assert reports[-1].trouble_learning_rate == 300.0
        assert reports[-1].trouble_grad_norm == singles[first - 1].spread[3][2]
        assert reports[-1].step == sum(sizes), "without care it goes on"


def test_care_ends_a_call_in_the_epoch_of_the_trouble_which_is_no_row() -> None:
    wild = made(WILD).with_numbers(optimizer__learning_rate=300.0)
    _, (report,) = wild.run([40], careful=True)
    spe = wild.shape.steps_per_epoch
    epoch = report.trouble_step // spe
    assert report.step == (epoch + 1) * spe < 40
    assert len(report.rows) == epoch
    assert np.isfinite(report.rows).all()
    _, reports = wild.run([40, 40], careful=True)
    assert reports[1].step == reports[0].step, "a second call does nothing more"


def test_a_run_without_trouble_says_so() -> None:
    _, (report,) = made(SMALL).run([30], careful=True)
    assert (report.trouble_step, report.step) == (-1, 30)


@pytest.mark.parametrize("chosen", [SMALL, NUMBERS], ids=["partial batch", "remainder dropped"])
def test_an_epoch_sees_every_example_once_in_an_order_of_its_own(chosen: dict[str, Any]) -> None:
    any_engine = made(chosen)
    n, spe, size = len(any_engine.splits.train), any_engine.shape.steps_per_epoch, any_engine.config.training.batch_size
    orders = []
    for seed in (0, 1):
        state = any_engine.begin(seed)
        for _ in range(3):
            state, _ = any_engine.advance(state, spe)
            orders.append(np.array(state.order))
    for order in orders:
        assert len(order) == spe * size
        assert len(set(order[:n].tolist())) == min(n, spe * size)
        assert order.min() >= 0
        assert order.max() < n
        np.testing.assert_array_equal(order[n:], order[: max(0, len(order) - n)])
    assert len({order.tobytes() for order in orders}) == len(orders)
    again, _ = any_engine.run([spe])
    np.testing.assert_array_equal(again.order, orders[0])


def test_the_filled_up_rows_of_the_last_batch_do_not_count() -> None:
    """120 examples in batches of 16: the last one holds 8, twice."""
    plain = made(PLAIN)
    _, (report,) = plain.with_numbers(optimizer__learning_rate=1e-30).run([plain.shape.steps_per_epoch])
    row = dict(zip(plain.shape.row_names, report.rows[0], strict=True))
    layers = on_host(plain.begin().parameters)
    expected = measured(layers, plain.splits.train.x, plain.splits.train.y)
    assert len(plain.splits.train) % 16 == 8
    assert (row["loss"], row["accuracy"]) == pytest.approx(expected, rel=1e-5)


def test_the_dropout_of_each_update_is_drawn_anew() -> None:
    """All examples are one and nothing moves, so that only the masks can make the losses differ."""
    whole = made({**SMALL, "training.batch_size": 105})
    one = whole.data._replace(x=jnp.ones_like(whole.data.x), y=jnp.zeros_like(whole.data.y))
    still = whole._replace(data=one).with_numbers(optimizer__learning_rate=1e-30, model__dropout=0.5)
    losses = [float(report.spread[3][0]) for report in still.run([1] * 6)[1]]
    assert len(set(losses)) == 6
    calm = still.with_numbers(model__dropout=0.0)
    assert len({float(report.spread[3][0]) for report in calm.run([1] * 6)[1]}) == 1


def test_the_seed_decides_weights_order_and_masks_and_nothing_else_does() -> None:
    small = made(SMALL)
    assert bits(small.run([11], seed=3)[0]) == bits(small.run([11], seed=3)[0])
    assert bits(small.run([11], seed=3)[0].parameters) != bits(small.run([11], seed=4)[0].parameters)
    assert bits(small.begin(4294967295).parameters) != bits(small.begin(0).parameters)


def test_the_rate_of_an_epoch_is_the_one_last_used_schedule_included() -> None:
    numbers_engine = made(NUMBERS)
    epochs, spe = numbers_engine.config.training.epochs, numbers_engine.shape.steps_per_epoch
    _, (report,) = numbers_engine.run([4 * spe])
    rates = report.rows[:, numbers_engine.shape.row_names.index("learning_rate")]
    steps, rate = np.arange(1, 5) * spe - 1, numbers_engine.config.optimizer.learning_rate
    assert rates == pytest.approx(rate * (1 + np.cos(np.pi * steps / spe / epochs)) / 2, rel=1e-4)


def test_a_run_of_no_validation_has_no_validation_metrics() -> None:
    numbers_engine = made(NUMBERS)
    assert numbers_engine.shape.row_names == ("loss", "mae", "r2", "learning_rate", "grad_norm")
    _, (report,) = numbers_engine.run([numbers_engine.shape.steps_per_epoch])
    assert np.isfinite(report.rows).all()


def test_the_further_metrics_of_an_epoch_are_those_of_its_weights() -> None:
    names = ("top_k", "f1", "precision", "recall", "auroc", "perplexity")
    small = made({**SMALL, "metrics.k": 2, **{f"metrics.{name}": True for name in names}})
    state, (report,) = small.run([5 * small.shape.steps_per_epoch])
    row = dict(zip(small.shape.row_names, report.rows[-1], strict=True))
    y = small.splits.validation.y
    logits = forward(state.parameters, small.splits.validation.x)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    report_of = sklearn.metrics.classification_report(y, logits.argmax(axis=1), output_dict=True, zero_division=0)
    for name, theirs in [("f1", "f1-score"), ("precision", "precision"), ("recall", "recall")]:
        assert row[f"val_{name}"] == pytest.approx(report_of["macro avg"][theirs], rel=1e-5)
    assert row["val_top_2_accuracy"] == pytest.approx(sklearn.metrics.top_k_accuracy_score(y, logits, k=2), rel=1e-5)
    assert row["val_perplexity"] == pytest.approx(np.exp(sklearn.metrics.log_loss(y, shares)), rel=1e-4)
    exact = sklearn.metrics.roc_auc_score(y, shares, multi_class="ovr", average="macro")
    assert row["val_auroc"] == pytest.approx(exact, abs=0.01), "told from bins"
    assert 0 < row["f1"] < 1
