"""What a target asks for: a class, numbers, or the next token at each place of a text."""

from typing import Literal

Task = Literal["classification", "regression", "language_modeling"]
