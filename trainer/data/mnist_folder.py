"""A folder of four IDX files, as MNIST and those made after it come: pictures and labels, to train and to test."""

from trainer.data.refusal import DataFile

_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def four_files(folder: DataFile) -> list[DataFile]:
    """Return pictures and labels that train, then those that test, gzipped or not; nothing where one is not there."""
    return all_of(folder, [_spellings(name) for name in _NAMES])


def all_of(folder: DataFile, names: list[list[str]]) -> list[DataFile]:
    """Return a file of the folder for each name, by the first spelling that is there; nothing where one is not."""
    try:
        held = {path.name for path in folder.path.iterdir()}
    except OSError:
        return []
    found = [next((spelling for spelling in spellings if spelling in held), "") for spellings in names]
    return [DataFile(folder.path / name, folder.key) for name in found] if all(found) else []


def _spellings(name: str) -> list[str]:
    return [f"{stem}{end}" for stem in (name, name.replace("-idx", ".idx")) for end in ("", ".gz")]
