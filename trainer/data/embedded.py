"""Five classic data sets that come with the program; `trainer/datasets/README.md` says where they are from."""

from importlib import resources
from pathlib import Path
from typing import Literal

from trainer.data.section import ImageShape, NumericTargetSection, Table, TableSection
from trainer.lazy import np
from trainer.task import Task


class Digits(TableSection):
    """1,797 handwritten digits, 8 by 8 pixels of 0 to 1, ten classes; pictures that train in seconds.

    Source: Alpaydin and Kaynak 1998.
    """

    source: Literal["digits"] = "digits"

    def read(self, file_base: Path | None) -> Table:  # noqa: ARG002
        """Return the pictures, a row of 64 pixels each."""
        return _embedded("digits", "classification", image_shape=(8, 8, 1), divisor=16)


class Iris(TableSection):
    """150 iris flowers, four lengths in cm, three species; the smallest table to begin with.

    Source: Fisher 1936.
    """

    source: Literal["iris"] = "iris"

    def read(self, file_base: Path | None) -> Table:  # noqa: ARG002
        """Return the flowers."""
        return _embedded("iris", "classification")


class Wine(TableSection):
    """178 wines, 13 chemical measurements, three cultivars; so few that luck counts.

    Source: Aeberhard and Forina 1992.
    """

    source: Literal["wine"] = "wine"

    def read(self, file_base: Path | None) -> Table:  # noqa: ARG002
        """Return the wines."""
        return _embedded("wine", "classification")


class BreastCancer(TableSection):
    """569 tumours, 30 measurements of cell nuclei, malignant or benign; for metrics of two classes.

    Source: Wolberg et al. 1993.
    """

    source: Literal["breast_cancer"] = "breast_cancer"

    def read(self, file_base: Path | None) -> Table:  # noqa: ARG002
        """Return the tumours."""
        return _embedded("breast_cancer", "classification")


class Diabetes(NumericTargetSection):
    """442 patients, ten measurements in their own units, and how far the disease went in a year; regression.

    Source: Efron et al. 2004.
    """

    source: Literal["diabetes"] = "diabetes"

    def read(self, file_base: Path | None) -> Table:  # noqa: ARG002
        """Return the patients."""
        return _embedded("diabetes", "regression")


def _embedded(name: str, task: Task, image_shape: ImageShape | None = None, divisor: int = 1) -> Table:
    with (resources.files("trainer") / "datasets" / f"{name}.npz").open("rb") as file, np.load(file) as arrays:
        x, y = arrays["x"], arrays["y"]
        feature_names, target_names = (tuple(map(str, arrays[key])) for key in ("feature_names", "target_names"))
    return Table(
        x=x / np.float32(divisor) if divisor != 1 else x,
        y=y.astype(np.int32) if task == "classification" else y.astype(np.float64)[:, np.newaxis],
        task=task,
        feature_names=feature_names,
        target_names=target_names,
        image_shape=image_shape,
    )
