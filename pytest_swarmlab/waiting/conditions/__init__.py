"""What can be waited for. Each call returns done, pending with a reason, or fatal with a reason.

There is a module for each subject; conditions are imported from here.
"""

from pytest_swarmlab.waiting.conditions.answers import OF_FORM, brief, no_answer, understood
from pytest_swarmlab.waiting.conditions.changes import Writes
from pytest_swarmlab.waiting.conditions.machines import (
    IPVS,
    NAMESPACES,
    EngineIs,
    MeshLists,
    Succeeds,
    balanced,
)
from pytest_swarmlab.waiting.conditions.nodes import HasLeader, NodeIs, NodesReady
from pytest_swarmlab.waiting.conditions.services import (
    Converged,
    NoTaskOf,
    RolledBack,
    Updated,
    Watched,
)
from pytest_swarmlab.waiting.conditions.tasks import (
    Ended,
    Renewed,
    Replaced,
    Settled,
    TaskBlocked,
    TaskFailed,
    TasksAre,
)

__all__ = [
    "IPVS",
    "NAMESPACES",
    "OF_FORM",
    "Converged",
    "Ended",
    "EngineIs",
    "HasLeader",
    "MeshLists",
    "NoTaskOf",
    "NodeIs",
    "NodesReady",
    "Renewed",
    "Replaced",
    "RolledBack",
    "Settled",
    "Succeeds",
    "TaskBlocked",
    "TaskFailed",
    "TasksAre",
    "Updated",
    "Watched",
    "Writes",
    "balanced",
    "brief",
    "no_answer",
    "understood",
]
