"""Nodes of a cluster that somebody has already, listed in a file."""

from pytest_swarmlab.providers.inventory.provider import InventoryProvider

__all__ = ["InventoryProvider"]
