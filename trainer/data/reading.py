"""From the files that a person names to the one table, whatever their format."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from trainer.data.array_table import table_of_arrays
from trainer.data.content import NAMES, Format, format_of, read_content
from trainer.data.idx_file import read_idx
from trainer.data.mnist_folder import four_files
from trainer.data.parts import Arrays, Parts
from trainer.data.records import Records, without
from trainer.data.refusal import DataFile
from trainer.data.section import Table

if TYPE_CHECKING:
    from trainer.data.files import Files


def read_files(section: "Files", file_base: Path | None) -> Table:
    """Return the examples of the files that a section names. Raises ConfigError, in one line."""
    files = section.files(file_base)
    main = files.pop("path")
    if four := four_files(main):
        for file in files.values():
            raise file.refused("must be empty beside MNIST's folder, which has targets and a test part. Empty it.")
        return table_of_arrays(read_four(four), section.task, section.missing)
    train = _part(section, main, files.pop("target_path", None))
    others = {name: _part(section, file, None) for name, file in files.items()}
    parts = Parts(train, others.get("validation_path"), others.get("test_path"))
    if isinstance(train, Arrays):
        return table_of_arrays(parts.map(_as_arrays), section.task, section.missing)
    from trainer.data.record_table import table_of_records

    records = without(parts.map(_as_records), section.ignore)
    return table_of_records(records, section.target, section.task, section.missing, section.categories)


def _as_arrays(part: Records | Arrays) -> Arrays:
    if isinstance(part, Arrays):
        return part
    raise part.file.refused("must hold arrays, as data.path does, got a table. Save them with numpy.savez.")


def _as_records(part: Records | Arrays) -> Records:
    if isinstance(part, Records):
        return part
    raise part.file.refused("must hold a table, as data.path does, got arrays. Write it as CSV or Parquet.")


def read_four(files: list[DataFile]) -> Parts[Arrays]:
    """Return what `four_files` found: pictures that train, and those that the folder sets aside to test."""
    x, y, test_x, test_y = (read_idx(read_content(file), file) for file in files)
    test = Arrays(files[2], test_x, test_y, target_file=files[3])
    return Parts(Arrays(files[0], x, y, target_file=files[1]), test=test)


def _part(section: "Files", file: DataFile, targets: DataFile | None) -> Records | Arrays:
    content = read_content(file)
    found = format_of(content, file)
    if found in ("npy", "idx"):
        if file.key != "data.path":
            raise file.refused(f"must hold targets too, got {NAMES[found]}. Save both into one .npz with numpy.savez.")
        return Arrays(file, _array(content, found, file), _targets(targets, file), target_file=targets)
    part = _whole(section, content, found, file)
    if targets:
        raise targets.refused(f"must be empty for {NAMES[found]}, which holds its targets itself. Empty it.")
    return part


def _whole(section: "Files", content: bytes, found: Format, file: DataFile) -> Records | Arrays:
    """Return what a file holds that has features and targets."""
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
