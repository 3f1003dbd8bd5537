"""What `make neighbours` leaves behind: nothing, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.neighbours import PROJECT

ENDED = """
import runpy, signal, subprocess, sys
from pathlib import Path

def asked(command, **how):
    at = Path(how.get("cwd") or ".")
    if "wheel" in command:
        made = next(word for word in command if word.startswith("--wheel-dir=")).partition("=")[2]
        Path(made).mkdir()
        (Path(made) / "half").write_text("a wheel")
        command = ["sh", "-c", "sleep 600 & echo it has begun; wait"]
    return real(command, **how)

real, subprocess.Popen = subprocess.Popen, asked
# It is ignored where a shell has started pytest in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["neighbours", "oldest-pytest"]
runpy.run_module("tests.neighbours", run_name="__main__")
"""
"""It is ended while it makes wheels: by a command that has a process of its own."""


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_leaves_no_directory_and_no_process(tmp_path: Path, by: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDED],
        cwd=PROJECT,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "== oldest-pytest\n"
        assert run.stdout.readline() == "it has begun\n"
        assert list(tmp_path.glob("swarmlab-neighbours-*/wheels/half"))
        run.send_signal(by)
        run.communicate(timeout=300)  # Until no process is left that could write there.
    assert run.returncode not in (0, 3)
    assert list(tmp_path.iterdir()) == []
