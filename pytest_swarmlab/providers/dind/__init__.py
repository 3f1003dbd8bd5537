"""Nodes as containers on a Docker engine of this host."""

from pytest_swarmlab.providers.dind import engine
from pytest_swarmlab.providers.dind.provider import DindProvider

__all__ = ["DindProvider", "engine"]
