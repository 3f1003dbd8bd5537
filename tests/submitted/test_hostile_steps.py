"""Hostile programs on a real machine: each is ended within its limits, and the machine lives on.

`make mark` runs it. Limits are small here; those of a submission are `limits.SCRIPT`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swarmlab.marking.skeleton import PLACE
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.submitted import carrying, limits
from pytest_swarmlab.submitted.limits import Limits
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.waiting.waiter import Waiter

LIMITS = Limits(seconds=15, memory_mib=96, tasks=32, file_mib=8, disk_mib=200)

ENDED = "it had not ended after 15 s, and it was ended"

HOSTILE = {
    "fork-bomb": ("b() { b | b & }; b; sleep 600", ENDED),
    "endless-output": ("yes", "it wrote a file or an output of more than 8 MiB"),
    "endless-error": ("yes >&2", "it wrote a file or an output of more than 8 MiB"),
    "deaf": ("trap '' TERM INT HUP; while :; do sleep 1; done", ENDED),
    "huge-file": ("dd if=/dev/zero of=/root/huge bs=1M count=500", "exit code"),
    "many-files": (
        "for n in $(seq 900); do head -c 4M /dev/zero >/root/f$n; done; sleep 600",
        "it had written more than 200 MiB to the disk, and it was ended",
    ),
    "memory": (
        "x=x; while :; do x=$x$x; done",
        "it used more memory than 96 MiB, and it was ended",
    ),
    "endless-line": ("head -c 6M /dev/zero | tr '\\0' x; sleep 600", ENDED),
    "escapes": ("printf '\\033]0;owned\\007\\033[2J'; exit 3", "exit code"),
    "no-interpreter": ("#!/nonexistent/python\n", "it could not be started"),
    "daemon": ("setsid nohup sleep 4711 >/dev/null 2>&1 & exit 0", "exit code"),
}
"""Name → the program, and how it ends."""


@pytest.mark.swarm(managers=1, workers=0)
def test_each_is_ended_and_the_machine_lives_on(swarm: Swarm, wait: Waiter, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for name, (program, _) in HOSTILE.items():
        text = program if program.startswith("#!") else f"#!/bin/bash\n{program}\n"
        (tmp_path / f"scripts/{name}").write_text(text, "utf-8")
    (tmp_path / "scripts/outside").symlink_to("/etc/passwd")
    carrying.carry(Submission.read(tmp_path), swarm)
    (node,) = swarm.nodes
    place = PLACE
    assert not node.host.file(f"{place}/scripts/outside").exists

    wrong = []
    for name, (_, why) in HOSTILE.items():
        ran = limits.run(node, (f"{place}/scripts/{name}",), where=place, wait=wait, limits=LIMITS)
        told = f"exit code {ran.code}" if ran.code is not None else ran.why
        if not told.startswith(why):
            wrong.append(f"{name}: {told}, not {why}")
        if len(ran.output) > limits.SHOWN:
            wrong.append(f"{name}: {len(ran.output)} characters of output")
        node.look("sh", "-c", "rm -f /root/huge /root/f[0-9]*")
    assert wrong == []

    left = node.look("ps", "-eo", "args", "--no-headers").stdout.splitlines()
    assert [line for line in left if place in line or "4711" in line] == []
    assert node.engine.ping()
