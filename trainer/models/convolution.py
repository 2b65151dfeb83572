"""Networks for pictures: convolutions that keep rows and columns, and pooling that halves them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple

from trainer.fields import Sizes, structural
from trainer.models import section
from trainer.models.dense import DenseBlock, Finish, Scale, dropped
from trainer.models.network import Block, Inputs, Kernel, Layer, Noise
from trainer.models.section import Activation, Initializer, Model, Norm, weights
from trainer.problems import Problem

if TYPE_CHECKING:
    from jaxtyping import Array, Float, PRNGKeyArray

Pooling = Literal["max", "average", "none"]
Picture = tuple[int, int, int]

_LAYOUT: Final = ("NHWC", "HWIO", "NHWC")
_CONVOLVED: Final = Kernel((0, 1, 2), (3,))
_NO_PICTURES: Final = Problem('needs pictures, which these data are not. Use "mlp" or "transformer".', "model.kind")


class Conv(NamedTuple):
    """The parameters of a convolution."""

    weight: Float[Array, "rows columns inputs outputs"]
    bias: Float[Array, " outputs"]


class Convolved(NamedTuple):
    """The parameters of a convolution with a norm, or none."""

    conv: Conv
    norm: Scale | None


class Shortened(NamedTuple):
    """The parameters of two convolutions with a way around them; a convolution on it where sizes change."""

    first: Convolved
    second: Convolved
    shortcut: Conv | None


@dataclass(frozen=True)
class ConvBlock(Block):
    """A convolution over the whole picture, and pooling, which halves its rows and columns."""

    KERNEL: ClassVar[Kernel] = _CONVOLVED

    inputs: Picture
    filters: int
    kernel: int
    pooling: Pooling
    initializer: Initializer
    finish: Finish

    @property
    def shape(self) -> Picture:
        """Return rows, columns and channels of what comes out."""
        rows, columns, _ = self.inputs
        halve = 1 if self.pooling == "none" else 2
        return -(-rows // halve), -(-columns // halve), self.filters

    @property
    def layer(self) -> Layer:  # noqa: D102
        pooled = "" if self.pooling == "none" else f" {self.pooling}_pool"
        dropout = f" dropout {self.finish.dropout:g}" if self.finish.dropout else ""
        n_parameters, flops = _cost(self.inputs, self.kernel, self.filters)
        n_parameters += self.finish.n_parameters(self.filters)
        words = f"conv {self.kernel}x{self.kernel}{self._before_pooling.words}{pooled}{dropout}"
        return Layer(self.name, words, self.shape, n_parameters, flops)

    def init(self, key: PRNGKeyArray) -> Convolved:  # noqa: D102
        conv = _conv_parameters(self.initializer, key, self.kernel, self.inputs[2], self.filters)
        return Convolved(conv, self.finish.init(self.filters))

    def apply(  # noqa: D102
        self, parameters: Convolved, x: Array, noise: Noise | None
    ) -> tuple[Float[Array, "batch rows columns filters"], Convolved]:
        sums = _convolved(parameters.conv, x.reshape(len(x), *self.inputs))
        y, norm = self._before_pooling.apply(parameters.norm, sums, self.place, noise)
        y = dropped(_pooled(self.pooling, y), self.place, self.finish.dropout, noise)
        return y, parameters._replace(norm=norm)

    @property
    def _before_pooling(self) -> Finish:
        return self.finish._replace(dropout=0.0)


@dataclass(frozen=True)
class ResidualBlock(Block):
    """Two convolutions with a way around them; the first may halve rows and columns. Source: He et al. 2016."""

    KERNEL: ClassVar[Kernel] = _CONVOLVED

    inputs: Picture
    filters: int
    stride: int
    initializer: Initializer
    finish: Finish

    @property
    def shape(self) -> Picture:
        """Return rows, columns and channels of what comes out."""
        rows, columns, _ = self.inputs
        return -(-rows // self.stride), -(-columns // self.stride), self.filters

    @property
    def layer(self) -> Layer:  # noqa: D102
        costs = [_cost((*self.shape[:2], self.inputs[2]), 3, self.filters), _cost(self.shape, 3, self.filters)]
        if self._changes:
            costs.append(_cost((*self.shape[:2], self.inputs[2]), 1, self.filters))
        n_parameters, flops = map(sum, zip(*costs, strict=True))
        n_parameters += 2 * self.finish.n_parameters(self.filters)
        stride = f" stride {self.stride}" if self.stride > 1 else ""
        return Layer(self.name, f"2 conv 3x3{stride}{self.finish.words} residual", self.shape, n_parameters, flops)

    def init(self, key: PRNGKeyArray) -> Shortened:  # noqa: D102
        import jax

        n_in, n_out = self.inputs[2], self.filters
        keys = jax.random.split(key, 3)
        first, second = (
            Convolved(_conv_parameters(self.initializer, key, 3, n, n_out), self.finish.init(n_out))
            for key, n in zip(keys, (n_in, n_out), strict=False)
        )
        shortcut = _conv_parameters(self.initializer, keys[2], 1, n_in, n_out) if self._changes else None
        return Shortened(first, second, shortcut)

    def apply(  # noqa: D102
        self, parameters: Shortened, x: Array, noise: Noise | None
    ) -> tuple[Float[Array, "batch rows columns filters"], Shortened]:
        import jax

        first, second, shortcut = parameters
        x = x.reshape(len(x), *self.inputs)
        y, first_norm = self.finish.apply(first.norm, _convolved(first.conv, x, self.stride), self.place, noise)
        y, second_norm = Finish(self.finish.norm).apply(second.norm, _convolved(second.conv, y), self.place, noise)
        around = x if shortcut is None else _convolved(shortcut, x, self.stride)
        seen = Shortened(first._replace(norm=first_norm), second._replace(norm=second_norm), shortcut)
        return getattr(jax.nn, self.finish.activation)(around + y), seen

    @property
    def _changes(self) -> bool:
        return self.stride > 1 or self.inputs[2] != self.filters


class ForPictures(Model):
    """A model that needs pictures."""

    def misfit(self, inputs: Inputs, outputs: int) -> Problem | None:  # noqa: D102
        return super().misfit(inputs, outputs) or (_NO_PICTURES if inputs.image_shape is None else None)


class CNN(ForPictures):
    """Convolutional network: filters that slide over a picture, then dense layers; the first choice for pictures.

    Source: LeCun et al. 1998.
    """

    kind: Literal["cnn"] = "cnn"
    filters: Sizes = structural(
        (32, 64),
        "Filters of each convolution; more for richer pictures.",
        min_length=1,
        max_length=64,
        source="LeCun et al. 1998",
    )
    kernel_size: int = structural(
        3,
        "Rows and columns that a filter sees at once; 3, and more layers, is usual.",
        unit="pixels",
        ge=1,
        le=31,
        source="Simonyan and Zisserman 2015",
    )
    pooling: Pooling = structural(
        "max",
        "How each block halves rows and columns; none keeps them.",
        source="LeCun et al. 1998; Scherer et al. 2010",
    )
    hidden: Sizes = structural(
        (64,), "Neurons of the dense layers after the convolutions; may be empty.", max_length=64
    )
    global_pooling: bool = structural(
        False, "Take the mean of each filter over the picture before the dense layers; fewer weights.", advanced=True,
        source="Lin, Chen and Yan 2014",
    )  # fmt: skip
    activation: Activation = section.activation()
    initializer: Initializer = section.initializer()
    dropout: float = section.dropout()
    norm: Norm = section.norm()

    def blocks(self, inputs: Inputs, outputs: int) -> tuple[Block, ...]:  # noqa: D102
        assert inputs.image_shape is not None
        shape, finish, made = inputs.image_shape, Finish(self.norm, self.activation, self.dropout), []
        for place, filters in enumerate(self.filters):
            block = ConvBlock(
                f"conv_{place + 1}", place, shape, filters, self.kernel_size, self.pooling, self.initializer, finish
            )
            made.append(block)
            shape = block.shape
        return *made, *self._head(shape, outputs, finish)

    def _head(self, shape: Picture, outputs: int, finish: Finish) -> list[DenseBlock]:
        n_in = shape[2] if self.global_pooling else math.prod(shape)
        sizes, first = [n_in, *self.hidden, outputs], len(self.filters)
        names = [*(f"hidden_{number + 1}" for number in range(len(self.hidden))), "output"]
        return [
            DenseBlock(
                name, first + number, sizes[number], sizes[number + 1], self.initializer,
                finish if name != "output" else Finish(), is_mean=self.global_pooling and not number,
            )
            for number, name in enumerate(names)
        ]  # fmt: skip


class ResNet(ForPictures):
    """Residual network: convolutions that add to what comes in; for pictures where more layers than a CNN's pay.

    Source: He et al. 2016.
    """

    kind: Literal["resnet"] = "resnet"
    filters: Sizes = structural(
        (16, 32, 64), "Filters of each stage; every stage but the first halves rows and columns.",
        min_length=1, max_length=16, source="He et al. 2016",
    )  # fmt: skip
    blocks_per_stage: int = structural(
        1, "Residual blocks in each stage; 3 makes a ResNet-20.", unit="blocks", ge=1, le=64, source="He et al. 2016"
    )
    activation: Activation = section.activation()
    initializer: Initializer = section.initializer()
    dropout: float = section.dropout()
    norm: Norm = section.norm("batch")

    def blocks(self, inputs: Inputs, outputs: int) -> tuple[Block, ...]:  # noqa: D102
        assert inputs.image_shape is not None
        finish = Finish(self.norm, self.activation, self.dropout)
        stem = ConvBlock("stem", 0, inputs.image_shape, self.filters[0], 3, "none", self.initializer, finish)
        made: list[ConvBlock | ResidualBlock] = [stem]
        for stage, filters in enumerate(self.filters):
            for number in range(self.blocks_per_stage):
                stride = 2 if stage and not number else 1
                name = f"stage_{stage + 1}_{number + 1}"
                made.append(ResidualBlock(name, len(made), made[-1].shape, filters, stride, self.initializer, finish))
        return *made, DenseBlock("output", len(made), self.filters[-1], outputs, self.initializer, is_mean=True)


def _cost(inputs: Picture, kernel: int, filters: int) -> tuple[int, int]:
    """Return the parameters and the FLOPs of a convolution whose output has these rows and columns."""
    rows, columns, channels = inputs
    sums = kernel * kernel * channels
    return (sums + 1) * filters, rows * columns * filters * (2 * sums + 1)


def _conv_parameters(initializer: Initializer, key: PRNGKeyArray, kernel: int, n_in: int, n_out: int) -> Conv:
    import jax.numpy as jnp

    return Conv(weights(initializer, key, (kernel, kernel, n_in, n_out), -2, -1), jnp.zeros(n_out))


def _convolved(conv: Conv, x: Array, stride: int = 1) -> Float[Array, "batch rows columns filters"]:
    """Return the weighted sums at every place, or at every second one.

    On the CPU as a product of matrices: in a loop XLA computes a convolution there without its fast library, 3 to 30
    times as slowly.
    """
    from jax import lax

    def as_product(x: Array, weight: Array) -> Array:
        seen = _patches(x, weight.shape[0], stride)
        # All places in one axis: with three of them XLA would transpose and copy for the gradient of the weights.
        sums: Array = seen.reshape(-1, seen.shape[-1]) @ weight.reshape(-1, weight.shape[-1])
        return sums.reshape(*seen.shape[:-1], -1)

    def as_convolution(x: Array, weight: Array) -> Array:
        found: Array = lax.conv_general_dilated(x, weight, (stride, stride), "SAME", dimension_numbers=_LAYOUT)
        return found

    sums: Array = lax.platform_dependent(x, conv.weight, cpu=as_product, default=as_convolution)
    return sums + conv.bias


def _patches(x: Array, kernel: int, stride: int) -> Float[Array, "batch rows columns seen"]:
    """Return what a filter sees at each place, zeros beyond the rim: as `lax.conv_general_dilated` pads with "SAME"."""
    import jax.numpy as jnp

    beyond = [max(0, (-(-size // stride) - 1) * stride + kernel - size) for size in x.shape[1:3]]
    padded = jnp.pad(x, ((0, 0), *((pad // 2, pad - pad // 2) for pad in beyond), (0, 0)))
    rows, columns = x.shape[1:3]
    seen = [
        padded[:, row : row + rows : stride, column : column + columns : stride]
        for row in range(kernel)
        for column in range(kernel)
    ]
    return jnp.concatenate(seen, axis=-1)


def _pooled(pooling: Pooling, x: Array) -> Array:
    """Return the largest or the mean of each two by two places; at an odd rim, of those that there are.

    By axes of two and not by `lax.reduce_window`, whose gradient takes XLA twice as long on the CPU.
    """
    import jax.numpy as jnp

    _, rows, columns, filters = x.shape
    rim = ((0, 0), (0, rows % 2), (0, columns % 2), (0, 0))

    def over(values: Array, start: float, reduce: Any) -> Array:
        whole = jnp.pad(values, rim, constant_values=start) if rows % 2 or columns % 2 else values
        found: Array = reduce(whole.reshape(len(values), -(-rows // 2), 2, -(-columns // 2), 2, filters), axis=(2, 4))
        return found

    if pooling == "none":
        return x
    if pooling == "max":
        return over(x, -jnp.inf, jnp.max)
    return over(x, 0.0, jnp.sum) / over(jnp.ones_like(x[:1]), 0.0, jnp.sum)
