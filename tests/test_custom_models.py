"""Networks of a person's own: what their code may be, what comes of it, and how it is told what is wrong with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trainer import checkpoints, devices, forward, numbers, program, step, toml
from trainer.config import Config, dump, load, values
from trainer.gradient import gradient_of
from trainer.models import MLP, Inputs, Noise
from trainer.models.equinox_network import kernels_of
from trainer.models.network import Constant, Kernel
from trainer.models.network import trained as trained_of
from trainer.preparation import prepare
from trainer.problems import ConfigError
from trainer.schema import hyperparameters
from trainer.shape import shape_of
from trainer.summary import summarize
from trainer.training import start, train, train_together

devices.prepare_jax()

PRESETS = Path(__file__).parents[1] / "presets"
TABLE, PICTURE = Inputs(4), Inputs(4 * 3, (4, 3, 1))
NETWORK = """
import equinox as eqx, jax, jax.numpy as jnp

class Net(eqx.Module):
    blocks: list
    norm: eqx.nn.LayerNorm
    head: eqx.nn.Linear
    order: jax.Array
    dropout: eqx.nn.Dropout

    def __init__(self, config, n, outputs, key):
        first, second, third, fourth = jax.random.split(key, 4)
        width = config["width"]
        self.blocks = [eqx.nn.Linear(n, width, key=first), eqx.nn.Linear(width, width, key=second)]
        self.norm = eqx.nn.LayerNorm(width)
        self.head = eqx.nn.Linear(width, outputs, key=third)
        self.order = jax.random.permutation(fourth, n)
        self.dropout = eqx.nn.Dropout(config.get("dropout", 0.0))

    def __call__(self, x, *, key=None):
        x = x.ravel()[self.order]
        for block in self.blocks:
            x = jax.nn.relu(block(x))
        return self.head(self.dropout(self.norm(x), key=key))

def network(config, input_shape, output_size, key):
    n = 1
    for size in input_shape:
        n *= size
    return Net(config, n, output_size, key)
"""
IMPORTS = "import equinox as eqx, jax, jax.numpy as jnp\n"
STACKED = """
class Mean(eqx.Module):
    each: eqx.nn.Linear
    def __call__(self, x):
        return eqx.filter_vmap(lambda layer: layer(x))(self.each).mean(0)

def network(config, shape, outputs, key):
    return Mean(eqx.filter_vmap(lambda key: eqx.nn.Linear(shape[0], outputs, key=key))(jax.random.split(key, 3)))
"""
SETTINGS = {
    "data.source": "iris", "data.test_split": 0.2, "model.kind": "custom", "model.target": "mine:network",
    "model.arguments": {"width": 6, "dropout": 0.3}, "training.epochs": 2, "training.batch_size": 32,
    "optimizer.learning_rate": 0.01,
}  # fmt: skip


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Config]:
    """Return what writes code beside a preset and gives the config that may run it; the same code in the same place."""
    folders: dict[str, Path] = {}

    def write(code: str = NETWORK, **settings: Any) -> Config:
        folder = folders.setdefault(code, tmp_path_factory.mktemp("own"))
        (folder / "mine.py").write_text(code)
        values = {**SETTINGS, **{key.replace("__", "."): value for key, value in settings.items()}}
        return Config().changed(values).permitted(folder)

    return write


def folder_of(config: Config) -> Path:
    permission = config.model.permission
    assert permission is not None
    assert permission.folder is not None
    return permission.folder


def network(config: Config, inputs: Inputs = TABLE, outputs: int = 3) -> Any:
    return config.model.network(inputs, outputs)


def refusal(config: Config, inputs: Inputs = TABLE, outputs: int = 3) -> str:
    """Return why there is no network, in one line about the target, without the folder."""
    problem = config.model.misfit(inputs, outputs)
    assert problem is not None
    assert problem.key == "model.target"
    assert "\n" not in str(problem)
    return problem.message.replace(f"{folder_of(config)}/", "")


def noise(seed: int) -> Noise:
    return Noise(lambda: jax.random.key(seed), lambda it_is: it_is)


AS_MLP = """
import equinox as eqx, jax
from trainer.models import MLP, Inputs

