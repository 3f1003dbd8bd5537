"""A submission on a swarm, as drills get it: who plays which role, and how it was brought there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_swarmlab.errors import Unusable
from pytest_swarmlab.evidence import waits
from pytest_swarmlab.evidence.events import Notice, RolesDecided
from pytest_swarmlab.marking import declared, roles
from pytest_swarmlab.marking.declared import Declared
from pytest_swarmlab.marking.state.basis import PHASE as SURVEY
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.model import NodeSpec
from pytest_swarmlab.submitted import bringing, carrying, steps
from pytest_swarmlab.submitted.limits import Ran
from pytest_swarmlab.survey.look import look
from pytest_swarmlab.survey.seen import NodeRow, Survey
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.text import line


@dataclass(frozen=True)
class Work:
    """`cast`: which service plays which role. `said`: the content of swarmlab.yml. `submission` is
    None if a cluster is marked without one. `handed_in`: what was handed in beside a cluster that
    is marked as it is; nothing of it runs there.
    """

    swarm: Swarm
    survey: Survey
    cast: roles.Cast
    said: Declared
    submission: Submission | None
    handed_in: Submission | None = None

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

    def run(self, node: Node, place: str, *words: str) -> Ran:
        """Run a script of theirs there, within its limits."""
        if self.submission is None:
            raise Unusable(f"no submission was given, so there is no {place}")
        return bringing.ran(
            self.submission, place, node, waits.of_the_suite(self.swarm.recorder), *words
        )

    def carry_again(self) -> None:
        """Have its files on machines that are new."""
        if self.submission is not None:
            carrying.carry(self.submission, self.swarm)


def read(directory: Path) -> tuple[Submission, Declared]:
    """Read what was handed in, as far as bringing it onto a swarm needs.

    Raises ConfigError where it can't be read, Unusable where it can't be brought anywhere.
    """
    submission = Submission.read(directory)
    said = declared.read(submission)
    roles.check(said.roles)
    if not said.steps:
        raise Unusable(
            f"{declared.FILE} has no `steps`, and the submission has none of the lab's files: hand"
            " in a stack or a script"
        )
    carrying.packed(submission)
    return submission, said


def bring(directory: Path, swarm: Swarm) -> tuple[Submission, Declared]:
    """Bring what was handed in onto a new swarm, recorded as a phase of its own."""
    submission, said = read(directory)
    with swarm.recorder.phase(steps.exercise.phase(steps.PHASE)):
        bringing.bring(submission, said.steps, swarm)
    return submission, said


HOSTS_OWN = ("/", "/etc", "/root", "/proc", "/sys", "/dev", "/var/lib/docker")
SOCKETS = ("/run/docker.sock", "/var/run/docker.sock")


def reaches_out(survey: Survey) -> list[str]:
    """Sockets and directories of the machine that services mount, in words; this is permitted and
    reported. A visualizer needs the engine's socket, which gives root's rights.
    """
    return [
        f"{line(service.name)} mounts {what} of its machine, which gives it root's rights there"
        for service in survey.services or ()
        for each in service.attached
        if each.kind == "bind"
        and (
            what := "the engine's socket" if each.source in SOCKETS
            else line(each.source) if (each.source.rstrip("/") or "/") in HOSTS_OWN
            else ""
        )
    ]  # fmt: skip


def looked_at(
    swarm: Swarm,
    *,
    submission: Submission | None,
    said: Declared,
    away: Mapping[NodeSpec, str] | None = None,
    handed_in: Submission | None = None,
) -> Work:
    """Look at all of it, which is what the state is judged by, and find who plays what."""
    with swarm.recorder.phase(SURVEY):
        survey = look(swarm, away)
        if said.roles:
            swarm.recorder.write(RolesDecided(said.roles))
    for told in reaches_out(survey):
        swarm.recorder.write(Notice(told))
    return Work(swarm, survey, roles.Cast(survey, said.roles), said, submission, handed_in)
