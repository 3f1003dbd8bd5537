"""Nodes as User-mode Linux machines: a kernel and a disk each, no hypervisor, no Docker on the host."""

from pytest_swarmlab.providers.uml.provider import UmlProvider

__all__ = ["UmlProvider"]
