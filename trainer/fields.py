"""How a hyperparameter is declared: once, with everything that form, files, `--set`, schema and tables need.

A section of the config is a frozen pydantic model; each of its fields is made by one of three functions, which say
what a change of the field costs:

* `structural`: compiled into the program; a change means another compile.
* `live`: a number that the compiled program takes as an argument; it may change while the run trains.
* `fixed`: read by the host when the run starts; neither compiled in nor changeable.
"""

import csv
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict

Role = Literal["structural", "live", "fixed"]


class Section(BaseModel):
    """A table of the config: unknown keys are errors, values are not converted, infinities and NaN are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


def _field(role: Role, default: Any, help: str, unit: str, advanced: bool, source: str, bounds: dict[str, Any]) -> Any:
    notes: dict[str, Any] = {"role": role, "unit": unit, "advanced": advanced, "source": source}
    return Field(
        default, description=help, json_schema_extra={key: value for key, value in notes.items() if value}, **bounds
    )


def structural(
    default: Any, help: str, *, unit: str = "", advanced: bool = False, source: str = "", **bounds: Any
) -> Any:
    """Declare a hyperparameter that is compiled in.

    Args:
        default: value of a config that does not name it; `...` makes it required.
        help: one line: what it does and when to touch it.
        unit: what one of it is ("epochs", "examples", ...); "" for a bare number or a word.
        advanced: whether the form folds it away at first.
        source: where the definition comes from (paper and year), if anywhere.
        **bounds: pydantic's `ge`, `gt`, `le`, `lt`, `min_length`, `max_length`.
    """
    return _field("structural", default, help, unit, advanced, source, bounds)


def live(default: Any, help: str, *, unit: str = "", advanced: bool = False, source: str = "", **bounds: Any) -> Any:
    """Declare a number that may change while the run trains. Arguments as for `structural`."""
    return _field("live", default, help, unit, advanced, source, bounds)


def fixed(default: Any, help: str, *, unit: str = "", advanced: bool = False, source: str = "", **bounds: Any) -> Any:
    """Declare a value that the host reads once, at the start. Arguments as for `structural`."""
    return _field("fixed", default, help, unit, advanced, source, bounds)


Sizes = Annotated[tuple[Annotated[int, Strict(), Field(ge=1, le=65_536)], ...], Strict(False)]
"""A list of layer sizes: TOML arrays arrive as lists, the config keeps a tuple."""

Numbers = Annotated[tuple[Annotated[float, Strict(), Field(gt=0, le=1_000_000)], ...], Strict(False)]
"""A list of numbers above 0."""


def names_in(text: str) -> tuple[str, ...]:
    """Return the names in a line of them, parted by commas; one that holds a comma stands in quotes, as in CSV.

    Raises:
        ValueError: a name is too long.
    """
    try:
        lines = list(csv.reader(text.splitlines(), skipinitialspace=True))
    except csv.Error:
        raise ValueError("must be names parted by commas, got text.") from None
    return tuple(name for line in lines for name in map(str.strip, line) if name)


Names = Annotated[
    tuple[Annotated[str, Strict(), Field(min_length=1, max_length=1000)], ...],
    Strict(False),
    BeforeValidator(lambda value: names_in(value) if isinstance(value, str) else value),
]
"""A list of names, such as those of columns; or a line of them."""
