"""When Python looks for garbage: seldom while it loads, and never among what was loaded.

Loading JAX and compiling a network make some 350,000 objects that stay. With Python's own settings they are searched for cycles
hundreds of times while they are made, once more at the exit, and now and then in between: half a second of a run of two,
and a fifth of a second in which the app answers no key.
"""

import atexit
import gc

_WHILE_LOADING = 500_000
_USUAL = gc.get_threshold()


def begin() -> None:
    """Begin to load: search only if many more objects are made than loading makes."""
    gc.set_threshold(_WHILE_LOADING)
    atexit.register(gc.freeze)


def settle() -> None:
    """What was made until now stays: leave it out of every search, and search as usual from here on."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
