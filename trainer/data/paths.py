"""Sources that read what a person names: files or folders, of which each part may have one of its own."""

from pathlib import Path
from typing import ClassVar

from trainer.data.content import resolved
from trainer.data.refusal import DataFile
from trainer.data.section import TableSection
from trainer.fields import structural


class PathSection(TableSection):
    """A source with a `path`, which says itself what may lie there."""

    PATHS: ClassVar[tuple[str, ...]] = ("path", "validation_path", "test_path")

    validation_path: str = structural(
        "", "Where the examples that validate lie, like data.path; empty: data.validation_split of data.path.",
        advanced=True, max_length=4096,
    )  # fmt: skip
    test_path: str = structural(
        "", "Where the examples that test at the very end lie, like data.path; empty: data.test_split of data.path.",
        advanced=True, max_length=4096,
    )  # fmt: skip

    def files(self, file_base: Path | None) -> dict[str, DataFile]:
        """Return the files and folders that are named, by the field that names them. Raises ConfigError."""
        keys = {name: f"data.{name}" for name in self.PATHS if getattr(self, name)}
        return {name: DataFile(resolved(getattr(self, name), file_base, key), key) for name, key in keys.items()}
