"""Signals. Those who run tests have threads of their own, which take signals too: these are sent to one thread."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from tui import signals

PATIENCE_SECONDS = 60.0


def send(number: signal.Signals) -> None:
    [ident] = [thread.ident for thread in threading.enumerate() if thread.name == "signals"]
    signal.pthread_kill(ident, number)


def answered(act: Callable[[], None]) -> list[str]:
    """Return what is answered to USR1, told to whom, while something is done."""
    heard: list[str] = []
    is_heard = threading.Event()

    def hear() -> None:
        heard.append(threading.current_thread().name)
        is_heard.set()

    with signals.taken({signal.SIGUSR1: hear}):
        act()
        assert is_heard.wait(PATIENCE_SECONDS)
    return heard


def test_a_signal_is_answered_by_a_thread_of_its_own():
    assert answered(lambda: send(signal.SIGUSR1)) == ["signals"]


def test_one_without_an_answer_is_passed_over():
    def send_both() -> None:
        send(signal.SIGHUP)
        send(signal.SIGUSR1)

    assert answered(send_both) == ["signals"]


def test_afterwards_signals_come_as_before():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    answered(lambda: send(signal.SIGUSR1))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    assert "signals" not in {thread.name for thread in threading.enumerate()}


def test_what_is_started_meanwhile_inherits_that_they_wait_and_the_programs_that_read_data_undo_it():
    script = "import signal; print(len(signal.pthread_sigmask(signal.SIG_BLOCK, [])))"
    with signals.held():
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        script = f"import signal; signal.pthread_sigmask(signal.SIG_SETMASK, []); {script}"
        undone = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (int(done.stdout), int(undone.stdout)) == (len(signals.TAKEN), 0)


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    return codes


def test_a_first_int_and_its_echo_stop_a_later_one_ends_at_once(exits: list[int], monkeypatch: pytest.MonkeyPatch):
    stops: list[None] = []
    now = [100.0]
    monkeypatch.setattr("tui.signals.time.monotonic", lambda: now[0])
    answer = signals.interrupted(lambda: stops.append(None))
    answer()
    now[0] += 0.02
    answer()
    assert (len(stops), exits) == (1, [])
    now[0] += 0.3
    answer()
    assert (len(stops), exits) == (1, [130])


def test_a_term_and_its_echo_are_one_a_later_one_ends_at_once(exits: list[int], monkeypatch: pytest.MonkeyPatch):
    ends: list[None] = []
    now = [100.0]
    monkeypatch.setattr("tui.signals.time.monotonic", lambda: now[0])
    monkeypatch.setattr("tui.signals.threading.Timer", lambda *_: threading.Thread())
    answer = signals.asked_to_end(lambda: ends.append(None), lambda: True)
    answer()
    now[0] += 0.5
    answer()
    assert (len(ends), exits) == (1, [])
    now[0] += 0.6
    answer()
    assert (len(ends), exits) == (1, [143])


@pytest.mark.parametrize(("is_saved", "code"), [(True, 0), (False, 143)])
def test_an_end_that_takes_too_long_is_cut_short(
    is_saved: bool, code: int, exits: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tui.signals._PATIENCE_SECONDS", 0.0)
    timers: list[threading.Timer] = []
    make = threading.Timer
    monkeypatch.setattr("tui.signals.threading.Timer", lambda *words: timers.append(make(*words)) or timers[-1])
    signals.asked_to_end(lambda: None, lambda: is_saved)()
    timers[0].join(PATIENCE_SECONDS)
    assert exits[0] == code
