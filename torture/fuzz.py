"""Any bytes at all: the fuzzing tests of everything that reads somebody else's files, with many more examples."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from torture.figure import Figure, say

_SUBJECTS: Final = {
    "presets and settings": ("test_config_fuzz.py", ""),
    "tables, arrays and pictures": ("test_data_files.py test_data_formats.py test_image_folder.py", "any"),
    "files of a run": ("test_store_fuzz.py", ""),
}
_TESTS: Final = Path(__file__).parent.parent / "tests"
_EXAMPLES: Final = re.compile(r"(\d+) passing, \d+ failing")
_FAILED: Final = re.compile(r"^(\d+) failed", re.MULTILINE)


def fuzz(folder: Path, short: bool) -> list[Figure]:
    """Run the fuzzing tests with ten thousand examples each; in short, with as many as they usually have."""
    return [_fuzzed(what, *words, folder, short) for what, words in _SUBJECTS.items()]


def _fuzzed(what: str, files: str, only: str, folder: Path, short: bool) -> Figure:
    words = ["-q", "-n", "0", "--hypothesis-show-statistics", f"--basetemp={folder / 'tests'}"]
    words += [] if short else ["--hypothesis-profile=torture"]
    words += ["-k", only] if only else []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, *(str(_TESTS / name) for name in files.split())],
        cwd=_TESTS.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    examples = sum(map(int, _EXAMPLES.findall(done.stdout)))
    failed = sum(map(int, _FAILED.findall(done.stdout)))
    if done.returncode:
        say(f"fuzz: {what}:\n{done.stdout[-2000:]}")
    return Figure(f"{what} of any content read", examples, failed or int(done.returncode != 0))
