"""The multilayer perceptron."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from trainer.fields import Sizes, structural
from trainer.models import section
from trainer.models.dense import DenseBlock, Finish
from trainer.models.embedding import CategoryBlock, embedding_dim
from trainer.models.section import Activation, Initializer, Model, Norm

if TYPE_CHECKING:
    from trainer.models.network import Block, Inputs


class MLP(Model):
    """Multilayer perceptron: dense layers, an activation between them; the first choice for tables.

    Source: Rumelhart, Hinton and Williams 1986.
    """

    TAKES_CATEGORIES: ClassVar[bool] = True

    kind: Literal["mlp"] = "mlp"
    hidden: Sizes = structural(
        (128, 128),
        "Neurons in each hidden layer; empty for a linear model.",
        max_length=256,
        source="Rumelhart et al. 1986",
    )
    activation: Activation = section.activation()
    initializer: Initializer = section.initializer()
    dropout: float = section.dropout()
    norm: Norm = section.norm()
    residual: bool = structural(
        False, "Add to each hidden layer what came into it, where both are of one size; for many layers.",
        advanced=True, source="He et al. 2016",
    )  # fmt: skip
    embedding_dim: int = embedding_dim()

    @property
    def is_linear(self) -> bool:  # noqa: D102
        return not self.hidden

    def blocks(self, inputs: Inputs, outputs: int) -> tuple[Block, ...]:  # noqa: D102
        finish = Finish(self.norm, self.activation, self.dropout)
        first = CategoryBlock.of(inputs, self.embedding_dim)
        sizes = (first[0].n_outputs if first else inputs.n_features, *self.hidden)
        hidden = [
            DenseBlock(
                f"hidden_{number}", len(first) + number - 1, n_in, n_out, self.initializer, finish,
                self.residual and n_in == n_out,
            )
            for number, (n_in, n_out) in enumerate(zip(sizes, self.hidden, strict=False), start=1)
        ]  # fmt: skip
        last = DenseBlock("output", len(first) + len(hidden), sizes[-1], outputs, self.initializer)
        return *first, *hidden, last
