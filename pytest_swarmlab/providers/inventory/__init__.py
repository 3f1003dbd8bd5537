"""Nodes of an existing cluster, listed in a file."""

from pytest_swarmlab.providers.inventory.provider import InventoryProvider

__all__ = ["InventoryProvider"]
