"""Models: from a batch of inputs to a batch of outputs.

Each kind is one class: its hyperparameters and, in `blocks`, the parts that make its network. Numbers such as the
dropout rate stay in the config, where they are traced, so that changing one recompiles nothing.

A new model is a class in one of these files, and its name in the union on the last line.
"""

from typing import Annotated

from pydantic import Field

from trainer.models.attention import Transformer
from trainer.models.convolution import CNN, ResNet
from trainer.models.custom import Custom
from trainer.models.language import TransformerLM
from trainer.models.mlp import MLP
from trainer.models.network import Inputs, Layer, Network, Noise
from trainer.models.permission import Permission
from trainer.models.recurrent import GRU, LSTM
from trainer.models.section import Activation, Initializer, Model, Norm

__all__ = [
    "CNN",
    "GRU",
    "LSTM",
    "MLP",
    "Activation",
    "AnyModel",
    "Custom",
    "Initializer",
    "Inputs",
    "Layer",
    "Model",
    "Network",
    "Noise",
    "Norm",
    "Permission",
    "ResNet",
    "Transformer",
    "TransformerLM",
]

AnyModel = Annotated[
    MLP | CNN | ResNet | GRU | LSTM | Transformer | TransformerLM | Custom, Field(discriminator="kind")
]
