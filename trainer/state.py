"""The arrays of a training: the examples, and all that changes from update to update.

Runs of one structure train together as members of a population; a run alone is a population of one. The maths in `step`
sees the arrays of one member. Everywhere else each array has the members as its first axis, apart from the examples and
the count of updates, which they share.
"""

from typing import Any, Final, NamedTuple, TypeVar

import jax
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float, Int, Num, UInt32

Parameters = Any
"""A tree of float arrays, as the model's `init` returns it."""

NEVER: Final = np.int32(-1)
"""In the place of an epoch or an update: none yet."""

MEMBERS: Final = "members"
"""Name of the axis over which the members of a population are mapped."""

_EVALUATED_AT_ONCE: Final = 2048
_TOKENS_AT_ONCE: Final = 8192

_Members = TypeVar("_Members", bound=tuple[Any, ...])


class FoldRows(NamedTuple):
    """Which of the shared examples are a member's, and how it sees them. As in `data.fold.Fold`; () where it is None.

    Attributes:
        train: rows that train; a fold with one less than others has its first one once more at the end.
        n_train: how many those are.
        validation: rows that validate, in blocks, filled up with the first of them.
        weights: 0 for those that only fill up, else 1.
        x: offset and scale of the features.
        y: of the targets.
        fill: what stands for a missing feature.
        target_scale, target_offset, target_mean: as in `Data`.
    """

    train: Int[Array, "*members train"]
    n_train: Int[Array, "*members"]
    validation: Int[Array, "*members blocks size"]
    weights: Float[Array, "*members blocks size"]
    x: Any
    y: Any
    fill: Any
    target_scale: Float[Array, "*members outputs"]
    target_offset: Float[Array, "*members outputs"]
    target_mean: Float[Array, "*members outputs"]


class Own(NamedTuple):
    """What each member has of its own beside its state; () for what a structure does without.

    Attributes:
        class_weights: how much an example of each class counts in what is made small; shape [members, classes].
        fold: a `FoldRows`.
    """

    class_weights: Any = ()
    fold: Any = ()


class Data(NamedTuple):
    """The examples on the device. Classes are indices; validation is padded to whole blocks by examples of weight 0.

    All members share it, but for `own`. Of folds it holds all examples once: what is of the validation part and of the
    targets alone is () then, and each member's own. Tokens are of the smallest unsigned type that holds them. Where
    examples stream, `x` and `y` are those of one buffer, and `x` may be as the file has it: of another type, and with
    an offset and a scale to be applied.
    """

    x: Num[Array, "train features"]
    y: Num[Array, " train"] | Num[Array, "train outputs"]
    validation: Any
    target_scale: Any
    target_offset: Any
    target_mean: Any
    own: Own = Own()
    x_scaling: tuple[()] | tuple[Float[Array, " features"], Float[Array, " features"]] = ()


class Blocks(NamedTuple):
    """Examples to evaluate on, in blocks of one size."""

    x: Num[Array, "blocks size features"]
    y: Num[Array, "blocks size"] | Num[Array, "blocks size outputs"]
    weights: Float[Array, "blocks size"]


class Slot(NamedTuple):
    """The best weights by one `Watch`, with their value and epoch; epoch -1 means none yet."""

    parameters: Parameters
    value: Float[Array, ""]
    epoch: Int[Array, ""]


class Trouble(NamedTuple):
    """The first update with a loss that is no number (-1: none), and the rate and gradient norm one update before."""

    step: Int[Array, ""]
    learning_rate: Float[Array, ""]
    grad_norm: Float[Array, ""]


class State(NamedTuple):
    """All that changes while training.

    Attributes:
        step: updates done; the members' one count.
        order: examples of the epoch, or of the buffer, in progress; shape [steps x batch size].
        sums: what the metrics of the epoch in progress have summed up.
        grad_norms: sum of the gradient norms of the epoch in progress.
        slots: best weights, one for each watch.
        average: running mean of the weights; () where none is kept.
        evaluated: the weights to use, as of the end of a call; () where they are `parameters`.
    """

    parameters: Parameters
    optimizer: optax.OptState
    seed: UInt32[Array, ""]
    step: Int[Array, ""]
    order: Int[Array, " order"]
    sums: Float[Array, " sums"]
    grad_norms: Float[Array, ""]
    slots: tuple[Slot, ...]
    trouble: Trouble
    average: Parameters
    evaluated: Parameters

    @property
    def weights(self) -> Parameters:
        """Return the weights to use, as of the end of a call."""
        return self.evaluated if jax.tree.leaves(self.evaluated) else self.parameters


AXES: Final[Any] = State(*(None if field == "step" else 0 for field in State._fields))  # type: ignore[arg-type]
"""The axis of the members in each field, as `jax.vmap` takes it."""

DATA_AXES: Final[Any] = Data(*(0 if field == "own" else None for field in Data._fields))  # type: ignore[arg-type]
"""Likewise of the data."""


def picked(states: _Members, axes: Any, places: Any) -> _Members:
    """Return the state or the data of some members: of one, without an axis, where `places` is a number."""
    parts = (
        part if axis is None else jax.tree.map(lambda leaf: leaf[places], part)
        for axis, part in zip(axes, states, strict=True)
    )
    return type(states)(*parts)


def with_axis(state: State) -> State:
    """Return the state of a population of one."""
    return picked(state, AXES, None)


def on_host(tree: Any, member: int) -> Any:
    """Return copies of a member's arrays in a tree that has the members as its first axis."""
    leaves, structure = jax.tree.flatten(tree)
    leaves, member = _beside(leaves, member)
    if leaves and leaves[0].shape[0] > 1:
        leaves, member = [leaf[None] for leaf in _taken(leaves, member)], 0
    # On the CPU what comes from the device is a view of memory that the next call overwrites.
    return jax.tree.unflatten(structure, [np.array(leaf[member]) for leaf in jax.device_get(leaves)])


def named_arrays(tree: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Return the leaves of a tree by their dotted place, such as `parameters.0.weight`."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _beside(leaves: list[Array], member: int) -> tuple[list[Array], int]:
    """Return the parts of the arrays on the device that has the member, and its place in them."""
    if not leaves or leaves[0].sharding.is_fully_replicated:
        return leaves, member
    # Equally many members are on each device, in order.
    part, place = divmod(member, leaves[0].addressable_shards[0].data.shape[0])
    return [leaf.addressable_shards[part].data for leaf in leaves], place


@jax.jit
def _taken(leaves: list[Array], member: Any) -> list[Array]:
    return [lax.dynamic_index_in_dim(leaf, member, keepdims=False) for leaf in leaves]


def blocks(x: np.ndarray[Any, np.dtype[Any]], y: np.ndarray[Any, np.dtype[Any]], most: int = 0) -> Blocks:
    """Return examples cut into blocks of one size; the last one is filled up with examples of weight 0.

    Others of which there are more, `most` at most, come in as many blocks of the same size.
    """
    count = max(len(x), most)
    at_once = _TOKENS_AT_ONCE // x.shape[1] if x.dtype.kind == "u" else _EVALUATED_AT_ONCE
    size = max(1, min(count, at_once))
    n_blocks = -(-count // size)
    pad = n_blocks * size - len(x)

    def cut(array: np.ndarray[Any, np.dtype[Any]]) -> Any:
        padded = np.concatenate([array, np.zeros((pad, *array.shape[1:]), array.dtype)])
        return padded.reshape(n_blocks, size, *array.shape[1:])

    return Blocks(cut(x), cut(y), cut(np.ones(len(x), np.float32)))
