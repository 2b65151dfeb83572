"""What the keys of the train screen do with the next run, which the form describes: open, save, try and train it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import presets
from trainer.problems import ConfigError

if TYPE_CHECKING:
    from trainer.config import Config
    from tui.preset_picker import Picked
    from tui.train_screen import TrainScreen


class NextRun:
    """What the form says; a key that needs all of it well says so where a field has a problem."""

    def __init__(self, screen: TrainScreen) -> None:
        """Work for a screen."""
        self._screen = screen

    def open(self) -> None:
        """Let the person choose a preset, which fills the form."""
        from tui.preset_picker import PresetPicker

        side = self._screen.form_side
        self._screen.app.push_screen(PresetPicker(side.config or side.filled_with), self._take_preset)

    def save(self) -> None:
        """Save it as a preset, under a name that is asked for."""
        config = self._screen.form_side.config
        if config is None:
            self._screen.notify("A field has a problem; mend it before you save.", severity="error")
            return
        from tui.dialogs import SaveAs

        self._screen.app.push_screen(SaveAs(config.name), self._save)

    def train(self) -> None:
        """Train it."""
        self._with_config("ctrl+r starts the next", self._train)

    def find_rate(self) -> None:
        """Try a range of learning rates; the one taken goes into the form."""
        self._with_config("ctrl+l tries rates", self._find_rate)

    def compile(self) -> None:
        """Compile it, and show its plan."""
        self._with_config("ctrl+t compiles", self._compile)

    def _take_preset(self, picked: Picked | None) -> None:
        if picked is not None:
            self._screen.form_side.fill(picked.config, picked.base)
            self._screen.follow_form()

    def _save(self, name: str | None) -> None:
        side = self._screen.form_side
        config = side.config
        if name is None or config is None:
            return
        try:
            path = presets.save(config.changed({"name": name}), name)
        except ConfigError as error:
            self._screen.notify(str(error), severity="error", markup=False)
            return
        code = (asked := side.code_of(config)) and asked.file
        self._screen.notify(f"Saved {path}{f'; copy {code} beside it' if code else ''}", markup=False)

    def _train(self, config: Config) -> None:
        side, host = self._screen.form_side, self._screen.host
        if side.origin is not None:
            host.fork(config, side.base, side.origin)
        else:
            host.start(config, side.base)
        self._screen.show_start("preparing: reading data, compiling")

    def _find_rate(self, config: Config) -> None:
        from tui.lr_screen import LearningRateFinder

        self._screen.app.push_screen(LearningRateFinder(config, self._screen.form_side.base), self._take_rate)

    def _take_rate(self, rate: float | None) -> None:
        if rate is None:
            return
        from trainer.schema import RATE

        self._screen.form_side.form.put(RATE, rate)
        self._screen.notify(f"{RATE} = {rate:g} in the form")

    def _compile(self, config: Config) -> None:  # noqa: ARG002 the page follows the form
        self._screen.show_plan()
        self._screen.plan.compile()

    def _with_config(self, then: str, act: Callable[[Config], None]) -> None:
        """Do something with what the form says; ask first where that runs code that nobody gave permission for.

        Where it cannot be done now, the person is told why not, and what to press `then`.
        """
        side = self._screen.form_side
        if not self._screen.is_free(then):
            return
        config = side.config
        if config is None:
            self._screen.notify("A field has a problem; it stands under the field.", severity="error")
            side.form.show_problems(())
            return
        asked = side.code_of(config)
        if asked is None or config.model.permission is not None:
            act(config)
            return
        from tui.dialogs import RiskyQuestion

        def answer(agreed: bool | None) -> None:
            if agreed:
                side.permit()
                self._screen.follow_form()
                self._with_config(then, act)

        question = f"This runs code of your own or of somebody else, with all that you may do here:\n{asked.words}"
        self._screen.app.push_screen(RiskyQuestion(question, "Run it", "Do not"), answer)
