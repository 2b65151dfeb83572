"""The code of a person's own: permission to run it, and where it is found.

A target names a function, as module:function. To import its module runs it, so that nothing is imported before somebody
gave a `Permission`: `Config.permitted` alone makes one.

A module beside the preset is that one file, read anew for each run; what it imports must be installed. No folder comes
onto `sys.path`: a file that happens to lie there could take the place of any library.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from trainer.problems import ConfigError, Problem, nearest
from trainer.text import clean, clipped

KEY: Final = "model.target"

REFUSAL: Final = Problem(
    "is code, which runs only where its preset was named or you said yes: nn-tui train PRESET, or ctrl+r in the app. "
    "From a run's folder it never runs by itself: name the file, nn-tui resume RUN --code FILE, or copy config.toml to "
    "where the code lies.",
    KEY,
)
"""What to say of code that nobody gave permission to run."""

_MOST = 160
"""Most characters of somebody else's error that are shown."""

_lock = threading.RLock()
_modules: dict[Path, tuple[str, ModuleType]] = {}


@dataclass(frozen=True)
class Permission:
    """A person's permission to run the code that a target names.

    Attributes:
        target: module:function.
        folder: where the module is looked for first, as a file; None for installed packages alone.
    """

    target: str
    folder: Path | None

    @property
    def file(self) -> Path | None:
        """Return the file beside the preset that would run; None where an installed package would."""
        if self.folder is None:
            return None
        file = self.folder.joinpath(*self._module.split(".")).with_suffix(".py")
        return file if file.is_file() else None

    @property
    def words(self) -> str:
        """Return what would run, and where it lies."""
        file = self.file
        return f"{self._name} of {clean(str(file)) if file else f'the installed package {self._module}'}"

    @cached_property
    def function(self) -> Callable[..., Any]:
        """Return the function, imported when first asked for.

        Raises:
            ConfigError: there is none, or its module fails.
        """
        with _lock:
            module = self._imported()
        found = getattr(module, self._name, None)
        if callable(found):
            return found  # type: ignore[no-any-return]
        near = nearest(self._name, (name for name, value in vars(module).items() if callable(value)))
        raise refused(f"must name a function of {place(module.__file__)}, which has no {self._name}.{near}")

    @property
    def _module(self) -> str:
        return self.target.partition(":")[0]

    @property
    def _name(self) -> str:
        return self.target.partition(":")[2]

    def _imported(self) -> ModuleType:
        file = self.file
        try:
            return importlib.import_module(self._module) if file is None else _module_at(file)
        except ModuleNotFoundError as error:
            if file is None and error.name and f"{self._module}.".startswith(f"{error.name}."):
                beside = (
                    f"no {self._module.replace('.', '/')}.py in {clean(str(self.folder))} and " if self.folder else ""
                )
                raise refused(f"must name a module, got {self._module}: there is {beside}no such package.") from error
            raise failed("name a module that can be imported", error, file) from error
        except (Exception, SystemExit) as error:
            raise failed("name a module that can be imported", error, file) from error


def refused(message: str) -> ConfigError:
    """Return the error with one line about the target."""
    return ConfigError(Problem(message, KEY))


def failed(rule: str, error: BaseException, file: str | Path | None) -> ConfigError:
    """Return the error that says in one line how a person's code failed, and where.

    Args:
        rule: what it must do.
        error: what it raised.
        file: that of the code, if it is known.
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    told = f"{type(error).__name__}: {clipped(lines[0], _MOST)}" if lines else type(error).__name__
    return refused(f"must {rule}, got {told} at {place(file, _line(error, file))}. Mend it there.")


def place(file: str | Path | None, line: int = 0) -> str:
    """Return a place in a person's code, safe to show."""
    return clean(f"{file or 'an unknown place'}{f':{line}' if line else ''}")


def _line(error: BaseException, file: str | Path | None) -> int:
    """Return the line of the file that was last at work when it failed; 0 if none was."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno or 0
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno or 0 for frame in reversed(frames) if frame.filename == str(file)), 0)


def _module_at(file: Path) -> ModuleType:
    """Return the module in a file: that of the last time, if it has the same content."""
    source = file.read_bytes()
    digest = hashlib.sha256(source).hexdigest()
    if file in _modules and _modules[file][0] == digest:
        return _modules[file][1]
    # By its path and not by its name, under which something installed may be known.
    module = ModuleType(str(file))
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    exec(compile(source, str(file), "exec"), vars(module))  # noqa: S102 that is what permission was given for
    _modules[file] = digest, module
    return module
