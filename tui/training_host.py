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
from trainer.text import clean
from tui import garbage, streams
from tui.steering import Steering

if TYPE_CHECKING:
    from trainer.config import Config
    from trainer.events import Unsaved
    from trainer.forking import Origin
    from trainer.resuming import Wishes
    from trainer.training import Runs


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a start went: the run's folder, or why there is none; `is_about_data` where only its data are in the way."""

    directory: Path | None
    problems: Sequence[Problem] = ()
    is_about_data: bool = False


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
    """At most one training at a time. What steers it may be called from any thread, all else from the screen's."""

    def __init__(self, store: Path, started: Callable[[Outcome], object]) -> None:
        """Make an idle host.

        Args:
            store: folder of runs.
            started: called in the training's thread once a run has begun, or could not; must be thread safe.
        """
        self._store = store
        self._started = started
        self._steering = Steering()
        self._thread: threading.Thread | None = None
        self._outcome: Outcome | None = None
        self._is_decided = threading.Event()
        self._is_over = False
        self._runs: Runs = ()

    def trouble(self, directory: Path) -> Unsaved | None:
        """Return why what happens in a run of ours is in memory alone; None if its directory has all of it."""
        ours = (run for _, run in self._runs) if directory == self.directory else ()
        return next((told for run in ours if (told := run.trouble)), None)

    def make_room(self, directory: Path) -> None:
        """Have a run of ours whose disk is full give a command some of the room that it holds."""
        if directory == self.directory:
            for _, run in self._runs:
                if run.trouble:
                    run.make_room()

    @property
    def losses(self) -> list[str]:
        """Return what the runs that were trained lack on the disk, a line each."""
        return [f"{clean(str(run.path))} lacks {clean(run.run.lost)}" for _, run in self._runs if run.run.lost]

    @property
    def directory(self) -> Path | None:
        """Return the folder of the run under way, or of the last one; None before there is one."""
        return self._steering.directory

    @property
    def thread(self) -> threading.Thread | None:
        """Return the thread of the training under way, or of the last one."""
        return self._thread

    @property
    def is_ending(self) -> bool:
        """Return whether the training was told to end."""
        return self._steering.cancelled.is_set()

    @property
    def is_interrupted(self) -> bool:
        """Return whether a person stopped the training by a signal."""
        return self._steering.is_interrupted

    @property
    def is_busy(self) -> bool:
        """Return whether a training is being started or under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, config: Config, base: Path | None) -> None:
        """Train a config in a new run; `base` as in `prepare`. Only when not busy; does nothing after `end`."""

        def make() -> Runs:
            from trainer.preparation import prepare
            from trainer.training import start_replicas

            return start_replicas(prepare(config, base), self._store)

        self._begin(make)

    def resume(self, directory: Path, wishes: Wishes) -> None:
        """Go on with a run. Only when not busy."""

        def make() -> Runs:
            from trainer.resuming import resume

            return resume(directory, wishes)

        self._begin(make)

    def fork(self, config: Config, base: Path | None, begin: Origin) -> None:
        """Train a config in a new run that goes on from a checkpoint; `base` as in `prepare`. Only when not busy."""

        def make() -> Runs:
            from trainer.forking import fork
            from trainer.preparation import prepare

            return fork(prepare(config, base), begin, self._store)

        self._begin(make)

    def _begin(self, make: Callable[[], Runs]) -> None:
        if self._is_over:
            return
        self._steering = Steering()
        self._outcome = None
        self._is_decided.clear()
        # Not a daemon: the process lives as long as its run.
        self._thread = threading.Thread(target=self._train, args=(make, self._steering), name="training")
        self._thread.start()

    def cancel(self) -> None:
        """Have the run end, saved, at the next opportunity."""
        self._steering.end()
        self._give_up()

    def end(self) -> None:
        """Have the run end, saved, and begin no other: the process is to end."""
        self._is_over = True
        self._steering.end()
        self._give_up()

    def stop(self) -> None:
        """Have the run end on its best weights at the next opportunity."""
        self._steering.stop()
        self._give_up()

    def _give_up(self) -> None:
        """Fetch no more of a set for a run that has not begun."""
        if self.is_busy and self.directory is None:
            from trainer.data.hub import give_up

            give_up()

    def save(self) -> None:
        """Have the run write a checkpoint at the next opportunity."""
        self._steering.save()

    def wait_until_begun(self) -> Outcome | None:
        """Wait until the run under way has begun, or could not, and return which; None if none is under way."""
        if not self.is_busy:
            return None
        self._is_decided.wait()
        return self._outcome

    def wait(self) -> None:
        """Wait for the thread to end."""
        if self._thread is not None:
            self._thread.join()

    def _train(self, make: Callable[[], Runs], steering: Steering) -> None:
        try:
            load()
            # Here and not above, as everything of this file that the first screen does without.
            from trainer.resuming import OtherDataError
            from trainer.training import train_together

            runs = make()
        except ProblemsError as error:
            self._tell(Outcome(None, error.problems, is_about_data=isinstance(error, OtherDataError)))
            return
        except Exception as error:  # noqa: BLE001 whatever fails here must become a line on the screen
            self._tell(Outcome(None, (Problem(f"the run could not be started: {error}"),)))
            return
        _, lead = runs[0]
        self._runs, steering.directory = runs, lead.path
        streams.lead_to(lead.path / "log.txt")
        self._tell(Outcome(lead.path))
        train_together(runs, steering.cancelled)
        streams.lead_to(None)

    def _tell(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._is_decided.set()
        self._started(outcome)
