"""Leadership moves while a follower still takes the old leader for the leader.

What workers ask of that follower then goes through two managers to the new leader, and arrives in
the follower's name (docs/findings.md, two-identities). The follower doesn't know, as long as the
new leader's connection to it is down: since it was away and gRPC waits before it tries again, or
since the two are parted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pytest_swarmlab.errors import NotConverged, Unseen
from pytest_swarmlab.evidence import identities
from pytest_swarmlab.evidence.events import FindingTried, NodesSample, each
from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.faults import Fault, Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.lifecycle import SWARM_PORT, in_parallel
from pytest_swarmlab.swarm.services import Services
from pytest_swarmlab.waiting.conditions import NodesReady
from pytest_swarmlab.waiting.waiter import Waiter
from tests.findings.events import NotSeen, Unsettled

PHASE = "findings/two-identities"
FINDING = "two-identities"
ON_THE_WAY = "two-identities, a session only"
"""A worker's session was taken for a manager's: what comes before its certificate is."""

ELECTION_S = 45
DOWN_S = 90
WINDOW_S = 9
"""How long a follower may take the old leader for the leader: 10 s without a word of it, and it
campaigns itself. A certificate was seen to go to another machine 1.3 s after the demotion."""
SETTLED_S = 60
BACK_S = 240


class Unheard(Fault):
    """Nodes can't reach the Swarm port of certain others; all else goes on."""

    kind: ClassVar[str] = "unheard"

    def __init__(self, whom: Mapping[Node, Sequence[Node]], recorder: Recorder) -> None:
        """`whom`: node → those that it can't reach."""
        super().__init__(list(whom), recorder)
        self._rules = {
            node: (
                "OUTPUT", "-d", ",".join(other.address for other in others),
                "-p", "tcp", "--dport", str(SWARM_PORT),
                "-j", "REJECT", "--reject-with", "tcp-reset",
            )
            for node, others in whom.items()
        }  # fmt: skip

    def _inject(self) -> None:
        in_parallel(lambda node: node.run("iptables", "-w", "-I", *self._rules[node]), self.nodes)

    def _heal(self) -> None:
        # Absent rules are what is wanted.
        in_parallel(
            lambda node: node.run("iptables", "-w", "-D", *self._rules[node], check=False),
            self.nodes,
        )


@dataclass(frozen=True)
class Stage:
    """What every way of moving leadership works with."""

    swarm: Swarm
    faults: Faults
    wait: Waiter

    def after_a_power_failure(self) -> None:
        """A follower was away; the leader has it back, and the other one may not yet."""
        leader = self.swarm.leader()
        follower = next(node for node in self.swarm.managers() if node is not leader)
        with self.faults.power_off(follower):
            self.wait(self.swarm.node_is(follower, state="down"), within=DOWN_S)
        back = self.swarm.node_is(follower, state="ready", reachability="reachable")
        self.wait(back, within=BACK_S)
        # Its return may have cost an election.
        old = self.swarm.leader()
        demotion = self._demote(old)
        self._watch()
        self._settle(old, demotion)

    def parted(self) -> None:
        """The followers don't reach each other, and workers only the one that takes no office."""
        old = self.swarm.leader()
        one, two = (node for node in self.swarm.managers() if node is not old)
        workers = self.swarm.nodes_except(old, one, two)
        apart = {one: [two], two: [one], **{worker: [old] for worker in workers}}
        with Unheard(apart, self.swarm.recorder):
            demotion = self._demote(old)
            new = self.wait(self.swarm.has_leader(other_than=old), within=ELECTION_S)
            with Unheard({worker: [new] for worker in workers}, self.swarm.recorder):
                self._watch()
        self._settle(old, demotion)

    def _demote(self, old: Node) -> Fault:
        via = next(node for node in self.swarm.managers() if node is not old)
        demotion = self.faults.demote(old, via=via)
        demotion.inject()
        return demotion

    def _watch(self) -> None:
        """Let the time go by in which it happens; a lost identity ends it."""
        try:
            self.wait(NodesReady(self.swarm, members=0), within=WINDOW_S)
        except NotConverged as error:
            if error.fatal:
                raise

    def _settle(self, old: Node, demotion: Fault) -> None:
        """The demoted leader is a worker, then a manager again."""
        settled = self.swarm.node_is(old, role="worker", reachability="", state="ready")
        self.wait(settled, within=SETTLED_S)
        demotion.heal()
        self.wait(self.swarm.node_is(old, reachability="reachable"), within=SETTLED_S)
        self.wait(self.swarm.all_nodes_ready(), within=BACK_S)


HOW: dict[str, Callable[[Stage], None]] = {
    "parted": Stage.parted,
    "power-failure": Stage.after_a_power_failure,
}
"""What keeps a follower from hearing of the new leader."""


def move_leadership(
    swarm: Swarm, how: str, *, faults: Faults, wait: Waiter, observe: Observe, evidence: Evidence
) -> None:
    """Have the leader demoted, and count whether somebody has lost its identity.

    Every machine has a task: what it reports of it is refused while it speaks as another one, and
    then it begins a new session. A cluster that does not settle costs the next test a new one.
    """
    wait(swarm.all_nodes_ready(), within=BACK_S)
    services = Services(swarm)
    busy = services.create("busy", "--mode", "global", "nginx:alpine")
    wait(busy.converged(replicas=len(swarm.nodes)), within=BACK_S)
    try:
        with (
            swarm.recorder.phase(PHASE),
            evidence.identities_of(swarm),
            observe(swarm.managers()),
        ):
            HOW[how](Stage(swarm, faults, wait))
        services.remove_all()
    except NotConverged as error:
        evidence.write(Unsettled(str(error), lost=error.fatal))
    record = swarm.recorder.view().performances(PHASE)[-1].phase(PHASE)
    try:
        taken = identities.kept(record).taken
    except Unseen as missing:
        evidence.write(NotSeen(str(missing)))
        return
    session = under_another_s_name(record)
    for finding, seen in ((FINDING, taken), (ON_THE_WAY, taken or session)):
        evidence.write(FindingTried(finding, how, trials=1, seen=int(seen)))


def under_another_s_name(record: Record) -> bool:
    """Whether a node was listed under the host name that another one had: two spoke as one."""
    first: dict[str, str] = {}
    for sample in each(record, NodesSample):
        for row in sample.nodes:
            name = row.host_name or row.name
            if first.setdefault(row.id, name) != name and name in first.values():
                return True
    return False
