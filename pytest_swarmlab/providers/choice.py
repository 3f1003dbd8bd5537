"""Which provider a run uses: the one that was named, or the best for `auto`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pytest_swarmlab.model import Capability

if TYPE_CHECKING:
    from pytest_swarmlab.config import LabConfig
    from pytest_swarmlab.providers.base import Provider


def choose(config: LabConfig, needs: Collection[Capability]) -> tuple[str, str]:
    """The provider for a run that needs these capabilities, and in one line which and why.

    An inventory if one is given; else dind if this host has a Docker engine, and a kernel with all
    of these capabilities; else uml.
    """
    if config.provider != "auto":
        return config.provider, ""
    if config.inventory:
        return "inventory", f"provider inventory: {config.inventory} lists a cluster"
    if why_not := _why_no_containers(config, needs):
        return "uml", f"provider uml: no inventory was given, and {why_not}"
    return "dind", "provider dind: a Docker engine is here, and its kernel has all that is needed"


def _why_no_containers(config: LabConfig, needs: Collection[Capability]) -> str:
    """Why nodes can't be containers in this run; "" when they can."""
    if config.images != "stand-in":
        return "containers carry stand-in images only"
    from pytest_swarmlab.errors import HostError
    from pytest_swarmlab.providers.dind import engine, kernel

    # The kernel first: it is asked in no time, and without Docker's client.
    if lacking := kernel.lacks(needs):
        return "; ".join(capability.lack for capability in lacking)
    try:
        api = engine.connect()
    except HostError as error:
        # Its remedy is not needed: embedded machines are one.
        return str(error).partition(": ")[0]
    api.close()
    return ""


def make(config: LabConfig, out: TextIO) -> Provider | None:
    """The provider of that name, if it is one of those that come with the plugin."""
    origin: Any = config.images
    match config.provider:
        case "uml":
            from pytest_swarmlab.providers.uml import UmlProvider

            return UmlProvider(cache=config.cache, origin=origin, kernel=config.kernel, out=out)
        case "dind":
            from pytest_swarmlab.providers.dind import DindProvider

            return DindProvider(cache=config.cache, origin=origin, out=out)
        case "vagrant":
            from pytest_swarmlab.providers.vagrant import VagrantProvider

            return VagrantProvider(Path.cwd())
        case "inventory":
            from pytest_swarmlab.providers.inventory import InventoryProvider

            return InventoryProvider(config.inventory, may_change=config.allow_destructive)
    return None
