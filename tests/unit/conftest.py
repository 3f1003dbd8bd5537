from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.fakes import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Three managers and two workers, all well, manager1 leading; nothing of it is real."""
    lab = Lab(tmp_path).settle()
    yield lab
    lab.recorder.close()
