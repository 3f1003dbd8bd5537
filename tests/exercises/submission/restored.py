"""Their backup is taken, every machine is destroyed, and their procedure brings the swarm back."""

import hashlib
import json
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

import pytest

from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.marking.declared import BACKUP
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.services import Service, Services
from pytest_swarmlab.waiting.waiter import Waiter

from ..exercise_2_8 import events, perform
from ..exercise_2_8.lost import AFTER, BEFORE, rejoin

SCRIPT = "scripts/backup.sh"
MOST_MIB = 128
"""Of a backup: a swarm's own directory has less than one, a database's volume a hundred."""

CARRIED = "/var/tmp/carried.tar"

READER, IMAGE = "swarmlab-reader", "nginx:alpine"
"""The image is on every new machine."""

VOLUME = "swarmlab-numbers"
"""On the machine whose backup is taken: the lab archives all of /var/lib/docker/volumes."""


def procedure(work: Work) -> tuple[str, tuple[str, ...]]:
    """Where their backups are, and the words that restore one. Skips the test without them."""
    if not work.said.backup or not (work.submission or work.handed_in):
        pytest.skip("swarmlab.yml does not say where backups are and how one is restored")
    return work.said.backup, work.said.restore


def lose_everything_and_restore(
    work: Work, *, faults: Faults, wait: Waiter, evidence: Evidence
) -> None:
    """As exercise 2.8 does it with the lab's own scripts."""
    swarm, (pattern, restore) = work.swarm, procedure(work)
    home = perform.follower(swarm)
    perform.hide_tokens(swarm)
    reader = _reader(work, home)
    if reader and (seen := _secret(reader, home, wait)):
        evidence.write(events.Secret(seen.digest))
    evidence.write(events.Identity("before", **_identity(home)))
    evidence.listing(home, "Before")
    swarm.rows(home)
    home.run("docker", "volume", "create", VOLUME)
    numbers = f"{home.engine.volumes.get(VOLUME).attrs['Mountpoint']}/numbers"
    append(home, numbers, BEFORE)
    taken = work.run(home, SCRIPT)
    home.forget_connections()
    evidence.write(events.TheirBackup(home.name, taken.code, taken.why))
    wait(swarm.all_nodes_ready(), within=perform.SETTLED_S)
    taken_last = newest(home, pattern)
    if taken_last is None:
        why = f"the backup ended with {taken.code}, and {pattern} is not there"
        evidence.write(events.Restore(home.name, None, why, theirs=True))
        return
    _, path = taken_last
    home.run("tar", "--create", f"--file={CARRIED}", "--directory=/", path.lstrip("/"))
    size = int(home.look("stat", "--format=%s", CARRIED).stdout)
    if size > MOST_MIB << 20:
        why = f"the backup has {size >> 20} MiB, and {MOST_MIB} are carried away at most"
        evidence.write(events.Restore(home.name, None, why, theirs=True))
        return
    carried = home.get(CARRIED)
    append(home, numbers, AFTER)
    evidence.write(events.WrittenAfter(tuple(AFTER)))

    with faults.destroy(*swarm.nodes):
        evidence.write(events.Destroyed(tuple(node.name for node in swarm.nodes)))
    evidence.state(swarm)
    work.carry_again()
    home.put(carried, CARRIED)
    home.run("tar", "--extract", f"--file={CARRIED}", "--directory=/")
    script, *words = (path if word == BACKUP else word for word in restore)
    done = work.run(home, script, *words)
    home.forget_connections()
    said = done.why or done.output.strip().rpartition("\n")[2]
    evidence.write(events.Restore(home.name, done.code, said, theirs=True))
    wait(swarm.has_leader(seen_by=home), within=perform.SETTLED_S)
    evidence.write(events.Answers(home.name))
    evidence.milestone(f"restored: {home} leads")
    evidence.write(events.Identity("after", **_identity(home)))
    evidence.listing(home, "Restored: the other rows are of machines that exist no more")
    rejoin(swarm, home, wait=wait, evidence=evidence, services=())
    kept = home.look(
        "cat", "--", numbers, check=False, title=f"On {home}: what of a volume is back"
    )
    found = tuple(int(word) for word in kept.stdout.split() if word.isdecimal())
    evidence.write(events.Found(found))
    evidence.state(swarm)
    evidence.listing(home, "After")
    if reader and (seen := _secret(reader, home, wait)):
        evidence.write(seen)


def append(node: Node, path: str, numbers: Sequence[int]) -> None:
    """Write these to a file there, a line each."""
    lines = "".join(f"{number}\n" for number in numbers)
    node.run("tee", "--append", "--", path, stdin=lines.encode())


def _identity(manager: Node) -> dict[str, Any]:
    """As the exercise's; definitions, which may hold plain secrets, as digests alone."""
    told = perform.identity(manager)
    hidden = {
        part: {
            name: hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
            for name, value in told[part].items()
        }
        for part in ("services", "configs")
    }
    return told | hidden


def _reader(work: Work, home: Node) -> Service | None:
    """A task that can read a secret of theirs and needs nothing else; None where they have none.

    A service of theirs may need what is lost with the machines: a volume, NFS, an image of its own.
    It runs where the backup is taken, if tasks may: there it is started again as soon as the swarm
    is restored, and not after all that the others are given at once when they have joined. It is
    not removed: the swarm that has it is destroyed, and goes after this drill.
    """
    secrets = (given for each in work.survey.services or () for given in each.secrets)
    if (given := next(secrets, None)) is None:
        return None
    takes_tasks = home.name in {row.machine for row in work.nodes()}
    return reader_of(given.name, work.swarm, at=home if takes_tasks else None)


def reader_of(secret: str, swarm: Swarm, *, at: Node | None) -> Service:
    """A task that reads this secret, on that machine or on any. Raises CommandError if refused."""
    where = ("--constraint", Service(swarm, READER).only(at)) if at else ()
    return Services(swarm).create(
        READER, "--secret", f"source={secret},target={READER}", *where,
        "--stop-grace-period", "1s", IMAGE, "sleep", "infinity",
        title=f"A task that reads {secret}",
    )  # fmt: skip


def _secret(reader: Service, home: Node, wait: Waiter) -> events.SecretRead | None:
    """The secret's SHA-256 as the task reads it, and where that is; None where it can't.

    A swarm without the service is another one: nobody there reads the secret.
    """
    if not home.engine.api.services(filters={"name": READER}):
        return events.SecretRead(home.name, None)
    (task,) = wait(reader.converged(replicas=1), within=perform.SETTLED_S)
    try:
        return perform.secret_in(task, READER, reader.swarm.node(task.node))
    except CommandError:
        return None


def newest(node: Node, pattern: str) -> tuple[float, str] | None:
    """What was made last there: when, and its path; None where there is nothing."""
    path = PurePosixPath(pattern)
    try:
        found = node.look(
            "find", str(path.parent), "-maxdepth", "1", "-name", path.name, "-printf", "%T@ %p\n"
        ).stdout  # fmt: skip
    except CommandError:
        return None
    rows = [line.split(" ", 1) for line in found.splitlines() if " /" in line]
    # A name may have lines of its own.
    fits = [(float(when), p) for when, p in rows if NUMBER.fullmatch(when) and _fits(p, path)]
    return max(fits, default=None)


NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


def _fits(found: str, pattern: PurePosixPath) -> bool:
    there = PurePosixPath(found)
    return there.parent == pattern.parent and fnmatchcase(there.name, pattern.name)
