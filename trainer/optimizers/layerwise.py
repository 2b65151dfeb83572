"""Optimizers that look at a layer's weights as a whole: at their length, rows and columns, or directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from trainer.fields import live, structural
from trainer.optimizers.adam import Moments
from trainer.optimizers.section import LEARNING_RATE, Decaying, Optimizer

if TYPE_CHECKING:
    import optax
    from optax import contrib

    from trainer.models.network import Kernel

_DECAY = "Pull of the weights towards 0, before the step is scaled; biases and norms are left alone."


class Lars(Optimizer):
    """Momentum with a step for each layer in proportion to its weights; for very large batches.

    Source: You, Gitman and Ginsburg 2017.
    """

    kind: Literal["lars"] = "lars"
    learning_rate: float = live(1.0, LEARNING_RATE, gt=0, le=1e6, source="You, Gitman and Ginsburg 2017")
    momentum: float = live(0.9, "Share of the last step that is kept; 0.9 is usual.", ge=0, lt=1, source="Polyak 1964")
    nesterov: bool = structural(
        False,
        "Look ahead along the momentum before the gradient is applied.",
        advanced=True,
        source="Sutskever et al. 2013",
    )
    weight_decay: float = live(0.0, _DECAY, ge=0, source="You, Gitman and Ginsburg 2017")
    trust_coefficient: float = live(
        1e-3, "Length of a step at rate 1, as a share of the layer's weights.",
        gt=0, advanced=True, source="You, Gitman and Ginsburg 2017",
    )  # fmt: skip

    def by_layer(self, learning_rate: Any, kernels: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        from trainer.optimizers.wrapping import decaying

        return optax.lars(
            learning_rate, self.weight_decay, decaying(kernels), self.trust_coefficient,
            trust_ratio_mask=decaying(kernels), momentum=self.momentum, nesterov=self.nesterov,
        )  # fmt: skip


class Lamb(Moments):
    """Adam with a step for each layer in proportion to its weights; for very large batches of transformers.

    Source: You et al. 2020.
    """

    kind: Literal["lamb"] = "lamb"
    eps: float = live(
        1e-6, "Added to the root of the square; raise it when steps explode late in training.",
        gt=0, advanced=True, source="You et al. 2020",
    )  # fmt: skip
    weight_decay: float = live(0.0, _DECAY, ge=0, source="You et al. 2020")

    def by_layer(self, learning_rate: Any, kernels: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        from trainer.optimizers.wrapping import decaying

        mask = decaying(kernels)
        return optax.lamb(learning_rate, self.b1, self.b2, self.eps, weight_decay=self.weight_decay, mask=mask)


class NovoGrad(Moments):
    """Momentum of gradients that are scaled by their layer's length; as little memory as momentum takes.

    Source: Ginsburg et al. 2019.
    """

    kind: Literal["novograd"] = "novograd"
    learning_rate: float = live(1e-2, LEARNING_RATE, gt=0, le=1e6, source="Ginsburg et al. 2019")
    b2: float = live(
        0.25, "Decay of the running mean of the gradient's squared length.",
        ge=0, lt=1, advanced=True, source="Ginsburg et al. 2019",
    )  # fmt: skip
    eps: float = live(
        1e-6, "Added to the length, where it would be 0.", gt=0, advanced=True, source="Ginsburg et al. 2019"
    )
    weight_decay: float = live(0.0, _DECAY, ge=0, source="Ginsburg et al. 2019")

    def by_layer(self, learning_rate: Any, kernels: Any) -> optax.GradientTransformation:  # noqa: D102
        import optax

        from trainer.optimizers.wrapping import decaying

        def novograd(weight_decay: Any) -> optax.GradientTransformation:
            return optax.novograd(learning_rate, self.b1, self.b2, self.eps, weight_decay=weight_decay)

        return optax.partition({True: novograd(self.weight_decay), False: novograd(0.0)}, decaying(kernels))


class Adafactor(Optimizer):
    """RMSProp that remembers a row and a column of squares for each matrix; for networks that hardly fit.

    Source: Shazeer and Stern 2018.
    """

    kind: Literal["adafactor"] = "adafactor"
    learning_rate: float = live(
        1e-2,
        "Size of a step, as a share of the weights. A schedule multiplies it.",
        gt=0,
        le=1e6,
        source="Shazeer and Stern 2018",
    )
    decay_rate: float = live(
        0.8, "How fast the memory of squares grows: after n updates it forgets 1 / n to this power.",
        gt=0, lt=1, advanced=True, source="Shazeer and Stern 2018",
    )  # fmt: skip
    clipping_threshold: float = live(
        1.0,
        "Longest step of a layer, in units of its usual one; lower is calmer.",
        gt=0,
        advanced=True,
        source="Shazeer and Stern 2018",
    )
    multiply_by_parameter_scale: bool = structural(
        True,
        "Steps in proportion to the layer's weights; without, of one size.",
        advanced=True,
        source="Shazeer and Stern 2018",
    )
    min_dim_size_to_factor: int = structural(
        128,
        "Least rows and columns of a matrix to be remembered by row and column.",
        ge=1,
        advanced=True,
        source="optax.adafactor",
    )

    def by_layer(self, learning_rate: Any, kernels: Any) -> optax.GradientTransformation:  # noqa: ARG002, D102
        import optax

        return optax.adafactor(
            learning_rate, self.min_dim_size_to_factor, self.decay_rate,
            multiply_by_parameter_scale=self.multiply_by_parameter_scale, clipping_threshold=self.clipping_threshold,
        )  # fmt: skip


class Muon(Decaying):
    """Momentum whose matrices are made orthogonal, Adam for all else; for transformers and wide dense layers.

    Source: Jordan et al. 2024.
    """

    kind: Literal["muon"] = "muon"
    learning_rate: float = live(2e-2, LEARNING_RATE, gt=0, le=1e6, source="Jordan et al. 2024")
    beta: float = live(
        0.95, "Decay of the momentum of matrices.", ge=0, lt=1, advanced=True, source="Jordan et al. 2024"
    )
    nesterov: bool = structural(
        True, "Look ahead along the momentum before it is made orthogonal.", advanced=True, source="Jordan et al. 2024"
    )
    ns_steps: int = structural(
        5,
        "Rounds of Newton's and Schulz's iteration that makes matrices orthogonal; more is exacter.",
        ge=1,
        le=100,
        advanced=True,
        source="Jordan et al. 2024",
    )
    adam_ratio: float = live(
        0.05, "Adam's learning rate, for biases, norms and all that is no matrix, as a share of Muon's.",
        gt=0, le=1e6, source="Jordan et al. 2024",
    )  # fmt: skip

    def by_layer(self, learning_rate: Any, kernels: Any) -> optax.GradientTransformation:  # noqa: D102
        import jax
        from optax import contrib

        return contrib.muon(
            learning_rate, ns_steps=self.ns_steps, beta=self.beta, nesterov=self.nesterov,
            adam_learning_rate=self.adam_ratio * learning_rate,
            muon_weight_dimension_numbers=jax.tree.map(_matrix, kernels),
        )  # fmt: skip

    def decayed(  # noqa: D102
        self, rule: optax.GradientTransformation, learning_rate: Any, kernels: Any
    ) -> optax.GradientTransformation:
        import jax

        def only(kernels: Any, *, matrices: bool) -> Any:
            return jax.tree.map(lambda its: its and (_matrix(its) is not None) == matrices, kernels)

        of_matrices = super().decayed(rule, learning_rate, only(kernels, matrices=True))
        return super().decayed(of_matrices, self.adam_ratio * learning_rate, only(kernels, matrices=False))


def _matrix(kernel: Kernel | Literal[False]) -> contrib.MuonDimensionNumbers | None:
    """Return which axes are rows and columns of a matrix, None where there is none."""
    from optax import contrib

    return contrib.MuonDimensionNumbers(kernel.inputs, kernel.outputs) if kernel and kernel.inputs else None
