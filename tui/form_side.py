"""The side of the form: the form itself, under the name of what it was filled with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

if TYPE_CHECKING:
    from trainer.config import Config
    from trainer.forking import Origin
    from trainer.models import Permission
    from tui.form import Form


class FormSide(Vertical):
    """What the next run is made of.

    Attributes:
        form: there once `begin` was called.
        filled_with: what it held at first, or when it was filled the last time.
        base: folder that its relative paths start from; None for the working folder.
        origin: what the run that it makes is a fork of; None for a run of its own.
    """

    form: Form
    filled_with: Config

    def __init__(self, base: Path | None, **options: Any) -> None:
        super().__init__(**options)
        self.base = base
        self.origin: Origin | None = None

    def compose(self) -> ComposeResult:
        """Lay out the name, over the form to come."""
        yield Static(id="preset-name", markup=False)

    async def begin(self, config: Config) -> None:
        """Make the form, which has to be loaded first."""
        from tui.form import Form

        self.filled_with = config
        self.form = Form(config, file_base=self.base)
        await self.mount(self.form)

    def fill(self, config: Config, base: Path | None, origin: Origin | None = None) -> None:
        """Fill the form with another config; arguments as the attributes."""
        self.filled_with, self.base, self.origin = config, base, origin
        self.form.load(config, config, base)

    @property
    def config(self) -> Config | None:
        """Return what the form says; None while a field has a problem."""
        return self.form.config

    @property
    def code_folder(self) -> Path:
        """Return where code that the form names is looked for."""
        return self.base or Path.cwd()

    def code_of(self, config: Config) -> Permission | None:
        """Return the code that a config of the form would run, whether it may or not; None if it would run none."""
        return config.permitted(self.code_folder).model.permission

    def permit(self) -> None:
        """Take note that the code which the form names may run, until another one is named."""
        self.form.draft.permit(self.code_folder)
        if self.config is not None:
            self.filled_with = self.filled_with.permitted_like(self.config)

    def show_name(self) -> None:
        """Show what the form was filled with, marked where that was changed."""
        origin = self.origin
        name = f"fork of {origin.run.name} at epoch {origin.epochs}" if origin else self.filled_with.name
        changed = self.config is None or self.config != self.filled_with
        self.query_one("#preset-name", Static).update(f"{name}{' ●' if changed else ''}")

    def take_focus(self) -> None:
        """Give the keys to the field that had them last, or to the first."""
        form = self.form
        if mine := [widget for widget in self.screen.focus_chain if form in widget.ancestors]:
            (form.visited if form.visited in mine else mine[0]).focus()
