"""The hyperparameters of a config, described: what forms, tables and the engine derive from the declarations."""

import inspect
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from trainer.config import Config
from trainer.fields import Role, Section
from trainer.validation import discriminator, members

Type = Literal["integer", "number", "switch", "choice", "text", "integers", "numbers", "names"]
End = Literal["low", "high"]

_SIMPLE: dict[type, Type] = {int: "integer", float: "number", bool: "switch", str: "text"}

HEADING = ("schema", "name", "description")
"""What names a config and is no hyperparameter."""

RATE = "optimizer.learning_rate"
"""Dotted key of the one hyperparameter that callbacks change too."""

EPOCHS = "training.epochs"
"""Dotted key of the one that says when a training is over."""


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """One field of a config, as declared.

    Attributes:
        path: dotted key.
        type: what may be written in it.
        default: value of a config that does not name it.
        choices: the words there are, for a choice; of a list, those that may stand for it.
        lowest, highest: bounds, or None; `exclusive` says which of the two ("low", "high") are not allowed themselves.
        optional: whether it may be empty (None).
        unit: what one of it is; "" for a bare number.
        help: one line.
        source: where the definition comes from, or "".
        role: what a change of it costs, as in `trainer.fields`.
        advanced: whether a form folds it away at first.
        selects: whether it chooses which other fields its section has.
    """

    path: str
    type: Type
    default: Any
    choices: tuple[str, ...]
    lowest: float | None
    highest: float | None
    exclusive: frozenset[End]
    optional: bool
    unit: str
    help: str
    source: str
    role: Role
    advanced: bool
    selects: bool

    @property
    def section(self) -> str:
        """Return the table it is in."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Return its key within the table."""
        return self.path.rpartition(".")[2]

    @property
    def why_not_live(self) -> str:
        """Return why it cannot change while training, as "is compiled in"; "" if it can."""
        return {"live": "", "structural": "is compiled in", "fixed": "is read at the start"}[self.role]


@dataclass(frozen=True, slots=True)
class Group:
    """One table of a config: its dotted name, what it is for, and its fields in order."""

    name: str
    help: str
    fields: tuple[Hyperparameter, ...]


def groups(config: Config) -> tuple[Group, ...]:
    """Return the tables of this config, whose kinds decide which fields there are."""
    return tuple(_groups(config, ""))


def hyperparameters(config: Config) -> dict[str, Hyperparameter]:
    """Return every hyperparameter of this config by its dotted key."""
    return {field.path: field for group in groups(config) for field in group.fields}


def live_numbers(config: Config) -> dict[str, float]:
    """Return the numbers that the compiled program takes as arguments, by dotted key; none of a section that is off."""
    return {
        path: float(value_at(config, path))
        for path, field in hyperparameters(config).items()
        if field.role == "live" and getattr(value_at(config, field.section), "enabled", True)
    }


def value_at(config: Config, path: str) -> Any:
    """Return the value of a dotted key."""
    value: Any = config
    for name in path.split("."):
        value = value[name] if isinstance(value, Mapping) else getattr(value, name)
    return value


def _groups(section: Section, prefix: str) -> Iterator[Group]:
    for name, declared in type(section).model_fields.items():
        value = getattr(section, name)
        if not isinstance(value, Section):
            continue
        path = f"{prefix}{name}"
        tag = discriminator(declared)
        fields = [_choice(f"{path}.{tag}", declared, type(value))] if tag else []
        for key, inner in type(value).model_fields.items():
            if key != tag and not _is_section(inner):
                fields += _fields(f"{path}.{key}", inner, getattr(value, key))
        if fields:
            yield Group(path, declared.description or "", tuple(fields))
        yield from _groups(value, f"{path}.")


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _choice(path: str, declared: FieldInfo, chosen: type[BaseModel]) -> Hyperparameter:
    """Return the field that says which kind a section is; its help is about the one chosen.

    That is the first paragraph of its class's docstring, and the source the paragraph that begins with "Source:".
    """
    told, *others = (" ".join(text.split()) for text in inspect.cleandoc(chosen.__doc__ or "").split("\n\n"))
    sources = [text.removeprefix("Source: ").rstrip(".") for text in others if text.startswith("Source: ")]
    default = declared.get_default(call_default_factory=True)
    return Hyperparameter(
        path=path, type="choice", default=getattr(default, discriminator(declared)), choices=tuple(members(declared)),
        lowest=None, highest=None, exclusive=frozenset(), optional=False, unit="", help=told,
        source="".join(sources), role="structural", advanced=False, selects=True,
    )  # fmt: skip


def _fields(path: str, field: FieldInfo, value: Any) -> Iterator[Hyperparameter]:
    """Yield a field; of a table of plain values each of them, whose types are those that they have."""
    if get_origin(field.annotation) is not dict:
        yield _hyperparameter(path, field)
        return
    text = FieldInfo(annotation=str, description=field.description, json_schema_extra=field.json_schema_extra)
    for name, each in value.items():
        yield replace(_hyperparameter(f"{path}.{name}", text), type=_type_of(each))


def _hyperparameter(path: str, field: FieldInfo) -> Hyperparameter:
    annotation, optional = _without_none(field.annotation)
    words, annotation = _without_words(annotation)
    notes: Any = field.json_schema_extra or {}
    lowest, highest, exclusive = _bounds(field)
    is_literal = get_origin(annotation) is Literal
    return Hyperparameter(
        path=path,
        type=_type(annotation),
        default=field.get_default(call_default_factory=True),
        choices=get_args(annotation) if is_literal else words,
        lowest=lowest,
        highest=highest,
        exclusive=exclusive,
        optional=optional,
        unit=notes.get("unit", ""),
        help=field.description or "",
        source=notes.get("source", ""),
        role=notes.get("role", "structural"),
        advanced=notes.get("advanced", False),
        selects=False,
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        if len(inner) == 1:
            return inner[0], True
    return annotation, False


def _without_words(annotation: Any) -> tuple[tuple[str, ...], Any]:
    """Return the words that may stand in the place of another type, and that type; none for any other annotation."""
    if get_origin(annotation) in (Union, types.UnionType):
        words, other = get_args(annotation)
        return get_args(words), get_args(other)[0] if get_origin(other) is Annotated else other
    return (), annotation


def _type(annotation: Any) -> Type:
    if get_origin(annotation) is Literal:
        return "choice"
    if get_origin(annotation) is tuple:
        each, *_ = get_args(get_args(annotation)[0])
        lists: dict[Any, Type] = {int: "integers", float: "numbers", str: "names"}
        return lists[each]
    return _SIMPLE[annotation]


def _type_of(value: Any) -> Type:
    if isinstance(value, tuple):
        return "integers" if isinstance(value[0], int) else "numbers"
    return _SIMPLE[type(value)]


def _bounds(field: FieldInfo) -> tuple[float | None, float | None, frozenset[End]]:
    lowest: Any = None
    highest: Any = None
    exclusive: set[End] = set()
    for rule in field.metadata:
        match rule:
            case annotated_types.Gt(gt=bound):
                lowest = bound
                exclusive.add("low")
            case annotated_types.Ge(ge=bound):
                lowest = bound
            case annotated_types.Lt(lt=bound):
                highest = bound
                exclusive.add("high")
            case annotated_types.Le(le=bound):
                highest = bound
    return lowest, highest, frozenset(exclusive)
