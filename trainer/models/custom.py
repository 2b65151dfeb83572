"""A network of a person's own: a function that returns an Equinox module."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, PrivateAttr, WithJsonSchema, field_validator

from trainer.fields import structural
from trainer.models.permission import REFUSAL, Permission
from trainer.models.section import Model
from trainer.problems import ConfigError, Problem

if TYPE_CHECKING:
    from trainer.models.network import Inputs, Network

_TARGET: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z]\w{0,63}", re.ASCII)
_MOST_ARGUMENTS: Final = 64
_PLAIN: Final = (bool, int, float, str)


def _plain(value: Any) -> Any:
    """Return a value that TOML, a form and a comparison can show; a list of numbers as a tuple."""
    values = value if isinstance(value, list | tuple) else (value,)
    if any(isinstance(one, float) and not math.isfinite(one) for one in values):
        raise ValueError("must be finite.")
    if type(value) in _PLAIN:
        return value
    if isinstance(value, list | tuple) and values and {*map(type, values)} in ({int}, {float}):
        return tuple(values)
    raise ValueError("must be a number, text, true or false, or a list of numbers, all whole or all not.")


_SCALARS: Final = [{"type": name} for name in ("boolean", "integer", "number", "string")]
_LIST: Final = {"type": "array", "items": {"type": "number"}, "minItems": 1}
Argument = Annotated[Any, AfterValidator(_plain), WithJsonSchema({"anyOf": [*_SCALARS, _LIST]})]


class Custom(Model):
    """A network of your own: a Python function that returns an Equinox module. Its code runs only if you say so.

    Source: Equinox: Kidger and Garcia 2021.
    """

    _permission: Permission | None = PrivateAttr(None)

    kind: Literal["custom"] = "custom"
    target: str = structural(
        ..., "The function that makes it, as module:function; of a file beside the preset, or of an installed package.",
        max_length=300,
    )  # fmt: skip
    arguments: dict[str, Argument] = structural({}, "What the function is given as its config, to make sizes of.")

    @field_validator("target")
    @classmethod
    def _names_a_function(cls, target: str) -> str:
        if not _TARGET.fullmatch(target):
            raise ValueError('must name a function as module:function, such as "mymodel:network".')
        return target

    @field_validator("arguments")
    @classmethod
    def _have_names(cls, arguments: dict[str, Argument]) -> dict[str, Argument]:
        if len(arguments) > _MOST_ARGUMENTS or not all(map(_NAME.fullmatch, arguments)):
            raise ValueError(f"must be at most {_MOST_ARGUMENTS}, with names of letters, digits and underscores.")
        return arguments

    @property
    def code(self) -> str:  # noqa: D102
        return self.target

    @property
    def permission(self) -> Permission | None:  # noqa: D102
        return self._permission

    def permitted(self, permission: Permission | None) -> Self:  # noqa: D102
        if permission is None or permission.target != self.target:
            return self
        allowed = self.model_copy()
        allowed._permission = permission
        return allowed

    def network(self, inputs: Inputs, outputs: int) -> Network:
        """Return the network that the code makes. Raises ConfigError: why it makes none."""
        if self._permission is None:
            raise ConfigError(REFUSAL)
        from trainer.devices import prepare_jax

        prepare_jax()
        from trainer.models.equinox_network import network_of

        return network_of(self._permission.function, tuple(self.arguments.items()), inputs, outputs)

    def misfit(self, inputs: Inputs, outputs: int) -> Problem | None:  # noqa: D102
        if problem := super().misfit(inputs, outputs):
            return problem
        try:
            self.network(inputs, outputs)
        except ConfigError as error:
            return error.problems[0]
        return None
