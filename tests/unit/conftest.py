from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.unit.fakes import Lab

for name, examples in (("check", 40), ("long", 3000)):
    settings.register_profile(
        name,
        max_examples=examples,
        deadline=None,
        database=None,
        # What is tried is small as it is, and a page takes a second.
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
# The fuzzers of `make check`; `--hypothesis-profile=long` has them try for minutes each.
settings.load_profile("check")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Three managers and two workers, all well, manager1 leading; nothing of it is real."""
    lab = Lab(tmp_path).settle()
    yield lab
    lab.recorder.close()
