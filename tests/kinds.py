"""What tests of all kinds of all sections share: a config of each."""

from collections.abc import Iterator
from typing import Any

from trainer.config import Config
from trainer.validation import discriminator, members

_REQUIRED: dict[str, dict[str, Any]] = {
    "path": {"data.path": "x.csv"},
    "images": {"data.path": "x.csv"},
    "custom": {"model.target": "mine:network", "model.arguments": {"width": 8, "rate": 0.5, "sizes": [1, 2]}},
}


def every_kind() -> Iterator[tuple[str, str]]:
    """Yield each key that chooses a kind, with each kind."""
    for name, field in Config.model_fields.items():
        if tag := discriminator(field):
            yield from ((f"{name}.{tag}", kind) for kind in members(field))


def of_kind(key: str, kind: str) -> Config:
    """Return the default config with another kind of a section, and what that must be given."""
    return Config().changed({key: kind, **_REQUIRED.get(kind, {})})
