"""Points in the plane, drawn from a seed: tasks whose difficulty is one number and whose answer can be seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trainer.data.section import Table, TableSection
from trainer.fields import fixed, structural
from trainer.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class _Plane(TableSection):
    size: int = structural(1000, "Number of points, all parts together.", unit="examples", ge=40, le=10_000_000)
    noise: float = fixed(0.1, "Standard deviation of the noise added to both coordinates.", ge=0, le=100)

    def generator(self) -> np.random.Generator:
        """Return the generator of the points; its stream is not the one that splits them."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=(1,))))

    def table(self, points: NDArray[np.float64], labels: NDArray[np.int64], rng: np.random.Generator) -> Table:
        """Return the points, shape [size, 2], with noise added, and their classes, shape [size]."""
        noisy = points + self.noise * rng.standard_normal(points.shape)
        names = tuple(str(label) for label in range(int(labels.max()) + 1))
        # float32 already here: sines differ in the last bit between machines, and the fingerprint should not.
        return Table(noisy.astype(np.float32), labels.astype(np.int32), "classification", ("x", "y"), names)


class Moons(_Plane):
    """Two interleaving half circles of radius 1; easy for a small network, and its boundary can be watched.

    With t evenly spaced on [0, pi], class 0 lies on (cos t, sin t), class 1 on (1 - cos t, 1/2 - sin t).

    Source: scikit-learn's make_moons; here the classes alternate.
    """

    source: Literal["moons"] = "moons"

    def read(self, file_base: Path | None) -> Table:  # noqa: ARG002
        """Draw the points."""
        labels, number, count = _alternate(self.size, 2)
        t = np.pi * number / (count - 1)
        upper = np.stack([np.cos(t), np.sin(t)], axis=1)
        points = np.where(labels[:, np.newaxis] == 0, upper, [1.0, 0.5] - upper)
        return self.table(points, labels, self.generator())


class Circles(_Plane):
    """A circle of radius 1 around one of radius `factor`; no straight line parts the two classes.

    Class 0 is the outer one.

    Source: scikit-learn's make_circles; here the classes alternate.
    """

    source: Literal["circles"] = "circles"
    factor: float = fixed(0.5, "Radius of the inner circle; the outer one has 1.", gt=0, lt=1)

    def read(self, file_base: Path | None) -> Table:  # noqa: ARG002
        """Draw the points."""
        labels, number, count = _alternate(self.size, 2)
        t = 2 * np.pi * number / count
        radius = np.where(labels == 0, 1.0, self.factor)
        return self.table(_polar(radius, t), labels, self.generator())


class Spirals(_Plane):
    """Arms of an Archimedean spiral that start at the centre, one class each; hard, for deep networks.

    Arm k of K: with u evenly spaced on (0, 1], radius u and angle 2 pi (turns u + k / K).

    Source: Lang and Witbrock 1988, whose two arms make three turns.
    """

    source: Literal["spirals"] = "spirals"
    noise: float = fixed(0.02, "Standard deviation of the noise added to both coordinates.", ge=0, le=100)
    classes: int = structural(2, "Number of arms, a class each.", unit="classes", ge=2, le=20)
    turns: float = fixed(1.5, "Turns from the centre to the end of an arm; more is harder.", unit="turns", gt=0, le=20)

    def read(self, file_base: Path | None) -> Table:  # noqa: ARG002
        """Draw the points."""
        labels, number, count = _alternate(self.size, self.classes)
        radius = (number + 1) / count
        angle = 2 * np.pi * (self.turns * radius + labels / self.classes)
        return self.table(_polar(radius, angle), labels, self.generator())


class Xor(_Plane):
    """Points of a square; class 1 where the coordinates differ in sign: the smallest task for a hidden layer.

    They are uniform on [-1, 1] squared; the signs count before the noise.

    Source: Minsky and Papert 1969.
    """

    source: Literal["xor"] = "xor"

    def read(self, file_base: Path | None) -> Table:  # noqa: ARG002
        """Draw the points."""
        rng = self.generator()
        points = rng.uniform(-1, 1, (self.size, 2))
        labels = (points[:, 0] * points[:, 1] < 0).astype(np.int64)
        return self.table(points, labels, rng)


def _alternate(size: int, classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return class indices 0, 1, ..., 0, 1, ..., each point's number in its class, and its class's size."""
    index = np.arange(size)
    labels = index % classes
    return labels, index // classes, (size - 1 - labels) // classes + 1


def _polar(radius: NDArray[np.float64], angle: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
