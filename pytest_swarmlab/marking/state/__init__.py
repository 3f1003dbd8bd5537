"""State checks judge a cluster by its survey's record alone; `exercise` has all of them."""

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
