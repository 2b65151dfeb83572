"""What ends a process that goes on in the background, where that can be known."""

import os
from collections.abc import Mapping
from pathlib import Path

_CGROUP = Path("/proc/self/cgroup")
_ASKED = ["loginctl", "show-session", "--property=KillUserProcesses"]
_MOST_SECONDS = 2.0


def what_ends_it(environment: Mapping[str, str] = os.environ) -> str:
    """Return, in a line, what will end this process although it left its terminal; "" where nothing is known to.

    May ask another program, which takes some hundredths of a second.
    """
    if job := environment.get("SLURM_JOB_ID"):
        step = environment.get("SLURM_STEP_ID")
        ends = f"step {step} of job {job}" if step else f"job {job}"
        return f"SLURM ends it with {ends}; what should go on longer needs an sbatch of its own."
    if _is_killed_at_logout():
        return "This machine ends all processes at logout. Start with: systemd-run --user --scope nn-tui"
    return ""


def _is_killed_at_logout() -> bool:
    """Say whether logind keeps count of this process as one of a session, and ends those with it."""
    import subprocess  # here and not above: it takes as long to load as all else of this file and its callers

    try:
        if "/session-" not in _CGROUP.read_text():
            return False
        told = subprocess.run(_ASKED, capture_output=True, text=True, check=False, timeout=_MOST_SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return told.stdout.strip() == "KillUserProcesses=yes"
