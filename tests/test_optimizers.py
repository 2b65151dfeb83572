"""Optimizers against Optax and Keras."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import contrib

from trainer import devices, numbers
from trainer.config import Config
from trainer.models import Inputs
from trainer.models.network import Kernel, trained
from trainer.optimizers import Adadelta, Adagrad, Adam, Adamax, AdamW, Lion, Muon, Optimizer, ScheduleFreeSgd, Sgd
from trainer.problems import ConfigError
from trainer.schema import hyperparameters
from trainer.validation import members

devices.prepare_jax()

KINDS = members(Config.model_fields["optimizer"])
UPDATES, DRAWN = 100, 20
AROUND = frozenset(Optimizer.model_fields) - {"learning_rate"}
"""What the step or a wrapper applies, whatever the rule."""


def tree(random: np.random.Generator, *axes: int) -> dict[str, Any]:
    """A small layer, a larger one and a convolution, with biases."""
    shapes = {"small": (3, 4), "bias": (3,), "large": (8, 6), "scale": (), "conv": (3, 2, 2, 5)}
    return {name: random.standard_normal((*axes, *shape)) for name, shape in shapes.items()}


START = tree(np.random.default_rng(0))
KERNELS = {"small": Kernel((1,), (0,)), "bias": False, "large": Kernel((1,), (0,)), "scale": False,
           "conv": Kernel((0, 1, 2), (3,))}  # fmt: skip
GRADIENTS = tree(np.random.default_rng(1), UPDATES)


def path(update: Callable[..., Any], state: Any, start: Any, gradients: Any) -> Any:
    """The weights after each update; leaves of shape [UPDATES, ...]."""

    def step(carry: Any, gradient: Any) -> Any:
        parameters, state = carry
        moves, state = update(gradient, state, parameters)
        parameters = optax.apply_updates(parameters, moves)
        return (parameters, state), parameters

    return jax.lax.scan(step, (start, state), gradients)[1]


def single(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), tree)


def ours(optimizers: list[Optimizer]) -> Any:
    """The paths of optimizers of one structure, all numbers traced and the transformation built anew in each update."""
    configs = [Config(optimizer=optimizer) for optimizer in optimizers]

    def one(vector: Any) -> Any:
        def built() -> Any:
            optimizer = numbers.unpack(configs[0], vector).optimizer
            return optimizer.build(optimizer.learning_rate, KERNELS)

        def update(*arguments: Any) -> Any:
            return built().update(*arguments)

        return path(update, built().init(single(START)), single(START), single(GRADIENTS))

    return jax.jit(jax.vmap(one))(np.stack([numbers.pack(config) for config in configs]))


def theirs(rule: Callable[..., Any], optimizers: list[Optimizer]) -> Any:
    """The same in double precision, from what Optax itself offers."""
    live = [name for name in hyperparameters(Config(optimizer=optimizers[0])) if name.startswith("optimizer.")]
    names = [name for path in live if isinstance(getattr(optimizers[0], name := path.partition(".")[2]), float)]
    fixed = {name: getattr(optimizers[0], name) for name in type(optimizers[0]).model_fields if name not in names}

    def one(values: Any) -> Any:
        transformation = rule(**fixed, **dict(zip(names, values, strict=True)))
        return path(transformation.update, transformation.init(start), start, gradients)

    with jax.enable_x64(True):
        start, gradients = jax.tree.map(jnp.asarray, (START, GRADIENTS))
        rows = jnp.array([[getattr(optimizer, name) for name in names] for optimizer in optimizers])
        return jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(rows))


def kernels(tree: Any) -> Any:
    return {name: name in ("small", "large", "conv") for name in tree}


def adam_like(made: Callable[..., Any]) -> Callable[..., Any]:
    return lambda learning_rate, b1, b2, eps, **_: made(learning_rate, b1=b1, b2=b2, eps=eps)


def decayed(made: Callable[..., Any]) -> Callable[..., Any]:
    return lambda learning_rate, b1, b2, eps, weight_decay, **_: made(
        learning_rate, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay, mask=kernels
    )


def schedule_free(learning_rate: Any, b1: Any, weight_decay: Any, b2: Any = None, eps: Any = None, **_: Any) -> Any:
    scaling = optax.identity() if b2 is None else optax.scale_by_adam(b1=0.0, b2=b2, eps=eps)
    decay = optax.masked(optax.add_decayed_weights(weight_decay), kernels)
    inner = optax.chain(scaling, decay, optax.scale_by_learning_rate(learning_rate))
    return contrib.schedule_free(inner, learning_rate, b1=b1)


def novograd(learning_rate: Any, b1: Any, b2: Any, eps: Any, weight_decay: Any, **_: Any) -> Any:
    def of(decay: Any, group: Callable[..., Any]) -> Any:
        return optax.masked(optax.novograd(learning_rate, b1, b2, eps, weight_decay=decay), group)

    others = lambda tree: jax.tree.map(lambda it: not it, kernels(tree))  # noqa: E731
    return optax.chain(of(weight_decay, kernels), of(0.0, others))


def as_products(tree: Any) -> Any:
    """Weights as Optax wants them, x @ W: [inputs, outputs]."""
    turned = {name: leaf.T for name, leaf in tree.items() if name in ("small", "large")}
    return {**tree, **turned, "conv": tree["conv"].reshape(-1, 5)}


def muon(
    learning_rate: Any, beta: Any, nesterov: bool, ns_steps: int, adam_ratio: Any, weight_decay: Any, **_: Any
) -> Any:
    rule = contrib.muon(
        learning_rate, ns_steps=ns_steps, beta=beta, nesterov=nesterov, weight_decay=weight_decay,
        adam_learning_rate=adam_ratio * learning_rate,
    )  # fmt: skip

    def update(gradient: Any, state: Any, parameters: Any) -> Any:
        moves, state = rule.update(as_products(gradient), state, as_products(parameters))
        back = {name: moves[name].T if name in ("small", "large") else moves[name] for name in moves}
        return {**back, "conv": moves["conv"].reshape(parameters["conv"].shape)}, state

    return optax.GradientTransformation(lambda parameters: rule.init(as_products(parameters)), update)


REFERENCES: dict[str, Callable[..., Any]] = {
    "sgd": lambda learning_rate, momentum, nesterov, **_: optax.sgd(learning_rate, momentum, nesterov),
    "adam": adam_like(optax.adam),
    "adamw": decayed(optax.adamw),
    "nadam": adam_like(optax.nadam),
    "nadamw": decayed(optax.nadamw),
    "adamax": adam_like(optax.adamax),
    "adabelief": lambda learning_rate, b1, b2, eps, **_: optax.adabelief(learning_rate, b1, b2, eps, eps),
    "radam": lambda learning_rate, b1, b2, eps, threshold, **_: optax.radam(
        learning_rate, b1, b2, eps, threshold=threshold
    ),
    "rmsprop": lambda learning_rate, decay, momentum, eps, **_: optax.rmsprop(
        learning_rate, decay, eps, momentum=momentum
    ),
    "adagrad": lambda learning_rate, initial_accumulator_value, eps, **_: optax.adagrad(
        learning_rate, initial_accumulator_value, eps
    ),
    "adadelta": lambda learning_rate, rho, eps, **_: optax.adadelta(learning_rate, rho, eps),
    "lion": lambda learning_rate, b1, b2, weight_decay, **_: optax.lion(
        learning_rate, b1, b2, weight_decay=weight_decay, mask=kernels
    ),
    "lamb": lambda learning_rate, b1, b2, eps, weight_decay, **_: optax.lamb(
        learning_rate, b1, b2, eps, weight_decay=weight_decay, mask=kernels
    ),
    "lars": lambda learning_rate, momentum, nesterov, weight_decay, trust_coefficient, **_: optax.lars(
        learning_rate, weight_decay, kernels, trust_coefficient, 0.0, kernels, momentum, nesterov
    ),
    "novograd": novograd,
    "adafactor": lambda learning_rate, min_dim_size_to_factor, decay_rate, clipping_threshold,
    multiply_by_parameter_scale, **_: optax.adafactor(
        learning_rate, min_dim_size_to_factor, decay_rate, 0, multiply_by_parameter_scale, clipping_threshold
    ),
    "muon": muon,
    "schedule_free_sgd": schedule_free,
    "schedule_free_adamw": schedule_free,
}  # fmt: skip


def drawn(kind: str, **structure: Any) -> list[Optimizer]:
    """Optimizers of a kind with numbers at random, from all over what is sensible."""
    random = np.random.default_rng(sorted(KINDS).index(kind))
    optimizer = Config().changed({"optimizer.kind": kind}).optimizer.model_copy(update=structure)
    found, fields = [], {key.rpartition(".")[2]: it for key, it in hyperparameters(Config(optimizer=optimizer)).items()}
    for _ in range(DRAWN):
        values = {}
        for name, value in optimizer:
            if isinstance(value, float) and name not in AROUND and fields[name].role == "live":
                values[name] = number(random, name, value)
        found.append(optimizer.model_copy(update=values))
    return found


def number(random: np.random.Generator, name: str, default: float) -> float:
    if name == "eps":
        return float(10 ** random.uniform(-8, -3))
    if name == "learning_rate":
        return max(default, 0.03) * float(10 ** random.uniform(-0.3, 0.3))
    if name in ("trust_coefficient", "threshold", "clipping_threshold"):
        return default * float(10 ** random.uniform(0, 0.5))
    return float(random.uniform(0.3, 0.9) if name == "decay_rate" else random.uniform(0.05, 0.98))


STRUCTURES: list[tuple[str, dict[str, Any]]] = [
    *((kind, {}) for kind in KINDS),
    ("sgd", {"nesterov": True}),
    ("lars", {"nesterov": True}),
    ("adagrad", {"initial_accumulator_value": 1.0}),
    ("adafactor", {"min_dim_size_to_factor": 2}),
    ("adafactor", {"multiply_by_parameter_scale": False}),
    ("muon", {"nesterov": False, "ns_steps": 3}),
    ("schedule_free_sgd", {"b1": 0.5}),
    ("schedule_free_adamw", {"b1": 0.98}),
]


@pytest.mark.parametrize(("kind", "structure"), STRUCTURES, ids=str)
def test_a_hundred_updates_are_those_of_optax_in_double_precision(kind: str, structure: dict[str, Any]) -> None:
    optimizers = drawn(kind, **structure)
    found, expected = ours(optimizers), theirs(REFERENCES[kind], optimizers)
    for name, leaf in expected.items():
        moved = np.abs(leaf - START[name]).reshape(DRAWN, -1).max(-1)
        assert (moved > 1e-4).all(), f"{name} hardly moved: nothing was compared"
        # A thousandth of the way that they went, and what a hundred sums in single precision lose.
        error = np.abs(found[name] - leaf).reshape(DRAWN, -1).max(-1)
        assert (error < 1e-3 * moved + 1e-5).all(), (name, error, moved)


def test_every_optimizer_is_compared_with_optax() -> None:
    assert REFERENCES.keys() == KINDS.keys()
    assert len(STRUCTURES) * DRAWN >= 300


def path_of(optimizer: Optimizer) -> np.ndarray[Any, Any]:
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(ours([optimizer]))])


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_an_optimizer_has_an_effect(kind: str) -> None:
    """A field that `rule` forgets would be a control that controls nothing."""
    optimizer = Config().changed({"optimizer.kind": kind, "optimizer.learning_rate": 0.02}).optimizer
    if kind == "adafactor":
        optimizer = optimizer.model_copy(update={"min_dim_size_to_factor": 2})
    base = path_of(optimizer)
    for name in type(optimizer).model_fields.keys() - AROUND - {"kind"}:
        value = getattr(optimizer, name)
        other = not value if isinstance(value, bool) else value + 9 if isinstance(value, int) else 0.6 * value + 0.2
        reference, changed = base, {name: other}
        if name == "nesterov":
            reference, changed = path_of(optimizer.model_copy(update={"momentum": 0.5})), {name: other, "momentum": 0.5}
        assert not np.allclose(path_of(optimizer.model_copy(update=changed)), reference, rtol=1e-4), name


def test_the_defaults_are_those_of_optax() -> None:
    known = {
        "adam": optax.adam, "adamw": optax.adamw, "nadam": optax.nadam, "nadamw": optax.nadamw, "adamax": optax.adamax,
        "adabelief": optax.adabelief, "radam": optax.radam, "rmsprop": optax.rmsprop, "adagrad": optax.adagrad,
        "adadelta": optax.adadelta, "lion": optax.lion, "lamb": optax.lamb, "lars": optax.lars,
        "novograd": optax.novograd, "adafactor": optax.adafactor, "muon": contrib.muon,
        "schedule_free_sgd": contrib.schedule_free_sgd, "schedule_free_adamw": contrib.schedule_free_adamw,
    }  # fmt: skip
    for kind, made in known.items():
        defaults = {name: it.default for name, it in inspect.signature(made).parameters.items()}
        own = {name for name in KINDS[kind].model_fields if name not in AROUND}
        # Where Optax's weight decay is one of many papers', ours is 0.01 for each that is apart from the gradient.
        shared = own & defaults.keys() - {"learning_rate", "weight_decay", "momentum", "nesterov"}
        assert shared, kind
        optimizer = KINDS[kind]()
        assert {name: getattr(optimizer, name) for name in shared} == {name: defaults[name] for name in shared}, kind


KERAS: list[tuple[Any, str, dict[str, Any]]] = [
    (Sgd(learning_rate=0.02, momentum=0.9), "SGD", {"momentum": 0.9}),
    (Sgd(learning_rate=0.02, momentum=0.9, nesterov=True), "SGD", {"momentum": 0.9, "nesterov": True}),
    (Adam(learning_rate=0.02), "Adam", {"epsilon": 1e-8}),
    (AdamW(learning_rate=0.02, weight_decay=0.1), "AdamW", {"weight_decay": 0.1, "epsilon": 1e-8}),
    (Adamax(learning_rate=0.02), "Adamax", {"epsilon": 1e-8}),
    (Lion(learning_rate=0.02), "Lion", {"weight_decay": 1e-2}),
    (Adadelta(learning_rate=0.02), "Adadelta", {"rho": 0.9, "epsilon": 1e-6}),
]


@pytest.mark.xdist_group("keras")
@pytest.mark.parametrize(("optimizer", "name", "arguments"), KERAS)
def test_a_hundred_updates_are_those_of_keras_where_definitions_agree(
    keras: Any, optimizer: Optimizer, name: str, arguments: dict[str, Any]
) -> None:
    reference = getattr(keras.optimizers, name)(0.02, **arguments)
    variables = {name: keras.Variable(np.asarray(leaf, np.float32), name=name) for name, leaf in START.items()}
    if reference.weight_decay:
        reference.exclude_from_weight_decay([variables[name] for name in ("bias", "scale")])
    reference.build(list(variables.values()))
    for number in range(UPDATES):
        reference.apply([jnp.asarray(GRADIENTS[name][number], jnp.float32) for name in variables])
    found = ours([optimizer])
    for name, variable in variables.items():
        np.testing.assert_allclose(found[name][0, -1], np.asarray(variable.value), rtol=1e-4, atol=1e-4)


ONE = Sgd(learning_rate=0.1)


def last(optimizer: Optimizer) -> dict[str, Any]:
    return {name: np.asarray(leaf[0]) for name, leaf in ours([optimizer]).items()}


def test_accumulated_gradients_make_one_step_of_their_mean() -> None:
    found = last(ONE.model_copy(update={"gradient_accumulation_steps": 4}))
    for name, leaf in found.items():
        means = np.asarray(GRADIENTS[name]).reshape(UPDATES // 4, 4, *leaf.shape[1:]).mean(1)
        expected = START[name] - 0.1 * np.cumsum(means, axis=0)
        np.testing.assert_allclose(leaf[3::4], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(leaf[4:7], leaf[3:6])


def test_lookahead_falls_back_half_way_every_so_many_steps() -> None:
    found = last(ONE.model_copy(update={"lookahead_steps": 5, "lookahead_step_size": 0.5}))
    for name, leaf in found.items():
        slow = fast = START[name]
        for number in range(UPDATES):
            fast = fast - 0.1 * GRADIENTS[name][number]
            if number % 5 == 4:
                slow = fast = slow + 0.5 * (fast - slow)
            np.testing.assert_allclose(leaf[number], fast, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "optimizer",
    [
        ScheduleFreeSgd(learning_rate=0.1, b1=0.8),
        ONE.model_copy(update={"lookahead_steps": 5}),
        ONE.model_copy(update={"lookahead_steps": 5, "gradient_accumulation_steps": 3}),
        ScheduleFreeSgd(learning_rate=0.1, gradient_accumulation_steps=3),
    ],
    ids=["schedule_free", "lookahead", "lookahead_accumulated", "schedule_free_accumulated"],
)
def test_the_weights_to_use_are_others_than_those_that_are_trained(optimizer: Optimizer) -> None:
    rule = optimizer.build(optimizer.learning_rate, KERNELS)
    parameters, state = single(START), rule.init(single(START))
    for number in range(13):
        moves, state = rule.update(jax.tree.map(lambda leaf, n=number: leaf[n], single(GRADIENTS)), state, parameters)
        parameters = optax.apply_updates(parameters, moves)
    used = optimizer.to_evaluate(state, parameters)
    assert optimizer.evaluates_others
    assert jax.tree.structure(used) == jax.tree.structure(parameters)
    for name, leaf in used.items():
        assert leaf.shape == parameters[name].shape
        assert not np.allclose(leaf, parameters[name])
        assert np.isfinite(leaf).all()


def one_move(optimizer: Optimizer, rate: float, kernels: Any, start: Any, gradient: Any) -> Any:
    rule = optimizer.build(rate, kernels)
    return rule.update(gradient, rule.init(start), start)[0]


def test_what_is_no_matrix_moves_and_decays_at_the_rate_of_adam_which_every_cut_cuts() -> None:
    """Of weights whose axes are not known, no matrix can be made."""
    optimizer = Muon(learning_rate=0.1, adam_ratio=0.2, weight_decay=0.5, nesterov=False)
    start = {"stack": jnp.full((2, 3, 4), 8.0), "bias": jnp.full(3, 8.0), "matrix": jnp.full((3, 4), 8.0)}
    kernels = {"stack": Kernel(), "bias": False, "matrix": Kernel((1,), (0,))}
    nothing, ones = (jax.tree.map(make, start) for make in (jnp.zeros_like, jnp.ones_like))
    for rate in (0.1, 0.01):
        cut = optimizer.model_copy(update={"learning_rate": rate})
        decay = one_move(cut, rate, kernels, start, nothing)
        for name, expected in (("stack", 0.2 * rate * 0.5 * 8), ("bias", 0), ("matrix", rate * 0.5 * 8)):
            np.testing.assert_allclose(decay[name], -expected, rtol=1e-5, atol=1e-9)
        moved = one_move(cut, rate, kernels, start, ones)
        for name in ("stack", "bias"):
            np.testing.assert_allclose(moved[name] - decay[name], -0.2 * rate, rtol=1e-4)


@pytest.mark.parametrize(
    ("inputs", "model"),
    [
        (Inputs(64, (8, 8, 1)), {"kind": "cnn", "norm": "batch"}),
        (Inputs(64, (8, 8, 1)), {"kind": "resnet"}),
        (Inputs(64, (8, 8, 1)), {"kind": "transformer"}),
        (Inputs(5), {"kind": "transformer"}),
        (Inputs(4, categories=(0, 9, 0, 5)), {"kind": "mlp", "norm": "layer"}),
        (Inputs(7), {"kind": "lstm"}),
        (Inputs(7, vocabulary=11), {"kind": "transformer_lm", "tied": False}),
    ],
    ids=str,
)
def test_every_kernel_of_a_network_moves_by_muon_as_outputs_times_inputs(inputs: Inputs, model: Any) -> None:
    """By the size of its step: sqrt(max(1, outputs / inputs)) for each direction, as in Jordan et al. 2024."""
    network = Config().changed({f"model.{name}": it for name, it in model.items()}).model.network(inputs, 3)
    parameters = trained(jax.jit(network.init)(jax.random.key(0)))
    kernels = network.kernels(parameters)
    assert jax.tree.structure(kernels) == jax.tree.structure(parameters)
    random = np.random.default_rng(0)
    slopes = jax.tree.map(lambda leaf: jnp.asarray(random.standard_normal(leaf.shape), jnp.float32), parameters)
    moves = one_move(Muon(weight_decay=0.0, nesterov=False), 1.0, kernels, parameters, slopes)
    its = zip(jax.tree_util.tree_leaves_with_path(moves), jax.tree.leaves(kernels), strict=True)
    for (place, move), kernel in its:
        name = place[-1].name if hasattr(place[-1], "name") else "tables"
        assert bool(kernel) == (move.ndim > 1) == (name in ("weight", "recurrent", "position", "tables"))
        if not kernel or move.ndim == 3:
            np.testing.assert_allclose(np.abs(move), Muon().adam_ratio, rtol=1e-3)
            continue
        is_table = name in ("position", "tables") or (move.shape[0] == 11 and place[0].idx == 0)
        matrix = np.asarray(move) if is_table or move.ndim == 4 else np.asarray(move).T
        matrix = matrix.reshape(-1, matrix.shape[-1])  # [inputs, outputs]
        size = np.linalg.svd(matrix, compute_uv=False).mean() / np.sqrt(max(1, matrix.shape[1] / matrix.shape[0]))
        assert 0.6 < size < 1.25, (jax.tree_util.keystr(place), move.shape, size)


def test_the_nearness_of_a_schedule_free_optimizer_is_compiled_in() -> None:
    """Its state holds weights that are mixed by it, from which those to use can only be had with the same number."""
    for kind in ("schedule_free_sgd", "schedule_free_adamw"):
        config = Config().changed({"optimizer.kind": kind})
        assert "optimizer.b1" not in numbers.names(config)
        assert numbers.structure(config.changed({"optimizer.b1": 0.5})) != numbers.structure(config)


def test_a_schedule_free_optimizer_does_not_look_ahead() -> None:
    with pytest.raises(ConfigError, match="lookahead_steps must be at most 0"):
        Config().changed({"optimizer.kind": "schedule_free_sgd", "optimizer.lookahead_steps": 5})


def test_an_optimizer_of_the_sum_of_squares_begins_with_what_it_is_told() -> None:
    assert Adagrad(initial_accumulator_value=0.5).build(0.1, KERNELS).init(single(START))[0].sum_of_squares[1][0] == 0.5
