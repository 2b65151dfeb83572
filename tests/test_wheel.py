"""What people install: built, installed somewhere else, and trained from there."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
TIMEOUT_SECONDS = 180


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=TIMEOUT_SECONDS)
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_holds_everything_that_is_no_code_too(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    wanted = {
        str(path.relative_to(REPOSITORY))
        for pattern in (
            "presets/*.toml",
            "trainer/datasets/*.npz",
            "trainer/datasets/*.gz",
            "trainer/datasets/README.md",
            "tui/*.tcss",
        )
        for path in REPOSITORY.glob(pattern)
    }
    wanted |= {str(path.relative_to(REPOSITORY)) for name in ("tui", "trainer", "presets") for path in
               (REPOSITORY / name).rglob("*.py")}  # fmt: skip
    assert wanted <= held
    assert len(wanted) > 60
    assert {name.split("/")[0] for name in held if ".dist-info" not in name} == {"tui", "trainer", "presets"}
    assert any(name.endswith("licenses/LICENSE") for name in held)
    assert not [name for name in held if name.endswith((".pyc", ".safetensors"))]


def test_the_installed_wheel_trains_away_from_the_repository(wheel: Path, tmp_path: Path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", str(site), str(wheel)], check=True, cwd=elsewhere, timeout=TIMEOUT_SECONDS)
    # -S reads no .pth file, and one of those is all that leads from the environment to the repository; -P leaves the
    # working folder out. The dependencies come from the environment, after what was installed.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), sysconfig.get_path("purelib")])}
    environment.pop("NN_TUI_RUNS")
    script = (
        "import sys, presets, trainer, tui\n"
        "print([module.__file__ for module in (presets, trainer, tui)])\n"
        f"assert {str(REPOSITORY)!r} not in sys.path, sys.path\n"
        "from tui.cli import main\n"
        "sys.argv = ['nn-tui', 'train', 'iris-first', '--set', 'training.epochs=2']\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", script], cwd=elsewhere, env=environment, capture_output=True, text=True,
        timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == str(
        [str(site / name / "__init__.py") for name in ("presets", "trainer", "tui")]
    )
    assert "finished: all epochs done" in done.stdout
    assert len(list((elsewhere / "runs").iterdir())) == 1


def test_the_installed_program_opens_with_its_stylesheets(wheel: Path, tmp_path: Path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), sysconfig.get_path("purelib")])
    }  # fmt: skip
    script = (
        "import asyncio, presets\n"
        "from pathlib import Path\n"
        "from tui.app import NnTui\n"
        "async def main():\n"
        "    app = NnTui(presets.find(presets.DEFAULT).load, None, Path('runs'))\n"
        "    async with app.run_test(size=(120, 40)) as pilot:\n"
        "        await pilot.press('f9')\n"
        "        await pilot.pause()\n"
        "        print(type(app.screen).__name__, __import__('tui').__file__)\n"
        "asyncio.run(main())"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["CompareScreen", str(tmp_path / "site" / "tui" / "__init__.py")]
