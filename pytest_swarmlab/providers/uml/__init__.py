"""Nodes as User-mode Linux machines: a kernel and a disk each, and no hypervisor."""

from pytest_swarmlab.providers.uml.provider import UmlProvider

__all__ = ["UmlProvider"]
