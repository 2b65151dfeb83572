"""Examples to train on: where they come from. How they arrive is in `trainer.data.loading`.

A new source is a file with a section class that has a `read`, and its name in the union on the last line.
"""

from typing import Annotated

from pydantic import Field

from trainer.data.embedded import BreastCancer, Diabetes, Digits, Iris, Wine
from trainer.data.files import Files
from trainer.data.hugging_face import HuggingFace
from trainer.data.images import Images
from trainer.data.known import Cifar10, FashionMnist, Mnist
from trainer.data.section import DataSection, Standardize
from trainer.data.synthetic import Circles, Moons, Spirals, Xor
from trainer.data.text import Text

__all__ = [
    "BreastCancer",
    "Cifar10",
    "Circles",
    "Data",
    "DataSection",
    "Diabetes",
    "Digits",
    "FashionMnist",
    "Files",
    "HuggingFace",
    "Images",
    "Iris",
    "Mnist",
    "Moons",
    "Spirals",
    "Standardize",
    "Text",
    "Wine",
    "Xor",
]

Data = Annotated[
    Digits
    | Iris
    | Wine
    | BreastCancer
    | Diabetes
    | Moons
    | Circles
    | Spirals
    | Xor
    | Mnist
    | FashionMnist
    | Cifar10
    | Files
    | Images
    | HuggingFace
    | Text,
    Field(discriminator="source"),
]
