"""Somebody's work on a swarm, as drills meet it: who plays which role, what brought it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_swarmlab.errors import Unusable
from pytest_swarmlab.evidence import waits
from pytest_swarmlab.marking import declared, roles
from pytest_swarmlab.marking.declared import Declared
from pytest_swarmlab.marking.state.basis import PHASE as SURVEY
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.model import NodeSpec
from pytest_swarmlab.submitted import bringing, carrying, steps
from pytest_swarmlab.submitted.limits import Ran
from pytest_swarmlab.survey.look import look
from pytest_swarmlab.survey.seen import NodeRow, Service, Survey
from pytest_swarmlab.swarm.cluster import Swarm


@dataclass(frozen=True)
class Work:
    """`cast`: who plays what. `said`: what swarmlab.yml says; `submission` is None for a cluster
    that is marked as it is.
    """

    swarm: Swarm
    survey: Survey
    cast: roles.Cast
    said: Declared
    submission: Submission | None

    def player(self, role: str) -> Service:
        """The service that plays the role. Skips the test where nobody does, with the reason."""
        service = self.cast.service(role)
        if service is None:
            pytest.skip(str(self.cast[role]))
        return service

    def nodes(self) -> tuple[NodeRow, ...]:
        """The rows of the node list that may be given tasks."""
        rows = self.survey.nodes or ()
        return tuple(row for row in rows if row.takes_tasks and not row.leftover)

    def deploys(self, stack: str) -> bool:
        """Whether a step of theirs deploys a stack of that name."""
        return self.submission is not None and any(s.name == stack for s in self.said.steps)

    def deploy_again(self, stack: str) -> Ran:
        """Deploy that stack of theirs once more, as they did."""
        step = next(each for each in self.said.steps if each.name == stack)
        wait = waits.of_the_suite(self.swarm.recorder)
        return bringing.deployed(step, self.swarm.leader(), wait)


def read(directory: Path) -> tuple[Submission, Declared]:
    """Read what was handed in, as far as bringing it onto a swarm needs.

    Raises ConfigError where it can't be read, Unusable where it can't be brought anywhere.
    """
    submission = Submission.read(directory)
    said = declared.read(submission)
    roles.check(said.roles)
    if not said.steps:
        raise Unusable(
            f"{declared.FILE} has no `steps`, and none of the lab's files is there: nothing would"
            " be brought onto a cluster"
        )
    carrying.packed(submission)
    return submission, said


def bring(directory: Path, swarm: Swarm) -> tuple[Submission, Declared]:
    """Bring what was handed in onto a new swarm, recorded as a phase of its own."""
    submission, said = read(directory)
    with swarm.recorder.phase(steps.exercise.phase(steps.PHASE)):
        bringing.bring(submission, said.steps, swarm)
    return submission, said


def looked_at(
    swarm: Swarm,
    *,
    submission: Submission | None,
    said: Declared,
    away: Mapping[NodeSpec, str] | None = None,
) -> Work:
    """Look at all of it, which is what the state is judged by, and find who plays what."""
    with swarm.recorder.phase(SURVEY):
        survey = look(swarm, away)
        if said.roles:
            swarm.recorder.record(roles.DECIDED, roles=dict(said.roles))
    return Work(swarm, survey, roles.Cast(survey, said.roles), said, submission)
