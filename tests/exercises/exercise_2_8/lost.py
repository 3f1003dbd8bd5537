"""Machines are lost so that a backup is needed, and the swarm is brought back."""

from collections.abc import Sequence

from pytest_swarmlab.clients.ledger import NewLedger
from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.lifecycle import in_parallel
from pytest_swarmlab.waiting.conditions import no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, pending

from . import archive, events, perform
from .perform import CONFIRMED, PLACE, READY_S, SETTLED_S, STORE, follower
from .setting import ALONE, KEY_UNSAID, NO_KEY, WRONG_KEY

BEFORE, AFTER = range(1, 201), range(201, 211)
"""Numbers that are written before the backup, and after it."""


# -- everything ----------------------------------------------------------------------------------


def lose_everything_and_restore(
    swarm: Swarm, *, faults: Faults, wait: Waiter, observe: Observe, evidence: Evidence
) -> None:
    """The lab's drill: a backup, every machine destroyed, one new one, and the swarm is back."""
    home = follower(swarm)
    perform.hide_tokens(swarm)
    perform.install(home)
    perform.deploy(swarm, home, wait=wait)
    perform.write(swarm, home, BEFORE, wait=wait)
    evidence.write(events.Identity("before", **perform.identity(home)))
    evidence.listing(home, "Before: three managers, two workers")
    with observe([home], service=perform.SITE):
        _back_up(swarm, home, wait=wait, evidence=evidence)
        taken = perform.listed(home, PLACE)[-1]
        carried = perform.carry_away(home, f"{PLACE}/{taken}")
        evidence.write(events.Carried(len(carried), tuple(archive.held(carried))))
        lost = perform.write(swarm, home, AFTER, wait=wait)
        evidence.write(events.WrittenAfter(tuple(lost)))

    # Healed: new machines have booted at the old addresses, with nothing of the old on them.
    with faults.destroy(*swarm.nodes):
        evidence.write(events.Destroyed(tuple(node.name for node in swarm.nodes)))
    evidence.state(swarm)
    perform.install(home)
    path = perform.bring(home, carried)
    checked = perform.restore(home, path, "--verify", title=f"On {home}, new: is it whole?")
    evidence.write(events.Verified(checked.code))
    # Unobserved: without a leader an engine sits on each question for up to 20 s, and hundreds of
    # them would wait in the one that is restored.
    _restore(home, path, CONFIRMED, evidence=evidence)
    wait(swarm.has_leader(seen_by=home), within=SETTLED_S)
    evidence.write(events.Answers(home.name))
    evidence.milestone(f"restored: {home} leads")
    with observe([home], service=perform.SITE):
        evidence.write(events.Identity("after", **perform.identity(home)))
        evidence.listing(home, "Restored: the other rows are of machines that exist no more")
        rejoin(swarm, home, wait=wait, evidence=evidence)
        evidence.milestone("five nodes and all services again")
    wait(swarm.all_nodes_ready(), within=SETTLED_S)
    evidence.write(perform.digest_in_container(swarm, wait=wait))
    evidence.write(events.Found(tuple(perform.read(swarm, home, wait=wait))))
    evidence.state(swarm)
    evidence.listing(home, "After: three managers, two workers, nothing of the old ones")


def _back_up(swarm: Swarm, home: Node, *, wait: Waiter, evidence: Evidence) -> None:
    before = swarm.leader()
    taken = perform.backup(home, title=f"On {home}: the backup")
    facts = perform.manifest(home, taken.path) if taken.path else {}
    evidence.write(events.Backup(taken.output.code, home.name, before.name, facts))
    evidence.milestone("the backup is complete: the recovery point")
    wait(swarm.all_nodes_ready(), within=SETTLED_S)
    wait(swarm.converged(perform.SITE, replicas=perform.REPLICAS), within=READY_S)
    evidence.write(events.LeaderAfterBackup(swarm.leader().name))


def _restore(home: Node, path: str, *options: str, evidence: Evidence) -> None:
    output = perform.restore(home, path, *options, title=f"On {home}: the restore")
    evidence.write(events.Restore(home.name, output.code, output.stderr.strip()))


