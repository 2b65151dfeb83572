"""What every measurement needs: how long and how often, what to train, and processes to run."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks import workloads
from benchmarks.workloads import Workload

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Bench:
    """How to measure, and where to write.

    Attributes:
        folder: for everything that is written.
        repetitions: of each pair.
        epochs: of a training of digits at full speed.
        slow_epochs: of one in Keras or PyTorch, or of a CNN or a Transformer, which then has a quarter of it in Keras.
        large_epochs: of a training of MNIST's shape; the first one is not measured.
        terminal_epochs: of the training whose bytes to the terminal are counted.
        presses: of keys.
        torch_python: a Python that has torch, or "".
    """

    folder: Path
    repetitions: int
    epochs: int
    slow_epochs: int
    large_epochs: int
    terminal_epochs: int
    presses: int
    torch_python: str = ""

    @cached_property
    def digits(self) -> Workload:
        """Return the small thing to train."""
        return workloads.digits(self.folder, self.epochs, self.slow_epochs)

    @cached_property
    def large(self) -> Workload:
        """Return the large one."""
        return workloads.mnist_shaped(self.folder, self.large_epochs, max(2, self.large_epochs // 4))

    @cached_property
    def cnn(self) -> Workload:
        """Return the digits for a CNN."""
        return workloads.digits_by("cnn", self.folder, self.slow_epochs, max(2, self.slow_epochs // 4))

    @cached_property
    def transformer(self) -> Workload:
        """Return the digits for a Transformer."""
        return workloads.digits_by("transformer", self.folder, self.slow_epochs, max(2, self.slow_epochs // 4))

    @cached_property
    def device(self) -> str:
        """Return what trains here, in words; asked by another process, since JAX would take its memory in this one."""
        code = "import json; from trainer.devices import device_words; print(json.dumps(device_words()))"
        return str(self.output([sys.executable, "-c", code]))

    @property
    def environment(self) -> dict[str, str]:
        """Return what every process gets beside ours: a store and a cache of its own, and Python keeps its bytecode."""
        folders = {"NN_TUI_RUNS": "runs", "NN_TUI_CACHE": "cache", "XDG_CONFIG_HOME": "config"}
        own = {name: str(self.folder / folder) for name, folder in folders.items()}
        return {**own, "KERAS_BACKEND": "jax", "PYTHONDONTWRITEBYTECODE": ""}

    def script(self, name: str, *words: str, python: str = sys.executable) -> Any:
        """Run a file of this folder in a process of its own; return the JSON that it prints last."""
        return self.output([python, str(ROOT / "benchmarks" / f"{name}.py"), *words])

    def module(self, name: str, *words: str, within: Sequence[str] = (), **environment: str) -> Any:
        """Run a module of this package in a process of its own; return the JSON that it prints last.

        Args:
            name: of the module.
            *words: that it is given.
            within: words of a command that runs the one behind it.
            **environment: variables beside the usual ones.
        """
        return self.output([*within, sys.executable, "-m", f"benchmarks.{name}", *words], **environment)

    def output(self, words: list[str], **environment: str) -> Any:
        """Run a command, with these variables beside the usual ones; return the JSON on its last line."""
        own = {**os.environ, **self.environment, **environment}
        done = subprocess.run(words, env=own, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])


def say(text: str) -> None:
    """Tell on stderr what is being done."""
    print(text, file=sys.stderr, flush=True)
