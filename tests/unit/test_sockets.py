"""A directory of sockets lies where their paths are short enough."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from pytest_swarmlab import sockets

PREFIX, NAME = "swarmlab-", "m1.engine"
ROOM = sockets.LONGEST - len(f"//{PREFIX}{sockets.RANDOM}/{NAME}")
"""Bytes that are left for the name of the directory above."""


@pytest.mark.parametrize(
    ("letters", "spare", "usual"),
    [
        ("t" * ROOM, 0, True),
        ("t" * (ROOM + 1), 0, False),
        ("t" * ROOM, 1, False),
        ("é" * ROOM, 0, False),
    ],
)
def test_its_path_has_no_more_bytes_than_a_socket_s_may_have(
    monkeypatch: pytest.MonkeyPatch, letters: str, spare: int, usual: bool
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", f"/{letters}")
    wanted = Path(f"/{letters}") if usual else Path("/tmp")
    assert sockets.parent(PREFIX, NAME, spare=spare) == wanted


def test_it_is_reckoned_as_the_directory_is_named(tmp_path: Path) -> None:
    made = tempfile.mkdtemp(prefix=PREFIX, dir=tmp_path)
    assert len(Path(made).name) == len(f"{PREFIX}{sockets.RANDOM}")
