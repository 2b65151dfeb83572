"""Networks for sequences: one step after the other, with a memory."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from trainer.fields import Sizes, structural
from trainer.models import section
from trainer.models.dense import DenseBlock, dropped
from trainer.models.network import Block, Inputs, Layer, Noise
from trainer.models.section import Initializer, Model, weights
from trainer.models.tokens import LogitsBlock, TokenBlock
from trainer.problems import Problem

if TYPE_CHECKING:
    from jaxtyping import Array, Float, PRNGKeyArray


class Recurrent(NamedTuple):
    """The parameters of a recurrent layer; its gates one after the other along the first axis."""

    weight: Float[Array, "gates inputs"]
    recurrent: Float[Array, "gates units"]
    bias: Float[Array, " gates"]
    recurrent_bias: Float[Array, " gates"]


Cell = tuple["Array", ...]
"""What a layer remembers from step to step: the state that it gives on, and for LSTM the cell beside it."""


@dataclass(frozen=True)
class RecurrentBlock(Block):
    """A layer that goes through the steps with a memory; it gives all its states, or the last one.

    Attributes:
        word: what it is called.
        gates: how many weighted sums each unit takes.
        memories: how many numbers each unit remembers.
    """

    word: ClassVar[str]
    gates: ClassVar[int]
    memories: ClassVar[int]

    steps: int
    n_inputs: int
    units: int
    initializer: Initializer
    dropout: Any
    is_last: bool

    @property
    def layer(self) -> Layer:  # noqa: D102
        rows = self.gates * self.units
        shape = (self.units,) if self.is_last else (self.steps, self.units)
        words = self.word + (f" dropout {self.dropout:g}" if self.dropout else "")
        flops = self.steps * rows * (2 * (self.n_inputs + self.units) + 2)
        return Layer(self.name, words, shape, rows * (self.n_inputs + self.units + 2), flops)

    def init(self, key: PRNGKeyArray) -> Recurrent:
        """Return the layer; weights from state to state are orthogonal, biases zero, as in Keras."""
        import jax
        import jax.numpy as jnp

        first, second = jax.random.split(key)
        rows = self.gates * self.units
        weight = weights(self.initializer, first, (rows, self.n_inputs), 1, 0)
        return Recurrent(weight, self._between_states(second), self._bias(), jnp.zeros(rows))

    def apply(self, parameters: Recurrent, x: Array, noise: Noise | None) -> tuple[Array, Recurrent]:  # noqa: D102
        import jax.numpy as jnp
        from jax import lax

        x = x.reshape(len(x), self.steps, self.n_inputs)
        sums = jnp.einsum("bsi,gi->sbg", x, parameters.weight) + parameters.bias

        def step(cell: Cell, sums: Array) -> tuple[Cell, Array]:
            again = cell[0] @ parameters.recurrent.T + parameters.recurrent_bias
            cell = self.after(cell, sums, again)
            return cell, cell[0]

        begin = jnp.zeros((len(x), self.units), x.dtype)
        last, states = lax.scan(step, (begin,) * self.memories, sums)
        given = last[0] if self.is_last else states.swapaxes(0, 1)
        return dropped(given, self.place, self.dropout, noise), parameters

    @abstractmethod
    def after(self, cell: Cell, sums: Array, again: Array) -> Cell:
        """Return what is remembered after a step.

        Args:
            cell: what was remembered.
            sums: weighted sums of the step's inputs; shape [batch, gates].
            again: weighted sums of the state; likewise.
        """

    def _between_states(self, key: PRNGKeyArray) -> Float[Array, "gates units"]:
        import jax

        each = jax.random.split(key, self.gates)
        made = [jax.nn.initializers.orthogonal()(one, (self.units, self.units)) for one in each]
        return jax.numpy.concatenate(made)

    def _bias(self) -> Float[Array, " gates"]:
        import jax.numpy as jnp

        return jnp.zeros(self.gates * self.units)


class GRUBlock(RecurrentBlock):
    """A gated recurrent unit; the reset gate acts after the product, as in cuDNN and Keras. Source: Cho et al. 2014."""

    word: ClassVar[str] = "gru"
    gates: ClassVar[int] = 3
    memories: ClassVar[int] = 1

    def after(self, cell: Cell, sums: Array, again: Array) -> Cell:  # noqa: D102
        import jax
        import jax.numpy as jnp

        (update_x, reset_x, new_x), (update_h, reset_h, new_h) = (jnp.split(part, 3, axis=1) for part in (sums, again))
        update, reset = jax.nn.sigmoid(update_x + update_h), jax.nn.sigmoid(reset_x + reset_h)
        new = jnp.tanh(new_x + reset * new_h)
        return (update * cell[0] + (1 - update) * new,)


class LSTMBlock(RecurrentBlock):
    """Long short-term memory. Source: Hochreiter and Schmidhuber 1997; Gers et al. 2000."""

    word: ClassVar[str] = "lstm"
    gates: ClassVar[int] = 4
    memories: ClassVar[int] = 2

    def after(self, cell: Cell, sums: Array, again: Array) -> Cell:  # noqa: D102
        import jax
        import jax.numpy as jnp

        enter, forget, new, leave = jnp.split(sums + again, 4, axis=1)
        held = jax.nn.sigmoid(forget) * cell[1] + jax.nn.sigmoid(enter) * jnp.tanh(new)
        return jax.nn.sigmoid(leave) * jnp.tanh(held), held

    def _bias(self) -> Float[Array, " gates"]:
        """Return zeros, but for the forget gate: at 1 it keeps the memory in the beginning. Jozefowicz et al. 2015."""
        return super()._bias().at[self.units : 2 * self.units].set(1)


class RecurrentModel(Model):
    """What both have; the outputs are made of the last state of the last layer, of a text of all its states.

    Attributes:
        block: the class of its layers.
    """

    block: ClassVar[type[RecurrentBlock]]

    units: Sizes = structural(
        (64,),
        "Units of each layer; a picture goes in row by row, a table feature by feature, a text token by token.",
        min_length=1,
        max_length=64,
    )
    initializer: Initializer = section.initializer()
    dropout: float = section.dropout()

    def misfit(self, inputs: Inputs, outputs: int) -> Problem | None:  # noqa: D102
        return None if inputs.vocabulary else super().misfit(inputs, outputs)

    def blocks(self, inputs: Inputs, outputs: int) -> tuple[Block, ...]:  # noqa: D102
        (steps, width), last = inputs.steps, self.units[-1]
        if not inputs.vocabulary:
            made = self._layers(0, steps, width, gives_all=False)
            return *made, DenseBlock("output", len(made), last, outputs, self.initializer)
        first = TokenBlock("embedding", 0, inputs.vocabulary, steps, self.units[0], False, self.dropout)
        made = self._layers(1, steps, self.units[0], gives_all=True)
        return first, *made, LogitsBlock("output", len(made) + 1, outputs, steps, last, self.initializer, False)

    def _layers(self, before: int, steps: int, width: int, *, gives_all: bool) -> list[Block]:
        """Return the recurrent layers, which come after so many other blocks; the last one may give all its states."""
        made: list[Block] = []
        for place, (n_in, units) in enumerate(zip((width, *self.units), self.units, strict=False)):
            is_last = not gives_all and place + 1 == len(self.units)
            settings = steps, n_in, units, self.initializer, self.dropout, is_last
            made.append(self.block(f"{self.block.word}_{place + 1}", before + place, *settings))
        return made


class GRU(RecurrentModel):
    """Gated recurrent units: a memory with two gates, step by step; for sequences, quicker than LSTM.

    Source: Cho et al. 2014.
    """

    block: ClassVar[type[RecurrentBlock]] = GRUBlock

    kind: Literal["gru"] = "gru"


class LSTM(RecurrentModel):
    """Long short-term memory: a memory with three gates, step by step; for long sequences.

    Source: Hochreiter and Schmidhuber 1997; Gers et al. 2000.
    """

    block: ClassVar[type[RecurrentBlock]] = LSTMBlock

    kind: Literal["lstm"] = "lstm"
