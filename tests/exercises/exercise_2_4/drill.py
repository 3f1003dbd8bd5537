"""The database is moved, its NFS server stopped, and after each step the data are looked for."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from pytest_swarmlab.clients.ledger import Ledger, Write
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import Guard, Undoes
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.waiting.waiter import Waiter

from .. import nfs, volumes
from ..postgres import READY_S, running
from . import events, perform, rexray
from .perform import Storage
from .setting import AWAY_S, BAD_NAMES, BAD_OPTIONS, LEDGER

Ledgers = Callable[[str, Write], Ledger]

FAILED_S = 60
BACK_S = 120
"""Longest until writes go on: a server that has come back waits for its clients first."""
ENTRIES = 4
PROOF_BYTES = 1 << 20
WEB_PROOF = "/data/proof"


@contextmanager
def share(swarm: Swarm, *, mounted_by: Sequence[Node] | None = None) -> Iterator[Node]:
    """The lab's NFS: manager1 exports, every node (or those) mounts; gone at the block's end."""
    server = nfs.server_of(swarm)
    clients = swarm.nodes if mounted_by is None else mounted_by
    with nfs.exported(server), nfs.mounted(server, clients):
        yield server


def look_at_the_share(swarm: Swarm, server: Node, evidence: Evidence) -> None:
    """Note packages, export, fstab and mount, as every node has them, and a file seen by all."""
    evidence.write(
        events.Server(
            server.name,
            package=server.host.package(nfs.SERVER).is_installed,
            exports=server.look("exportfs", "-s").stdout,
        )
    )
    gone = ("rm", "-f", "--", f"{nfs.SHARE}/seen")
    with Guard.undone_after(
        [(server, [gone])], "seen", Undoes.DEPLOYMENT, undo=lambda: server.run(*gone)
    ):
        server.put(b"seen by all", f"{nfs.SHARE}/seen")
        for node in swarm.nodes:
            fstab = node.get(nfs.FSTAB).decode().splitlines()
            evidence.write(
                events.Client(
                    node.name,
                    package=node.host.package(nfs.CLIENT).is_installed,
                    fstab=next((line for line in fstab if nfs.MOUNT in line.split()), ""),
                    mount=mount_of(node, nfs.MOUNT),
                    read=node.get(f"{nfs.MOUNT}/seen").decode(),
                )
            )


def mount_of(node: Node, path: str) -> str:
    """The line of /proc/mounts of the file system that holds that path on the node."""
    mounts = node.get("/proc/mounts").decode().splitlines()
    holds = [line for line in mounts if f"{path}/".startswith(line.split()[1].rstrip("/") + "/")]
    return max(reversed(holds), key=lambda line: len(line.split()[1]))


def follow_the_data(
    swarm: Swarm,
    storage: Storage,
    *,
    secret: Secrets,
    faults: Faults,
    wait: Waiter,
    ledger: Ledgers,
    evidence: Evidence,
) -> None:
    """Write on one node, stop the NFS server during the writes, read from another node."""
    server = nfs.server_of(swarm)
    home, other, *_ = swarm.workers()
    with perform.database(swarm, secret, storage, home) as service:
        container = running(service, home, wait)
        directory = perform.place(home, container)
        evidence.write(events.Place(home.name, directory, mount_of(home, directory)))
        perform.create_tables(home, container)
        perform.write_proof(home, container, secrets.token_bytes(PROOF_BYTES))
        note(evidence, "written", home, container)
        measure(evidence, home, directory)

        with ledger(LEDGER, lambda n: perform.write_entry(home, container, n)) as rows:
            wait(rows.acknowledges(ENTRIES), within=READY_S)
            with faults.stop_units(server, nfs.SERVER_UNIT):
                wait(service.watched(for_s=AWAY_S), within=READY_S)
            wait(rows.acknowledges(ENTRIES), within=BACK_S)
        evidence.tasks(swarm, service.name)
        # What stays behind when the service moves is looked for where it stays.
        rows.found(perform.read_entries(home, container))

        service.move(to=other, origin=home)
        moved = running(service, other, wait)
        evidence.write(events.Moved(other.name))
        note(evidence, "moved", other, moved)
        if storage.travels:
            rows.found(perform.read_entries(other, moved))


def note(evidence: Evidence, step: str, node: Node, container: str) -> None:
    """Record the checksum that the container reads."""
    sha256 = perform.checksum(node, container)
    evidence.write(events.Proof(step, node.name, container, sha256))


def measure(evidence: Evidence, node: Node, directory: str) -> None:
    """Record how fast the storage is: small writes that each reach the disk, and a long one."""
    fsyncs, block, size_mib = 200, 8192, 64
    evidence.write(
        events.Speed(
            node.name,
            fsyncs=fsyncs,
            fsync_block=block,
            fsync_seconds=perform.time_writes(
                node, directory, f"bs={block}", f"count={fsyncs}", "oflag=dsync"
            ),
            size_mib=size_mib,
            write_seconds=perform.time_writes(
                node, directory, "bs=1M", f"count={size_mib}", "conv=fsync"
            ),
        )
    )


def make_the_mistakes(swarm: Swarm, *, wait: Waiter, evidence: Evidence) -> None:
    """Mount what is not there or not exported, and give an existing volume other options."""
    worker = swarm.workers()[0]
    with share(swarm, mounted_by=[worker]) as server:
        mount_what_is_not_there(swarm, server, worker, wait=wait, evidence=evidence)
        change_the_options(swarm, server, worker, wait=wait, evidence=evidence)


def mount_what_is_not_there(
    swarm: Swarm, server: Node, worker: Node, *, wait: Waiter, evidence: Evidence
) -> None:
    """Three services at once, each with a mount that can't be had."""
    mistakes = {
        "missing-subdirectory": nfs.volume(server, f"{nfs.SHARE}/missing") + ",source=missing",
        # Where the lab's own configuration of REX-Ray looks; nothing exports it.
        "not-exported": nfs.volume(server, "/srv/nfs/volumes") + ",source=not-exported",
        "missing-bind-path": f"type=bind,source={nfs.MOUNT}/missing",
    }
    with ExitStack() as made:
        # One that was made for a mount that failed stays.
        for name in ("missing", "not-exported"):
            made.enter_context(volumes.named(name, [worker]))
        services = {
            name: made.enter_context(perform.web(swarm, name, mount, worker))
            for name, mount in mistakes.items()
        }
        for name, service in services.items():
            task = wait(service.task_failed(), within=FAILED_S)
            evidence.write(events.Mistake(name, task.node, task.state, task.error))


