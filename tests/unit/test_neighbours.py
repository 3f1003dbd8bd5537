"""What `make neighbours` leaves behind: nothing, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.neighbours import PROJECT

ENDED = '''
import os, runpy, shutil, signal, subprocess, sys
from pathlib import Path

PIP = """
trap 'echo it was told; exit 1' INT
touch "$TMPDIR/unpacked"
sleep 600 &
echo $$
wait
"""

def asked(command, **how):
    at = Path(how.get("cwd") or ".")
    if "wheel" in command:
        made = next(word for word in command if word.startswith("--wheel-dir=")).partition("=")[2]
        Path(made).mkdir()
        (Path(made) / "half").write_text("a wheel")
        command = ["sh", "-c", PIP]
    return real(command, **how)

def removed(*which, **how):
    # As make passes on what has ended it.
    os.kill(os.getpid(), signal.SIGTERM)
    return rmtree(*which, **how)

real, subprocess.Popen = subprocess.Popen, asked
rmtree, shutil.rmtree = shutil.rmtree, removed
# It is ignored where a shell has started pytest in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["neighbours", "oldest-pytest"]
runpy.run_module("tests.neighbours", run_name="__main__")
'''
"""It is ended while it makes wheels: by a command that has a process of its own."""


@contextmanager
def begun(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """It makes wheels there; the process, and that of the command that does so."""
    with subprocess.Popen(
        [sys.executable, "-c", ENDED],
        cwd=PROJECT,
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "== oldest-pytest\n"
        pip = int(run.stdout.readline())
        try:
            assert list(temporary.glob("swarmlab-neighbours-*/wheels/half"))
            assert list(temporary.glob("swarmlab-neighbours-*/tmp/unpacked"))
            yield run, pip
        finally:
            run.kill()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_leaves_no_directory_and_no_process(tmp_path: Path, by: signal.Signals) -> None:
    with begun(tmp_path) as (run, _):
        run.send_signal(by)
        said, _ = run.communicate(timeout=300)  # Until no process is left that could write there.
    assert run.returncode == 128 + by
    assert said == "it was told\n", "pytest would not sum up what has failed so far"
    assert list(tmp_path.iterdir()) == []


def test_it_leaves_no_directory_where_all_of_its_processes_are_told_at_once(tmp_path: Path) -> None:
    with begun(tmp_path) as (run, pip):
        os.kill(pip, signal.SIGTERM)  # Its own comes while it removes the directory.
        said, _ = run.communicate(timeout=300)
    assert said.splitlines()[-1].split() == ["oldest-pytest", "FAILED", "(3)"]
    assert list(tmp_path.iterdir()) == []
