"""Deploys the reference on a real cluster and surveys it, then makes known mistakes one by one.

`make known-bad` runs it: what it writes is data of the tests, and goes into the repository.
``KNOWN_BAD="two-managers no-fstab"`` has those recorded anew; otherwise those that are not yet.
"""

from __future__ import annotations

import io
import os
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pytest_swarmlab.errors import SwarmlabError
from pytest_swarmlab.marking.skeleton import PLACE
from pytest_swarmlab.marking.state.basis import PHASE
from pytest_swarmlab.model import Event
from pytest_swarmlab.survey import look
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.lifecycle import in_parallel
from pytest_swarmlab.waiting.waiter import Waiter
from tests.marking import known_bad
from tests.marking.furnished import NAMES, READY_S, Settled, furnish
from tests.marking.known_bad import OF_REFERENCE, Solution, Step

CHANGED = "/opt/changed"
"""Where the stacks with the mistake lie on the leader."""

MADE_S = 120.0
"""Longest a mistake, and what puts it right, may need until every service runs again."""

LONGEST_S = 760.0
"""When the run has taken so long, no further mistake is made: the next run goes on with it."""


def wanted() -> list[Solution]:
    """Those that are asked for, or all that are not recorded yet.

    What is quick comes first: nothing is deployed again, no manager joins or leaves.
    """
    named = os.environ.get("KNOWN_BAD", "").split()
    can = [each for each in known_bad.solutions() if each.recordable]
    can.sort(key=lambda each: (len(each.stacks), any("node" in s.run for s in each.machines)))
    if named:
        return [each for each in can if each.name in named]
    return [each for each in can if not each.recording.is_file()]


@pytest.mark.long
def test_surveys_of_the_reference_and_of_known_mistakes_are_recorded(
    swarm: Swarm, wait: Waiter, tmp_path: Path
) -> None:
    began, failed, asked_for = time.monotonic(), [], wanted()
    furnish(swarm, wait)
    named = os.environ.get("KNOWN_BAD", "").split()
    if OF_REFERENCE in named or not known_bad.path(OF_REFERENCE).is_file():
        known_bad.store(OF_REFERENCE, survey(swarm))
    for solution in asked_for:
        if time.monotonic() - began > LONGEST_S:
            break
        try:
            with made(solution, swarm, wait, tmp_path / solution.name):
                known_bad.store(solution.name, survey(swarm))
        except SwarmlabError as error:
            failed.append(f"{solution.name}: {error}")
            wait(swarm.all_nodes_ready(), within=READY_S)
            wait(Settled(swarm), within=READY_S)
    assert failed == []


def survey(swarm: Swarm) -> list[Event]:
    """One look at the cluster, as events."""
    after = len(swarm.recorder.view().events)
    with swarm.recorder.phase(PHASE):
        look.look(swarm)
    events = swarm.recorder.view().events[after:]
    return [each for each in events if each.kind.startswith("survey.")]


@contextmanager
def made(solution: Solution, swarm: Swarm, wait: Waiter, directory: Path) -> Iterator[None]:
    """The mistake is made within the block, and only there."""
    with ExitStack() as undo:
        undo.callback(lambda: wait(Settled(swarm), within=MADE_S))
        files = solution.stacks
        for file in files:
            undo.callback(deploy, swarm, PLACE, file)
        if files:
            root = known_bad.hand_in(solution, directory)
            carry(root / "stacks", swarm.leader())
        for file in files:
            deploy(swarm, CHANGED, file)
        for step in solution.machines:
            nodes = machines(step, swarm)
            if step.undo:
                undo.callback(everywhere, nodes, step.undo)
            everywhere(nodes, step.run)
        if solution.settles:
            wait(Settled(swarm), within=MADE_S)
        yield


def carry(stacks: Path, node: Node) -> None:
    """Have the changed stacks on that machine."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(stacks, "stacks")
    node.run("rm", "-rf", "--", CHANGED)
    node.run("mkdir", CHANGED)
    node.put(packed.getvalue(), f"{CHANGED}.tar")
    node.run("tar", "--extract", f"--file={CHANGED}.tar", f"--directory={CHANGED}")


def deploy(swarm: Swarm, place: str, file: str) -> None:
    """`docker stack deploy` of a stack file that lies on the leader."""
    words = ("--resolve-image", "never", "--prune", "-c", f"{place}/stacks/{file}", NAMES[file])
    swarm.leader().run("docker", "stack", "deploy", *words)


def machines(step: Step, swarm: Swarm) -> list[Node]:
    """Where the step's command is run."""
    groups = {"managers": swarm.managers(), "workers": swarm.workers(), "all": swarm.nodes}
    return [
        node
        for name in step.at
        for node in (groups[name] if name in groups else [swarm.node(name)])
    ]


def everywhere(nodes: list[Node], command: tuple[str, ...]) -> None:
    """Run it on each of them, at once."""
    in_parallel(lambda node: node.run(*command), nodes)
