"""State checks: what is there is judged, from a survey's record alone; `exercise` has them all."""

from pytest_swarmlab.marking.state import (
    backups,
    cluster,
    healing,
    production,
    secrecy,
    storage,
    wordpress,
)
from pytest_swarmlab.marking.state.basis import exercise

__all__ = [
    "backups",
    "cluster",
    "exercise",
    "healing",
    "production",
    "secrecy",
    "storage",
    "wordpress",
]
