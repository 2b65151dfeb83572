"""A config while it is being edited: what it was, what was typed since, what is wrong with it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trainer.config import Config
from trainer.data import Data
from trainer.problems import ConfigError, Problem
from trainer.schema import Group, Hyperparameter, groups, hyperparameters, value_at
from trainer.validation import carried, members
from tui.form_fields import is_required

_MISSING = object()


class Draft:
    """Holds edits until all of them together make a valid config; knows the problems of those that do not.

    Edits are validated together, since one may be wrong only because of another.
    """

    def __init__(self, config: Config, preset: Config) -> None:
        """Begin without edits. `preset` is what `is_changed` compares with."""
        self._base = config
        self._preset = preset
        self._edits: dict[str, Any] = {}
        self._unread: dict[str, tuple[str, str]] = {}
        self._refused: dict[str, str] = {}
        self._told: dict[str, str] = {}

    @property
    def config(self) -> Config | None:
        """Return the config that is meant, or None while a field has a problem."""
        return None if self._unread or self._refused else self._base

    @property
    def problems(self) -> Mapping[str, str]:
        """Return what is wrong, by dotted key; includes what `tell` was given."""
        return {**self._told, **self._refused, **{path: message for path, (_, message) in self._unread.items()}}

    @property
    def n_problems(self) -> int:
        """Return how many problems keep it from being a config; those that `tell` was given do not."""
        return len(self._refused.keys() | self._unread.keys())

    @property
    def groups(self) -> tuple[Group, ...]:
        """Return the sections and fields that there are with the kinds chosen."""
        return groups(self._base)

    @property
    def data(self) -> Data | None:
        """Return the data section, or None while it has a problem."""
        return None if any(key.split(".")[0] == "data" for key in self.problems) else self._base.data

    def unread(self, path: str) -> str | None:
        """Return the text typed for a field where it means no value, else None."""
        return self._unread[path][0] if path in self._unread else None

    def value(self, path: str) -> Any:
        """Return the value of a field, valid or not; None where it has none yet."""
        found = self._edits.get(path, _MISSING)
        return _value_at(self._base, path) if found is _MISSING else found

    def is_changed(self, field: Hyperparameter) -> bool:
        """Return whether a field differs from the preset; where the preset has no such field, from the default."""
        if field.path in self._unread:
            return True
        there = _value_at(self._preset, field.path, None if is_required(field) else field.default)
        return bool(self.value(field.path) != there)

    def edit(self, field: Hyperparameter, value: Any) -> None:
        """Take a value typed for a field."""
        self._forget(field.path)
        if field.selects:
            self._choose(field.path, value)
        else:
            self._edits[field.path] = value
        self._settle()

    def refuse(self, path: str, text: str, message: str) -> None:
        """Take note that the text typed for a field means no value."""
        self._forget(path)
        self._unread[path] = (text, message)
        self._settle()

    def tell(self, problems: Iterable[Problem]) -> None:
        """Take problems found elsewhere, each of which stays until its field is edited."""
        self._told = {problem.key: problem.message for problem in problems}

    def permit(self, folder: Path | None) -> None:
        """Let the code that the config names run; a person said so. Argument as for `Config.permitted`."""
        self._base = self._base.permitted(folder)

    def _forget(self, path: str) -> None:
        for notes in (self._edits, self._unread, self._told):
            notes.pop(path, None)

    def _choose(self, path: str, kind: str) -> None:
        """Swap a section; what was typed for fields that are gone is gone too."""
        try:
            self._base = self._base.changed({path: kind})
        except ConfigError:
            self._base = _swapped(self._base, path, kind)
        known = hyperparameters(self._base)
        for notes in (self._edits, self._unread, self._told):
            for gone in notes.keys() - known.keys():
                del notes[gone]

    def _settle(self) -> None:
        try:
            self._base = self._base.changed(self._edits)
        except ConfigError as error:
            self._refused = {problem.key: problem.message for problem in error.problems}
        else:
            self._edits, self._refused = {}, {}


def _swapped(config: Config, path: str, kind: str) -> Config:
    """Return the config with a section of another kind that is not valid yet: a field is required, or out of bounds.

    It describes which fields there are; `Draft` gives it to nobody before it is validated.
    """
    name, tag = path.split(".")
    section, member = getattr(config, name), members(Config.model_fields[name])[kind]
    kept = {key: value for key, value in carried(dict(section), type(section), member).items() if key != tag}
    required = {key: None for key, field in member.model_fields.items() if field.is_required()}
    return config.model_copy(update={name: member.model_construct(None, **required, **kept, **{tag: kind})})


def _value_at(config: Config, path: str, missing: Any = None) -> Any:
    try:
        return value_at(config, path)
    except (AttributeError, KeyError):
        return missing
