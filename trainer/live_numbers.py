"""The live hyperparameters of a training in progress: their config, their vector, and what may change them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer import numbers
from trainer.commands import Set
from trainer.config import Config
from trainer.data.splits import Summary
from trainer.events import HyperparameterSet, Record, Warned
from trainer.numbers import shortest
from trainer.preparation import misfits
from trainer.problems import ConfigError
from trainer.schema import RATE, hyperparameters, value_at


class LiveNumbers:
    """What the next call is given. A cut moves only the number; a person's change is also one of the config.

    Attributes:
        config: what the person wants, changes included.
        vector: what the device is given; shape [live numbers]. Never written to: the device may be reading it.
        names: dotted keys of the vector.
    """

    def __init__(self, config: Config, data: Summary) -> None:
        """Begin with a config that fits its data."""
        self.config = config
        self._data = data
        self.vector: NDArray[np.float32] = numbers.pack(config)
        self.names = numbers.names(config)

    def __getitem__(self, key: str) -> float:
        """Return the number at a dotted key."""
        return shortest(self.vector[self.names.index(key)])

    def __setitem__(self, key: str, value: float) -> None:
        """Give the next call another number."""
        self.vector = self.vector.copy()
        self.vector[self.names.index(key)] = value

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by dotted key."""
        return dict(zip(self.names, map(shortest, self.vector), strict=True))

    def restore(self, known: Mapping[str, float]) -> None:
        """Go on from what `as_dict` returned; what is not in it stays as it is."""
        self.vector = np.array([known.get(key, self[key]) for key in self.names], np.float32)

    def change(self, command: Set) -> Record:
        """Change a live hyperparameter and return the record of it, or a warning that says why not."""
        field = hyperparameters(self.config).get(command.key)
        try:
            changed = self.config.changed({command.key: command.value})
        except ConfigError as error:
            return Warned(message=str(error.problems[0]))
        if field is None or field.why_not_live:
            why = f"it {field.why_not_live}" if field else "it is no hyperparameter"
            return Warned(message=f"{command.key} cannot change while training: {why}.")
        if command.key not in self.names:
            return Warned(message=f"{command.key} cannot change while training: {field.section} is off.")
        if problem := next(misfits(changed, self._data), None):
            return Warned(message=str(problem))
        # A callback may have cut the rate since the config was written.
        before: Any = self[command.key] if command.key == RATE else value_at(self.config, command.key)
        after = value_at(changed, command.key)
        self.config = changed
        self[command.key] = after
        return HyperparameterSet(key=command.key, from_=before, to=after, by=command.by)
