"""What every test stands on: the CPU, a cache of compiled programs outside the user's home, and folders of its own."""

import importlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# One folder for all workers and all sessions: most of the time of a first run is spent compiling.
os.environ["NN_TUI_CACHE"] = str(Path(tempfile.gettempdir()) / f"nn-tui-test-cache-{os.getuid()}")

# Nearly all of a first run's time goes into compiling, most of that into optimizing. What the engine promises
# to the bit is tested on the program as users have it: see `OPTIMIZED`.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"

OPTIMIZED = {"test_hang_up", "test_presets", "test_pty", "test_step", "test_torture_hang_up"}
"""Tests of what XLA's optimizer may change, or whose trainings take longer than compiling them."""

# How long an example takes says how busy the machine is. The second one is for `python -m torture fuzz`.
settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("usual")
settings.register_profile("torture", max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))

# The shapes in the annotations are checked while the program is traced.
install_import_hook(
    ["trainer.step", "trainer.advance", "trainer.horizons", "trainer.look", "trainer.program"], "beartype.beartype"
)


def pytest_xdist_auto_num_workers() -> int:
    """Return how many tests to run at a time: one more than there are processors, as those of screens wait for them."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True)
def folders_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's runs and presets out of the tests, and the tests out of those."""
    monkeypatch.setenv("NN_TUI_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(autouse=True, scope="module")
def compiled_for_the_module(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have XLA optimize where it matters, and let go of what JAX keeps for the module: for all it is gigabytes."""
    import jax
    from jax._src import compiler

    from trainer import program

    is_hasty = request.path.stem not in OPTIMIZED
    jax.devices()
    with pytest.MonkeyPatch.context() as patch:
        # For programs that tests start; this one has read the flags.
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", str(int(is_hasty)))
        patch.setenv("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false" if is_hasty else "")
        jax.config.update("jax_disable_most_optimizations", is_hasty)
        if is_hasty:
            patch.setattr(compiler, "get_compile_options", partial(_hasty_options, compiler.get_compile_options))
        program._programs.clear()
        jax.clear_caches()
        yield


def _hasty_options(options: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Have the CPU's code made the old way: what fuses operations takes half of the time to compile."""
    overrides = {**(named.pop("env_options_overrides", None) or {}), "xla_cpu_use_fusion_emitters": False}
    return options(*given, env_options_overrides=overrides, **named)


@pytest.fixture(scope="session")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keras on JAX. Importing it takes seconds, so that tests in need of it are one group, which one worker runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "jax")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        return importlib.import_module("keras")


@pytest.fixture
def opened() -> Iterator[Callable[..., Any]]:
    """Return the function that opens the program on a terminal of its own: the class `terminals.Terminal`."""
    from terminals import Terminal

    with ExitStack() as stack:
        yield lambda *words, **how: stack.enter_context(Terminal(*words, **how))


@pytest.fixture
def long_preset(tmp_path: Path) -> Path:
    """Return the preset of a run that does not end by itself."""
    path = tmp_path / "long.toml"
    path.write_text(
        'schema = 1\nname = "long"\n[data]\nsource = "iris"\n[model]\nhidden = [8]\n'
        "[training]\nepochs = 1000000\nbatch_size = 16\n"
    )
    return path


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., Any]:
    """Return the function that trains a config, or a table of settings over the default one, and returns the run."""

    def train_it(config: Any, cancelled: Any = None) -> Any:
        from trainer.config import Config
        from trainer.preparation import prepare
        from trainer.training import start, train

        prepared = prepare(config if isinstance(config, Config) else Config().changed(config))
        return train(prepared, start(prepared, tmp_path / "runs"), cancelled)

    return train_it