def change_the_options(
    swarm: Swarm, server: Node, worker: Node, *, wait: Waiter, evidence: Evidence
) -> None:
    """Two services one after the other, whose volumes have one name and other directories."""
    with (
        nfs.directory(server, f"{nfs.SHARE}/first"),
        nfs.directory(server, f"{nfs.SHARE}/other"),
        volumes.named("twice", [worker]),
    ):
        for path in ("first", "other"):
            mount = nfs.volume(server, f"{nfs.SHARE}/{path}") + ",source=twice"
            with perform.web(swarm, f"options-{path}", mount, worker) as service:
                wait(service.converged(replicas=1, on=worker), within=READY_S)
                options = worker.engine.volumes.get("twice").attrs["Options"]
                evidence.write(events.Options(f":{nfs.SHARE}/{path}", options["device"]))


def squash_root(swarm: Swarm, *, secret: Secrets, wait: Waiter, evidence: Evidence) -> None:
    """Start the same database on an export with root_squash, then with no_root_squash."""
    server, worker = nfs.server_of(swarm), swarm.workers()[0]
    path = "/srv/nfs/squashed"
    squashed = nfs.OPTIONS.replace("no_root_squash", "root_squash")
    with (
        nfs.exported(server, path, squashed) as export,
        perform.volume_in(swarm, path) as storage,
        perform.database(swarm, secret, storage, worker) as service,
    ):
        task = wait(service.task_failed(), within=READY_S)
        said = worker.log_of(task.container)
        evidence.write(events.Squashed(task.error, said))
        export(nfs.OPTIONS)
        running(service, worker, wait)
        owner = server.look("stat", "-c", "%u:%a", f"{path}/db-volume").stdout.strip()
        evidence.write(events.Unsquashed(worker.name, owner))


