"""Failures of backups without the loss of a machine."""

import json
from contextlib import ExitStack

from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.lifecycle import create
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.conditions import EngineIs
from pytest_swarmlab.waiting.waiter import Waiter

from . import archive, events, perform
from .lost import RowsRemoved
from .perform import CONFIRMED, PLACE, READY_S, SETTLED_S, follower
from .setting import (
    ANOTHER_ADDRESS,
    ANOTHER_RUN,
    ANOTHER_SWARM,
    DISK_FULL,
    ENGINE_REFUSES,
    IT_LEADS,
    KILLED,
    NO_QUORUM_LEFT,
    NOT_CONFIRMED,
    OTHERS_ALIVE,
    VERIFIED,
)

STARTED_S = 60
"""Longest until a started unit is where it is waited for."""


# -- a broken backup is refused ------------------------------------------------------------------


def offer_broken_backups(swarm: Swarm, *, wait: Waiter, evidence: Evidence) -> None:
    """Offer backups that must be refused to a manager that works, as if the restore were meant."""
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

    for how in archive.DAMAGE:
        broken = perform.bring(home, archive.damaged(carried, how), f"/root/{how}")
        offer(how, home, broken, CONFIRMED)
    offer(ANOTHER_SWARM, home, perform.bring(home, foreign, "/root/foreign"), CONFIRMED)
    offer(ANOTHER_ADDRESS, other, perform.bring(other, carried), CONFIRMED)
    offer(NOT_CONFIRMED, home, taken.path, "--others-are-gone")
    offer(OTHERS_ALIVE, home, taken.path, CONFIRMED)
    offer(VERIFIED, home, taken.path, "--verify")
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

    attempt(IT_LEADS, leader)

    home.run("systemd-run", "--unit=holder", "flock", perform.LOCK, "sleep", "600")
    held = ("flock", "--nonblock", "--conflict-exit-code=0", perform.LOCK, "false")
    wait(home.succeeds(*held), within=STARTED_S)
    attempt(ANOTHER_RUN, home)
    home.run("systemctl", "stop", "holder.service")

    with faults.stop_engine(other):
        wait(swarm.node_is(other, reachability="unreachable"), within=READY_S)
        attempt(NO_QUORUM_LEFT, home)
    wait(swarm.all_nodes_ready(), within=SETTLED_S)

    # The swarm itself has room there; what ends the copy is a volume, while the engine is away.
    home.run("mkdir", "-p", "/mnt/full")
    home.run("mount", "-t", "tmpfs", "-o", "size=2m", "full", "/mnt/full")
    filler = perform.fill_a_volume(home, mib=4)
    attempt(DISK_FULL, home, place="/mnt/full/backups")
    home.run("umount", "/mnt/full")
    home.run("docker", "volume", "rm", filler)
    wait(swarm.all_nodes_ready(), within=SETTLED_S)

    _kill_it(swarm, home, wait=wait, evidence=evidence)

    # The engine goes on with what it has read, and can't be started again.
    home.run("mkdir", "-p", "/etc/docker")
    with ExitStack() as undone:
        undone.callback(home.run, "rm", "-f", "/etc/docker/daemon.json")
        home.put(b"{", "/etc/docker/daemon.json")
        attempt(ENGINE_REFUSES, home)
    home.run(perform.BACKUP, "--mend", title=f"On {home}: its cause removed, the engine is started")
    wait(EngineIs(home, up=True), within=READY_S)
    evidence.write(events.Mended(home.name, answers=perform.answers(home)))
    wait(swarm.all_nodes_ready(), within=SETTLED_S)


def _kill_it(swarm: Swarm, home: Node, *, wait: Waiter, evidence: Evidence) -> None:
    """kill -9 while the engine is stopped: systemd starts it again, since the script can't.

    The killed backup is one that the timer began.
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
            KILLED,
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
    """The update's state in the backup's inventory: that of the backup's moment, no later one."""
    services = json.loads(home.get(f"{path}/inventory/services.json"))
    site = next(each for each in services if each["Spec"]["Name"] == perform.SITE)
    return str(site.get("UpdateStatus", {}).get("State", ""))
