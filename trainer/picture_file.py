"""`pictures.json` of a run: the model at work, as the trainer last saw it. Models, reading and writing; no arrays.

The trainer replaces the file now and then while it trains, and at the end with the weights that the run keeps. Whoever
reads it may be reading the file of a stranger: what is not as the models below say is refused in one line.
"""

import math
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from trainer import files
from trainer.problems import RunError
from trainer.task import Task
from trainer.text import clean, clipped

NAME: Final = "pictures.json"
LIMIT: Final = 256 * 1024
"""Bytes that the file has at most; each bound below is there to keep it so."""

MOST_CLASSES: Final = 50
"""Classes up to which there is a whole confusion matrix."""

MOST_CONFUSED: Final = 20
MOST_WORST: Final = 12
MOST_OUTPUTS: Final = 8
MOST_NAMES: Final = 256
MOST_POINTS: Final = 500
MOST_PIXELS: Final = 32
"""Rows and columns of a picture; a larger one is thinned out."""

MOST_CHANNELS: Final = 3
"""Of a pixel: red, green and blue."""

MOST_FEATURES: Final = 8
COLUMNS: Final = 96
ROWS: Final = 64
"""Points of the plane at which a network of two features is asked."""

MOST_PASSAGES: Final = 3
WRITTEN: Final = 160
"""Tokens that a network for text writes."""

TEMPERATURE: Final = 0.8
"""What outputs are divided by before a token is drawn: below 1, the likelier ones become likelier still."""

NAME_LENGTH: Final = 40
PASSAGE_LENGTH: Final = 1000


def _cleaned(text: str) -> str:
    """Return a text of several lines, safe to show and cut."""
    return "\n".join(map(clean, text[:PASSAGE_LENGTH].split("\n")))[:PASSAGE_LENGTH]


