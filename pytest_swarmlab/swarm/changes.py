"""Every kind of change that this package makes to a cluster, and how to undo it.

On an inventory's cluster each change is announced and recorded (`change`) before it is made.
Fixtures, faults and conditions make only changes that begin as one of these. Any other change is a
test's own command, and the test must undo it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

BY_TEST = "by the test that makes it"


@dataclass(frozen=True)
class Change:
    """A kind of change: how it begins, and what undoes it, also if the testing process dies."""

    begins: tuple[str, ...]
    undone: str


BLOCK = "`docker service rm` at the end of its block; a timer on the node"
STACK = "`docker stack rm` after the test; a timer on the node"
OBJECT = "removed after the test; a timer on the node"
PLACE = "the directory is removed when the stack is deployed; a timer on the node"
BACKUP = (
    "nothing: its timer starts it as well, and the backup stays; a timer on the node starts the"
    " engine again"
)
NUMBERS = "`docker volume rm` at the end of its block; a timer on the node"
SCALED = "with the service, or as many as before at the end of its block; a timer on the node"
GUEST = "removed with all that he wrote at the end of his block; a timer on each node"
FAULT = "healed at the end of the fault's block; a timer on the node"
POWER = "powered on at the end of the fault's block; a process on this machine"
UNDOES = "nothing: it undoes another change"

CHANGES = (
    Change(("mkdir", "--mode=0700", "--", "/run/swarmlab-"), PLACE),
    Change(("write", "/run/swarmlab-"), PLACE),
    Change(("rm", "-rf", "--", "/run/swarmlab-"), UNDOES),
    Change(("docker", "stack", "deploy"), STACK),
    Change(("env",), STACK),  # with what stands for a stack file's variables
    Change(("docker", "stack", "rm"), UNDOES),
    Change(("docker", "volume", "create", "swarmlab-"), NUMBERS),
    Change(("tee", "--append", "--", "/var/lib/docker/volumes/swarmlab-"), NUMBERS),
    Change(("docker", "volume", "rm"), UNDOES),
    Change(("docker", "service", "create"), BLOCK),
    Change(("docker", "service", "update"), "with the service"),
    Change(("docker", "service", "scale"), SCALED),
    Change(("docker", "service", "rollback"), "with the service"),
    Change(("docker", "service", "rm"), UNDOES),
    Change(("docker", "secret", "create"), OBJECT),
    Change(("docker", "secret", "rm"), UNDOES),
    Change(("docker", "config", "create"), OBJECT),
    Change(("docker", "config", "rm"), UNDOES),
    Change(("POST", "/configs/create"), "the config is removed at once"),
    Change(("DELETE", "/configs/"), UNDOES),
    Change(("systemd-run",), "the timer is stopped when what it mends is mended"),
    Change(("systemctl", "stop"), FAULT),
    Change(("systemctl", "mask", "--runtime"), FAULT),
    Change(("systemctl", "unmask", "--runtime"), UNDOES),
    Change(("systemctl", "reset-failed"), UNDOES),
    Change(("systemctl", "start", "--no-block"), BACKUP),
    Change(("systemctl", "start"), UNDOES),
    Change(("kill", "-9"), FAULT),
    Change(("iptables", "-w"), FAULT),
    Change(("ip6tables", "-w"), FAULT),
    Change(("fallocate", "--length="), FAULT),
    Change(("rm", "-f", "--"), UNDOES),
    Change(("power", "off"), POWER),
    Change(("power", "on"), UNDOES),
    Change(("docker", "node", "demote"), FAULT),
    Change(("docker", "node", "promote"), UNDOES),
    Change(("guest", "swarmlab-"), GUEST),  # who writes on somebody's own site
)
"""The list. A word ends where the change's does, or begins it: `/run/swarmlab-…`."""


def undone(what: str) -> str:
    """The undoing of a change that is announced in these words."""
    words = shlex.split(what)
    for change in CHANGES:
        *whole, last = change.begins
        if len(words) >= len(change.begins):
            place = len(whole)
            path = words[place].partition("/v")[2].partition("/")[2]  # of an engine's API
            begun = words[place].startswith(last) or f"/{path}".startswith(last)
            if words[:place] == whole and begun:
                return change.undone
    return BY_TEST
