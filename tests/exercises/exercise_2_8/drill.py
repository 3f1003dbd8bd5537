"""What goes wrong around a backup, and what is lost so that it is needed."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from pytest_swarmlab.clients.ledger import Ledger, Write
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.lifecycle import create, in_parallel
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.conditions import EngineIs, no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, pending

from . import events, perform
from .perform import CONFIRMED, PLACE, READY_S, SETTLED_S, STORE

Observe = Callable[..., AbstractContextManager[Any]]
NewLedger = Callable[[str, Write], Ledger]

BEFORE, AFTER = range(1, 201), range(201, 211)
"""What is written before the backup and must be there; and after it, which no backup can hold."""

STARTED_S = 60
"""Longest until a started unit is where it is waited for."""


def follower(swarm: Swarm) -> Node:
    """A manager that doesn't lead: where a backup is taken."""
    leader = swarm.leader()
    return next(node for node in swarm.managers() if node is not leader)


# -- a broken backup is refused ------------------------------------------------------------------


def offer_broken_backups(swarm: Swarm, *, wait: Waiter, evidence: Evidence) -> None:
    """Restore what must be refused, confirmed as if it were meant, on a manager that works."""
    home = follower(swarm)
    other = next(node for node in swarm.managers() if node not in (home, swarm.leader()))
    stranger = swarm.workers()[-1]
    perform.hide_tokens(swarm)
    perform.install(home, other, stranger)
    taken = perform.backup(home, title=f"On {home}: a backup, to be broken")
    wait(swarm.all_nodes_ready(), within=SETTLED_S)
    carried = perform.carry_away(home, taken.path)
    foreign = _backup_of_another_swarm(swarm, stranger, wait=wait)

    since = {node.name: perform.engine_since(node) for node in (home, other)}

    def offer(case: str, node: Node, path: str, *options: str) -> None:
        output = perform.restore(node, path, *options, title=f"On {node}: {case}")
        directory = perform.listed(node, "/var/lib/docker")
        evidence.write(
            events.Refusal(
                case,
                node.name,
                output.code,
                output.stderr.strip(),
                untouched=perform.engine_since(node) == since[node.name],
                left=tuple(name for name in directory if "restor" in name),
            )
        )

    for how in ("truncated", "bit-flipped", "manifest-edited", "checksums-cut", "volume-lost"):
        broken = perform.bring(home, perform.damaged(carried, how), f"/root/{how}")
        offer(how, home, broken, CONFIRMED)
    offer("another-swarm", home, perform.bring(home, foreign, "/root/foreign"), CONFIRMED)
    offer("another-address", other, perform.bring(other, carried), CONFIRMED)
    offer("not-confirmed", home, taken.path, "--others-are-gone")
    offer("others-alive", home, taken.path, CONFIRMED)
    offer("verified", home, taken.path, "--verify")
    wait(swarm.all_nodes_ready(), within=SETTLED_S)
    evidence.state(swarm)


def _backup_of_another_swarm(swarm: Swarm, stranger: Node, *, wait: Waiter) -> bytes:
    """A worker leaves, makes a swarm of its own, backs that up, and comes back."""
    leader = swarm.leader()
    old = next(row.id for row in swarm.rows(leader) if row.name == stranger.name)
    stranger.run("docker", "swarm", "leave")
    create(stranger)
    taken = perform.backup(stranger, title=f"On {stranger}: the backup of another swarm")
    foreign = perform.carry_away(stranger, taken.path)
    stranger.run("docker", "swarm", "leave", "--force")
    wait(RowsRemoved(leader, [old]), within=READY_S)
    perform.join(stranger, leader, "worker")
    wait(swarm.all_nodes_ready(), within=SETTLED_S)
    return foreign


# -- a backup that can't be taken ----------------------------------------------------------------


def get_into_trouble(swarm: Swarm, *, faults: Faults, wait: Waiter, evidence: Evidence) -> None:
    """Everything that keeps a backup from being taken, or its engine from coming back."""
    leader, home = swarm.leader(), follower(swarm)
    other = next(node for node in swarm.managers() if node not in (home, leader))
    perform.install(leader, home)

    def attempt(case: str, node: Node, *options: str, place: str = PLACE) -> None:
        since = perform.engine_since(node)
        taken = perform.backup(node, "--to", place, *options, title=f"On {node}: {case}")
        evidence.write(
            events.Trouble(
                case,
                node.name,
                taken.output.code,
                taken.output.stderr.strip(),
                complete=bool(taken.path),
                stopped=perform.engine_since(node) != since,
                answers=perform.answers(node),
                left=tuple(perform.listed(node, place)),
            )
        )

    attempt("it-leads", leader)

    home.run("systemd-run", "--unit=holder", "flock", perform.LOCK, "sleep", "600")
    held = ("flock", "--nonblock", "--conflict-exit-code=0", perform.LOCK, "false")
    wait(home.succeeds(*held), within=STARTED_S)
    attempt("another-run", home)
    home.run("systemctl", "stop", "holder.service")

    with faults.stop_engine(other):
        wait(swarm.node_is(other, reachability="unreachable"), within=READY_S)
        attempt("no-quorum-left", home)
    wait(swarm.all_nodes_ready(), within=SETTLED_S)

    # The swarm itself has room there; what ends the copy is a volume, while the engine is away.
    home.run("mkdir", "-p", "/mnt/full")
    home.run("mount", "-t", "tmpfs", "-o", "size=2m", "full", "/mnt/full")
    filler = perform.fill_a_volume(home, mib=4)
    attempt("disk-full", home, place="/mnt/full/backups")
    home.run("umount", "/mnt/full")
    home.run("docker", "volume", "rm", filler)
    wait(swarm.all_nodes_ready(), within=SETTLED_S)

    _kill_it(swarm, home, wait=wait, evidence=evidence)

    # The engine goes on with what it has read, and can't be started again.
    home.run("mkdir", "-p", "/etc/docker")
    home.put(b"{", "/etc/docker/daemon.json")
    attempt("engine-refuses", home)
    home.run("rm", "/etc/docker/daemon.json")
    home.run(perform.BACKUP, "--mend", title=f"On {home}: its cause removed, the engine is started")
    wait(EngineIs(home, up=True), within=READY_S)
    evidence.write(events.Mended(home.name, answers=perform.answers(home)))
    wait(swarm.all_nodes_ready(), within=SETTLED_S)


