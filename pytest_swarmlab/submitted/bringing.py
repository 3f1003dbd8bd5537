"""Brings a submission onto a throw-away swarm, step by step as its swarmlab.yml says.

Nothing of it runs anywhere but on the swarm's machines. After a step that fails the next one is
done all the same: so a failed step costs only what depends on it.
"""

from __future__ import annotations

import time
from pathlib import PurePosixPath
from typing import Any

from pytest_swarmlab.errors import NotConverged, ProviderError, Unusable
from pytest_swarmlab.evidence import waits
from pytest_swarmlab.evidence.events import Notice, SubmissionSettled, SubmissionStep
from pytest_swarmlab.marking.declared import Step
from pytest_swarmlab.marking.skeleton import PLACE
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.submitted import carrying, limits
from pytest_swarmlab.submitted.limits import Ran
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.waiting.conditions import brief, no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, pending

WHOLE_S = 120.0
"""Longest the swarm may need to be whole after a step: a backup stops an engine."""

SETTLED_S = 360.0
"""Longest all services may need until all their tasks run. WordPress with its database on NFS
needs 40 to 130 s on five embedded machines."""

ALTOGETHER_S = 1200.0
"""When no further step is begun."""


def bring(submission: Submission, steps: tuple[Step, ...], swarm: Swarm) -> None:
    """Perform the steps.

    Raises ProviderError on an inventory's cluster, and Unusable if the submission's files can't be
    copied to the machines.
    """
    if swarm.machines.foreign:
        raise ProviderError(
            "a submission's scripts run on throw-away machines only, not on an inventory's"
        )
    carrying.carry(submission, swarm)
    until = time.monotonic() + ALTOGETHER_S
    for number, step in enumerate(steps, 1):
        if why := _why_not(submission, step):
            _record(swarm, number, step, "", _not(why))
        else:
            _do(submission, number, step, swarm, until)
    _await(swarm)


def _why_not(submission: Submission, step: Step) -> str:
    """Why a step is not even begun; "" where it is."""
    if step.place not in submission.files:
        return f"{step.place} is {submission.odd.get(step.place, 'not there')}"
    if step.name:
        try:
            carrying.refuse_too_much(submission, step.place)
        except Unusable as error:
            return str(error)
    return ""


def _do(submission: Submission, number: int, step: Step, swarm: Swarm, until: float) -> None:
    wait = waits.of_the_suite(swarm.recorder)
    try:
        wait(swarm.all_nodes_ready(), within=WHOLE_S)
        nodes = [swarm.leader()] if step.name else _where(step, swarm)
    except (NotConverged, ProviderError) as error:
        # What it does is its own affair; that the swarm was not whole is known.
        swarm.recorder.write(Notice(f"before {step} the swarm was not ready: {error}"))
        nodes = swarm.nodes[:1] if step.name else _where(step, swarm)
    for node in nodes:
        began = time.monotonic()
        if began > until:
            how = _not(f"no time was left: {ALTOGETHER_S:.0f} s had been used")
        else:
            how = _done(submission, step, node, wait)
        _record(swarm, number, step, node.name, how, time.monotonic() - began)


def _done(submission: Submission, step: Step, node: Node, wait: Waiter) -> Ran:
    try:
        if step.name:
            return deployed(step, node, wait)
        return ran(submission, step.place, node, wait)
    except ProviderError as error:
        return _not(f"{node} could not be asked: {error}")


def _where(step: Step, swarm: Swarm) -> list[Node]:
    """The machines on which a script is run, in their order."""
    managers = {spec.name for spec in swarm.topology.managers}
    found = []
    for node in swarm.nodes:
        meant = {"all", node.name, "managers" if node.name in managers else "workers"}
        if step.on in meant:
            found.append(node)
    return found


def deployed(step: Step, node: Node, wait: Waiter) -> Ran:
    """Deploy a stack of theirs there, by its own files."""
    path = PurePosixPath(PLACE, step.place)
    # The images are on the nodes already: no registry is asked for digests.
    words = ("--resolve-image", "never", "-c", str(path), step.name)
    return limits.run(
        node, ("/usr/bin/docker", "stack", "deploy", *words), where=str(path.parent), wait=wait,
        limits=limits.DEPLOY,
    )  # fmt: skip


def ran(submission: Submission, place: str, node: Node, wait: Waiter, *words: str) -> Ran:
    """Run a script of theirs there with these words."""
    path = str(PurePosixPath(PLACE, place))
    own = submission.content(place, 2) == b"#!"
    argv = (path,) if own else ("/bin/bash", path)
    return limits.run(node, (*argv, *words), where=PLACE, wait=wait)


def _not(why: str) -> Ran:
    return Ran(None, why, "")


def _record(
    swarm: Swarm, number: int, step: Step, node: str, ran: Ran, seconds: float = 0.0
) -> None:
    swarm.recorder.write(
        SubmissionStep(
            number, str(step), node, ran.code, ran.why, ran.output, seconds=round(seconds, 1)
        )
    )


def _await(swarm: Swarm) -> None:
    """Wait until everything runs, and record what does not."""
    settled = _Settled(swarm)
    try:
        waits.of_the_suite(swarm.recorder)(settled, within=SETTLED_S)
    except NotConverged as error:
        swarm.recorder.write(Notice(str(error)))
    swarm.recorder.write(SubmissionSettled(settled.missing))


class _Settled:
    """Every service runs all the tasks that it wants."""

    node = None
    name = "every service runs all its tasks"

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self.missing: dict[str, str] | None = None

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Look once."""
        try:
            services = self._swarm.leader().engine.api.services(status=True)
        except no_answer() as error:
            self.missing = None
            return pending(brief(error))
        self.missing = {
            str(service["Spec"]["Name"]): f"{running} of {wanted} tasks run"
            for service in services[:1000]
            for running, wanted in [_tasks(service)]
            if running < wanted
        }
        if not self.missing:
            return done(None, f"{len(services)} services")
        return pending("; ".join(f"{k}: {v}" for k, v in list(self.missing.items())[:8]))


def _tasks(service: dict[str, Any]) -> tuple[int, int]:
    """Running and wanted tasks."""
    status = service.get("ServiceStatus") or {}
    return int(status.get("RunningTasks") or 0), int(status.get("DesiredTasks") or 0)
