"""The network for text: attention that looks back, and at each place a number for each token that may come next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from trainer.fields import structural
from trainer.models.attention import Attending
from trainer.models.network import Inputs
from trainer.models.tokens import LogitsBlock, TokenBlock
from trainer.problems import Problem

if TYPE_CHECKING:
    from trainer.models.network import Block

_NO_TEXT: Final = Problem('needs a text, which these data are not. Use "mlp" or "transformer".', "model.kind")


class TransformerLM(Attending):
    """Transformer decoder: each token looks at those before it, to predict the next; the first choice for texts.

    Source: Radford et al. 2019.
    """

    kind: Literal["transformer_lm"] = "transformer_lm"
    tied: bool = structural(
        True, "One vector for each token, where it comes in and where it is predicted; off: one for each.",
        advanced=True, source="Press and Wolf 2017",
    )  # fmt: skip

    def misfit(self, inputs: Inputs, outputs: int) -> Problem | None:  # noqa: ARG002, D102
        return None if inputs.vocabulary else _NO_TEXT

    def blocks(self, inputs: Inputs, outputs: int) -> tuple[Block, ...]:  # noqa: D102
        context, width = inputs.n_features, self.width
        return (
            TokenBlock("embedding", 0, inputs.vocabulary, context, width, True, self.dropout),
            *self.encoders("decoder", context, is_causal=True),
            LogitsBlock("output", self.depth + 1, outputs, context, width, self.initializer, self.tied),
        )
