"""What is loaded by what, in a fresh interpreter: the layers, and a first screen that waits for nothing needless."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MATHS = {"jax", "jaxlib", "optax", "equinox"}
SCREENS = {"textual", "rich", "tui", "presets"}


def loaded(statement: str) -> set[str]:
    """Return the top-level packages that a statement loads."""
    script = f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return set(json.loads(done.stdout))


def test_the_app_is_loaded_without_maths_tables_or_charts():
    found = loaded("import tui.app")
    assert {"tui", "textual", "trainer"} <= found
    assert not found & (MATHS | {"presets", "numpy", "polars", "plotext", "safetensors", "tensorboardX"})


def test_a_model_is_summed_up_without_jax():
    found = loaded(
        "from trainer.config import Config\nfrom trainer.data.loading import describe\n"
        "from trainer.preparation import misfits\nfrom trainer.summary import summarize\n"
        "summary = describe(Config().data)\nassert summarize(Config(), summary).flops\n"
        "assert not [*misfits(Config(), summary)]"
    )
    assert "trainer" in found
    assert not found & (MATHS | SCREENS)


def test_a_network_of_our_own_is_trained_without_equinox(tmp_path: Path):
    found = loaded(
        "from pathlib import Path\nfrom trainer.config import Config\nfrom trainer.preparation import prepare\n"
        "from trainer.training import start, train\n"
        "prepared = prepare(Config().changed({'training.epochs': 1, 'model.hidden': [4]}))\n"
        f"assert train(prepared, start(prepared, Path({str(tmp_path)!r}))).status.state == 'finished'"
    )
    assert {"jax", "optax", "trainer"} <= found
    assert not found & ({"equinox"} | SCREENS)


@pytest.mark.parametrize(
    "module", ["trainer.config", "trainer.events", "trainer.log", "trainer.runs", "trainer.commands", "presets"]
)
def test_what_a_list_of_runs_needs_loads_no_jax_and_no_numpy(module: str):
    found = loaded(f"import {module}")
    assert module.split(".")[0] in found
    assert not found & (MATHS | {"numpy", "polars"})


def test_the_trainer_knows_no_screen_even_after_a_training(tmp_path: Path):
    found = loaded(
        "import pathlib\n"
        "from trainer.config import Config\n"
        "from trainer.preparation import prepare\n"
        "from trainer.training import start, train\n"
        "prepared = prepare(Config().changed({'data.source': 'iris', 'model.hidden': [8], 'training.epochs': 1}))\n"
        f"run = train(prepared, start(prepared, pathlib.Path({str(tmp_path)!r})))\n"
        "assert run.shown_state == 'finished', run.status.message"
    )
    assert {"trainer", "jax"} <= found
    assert not found & SCREENS


def test_the_command_line_answers_without_textual_or_jax():
    found = loaded(
        "import sys, tui.cli\nsys.argv = ['nn-tui', 'runs', '--json', '--runs', '/nonexistent']\n"
        "try:\n    import io, contextlib\n    with contextlib.redirect_stdout(io.StringIO()): tui.cli.main()\n"
        "except SystemExit as ended:\n    assert not ended.code"
    )
    assert "tui" in found
    assert not found & (MATHS | {"textual"})


def test_a_module_under_test_that_loads_jax_would_be_noticed():
    assert "jax" in loaded("import trainer.step")
