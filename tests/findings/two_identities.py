"""Leadership moves while a follower still takes the old leader for the leader.

What workers ask of that follower then goes through two managers to the new leader, and arrives in
the follower's name (docs/findings.md, two-identities). The follower doesn't know, as long as the
new leader's connection to it is down: since it was away and gRPC waits before it tries again, or
since the two are parted.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from pytest_swarmlab.errors import NotConverged
from pytest_swarmlab.evidence.identities import Identity
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.identities import identities_of
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, pending

FINDING = "two-identities"

DOWN_S = 90
BACK_S = 240
WATCHED_S = 8
"""How long is looked for a certificate that is another's: seen 1.3 s after leadership had moved. It
is less than the 10 s after which managers that are parted elect again."""


class Taken:
    """A machine's certificate, or its engine, has another machine's id; finds that machine."""

    node = None
    name = "a machine has another one's identity"

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._first = identities_of(swarm.nodes)

    def __call__(self) -> Done[Identity] | Pending | Fatal:
        """Ask every machine once."""
        owners = {identity.id: identity.node for identity in self._first if identity.id}
        now = identities_of(self._swarm.nodes)
        for identity in now:
            for id_ in (identity.id, identity.name):
                if owners.get(id_, identity.node) != identity.node:
                    return done(identity, f"{identity.node} has that of {owners[id_]}, {id_}")
        silent = ", ".join(identity.node for identity in now if identity.error)
        return pending(f"each is who it was{f', {silent} unasked' if silent else ''}")


@contextmanager
def back_from_a_power_failure(swarm: Swarm, faults: Faults, wait: Waiter) -> Iterator[None]:
    """A follower was away; the leader has it back, and the others may not yet."""
    leader = swarm.leader()
    follower = next(node for node in swarm.managers() if node is not leader)
    with faults.power_off(follower):
        wait(swarm.node_is(follower, state="down"), within=DOWN_S)
    wait(swarm.node_is(follower, state="ready", reachability="reachable"), within=BACK_S)
    yield


@contextmanager
def parted(swarm: Swarm, faults: Faults, wait: Waiter) -> Iterator[None]:
    """The two followers don't hear each other; both hear the leader, and the workers."""
    del wait
    leader = swarm.leader()
    followers = [node for node in swarm.managers() if node is not leader]
    with faults.partition(*([node] for node in followers)):
        yield


HOW: dict[str, Callable[[Swarm, Faults, Waiter], AbstractContextManager[None]]] = {
    "parted": parted,
    "power-failure": back_from_a_power_failure,
}
"""What keeps a follower from hearing of the new leader."""


def move_leadership(
    swarm: Swarm, how: str, *, faults: Faults, wait: Waiter, evidence: Evidence
) -> None:
    """Demote the leader, see whether somebody loses its identity, promote it again; count."""
    wait(swarm.all_nodes_ready(), within=BACK_S)
    taken = Taken(swarm)
    with HOW[how](swarm, faults, wait):
        # A change of leader on the way, as a manager's return may cost, moves it to another.
        old = swarm.leader()
        via = next(node for node in swarm.managers() if node is not old)
        demotion = faults.demote(old, via=via)
        demotion.inject()
        seen = _seen(taken)
    evidence.note(
        "finding.tried", finding=FINDING, how=how, trials=1, seen=int(seen), leader=old.name
    )
    evidence.identities(swarm)
    if not seen:
        wait(swarm.node_is(old, role="worker", reachability="", state="ready"), within=BACK_S)
        demotion.heal()
        wait(swarm.node_is(old, role="manager", reachability="reachable"), within=BACK_S)


def _seen(taken: Taken) -> bool:
    try:
        Waiter(every=0.5)(taken, within=WATCHED_S)
    except NotConverged:
        return False
    return True
