"""What a record shows, as typed values: checks, measurements and pictures all read here.

Pure functions of a `Record`, usually one phase of it (``record.phase("2.2/power-off")``). All times
are seconds since the run began; a measurement (``…_s``) is seconds since the fault began. None
means that the record does not show it, never "zero".

- Typed events: `faults`, `fault`, `fault_at`, `node_samples`, `task_samples`, `task_lists`,
  `requests`.
- Leader: `leader_before`, `leader_changes`, `leader_spans`.
- Nodes, by id: `identities_of`, `first_seen`, `node_state_at`, `node_spans`.
- Service: `replicas_over_time`, `first_restored`.
- Mesh of published ports: `lost_ways`.
- Clients: `request_errors`, `answered`, `answered_within_s`, `longest_gap`, `longest_gap_by_node`,
  `ledger`.
- Measurements: `leader_unreachable_s`, `leader_elected_s`, `node_down_s`, `node_back_s`,
  `replicas_restored_s`, `longest_gap_s`; `failover_measurements` holds them all.
"""

from pytest_swarmlab.evidence.events import (
    Entry,
    NodeSeen,
    NodesSample,
    Request,
    TaskSeen,
    TasksSample,
)
from pytest_swarmlab.evidence.readings.broken import Fault, fault, fault_at, faults
from pytest_swarmlab.evidence.readings.clients import (
    Gap,
    answered,
    answered_within_s,
    longest_gap,
    longest_gap_by_node,
    request_errors,
    requests,
)
from pytest_swarmlab.evidence.readings.leader import (
    LeaderChange,
    leader_before,
    leader_changes,
    leader_spans,
)
from pytest_swarmlab.evidence.readings.ledgers import Ledger, ledger
from pytest_swarmlab.evidence.readings.measurements import (
    failover_measurements,
    leader_elected_s,
    leader_unreachable_s,
    longest_gap_s,
    node_back_s,
    node_down_s,
    replicas_restored_s,
)
from pytest_swarmlab.evidence.readings.mesh import lost_ways
from pytest_swarmlab.evidence.readings.nodes import (
    Span,
    first_seen,
    identities_of,
    node_samples,
    node_spans,
    node_state_at,
)
from pytest_swarmlab.evidence.readings.tasks import (
    Replicas,
    first_restored,
    replicas_over_time,
    task_lists,
    task_samples,
)

__all__ = [
    "Entry",
    "Fault",
    "Gap",
    "LeaderChange",
    "Ledger",
    "NodeSeen",
    "NodesSample",
    "Replicas",
    "Request",
    "Span",
    "TaskSeen",
    "TasksSample",
    "answered",
    "answered_within_s",
    "failover_measurements",
    "fault",
    "fault_at",
    "faults",
    "first_restored",
    "first_seen",
    "identities_of",
    "leader_before",
    "leader_changes",
    "leader_elected_s",
    "leader_spans",
    "leader_unreachable_s",
    "ledger",
    "longest_gap",
    "longest_gap_by_node",
    "longest_gap_s",
    "lost_ways",
    "node_back_s",
    "node_down_s",
    "node_samples",
    "node_spans",
    "node_state_at",
    "replicas_over_time",
    "replicas_restored_s",
    "request_errors",
    "requests",
    "task_lists",
    "task_samples",
]
