"""What pydantic found wrong, in our words: which key, which rule, which value, which key may have been meant."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from trainer.problems import Problem, nearest
from trainer.text import clean

_RULES = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "literal_error": "must be one of {expected}",
    "tuple_type": "must be a list",
    "too_long": "must have at most {max_length} entries",
    "missing": "must be given",
}
_TABLE_ERRORS = {"model_type", "model_attributes_type", "dict_type"}


def discriminator(field: FieldInfo) -> str:
    """Return the key that tells the kinds of a section apart: "kind", "source", or "" where there are none."""
    if field.discriminator:
        return str(field.discriminator)
    return (
        "kind" if isinstance(field.annotation, type) and "kind" in getattr(field.annotation, "model_fields", {}) else ""
    )


def members(field: FieldInfo) -> dict[str, type[BaseModel]]:
    """Return the classes of a section by their kind."""
    tag = discriminator(field)
    classes = get_args(field.annotation) or (field.annotation,)
    return {member.model_fields[tag].default: member for member in classes} if tag else {}


def carried(values: Mapping[str, Any], old: type[BaseModel], new: type[BaseModel]) -> dict[str, Any]:
    """Return what a section keeps when it becomes one of another kind.

    That is the value of every field that both kinds have, but for a default where the new kind has another: nobody
    asked for the old one.
    """
    before, after = ({key: field.get_default() for key, field in kind.model_fields.items()} for kind in (old, new))
    shared = before.keys() & after.keys()
    return {
        key: value
        for key, value in values.items()
        if key in shared and (value != before[key] or before[key] == after[key])
    }


def explain(error: ValidationError, model: type[BaseModel], file: str, lines: Mapping[str, int]) -> list[Problem]:
    """Return one problem for each error.

    Args:
        error: what pydantic raised.
        model: the class that was validated.
        file: file to name, or "".
        lines: line of each dotted key, as `toml.lines` gives them.
    """
    problems = []
    for details in error.errors(include_url=False):
        key, inner, field = _place(model, details["loc"])
        tag, message = _message(details, inner, field)
        key = f"{key}.{tag}" if tag else key
        problems.append(Problem(message, clean(key), file, _line(key, lines)))
    return problems


def _place(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[str, type[BaseModel], FieldInfo | None]:
    """Return the dotted key, the section it is in, and its declaration; union tags in the location are no key."""
    parts: list[str] = []
    field: FieldInfo | None = None
    rest = list(loc)
    while rest:
        part = rest.pop(0)
        if isinstance(part, int):  # the place in a list
            continue
        parts.append(part)
        field = _field(model, part)
        if field is None:
            break
        if (kinds := members(field)) and field.discriminator and rest and rest[0] in kinds:
            model = kinds[str(rest.pop(0))]
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    return ".".join(parts), model, field


def _field(model: type[BaseModel], name: str) -> FieldInfo | None:
    named = (field for key, field in model.model_fields.items() if name in (key, field.alias))
    return next(named, None)


def _message(details: ErrorDetails, model: type[BaseModel], field: FieldInfo | None) -> tuple[str, str]:
    """Return the key below the place that is meant, if any, and rule, value and what to do."""
    kind, given, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "extra_forbidden":
        known = [field.alias or name for name, field in model.model_fields.items()]
        near = nearest(str(details["loc"][-1]), known)
        return "", f"is not known.{near or ' Known here: ' + ', '.join(known) + '.'}"
    if kind == "union_tag_invalid" and field is not None:
        got, tag = str(context["tag"]), discriminator(field)
        kinds = list(members(field))
        return tag, f"must be one of {', '.join(kinds)}, got {_shown(got)}.{nearest(got, kinds)}"
    if kind == "union_tag_not_found" or kind in _TABLE_ERRORS:
        return "", f"must be a table, got {_shown(given)}."
    if kind == "value_error":
        return "", str(context["error"])
    rule = _RULES.get(kind)
    if rule is None:
        return "", f"{details['msg'][0].lower()}{details['msg'][1:]}, got {_shown(given)}."
    if kind == "missing":
        return "", rule + "."
    expected = str(context.get("expected", "")).replace("'", "")
    near = nearest(given, expected.replace(" or ", ", ").split(", ")) if isinstance(given, str) and expected else ""
    return "", f"{rule.format(**{**context, 'expected': expected})}, got {_shown(given)}.{near or _attempt(field)}"


def _attempt(field: FieldInfo | None) -> str:
    default = None if field is None else field.get_default()
    return f" Try {default:g}." if isinstance(default, float) and default else ""


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a table"
    text = clean(repr(value) if isinstance(value, str) else str(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _line(key: str, lines: Mapping[str, int]) -> int:
    """Return the line of the key, else of the nearest table around it, else 0."""
    return next((lines[place] for place in _outwards(key) if place in lines), 0)


def _outwards(key: str) -> Iterator[str]:
    while key:
        yield key
        key = key.rpartition(".")[0]
