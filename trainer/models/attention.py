"""Networks in which every part of an example looks at every other: attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from trainer.fields import structural
from trainer.models import section
from trainer.models.dense import Dense, DenseBlock, Scale, dense, dense_parameters, dropped, normalized, scale
from trainer.models.embedding import Tables, looked_up, n_parameters, numbers_of, tables
from trainer.models.network import LOOKED_UP, Block, Inputs, Kernel, Layer, Noise
from trainer.models.section import Activation, Initializer, Model, weights

if TYPE_CHECKING:
    from jaxtyping import Array, Float, PRNGKeyArray


class Embedding(NamedTuple):
    """The parameters that turn each part into a vector; weights of its own for each where the parts are features.

    Attributes:
        weight: None where all parts are categories, which have tables.
    """

    weight: Float[Array, "parts_or_one inputs width"] | None
    position: Float[Array, "parts width"]
    tables: Tables = ()


class Encoder(NamedTuple):
    """The parameters of attention and of two dense layers, with a norm before each and perhaps one last."""

    attention_norm: Scale
    into: Dense
    out_of: Dense
    dense_norm: Scale
    up: Dense
    down: Dense
    last_norm: Scale | None


@dataclass(frozen=True)
class EmbeddingBlock(Block):
    """Each part of an example as a vector, with where it stands; numbers first, then what is looked up in tables.

    Source: Vaswani et al. 2017; weights and tables for each feature of a table: Gorishniy et al. 2021.
    """

    KERNEL: ClassVar[Kernel] = LOOKED_UP

    inputs: Inputs
    width: int
    initializer: Initializer
    dropout: Any

    @property
    def layer(self) -> Layer:  # noqa: D102
        (parts, n_inputs), width = self.inputs.steps, self.width
        n_weights = self._n_weights * n_inputs * width + n_parameters(self.inputs, self._widths)
        flops = (parts - len(self._widths)) * 2 * n_inputs * width + parts * width
        words = "embedding" + (f" dropout {self.dropout:g}" if self.dropout else "")
        return Layer(self.name, words, (parts, width), n_weights + parts * width, flops)

    def init(self, key: PRNGKeyArray) -> Embedding:
        """Return the weights; positions are drawn with a deviation of 0.02, as in BERT."""
        import jax

        first, second = jax.random.split(key)
        (parts, n_inputs), weight = self.inputs.steps, None
        if self._n_weights:
            keys = jax.random.split(first, self._n_weights)
            weight = jax.vmap(lambda one: weights(self.initializer, one, (n_inputs, self.width), 0, 1))(keys)
        position = 0.02 * jax.random.normal(second, (parts, self.width))
        return Embedding(weight, position, tables(key, self.inputs, self._widths))

    def apply(  # noqa: D102
        self, parameters: Embedding, x: Array, noise: Noise | None
    ) -> tuple[Float[Array, "batch parts width"], Embedding]:
        import jax.numpy as jnp

        given = self._vectors(parameters, x)
        y = given[0] if len(given) == 1 else jnp.concatenate(given, axis=1)
        return dropped(y + parameters.position, self.place, self.dropout, noise), parameters

    def _vectors(self, its: Embedding, x: Array) -> list[Float[Array, "batch some width"]]:
        """Return what becomes of the numbers, and what is looked up, as far as there are such parts."""
        import jax.numpy as jnp

        found = []
        if its.weight is not None:
            numbers = numbers_of(self.inputs, x).astype(its.weight.dtype) if its.tables else x
            numbers = numbers.reshape(len(x), -1, self.inputs.steps[1])
            is_picture = self.inputs.image_shape is not None
            formula, weight = ("bpi,iw->bpw", its.weight[0]) if is_picture else ("bpi,piw->bpw", its.weight)
            found.append(jnp.einsum(formula, numbers, weight))
        if its.tables:
            found.append(jnp.stack(looked_up(self.inputs, its.tables, x), axis=1))
        return found

    @property
    def _n_weights(self) -> int:
        """Return how many parts have weights of their own; the rows of a picture share theirs."""
        return 1 if self.inputs.image_shape else self.inputs.steps[0] - len(self._widths)

    @property
    def _widths(self) -> tuple[int, ...]:
        return (self.width,) * len(self.inputs.embedded)


@dataclass(frozen=True)
class EncoderBlock(Block):
    """Attention among all parts, then two dense layers on each; both add to what comes in, with a norm before.

    Where it is causal, a part looks only at itself and at those before it.
    """

    parts: int
    width: int
    heads: int
    wide: int
    activation: Activation
    initializer: Initializer
    dropout: Any
    is_last: bool
    is_causal: bool = False

    @property
    def layer(self) -> Layer:  # noqa: D102
        dropout = f" dropout {self.dropout:g}" if self.dropout else ""
        causal = "causal " if self.is_causal else ""
        words = f"{causal}attention of {self.heads}, dense {self.wide} {self.activation}{dropout} residual"
        width, wide = self.width, self.wide
        sums = [(width, 3 * width), (width, width), (width, wide), (wide, width)]
        n_parameters = sum((n_in + 1) * n_out for n_in, n_out in sums) + (6 if self.is_last else 4) * width
        flops = self.parts * (sum((2 * n_in + 1) * n_out for n_in, n_out in sums) + 4 * self.parts * width)
        return Layer(self.name, words, (self.parts, width), n_parameters, flops)

    def init(self, key: PRNGKeyArray) -> Encoder:  # noqa: D102
        import jax

        def made(key: PRNGKeyArray, n_in: int, n_out: int) -> Dense:
            return dense_parameters(self.initializer, key, n_in, n_out)

        into, out_of, up, down = jax.random.split(key, 4)
        width, wide = self.width, self.wide
        norms = [_norm(width) for _ in range(3)]
        return Encoder(
            norms[0], made(into, width, 3 * width), made(out_of, width, width),
            norms[1], made(up, width, wide), made(down, wide, width), norms[2] if self.is_last else None,
        )  # fmt: skip

    def apply(  # noqa: D102
        self, parameters: Encoder, x: Array, noise: Noise | None
    ) -> tuple[Float[Array, "batch parts width"], Encoder]:
        import jax

        its, drop = parameters, 2 * self.place
        x = x + dropped(self._attention(its, _normed(its.attention_norm, x)), drop, self.dropout, noise)
        wide = getattr(jax.nn, self.activation)(dense(its.up, _normed(its.dense_norm, x)))
        x = x + dropped(dense(its.down, wide), drop + 1, self.dropout, noise)
        return (x if its.last_norm is None else _normed(its.last_norm, x)), parameters

    def _attention(self, its: Encoder, x: Array) -> Float[Array, "batch parts width"]:
        import jax
        import jax.numpy as jnp

        of_heads = (*x.shape[:2], self.heads, self.width // self.heads)
        query, key, value = (part.reshape(of_heads) for part in jnp.split(dense(its.into, x), 3, axis=-1))
        seen = jax.nn.dot_product_attention(query, key, value, is_causal=self.is_causal)
        return dense(its.out_of, seen.reshape(x.shape))


class Attending(Model):
    """What networks of attention have in common."""

    heads: int = structural(
        4,
        "Ways of looking at once; more where parts are related in several ways.",
        ge=1,
        le=256,
        source="Vaswani et al. 2017",
    )
    key_dim: int = structural(
        16,
        "Numbers of each head; as many as heads times this stand for each part of an example.",
        ge=1,
        le=1024,
        source="Vaswani et al. 2017",
    )
    depth: int = structural(
        2,
        "Blocks of attention one after the other; more for long or rich examples.",
        unit="blocks",
        ge=1,
        le=128,
        source="Vaswani et al. 2017",
    )
    mlp_ratio: int = structural(
        4,
        "Neurons between two blocks, as a multiple of the width; 4 is usual.",
        ge=1,
        le=64,
        advanced=True,
        source="Vaswani et al. 2017",
    )
    activation: Activation = section.activation("gelu")
    initializer: Initializer = section.initializer()
    dropout: float = section.dropout()

    @property
    def width(self) -> int:
        """Return how many numbers stand for each part of an example."""
        return self.heads * self.key_dim

    def encoders(self, name: str, parts: int, *, is_causal: bool = False) -> Iterator[EncoderBlock]:
        """Yield the blocks of attention, which come after one other block."""
        for place in range(1, self.depth + 1):
            yield EncoderBlock(
                f"{name}_{place}", place, parts, self.width, self.heads, self.mlp_ratio * self.width, self.activation,
                self.initializer, self.dropout, place == self.depth, is_causal,
            )  # fmt: skip


class Transformer(Attending):
    """Transformer encoder: features of a table, or rows of a picture, look at one another; where they act together.

    Source: Vaswani et al. 2017; on tables: Gorishniy et al. 2021.
    """

    TAKES_CATEGORIES: ClassVar[bool] = True

    kind: Literal["transformer"] = "transformer"

    def blocks(self, inputs: Inputs, outputs: int) -> tuple[Block, ...]:  # noqa: D102
        parts, width = inputs.steps[0], self.width
        first = EmbeddingBlock("embedding", 0, inputs, width, self.initializer, self.dropout)
        last = DenseBlock("output", self.depth + 1, width, outputs, self.initializer, is_mean=True)
        return first, *self.encoders("encoder", parts), last


def _norm(width: int) -> Scale:
    norm = scale("layer", width)
    assert norm is not None
    return norm


def _normed(norm: Scale, x: Array) -> Array:
    return normalized(norm, x, is_training=False)[0]
