"""What the keys of the train screen do to the run under way, whoever trains it: commands to its directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.commands import Command
    from tui.form import Form
    from tui.train_screen import TrainScreen

_BY = "the app"
_LATER = "pauses once it is compiled"


class LiveRun:
    """The live run on the panels; where that is none, the one of the screen's own host."""

    def __init__(self, screen: TrainScreen) -> None:
        """Work for a screen."""
        self._screen = screen
        self._is_to_pause = False

    def offers(self, action: str) -> bool | None:
        """Return whether the key to "stop", "pause" or "unpause" acts; None for one that is seen and does not.

        Of the last two, which share their keys, there is always one.
        """
        from trainer.replicas import shown_state
        from trainer.status import LIVE

        followed, host = self._screen.run_view.followed, self._screen.host
        state = None if followed is None else shown_state(followed.run)
        if action != "stop" and (action == "unpause") != (state == "paused"):
            return False
        # A host is still busy for a while with a run whose end is on the panels.
        is_elsewhere = followed is None or host.directory != followed.run.directory
        return state in LIVE or (host.is_busy and is_elsewhere) or None

    def ask_to_stop(self) -> None:
        """Ask, then stop it."""
        from tui.dialogs import Question

        self._screen.app.push_screen(Question("Stop the run and keep its best weights?", "Stop", "Go on"), self._stop)

    def pause(self) -> None:
        """Pause it, or let it go on; one that is being started pauses as soon as it can."""
        from trainer.commands import Pause, Resume
        from trainer.replicas import shown_state
        from trainer.runs import lead_of, peek_group

        if (directory := self._directory) is None:
            self._is_to_pause = True
            self._screen.notify(_LATER)
            return
        state = shown_state(peek_group(lead_of(directory)))
        if state == "paused":
            self._send(directory, Resume(by=_BY))
        elif self._send(directory, Pause(by=_BY)) and state in ("starting", "compiling"):
            self._screen.notify(_LATER)

    def begin(self, directory: Path | None) -> None:
        """Tell a run that has a folder by now what was asked of it before; None for one that could not begin."""
        from trainer.commands import Pause

        is_to_pause, self._is_to_pause = self._is_to_pause, False
        if is_to_pause and directory is not None:
            self._send(directory, Pause(by=_BY))

    def keep(self) -> None:
        """Have it save a checkpoint."""
        from trainer.commands import Save

        if (directory := self._directory) is not None:
            self._send(directory, Save(by=_BY))
        else:
            self._screen.notify("No run is under way.")

    def give(self, event: Form.Entered) -> None:
        """Give a live number to the live run on the panels; say why where that cannot be."""
        from trainer.replicas import is_live, members
        from trainer.schema import EPOCHS, hyperparameters

        followed = self._screen.run_view.followed
        if followed is None or not is_live(followed.run):
            return
        field, value = event.field, event.value
        is_known = followed.run.config is not None and field.path in hyperparameters(followed.run.config)
        if is_known and value == followed.value_of(field.path):
            return
        done = max(run.status.epochs for run in members(followed.run))
        if not is_known:
            message = f"The running run has no {field.path}: it counts from the next run on."
        elif field.why_not_live:
            message = f"{field.path} {field.why_not_live}: it counts from the next run on."
        elif field.path == EPOCHS and value <= done:
            message = f"{done} epochs are done. f4 stops the run; {value} counts from the next run on."
        else:
            message = ""
        if message:
            self._screen.notify(message, severity="warning", markup=False)
            return
        from trainer.commands import Set

        if self._send(followed.run.directory, Set(by=_BY, key=field.path, value=value)):
            self._screen.notify(f"{field.path} → {value} in {followed.run.name}", markup=False)

    @property
    def _directory(self) -> Path | None:
        """Return the run's folder; of one that is still being started there is none."""
        from trainer.replicas import is_live

        followed, host = self._screen.run_view.followed, self._screen.host
        if followed is not None and is_live(followed.run):
            return followed.run.directory
        return host.directory if host.is_busy else None

    def _stop(self, agreed: bool | None) -> None:
        if not agreed:
            return
        from trainer.commands import Stop

        if (directory := self._directory) is not None:
            self._send(directory, Stop(by=_BY))
        else:
            self._screen.host.cancel()

    def _send(self, directory: Path, command: Command) -> bool:
        """Send a command; where that cannot be, say so and return False."""
        from trainer.replicas import send_to_group

        self._screen.host.make_room(directory)
        try:
            send_to_group(directory, command)
        except OSError as error:
            self._screen.notify(f"the run takes no commands: {error.strerror}", severity="error", markup=False)
            return False
        return True
