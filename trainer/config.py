"""The config: every hyperparameter of a run, each declared once in its family's file.

The attribute path, the TOML key, the name in the form, the place in an error and the row of a comparison are the same
dotted word, such as `optimizer.learning_rate`. Loading JAX is not needed to read, check, change or write a config.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from trainer import toml
from trainer.augmentation import Augmentation
from trainer.callbacks import Callbacks
from trainer.data import Data, Digits
from trainer.fields import Section, fixed, live, structural
from trainer.further_metrics import MetricsSection
from trainer.losses import AnyLoss, Auto
from trainer.models import MLP, AnyModel, Permission
from trainer.optimizers import Adam, AnyOptimizer
from trainer.problems import ConfigError, Problem
from trainer.schedules import AnySchedule, Constant
from trainer.text import clean
from trainer.validation import carried, discriminator, explain, members

SCHEMA = 1


class Regularization(Section):
    """`regularization`: what is added to the gradient to keep weights small; the reported loss leaves it out."""

    l1: float = live(
        0.0,
        "Pull of every weight towards 0, whatever its size; makes many exactly small.",
        ge=0,
        source="Tibshirani 1996",
    )
    l2: float = live(
        0.0,
        "Pull of every weight towards 0 in proportion to its size; 1e-5 to 1e-2 is usual.",
        ge=0,
        source="Hoerl and Kennard 1970; Krogh and Hertz 1992",
    )


class Training(Section):
    """`training`: how long, in which portions, from which seed."""

    epochs: int = live(
        30,
        "Passes over the training data; callbacks may end it sooner; more where the loss still falls.",
        source="Keras' fit",
        unit="epochs",
        ge=1,
        le=1_000_000,
    )
    batch_size: int = structural(
        64, "Examples in each update; larger is faster per example and takes fewer, smoother steps.",
        unit="examples", ge=1, le=1 << 24, source="Keskar et al. 2017",
    )  # fmt: skip
    seed: int = fixed(0, "Start of every random choice: weights, order of examples, dropout.", ge=0, lt=1 << 32)
    replicas: int = fixed(
        1, "Runs of this config, with seeds one after the other, trained together: their spread tells luck from merit.",
        source="Bouthillier et al. 2021", unit="runs", ge=1, le=256,
    )  # fmt: skip
    diagnostics: bool = structural(
        True,
        "Look at gradients, steps and outputs of each layer while training; costs a percent or two.",
        advanced=True,
    )
    drop_remainder: bool = structural(
        False,
        "Leave out the last, smaller batch of each epoch instead of training on it.",
        source="PyTorch's DataLoader",
        advanced=True,
    )
    precision: Literal["float32", "bfloat16"] = structural(
        "float32", "bfloat16: the maths of the layers in half the bits; weights, loss and the update stay float32.",
        advanced=True, source="Micikevicius et al. 2018; Kalamkar et al. 2019",
    )  # fmt: skip
    devices: int = structural(
        1, "How many of this machine's devices train; 0 for all. A run splits its batches, many runs are shared out.",
        unit="devices", ge=0, le=4096, advanced=True,
    )  # fmt: skip

    def steps_per_epoch(self, n_train: int) -> int:
        """Return the updates of an epoch of so many examples."""
        return n_train // self.batch_size if self.drop_remainder else -(-n_train // self.batch_size)


class Config(Section):
    """Everything that a run needs to be done again."""

    schema_version: int = Field(SCHEMA, alias="schema", description="Version of this format.")
    name: str = fixed("untitled", "What the run is called; any text.", min_length=1, max_length=200)
    description: str = fixed("", "What it shows, in a line or two.", max_length=2000)
    data: Data = Field(default_factory=Digits, description="Examples, and how they are split.")
    model: AnyModel = Field(default_factory=MLP, description="From inputs to outputs.")
    loss: AnyLoss = Field(default_factory=Auto, description="What is made small.")
    optimizer: AnyOptimizer = Field(default_factory=Adam, description="How an update follows from a gradient.")
    schedule: AnySchedule = Field(default_factory=Constant, description="What multiplies the learning rate over time.")
    regularization: Regularization = Field(default_factory=Regularization, description="What keeps weights small.")
    augmentation: Augmentation = Field(
        default_factory=Augmentation, description="What is changed at random in the training examples."
    )
    training: Training = Field(default_factory=Training, description="How long and in which portions.")
    metrics: MetricsSection = Field(default_factory=MetricsSection, description="What else is measured.")
    callbacks: Callbacks = Field(default_factory=Callbacks, description="What is done at the end of an epoch.")

    @field_validator("schema_version")
    @classmethod
    def _schema_is_known(cls, version: int) -> int:
        if version > SCHEMA:
            raise ValueError(f"must be at most {SCHEMA}, got {version}. It was written by a newer nn-tui: update.")
        if version < 1:
            raise ValueError(f"must be {SCHEMA}, got {version}.")
        return version

    @field_validator("name", "description")
    @classmethod
    def _shows_as_it_is(cls, text: str) -> str:
        if clean(text.replace("\n", " ")) != text.replace("\n", " "):
            raise ValueError("must not hold control characters.")
        return text

    @model_validator(mode="before")
    @classmethod
    def _understood(cls, table: Any) -> Any:
        """Give each section that does not name its kind the default one; switch on what is written."""
        if not isinstance(table, Mapping):
            return table
        table = _switched_on(table, cls)
        for name, field in cls.model_fields.items():
            tag = discriminator(field)
            if tag and isinstance(table.get(name), Mapping) and tag not in table[name]:
                table[name] = {tag: getattr(field.get_default(call_default_factory=True), tag), **table[name]}
        return table

    @property
    def n_runs(self) -> int:
        """Return how many runs it asks for, which train together: its replicas, or one for each of its folds."""
        return self.data.folds if self.data.trains_all_folds else self.training.replicas

    def table(self) -> toml.Table:
        """Return the whole config as TOML has it: nested tables; no value where it is None."""
        return self.model_dump(by_alias=True, exclude_none=True)

    def changed(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with other values.

        Args:
            values: dotted key to value. A new `kind` swaps the section, which keeps what both kinds have, as `carried`
                says; it is applied first, whatever the order. A value of a section that is off switches it on, unless
                `enabled` is among them.

        Raises:
            ConfigError: everything that is wrong with the keys and values.
        """
        table = self.table()
        kinds = {key: value for key, value in values.items() if _chooses_kind(key, table)}
        for key, kind in kinds.items():
            section, tag = key.split(".")
            table[section] = _swapped(table[section], section, tag, kind)
        for key, value in values.items():
            if key not in kinds:
                section, _, _ = key.rpartition(".")
                written = _put(table, key.split("."), value)
                if f"{section}.enabled" not in values:
                    written.pop("enabled", None)
        return type(self).parse(table).permitted_like(self)

    def permitted(self, folder: Path | None) -> Self:
        """Return the config with permission to run the code that it names, if it names any.

        To be called where a person named the preset's file on this command line, or said yes to the code; whatever else
        loads a config can run none. In a run's folder there is no permission, since it may be somebody else's run.

        Args:
            folder: where the code is looked for first: that of the preset; None for installed packages alone.
        """
        if not self.model.code or self.model.permission is not None or (folder is not None and _lies_in_a_run(folder)):
            return self
        return self._with_permission(Permission(self.model.code, folder))

    def permitted_like(self, other: Self) -> Self:
        """Return the config with the permission that another has, where both name the same code."""
        return self._with_permission(other.model.permission)

    def renewed(self) -> Self:
        """Return the config with its code, if it may run any, to be read again: its file may have been edited."""
        return self._with_permission(self.model.permission and replace(self.model.permission))

    def _with_permission(self, permission: Permission | None) -> Self:
        model = self.model.permitted(permission)
        return self if model is self.model else self.model_copy(update={"model": model})

    @classmethod
    def parse(cls, table: Any, file: str = "", text: str = "") -> Self:
        """Return the config that the tables mean.

        Raises:
            ConfigError: every problem there is; with its line where `text` is given.
        """
        try:
            return cls.model_validate(table)
        except ValidationError as error:
            raise ConfigError(explain(error, cls, file, toml.lines(text))) from None


