"""Work that cannot be interrupted, such as a compile, and that nobody may want any more before it is through."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Final, TypeVar

_POLL_SECONDS: Final = 0.05

_T = TypeVar("_T")


class AbandonedError(Exception):
    """The work was given up; its thread goes on, and what comes of it is dropped."""


def begun(work: Callable[[], _T]) -> "Future[_T]":
    """Begin the work in a thread of its own, which ends with the process at the latest."""
    future: Future[_T] = Future()
    threading.Thread(target=_act, args=(future, work), name="abandonable", daemon=True).start()
    return future


def unless(is_unwanted: Callable[[], bool], work: Callable[[], _T]) -> _T:
    """Do the work in a thread of its own; return or raise what it does.

    Raises:
        AbandonedError: nobody wanted it any more before it was done.
    """
    if is_unwanted():
        raise AbandonedError
    future = begun(work)
    try:
        while not wait([future], _POLL_SECONDS).done:
            if is_unwanted():
                raise AbandonedError
        return future.result()
    finally:
        del future


def _act(future: "Future[_T]", work: Callable[[], _T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 whoever asks for the result gets it
        future.set_exception(error)
    finally:
        # The traceback of an error has this frame, and keeps all that the work had if that has the error in turn.
        del future, work
