"""Where a network for text begins and ends: tokens become vectors, vectors become a number for each token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from trainer.models.dense import dropped
from trainer.models.network import LOOKED_UP, Block, Kernel, Layer, Noise
from trainer.models.section import Initializer, weights

if TYPE_CHECKING:
    from jaxtyping import Array, Float, PRNGKeyArray, UInt

_DEVIATION: Final = 0.02
"""Of the numbers that embeddings begin with, as in GPT-2: small, so that no token is likelier than another at first."""


class TokenEmbedding(NamedTuple):
    """A vector for each token, and one for each place where places count."""

    weight: Float[Array, "tokens width"]
    position: Float[Array, "context width"] | None


class Logits(NamedTuple):
    """A vector for each token, to multiply with."""

    weight: Float[Array, "tokens width"]


@dataclass(frozen=True)
class TokenBlock(Block):
    """Each token as a vector, with where it stands if `has_positions`."""

    KERNEL: ClassVar[Kernel] = LOOKED_UP

    vocabulary: int
    context: int
    width: int
    has_positions: bool
    dropout: Any

    @property
    def layer(self) -> Layer:  # noqa: D102
        words = "embedding" + (f" dropout {self.dropout:g}" if self.dropout else "")
        rows = self.vocabulary + (self.context if self.has_positions else 0)
        return Layer(self.name, words, (self.context, self.width), rows * self.width, 0)

    def init(self, key: PRNGKeyArray) -> TokenEmbedding:  # noqa: D102
        import jax

        first, second = jax.random.split(key)
        weight = _DEVIATION * jax.random.normal(first, (self.vocabulary, self.width))
        if not self.has_positions:
            return TokenEmbedding(weight, None)
        return TokenEmbedding(weight, _DEVIATION * jax.random.normal(second, (self.context, self.width)))

    def apply(  # noqa: D102
        self, parameters: TokenEmbedding, x: UInt[Array, "batch context"], noise: Noise | None
    ) -> tuple[Float[Array, "batch context width"], TokenEmbedding]:
        y = parameters.weight[x]
        if parameters.position is not None:
            y = y + parameters.position
        return dropped(y, self.place, self.dropout, noise), parameters


@dataclass(frozen=True)
class LogitsBlock(Block):
    """A number for each token at each place, without bias as in GPT-2; if it is tied, by the first block's vectors.

    Source: Press and Wolf 2017.
    """

    vocabulary: int
    context: int
    width: int
    initializer: Initializer
    is_tied: bool

    @property
    def shares(self) -> int | None:  # noqa: D102
        return 0 if self.is_tied else None

    @property
    def layer(self) -> Layer:  # noqa: D102
        numbers = self.vocabulary * self.width
        words = "dense" + (" tied to the embedding" if self.is_tied else "")
        shape = (self.context, self.vocabulary)
        return Layer(self.name, words, shape, 0 if self.is_tied else numbers, 2 * self.context * numbers)

    def init(self, key: PRNGKeyArray) -> Logits:  # noqa: D102
        return Logits(weights(self.initializer, key, (self.vocabulary, self.width), 1, 0))

    def apply(  # noqa: D102
        self,
        parameters: Logits | TokenEmbedding,
        x: Array,
        noise: Noise | None,  # noqa: ARG002
    ) -> tuple[Float[Array, "batch context tokens"], Logits | TokenEmbedding]:
        import jax.numpy as jnp

        return jnp.einsum("bcw,tw->bct", x, parameters.weight), parameters
