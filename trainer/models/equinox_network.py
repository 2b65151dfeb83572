"""A network out of an Equinox module that a person's own function makes. Loaded for such a network alone.

The module sees one example; here it is mapped over a batch of them. Its float arrays are trained, its other arrays stay
as they were made. What can go wrong in it is tried out on shapes, before there is a run, and told in one line.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.tree_util import GetAttrKey, SequenceKey

from trainer.models.network import Constant, Inputs, Kernel, Layer, Network, Noise, trained, with_statistics
from trainer.models.permission import failed, place, refused
from trainer.problems import ConfigError

if TYPE_CHECKING:
    from jaxtyping import Array, Float, PRNGKeyArray

Path = tuple[Any, ...]

_KEY = jax.eval_shape(lambda: jax.random.key(0))
_BATCH = 2
_SCALING = (eqx.nn.LayerNorm, eqx.nn.GroupNorm, eqx.nn.RMSNorm, eqx.nn.PReLU)
_WEIGHING = (
    eqx.nn.Linear, eqx.nn.Conv, eqx.nn.ConvTranspose, eqx.nn.Embedding, eqx.nn.GRUCell, eqx.nn.LSTMCell,
    eqx.nn.WeightNorm,
)  # fmt: skip


class _Part(NamedTuple):
    """A part of the module, such as one of a list of blocks: where it stands in it, and what it is."""

    name: str
    word: str


class _Leaf(NamedTuple):
    """An array of the module: the place of its part, its own name, whether it is trained, and as what weights."""

    part: int
    name: str
    is_trained: bool
    kernel: Kernel | Literal[False]


@dataclass(frozen=True)
class EquinoxNetwork(Network):
    """An Equinox module, mapped over batches. The parameters are its arrays by name, part by part.

    Attributes:
        make: returns the module with its first weights.
        rest: the module without its arrays.
        tree: the arrays' places in it.
        leaves: the arrays, in the order of the tree.
        takes_key: whether the module wants a key for each example.
    """

    make: Callable[[PRNGKeyArray], Any]
    inputs: Inputs
    outputs: int
    rest: Any
    tree: Any
    parts: tuple[_Part, ...]
    leaves: tuple[_Leaf, ...]
    takes_key: bool

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Return the parts; what each of them gives is not known, but for the last."""
        counts = [sum(leaf.size for leaf in jax.tree.leaves(part)) for part in trained(self.outline)]
        shapes = [*[None] * (len(counts) - 1), (self.outputs,)]
        rows = zip(self.parts, shapes, counts, strict=True)
        return tuple(Layer(part.name, part.word, shape, count, None) for part, shape, count in rows)

    @property
    def flops(self) -> int:
        """Return the FLOPs of a forward pass for one example as XLA counts them: of all that is computed."""
        x = jax.ShapeDtypeStruct((1, self.inputs.n_features), jnp.float32)
        lowered = jax.jit(lambda parameters, x: self.apply(parameters, x, None)).lower(self.outline, x)
        cost: Any = lowered.cost_analysis() or {}
        return int(cost.get("flops", 0))

    @property
    def outline(self) -> tuple[Any, ...]:
        """Return the shapes of the parameters."""
        return jax.eval_shape(self.init, _KEY)  # type: ignore[no-any-return]

    def init(self, key: PRNGKeyArray) -> tuple[Any, ...]:  # noqa: D102
        parameters: tuple[dict[str, Any], ...] = tuple({} for _ in self.parts)
        arrays = jax.tree.leaves(eqx.filter(self.make(key), eqx.is_array))
        for leaf, array in zip(self.leaves, map(jnp.asarray, arrays), strict=True):
            parameters[leaf.part][leaf.name] = array.astype(jnp.float32) if leaf.is_trained else Constant(array)
        return parameters

    def kernels(self, parameters: tuple[Any, ...]) -> tuple[Any, ...]:  # noqa: ARG002, D102
        found: tuple[dict[str, Any], ...] = tuple({} for _ in self.parts)
        for leaf in self.leaves:
            found[leaf.part][leaf.name] = leaf.kernel if leaf.is_trained else None
        return found

    def activations(  # noqa: D102
        self, parameters: tuple[Any, ...], x: Float[Array, "batch inputs"], noise: Noise | None
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        examples, module = x.reshape(len(x), *_shape(self.inputs)), self._module(parameters)
        if noise is None:
            module = eqx.nn.inference_mode(module)
            outputs = jax.vmap(partial(module, key=None) if self.takes_key else module)(examples)
        elif self.takes_key:
            keys = jax.random.split(noise.key(), len(x))
            outputs = jax.vmap(lambda one, key: module(one, key=key))(examples, keys)
        else:
            outputs = jax.vmap(module)(examples)
        return (*[None] * (len(self.parts) - 1), outputs), parameters

    def _module(self, parameters: tuple[Any, ...]) -> Any:
        """Return the module with these arrays."""
        found = (parameters[leaf.part][leaf.name] for leaf in self.leaves)
        arrays = [each.value if isinstance(each, Constant) else each for each in found]
        return eqx.combine(jax.tree.unflatten(self.tree, arrays), self.rest)


@lru_cache(maxsize=16)
def network_of(
    function: Callable[..., Any], arguments: tuple[tuple[str, Any], ...], inputs: Inputs, outputs: int
) -> EquinoxNetwork:
    """Return the network that a person's function makes.

    Args:
        function: from its config, the shape of an example, the number of outputs and a key to an Equinox module.
        arguments: names and values of that config.
        inputs: what an example is made of.
        outputs: numbers that the network gives.

    Raises:
        ConfigError: it makes none that can be trained; with the place in its file.
    """
    config = MappingProxyType(dict(arguments))

    def make(key: PRNGKeyArray) -> Any:
        return function(config, _shape(inputs), outputs, key)

    try:
        module = eqx.filter_eval_shape(make, _KEY)
    except Exception as error:
        raise failed("return a network", error, _file(function)) from error
    _require_trainable(function, module)
    outlines, rest = eqx.partition(module, _is_outline)
    parts, leaves = _parts_of(module, outlines)
    network = EquinoxNetwork(
        make, inputs, outputs, rest, jax.tree.structure(outlines), parts, leaves, _takes_key(module)
    )
    _try_out(network, function, module)
    return network


def _shape(inputs: Inputs) -> tuple[int, ...]:
    return inputs.image_shape or (inputs.n_features,)


def _is_outline(leaf: Any) -> bool:
    return isinstance(leaf, jax.ShapeDtypeStruct)


def _require_trainable(function: Callable[..., Any], module: Any) -> None:
    there = place(_file(function), _line(function))
    if not isinstance(module, eqx.Module) or not callable(module):
        what = "layers with state, such as BatchNorm" if isinstance(module, tuple) else type(module).__name__
        raise refused(f"must return an Equinox module that can be called, got {what} at {there}.")
    nodes = jax.tree.leaves(module, is_leaf=_has_state)
    if any(map(_has_state, nodes)):
        raise refused(f"must return layers without state, got BatchNorm or its like at {there}. Use LayerNorm.")
    dtypes = {leaf.dtype for leaf in nodes if _is_outline(leaf)}
    if not any(jnp.issubdtype(dtype, jnp.floating) for dtype in dtypes):
        raise refused(f"must return a module with float arrays to train, got none at {there}.")
    for dtype in dtypes:
        if not any(jnp.issubdtype(dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_)):
            raise refused(f"must return arrays of real numbers, got {dtype} at {there}.")


def _has_state(node: Any) -> bool:
    return isinstance(node, eqx.nn.State) or (isinstance(node, eqx.nn.StatefulLayer) and node.is_stateful())


def _takes_key(module: Any) -> bool:
    parameters = inspect.signature(module).parameters.values()
    return any(each.name == "key" or each.kind is each.VAR_KEYWORD for each in parameters)


def _try_out(network: EquinoxNetwork, function: Callable[..., Any], module: Any) -> None:
    """Refuse a network that cannot be called, gives something else than its outputs, or cannot be differentiated."""
    x = jax.ShapeDtypeStruct((_BATCH, network.inputs.n_features), jnp.float32)

    def outputs(parameters: Any, x: Any, noise: Noise | None) -> Any:
        return network.activations(parameters, x, noise)[0][-1]

    def slope(parameters: Any, x: Any, key: Any) -> Any:
        noise = Noise(lambda: key, lambda it_is: it_is)
        return jax.grad(lambda its: outputs(with_statistics(its, parameters), x, noise).sum())(trained(parameters))

    wanted = f"make {network.outputs} numbers of one example of shape {_shape(network.inputs)}"
    try:
        found = jax.eval_shape(partial(outputs, noise=None), network.outline, x)
        if not _is_outline(found) or found.shape != (_BATCH, network.outputs):
            got = f"shape {found.shape[1:]}" if _is_outline(found) else type(found).__name__
            called = type(module).__call__
            raise refused(f"must {wanted}, got {got} at {place(_file(called), _line(called))}.")
        jax.eval_shape(slope, network.outline, x, _KEY)
    except ConfigError:
        raise
    except Exception as error:
        raise failed(wanted, error, _file(function)) from error


def _parts_of(module: Any, outlines: Any) -> tuple[tuple[_Part, ...], tuple[_Leaf, ...]]:
    """Return the parts of a module, and for each of its arrays where it belongs.

    A part is what a field holds, or each of the modules that it holds in a list. Fields that lead to all arrays are no
    parts; arrays that lie beside parts are one together.
    """
    paths = jax.tree_util.tree_flatten_with_path(outlines)[0]
    start = _common([path[:-1] for path, _ in paths])
    while not isinstance(paths[0][0][start], GetAttrKey):  # a place in a list is no name
        start -= 1
    heads = [_head(path, start) for path, _ in paths]
    learns = [head for head, (_, leaf) in zip(heads, paths, strict=True) if _is_float(leaf)]
    order = list(dict.fromkeys(learns))
    # Where nothing of a part is trained, it goes along with the first one that is.
    leaves = tuple(
        _Leaf(order.index(head) if head in order else 0, _dotted(path), _is_float(leaf), kernel)
        for head, (path, leaf), kernel in zip(heads, paths, jax.tree.leaves(kernels_of(outlines)), strict=True)
    )
    return tuple(_part(module, head, start) for head in order), leaves


def kernels_of(outlines: Any) -> Any:
    """Return the module with, in the place of each array, its `Kernel`, or False where it is none.

    Biases have that name, also those of a convolution, [outputs, 1, 1]. Axes are counted from the last one: where
    layers are stacked, as `eqx.filter_vmap` does, their arrays have further axes before their own.
    """
    layers = (*_SCALING, *_WEIGHING)

    def of_array(layer: Any, path: Path, array: Any) -> Kernel | Literal[False]:
        name = _name(path)
        if isinstance(layer, _SCALING) or name.startswith("bias") or array.ndim < 2:
            return False
        if isinstance(layer, eqx.nn.WeightNorm):
            return name != "g" and of_array(layer.layer, path, array)
        if isinstance(layer, eqx.nn.Conv | eqx.nn.ConvTranspose):
            first = -layer.num_spatial_dims - 2
            return Kernel(tuple(range(first + 1, 0)), (first,))
        if isinstance(layer, eqx.nn.Embedding):
            return Kernel((-2,), (-1,))
        # Arrays in no layer of Equinox are taken as those of a linear one, unless they have an unknown third axis.
        return Kernel((-1,), (-2,)) if isinstance(layer, _WEIGHING) or array.ndim == 2 else Kernel()

    def of(path: Path, node: Any) -> Any:
        if isinstance(node, layers):
            return jax.tree_util.tree_map_with_path(partial(of_array, node), node)
        return of_array(None, path, node)

    return jax.tree_util.tree_map_with_path(of, outlines, is_leaf=lambda node: isinstance(node, layers))


def _name(path: Path) -> str:
    """Return the last name on the path to an array; places in lists have none."""
    names = [str(getattr(key, "name", getattr(key, "key", ""))) for key in path]
    return next((name for name in reversed(names) if name.isidentifier()), "")


def _common(paths: Sequence[Path]) -> int:
    """Return how many keys all paths begin with."""
    return next((n for n, keys in enumerate(zip(*paths, strict=False)) if len(set(keys)) > 1), min(map(len, paths)))


def _head(path: Path, start: int) -> Path:
    """Return the part of the path that leads to its part."""
    if len(path) == start + 1:
        return path[:start]
    has_place = not isinstance(path[start + 1], GetAttrKey) and len(path) > start + 2
    return path[: start + 1 + has_place]


def _part(module: Any, head: Path, start: int) -> _Part:
    node = module
    for key in head:
        node = getattr(node, key.name) if isinstance(key, GetAttrKey) else node[_index(key)]
    word = type(node).__name__
    return _Part(_dotted(head[start:]) or _dotted(head) or word.lower(), word)


def _index(key: Any) -> Any:
    return key.idx if isinstance(key, SequenceKey) else key.key


def _dotted(path: Path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _is_float(leaf: Any) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jnp.floating))


def _file(code: Any) -> str | None:
    try:
        return inspect.getfile(inspect.unwrap(code))
    except TypeError:
        return None


def _line(code: Any) -> int:
    """Return the line at which a function or class begins; 0 if that is not known."""
    linecache.checkcache(_file(code))
    try:
        return inspect.getsourcelines(code)[1]
    except (OSError, TypeError):
        return 0