def lose_the_server(swarm: Swarm, *, faults: Faults, wait: Waiter, evidence: Evidence) -> None:
    """Start a service while the server is away, and look at the mounted share meanwhile.

    Not on the node that has the share mounted: its kernel would wait for the server for the new
    mount too.
    """
    starting, looking, *_ = swarm.workers()
    with (
        share(swarm, mounted_by=[looking]) as server,
        nfs.directory(server, f"{nfs.SHARE}/web") as path,
        ExitStack() as made,
    ):
        made.enter_context(volumes.named("web", [starting]))
        with faults.stop_units(server, nfs.SERVER_UNIT):
            mount = nfs.volume(server, path) + ",source=web"
            service = made.enter_context(perform.web(swarm, "web", mount, starting))
            task = wait(service.task_failed(), within=FAILED_S)
            evidence.write(events.Refused(task.node, task.state, task.error))
            look = looking.look("timeout", "5", "ls", nfs.MOUNT, check=False)
            evidence.write(events.Hangs(looking.name, look.code, look.stderr))
        wait(service.converged(replicas=1, on=starting), within=BACK_S)
        wait(looking.succeeds("timeout", "5", "ls", nfs.MOUNT), within=BACK_S)
        evidence.tasks(swarm, service.name)


def activate_the_plugin(
    swarm: Swarm, plugin: ExitStack, *, wait: Waiter, evidence: Evidence
) -> None:
    """Create a service that names the driver: before any node has it, and after each has used it
    once.

    The driver stays installed until `plugin` is closed.
    """
    server = nfs.server_of(swarm)
    mount = "type=volume,volume-driver=rexray,volume-opt=size=1,source=scheduled"
    # An engine that has ever used it knows it until it is restarted, whether or not it is there.
    known_before = rexray.advertised(swarm)
    evidence.write(events.Advertised(tuple(known_before)))
    with perform.web(swarm, "needs-plugin", mount) as service:
        if not known_before:
            task = wait(service.task_blocked(), within=FAILED_S)
            evidence.write(events.Blocked(task.error))
        plugin.enter_context(rexray.installed(swarm, server))
        for node in swarm.nodes:
            rexray.create(node, "shared-data")
        plugin.callback(rexray.remove, server, "shared-data")
        evidence.write(events.Activated())
        (task,) = wait(service.converged(replicas=1), within=READY_S)
        evidence.write(events.Scheduled(task.node))
        for node in swarm.nodes:
            evidence.write(events.Known(node.name, tuple(rexray.known(node))))
    rexray.remove(server, "scheduled")


def kill_the_driver(swarm: Swarm, *, wait: Waiter, evidence: Evidence) -> None:
    """`kill -9` of the driver under a running service, which then moves to another node."""
    home, other, *_ = swarm.workers()
    rexray.create(home, "kept")
    with perform.web(swarm, "keeps-on", "source=kept", home) as service:
        (task,) = wait(service.converged(replicas=1, on=home), within=READY_S)
        look = functools.partial(note_driver, evidence, home, task.container)
        perform.write_proof(home, task.container, secrets.token_bytes(PROOF_BYTES), at=WEB_PROOF)
        look("before")
        home.run("kill", "-9", rexray.main_pid(home), title=f"On {home}: the driver is killed")
        wait(home.succeeds(*rexray.asking("List")), within=READY_S)
        look("after")
        perform.write_proof(home, task.container, secrets.token_bytes(PROOF_BYTES), at=WEB_PROOF)
        look("written again")
        service.move(to=other, origin=home)
        (task,) = wait(service.converged(replicas=1, on=other), within=READY_S)
        note_driver(evidence, other, task.container, "moved")
    rexray.remove(home, "kept")


def note_driver(evidence: Evidence, node: Node, container: str, step: str) -> None:
    """Record the driver's process, and what the container reads of its volume."""
    evidence.write(
        events.Driver(
            step,
            node.name,
            container,
            pid=rexray.main_pid(node),
            sha256=perform.checksum(node, container, at=WEB_PROOF),
        )
    )


def try_bad_volumes(swarm: Swarm, *, evidence: Evidence) -> None:
    """Options and names that can't be taken: through the engine, and past it to the driver."""
    server, node = nfs.server_of(swarm), swarm.workers()[0]
    before = server.look("find", "/srv/nfs", "-maxdepth", "3").stdout.split()
    for option in BAD_OPTIONS:
        output = rexray.create(node, "refused", option, check=False)
        evidence.write(events.RefusedOption(option, output.code, output.stderr))
    for name in BAD_NAMES:
        said = rexray.ask(node, "Create", Name=name, Opts={"size": "1"})
        evidence.write(events.RefusedName(name, said))
    after = server.look("find", "/srv/nfs", "-maxdepth", "3").stdout.split()
    evidence.write(events.ServerDirectory(tuple(sorted(before)), tuple(sorted(after))))
