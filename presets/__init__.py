"""Presets: configs to start from. The built-in ones lie beside this file, a person's own in their config folder.

To find one loads nothing heavy; to read one loads the whole config.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer import files
from trainer.problems import ConfigError, nearest
from trainer.text import clean, clipped, quoted

if TYPE_CHECKING:
    from trainer.config import Config

_BUILT_IN = Path(__file__).parent
_LONGEST = 64
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{_LONGEST - 1}}}")
_DATA = (".csv", ".tsv", ".parquet", ".npz", ".npy", ".gz")
"""Endings of files that hold data."""

DEFAULT = "digits-mlp"


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset that was found; `built_in` says whether it came with the package."""

    name: str
    path: Path
    built_in: bool

    @property
    def base(self) -> Path | None:
        """Return the folder that its relative paths start from; None for a built-in one, which has none."""
        return None if self.built_in else self.path.absolute().parent

    def load(self) -> Config:
        """Return its config, named after the file if it has no name. Raises ConfigError with every problem in it.

        A built-in one may run the code that it names, which lies beside it and came with the package too.
        """
        from trainer.config import Config, load

        config = load(self.path)
        if config.name == Config().name:
            config = config.changed({"name": clipped(self.name, _LONGEST)})
        return config.permitted(_BUILT_IN) if self.built_in else config

    def permitted(self, config: Config) -> Config:
        """Return a config made of this preset, which a person named on this command line: it may run its code."""
        return config.permitted(self.base or Path.cwd())


def own_folder() -> Path:
    """Return the folder of a person's own presets; it need not exist."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return home / "nn-tui" / "presets"


def available() -> tuple[Preset, ...]:
    """Return every preset by name: a person's own, which may shadow a built-in one, after the built-in ones."""
    found = {path.stem: Preset(path.stem, path, built_in=True) for path in sorted(_BUILT_IN.glob("*.toml"))}
    for path in sorted(own_folder().glob("*.toml")):
        found.pop(path.stem, None)
        found[path.stem] = Preset(path.stem, path, built_in=False)
    return tuple(found.values())


def is_built_in(name: str) -> bool:
    """Return whether a preset of that name comes with the package."""
    return (_BUILT_IN / f"{name}.toml").is_file()


def find(word: str) -> Preset:
    """Return the preset meant by a name or a path.

    Raises:
        ConfigError: there is none.
    """
    known = {preset.name: preset for preset in available()}
    if word in known:
        return known[word]
    path = Path(word)
    if path.suffix.lower() in _DATA:
        advice = f"nn-tui train csv-template --set data.path={clean(word)} --set data.target=COLUMN"
        raise ConfigError(f"{clean(word)} is no preset, but perhaps data. Train on it: {advice}")
    # Not `Path.is_file`, which raises for a word that is too long to be a name.
    if os.path.isfile(path) or path.suffix == ".toml" or os.sep in word:  # noqa: PTH113
        return Preset(path.stem, path, built_in=False)
    hint = nearest(word, known) or f" There are: {', '.join(known)}."
    raise ConfigError(f"{clean(word)} is no preset and no file.{hint}")


def load(word: str) -> Config:
    """Return the config of a preset, by name or path. Raises ConfigError."""
    return find(word).load()


def path_of(name: str) -> Path:
    """Return where a person's own preset of that name lies, or would. Raises ConfigError for an unusable name."""
    if not _NAME.fullmatch(name):
        message = (
            f"a preset is named by up to {_LONGEST} letters, digits, dots, dashes and underscores, got {quoted(name)}."
        )
        raise ConfigError(message)
    return own_folder() / f"{name}.toml"


def save(config: Config, name: str) -> Path:
    """Write a config as one of a person's own presets, replacing one of that name; return its file.

    Raises:
        ConfigError: the name cannot be a file's, or the disk refused.
    """
    from trainer.config import dump

    path = path_of(name)
    try:
        files.make_folders(path.parent)
        files.replace_atomically(path, dump(config).encode(), durable=True)
    except OSError as error:
        raise ConfigError(f"{clean(str(path))} cannot be written: {error.strerror or error}") from error
    return path