def _kill_it(swarm: Swarm, home: Node, *, wait: Waiter, evidence: Evidence) -> None:
    """kill -9 while the engine is stopped: systemd starts it, the script can't any more.

    The backup that is killed is one that the timer began.
    """
    before, since = perform.listed(home, PLACE), perform.engine_since(home)
    with perform.timer_set(home):
        wait(EngineIs(home, up=False), within=STARTED_S)
        home.run("systemctl", "kill", "--signal=KILL", perform.UNIT)
        evidence.write(perform.timer(home))
    wait(EngineIs(home, up=True), within=READY_S)
    # Whoever has started it may still hold the lock.
    wait(home.succeeds("flock", "--nonblock", perform.LOCK, "true"), within=STARTED_S)
    wait(swarm.all_nodes_ready(), within=SETTLED_S)
    shown = home.look("systemctl", "show", "--property=Result", "--value", perform.UNIT)
    complete = [name for name in perform.listed(home, PLACE) if not name.startswith(".partial-")]
    evidence.write(
        events.Trouble(
            "killed",
            home.name,
            137 if shown.stdout.strip() == "signal" else 0,
            shown.stdout.strip(),
            complete=complete != [name for name in before if not name.startswith(".partial-")],
            stopped=perform.engine_since(home) != since,
            answers=perform.answers(home),
            left=tuple(complete),
        )
    )


# -- a backup while services are updated ---------------------------------------------------------


def back_up_during_an_update(swarm: Swarm, *, wait: Waiter, evidence: Evidence) -> None:
    """A rolling update is under way on the leader while a follower is backed up."""
    leader, home = swarm.leader(), follower(swarm)
    perform.install(home)
    perform.deploy(swarm, home, wait=wait)
    leader.run(
        "docker", "service", "update", "--detach", "--no-resolve-image",
        "--update-parallelism", "1", "--update-delay", "8s", "--env-add", "VERSION=2",
        # By default an update pauses when a new task ends early, as one on `home` may.
        "--update-failure-action", "continue",
        perform.SITE,
        title="A rolling update begins",
    )  # fmt: skip
    state = _update_state(leader)
    taken = perform.backup(home, title=f"On {home}: the backup meanwhile")
    evidence.write(
        events.Backup(
            taken.output.code,
            update_before=state,
            update_after=_update_state(leader),
            inventory=_inventoried_update(home, taken.path),
        )
    )
    site = Service(swarm, perform.SITE)
    wait(site.updated(), within=SETTLED_S)
    wait(site.converged(replicas=perform.REPLICAS), within=READY_S)
    evidence.write(events.Updated(_update_state(leader)))
    wait(swarm.all_nodes_ready(), within=SETTLED_S)


def _update_state(leader: Node) -> str:
    shown = leader.look(
        "docker", "service", "inspect", "--format", "{{with .UpdateStatus}}{{.State}}{{end}}",
        perform.SITE,
    )  # fmt: skip
    return shown.stdout.strip()


def _inventoried_update(home: Node, path: str) -> str:
    """What the backup's inventory says of the update: it is that moment's, not a later one's."""
    services = json.loads(home.get(f"{path}/inventory/services.json"))
    site = next(each for each in services if each["Spec"]["Name"] == perform.SITE)
    return str(site.get("UpdateStatus", {}).get("State", ""))


# -- everything is lost --------------------------------------------------------------------------


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
        evidence.write(events.Carried(len(carried), tuple(perform.held(carried))))
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
    """Steps 3 to 5 of the procedure: who came back by itself; old rows go; the others join.

    `services`: what is waited for then.
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
    """Whether the machine is a member of a swarm by its own word."""
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
    evidence.write(events.Unlock("key-unsaid", unsaid.output.code))
    carried = {}
    for home in homes:
        taken = perform.backup(
            home, "--unlock-key-dir", perform.KEYS, title=f"On {home}: a locked backup"
        )
        evidence.write(events.Backup(taken.output.code, home.name))
        wait(swarm.all_nodes_ready(), within=SETTLED_S)
        carried[home] = perform.carry_away(home, taken.path)
        content = perform.whole(carried[home])
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
    offer("no-key", "--keep-membership")
    offer("wrong-key", "--keep-membership", "--unlock-key-file", "/root/wrong")
    offer("alone", "--unlock-key-file", "/root/key")

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
