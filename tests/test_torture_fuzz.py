"""The short form of the part of `torture.fuzz` that is no test by itself."""

import platform
import sys
from pathlib import Path

import pytest

from torture.fuzz import guided

HAS_WHEEL = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 14)


@pytest.mark.skipif(not HAS_WHEEL, reason="atheris has no wheel for this machine or Python")
def test_any_table_is_read_or_refused(tmp_path: Path) -> None:
    figure = guided("CSV", tmp_path, short=True)
    assert figure.kept, figure
    assert figure.tries > 1
