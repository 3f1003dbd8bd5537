"""Nodes as the machines of a Vagrantfile: the student's own, or made and removed by the run."""

from pytest_swarmlab.providers.vagrant.provider import VagrantProvider

__all__ = ["VagrantProvider"]
