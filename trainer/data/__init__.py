"""Examples to train on: where they come from (`Data`), and how they arrive (`load`).

A new source is a file with a section class that has a `read`, and its name in the union on the last line.
"""

from typing import Annotated

from pydantic import Field

from trainer.data.embedded import BreastCancer, Diabetes, Digits, Iris, Wine
from trainer.data.files import Files
from trainer.data.loading import describe, load
from trainer.data.section import DataSection, Standardize, Task
from trainer.data.splits import Part, Splits, Summary
from trainer.data.synthetic import Circles, Moons, Spirals, Xor

__all__ = [
    "BreastCancer",
    "Circles",
    "Data",
    "DataSection",
    "Diabetes",
    "Digits",
    "Files",
    "Iris",
    "Moons",
    "Part",
    "Spirals",
    "Splits",
    "Standardize",
    "Summary",
    "Task",
    "Wine",
    "Xor",
    "describe",
    "load",
]

Data = Annotated[
    Digits | Iris | Wine | BreastCancer | Diabetes | Moons | Circles | Spirals | Xor | Files,
    Field(discriminator="source"),
]
