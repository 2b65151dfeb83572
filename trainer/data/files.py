"""A person's own examples: a CSV file, or a NumPy archive of two arrays."""

from pathlib import Path
from typing import Literal

from trainer.data.content import is_archive, read_content, resolved, stamp
from trainer.data.refusal import refused
from trainer.data.section import AskedTask, NumericTargetSection, Table
from trainer.fields import fixed, structural


class Files(NumericTargetSection):
    """Examples from a file; what it is shows in its first bytes."""

    source: Literal["path"] = "path"
    path: str = structural(
        ..., "CSV file with a header, or .npz archive; a relative path starts where the preset lies.",
        min_length=1, max_length=4096,
    )  # fmt: skip
    target: str = structural(
        "", "Column to predict (empty: the last one), or the archive's array of targets (empty: y)."
    )
    features: str = structural(
        "x", "The archive's array of features; a CSV file uses all other columns.", advanced=True
    )
    task: AskedTask = structural("auto", "Classes or numbers; auto: text and few whole numbers are classes.")
    missing: Literal["error", "drop"] = fixed(
        "error", "What to do about an example with a missing value: refuse the file, or leave the example out."
    )

    def stamp(self, file_base: Path | None) -> tuple[int, int]:
        """Return size in bytes and time of the last change in nanoseconds. Raises `ConfigError`."""
        return stamp(resolved(self.path, file_base))

    def read(self, file_base: Path | None) -> Table:
        """Return the examples of the file, in its order."""
        path = resolved(self.path, file_base)
        try:
            return self._parsed(read_content(path), path)
        except MemoryError:
            raise refused("must fit into memory, got a file that does not. Train on a sample.", path=path) from None

    def _parsed(self, content: bytes, path: Path) -> Table:
        if is_archive(content, path):
            from trainer.data.npz_file import read_npz

            return read_npz(content, path, self.features, self.target or "y", self.task, self.missing == "drop")
        from trainer.data.csv_file import read_csv

        return read_csv(content, path, self.target, self.task, self.missing == "drop")
