"""NumPy, loaded when first used: to read and show a config needs none, and loading it takes a tenth of a second.

Modules that everything imports write `from trainer.lazy import np`; all others import NumPy as usual.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
else:

    class _Lazy:
        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module("numpy"), name)

    np = _Lazy()

__all__ = ["np"]
