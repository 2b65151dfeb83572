"""Which examples are left in their files: those of .npy files too large to hold, or of which a person says so."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from trainer import memory
from trainer.data.content import MOST_BYTES
from trainer.data.mnist_folder import four_files
from trainer.data.refusal import refused
from trainer.data.stored import Stored, stored_in

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.data.files import Files

_BYTES = 4


class Left(NamedTuple):
    """Features and targets that are left in their files, and the section that names these."""

    section: Files
    x: Stored
    y: Stored


def left_in_files(section: Files, file_base: Path | None) -> Left | None:
    """Return the examples of a section where they are to stay in their files; None where they are to be held.

    Raises:
        ConfigError: they are to stream and cannot.
    """
    files = section.files(file_base)
    main, targets = files.pop("path"), files.pop("target_path", None)
    x = None if four_files(main) else stored_in(main)
    if section.stream == "never":
        if x and x.stamp[0] <= MOST_BYTES and (lacking := memory.shortage_here(x.stamp[0] + _held(x))):
            message = f'must be "auto" or "always" here, got "never", for which memory is short: {lacking}.'
            raise refused(message, "data.stream")
        return None
    if x is None and section.stream == "always":
        raise refused('must be "auto" or "never" here, got "always". Only .npy files stream.', "data.stream")
    if x is None or targets is None or (section.stream == "auto" and _fits(x)):
        return None
    y = stored_in(targets)
    if y is None:
        raise targets.refused("must be a .npy file where data.path streams, got another. Save it with numpy.save.")
    for file in files.values():
        raise file.refused("must be empty where data.path streams, got a file. Set data.validation_split.")
    for array in (x, y):
        if array.fortran:
            raise array.file.refused(
                "must hold row after row to stream, got column after column. Save numpy.ascontiguousarray of it."
            )
    if section.k_fold:
        raise refused(f"must be 0 where the examples stream, got {section.k_fold}. Use a single split.", "data.k_fold")
    return Left(section, x, y)


def _fits(x: Stored) -> bool:
    """Return whether the examples may be held: as the file has them, as they train, and once more on the device."""
    stored, held = x.stamp[0], _held(x)
    return stored <= MOST_BYTES and memory.may_hold(on_device=held, on_host=stored + 2 * held)


def _held(x: Stored) -> int:
    return math.prod(x.shape) * _BYTES
