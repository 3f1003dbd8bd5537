"""Hooks that other plugins may implement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pytest

if TYPE_CHECKING:
    from pytest_swarmlab.config import LabConfig
    from pytest_swarmlab.providers.base import Provider
    from pytest_swarmlab.swarm.cluster import Swarm


@pytest.hookspec(firstresult=True)
def pytest_swarmlab_make_provider(config: LabConfig, out: TextIO) -> Provider | None:
    """Make the provider that the configuration names; the first plugin that knows it answers.

    `out` is where a lengthy preparation, such as building a disk, tells its progress.
    """


@pytest.hookspec
def pytest_swarmlab_collect_evidence(swarm: Swarm, directory: Path) -> None:
    """Save what you want of a cluster into `directory`, just before the cluster is removed."""
