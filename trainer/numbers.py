"""Numbers: the live hyperparameters as one vector, which the compiled program takes as an argument.

One vector and not one array each, because every argument of a call costs time. Inside the trace the vector becomes a
config again whose live fields are traced scalars, so that the same formulas read `config.optimizer.learning_rate`
whether it is a float or a tracer.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from trainer.config import Config
from trainer.fields import Section
from trainer.schema import hyperparameters, live_numbers, value_at

_Section = TypeVar("_Section", bound=Section)


def pack(config: Config) -> NDArray[np.float32]:
    """Return the live numbers in the order of `names`."""
    return np.array(list(live_numbers(config).values()), np.float32)


def names(config: Config) -> tuple[str, ...]:
    """Return the dotted keys of the live numbers, in the order of the vector."""
    return tuple(live_numbers(config))


def unpack(config: Config, vector: Any) -> Config:
    """Return the config with its live numbers taken from the vector (traced or not, shape [len(names)])."""
    tree: dict[str, Any] = {}
    for index, path in enumerate(names(config)):
        *parents, last = path.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[last] = vector[index]
    return _with(config, tree)


def structure(config: Config) -> tuple[tuple[str, Any], ...]:
    """Return what is compiled in: the structural values, apart from the data's, which show in its shapes.

    And the code of a person's own: its file may be another one by the next run.
    """
    values = (
        (path, value_at(config, path))
        for path, field in hyperparameters(config).items()
        if field.role == "structural" and field.section != "data"
    )
    permission = config.model.permission
    return tuple(values) if permission is None else (*values, (permission.target, permission.function))


def shortest(value: Any) -> float:
    """Return the float with the fewest digits that is this single-precision number: people read numbers too."""
    return float(str(np.float32(value)))


def _with(section: _Section, tree: Mapping[str, Any]) -> _Section:
    update = {
        name: _with(getattr(section, name), value) if isinstance(value, dict) else value for name, value in tree.items()
    }
    return section.model_copy(update=update)
