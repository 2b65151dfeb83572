"""Sets of the Hugging Face Hub by their name, and those that its library wrote into a folder."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import field_validator

from trainer.data.images import image_mode_field, image_size_field
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
    from trainer.data import hub

_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


class HuggingFace(NumericTargetSection):
    """A set of the Hugging Face Hub; needs the extra datasets, and a network until it was fetched once.

    Source: Lhoest et al. 2021.
    """

    PATHS: ClassVar[tuple[str, ...]] = ("folder",)

    source: Literal["hugging_face"] = "hugging_face"
    name: str = structural(
        "", "Name on the Hub, such as scikit-learn/iris; what the set needs scripts for is refused.", max_length=200
    )
    folder: str = structural("", "Folder that save_to_disk of the library wrote, in place of a name.", max_length=4096)
    config: str = structural("", "Which variant of the set, where it has several.", max_length=200)
    part: str = structural("train", "Its split that trains.", min_length=1, max_length=200)
    validation_part: str = structural(
        "", "Its split that validates; empty: data.validation_split of what trains.", advanced=True, max_length=200
    )
    test_part: str = structural(
        "", "Its split that tests at the very end; empty: data.test_split of what trains.",
        advanced=True, max_length=200,
    )  # fmt: skip
    target: str = structural("", "Column to predict; empty: the only one of classes, or the last one.")
    features: Names = structural((), "Columns to learn from; empty: all but the target.", max_length=10_000)
    ignore: Names = ignore_field()
    task: AskedTask = task_field()
    categories: Categories = categories_field()
    missing: Missing = missing_field()
    image_size: int = image_size_field()
    image_mode: Literal["colour", "grey"] = image_mode_field()

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if name and not _NAME.fullmatch(name):
            raise ValueError("must be a name such as scikit-learn/iris, got another text. A folder goes into folder.")
        return name

    @property
    def channels(self) -> int:
        """Return how many numbers a pixel is."""
        return 3 if self.image_mode == "colour" else 1

    @property
    def parts(self) -> dict[str, str]:
        """Return the names of the parts by the fields that name them."""
        fields = ("part", "validation_part", "test_part")
        return {field: name for field in fields if (name := getattr(self, field))}

    def stamp(self, file_base: Path | None) -> Hashable:
        """Return what is another whenever the folder was written anew. Raises ConfigError."""
        return self._request(file_base)

    def fetch(self, file_base: Path | None) -> None:
        """Bring the set onto this machine."""
        from trainer.data import hub

        hub.fetch(self._request(file_base))

    def read(self, file_base: Path | None) -> Table:
        """Return the examples of the set."""
        from trainer.data import hub
        from trainer.data.hub_table import table_of_set

        return table_of_set(self, hub.read(self._request(file_base)))

    def _request(self, file_base: Path | None) -> hub.Request:
        from trainer.data import hub

        folder, stamp = hub.folder_of(self.folder, self.name, file_base)
        return hub.Request("" if folder else self.name, self.config, folder, tuple(self.parts.items()), stamp)
