"""From the files that a person names to the one table, whatever their format."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from trainer.data.array_table import table_of_arrays
from trainer.data.content import NAMES, Format, format_of, read_content
from trainer.data.idx_file import read_idx
from trainer.data.mnist_folder import four_files
from trainer.data.parts import Arrays, Parts
from trainer.data.records import Records
from trainer.data.refusal import DataFile
from trainer.data.section import Table

if TYPE_CHECKING:
    from trainer.data.files import Files


def read_files(section: "Files", file_base: Path | None) -> Table:
    """Return the examples of the files that a section names. Raises ConfigError, in one line."""
    files, drop = section.files(file_base), section.missing == "drop"
    if four := four_files(files["path"]):
        return table_of_arrays(read_four(four), section.task, drop)
    part = _part(section, files["path"], files.get("target_path"))
    if isinstance(part, Arrays):
        return table_of_arrays(Parts(part), section.task, drop)
    from trainer.data.record_table import table_of_records

    return table_of_records(Parts(part), section.target, section.task, drop)


def read_four(files: list[DataFile]) -> Parts[Arrays]:
    """Return what `four_files` found: pictures that train, and those that the folder sets aside to test."""
    arrays = [read_idx(read_content(file), file) for file in files]
    return Parts(Arrays(files[0], *arrays[:2]), test=Arrays(files[2], *arrays[2:]))


def _part(section: "Files", file: DataFile, targets: DataFile | None) -> Records | Arrays:
    content = read_content(file)
    found = format_of(content, file)
    if found in ("npy", "idx"):
        return Arrays(file, _array(content, found, file), _targets(targets, file))
    if targets:
        raise targets.refused(f"must be empty for {NAMES[found]}, which holds its targets itself. Empty it.")
    match found:
        case "npz":
            from trainer.data.npz_file import read_npz

            return read_npz(content, file, section.features, section.target or "y")
        case "parquet":
            from trainer.data.parquet_file import read_parquet

            return read_parquet(content, file)
        case _:
            from trainer.data.csv_file import read_csv

            return read_csv(content, file)


def _targets(targets: DataFile | None, file: DataFile) -> NDArray[Any]:
    if targets is None:
        raise file.refused(
            "must be given, got a file that holds features alone. Name the .npy or IDX file of their targets.",
            key="data.target_path",
        )
    content = read_content(targets)
    return _array(content, format_of(content, targets), targets)


def _array(content: bytes, found: Format, file: DataFile) -> NDArray[Any]:
    if found == "npy":
        from trainer.data.npy_file import read_npy

        return read_npy(content, file)
    if found == "idx":
        return read_idx(content, file)
    raise file.refused(f"must be a .npy or IDX file, got {NAMES[found]}. Save the array with numpy.save.")
