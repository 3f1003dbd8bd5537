"""Packs the files of a submission for the machines: regular files alone, under their own names."""

from __future__ import annotations

import io
import tarfile

from pytest_swarmlab.errors import Unusable
from pytest_swarmlab.marking import bounded_yaml
from pytest_swarmlab.marking.skeleton import PLACE
from pytest_swarmlab.marking.submission import LARGEST, Submission
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.lifecycle import in_parallel
from pytest_swarmlab.text import line

MOST_MIB = 32
"""Limit of all files together; the lab's stacks and scripts have less than one."""

STAYS = ("documents/", "answers.yml")
"""Files that no script and no stack needs: they are left out."""

ARCHIVE = f"{PLACE}.tar"

MOST_SERVICES, MOST_TASKS = 60, 200
"""Limits of one stack; the lab's largest has 8 services with 16 tasks. A million tasks would block
the managers."""


def packed(submission: Submission) -> bytes:
    """An archive of the files. Raises Unusable if they are more than a cluster is to carry, or
    change.

    Links, devices and the like are left out: `Submission` lists them apart, and opens none.
    """
    total, archive = 0, io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for place in sorted(submission.files):
            if place.startswith(STAYS):
                continue
            total += submission.files[place]
            if total > MOST_MIB * 2**20:
                raise Unusable(
                    f"the files besides documents/ have more than {MOST_MIB} MiB: hand in only"
                    " files that stacks and scripts need"
                )
            content = submission.content(place, LARGEST)
            about = tarfile.TarInfo(f"./{place}")
            about.size = len(content)
            about.mode = 0o755 if content.startswith(b"#!") else 0o644
            tar.addfile(about, io.BytesIO(content))
    return archive.getvalue()


def carry(submission: Submission, swarm: Swarm) -> None:
    """Unpack it on every machine. Raises Unusable, and CommandError if one can't unpack it."""
    content = packed(submission)

    def unpack(node: Node) -> None:
        node.run("mkdir", "--mode=0700", "--", PLACE)
        node.put(content, ARCHIVE)
        node.run("tar", "--extract", "--no-same-owner", f"--file={ARCHIVE}", f"--directory={PLACE}")
        node.run("rm", "--", ARCHIVE)

    in_parallel(unpack, swarm.nodes)


def refuse_too_much(submission: Submission, place: str) -> None:
    """Raise Unusable for a stack file with more services or tasks than five machines can run."""
    content = bounded_yaml.load(submission.content(place, bounded_yaml.MOST_BYTES + 1), place)
    services = content.get("services")
    if not isinstance(services, dict):
        return  # The engine refuses it with a message of its own.
    if len(services) > MOST_SERVICES:
        raise Unusable(
            f"{line(place)} has {len(services)} services: deploy at most {MOST_SERVICES}"
        )
    tasks = sum(_replicas(service) for service in services.values())
    if tasks > MOST_TASKS:
        raise Unusable(
            f"{line(place)} wants {tasks} tasks: deploy at most {MOST_TASKS} on five machines"
        )


def _replicas(service: object) -> int:
    deploy = service.get("deploy") if isinstance(service, dict) else None
    wanted = deploy.get("replicas", 1) if isinstance(deploy, dict) else 1
    if isinstance(wanted, str) and wanted.isdecimal() and len(wanted) < 10:
        wanted = int(wanted)
    return wanted if isinstance(wanted, int) else 1
