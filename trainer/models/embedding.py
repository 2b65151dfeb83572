"""Tables in which categories are looked up: each column has one of its own, with a vector for each category."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from trainer.fields import structural
from trainer.lazy import np
from trainer.models.network import LOOKED_UP, Block, Inputs, Kernel, Layer, Noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Array, Float, PRNGKeyArray

_WIDEST = 50
_KEY = 2
"""Sets the tables' keys apart from those that a block splits its own key into."""

Tables = tuple["Float[Array, 'categories width']", ...]
"""One for each column of categories, in the order of the columns."""


class Categories(NamedTuple):
    """The parameters that turn categories into vectors."""

    tables: Tables


def embedding_dim() -> Any:
    """Declare how many numbers stand for a category."""
    return structural(
        0, "Numbers that stand for a category where data.categories is embedding; 0: min(50, (n + 1) // 2) for n.",
        ge=0, le=1024, advanced=True, source="Guo and Berkhahn 2016; the rule: fast.ai course 2018",
    )  # fmt: skip


@dataclass(frozen=True)
class CategoryBlock(Block):
    """The numbers as they are, then the vector of each category. Source: Guo and Berkhahn 2016."""

    KERNEL: ClassVar[Kernel] = LOOKED_UP

    inputs: Inputs
    widths: tuple[int, ...]

    @classmethod
    def of(cls, inputs: Inputs, width: int) -> tuple[CategoryBlock, ...]:
        """Return the block, or none where nothing is to be looked up; a width of 0 is that of the rule."""
        if not inputs.categories:
            return ()
        counts = (inputs.categories[place] for place in inputs.embedded)
        return (cls("embedding", 0, inputs, tuple(width or min(_WIDEST, (count + 1) // 2) for count in counts)),)

    @property
    def n_outputs(self) -> int:
        """Return how many numbers an example becomes."""
        return len(self.inputs.numbers) + sum(self.widths)

    @property
    def layer(self) -> Layer:  # noqa: D102
        n_columns = len(self.widths)
        words = f"embedding of {n_columns} column{'s' if n_columns > 1 else ''}"
        return Layer(self.name, words, (self.n_outputs,), n_parameters(self.inputs, self.widths), 0)

    def init(self, key: PRNGKeyArray) -> Categories:  # noqa: D102
        return Categories(tables(key, self.inputs, self.widths))

    def apply(  # noqa: D102
        self,
        parameters: Categories,
        x: Array,
        noise: Noise | None,  # noqa: ARG002
    ) -> tuple[Float[Array, "batch outputs"], Categories]:
        import jax.numpy as jnp

        numbers = numbers_of(self.inputs, x).astype(parameters.tables[0].dtype)
        return jnp.concatenate([numbers, *looked_up(self.inputs, parameters.tables, x)], axis=1), parameters


def n_parameters(inputs: Inputs, widths: Sequence[int]) -> int:
    """Return how many numbers the tables of such widths hold."""
    return sum(inputs.categories[place] * width for place, width in zip(inputs.embedded, widths, strict=True))


def tables(key: PRNGKeyArray, inputs: Inputs, widths: Sequence[int]) -> Tables:
    """Return tables to begin with: vectors about as long as a number of unit variance, whatever their width.

    What is unseen in training is never learned: it is 0, and stays so. Source: Gorishniy et al. 2021.
    """
    import jax

    if not widths:
        return ()

    def made(key: PRNGKeyArray, count: int, width: int) -> Array:
        bound = 1 / math.sqrt(width)
        return jax.random.uniform(key, (count, width), minval=-bound, maxval=bound).at[0].set(0)

    keys = jax.random.split(jax.random.fold_in(key, _KEY), len(widths))
    columns = zip(keys, inputs.embedded, widths, strict=True)
    return tuple(made(one, inputs.categories[place], width) for one, place, width in columns)


def numbers_of(inputs: Inputs, x: Float[Array, "batch inputs"]) -> Float[Array, "batch numbers"]:
    """Return the features that are numbers by themselves."""
    return x[:, np.array(inputs.numbers, int)]


def looked_up(
    inputs: Inputs, tables: Tables, x: Float[Array, "batch inputs"]
) -> tuple[Float[Array, "batch width"], ...]:
    """Return the vectors of the categories, column by column; numbers of categories are whole, and not rounded."""
    import jax.numpy as jnp

    return tuple(table[x[:, place].astype(jnp.int32)] for table, place in zip(tables, inputs.embedded, strict=True))
