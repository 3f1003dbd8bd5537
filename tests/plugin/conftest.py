from __future__ import annotations

import signal

# A session of pytester's within this process gives back the modules that it found: numpy, loaded
# by one first, would then be loaded by others a second time, which its C code does not bear.
import matplotlib.figure  # noqa: F401
import pytest

from tests.plugin.pretended import suite

__all__ = ["suite"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # What a shell starts in the background ignores Ctrl-C, and so would the sessions that are
    # interrupted here.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _without_neighbours(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Suites that tests write run in the order in which they are written, and once."""
    del pytester  # It begins with an environment of its own.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:rerunfailures -p no:timeout")
