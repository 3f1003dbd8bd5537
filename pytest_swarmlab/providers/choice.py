"""Which provider a run uses: the one that was named, or with `auto` the best there is."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TextIO

from pytest_swarmlab.model import Capability

if TYPE_CHECKING:
    from pytest_swarmlab.config import LabConfig
    from pytest_swarmlab.providers.base import Provider


def choose(config: LabConfig, needs: Collection[Capability]) -> tuple[str, str]:
    """The provider for a run that needs these capabilities, and in one line which and why.

    An inventory if one is given; else uml.
    """
    del needs
    if config.provider != "auto":
        return config.provider, ""
    if config.inventory:
        return "inventory", f"provider inventory: {config.inventory} lists a cluster"
    return "uml", "provider uml: no inventory was given"


def make(config: LabConfig, out: TextIO) -> Provider | None:
    """The provider of that name, if it is one of those that come with the plugin."""
    origin: Any = config.images
    match config.provider:
        case "uml":
            from pytest_swarmlab.providers.uml import UmlProvider

            return UmlProvider(cache=config.cache, origin=origin, out=out)
        case "dind":
            from pytest_swarmlab.providers.dind import DindProvider

            return DindProvider(cache=config.cache, origin=origin, out=out)
        case "inventory":
            from pytest_swarmlab.providers.inventory import InventoryProvider

            return InventoryProvider(config.inventory, may_change=config.allow_destructive)
    return None
