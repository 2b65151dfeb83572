from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import devices, numbers, plan
from trainer.config import Config
from trainer.problems import ConfigError
from trainer.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseSqrt,
    Linear,
    OneCycle,
    Piecewise,
    Polynomial,
    Schedule,
    Step,
)
from trainer.validation import members

devices.prepare_jax()

STEPS, EPOCHS = 13, 20
UPDATES = STEPS * EPOCHS
AT = np.arange(UPDATES)
KINDS = list(members(Config.model_fields["schedule"]))

Array = np.ndarray[Any, Any]
Case = tuple[Schedule, Callable[[Array], Any]]
"""A schedule, and a reference from updates done to its factor."""

draws = st.composite
share = st.floats(0.0, 1.0)
updates = st.integers(1, UPDATES - 1)


def warmed_up(n_warmup: int, then: Any) -> Any:
    return optax.join_schedules([optax.linear_schedule(0.0, 1.0, n_warmup), then], [n_warmup])


@draws
def cosines(draw: Any) -> Case:
    n, alpha = draw(st.integers(0, UPDATES - 1)), draw(share)
    theirs = optax.warmup_cosine_decay_schedule(0.0, 1.0, n, UPDATES, end_value=alpha)
    return Cosine(warmup_epochs=n / STEPS, alpha=alpha), theirs


@draws
def cosine_restarts(draw: Any) -> Case:
    n, alpha = draw(st.integers(0, UPDATES - 1)), draw(share)
    length, growth = draw(st.integers(5, UPDATES)), draw(st.integers(1, 3))
    lengths = [length]
    while sum(lengths) < UPDATES:
        lengths.append(growth * lengths[-1])
    same: dict[str, Any] = {"init_value": 1.0, "peak_value": 1.0, "warmup_steps": 0, "end_value": alpha}
    theirs = optax.sgdr_schedule([{**same, "decay_steps": it} for it in lengths])
    ours = CosineRestarts(warmup_epochs=n / STEPS, alpha=alpha, cycle_epochs=length / STEPS, cycle_growth=float(growth))
    return ours, warmed_up(n, theirs)


@draws
def lines(draw: Any) -> Case:
    n, alpha = draw(st.integers(0, UPDATES - 1)), draw(share)
    theirs = warmed_up(n, optax.linear_schedule(1.0, alpha, UPDATES - n))
    return Linear(warmup_epochs=n / STEPS, alpha=alpha), theirs


@draws
def polynomials(draw: Any) -> Case:
    n, alpha, power = draw(st.integers(0, UPDATES - 1)), draw(share), draw(st.floats(0.1, 10))
    theirs = warmed_up(n, optax.polynomial_schedule(1.0, alpha, power, UPDATES - n))
    return Polynomial(warmup_epochs=n / STEPS, alpha=alpha, power=power), theirs


@draws
def one_cycles(draw: Any) -> Case:
    # Optax begins to fall at a whole update, rounded down.
    pct_start, div, final = (draw(updates) + 1e-9) / UPDATES, draw(st.floats(1, 1e3)), draw(st.floats(1, 1e5))
    theirs = optax.cosine_onecycle_schedule(UPDATES, 1.0, pct_start, div, final)
    return OneCycle(pct_start=pct_start, div_factor=div, final_div_factor=final), jax.vmap(theirs)


@draws
def exponentials(draw: Any) -> Case:
    rate, n = draw(st.floats(0.01, 1)), draw(updates)
    return Exponential(decay_rate=rate, transition_epochs=n / STEPS), optax.exponential_decay(1.0, n, rate)


