"""The model summary: a network by its layers, before anything is computed. Needs neither JAX nor the examples.

But for a network of one's own, whose layers only its code knows.
"""

from dataclasses import dataclass

from trainer.config import Config
from trainer.data.splits import Summary
from trainer.models import Layer


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A network by its layers.

    Attributes:
        input_shape: of one example.
        layers: first to last.
        n_parameters: how many numbers are learned.
        flops: of a forward pass for one example, counted as in `Layer`; of a network of one's own as XLA counts them.
    """

    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    n_parameters: int
    flops: int


def summarize(config: Config, data: Summary) -> ModelSummary:
    """Return the summary of the network that a config means for its data."""
    network = config.model.network(data.inputs, data.n_outputs)
    shape = data.image_shape or (data.n_features,)
    return ModelSummary(shape, network.layers, network.n_parameters, network.flops)
