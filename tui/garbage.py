"""When Python looks for garbage: seldom while it loads, never among what was loaded, seldom among what has grown old.

Loading JAX and compiling a network make some 350,000 objects that stay. By Python's own settings they are searched for
cycles hundreds of times while they are made, and now and then afterwards: a third of a second of a run of two, and a
fifth of a second in which the app answers no key. The 90,000 that come while it trains take 0.02 to 0.1 s to search,
which happened every ten seconds, and happens every two minutes.
"""

import gc
from functools import cache

_WHILE_LOADING = 500_000
_USUAL = gc.get_threshold()
_OF_THE_MIDDLE = 100
"""Searches of the middle generation for one of the oldest; Python's own number is 10."""


def begin() -> None:
    """Begin to load: search only if more objects are made than loading makes."""
    gc.set_threshold(_WHILE_LOADING)


def settle() -> None:
    """Leave what was loaded out of every search, and search the young as usual from here on."""
    _keep_what_is()
    gc.set_threshold(*_USUAL[:2], _OF_THE_MIDDLE)


@cache
def _keep_what_is() -> None:
    # Once in a process: what is garbage at that moment is never found.
    gc.freeze()
