"""The lab's own steps: a cluster with something in it, its backup, its restore.

The lab's script archives volumes under live databases, forgets the unlock key, leaves the engine
stopped when tar fails and purges nothing but archives; its restore verifies nothing. The scripts of
stacks/backup do what it means to do, and their README is the procedure that is followed here.
"""

import hashlib
import io
import re
import secrets
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.evidence.events import TaskSeen
from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.swarm import lifecycle
from pytest_swarmlab.swarm.cluster import Node, Output, Swarm
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.conditions import no_answer
from pytest_swarmlab.waiting.waiter import Waiter

from .events import Secret, SecretRead, TimerSet

SCRIPTS = STACKS / "backup"
PLACE = "/var/backups/swarm"
"""The scripts' own default."""

LOCK = "/run/swarm-backup.lock"
"""The lock that prevents a second run of either script."""

BACKUP, RESTORE = "/usr/local/sbin/swarm-backup", "/usr/local/sbin/swarm-restore"
UNIT, TIMER = "swarm-backup.service", "swarm-backup.timer"
SOON = b"[Timer]\nOnCalendar=\nOnActiveSec=1s\nAccuracySec=100ms\n"
"""In place of the night: the timer's own file says when else."""

KEYS = "/root/unlock-keys"
"""Not beside the backups, since key and backup give away every secret."""

CONFIRMED = "--yes-replace-this-swarm"

IMAGE = "nginx:alpine"
SITE, STORE = "site", "store"
REPLICAS = 3
SECRET, CONFIG, VOLUME = "site-key", "site-page", "store-data"
LEDGER = "/data/ledger"
READY_S = 120
"""A service's containers, or an engine that was started again, on a machine that is busy."""

SETTLED_S = 180
"""Longest the managers may take to see all nodes as they are after a restart."""


def follower(swarm: Swarm) -> Node:
    """A manager that doesn't lead: where a backup is taken."""
    leader = swarm.leader()
    return next(node for node in swarm.managers() if node is not leader)


def install(*nodes: Node) -> None:
    """The scripts and their units, as the README says."""
    for node in nodes:
        for name, mode, place in (
            ("swarm-backup", "0755", "/usr/local/sbin"),
            ("swarm-restore", "0755", "/usr/local/sbin"),
            ("swarm-backup.service", "0644", "/etc/systemd/system"),
            ("swarm-backup-mend.service", "0644", "/etc/systemd/system"),
            ("swarm-backup.timer", "0644", "/etc/systemd/system"),
        ):
            node.put((SCRIPTS / name).read_bytes(), f"/root/{name}")
            node.run("install", "-m", mode, f"/root/{name}", place)
        node.run("systemctl", "daemon-reload")


@contextmanager
def timer_set(node: Node) -> Iterator[None]:
    """Start the timer so that it elapses a second later instead of at night; stop it at the end."""
    place = f"/run/systemd/system/{TIMER}.d"
    with ExitStack() as undone:  # The last is done first, and each whatever becomes of the others.
        undone.callback(node.run, "systemctl", "daemon-reload")
        undone.callback(node.run, "rm", "-rf", place)
        node.run("mkdir", "-p", place)
        node.put(SOON, f"{place}/soon.conf")
        undone.callback(node.run, "systemctl", "stop", TIMER)
        node.run("systemctl", "daemon-reload")
        node.run("systemctl", "start", TIMER, title=f"On {node}: the timer is started")
        yield


def timer(node: Node) -> TimerSet:
    """When the timer last elapsed, and what it starts, in systemd's own words."""
    shown = node.look(
        "systemctl", "show", "--property=LastTriggerUSec,Unit", TIMER,
        title=f"On {node}: the timer began the backup",
    ).stdout  # fmt: skip
    facts = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return TimerSet(node.name, facts.get("LastTriggerUSec", ""), facts.get("Unit", ""))


def deploy(swarm: Swarm, home: Node, *, wait: Waiter) -> None:
    """A site with a secret and a config on any nodes; a store with a local volume on `home`.

    Nobody knows the secret's value but the swarm and this process.
    """
    leader = swarm.leader()
    value = secrets.token_urlsafe(18).encode()
    swarm.recorder.redactor.hide(SECRET, value)
    swarm.recorder.write(Secret(hashlib.sha256(value).hexdigest()))
    leader.run("docker", "secret", "create", SECRET, "-", stdin=value)
    leader.run("docker", "config", "create", CONFIG, "-", stdin=b"the page\n")
    leader.run(
        "docker", "service", "create", "--detach", "--no-resolve-image",
        "--name", SITE, "--replicas", str(REPLICAS), "--secret", SECRET,
        "--config", f"source={CONFIG},target=/usr/share/nginx/html/index.html",
        IMAGE,
        title="A service with a secret and a config",
    )  # fmt: skip
    leader.run(
        "docker", "service", "create", "--detach", "--no-resolve-image",
        "--name", STORE, "--mount", f"type=volume,source={VOLUME},target=/data",
        "--constraint", swarm.only(home),
        IMAGE,
        title="A service with data in a local volume",
    )  # fmt: skip
    wait(swarm.converged(SITE, replicas=REPLICAS), within=READY_S)
    wait(swarm.converged(STORE, replicas=1, on=home), within=READY_S)


