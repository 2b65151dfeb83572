"""What tests of data files share: a file that is refused, and the one line that says why."""

from pathlib import Path

import pytest

from trainer.data import DataSection
from trainer.data.loading import load
from trainer.problems import ConfigError
from trainer.text import clean


def only_line(error: ConfigError) -> str:
    """Return the refusal, without the folder; it must be one line that is safe to show."""
    (problem,) = error.problems
    assert problem.key.startswith("data.")
    assert "\n" not in str(error)
    assert clean(str(error)) == str(error)
    return str(error).removeprefix(f"{problem.file.rpartition('/')[0]}/")


def refusal(section: DataSection, base: Path | None = None) -> str:
    """Return why the examples are refused."""
    with pytest.raises(ConfigError) as caught:
        load(section, base)
    return only_line(caught.value)
