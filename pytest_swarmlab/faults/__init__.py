"""What can be broken on purpose, and mended again."""

from pytest_swarmlab.faults.fault import Fault, Faults

__all__ = ["Fault", "Faults"]