def remove(swarm: Swarm) -> None:
    """Take it away again, so that the cluster serves the next test."""
    for name in (SITE, STORE):
        Service(swarm, name).remove()
    leader = swarm.leader()
    leader.run("docker", "secret", "rm", SECRET)
    leader.run("docker", "config", "rm", CONFIG)
    for node in swarm.nodes:
        node.run("docker", "volume", "rm", "--force", VOLUME)


def fill_a_volume(node: Node, *, mib: int) -> str:
    """A volume with that much data that can't be compressed; returns its name."""
    name = "filler"
    node.run("docker", "volume", "create", name)
    shown = node.look("docker", "volume", "inspect", "--format", "{{.Mountpoint}}", name)
    place = shown.stdout.strip()
    node.run("dd", "if=/dev/urandom", f"of={place}/filler", "bs=1M", f"count={mib}")
    return name


def write(swarm: Swarm, home: Node, numbers: Sequence[int], *, wait: Waiter) -> list[int]:
    """Append numbers to the store, each acknowledged once it is on the disk; returns them."""
    (task,) = wait(swarm.converged(STORE, replicas=1, on=home), within=READY_S)
    lines = "".join(f"{number}\n" for number in numbers).encode()
    home.run("docker", "exec", "-i", task.container, "tee", "-a", LEDGER, stdin=lines)
    home.run("sync")
    return list(numbers)


def read(swarm: Swarm, home: Node, *, wait: Waiter) -> list[int]:
    """The numbers in the store, read in its running container."""
    (task,) = wait(swarm.converged(STORE, replicas=1, on=home), within=READY_S)
    said = home.run(
        "docker", "exec", task.container, "cat", LEDGER,
        title=f"On {home}: what the volume holds",
    ).stdout  # fmt: skip
    return [int(line) for line in said.split()]


def digest_in_container(swarm: Swarm, *, wait: Waiter) -> SecretRead:
    """SHA-256 of the secret as a running task of the site reads it, and where that task is."""
    task, *_ = wait(swarm.converged(SITE, replicas=REPLICAS), within=READY_S)
    return secret_in(task, SECRET, swarm.node(task.node))


def secret_in(task: TaskSeen, name: str, node: Node) -> SecretRead:
    """SHA-256 of a secret as that task, on that node, reads it. Raises CommandError if it can't."""
    said = node.look(
        "docker", "exec", task.container, "sha256sum", f"/run/secrets/{name}",
        title=f"On {node}: a task reads its secret",
    ).stdout  # fmt: skip
    return SecretRead(node.name, said.split()[0])


def identity(manager: Node) -> dict[str, Any]:
    """What makes this swarm itself, as that manager describes it; of secrets only names and ids."""
    api = manager.engine.api
    swarm: dict[str, Any] = api.inspect_swarm()
    return {
        "swarm": swarm["ID"],
        "node": api.info()["Swarm"]["NodeID"],
        "ca": _digest(swarm["TLSInfo"]["TrustRoot"]),
        "tokens": {role: _digest(token) for role, token in swarm["JoinTokens"].items()},
        "settings": swarm["Spec"],
        "secrets": {each["Spec"]["Name"]: each["ID"] for each in api.secrets()},
        "configs": {
            each["Spec"]["Name"]: [each["ID"], each["Spec"]["Data"]] for each in api.configs()
        },
        "services": {
            each["Spec"]["Name"]: [each["ID"], each["Spec"]] for each in api.services()
        },
        "networks": {
            each["Name"]: each["Id"] for each in api.networks(filters={"scope": "swarm"})
        },
    }  # fmt: skip


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Taken:
    """The outcome and the path of a backup; `path` is "" if it is incomplete."""

    output: Output
    path: str


def backup(node: Node, *options: str, title: str | None = None) -> Taken:
    """Run swarm-backup on that manager, however it ends."""
    output = node.run(BACKUP, *options, check=False, title=title)
    node.forget_connections()
    told = re.search(r"complete: (/\S+)", output.stdout + output.stderr)
    return Taken(output, told[1] if told else "")