LABS = ((perform.SITE, perform.REPLICAS), (STORE, 1))
"""The services of the lab's own cluster, and how many tasks each has."""


def rejoin(
    swarm: Swarm,
    home: Node,
    *,
    wait: Waiter,
    evidence: Evidence,
    services: Sequence[tuple[str, int]] = LABS,
) -> None:
    """Steps 3 to 5 of the procedure: note who came back, remove old rows, join the others.

    `services`: which services are waited for then, and how many tasks each has.
    """
    members = [node.name for node in swarm.nodes if _active(node)]
    evidence.write(events.CameBack(tuple(name for name in members if name != home.name)))
    outside = [node for node in swarm.nodes if node.name not in members]
    names = {node.name for node in outside}
    old = [row for row in swarm.rows(home) if row.name in names]
    voting = [row.id for row in old if row.reachability]
    if voting:
        perform.demote_rows(home, voting)
    ids = [row.id for row in old]
    if ids:
        wait(RowsRemoved(home, ids), within=READY_S)
    roles = {spec.name: str(spec.membership) for spec in swarm.topology.nodes}
    in_parallel(lambda node: perform.join(node, home, roles[node.name]), outside)
    evidence.write(events.Joined(tuple(node.name for node in outside), removed=tuple(ids)))
    wait(swarm.all_nodes_ready(), within=SETTLED_S)
    for service, replicas in services:
        wait(swarm.converged(service, replicas=replicas), within=READY_S)


class RowsRemoved:
    """Rows of lost machines are removed; a demoted manager's can be once it has no vote."""

    name = "the rows of lost machines are removed"

    def __init__(self, manager: Node, ids: Sequence[str]) -> None:
        self._manager = manager
        self._ids = ids
        self.node = manager.name

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Try once."""
        output = perform.remove_rows(self._manager, self._ids)
        left = output.stderr.strip()
        # Those that went at the first try are not found at the next.
        others = [line for line in left.splitlines() if "not found" not in line]
        return pending("; ".join(others)) if others else done(None, "all are")


def _active(node: Node) -> bool:
    """Whether the machine's engine is a member of a swarm."""
    try:
        return bool(node.engine.info()["Swarm"]["LocalNodeState"] != "inactive")
    except no_answer():
        return False


# -- the quorum alone is lost --------------------------------------------------------------------


def lose_the_quorum_and_force_a_new_cluster(
    swarm: Swarm, *, faults: Faults, wait: Waiter, evidence: Evidence
) -> None:
    """Two of three managers are destroyed; the survivor becomes a swarm of one, with no backup."""
    home = follower(swarm)
    lost = [node for node in swarm.managers() if node is not home]
    workers = swarm.workers()
    perform.hide_tokens(swarm)
    perform.deploy(swarm, workers[0], wait=wait)
    evidence.write(events.Identity("before", **perform.identity(home)))
    evidence.state(swarm)
    with faults.destroy(*lost):
        wait(swarm.refuses_changes(home), within=READY_S)
        forced = home.run(
            "docker", "swarm", "init", "--force-new-cluster", "--advertise-addr", home.address,
            check=False,
            title=f"On {home}, which survives",
        )  # fmt: skip
        home.forget_connections()
        evidence.write(events.Forced(home.name, forced.code, forced.stderr.strip()))
        wait(swarm.accepts_changes(home), within=READY_S)
        evidence.write(events.Answers(home.name))
        for worker in workers:
            wait(swarm.node_is(worker, state="ready"), within=SETTLED_S)
        evidence.write(events.Identity("after", **perform.identity(home)))
        evidence.listing(home, "The workers are back by themselves")
    rejoin(swarm, home, wait=wait, evidence=evidence)
    wait(swarm.all_nodes_ready(), within=SETTLED_S)
    evidence.state(swarm)
    evidence.listing(home, "Three managers again")


# -- autolock ------------------------------------------------------------------------------------


