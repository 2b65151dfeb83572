"""A real sshd on loopback, whose connection is cut while the app trains: the client killed, or the server's process.

Where sshd is not installed, there is nothing to count, and the figure says so.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from terminals import PROGRAM, Terminal, wait_for
from torture.figure import Figure, say
from torture.missing import what_is_missing
from trainer.commands import Set, send
from trainer.runs import peek, read

_PRESET = """
schema = 1
name = "cut-off"
data.source = "digits"
model.hidden = [64]
training.epochs = 1000000
callbacks.early_stopping.enabled = false
"""
_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PidFile none
"""
_TIMES = 20
_EPOCHS_MORE = 100
_SECONDS = 0.5
_SUBREAPER = 36


def ssh(folder: Path, short: bool) -> list[Figure]:
    """Cut connections; return how many runs did not survive it."""
    what = "SSH connections cut under a training, at the client and at the server in turn"
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None or shutil.which("ssh") is None:
        return [Figure(f"{what} (no sshd here)", 0, 0, "not counted")]
    # What the server leaves behind becomes ours to wait for.
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)
    port = _free_port()
    server = _serve(sshd, folder, port)
    try:
        times = 1 if short else _TIMES
        wrong = [_cut(folder, port, number) for number in range(times)]
    finally:
        server.kill()
        server.wait()
    return [Figure(what, times, sum(map(bool, wrong)), "; ".join(filter(None, wrong[:3])))]


def _serve(sshd: str, folder: Path, port: int) -> "subprocess.Popen[bytes]":
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "config").write_text(_CONFIG.format(port=port, folder=folder))
    (folder / "cut-off.toml").write_text(_PRESET)
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([sshd, "-D", "-f", str(folder / "config"), "-E", str(folder / "log")])
    wait_for(lambda: _answers(port), "sshd")
    return server


def _cut(folder: Path, port: int, number: int) -> str:
    """Train over a connection, cut it, and return what was wrong with what became of the run."""
    at_client = number % 2 == 0
    say(f"connection {number + 1}, cut at the {'client' if at_client else 'server'}")
    options = ["-tt", "-q", "-i", str(folder / "key"), "-p", str(port), "-F", "none"]
    options += ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={folder / 'known'}"]
    command = f"exec env NN_TUI_RUNS={folder / 'runs'} {_passed_on()} {PROGRAM} {folder / 'cut-off.toml'}"
    words = [*options, "127.0.0.1", command]
    try:
        with Terminal(*words, program="ssh", controls=True, NN_TUI_RUNS=str(folder / "runs")) as terminal:
            directory = terminal.start_run()
            time.sleep(_SECONDS)
            waiting = _parent(peek(directory).status.pid)
            os.kill(terminal.process.pid if at_client else _parent(waiting), 9)
            time.sleep(_SECONDS)
            epochs = read(directory).status.epochs + _EPOCHS_MORE
            send(directory, Set(by="torture", key="training.epochs", value=epochs))
            code = wait_for(lambda: _exit_code(waiting), "the end of the process")
            wrong = what_is_missing(read(directory))
            return wrong if code == 1 else f"exit code {code - 1}; {wrong}"
    except TimeoutError as error:
        return str(error)


def _passed_on() -> str:
    names = ("JAX_PLATFORMS", "NN_TUI_CACHE", "JAX_DISABLE_MOST_OPTIMIZATIONS", "HOME")
    return " ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)


def _exit_code(pid: int) -> int:
    """Return the exit code and one more, once the process has ended as ours; 0 before."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) + 1 if found else 0


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
