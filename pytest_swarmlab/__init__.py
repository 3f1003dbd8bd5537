"""pytest-swarmlab: prove that a Docker Swarm survives.

The names a test suite needs; everything heavy is imported on first use, so
that a pytest run without a cluster pays almost nothing for the plugin.
"""

from typing import TYPE_CHECKING, Any

from pytest_swarmlab.errors import SwarmlabError
from pytest_swarmlab.model import Topology, Verdict

if TYPE_CHECKING:
    from pytest_swarmlab.judging.exercise import Exercise, failed, not_provable, passed, unknown

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


def __getattr__(name: str) -> Any:
    """Import the names that declare exercises on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pytest_swarmlab.judging import exercise

    return getattr(exercise, name)
