"""Networks: blocks one after the other, each with parameters of its own. Nothing here needs JAX before it computes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Bool, Float, PRNGKeyArray


class Inputs(NamedTuple):
    """What an example is made of.

    Attributes:
        n_features: numbers of one example, or tokens; it reaches the network as a row of them.
        image_shape: rows, columns and channels of the picture that it is, or None.
        vocabulary: how many different tokens there are; 0 where the numbers are no tokens.
        categories: how many there are of each feature that is the number of a category, from 0 on; 0 for a feature
            that is a number by itself; empty where all are.
    """

    n_features: int
    image_shape: tuple[int, int, int] | None = None
    vocabulary: int = 0
    categories: tuple[int, ...] = ()

    @property
    def embedded(self) -> tuple[int, ...]:
        """Return the places of the features that are numbers of categories."""
        return tuple(place for place, count in enumerate(self.categories) if count)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the places of the others, where there are such features."""
        return tuple(place for place, count in enumerate(self.categories) if not count)

    @property
    def steps(self) -> tuple[int, int]:
        """Return an example as a sequence: how many steps of how many numbers.

        A picture is its rows from top to bottom; any other example is its features, one number a step.
        """
        if self.image_shape is None:
            return self.n_features, 1
        rows, columns, channels = self.image_shape
        return rows, columns * channels


class Noise(NamedTuple):
    """The randomness of an update.

    Attributes:
        key: gives its key, where one is needed.
        is_wanted: from whether this member of a population needs it to whether any does.
    """

    key: Callable[[], PRNGKeyArray]
    is_wanted: Callable[[Bool[Array, ""]], Bool[Array, ""]]

    def kept(self, place: int, rate: Any, shape: tuple[int, ...]) -> Bool[Array, ...]:
        """Return which numbers dropout leaves on at a place of the network, each with probability 1 - `rate`.

        Deriving the key and drawing cost more than a small layer, so that a rate of 0 does neither.
        """
        import jax
        import jax.numpy as jnp

        def drawn() -> Array:
            return jax.random.bernoulli(jax.random.fold_in(self.key(), place), 1 - rate, shape)

        kept: Array = jax.lax.cond(self.is_wanted(rate > 0), drawn, lambda: jnp.ones(shape, bool))
        return kept


class Statistics(NamedTuple):
    """What batch normalization remembers of the batches it saw; part of the parameters, but not trained."""

    mean: Float[Array, " units"]
    variance: Float[Array, " units"]


class Constant(NamedTuple):
    """An array that a network was made with and that no training changes; part of the parameters, but not trained."""

    value: Array


@dataclass(frozen=True)
class Kernel:
    """That an array is the weights of a layer, and no bias nor the scale of a norm; to JAX a leaf of a tree.

    Attributes:
        inputs: axes that are summed over; none where the weights are no matrix.
        outputs: axes of the sums; matrices stand side by side along the axes that are neither.
    """

    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()


_INPUTS_LAST: Final = Kernel((1,), (0,))
LOOKED_UP: Final = Kernel((0,), (1,))
"""Of a table with a vector in each row: it is multiplied from the left, by a 1 among zeros."""


class Layer(NamedTuple):
    """One part of a network, as a summary tells it.

    Attributes:
        name: such as "hidden_1".
        words: what it does, in order, such as "dense relu".
        shape: of its output for one example; None where it is not known.
        n_parameters: numbers that it learns.
        flops: of the forward pass for one example; None where they are not known. A multiply-add is two; only the
            products with weights and, in attention, of the steps with one another are counted.
    """

    name: str
    words: str
    shape: tuple[int, ...] | None
    n_parameters: int
    flops: int | None


@dataclass(frozen=True)
class Block:
    """A part of a network.

    Attributes:
        name: such as "hidden_1".
        place: in the network, from 0; its dropout is drawn for it.
        KERNEL: axes of its weights; those that have more or fewer axes are no matrix.
    """

    KERNEL: ClassVar[Kernel] = _INPUTS_LAST

    name: str
    place: int

    @property
    def shares(self) -> int | None:
        """Return the place of the block whose parameters it uses; its own are then (). None where it has some."""
        return None

    @property
    @abstractmethod
    def layer(self) -> Layer:
        """Return what a summary tells of it; not while traced."""

    @abstractmethod
    def init(self, key: PRNGKeyArray) -> Any:
        """Return its parameters: a tree of float arrays, of which at least one has two axes or more."""

    @abstractmethod
    def apply(self, parameters: Any, x: Array, noise: Noise | None) -> tuple[Array, Any]:
        """Return what it makes of a batch, and its parameters after it saw that batch.

        Args:
            parameters: as `init` returns them.
            x: what the block before it gives; shape [batch, ...].
            noise: of the update; None to evaluate, and then no statistics change.
        """