class Net(eqx.Module):
    layers: tuple

    def __call__(self, x):
        *hidden, last = self.layers
        for layer in hidden:
            x = jax.nn.relu(layer.weight @ x + layer.bias)
        return last.weight @ x + last.bias

class Linear(eqx.Module):
    weight: jax.Array
    bias: jax.Array

def network(config, shape, outputs, key):
    layers = MLP(hidden=config["hidden"]).network(Inputs(shape[0]), outputs).init(key)
    return Net(tuple(Linear(*layer) for layer in layers))
"""


def test_it_is_the_built_in_network_of_the_same_weights(own: Any, trained: Any) -> None:
    config = own(AS_MLP, model__arguments={"hidden": [8, 5]})
    plain = Config().changed({**{key: SETTINGS[key] for key in SETTINGS if "model" not in key}, "model.hidden": [8, 5]})
    ours, theirs = network(config), MLP(hidden=(8, 5)).network(TABLE, 3)
    key, x = jax.random.key(1), np.random.default_rng(0).standard_normal((7, 4)).astype(np.float32)
    mine, parameters = ours.init(key), theirs.init(key)
    assert [sorted(part) for part in mine] == [[f"layers.{n}.bias", f"layers.{n}.weight"] for n in range(3)]
    np.testing.assert_allclose(ours.apply(mine, x, None), theirs.apply(parameters, x, None), rtol=1e-5, atol=1e-6)
    one, other = trained(config), trained(plain)
    assert (one.status.state, one.status.n_parameters) == ("finished", other.status.n_parameters)
    for name in ("loss", "val_loss", "val_accuracy", "grad_norm"):
        assert one.epochs[name].y == pytest.approx(other.epochs[name].y, rel=1e-4), name
    assert one.status.test == pytest.approx(other.status.test, rel=1e-4)
    last = [run.inside.layers[name] for run, name in ((one, "layers.2"), (other, "output"))]
    for number in ("gradient_norm", "weight_norm", "update_ratio", "mean", "std", "dead"):
        assert getattr(last[0], number) == pytest.approx(getattr(last[1], number), rel=1e-3), number
    hidden = one.inside.layers["layers.0"]
    assert hidden.gradient_norm == pytest.approx(other.inside.layers["hidden_1"].gradient_norm, rel=1e-3)
    assert (hidden.mean, hidden.dead, hidden.outputs) == (None, None, None)


def test_each_part_is_named_counted_and_told(own: Any) -> None:
    config = own()
    parts = [
        (layer.name, layer.words, layer.shape, layer.n_parameters, layer.flops) for layer in network(config).layers
    ]
    assert parts == [
        ("blocks.0", "Linear", None, 30, None), ("blocks.1", "Linear", None, 42, None),
        ("norm", "LayerNorm", None, 12, None), ("head", "Linear", (3,), 21, None),
    ]  # fmt: skip
    prepared = prepare(config)
    told = summarize(prepared.config, prepared.splits.summary)
    assert told.n_parameters == prepared.n_parameters == 105
    products = 2 * (4 * 6 + 6 * 6 + 6 * 3)
    assert products <= told.flops < 2 * products


def test_a_part_may_be_the_whole_module_or_lie_beside_others(own: Any) -> None:
    alone = own("import equinox as eqx\ndef network(c, shape, n, key): return eqx.nn.Linear(shape[0], n, key=key)")
    assert [layer.name for layer in network(alone).layers] == ["linear"]
    wrapped = own(
        "import equinox as eqx\nclass Net(eqx.Module):\n    inner: eqx.nn.MLP\n"
        "    def __call__(self, x): return self.inner(x)\n"
        "def network(c, shape, n, key): return Net(eqx.nn.MLP(shape[0], n, 5, 1, key=key))"
    )
    assert [layer.name for layer in network(wrapped).layers] == ["layers.0", "layers.1"]


def test_a_picture_comes_as_rows_columns_and_channels(own: Any) -> None:
    code = """
import equinox as eqx
class Net(eqx.Module):
    conv: eqx.nn.Conv2d
    def __call__(self, x):
        assert x.shape == (4, 3, 1)
        return self.conv(x.transpose(2, 0, 1)).mean((1, 2))
