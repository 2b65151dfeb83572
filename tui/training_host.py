"""Where a training lives while a screen shows it: a thread of its own, which knows nothing of the screen.

The thread writes the run directory; the screen follows it like any other. All that passes between them directly is a
wish to end, the news that a run could not begin, and what the directory cannot tell: that the disk refuses it. Commands
go to the directory, as to any run.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.problems import Problem, ProblemsError
from tui import garbage

if TYPE_CHECKING:
    from trainer.config import Config
    from trainer.events import Unsaved
    from trainer.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a start went: the run's folder, or why there is none."""

    directory: Path | None
    problems: Sequence[Problem] = ()


_LOADING = threading.Lock()


def load() -> None:
    """Load all that a training needs; a second thread waits for the first.

    Without the lock, two threads that begin at different ends of modules which import each other get half of one.
    """
    with _LOADING:
        from trainer.devices import prepare_jax

        prepare_jax()
        for module in ("trainer.preparation", "trainer.loop"):
            importlib.import_module(module)
        garbage.settle()


class TrainingHost:
    """At most one training at a time. All methods but the thread's own are for the screen's thread.

    Attributes:
        directory: folder of the run under way, or of the last one; None before there is one.
    """

    def __init__(self, store: Path, started: Callable[[Outcome], None]) -> None:
        """Make an idle host.

        Args:
            store: folder of runs.
            started: called in the training's thread once a run has begun, or could not; must be thread safe.
        """
        self._store = store
        self._started = started
        self._cancelled = threading.Event()
        self._thread: threading.Thread | None = None
        self.directory: Path | None = None
        self._runs: Sequence[tuple[object, RunDirectory]] = ()

    def trouble(self, directory: Path) -> Unsaved | None:
        """Return why what happens in a run of ours is in memory alone; None if its directory has all of it."""
        ours = (run for _, run in self._runs) if directory == self.directory else ()
        return next((told for run in ours if (told := run.trouble)), None)

    @property
    def is_busy(self) -> bool:
        """Return whether a training is being started or under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, config: Config, base: Path | None) -> None:
        """Train a config in a new run; `base` as in `prepare`. Only when not busy."""
        self._cancelled = threading.Event()
        self.directory = None
        # Not a daemon: when the app ends, the run is ended, saved and waited for.
        self._thread = threading.Thread(target=self._train, args=(config, base, self._cancelled), name="training")
        self._thread.start()

    def cancel(self) -> None:
        """Have the run end, saved, at the next opportunity."""
        self._cancelled.set()

    def wait(self) -> None:
        """Wait for the thread to end."""
        if self._thread is not None:
            self._thread.join()

    def _train(self, config: Config, base: Path | None, cancelled: threading.Event) -> None:
        try:
            load()
            # Here and not above, as everything of this file that the first screen does without.
            from trainer.preparation import prepare
            from trainer.training import start_replicas, train_together

            runs = start_replicas(prepare(config, base), self._store)
        except ProblemsError as error:
            self._started(Outcome(None, error.problems))
            return
        except Exception as error:  # noqa: BLE001 whatever fails here must become a line on the screen
            self._started(Outcome(None, (Problem(f"the run could not be started: {error}"),)))
            return
        _, lead = runs[0]
        self._runs, self.directory = runs, lead.path
        self._started(Outcome(lead.path))
        train_together(runs, cancelled)