class Network:
    """Layers, in order; the parameters are a tuple with a tree for each."""

    @property
    @abstractmethod
    def layers(self) -> tuple[Layer, ...]:
        """Return what a summary tells, first to last; not while traced."""

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Return the name of each layer."""
        return tuple(layer.name for layer in self.layers)

    @property
    def n_parameters(self) -> int:
        """Return how many numbers are learned."""
        return sum(layer.n_parameters for layer in self.layers)

    @property
    def flops(self) -> int:
        """Return the FLOPs of a forward pass for one example, counted as in `Layer`."""
        return sum(layer.flops or 0 for layer in self.layers)

    @abstractmethod
    def init(self, key: PRNGKeyArray) -> tuple[Any, ...]:
        """Return the parameters to begin with."""

    @abstractmethod
    def kernels(self, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return for each array of the parameters, as `trained` gives them, its `Kernel`; False where it has none."""

    def by_block(self, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return what each layer computes with: its own parameters, or those that it shares."""
        return parameters

    @abstractmethod
    def activations(
        self, parameters: tuple[Any, ...], x: Float[Array, "batch inputs"], noise: Noise | None
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return what each layer gives, the outputs last, and the parameters after seeing the batch.

        None for a layer whose outputs are not known. Arguments as for `apply`.
        """

    def apply(
        self, parameters: tuple[Any, ...], x: Float[Array, "batch inputs"], noise: Noise | None
    ) -> Float[Array, "batch outputs"]:
        """Return the outputs; `noise` is the update's randomness, None means evaluation."""
        outputs: Array = self.activations(parameters, x, noise)[0][-1]
        return outputs


@dataclass(frozen=True)
class Sequential(Network):
    """Blocks one after the other."""

    blocks: tuple[Block, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:  # noqa: D102
        return tuple(block.layer for block in self.blocks)

    @property
    def layer_names(self) -> tuple[str, ...]:  # noqa: D102
        return tuple(block.name for block in self.blocks)

    def init(self, key: PRNGKeyArray) -> tuple[Any, ...]:  # noqa: D102
        import jax

        keys = jax.random.split(key, len(self.blocks))
        return tuple(
            block.init(key) if block.shares is None else () for block, key in zip(self.blocks, keys, strict=True)
        )

    def kernels(self, parameters: tuple[Any, ...]) -> tuple[Any, ...]:  # noqa: D102
        return tuple(_kernels(block.KERNEL, its) for block, its in zip(self.blocks, parameters, strict=True))

    def by_block(self, parameters: tuple[Any, ...]) -> tuple[Any, ...]:  # noqa: D102
        return tuple(
            its if block.shares is None else parameters[block.shares]
            for block, its in zip(self.blocks, parameters, strict=True)
        )

    def activations(  # noqa: D102
        self, parameters: tuple[Any, ...], x: Float[Array, "batch inputs"], noise: Noise | None
    ) -> tuple[tuple[Array, ...], tuple[Any, ...]]:
        given, seen = [], []
        for block, its in zip(self.blocks, self.by_block(parameters), strict=True):
            x, after = block.apply(its, x, noise)
            given.append(x)
            seen.append(after if block.shares is None else ())
        return tuple(given), tuple(seen)


def trained(parameters: Any) -> Any:
    """Return the parameters without what is not trained: None in its place, which is no leaf."""
    import jax

    return jax.tree.map(lambda part: None if _is_untrained(part) else part, parameters, is_leaf=_is_untrained)


def with_statistics(parameters: Any, seen: Any) -> Any:
    """Return parameters, as `trained` gives them, with what is not trained of others of the same network."""
    import jax

    return jax.tree.map(
        lambda part, other: other if part is None else part, parameters, seen,
        is_leaf=lambda part: part is None or _is_untrained(part),
    )  # fmt: skip


def _kernels(kernel: Kernel, parameters: Any) -> Any:
    import jax

    n_axes = len(kernel.inputs + kernel.outputs)
    return jax.tree.map(lambda leaf: leaf.ndim > 1 and (kernel if leaf.ndim == n_axes else Kernel()), parameters)


def _is_untrained(part: Any) -> bool:
    return isinstance(part, Statistics | Constant)
