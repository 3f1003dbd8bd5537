"""Sockets of a run that was killed are removed by the next one, and nobody else's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_swarmlab import sockets
from pytest_swarmlab.providers.inventory.place import Place, reap

OWNER = """
import sys
from pytest_swarmlab import sockets
from pytest_swarmlab.providers.inventory.place import Place

sockets.LONGEST = 1000
print(Place("m1.engine").path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(sockets, "SHORT", tmp_path)
    monkeypatch.setattr(sockets, "LONGEST", 1000)
    return tmp_path


def test_a_place_is_left_alone_while_its_owner_lives_and_removed_when_he_was_killed() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout is not None
        path = Path(owner.stdout.readline().strip())
        assert reap() == []
        assert path.is_dir()
        owner.kill()
    assert reap() == [str(path)]
    assert not path.exists()


def test_a_place_goes_with_its_run_and_is_private() -> None:
    own = Place("m1.engine")
    assert own.path.stat().st_mode & 0o777 == 0o700
    own.remove()
    own.remove()
    assert not own.path.exists()


def test_nothing_of_anybody_else_is_removed(temporary: Path) -> None:
    dead = Place("x.engine")
    moved = dead.path.rename(temporary / "theirs")
    (temporary / "swarmlab-link").symlink_to(moved)
    (temporary / "swarmlab-file").touch()
    (temporary / "swarmlab-other").mkdir()
    (temporary / "swarmlab-linked").mkdir()
    (temporary / "swarmlab-linked" / "lock").symlink_to(temporary / "swarmlab-file")
    assert reap() == []
    assert moved.is_dir()
    dead.remove()
