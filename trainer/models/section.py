"""What the models have in common: their settings, and the words for activations, initializers and norms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from trainer.fields import Section, live, structural
from trainer.models.network import Inputs, Network, Sequential
from trainer.problems import Problem

if TYPE_CHECKING:
    from jaxtyping import Array, PRNGKeyArray

    from trainer.models.network import Block
    from trainer.models.permission import Permission

Activation = Literal[
    "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "tanh", "sigmoid", "softplus",
    "soft_sign", "squareplus", "sparse_plus", "sparse_sigmoid", "log_sigmoid", "hard_sigmoid", "hard_silu",
    "hard_tanh", "identity",
]  # fmt: skip
"""Every function of `jax.nn` that acts on each number by itself and is finite on all of them."""

Initializer = Literal[
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal", "orthogonal",
    "zeros", "ones",
]  # fmt: skip
"""Those of `jax.nn.initializers`. The last two cannot break the symmetry between units; they are here to be seen."""

_NO_TABLES: Final = Problem(
    'must be "one_hot" for this model, which has no tables of categories, got "embedding". Or use "mlp" or'
    ' "transformer".',
    "data.categories",
)

Norm = Literal["none", "layer", "batch"]
"""What brings the units to zero mean and unit variance: of each example by itself, or over the batch."""

_NO_NUMBERS: Final = Problem(
    'needs numbers, of which a text has none. Use "transformer_lm", "gru" or "lstm".', "model.kind"
)


def activation(default: Activation = "relu") -> Any:
    """Declare what hidden neurons do with their sums."""
    return structural(
        default, f"What each hidden neuron does with its sum; {default} is the usual start.", source="jax.nn"
    )


def initializer() -> Any:
    """Declare how the weights start."""
    return structural(
        "glorot_uniform", "How the weights start; he fits relu, glorot fits tanh, zeros and ones do not learn.",
        source="Glorot 2010; He 2015; LeCun 1998; Saxe 2014",
    )  # fmt: skip


def dropout() -> Any:
    """Declare the rate of dropout."""
    return live(
        0.0, "Share of the hidden neurons switched off at random in each update; raise it against overfitting.",
        ge=0, lt=1, source="Srivastava et al. 2014",
    )  # fmt: skip


def norm(default: Norm = "none") -> Any:
    """Declare the norm before each activation."""
    return structural(
        default, "Bring the units to one scale: of each example (layer) or over the batch; helps deep networks train.",
        advanced=True, source="Ba, Kiros and Hinton 2016; Ioffe and Szegedy 2015",
    )  # fmt: skip


class Model(Section):
    """What every model offers.

    Attributes:
        TAKES_CATEGORIES: whether it looks numbers of categories up in tables of its own.
    """

    TAKES_CATEGORIES: ClassVar[bool] = False

    def blocks(self, inputs: Inputs, outputs: int) -> tuple[Block, ...]:
        """Return the parts of the network, first to last."""
        raise NotImplementedError

    def network(self, inputs: Inputs, outputs: int) -> Network:
        """Return the network for such examples and so many outputs."""
        return Sequential(self.blocks(inputs, outputs))

    @property
    def code(self) -> str:
        """Return the function of a person's own that makes the network, as module:function; "" where there is none."""
        return ""

    @property
    def permission(self) -> Permission | None:
        """Return the permission to run that code, if there is one."""
        return None

    def permitted(self, permission: Permission | None) -> Self:  # noqa: ARG002
        """Return the model with permission to run its code, if it has any and is what the permission is for."""
        return self

    @property
    def is_linear(self) -> bool:
        """Return whether there is nothing between inputs and outputs."""
        return False

    def misfit(self, inputs: Inputs, outputs: int) -> Problem | None:  # noqa: ARG002
        """Return why no network can be had for such examples and so many outputs, if none can."""
        if inputs.vocabulary:
            return _NO_NUMBERS
        return _NO_TABLES if inputs.categories and not self.TAKES_CATEGORIES else None


def weights(initializer: Initializer, key: PRNGKeyArray, shape: tuple[int, ...], inputs: int, outputs: int) -> Array:
    """Return weights to begin with.

    Args:
        initializer: one of `jax.nn.initializers`.
        key: for this array alone.
        shape: of the array; axes that are neither inputs nor outputs are a kernel's rows and columns.
        inputs: axis of the inputs.
        outputs: axis of the outputs.
    """
    import jax

    made: Any = getattr(jax.nn.initializers, initializer)
    if initializer == "orthogonal":
        made = made(column_axis=outputs)
    elif initializer not in ("zeros", "ones"):
        made = made(in_axis=inputs, out_axis=outputs)
    found: Array = made(key, shape)
    return found