def load(path: Path) -> Config:
    """Return the config in a file. Raises ConfigError with every problem in it."""
    table, text = toml.read(path)
    return Config.parse(table, clean(str(path)), text)


def dump(config: Config) -> str:
    """Return the whole config as TOML; loading it gives the same config."""
    return toml.dump(config.table())


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each dotted key of nested tables with its value, in order."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def values(config: Config) -> dict[str, Any]:
    """Return every hyperparameter by its dotted key, without the format's version."""
    return dict(item for item in flatten(config.model_dump(by_alias=True)) if item[0] != "schema")


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """Return the values of `key=value` words; values are TOML, bare words are strings.

    Raises:
        ConfigError: a word without `=`.
    """
    found, problems = {}, []
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            problems.append(f"--set needs key=value, got {clean(setting)!r}")
        found[key.strip()] = toml.value(text.strip())
    if problems:
        raise ConfigError([Problem(message) for message in problems])
    return found


def _lies_in_a_run(folder: Path) -> bool:
    from trainer.store import is_run

    folder = folder.resolve()
    return any(map(is_run, (folder, *folder.parents)))


def _chooses_kind(key: str, table: Mapping[str, Any]) -> bool:
    section, _, name = key.partition(".")
    return name in ("kind", "source") and isinstance(table.get(section), dict)


def _swapped(section: Mapping[str, Any], name: str, tag: str, kind: Any) -> dict[str, Any]:
    """Return the section of another kind, with what it keeps; checked later."""
    kinds = members(Config.model_fields[name])
    old, new = kinds.get(section.get(tag, "")), kinds.get(kind) if isinstance(kind, str) else None
    return {**(carried(section, old, new) if old and new else section), tag: kind}


def _switched_on(table: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return the tables with `enabled` in each section that has it and is written without."""
    made = dict(table)
    for name, field in model.model_fields.items():
        inner, section = table.get(name), field.annotation
        if isinstance(inner, Mapping) and isinstance(section, type) and issubclass(section, BaseModel):
            switch = {"enabled": True} if "enabled" in section.model_fields else {}
            made[name] = {**switch, **_switched_on(inner, section)}
    return made


def _put(table: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """Put a value into nested tables, and return the one that holds it."""
    for name in path[:-1]:
        inner = table.get(name)
        if not isinstance(inner, dict):
            inner = table[name] = {}
        table = inner
    table[path[-1]] = value
    return table