@draws
def steps(draw: Any) -> Case:
    rate, n = draw(st.floats(0.01, 1)), draw(updates)
    # Not Optax': its staircase, too, may fall a hair short of a whole number, and then comes an update late.
    return Step(decay_rate=rate, transition_epochs=n / STEPS), lambda at: rate ** (np.asarray(at) // n)


@draws
def pieces(draw: Any) -> Case:
    bounds = sorted(draw(st.sets(updates, max_size=4)))
    factors = [draw(st.floats(0.01, 2)) for _ in bounds]
    ours = Piecewise(boundaries=tuple(n / STEPS for n in bounds), factors=tuple(factors))
    return ours, optax.piecewise_constant_schedule(1.0, dict(zip(bounds, factors, strict=True)))


@draws
def inverse_square_roots(draw: Any) -> Case:
    """Vaswani et al. 2017, equation 3, over its value at the end of the warm-up; the width of the model cancels."""
    n = draw(updates)

    def theirs(at: Array) -> Any:
        at = np.asarray(at, np.float64)
        with np.errstate(divide="ignore"):
            return np.minimum(at**-0.5, at * n**-1.5) / n**-0.5

    return InverseSqrt(warmup_epochs=n / STEPS), theirs


CASES = {
    "constant": st.just((Constant(), optax.constant_schedule(1.0))), "cosine": cosines(),
    "cosine_restarts": cosine_restarts(), "linear": lines(), "polynomial": polynomials(),
    "one_cycle": one_cycles(), "exponential": exponentials(),
    "inverse_sqrt": inverse_square_roots(), "step": steps(), "piecewise": pieces(),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_schedule_is_that_of_the_reference_in_double_precision(kind: str) -> None:
    @settings(max_examples=50, deadline=None)
    @given(case=CASES[kind])
    def check(case: Case) -> None:
        ours, theirs = case
        with jax.enable_x64(True):
            found = ours.factor(jnp.asarray(AT) / STEPS, EPOCHS) * np.ones(UPDATES)
            np.testing.assert_allclose(found, theirs(jnp.asarray(AT)) * np.ones(UPDATES), rtol=1e-6, atol=1e-9)

    check()


@settings(max_examples=50, deadline=None)
@given(length=st.floats(0.5, 30), growth=st.floats(1, 4), alpha=share)
def test_cycles_may_grow_by_any_factor(length: float, growth: float, alpha: float) -> None:
    at, begin, end = AT / STEPS, np.zeros(UPDATES), np.full(UPDATES, length)
    while (later := at >= end).any():
        begin, end = np.where(later, end, begin), np.where(later, end + growth * (end - begin), end)
    expected = alpha + (1 - alpha) * (1 + np.cos(np.pi * (at - begin) / (end - begin))) / 2
    clear = np.abs(at - end) > 1e-4
    with jax.enable_x64(True):
        found = CosineRestarts(cycle_epochs=length, cycle_growth=growth, alpha=alpha).factor(jnp.asarray(at), EPOCHS)
    np.testing.assert_allclose(np.asarray(found)[clear], expected[clear], rtol=1e-6, atol=1e-6)


SOME = [
    *(Config().changed({"schedule.kind": kind}).schedule for kind in KINDS),
    Cosine(warmup_epochs=4.0, alpha=0.2), CosineRestarts(warmup_epochs=2.0, cycle_epochs=0.7, cycle_growth=1.0),
    CosineRestarts(cycle_epochs=1.0, cycle_growth=1.3), Linear(warmup_epochs=4.0, alpha=0.1), Polynomial(power=0.5),
    OneCycle(pct_start=0.0), OneCycle(pct_start=1.0), InverseSqrt(warmup_epochs=5.0), InverseSqrt(warmup_epochs=0.0),
    Piecewise(boundaries=(0.7, 2.1, 4.9), factors=(0.5, 3.0, 0.1)), Piecewise(boundaries=(), factors=()),
]  # fmt: skip


def factors(schedule: Schedule) -> Array:
    """What the rate is multiplied by in each update, the numbers traced, in single precision."""
    config = Config(schedule=schedule)

    @jax.jit
    def all_of_them(vector: Any) -> Any:
        traced = numbers.unpack(config, vector)
        return jax.vmap(lambda at: traced.schedule.factor(at / STEPS, jnp.float32(EPOCHS)) * jnp.ones(()))(AT)

    return np.asarray(all_of_them(numbers.pack(config)))


@pytest.mark.parametrize("schedule", SOME, ids=repr)
def test_traced_in_single_precision_it_is_the_same(schedule: Schedule) -> None:
    with jax.enable_x64(True):
        expected = np.asarray(schedule.factor(jnp.asarray(AT) / STEPS, EPOCHS))
    np.testing.assert_allclose(factors(schedule), expected * np.ones(UPDATES), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("schedule", SOME, ids=repr)
def test_the_plan_draws_it(schedule: Schedule) -> None:
    config = Config(schedule=schedule).changed({"training.epochs": EPOCHS, "optimizer.learning_rate": 0.5})
    epochs, rates = plan.learning_rates(config)
    assert (epochs[0], epochs[-1], rates.shape) == (0, EPOCHS, epochs.shape)
    assert np.isfinite(rates).all()
    np.testing.assert_allclose(np.interp(AT / STEPS, epochs, rates)[::60], 0.5 * factors(schedule)[::60], atol=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schedule_stays_between_0_and_1_and_goes_on_after_the_end(kind: str) -> None:
    schedule = Config().changed({"schedule.kind": kind}).schedule
    beyond = np.asarray([schedule.factor(jnp.float32(epoch), 20.0) for epoch in (0.0, 10.5, 20.0, 35.0)])
    assert ((beyond >= 0) & (beyond <= 1)).all()
    assert (np.diff(beyond) <= 0).all() or kind in ("cosine_restarts", "one_cycle", "inverse_sqrt")


@pytest.mark.parametrize("kind", ["cosine", "linear", "polynomial", "cosine_restarts"])
def test_a_training_may_be_all_warm_up(kind: str) -> None:
    for warmup in (20.0, 100.0):
        schedule = Config().changed({"schedule.kind": kind, "schedule.warmup_epochs": warmup}).schedule
        np.testing.assert_allclose(factors(schedule), AT / STEPS / warmup, rtol=1e-4, atol=1e-6)


def test_an_inverse_square_root_without_a_warm_up_starts_at_the_base_rate_and_falls() -> None:
    config = Config(schedule=InverseSqrt(warmup_epochs=0.0)).changed({"optimizer.learning_rate": 0.5})
    np.testing.assert_allclose(factors(InverseSqrt(warmup_epochs=0.0)), (1 + AT / STEPS) ** -0.5, rtol=1e-5)
    epochs, rates = plan.learning_rates(config)
    np.testing.assert_allclose(rates, 0.5 * (1 + epochs) ** -0.5, rtol=1e-5)
    assert np.interp(3, epochs, rates) == pytest.approx(0.25, rel=1e-2)


@pytest.mark.parametrize("length", [0.1, 0.3, 0.7, 1.0, 2.5])
def test_a_rate_jumps_at_the_epoch_that_is_meant_in_single_precision(length: float) -> None:
    step = Step(decay_rate=0.5, transition_epochs=length)
    cycles = CosineRestarts(cycle_epochs=length, cycle_growth=1.0)
    for count in range(1, 30):
        epoch = jnp.float32(length * count)
        piece = Piecewise(boundaries=(length * count,), factors=(0.5,))
        assert float(step.factor(epoch, 100.0)) == pytest.approx(0.5**count, rel=1e-5)
        assert float(cycles.factor(epoch, 100.0)) == pytest.approx(1.0, abs=1e-5)
        assert float(piece.factor(epoch, 100.0)) == 0.5


@pytest.mark.parametrize(
    ("values", "key", "message"),
    [
        ({"boundaries": [20, 10]}, "boundaries", "must ascend, got [20.0, 10.0]."),
        ({"boundaries": [5, 5]}, "boundaries", "must ascend, got [5.0, 5.0]."),
        ({"boundaries": [5]}, "factors", "must be as many as schedule.boundaries, 1, got 2."),
        ({"factors": [0.5, 0.5, 0.5]}, "factors", "must be as many as schedule.boundaries, 2, got 3."),
        ({"boundaries": [0, 5]}, "boundaries", "must be greater than 0.0, got 0."),
        ({"factors": ["a", 1]}, "factors", "must be a number, got 'a'."),
    ],
)
def test_pieces_that_do_not_fit_each_other_are_refused(values: dict[str, Any], key: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.parse({"schedule": {"kind": "piecewise", **values}})
    (problem,) = caught.value.problems
    assert (problem.key, problem.message) == (f"schedule.{key}", message)


def test_pieces_are_given_as_lists() -> None:
    given = {"schedule.kind": "piecewise", "schedule.boundaries": [5, 7.5], "schedule.factors": [0.5, 2]}
    schedule = Config().changed(given).schedule
    assert isinstance(schedule, Piecewise)
    assert (schedule.boundaries, schedule.factors) == ((5.0, 7.5), (0.5, 2.0))
