"""A Docker engine for the tests where this host runs none: all of it ends with the tests."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docker import APIClient
from docker.errors import DockerException

from pytest_swarmlab.images.commands import started
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, fatal, pending

ANSWERS_S = 60
"""Longest the engine may take to answer; it takes about two seconds."""

ENDS_S = 30
"""Longest it may take to end."""

# It ends in order when its standard input does. When the tests are killed, the kernel ends it
# with the PID namespace that `started` puts it in, and whatever it holds.
UNTIL_END_OF_INPUT = '"$@" & read -r _ || true; kill -TERM $!; wait $!'


@contextmanager
def throwaway_engine(data: Path) -> Iterator[str]:
    """Run dockerd; gives its URL. The host's firewall, forwarding and bridges stay as they are.

    `data`: where it keeps images from one session to the next; one engine at a time uses it.
    """
    data.mkdir(parents=True, exist_ok=True)
    # Sockets lie in it, whose paths may have 108 bytes.
    own = Path(tempfile.mkdtemp(prefix="swarmlab-engine-", dir="/var/tmp"))
    url = f"unix://{own}/engine.sock"
    argv = [
        "dockerd",
        f"--host={url}",
        f"--data-root={data}",
        f"--exec-root={own}/exec",
        f"--pidfile={own}/engine.pid",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
    ]
    try:
        with (data.parent / f"{data.name}.lock").open("w") as lock, (own / "log").open("wb") as log:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with started(
                ["sh", "-c", UNTIL_END_OF_INPUT, "engine", *argv],
                stdin=subprocess.PIPE,
                stdout=log,
            ) as process:
                Waiter(every=0.1)(_Answers(url, process, own / "log"), within=ANSWERS_S)
                yield url
                if process.stdin:
                    process.stdin.close()
                process.wait(ENDS_S)
    finally:
        shutil.rmtree(own)


class _Answers:
    """The engine answers."""

    name = "the throwaway engine answers"
    node = None

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self._url = url
        self._process = process
        self._log = log

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Look once."""
        if self._process.poll() is not None:
            said = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
            return fatal(" | ".join(said[-3:]) or "it ended without a word")
        try:
            APIClient(base_url=self._url, version="auto").close()
        except DockerException as error:
            return pending(str(error))
        return done(None)
