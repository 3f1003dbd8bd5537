"""pytest-swarmlab: prove that a Docker Swarm survives.

The names a test suite needs; everything heavy is imported on first use, so
that a pytest run without a cluster pays almost nothing for the plugin.
"""

from pytest_swarmlab.errors import SwarmlabError
from pytest_swarmlab.judging.exercise import Exercise, failed, not_provable, passed, unknown
from pytest_swarmlab.model import Topology, Verdict

__version__ = "0.1.0"
__all__ = [
    "Exercise",
    "SwarmlabError",
    "Topology",
    "Verdict",
    "failed",
    "not_provable",
    "passed",
    "unknown",
]
