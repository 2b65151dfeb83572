"""MNIST, Fashion-MNIST and CIFAR-10, from where Keras and torchvision keep what they downloaded, or from the Hub.

No pickle is opened. The test part is the one that the makers set aside; what validates
is taken from their training part.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from trainer.data.content import resolved, stamp
from trainer.data.mnist_folder import all_of, four_files
from trainer.data.refusal import DataFile, refused
from trainer.data.section import ImageShape, Standardize, Table, TableSection, standardize_field
from trainer.fields import structural
from trainer.problems import ConfigError
from trainer.text import clean

if TYPE_CHECKING:
    from trainer.data import hub

_PARTS = {"part": "train", "test_part": "test"}
_ROOTS = ("data", "~/data")
"""Folders into which people let torchvision download."""


class _Known(TableSection):
    """A set that others downloaded.

    Attributes:
        KERAS: its folder below that of Keras' data sets.
        TORCHVISION: its folder below the one that torchvision was given.
        SHAPE: of a picture.
        CLASSES: by index.
        HUB: its name on the Hugging Face Hub, and there the columns of its pictures and classes.
        ADVICE: how to get it.
    """

    PATHS: ClassVar[tuple[str, ...]] = ("folder",)
    KERAS: ClassVar[str]
    TORCHVISION: ClassVar[str]
    SHAPE: ClassVar[ImageShape] = (28, 28, 1)
    CLASSES: ClassVar[tuple[str, ...]]
    HUB: ClassVar[tuple[str, str, str]]
    ADVICE: ClassVar[str]

    folder: str = structural(
        "", "Folder that holds the files; empty: where Keras and torchvision keep them, or the Hub.", max_length=4096
    )
    standardize: Standardize = standardize_field("minmax_all")

    @abstractmethod
    def find(self, folder: DataFile) -> list[DataFile]:
        """Return the files of the set if the folder holds them all, else nothing."""

    def stamp(self, file_base: Path | None) -> Hashable:
        """Return sizes and times of the last change. Raises ConfigError."""
        return tuple((file.path, stamp(file)) for file in self._files(file_base))

    def fetch(self, file_base: Path | None) -> None:
        """Bring the set from the Hub, if no files of it are on this machine."""
        if not self._files(file_base):
            self._from_hub(file_base, is_to_fetch=True)

    def read(self, file_base: Path | None) -> Table:
        """Return the pictures, those that test at the end."""
        from trainer.data.known_files import read_known, table_of_known

        if files := self._files(file_base):
            return read_known(files, self.SHAPE, self.CLASSES)
        from trainer.data.hub_table import parts_of, pictures_of

        parts = parts_of(self._from_hub(file_base, is_to_fetch=False), self.HUB[0], tuple(_PARTS))
        side, _, channels = self.SHAPE
        return table_of_known(pictures_of(parts, *self.HUB[1:], side, channels), self.SHAPE, self.CLASSES)

    def _files(self, file_base: Path | None) -> list[DataFile]:
        """Return the files, none where the Hub is to be asked. Raises ConfigError."""
        for place in self._places(file_base):
            if found := self.find(place):
                return found
        from trainer.data import hub

        if self.folder or not hub.is_installed():
            raise self._absent(file_base)
        return []

    def _from_hub(self, file_base: Path | None, *, is_to_fetch: bool) -> hub.Answer:
        from trainer.data import hub

        request = hub.Request(self.HUB[0], "", "", tuple(_PARTS.items()))
        try:
            return (hub.fetch if is_to_fetch else hub.read)(request)
        except ConfigError as error:
            raise self._absent(file_base, f"; {self.HUB[0]} {error.problems[0].message}") from None

    def _absent(self, file_base: Path | None, more: str = "") -> ConfigError:
        looked = ", ".join(clean(str(place.path)) for place in self._places(file_base))
        rule, key = ("hold the set", "data.folder") if self.folder else ("be on this machine", "data.source")
        install = "" if more or self.folder else ", install nn-tui[datasets] to have it fetched"
        advice = f"{self.ADVICE}{install}, or name its folder in data.folder."
        return refused(f"must {rule}, got none of its files in {looked}{more or '.'} {advice}", key)

    def _places(self, file_base: Path | None) -> list[DataFile]:
        """Return the folders to look in, the first that has the files counts."""
        if self.folder:
            root = resolved(self.folder, file_base, "data.folder")
            paths = [root, root / self.TORCHVISION]
        else:
            keras = f"{os.environ.get('KERAS_HOME') or '~/.keras'}/datasets/{self.KERAS}"
            usual = [keras, *(f"{root}/{self.TORCHVISION}" for root in _ROOTS)]
            paths = [resolved(path, None, "data.folder") for path in usual]
        return [DataFile(path, "data.folder") for path in paths]


class Mnist(_Known):
    """70,000 handwritten digits, 28 by 28 pixels of grey, 10,000 of them test; the classic for pictures.

    Source: LeCun et al. 1998.
    """

    KERAS = ""
    TORCHVISION = "MNIST/raw"
    HUB = ("ylecun/mnist", "image", "label")
    CLASSES = tuple(map(str, range(10)))
    ADVICE = "Get it by keras.datasets.mnist.load_data() or torchvision.datasets.MNIST('data', download=True)"

    source: Literal["mnist"] = "mnist"

    def find(self, folder: DataFile) -> list[DataFile]:
        """Return Keras' archive, or the four files."""
        return all_of(folder, [["mnist.npz"]]) or four_files(folder)


class FashionMnist(_Known):
    """70,000 pieces of clothing, 28 by 28 pixels of grey, 10,000 of them test; as MNIST, but harder.

    Source: Xiao, Rasul and Vollgraf 2017.
    """

    KERAS = "fashion-mnist"
    TORCHVISION = "FashionMNIST/raw"
    HUB = ("zalando-datasets/fashion_mnist", "image", "label")
    CLASSES = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip
    ADVICE = (
        "Get it by keras.datasets.fashion_mnist.load_data() or torchvision.datasets.FashionMNIST('data', download=True)"
    )

    source: Literal["fashion_mnist"] = "fashion_mnist"

    def find(self, folder: DataFile) -> list[DataFile]:
        """Return the four files."""
        return four_files(folder)


class Cifar10(_Known):
    """60,000 small photographs, 32 by 32 pixels in colour, of ten things, 10,000 of them test; for a CNN or ResNet.

    Its version for Python, which Keras and torchvision keep, is made of pickles, which could run code: it is never
    opened.

    Source: Krizhevsky 2009.
    """

    KERAS = TORCHVISION = "cifar-10-batches-bin"
    HUB = ("uoft-cs/cifar10", "img", "label")
    SHAPE = (32, 32, 3)
    CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    ADVICE = (
        "The version for Python is pickle, which could run code, and is never opened: unpack the binary version,"
        " https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz, into one of them"
    )

    source: Literal["cifar10"] = "cifar10"

    def find(self, folder: DataFile) -> list[DataFile]:
        """Return the five batches that train and the one that tests."""
        return all_of(folder, [*([f"data_batch_{number}.bin"] for number in range(1, 6)), ["test_batch.bin"]])