Name = Annotated[str, AfterValidator(lambda text: clipped(text, NAME_LENGTH))]
Lines = Annotated[str, AfterValidator(_cleaned)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Byte = Annotated[int, Field(ge=0, le=255)]
Percent = Annotated[int, Field(ge=0, le=100)]
Ends = tuple[FiniteFloat, FiniteFloat]
Side = Annotated[int, Field(ge=1, le=MOST_PIXELS)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")


class Confused(_Part):
    """How often one class was taken for another."""

    true: Count
    predicted: Count
    count: Count


class Feature(_Part):
    """A feature of an example: its value in its own units, and how many standard deviations that is from the mean."""

    name: Name
    value: float
    deviation: float


class Example(_Part):
    """One example and what became of it.

    Attributes:
        index: place within its split, from 0.
        loss: its loss.
        true: class, or the outputs in their own units.
        predicted: likewise.
        true_share: probability given to the true class; None for numbers.
        predicted_share: likewise, to the predicted class.
        image: channels of its pixels, row by row, from 0 (darkest in all pictures) to 255; empty if it is no picture.
        features: those that are most unusual; empty for a picture.
    """

    index: Count
    loss: float
    true: Count | Annotated[list[float], Field(min_length=1, max_length=MOST_OUTPUTS)]
    predicted: Count | Annotated[list[float], Field(min_length=1, max_length=MOST_OUTPUTS)]
    true_share: float | None = None
    predicted_share: float | None = None
    image: list[Byte] = Field([], max_length=MOST_PIXELS**2 * MOST_CHANNELS)
    features: list[Feature] = Field([], max_length=MOST_FEATURES)


class Scatter(_Part):
    """True and predicted values of one output, in its own units, of some of the examples."""

    true: list[float] = Field(max_length=MOST_POINTS)
    predicted: list[float] = Field(max_length=MOST_POINTS)

    @model_validator(mode="after")
    def _pair_up(self) -> "Scatter":
        if len(self.true) != len(self.predicted):
            raise ValueError("true and predicted must be of one length")
        return self


class Boundary(_Part):
    """What a network of two features makes of the plane, and some of the training examples on it.

    Attributes:
        names: of the features.
        x, y: least and greatest value of each feature on the grid, in its own units.
        columns, rows: points of the grid.
        classes: class at each point, row by row from the lowest y; empty for numbers.
        percents: probability of that class, in percent.
        values: predicted value of the first output at each point; empty for classes.
        point_x, point_y: features of the examples.
        point_targets: their class, or the value of their first output.
    """

    names: tuple[Name, Name]
    x: Ends
    y: Ends
    columns: Annotated[int, Field(ge=2, le=COLUMNS)]
    rows: Annotated[int, Field(ge=2, le=ROWS)]
    classes: list[Count] = Field([], max_length=COLUMNS * ROWS)
    percents: list[Percent] = Field([], max_length=COLUMNS * ROWS)
    values: list[float] = Field([], max_length=COLUMNS * ROWS)
    point_x: list[float] = Field([], max_length=MOST_POINTS)
    point_y: list[float] = Field([], max_length=MOST_POINTS)
    point_targets: list[float] = Field([], max_length=MOST_POINTS)

    @model_validator(mode="after")
    def _fill_the_grid(self) -> "Boundary":
        n_points = self.columns * self.rows
        if (len(self.classes), len(self.percents), len(self.values)) not in ((n_points, n_points, 0), (0, 0, n_points)):
            raise ValueError(f"must say something of {self.columns} x {self.rows} points")
        if not len(self.point_x) == len(self.point_y) == len(self.point_targets):
            raise ValueError("the points' columns must be of one length")
        if not (self.x[0] < self.x[1] and self.y[0] < self.y[1]):
            raise ValueError("x and y must ascend")
        return self


class Passage(_Part):
    """A piece of the text, and what the network wrote after it."""

    prompt: Lines
    written: Lines


class Pictures(_Part):
    """The whole file.

    Attributes:
        time: when it was seen, Unix seconds.
        epoch: whose weights, from 0.
        step: updates that these weights have behind them.
        epoch_is_over: whether those are all of the epoch's.
        split: which part of the data was looked at; "train" where there is no validation part.
        examples: how many were looked at.
        of: how many the split has.
        task: decides what there is.
        target_names: one a class, or one an output; empty if those are too many.
        right: examples put into their class.
        confusion: counts, a row for each true class; empty if there are too many classes.
        confused: the classes that were taken for another most often, most often first.
        worst: the examples with the greatest loss, greatest first.
        image_shape: rows, columns and channels (1 grey, 3 colour) of each picture, if the examples are pictures.
        scatter: one for each output.
        boundary: for two features.
        passages: for a text.
    """

    time: FiniteFloat
    epoch: Count
    step: Count
    epoch_is_over: bool = True
    split: Literal["validation", "train"]
    examples: Count
    of: Count
    task: Task
    target_names: list[Name] = Field([], max_length=MOST_NAMES)
    right: Count = 0
    confusion: list[Annotated[list[Count], Field(max_length=MOST_CLASSES)]] = Field([], max_length=MOST_CLASSES)
    confused: list[Confused] = Field([], max_length=MOST_CONFUSED)
    worst: list[Example] = Field([], max_length=MOST_WORST)
    image_shape: tuple[Side, Side, Literal[1, 3]] | None
    scatter: list[Scatter] = Field([], max_length=MOST_OUTPUTS)
    boundary: Boundary | None = None
    passages: list[Passage] = Field([], max_length=MOST_PASSAGES)

    @model_validator(mode="after")
    def _fit_together(self) -> "Pictures":
        if any(len(row) != len(self.confusion) for row in self.confusion):
            raise ValueError("confusion must be a square")
        numbers = math.prod(self.image_shape) if self.image_shape else 0
        if any(len(example.image) != numbers for example in self.worst):
            raise ValueError(f"worst must hold pictures of {numbers} numbers")
        kind = int if self.task == "classification" else list
        if not all(isinstance(side, kind) for example in self.worst for side in (example.true, example.predicted)):
            raise ValueError(f"worst must be examples of a {self.task}")
        return self

    def target(self, index: int) -> str:
        """Return the name of a class or an output."""
        return self.target_names[index] if index < len(self.target_names) else str(index)


def write(directory: Path, pictures: Pictures) -> None:
    """Replace the file. Raises OSError."""
    files.replace_atomically(directory / NAME, pictures.model_dump_json(exclude_defaults=True).encode(), durable=False)


def read(directory: Path) -> Pictures:
    """Return what the file says.

    Raises:
        RunError: there is none, or it is not one that a trainer writes; in one line.
    """
    try:
        data = files.read_regular(directory / NAME, LIMIT + 1)
        if len(data) > LIMIT:
            raise RunError(f"{NAME} must be at most {LIMIT // 1024} KiB. The trainer writes it anew while it trains.")
        return Pictures.model_validate_json(data)
    except OSError as error:
        raise RunError(f"{NAME} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        raise RunError(f"{NAME} is not what a trainer writes: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return clean(f"{place}: {first['msg']}" if place else first["msg"])[:200]
