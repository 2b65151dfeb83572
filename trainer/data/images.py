"""A person's own pictures: a folder that holds one of PNG and JPEG files for each class."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, Literal

from trainer.data.paths import PathSection
from trainer.data.section import Standardize, Table, standardize_field
from trainer.fields import structural

_LARGEST = 182
"""Rows and columns of a picture whose three channels are no more numbers than an example may have."""


def image_size_field() -> Any:
    """Declare the size of pictures."""
    return structural(
        32, "Rows and columns that each picture is scaled to; more shows more and takes longer.",
        unit="pixels", ge=1, le=_LARGEST,
    )  # fmt: skip


def image_mode_field() -> Any:
    """Declare what becomes of colours."""
    return structural(
        "colour", "Keep the colours, or turn pictures grey where colour says nothing: a third of the features."
    )


class Images(PathSection):
    """Pictures of yours, in folders named after their class; needs Pillow."""

    source: Literal["images"] = "images"
    path: str = structural(
        ..., "Folder with a sub-folder of PNG or JPEG pictures for each class, named after it.",
        min_length=1, max_length=4096,
    )  # fmt: skip
    image_size: int = image_size_field()
    image_mode: Literal["colour", "grey"] = image_mode_field()
    standardize: Standardize = standardize_field("minmax_all")

    @property
    def channels(self) -> int:
        """Return how many numbers a pixel is."""
        return 3 if self.image_mode == "colour" else 1

    def stamp(self, file_base: Path | None) -> Hashable:
        """Return what is another once a picture was added, removed or changed. Raises ConfigError."""
        from trainer.data.image_folder import stamp_of

        return tuple(map(stamp_of, self.files(file_base).values()))

    def read(self, file_base: Path | None) -> Table:
        """Return the pictures, class by class, each in the order of their names."""
        from trainer.data.image_folder import read_folders
        from trainer.data.parts import Parts

        folders = self.files(file_base)
        parts = Parts(folders["path"], folders.get("validation_path"), folders.get("test_path"))
        try:
            return read_folders(parts, self.image_size, self.channels)
        except MemoryError:
            message = "must leave pictures that fit into memory, got too many. Make it smaller."
            raise folders["path"].refused(message, key="data.image_size") from None
