"""What the train screen does with runs that go on: resume them, fork them, train them for longer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.problems import RunError

if TYPE_CHECKING:
    from trainer.config import Config
    from trainer.forking import Origin
    from trainer.resuming import Wishes
    from tui.train_screen import TrainScreen


class GoingOn:
    """Asks what is to be known, and has the screen's host do it."""

    def __init__(self, screen: TrainScreen) -> None:
        """Work for a screen."""
        self._screen = screen
        self._asked: tuple[Path, Wishes] | None = None

    def begin_shown(self, how: str) -> None:
        """Go on with the run on the panels; argument as for `begin`."""
        followed = self._screen.run_view.followed
        if followed is None:
            self._screen.notify("No run is on the panels. f9 shows all of them.")
        else:
            self.begin(followed.run.directory, how)

    def begin(self, directory: Path, how: str) -> None:
        """Go on with a run.

        Args:
            directory: the run's folder.
            how: "resume", "fork" or "extend".
        """
        if how == "fork":
            self._screen.run_worker(self._fork(directory), group="fork", exit_on_error=False)
        elif self._screen.is_free("this one can go on"):
            if how == "extend" or _is_over(directory):
                self._screen.run_worker(self._extend(directory), group="extend", exit_on_error=False)
            else:
                self._resume(directory, None)

    def ask_about_data(self) -> None:
        """Ask whether to go on although the data are others, after they kept the run from being resumed."""
        from tui.dialogs import RiskyQuestion

        def answer(agreed: bool | None) -> None:
            if agreed and self._asked is not None:
                directory, wishes = self._asked
                self._go(directory, replace(wishes, takes_other_data=True))

        question = (
            "The data are not those that the run was trained on. Go on all the same, as compatible and not exact?"
        )
        self._screen.app.push_screen(RiskyQuestion(question, "Go on", "Leave it"), answer)

    def _resume(self, directory: Path, epochs: int | None) -> None:
        from trainer.resuming import Wishes

        self._go(directory, Wishes(epochs=epochs, code=self._code_of(directory)))

    def _go(self, directory: Path, wishes: Wishes) -> None:
        self._asked = directory, wishes
        self._screen.host.resume(directory, wishes)
        self._screen.show_start("resuming: reading data, compiling")

    async def _extend(self, directory: Path) -> None:
        from trainer.runs import peek
        from tui.resume_dialogs import MoreEpochs

        run = peek(directory)
        epochs = await self._screen.app.push_screen_wait(MoreEpochs(run.name, run.status.epochs))
        if epochs is not None:
            self._resume(directory, epochs)

    async def _fork(self, directory: Path) -> None:
        """Have a checkpoint chosen, and put the run's config into the form."""
        from trainer import checkpoints
        from trainer.forking import origin
        from trainer.runs import peek
        from tui.resume_dialogs import CheckpointList

        name = peek(directory).name
        found = await asyncio.to_thread(checkpoints.available, directory / "checkpoints")
        if not found.good:
            self._screen.notify(f"{name} has no checkpoint to fork it from.", severity="warning", markup=False)
            return
        chosen = await self._screen.app.push_screen_wait(CheckpointList(name, found.good))
        if chosen is None:
            return
        try:
            begin = await asyncio.to_thread(origin, directory, chosen)
        except RunError as error:
            self._screen.notify(str(error), severity="error", markup=False)
        else:
            self._screen.form_side.fill(_with_something_to_train(begin), None, begin)
            self._screen.follow_form()
            self._screen.show_side(form=True)

    def _code_of(self, directory: Path) -> Path | None:
        """Return the folder of a run's own network, where the person let the same code run in the form."""
        from trainer.runs import peek

        config, mine = peek(directory).config, self._screen.form_side.config
        if config is None or mine is None or mine.model.permission is None or mine.model.code != config.model.code:
            return None
        return mine.model.permission.folder


def _with_something_to_train(begin: Origin) -> Config:
    """Return the config of a fork, for twice the epochs where those that it has are done."""
    config = begin.config
    if config.training.epochs > begin.epochs:
        return config
    return config.changed({"training.epochs": 2 * begin.epochs})


def _is_over(directory: Path) -> bool:
    from trainer.replicas import members
    from trainer.runs import peek_group

    return all(run.status.state == "finished" for run in members(peek_group(directory)))
