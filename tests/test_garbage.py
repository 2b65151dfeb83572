"""The search for garbage, in a fresh interpreter, since it concerns all that a process has loaded."""

import subprocess
import sys

SCRIPT = """
import gc
from tui import garbage
usual = gc.get_threshold()
garbage.begin()
assert gc.get_threshold()[0] > 100_000
import tui.headless
garbage.settle()
frozen = gc.get_freeze_count()
assert frozen > 1000, frozen
assert gc.get_threshold()[:2] == usual[:2]
assert gc.get_threshold()[2] > usual[2]
made = [[] for _ in range(5000)]
garbage.settle()
assert gc.get_freeze_count() <= frozen, "a second time keeps garbage for ever"
"""


def test_what_was_loaded_is_left_out_of_every_search():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
