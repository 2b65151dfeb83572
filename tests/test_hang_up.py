"""Processes and terminals that part: a hang-up, a detach, signals, kills. See also `torture`."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from terminals import DEADLINE_SECONDS, PROGRAM, Terminal
from trainer.events import CheckpointSaved
from trainer.log import Tail
from trainer.runs import peek
from trainer.store import all_runs, is_alive

Opened = Callable[..., Terminal]

LOUD = """
import math, os
import equinox as eqx


def network(config, input_shape, output_size, key):
    os.write(1, b"a library talks on one\\n")
    os.write(2, b"a library talks on two\\n")
    body = eqx.nn.MLP(math.prod(input_shape), output_size, 8, depth=1, key=key)
    return eqx.nn.Sequential([eqx.nn.Lambda(lambda x: x.ravel()), body])
"""


def store() -> Path:
    return Path(os.environ["NN_TUI_RUNS"])


def has_saved_on_command(directory: Path) -> bool:
    events = Tail(directory / "events.jsonl").read_all()
    return any(isinstance(event, CheckpointSaved) and event.reason == "command" for event in events)


def test_a_run_is_detached_shown_again_by_the_next_app_and_stopped_from_there(opened: Opened, long_preset: Path):
    first = opened(long_preset, size=(80, 24))
    directory = first.start_run()
    first.press(b"q")
    first.until_shown("A run is under way.", "Detach (d)")
    first.press(b"d")
    assert first.ended() == 0
    assert first.is_restored()
    assert "long goes on in the background, process" in first.text
    trainer = peek(directory).status.pid
    assert os.getsid(trainer) == trainer
    second = opened("iris-first", size=(160, 45))
    second.until_shown("▶ running long", "long goes on without a terminal since")
    second.press(b"\x1b[15~")
    second.until_shown("‖ paused long")
    second.press(b"\x1bOS")
    second.until_shown("Stop the run")
    second.press(b"y")
    second.until_shown("■ stopped long")
    second.press(b"q")
    assert second.ended() == 0
    third = opened("iris-first", size=(160, 45))
    third.until_shown("long went on without a terminal", "stopped")
    assert not (directory / "unattended").exists()


def test_a_paused_run_that_is_detached_stays_so_and_is_said_to(opened: Opened, long_preset: Path):
    terminal = opened(long_preset, size=(80, 24))
    directory = terminal.start_run()
    terminal.press(b"\x1b[15~")
    terminal.until_shown("‖ paused")
    terminal.press(b"q")
    terminal.until_shown("paused until somebody goes on with it", "Detach (d)")
    terminal.press(b"d")
    assert terminal.ended() == 0
    assert "long is paused in the background, process" in terminal.text
    os.kill(peek(directory).status.pid, signal.SIGTERM)
    terminal.until(lambda: not is_alive(directory), "the end of the run")


def test_a_paused_run_saves_on_usr1_and_ends_saved_on_term(opened: Opened, long_preset: Path):
    terminal = opened(long_preset)
    directory = terminal.start_run()
    terminal.press(b"\x1b[15~")
    terminal.until_shown("‖ paused")
    terminal.process.send_signal(signal.SIGUSR1)
    terminal.until(lambda: has_saved_on_command(directory))
    terminal.process.terminate()
    assert terminal.ended() == 0
    assert terminal.is_restored()
    assert (peek(directory).status.state, peek(directory).status.reason) == ("stopped", "interrupted")


def test_the_death_of_the_process_that_the_shell_waits_for_costs_the_screen_alone(opened: Opened, long_preset: Path):
    terminal = opened(long_preset)
    directory = terminal.start_run()
    terminal.process.kill()
    terminal.until(terminal.is_restored)
    trainer, epochs = peek(directory).status.pid, peek(directory).status.epochs
    terminal.until(lambda: peek(directory).status.epochs > epochs)
    os.kill(trainer, signal.SIGTERM)
    terminal.until(lambda: not is_alive(directory))
    assert peek(directory).shown_state == "stopped"


def test_a_killed_app_leaves_a_terminal_as_it_was(opened: Opened):
    terminal = opened("iris-first")
    terminal.until_shown("learning_rate ~")
    [child] = Path(f"/proc/{terminal.process.pid}/task/{terminal.process.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGKILL)
    assert terminal.ended() == 128 + signal.SIGKILL
    assert terminal.is_restored()
    assert "nn-tui was ended by signal 9" in terminal.text


def test_what_libraries_say_goes_to_the_log_and_never_into_the_picture(
    opened: Opened, long_preset: Path, tmp_path: Path
):
    (tmp_path / "loud.py").write_text(LOUD)
    (tmp_path / "loud.toml").write_text(
        long_preset.read_text()
        .replace("hidden = [8]", 'kind = "custom"\ntarget = "loud:network"')
        .replace("epochs = 1000000", "epochs = 3")
    )
    terminal = opened(tmp_path / "loud.toml")
    terminal.until_shown("learning_rate ~")
    terminal.press(b"\x12")
    terminal.until_shown("✓ finished", "── loss")
    terminal.press(b"q")
    assert terminal.ended() == 0
    [run] = all_runs(store())
    log = (run.directory / "log.txt").read_text()
    assert "a library talks on one" in log
    assert "a library talks on two" in log
    assert b"a library talks" not in terminal.raw


def test_waiting_shows_lines_and_an_interrupt_stops_the_run_on_its_best_weights(opened: Opened, long_preset: Path):
    terminal = opened(long_preset)
    directory = terminal.start_run()
    terminal.press(b"\x1b[21~")
    terminal.until_shown("Wait (w)")
    terminal.press(b"w")
    terminal.until(lambda: str(directory)[:40] in terminal.text and "epoch" in terminal.text)
    os.killpg(terminal.process.pid, signal.SIGINT)
    assert terminal.ended() == 130
    assert (peek(directory).status.state, peek(directory).status.reason) == ("stopped", "stopped")


def test_training_without_a_screen_outlives_its_terminal(opened: Opened, long_preset: Path):
    settings = ["--set", "training.epochs=20000", "--set", "callbacks.early_stopping.enabled=false"]
    terminal = opened("train", long_preset, *settings)
    terminal.until_shown("epoch 1")
    terminal.hang_up()
    assert terminal.ended() == 0
    [run] = all_runs(store())
    assert (run.shown_state, run.status.epochs) == ("finished", 20000)
    assert (run.directory / "unattended").exists()


def test_training_in_the_background_gives_the_prompt_back_and_ends_saved_on_term(long_preset: Path):
    words = ["train", "--detach", long_preset]
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=True, timeout=DEADLINE_SECONDS)
    [run] = all_runs(store())
    assert f"long goes on in the background, process {run.status.pid}" in done.stdout
    try:
        assert run.is_live
        assert os.getsid(run.status.pid) == run.status.pid
        assert Path(f"/proc/{run.status.pid}/fd/2").readlink() == run.directory.resolve() / "log.txt"
    finally:
        os.kill(run.status.pid, signal.SIGTERM)
    with (run.directory / "lock").open("rb") as lock:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_SH)  # until the trainer lets go of it
    assert peek(run.directory).status.reason == "interrupted"


def test_a_run_in_the_background_goes_on_although_nobody_reads_what_is_said_of_it():
    reader, writer = os.pipe()
    os.close(reader)
    words = [PROGRAM, "train", "--detach", "iris-first", "--set", "training.epochs=2"]
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=DEADLINE_SECONDS)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    (run,) = all_runs(store())
    deadline = time.monotonic() + DEADLINE_SECONDS
    while is_alive(run.directory) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert peek(run.directory).status.state == "finished"


def test_what_cannot_begin_in_the_background_is_told_in_the_foreground(tmp_path: Path):
    words = ["train", "--detach", "iris-first", "--set", "data.source=path", "--set", f"data.path={tmp_path}/none.csv"]
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False, timeout=DEADLINE_SECONDS)
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.csv" in done.stderr
    assert not store().exists()
