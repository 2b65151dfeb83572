"""The runs of a session: those that it began, and live ones of others that it met."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.run import Run
    from tui.followed import Followed


class SessionRuns:
    """Each run is followed once, from its first record on; the newest is the last."""

    def __init__(self) -> None:
        """Begin without any."""
        self._followed: list[Followed] = []

    def __getitem__(self, index: int) -> Followed:
        """Return one of them, by its place in `now`."""
        return self._followed[index]

    def now(self) -> list[Run]:
        """Return all of them as they stand now."""
        return [followed.now() for followed in self._followed]

    def begin(self, directory: Path) -> Followed:
        """Count a run that has begun, or goes on, as the newest one."""
        from tui.followed import Followed

        followed = Followed.open(directory)
        self._followed = [*(it for it in self._followed if it.run.directory != directory), followed]
        return followed

    def meet(self, live: Iterable[Path]) -> None:
        """Count live runs that others train, the newest first."""
        from tui.followed import Followed

        self._followed += [Followed.open(path) for path in reversed([*live]) if self._known(path) is None]

    def opened(self, directory: Path) -> Followed:
        """Return a run to be followed, one of these or any other of the store."""
        from tui.followed import Followed

        return self._known(directory) or Followed.open(directory)

    def _known(self, directory: Path) -> Followed | None:
        return next((followed for followed in self._followed if followed.run.directory == directory), None)
