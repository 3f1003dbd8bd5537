"""The phases, the alerts that each provokes, and how soon each alert must arrive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_swarmlab import Exercise
from pytest_swarmlab.model import Capability

DEPLOYED = ("deployed",)
KEPT, NODE_LOST, EDGE = ("kept",), ("node-lost",), ("quorum-edge",)
QUORUM, CERTIFICATE = ("quorum-lost",), ("certificate",)
SHOP, FRONT, ERRORS = ("shop",), ("shop-front",), ("shop-errors",)
PROVOKED = KEPT + NODE_LOST + EDGE + QUORUM + CERTIFICATE + FRONT + ERRORS

TITLES = {
    "deployed": "The monitoring is deployed and scrapes every target",
    "kept": "Full disk, little memory, missing replica, restart loop, old backup, stale facts",
    "node-lost": "A worker loses power",
    "quorum-edge": "The engine of one of three managers is killed",
    "quorum-lost": "The engines of two of three managers are killed",
    "certificate": "The nodes' certificates expire in an hour",
    "shop": "The shop is deployed and monitored",
    "shop-front": "The shop's gateway is scaled to none",
    "shop-errors": "The shop's database hangs",
}

exercise = Exercise(
    "monitoring",
    "Le plan de monitoring",
    module=__name__,
    titles=TITLES,
    needs=dict.fromkeys(
        TITLES,
        (
            # Engines are restarted with another configuration, disks and memories filled.
            Capability.EXPENDABLE,
            Capability.CHANGE,
            Capability.POWER_OFF,
            Capability.REPLACE,
            Capability.START_INTERVAL,
        ),
    ),
)

NOWHERE, LOOP = "nowhere", "loop"
"""The services that have no place to run, and whose task ends with an error each time."""

EVERY_S = 5.0
"""Interval of scrapes, and of evaluations of the rules (prometheus.yml)."""

TOLD_S = 10.0
"""From an alert that fires until it is received: Alertmanager waits 2 s for others of its name,
or 5 s after a notification; the rest is for two busy processors."""


@dataclass(frozen=True)
class Expected:
    """An alert that a phase provokes.

    `seen`: seconds until the cause shows in the metrics, without the two times `EVERY_S` for the
    scrape and the evaluation. `labels`: its labels that name the node or service.
    """

    seen: float
    labels: tuple[str, ...] = field(default=())

    def within(self, for_s: float) -> float:
        """Longest from the deed until the notification, with its rule's `for`, seconds."""
        return self.seen + 2 * EVERY_S + for_s + TOLD_S


GIVEN_UP_S = 30.0
"""Until the managers declare a lost node down: three missed heartbeats, one every 5 s."""

STEPS_DOWN_S = 15.0
"""Until the last manager of a lost quorum steps down, and answers that it can't list anything."""

EXPECTED: Mapping[str, Mapping[str, Expected]] = {
    "kept": {
        "NodeDiskFull": Expected(5, ("node",)),
        "NodeMemoryLow": Expected(5, ("node",)),
        "ServiceReplicasMissing": Expected(5, ("service",)),
        # Four tasks have to fail, each with a container to be started.
        "ServiceRestartLoop": Expected(60, ("service",)),
        "SwarmBackupTooOld": Expected(5),
        "NodeFactsStale": Expected(5, ("node",)),
    },
    "node-lost": {
        "NodeDown": Expected(GIVEN_UP_S, ("node",)),
        "EngineDown": Expected(5, ("node",)),
    },
    "quorum-edge": {
        "SwarmQuorumAtEdge": Expected(5),
        "EngineDown": Expected(5, ("node",)),
        "NodeDown": Expected(GIVEN_UP_S, ("node",)),
        "ManagerPortClosed": Expected(5, ("node",)),
    },
    "quorum-lost": {
        "SwarmQuorumLost": Expected(5),
        "SwarmLeaderless": Expected(STEPS_DOWN_S),
        "SwarmUnseen": Expected(STEPS_DOWN_S),
    },
    "certificate": {
        # Every node gets another certificate by and by.
        "SwarmCertificateEndsSoon": Expected(60, ("node",)),
    },
    "shop-front": {"ShopFrontDown": Expected(10)},
    "shop-errors": {
        # Orders are tried one after the other, and each has five seconds.
        "ShopErrorsFast": Expected(45),
        "ShopErrorsSlow": Expected(45),
        "ShopSlow": Expected(45),
    },
}
"""Phase → the alerts that it provokes."""

RULES = frozenset(name for alerts in EXPECTED.values() for name in alerts)
"""The alerts for which Prometheus has a rule: each is provoked in some phase."""

BESIDES: Mapping[str, frozenset[str]] = {
    # No scrape finds a task of it running: pending a scrape before or after the other service.
    "kept": frozenset({f"ServiceReplicasMissing ({LOOP})"}),
    # What ran there is missing until it is placed elsewhere or comes back.
    "node-lost": frozenset({"ServiceReplicasMissing"}),
    "quorum-edge": frozenset({"ServiceReplicasMissing"}),
    "quorum-lost": frozenset(
        {
            "EngineDown",
            "NodeDown",
            "ManagerPortClosed",
            "ServiceReplicasMissing",
            "SwarmQuorumAtEdge",
        }
    ),
    # Every node gets a certificate that ends soon.
    "certificate": frozenset({"SwarmCertificateEndsSoon"}),
    "shop-front": frozenset(),
    # The front shows the catalogue, which is in the cache for a minute at most.
    "shop-errors": frozenset({"ShopFrontDown"}),
}
"""Phase → what else follows of itself, at its beginning or when it is mended.

An alert of any node or service, or in parentheses of which one.
"""

RESOLVED_S = 240.0
"""Longest until an alert whose cause is gone is over; restarts are counted over two minutes."""