def restore(node: Node, path: str, *options: str, title: str | None = None) -> Output:
    """Run swarm-restore on that machine, however it ends."""
    output = node.run(RESTORE, *options, path, check=False, title=title)
    node.forget_connections()
    return output


def manifest(node: Node, path: str) -> dict[str, str]:
    """A backup's own facts."""
    lines = node.get(f"{path}/manifest").decode().splitlines()
    return dict(line.split("=", 1) for line in lines)


def carry_away(node: Node, path: str) -> bytes:
    """The backup as one tar, off the machine: what is kept there dies with it."""
    parent, _, name = path.rpartition("/")
    node.run("tar", "--create", "--file=/root/carried.tar", f"--directory={parent}", name)
    return node.get("/root/carried.tar")


def bring(node: Node, carried: bytes, place: str = PLACE) -> str:
    """Put a backup on a machine; returns where it is there."""
    node.put(carried, "/root/carried.tar")
    node.run("mkdir", "-p", place)
    node.run("tar", "--extract", "--file=/root/carried.tar", f"--directory={place}")
    with tarfile.open(fileobj=io.BytesIO(carried)) as inside:
        return f"{place}/{inside.getnames()[0].split('/')[0]}"


def join(node: Node, manager: Node, role: str) -> None:
    """`docker swarm join` on that machine, with the token that the manager gives out."""
    asked = manager.look("docker", "swarm", "join-token", "--quiet", role)
    token = asked.stdout.strip()
    try:
        node.run(
            "docker", "swarm", "join", "--token", token, manager.at(2377),
            title=f"On {node}: it joins as {role}",
        )  # fmt: skip
    except CommandError as error:
        if lifecycle.JOINS_ON not in error.stderr:
            raise
    node.forget_connections()


def hide_tokens(swarm: Swarm) -> None:
    """Nothing that the run writes shows a join token."""
    tokens = swarm.leader().engine.api.inspect_swarm()["JoinTokens"]
    for role, token in tokens.items():
        swarm.recorder.redactor.hide(f"join token {role}", token)


def demote_rows(manager: Node, ids: Sequence[str]) -> None:
    """`docker node demote` of lost machines that still have a vote."""
    manager.run("docker", "node", "demote", *ids, title="The votes of lost managers are taken away")


def remove_rows(manager: Node, ids: Sequence[str]) -> Output:
    """`docker node rm` of destroyed machines; `--force`, since their rows may not be Down yet."""
    return manager.run(
        "docker", "node", "rm", "--force", *ids,
        check=False,
        title="The rows of lost machines are removed",
    )  # fmt: skip


def engine_since(node: Node) -> str:
    """Start time of the engine's service, which changes with each start."""
    shown = node.look(
        "systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "docker.service"
    )
    return shown.stdout.strip()


def listed(node: Node, place: str) -> list[str]:
    """Names in a directory."""
    return sorted(node.look("ls", "-A", place, check=False).stdout.split())


def answers(node: Node) -> bool:
    """Whether the engine answers now."""
    try:
        node.forget_connections()
        return bool(node.engine.ping())
    except no_answer():
        return False


def lock(swarm: Swarm) -> bytes:
    """`docker swarm update --autolock=true`; returns the unlock key, which no report shows."""
    leader = swarm.leader()
    # As text this command prints the key, before anybody could hide it.
    api = leader.engine.api
    found: dict[str, Any] = api.inspect_swarm()
    spec = {**found["Spec"], "EncryptionConfig": {"AutoLockManagers": True}}
    api.update_swarm(version=found["Version"]["Index"], swarm_spec=spec)
    key: str = api.get_unlock_key()["UnlockKey"]
    swarm.recorder.redactor.hide("unlock key", key)
    return key.encode()


def kept_key(node: Node) -> bytes:
    """The one unlock key that swarm-backup has written down."""
    (name,) = listed(node, KEYS)
    return node.get(f"{KEYS}/{name}").strip()


def keep_deciding(manager: Node) -> Callable[[int], str]:
    """A change that the managers decide again and again: a config, numbered."""

    def write(number: int) -> str:
        made = manager.engine.api.create_config(f"decision-{number}", b"a decision")
        return str(made["ID"])

    return write


def decisions(manager: Node) -> list[tuple[str, int]]:
    """Id and number of every decision that the swarm knows."""
    return [
        (each["ID"], int(each["Spec"]["Name"].removeprefix("decision-")))
        for each in manager.engine.api.configs()
        if each["Spec"]["Name"].startswith("decision-")
    ]


def bare(told: dict[str, Any]) -> dict[str, Any]:
    """An identity without the parts that change while it is copied."""
    return {key: value for key, value in told.items() if key != "configs"}
