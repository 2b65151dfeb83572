"""Charts for TensorBoard, without TensorFlow.

Laid out as Keras' `TensorBoard` and TensorFlow's HParams callback do it together: `train` and `validation` are two
runs of the same charts, and the folder above them holds the hyperparameters, whose metrics point into the two.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from trainer.callbacks.actions import EpochEnd
from trainer.events import Layer
from trainer.fields import Section, fixed


class TensorBoardSection(Section):
    """`callbacks.tensorboard`: those of Keras' arguments that need no graph."""

    enabled: bool = fixed(
        False,
        "Write event files into the run's tensorboard folder, for who looks at runs in TensorBoard.",
        source="Keras' TensorBoard",
    )
    update_freq: int = fixed(
        0, "Updates, at least, between two points of the batch charts; 0 for epoch charts only.",
        unit="updates", advanced=True, ge=0, source="Keras' TensorBoard",
    )  # fmt: skip
    histogram_freq: int = fixed(
        0, "Epochs, at least, between two histograms of each layer's weights and outputs; 0 for none.",
        unit="epochs", advanced=True, ge=0, source="Keras' TensorBoard",
    )  # fmt: skip
    write_steps_per_second: bool = fixed(
        False, "Also chart the speed of each epoch.", source="Keras' TensorBoard", advanced=True
    )


class TensorBoard:
    """The event files of one run, or of its part since a resume."""

    name = "tensorboard"

    def __init__(
        self,
        section: TensorBoardSection,
        directory: Path,
        hyperparameters: Mapping[str, bool | int | float | str | None],
        first_step: int = 0,
        *,
        goes_on: bool = False,
    ) -> None:
        """Begin the files; that and all that follows is written now and then, and waits where the disk refuses it.

        Args:
            section: the settings.
            directory: the run's `tensorboard` folder; made, as the files are, by the first `flush`.
            hyperparameters: dotted key to value, for the HParams tab; None is left out.
            first_step: updates done before.
            goes_on: whether the folder may hold what is computed again from there on.
        """
        from trainer.callbacks import event_files

        self.section = section
        self._messages = event_files
        self._hyperparameters = dict(hyperparameters)
        self._goes_on = goes_on
        self._batch_step = first_step
        self._histograms_due = 0
        self._first_epoch_seen = False
        self._session = event_files.EventFile(directory)
        self._train = event_files.EventFile(directory / "train")
        self._validation = event_files.EventFile(directory / "validation")
        self._files = (self._session, self._train, self._validation)
        self._session.write(event_files.session_start(self._hyperparameters))

    def on_epoch_end(self, end: EpochEnd, steps_per_second: float | None = None) -> None:
        """Write the epoch's metrics at the epoch's index.

        Args:
            end: the epoch; its learning rate is the one used, before any cut.
            steps_per_second: updates a second; the engine's, because epochs played back after a device call took no
                time of their own.
        """
        train = {"epoch_learning_rate": end.learning_rate}
        train |= {f"epoch_{name}": value for name, value in end.metrics.items() if not name.startswith("val_")}
        validation = {
            f"epoch_{name.removeprefix('val_')}": value
            for name, value in end.metrics.items()
            if name.startswith("val_")
        }
        if self.section.write_steps_per_second and steps_per_second is not None:
            train["epoch_steps_per_second"] = steps_per_second
        if not self._first_epoch_seen:
            self._begin(end.epoch, train, validation)
        self._train.write(self._messages.scalars(train), end.epoch)
        if validation:
            self._validation.write(self._messages.scalars(validation), end.epoch)

    def on_look_inside(self, epoch: int, layers: Mapping[str, Layer]) -> None:
        """Write the histograms of an epoch that was looked into, if `histogram_freq` epochs are over since the last."""
        every = self.section.histogram_freq
        if not every or epoch < self._histograms_due:
            return
        self._histograms_due = epoch + every
        found = {
            f"{layer}/{name}": distribution
            for layer, about in layers.items()
            for name, distribution in (("weights", about.weights), ("outputs", about.outputs))
            if distribution is not None
        }
        self._train.write(self._messages.histograms(found), epoch)

    def on_steps(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write batch charts at `step` updates done, if a multiple of `update_freq` was passed since the last point."""
        every = self.section.update_freq
        if every and step // every > self._batch_step // every:
            self._train.write(self._messages.scalars({f"batch_{name}": x for name, x in metrics.items()}), step)
            self._batch_step = step

    def flush(self) -> None:
        """Write what waits for the disk, if it is time. Raises OSError: it goes on waiting."""
        for file in self._files:
            file.flush()

    def close(self, *, failed: bool = False) -> None:
        """Write out and close every file, saying how the run ended; nothing may be written after it.

        Raises:
            OSError: the disk refused some of it, which is lost.
        """
        self._session.write(self._messages.session_end(failed))
        with contextlib.ExitStack() as closing:
            for file in self._files:
                closing.callback(file.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(failed=kind is not None)

    def _begin(self, epoch: int, train: Mapping[str, float], validation: Mapping[str, float]) -> None:
        self._first_epoch_seen = True
        tags = [("train", tag) for tag in train] + [("validation", tag) for tag in validation]
        self._session.write(self._messages.experiment(self._hyperparameters, tags))
        if not self._goes_on:
            return
        self._validation.restart(epoch)
        # Batch points count updates, epoch points count epochs, and a restart forgets both from one number on.
        if not self.section.update_freq:
            self._train.restart(epoch)
