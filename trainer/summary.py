"""The model summary: a network by its layers, before anything is computed. Needs neither JAX nor the examples."""

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
    """

    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]

    @property
    def n_parameters(self) -> int:
        """Return how many numbers are learned."""
        return sum(layer.n_parameters for layer in self.layers)

    @property
    def flops(self) -> int:
        """Return the FLOPs of a forward pass for one example, counted as in `Layer`."""
        return sum(layer.flops for layer in self.layers)


def summarize(config: Config, data: Summary) -> ModelSummary:
    """Return the summary of the network that a config means for its data."""
    return ModelSummary(
        data.image_shape or (data.n_features,), config.model.network(data.inputs, data.n_outputs).layers
    )
