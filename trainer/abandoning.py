"""Work that cannot be interrupted, such as a compile, and that nobody may want any more before it is through."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

_POLL_SECONDS: Final = 0.05

_T = TypeVar("_T")


class AbandonedError(Exception):
    """The work was given up; its thread goes on, and what comes of it is dropped."""


def unless(is_unwanted: Callable[[], bool], work: Callable[[], _T]) -> _T:
    """Do the work in a thread of its own, which ends with the process; return or raise what the work does.

    Raises:
        AbandonedError: nobody wanted it any more before it was done.
    """
    if is_unwanted():
        raise AbandonedError
    results: list[_T] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def act() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 raised below, in the thread that waits
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=act, name="abandonable", daemon=True).start()
    while not done.wait(_POLL_SECONDS):
        if is_unwanted():
            raise AbandonedError
    if errors:
        raise errors[0]
    return results[0]
