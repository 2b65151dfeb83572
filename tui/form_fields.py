"""Hyperparameters as a person reads and writes them: text to value, value to text, facts in one line.

Everything here follows from the declarations in `trainer.schema`; nothing knows a widget.
"""

import re
from typing import Any

from pydantic_core import PydanticUndefined

from trainer.fields import names_in
from trainer.schema import Hyperparameter
from trainer.text import clean, quoted

_INTEGER = re.compile(r"[+-]?\d+(_\d+)*", re.ASCII)
_WIDEST = 65_536
_BITS = 63  # TOML promises integers of 64 bits, sign included


class NotAValueError(ValueError):
    """Text that means no value of its type; the message says what is wrong with it."""


def widget_id(path: str) -> str:
    """Return the id of the widget that edits a dotted key; ids cannot hold dots."""
    return path.replace(".", "-")


def parse(field: Hyperparameter, text: str) -> Any:
    """Return the value that a person means by `text`; whether it is allowed is the config's to say.

    Raises:
        NotAValueError: it is none of this type.
    """
    stripped = text.strip()
    if not stripped and field.optional:
        return None
    match field.type:
        case "integer":
            return _integer(stripped)
        case "number":
            return _number(stripped)
        case "integers" | "numbers" if stripped not in field.choices:
            return _listed(field, stripped)
        case "names":
            try:
                return names_in(stripped)
            except ValueError as error:
                raise NotAValueError(str(error)) from None
        case "text":
            return text
        case _:
            return stripped


def show(value: Any) -> str:
    """Return a value as the form writes it; `parse` gives the value back."""
    match value:
        case None:
            return ""
        case bool():
            return "on" if value else "off"
        case float():
            return re.sub(r"\.0$|(?<=e-)0|(?<=e\+)0", "", repr(value))
        case tuple() | list():
            return ", ".join(map(_in_list, value))
        case _:
            return clean(str(value))


def facts(field: Hyperparameter, *, with_source: bool = True) -> str:
    """Return what else there is to know of a field in one line: bounds, unit, default, source, when it may change."""
    words = _instead(field) if field.type != "choice" and field.choices else ""
    told = [words, _bounds(field), field.unit, _default(field), field.source if with_source else ""]
    if field.role == "live":
        told.append("~ enter gives it to the run")
    return " · ".join(fact for fact in told if fact)


def is_required(field: Hyperparameter) -> bool:
    """Return whether a config must name it."""
    return field.default is PydanticUndefined


def rule_of_thumb(n_inputs: int) -> int:
    """Return a width to begin with: the smallest power of two that is at least twice the number of inputs.

    No theory stands behind it: twice leaves room to combine inputs, and powers of two suit the hardware.
    """
    return min(1 << max(0, 2 * n_inputs - 1).bit_length(), _WIDEST)


def _in_list(value: Any) -> str:
    """Return a value as it stands in a list: in quotes where it holds a comma or a quote, as in CSV."""
    shown = show(value)
    return '"' + shown.replace('"', '""') + '"' if "," in shown or '"' in shown else shown


def _listed(field: Hyperparameter, text: str) -> tuple[float, ...]:
    words = text.strip("[]()").replace(",", " ").split()
    try:
        return tuple(map(_integer if field.type == "integers" else _number, words))
    except NotAValueError:
        if not field.choices:
            raise
        raise NotAValueError(f"must be {_instead(field)}, got {quoted(text)}.") from None


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text):
        # The length first: turning a very long text into a number takes long, or is refused.
        value = int(text) if len(text) <= _BITS else 1 << _BITS
    else:
        number = _number(text, "a whole number")
        if not number.is_integer():
            raise NotAValueError(f"must be a whole number, got {quoted(text)}.")
        value = int(number)
    if not -(1 << _BITS) <= value < 1 << _BITS:
        raise NotAValueError("must be a number of at most 64 bits.")
    return value


def _number(text: str, expected: str = "a number") -> float:
    try:
        # float() reads the digits of every script; the config's files have those of ASCII alone.
        return float(text if text.isascii() else "")
    except ValueError:
        got = quoted(text) if text else "nothing"
        raise NotAValueError(f"must be {expected}, got {got}.") from None


def _instead(field: Hyperparameter) -> str:
    """Return the words that may stand in the place of a list, beside it."""
    return f"{', '.join(field.choices)} or {field.type}"


def _bounds(field: Hyperparameter) -> str:
    low = "" if field.lowest is None else f"{'>' if 'low' in field.exclusive else '≥'} {show(field.lowest)}"
    high = "" if field.highest is None else f"{'<' if 'high' in field.exclusive else '≤'} {show(field.highest)}"
    return ", ".join(bound for bound in (low, high) if bound)


def _default(field: Hyperparameter) -> str:
    if is_required(field):
        return "required"
    return f"default {show(field.default) or 'empty'}"