def restore_a_locked_swarm(
    swarm: Swarm, *, faults: Faults, wait: Waiter, evidence: Evidence
) -> None:
    """Backups of two of three autolocked managers, all machines destroyed, both restored."""
    leader = swarm.leader()
    homes = [node for node in swarm.managers() if node is not leader]
    perform.hide_tokens(swarm)
    perform.install(*homes)
    perform.deploy(swarm, homes[0], wait=wait)
    key = perform.lock(swarm)
    told = perform.identity(homes[0])
    swarm_id = str(told["swarm"]).encode()
    evidence.write(events.Identity("before", **told))
    unsaid = perform.backup(homes[0], title=f"On {homes[0]}: nobody says where the key is kept")
    evidence.write(events.Unlock(KEY_UNSAID, unsaid.output.code))
    carried = {}
    for home in homes:
        taken = perform.backup(
            home, "--unlock-key-dir", perform.KEYS, title=f"On {home}: a locked backup"
        )
        evidence.write(events.Backup(taken.output.code, home.name))
        wait(swarm.all_nodes_ready(), within=SETTLED_S)
        carried[home] = perform.carry_away(home, taken.path)
        content = archive.whole(carried[home])
        evidence.write(
            events.KeyKept(
                home.name,
                in_backup=key in content,
                # What is surely in it, and would be found: the swarm's id, in the manifest.
                control=swarm_id in content,
                beside=perform.kept_key(home) == key,
            )
        )
    with faults.destroy(*swarm.nodes):
        evidence.write(events.Destroyed(tuple(node.name for node in swarm.nodes)))
    perform.install(*homes)
    paths = {home: perform.bring(home, carried[home]) for home in homes}

    def offer(case: str, *options: str) -> None:
        home = homes[0]
        output = perform.restore(home, paths[home], CONFIRMED, *options, title=case)
        evidence.write(events.Unlock(case, output.code, output.stderr.strip()))

    for home in homes:
        home.put(key + b"\n", "/root/key")
    homes[0].put(b"SWMKEY-1-" + b"A" * 43 + b"\n", "/root/wrong")
    offer(NO_KEY, "--keep-membership")
    offer(WRONG_KEY, "--keep-membership", "--unlock-key-file", "/root/wrong")
    offer(ALONE, "--unlock-key-file", "/root/key")

    def bring_back(home: Node) -> None:
        _restore(
            home, paths[home], CONFIRMED, "--keep-membership", "--unlock-key-file", "/root/key",
            evidence=evidence,
        )  # fmt: skip

    in_parallel(bring_back, homes)
    wait(swarm.accepts_changes(homes[0]), within=SETTLED_S)
    evidence.write(events.Answers(homes[0].name))
    evidence.write(events.Identity("after", **perform.identity(homes[0])))
    rejoin(swarm, homes[0], wait=wait, evidence=evidence)
    wait(swarm.all_nodes_ready(), within=SETTLED_S)
    evidence.write(perform.digest_in_container(swarm, wait=wait))
    evidence.state(swarm)


# -- a hot backup --------------------------------------------------------------------------------


def take_a_hot_backup(
    swarm: Swarm, *, faults: Faults, wait: Waiter, ledger: NewLedger, evidence: Evidence
) -> None:
    """The directory is copied while the only manager goes on deciding; then it is all there is."""
    (home,) = swarm.managers()
    perform.install(home)

    with ledger("configs", perform.keep_deciding(home)) as decided:
        wait(decided.acknowledges(20), within=READY_S)
        evidence.write(events.HotBegan(decided.acknowledged))
        taken = perform.backup(home, "--hot", title=f"On {home}: a hot backup")
        evidence.write(events.Backup(taken.output.code, home.name))
        wait(decided.acknowledges(5), within=READY_S)
    evidence.write(events.Identity("before", **perform.bare(perform.identity(home))))
    carried = perform.carry_away(home, taken.path)
    with faults.destroy(home):
        evidence.write(events.Destroyed((home.name,)))
    perform.install(home)
    _restore(home, perform.bring(home, carried), CONFIRMED, evidence=evidence)
    evidence.write(events.Identity("after", **perform.bare(perform.identity(home))))
    decided.found(perform.decisions(home))
    evidence.state(swarm)
