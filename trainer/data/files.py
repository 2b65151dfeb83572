"""A person's own examples: a table, arrays, or pictures as MNIST has them."""

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from trainer.data.content import stamp
from trainer.data.mnist_folder import four_files
from trainer.data.paths import PathSection
from trainer.data.section import (
    AskedTask,
    Categories,
    Missing,
    NumericTargetSection,
    Table,
    categories_field,
    ignore_field,
    missing_field,
    task_field,
)
from trainer.fields import Names, structural

if TYPE_CHECKING:
    from trainer.data.left import Left


class Files(PathSection, NumericTargetSection):
    """Examples from a file of yours, a table or arrays; what it is shows in its first bytes."""

    PATHS: ClassVar[tuple[str, ...]] = (*PathSection.PATHS, "target_path")

    source: Literal["path"] = "path"
    path: str = structural(
        ..., "CSV, Parquet, .npz, .npy or IDX file, or MNIST's folder; a relative path starts where the preset lies.",
        min_length=1, max_length=4096,
    )  # fmt: skip
    target: str = structural(
        "", "Column to predict (empty: the last one), or the archive's array of targets (empty: y)."
    )
    ignore: Names = ignore_field()
    target_path: str = structural(
        "", "File of the targets, where data.path is a .npy or IDX file, which holds features alone.",
        advanced=True, max_length=4096,
    )  # fmt: skip
    features: str = structural(
        "x", "The archive's array of features; a table uses all columns but the target.", advanced=True
    )
    task: AskedTask = task_field()
    categories: Categories = categories_field()
    missing: Missing = missing_field()
    stream: Literal["auto", "always", "never"] = structural(
        "auto", "Leave the examples of a .npy file there and stream them; auto: those that do not fit into half of the"
        " memory.", advanced=True,
    )  # fmt: skip
    buffer_size: int = structural(
        0, "Examples on the device at a time where they stream; 0: what 128 MiB hold. More mix better and take memory.",
        unit="examples", ge=0, le=1 << 30, advanced=True,
    )  # fmt: skip

    def stamp(self, file_base: Path | None) -> Hashable:
        """Return sizes and times of the last change. Raises ConfigError."""
        return tuple(stamp(part) for file in self.files(file_base).values() for part in four_files(file) or [file])

    def left_in_files(self, file_base: Path | None) -> "Left | None":
        """Return the examples of .npy files that are to stay there. Raises ConfigError."""
        from trainer.data.left import left_in_files

        return left_in_files(self, file_base)

    def read(self, file_base: Path | None) -> Table:
        """Return the examples of the files, in their order."""
        from trainer.data.reading import read_files

        try:
            return read_files(self, file_base)
        except MemoryError:
            file = self.files(file_base)["path"]
            raise file.refused("must fit into memory, got a file that does not. Train on a sample.") from None
