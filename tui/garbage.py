"""When Python looks for garbage: seldom while it loads, and never among what was loaded.

Loading JAX and compiling a network make some 350,000 objects that stay. By Python's own settings they are searched for
cycles hundreds of times while they are made, and now and then afterwards: a third of a second of a run of two, and a
fifth of a second in which the app answers no key.
"""

import gc
from functools import cache

_WHILE_LOADING = 500_000
_USUAL = gc.get_threshold()


def begin() -> None:
    """Begin to load: search only if more objects are made than loading makes."""
    gc.set_threshold(_WHILE_LOADING)


def settle() -> None:
    """Leave what was loaded out of every search, and search as usual from here on."""
    _keep_what_is()
    gc.set_threshold(*_USUAL)


@cache
def _keep_what_is() -> None:
    # Once in a process: what is garbage at that moment is never found.
    gc.freeze()