def network(config, shape, n, key):
    assert shape == (4, 3, 1)
    return Net(eqx.nn.Conv2d(shape[2], n, 3, padding=1, key=key))
"""
    its = network(own(code), PICTURE)
    x = np.random.default_rng(0).standard_normal((2, 12)).astype(np.float32)
    conv = eqx.nn.Conv2d(1, 3, 3, padding=1, key=jax.random.key(5))
    expected = jax.vmap(lambda one: conv(one.reshape(1, 4, 3)).mean((1, 2)))(x)
    np.testing.assert_allclose(its.apply(its.init(jax.random.key(5)), x, None), expected, rtol=1e-5)


class Parts(eqx.Module):
    """Layers of all sorts, stacked or not, and arrays in none."""

    linear: eqx.nn.Linear
    conv: eqx.nn.Conv2d
    stacked: eqx.nn.Conv2d
    cell: eqx.nn.GRUCell
    table: eqx.nn.Embedding
    norms: list[eqx.nn.LayerNorm]
    turned: eqx.nn.WeightNorm[eqx.nn.Linear]
    own: dict[str, jax.Array]

    def __init__(self, key: jax.Array) -> None:
        self.linear = eqx.nn.Linear(3, 4, key=key)
        self.conv = eqx.nn.Conv2d(2, 5, 3, key=key)
        self.stacked = eqx.filter_vmap(lambda key: eqx.nn.Conv2d(2, 5, 3, key=key))(jax.random.split(key, 6))
        self.cell = eqx.nn.GRUCell(3, 4, key=key)
        self.table = eqx.nn.Embedding(7, 4, key=key)
        self.norms = [eqx.filter_vmap(lambda _: eqx.nn.LayerNorm(4))(jnp.arange(6)), eqx.nn.LayerNorm((3, 4))]
        self.turned = eqx.nn.WeightNorm(eqx.nn.Linear(3, 4, key=key))
        self.own = {"bias": jnp.zeros((6, 4)), "matrix": jnp.zeros((4, 3)), "cube": jnp.zeros((2, 4, 3))}


def test_the_module_says_which_arrays_are_weights_and_along_which_axes() -> None:
    found = jax.tree.leaves_with_path(kernels_of(eqx.filter(Parts(jax.random.key(0)), eqx.is_array)))
    kernels = {jax.tree_util.keystr(path, simple=True, separator="."): kernel for path, kernel in found if kernel}
    linear, conv = Kernel((-1,), (-2,)), Kernel((-3, -2, -1), (-4,))
    assert kernels == {
        "linear.weight": linear, "conv.weight": conv, "stacked.weight": conv, "cell.weight_ih": linear,
        "cell.weight_hh": linear, "table.weight": Kernel((-2,), (-1,)), "turned.layer.weight": linear,
        "own.matrix": linear, "own.cube": Kernel(),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["adamw", "lars", "lamb", "novograd", "muon", "schedule_free_sgd"])
def test_only_weights_decay_also_where_layers_are_stacked(kind: str) -> None:
    """In the preset that is a mixture of experts, whose biases are [experts, outputs]."""
    config = load(PRESETS / "custom-model.toml").permitted(PRESETS)
    config = config.changed({"optimizer.kind": kind, "optimizer.weight_decay": 0.1})
    its = network(config, Inputs(64, (8, 8, 1)), 10)
    parameters = jax.tree.map(jnp.ones_like, trained_of(its.init(jax.random.key(0))))
    kernels = its.kernels(parameters)
    rule = config.optimizer.build(0.1, kernels)
    moves, _ = rule.update(jax.tree.map(jnp.zeros_like, parameters), rule.init(parameters), parameters)
    names = {name: bool(jnp.any(move)) for part in moves for name, move in part.items()}
    assert set(names) == {
        f"{layer}.{name}" for layer in ("gate", "experts.layers.0", "experts.layers.1") for name in ("weight", "bias")
    }
    assert names == {name: name.endswith("weight") for name in names}


def test_penalties_are_on_the_weights_alone(own: Any) -> None:
    prepared = prepare(own(IMPORTS + STACKED, regularization__l1=0.5, regularization__l2=0.25))
    shape, data = shape_of([prepared]), program.place(prepared.splits)
    config = prepared.config
    state = jax.jit(step.make_init(shape))(np.uint32(0), numbers.pack(config))
    state = step.at_epoch_begin(shape, data, state)
    plain = config.changed({"regularization.l1": 0.0, "regularization.l2": 0.0})
    ours, theirs = (gradient_of(shape, its, data, state, jnp.int32(0)).gradient[0] for its in (config, plain))
    weight, bias = (next(name for name in ours if name.endswith(end)) for end in ("weight", "bias"))
    its = state.parameters[0]
    assert its[bias].shape == (3, 3)
    np.testing.assert_allclose(
        ours[weight] - theirs[weight], 0.5 * jnp.sign(its[weight]) + 0.5 * its[weight], rtol=1e-3, atol=1e-5
    )
    np.testing.assert_array_equal(ours[bias], theirs[bias])


def test_dropout_is_drawn_for_each_example_while_it_trains_and_off_otherwise(own: Any) -> None:
    its = network(own(model__arguments={"width": 6, "dropout": 0.5}))
    parameters, x = its.init(jax.random.key(0)), jnp.ones((8, 4))
    one, same, other = (np.asarray(its.apply(parameters, x, noise(seed))) for seed in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()
    assert len({row.tobytes() for row in one}) > 1, "each example has a mask of its own"
    still = np.asarray(its.apply(parameters, x, None))
    assert (still == still[0]).all()


def test_arrays_that_are_no_floats_are_kept_as_they_were_made(own: Any, trained: Any) -> None:
    config = own(optimizer__use_ema=True, optimizer__kind="adamw")
    its = network(config)
    kept = its.init(jax.random.key(3))[0]["order"]
    assert isinstance(kept, Constant)
    assert sorted(kept.value.tolist()) == [0, 1, 2, 3]
    run = trained(config)
    assert run.status.state == "finished"
    arrays, _ = checkpoints.load(checkpoints.newest_good(run.directory / "checkpoints", "last"))
    for tree in ("parameters", "average"):
        assert sorted(arrays[f"{tree}.0.order.value"].tolist()) == [0, 1, 2, 3]


def test_what_is_saved_is_what_was_validated(own: Any, trained: Any) -> None:
    prepared = prepare(own())
    run = trained(prepared.config)
    arrays, manifest = checkpoints.load(checkpoints.newest_good(run.directory / "checkpoints", "best"))
    assert {"parameters.0.blocks.0.weight", "parameters.0.order.value", "parameters.3.head.bias"} < arrays.keys()
    its = prepared.config.model.network(prepared.splits.summary.inputs, 3)
    outline, tree = jax.tree.flatten(its.outline)
    names = [
        "".join(f".{part}" for part in _keys(path)) for path, _ in jax.tree_util.tree_leaves_with_path(its.outline)
    ]
    parameters = jax.tree.unflatten(tree, [arrays[f"parameters{name}"] for name in names])
    assert [leaf.shape for leaf in jax.tree.leaves(parameters)] == [leaf.shape for leaf in outline]
    validation = prepared.splits.validation
    outputs = its.apply(parameters, jnp.asarray(validation.x), None)
    losses = -jax.nn.log_softmax(outputs)[jnp.arange(len(validation)), validation.y]
    assert float(losses.mean()) == pytest.approx(manifest.value, rel=1e-5)


def _keys(path: Any) -> list[str]:
    return [jax.tree_util.keystr((key,), simple=True) for key in path]


def test_runs_that_train_together_are_what_they_are_alone(own: Any, tmp_path: Path) -> None:
    configs = [own(training__seed=seed, optimizer__learning_rate=rate) for seed, rate in ((0, 0.01), (1, 0.03))]
    prepared = [prepare(config) for config in configs]
    together = train_together([(one, start(one, tmp_path / "runs")) for one in prepared])
    for one, run in zip(prepared, together, strict=True):
        alone = train(one, start(one, tmp_path / "runs"))
        assert run.status.state == alone.status.state == "finished"
        for name in ("loss", "val_loss"):
            assert run.epochs[name].y == pytest.approx(alone.epochs[name].y, rel=1e-4)
    assert together[0].epochs["loss"].y[0] != together[1].epochs["loss"].y[0]


def test_half_the_bits_are_half_the_bits_of_the_module(own: Any) -> None:
    prepared = prepare(own(training__precision="bfloat16"))
    shape, config = shape_of([prepared]), prepared.config
    parameters, x = network(config).init(jax.random.key(0)), jnp.ones((2, 4))
    half, inputs = forward.inputs_of(shape, config, parameters, x)
    assert half[0]["blocks.0.weight"].dtype == inputs.dtype == jnp.bfloat16
    assert half[0]["order"] is parameters[0]["order"]
    assert network(config).apply(half, inputs, None).dtype == jnp.bfloat16
    assert forward.outputs_of(shape, config, parameters, x, None).dtype == jnp.float32


def test_code_that_was_edited_is_read_again_for_the_next_run(own: Any) -> None:
    config = own()
    first = prepare(config)
    (folder_of(config) / "mine.py").write_text(NETWORK.replace('config["width"]', '2 * config["width"]'))
    second = prepare(config)
    assert second.n_parameters > first.n_parameters == 105
    assert first.config.model.network(TABLE, 3).n_parameters == 105, "a run that is under way keeps what it began with"


def test_its_own_values_are_hyperparameters_like_all_others(own: Any) -> None:
    config = own()
    declared = hyperparameters(config)
    types = {key: field.type for key, field in declared.items() if key.startswith("model.arguments")}
    assert types == {"model.arguments.width": "integer", "model.arguments.dropout": "number"}
    assert values(config)["model.arguments.width"] == 6
    changed = config.changed(
        {"model.arguments.width": 8, "model.arguments.words": "a b", "model.arguments.sizes": [1, 2]}
    )
    assert changed.model.arguments == {"width": 8, "dropout": 0.3, "words": "a b", "sizes": (1, 2)}
    assert numbers.structure(changed) != numbers.structure(config)
    assert Config.parse(toml.parse(dump(changed))).table() == changed.table()


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"target": "mine"}, 'model.target must name a function as module:function, such as "mymodel:network".'),
        ({"target": "../mine:network"}, "model.target must name a function as module:function"),
        (
            {"arguments": {"a": {"b": 1}}},
            "model.arguments.a must be a number, text, true or false, or a list of numbers",
        ),
        (
            {"arguments": {"a": [1, "b"]}},
            "model.arguments.a must be a number, text, true or false, or a list of numbers",
        ),
        ({"arguments": {"a": []}}, "model.arguments.a must be a number, text, true or false, or a list of numbers"),
        ({"arguments": {"a": float("nan")}}, "model.arguments.a must be finite."),
        ({"arguments": {"a b": 1}}, "model.arguments must be at most 64, with names of letters"),
        ({"arguments": 3}, "model.arguments must be a table, got 3."),
        ({"width": 3}, "model.width is not known."),
    ],
)
def test_what_no_config_can_mean_is_refused_in_one_line(values: dict[str, Any], line: str) -> None:
    table = {"model": {"kind": "custom", "target": "mine:network", **values}}
    with pytest.raises(ConfigError) as caught:
        Config.parse(table)
    assert str(caught.value).startswith(line)
    assert len(caught.value.problems) == 1


LINEAR = f"{IMPORTS}def network(config, shape, n, key):\n    return eqx.nn.Linear(shape[0], n, key=key)\n"
IMPORTED = "must name a module that can be imported, got"
RETURNED = "must return an Equinox module that can be called, got"
MADE = "must make 3 numbers of one example of shape (4,), got"
MEND = "Mend it there."


def returning(module: str) -> str:
    """Code that returns a module; the function stands in line 2."""
    return f"{IMPORTS}def network(config, shape, n, key):\n    return {module}\n"


def calling(body: str, weight: str = "jnp.ones((3, 3))") -> str:
    """Code whose module does something with an example; that stands in line 5, the function in line 6."""
    net = f"class Net(eqx.Module):\n    w: jax.Array\n    def __call__(self, x):\n        return {body}\n"
    return f"{IMPORTS}{net}def network(config, shape, n, key):\n    return Net({weight})\n"


WRONG = [
    ("x = 1\ny = x / 0\n", f"{IMPORTED} ZeroDivisionError: division by zero at mine.py:2. {MEND}"),
    ("x = 1\ndef f(:\n", f"{IMPORTED} SyntaxError: invalid syntax (mine.py, line 2) at mine.py:2. {MEND}"),
    ("import nowhere\n", f"{IMPORTED} ModuleNotFoundError: No module named 'nowhere' at mine.py:1. {MEND}"),
    ("import sys\nsys.exit('bye')\n", f"{IMPORTED} SystemExit: bye at mine.py:2. {MEND}"),
    ("def netwerk(): ...\n", "must name a function of mine.py, which has no network. Did you mean netwerk?"),
    ("network = 3\n", "must name a function of mine.py, which has no network."),
    (returning("config['width']['a']"),
     f"must return a network, got TypeError: 'int' object is not subscriptable at mine.py:3. {MEND}"),
    ("def network():\n    return 3\n", "must return a network, got TypeError: network() takes 0 positional arguments"),
    (returning("lambda x: x"), f"{RETURNED} function at mine.py:2."),
    (returning("eqx.nn.make_with_state(eqx.nn.BatchNorm)(4, 'batch', mode='batch')"),
     f"{RETURNED} layers with state, such as BatchNorm at mine.py:2."),
    (returning("eqx.nn.Sequential([eqx.nn.BatchNorm(4, 'batch', mode='batch')])"),
     "must return layers without state, got BatchNorm or its like at mine.py:2. Use LayerNorm."),
    (returning("eqx.nn.Lambda(lambda x: x[:n])"),
     "must return a module with float arrays to train, got none at mine.py:2."),
    (calling("x", "(jnp.ones(2), jnp.ones(2, complex))"),
     "must return arrays of real numbers, got complex64 at mine.py:6."),
    (calling("self.w @ x[:3], x"), f"{MADE} tuple at mine.py:4."),
    (calling("x"), f"{MADE} shape (4,) at mine.py:4."),
    (calling("self.w @ x.reshape(3)"), f"{MADE} TypeError: cannot reshape array of shape (4,) (size 4) into shape"),
    (calling("jax.lax.while_loop(lambda a: a.sum() < 9, lambda a: a + 1, self.w @ x[:3])"),
     f"{MADE} ValueError: Reverse-mode differentiation does not work for lax.while_loop"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "line"), WRONG)
def test_what_is_wrong_with_the_code_is_told_in_one_line_with_its_place(own: Any, code: str, line: str) -> None:
    config = own(code)
    assert refusal(config).startswith(line)
    with pytest.raises(ConfigError, match=r"^model\.target must "):
        prepare(config)


def test_a_module_that_is_nowhere_is_told_with_where_it_was_looked_for(own: Any) -> None:
    config = own(LINEAR, model__target="no.such:network")
    assert (
        refusal(config)
        == f"must name a module, got no.such: there is no no/such.py in {folder_of(config)} and no such package."
    )
    installed = Config().changed({**SETTINGS, "model.target": "no.such:network"}).permitted(None)
    assert "got no.such: there is no such package." in str(installed.model.misfit(TABLE, 3))


def test_a_function_may_come_from_an_installed_package() -> None:
    config = Config().changed(
        {**SETTINGS, "model.target": "presets.custom_model:network", "model.arguments.experts": 2}
    )
    assert network(config.permitted(None)).n_parameters == 4 * 2 + 2 + 2 * (4 * 6 + 6 + 6 * 3 + 3)


def test_a_file_beside_the_preset_comes_before_what_is_installed_and_no_folder_is_searched(own: Any) -> None:
    config = own("import layers\n")
    for name in ("optax", "layers"):
        (folder_of(config) / f"{name}.py").write_text(LINEAR)
    assert network(config.changed({"model.target": "optax:network"}).permitted(folder_of(config))).n_parameters == 15
    import optax

    assert Path(optax.__file__).parent != folder_of(config)
    assert "No module named 'layers'" in refusal(config)
