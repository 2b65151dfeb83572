"""The pictures of a run that is followed: read again only when the file is another one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainer.problems import RunError

if TYPE_CHECKING:
    from trainer.picture_file import Pictures


class PictureSource:
    """What `pictures.json` said when it was last looked at.

    Attributes:
        seen: its content, or None.
        problem: why it cannot be shown, one line; "" where it can, or where there is none.
    """

    def __init__(self, directory: Path) -> None:
        self.seen: Pictures | None = None
        self.problem = ""
        self._directory = directory
        self._stamp: tuple[int, int, int] | None = None

    def refresh(self) -> None:
        """Look at the file; one that has not changed costs no more than that."""
        from trainer import picture_file

        try:
            status = (self._directory / picture_file.NAME).lstat()
        except FileNotFoundError:
            self.seen, self.problem, self._stamp = None, "", None
            return
        except OSError as error:
            self.seen, self.problem, self._stamp = None, f"{picture_file.NAME}: {error.strerror}", None
            return
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.seen, self.problem = picture_file.read(self._directory), ""
        except RunError as error:
            self.seen, self.problem = None, str(error.problems[0])
