"""A submission: its steps on a swarm, and its services' roles in the lab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events.kind import Seconds, Seen


@dataclass(frozen=True)
class SubmissionStep(Seen, kind="submission.step"):
    """A step of swarmlab.yml was done on a machine, or was not begun."""

    number: int
    step: Annotated[str, "in words"]
    node: str
    code: Annotated[int | None, "its exit code; null: it was killed, or not begun"]
    why: Annotated[str, "why there is no exit code"]
    output: Annotated[str, "the end of what it printed"]
    seconds: Seconds


@dataclass(frozen=True)
class SubmissionSettled(Seen, kind="submission.settled"):
    """The services that do not run once all steps are done."""

    missing: Annotated[Mapping[str, str] | None, "service → its running tasks; null: no answer"]


@dataclass(frozen=True)
class RolesDecided(Seen, kind="roles.decided"):
    """The roles that swarmlab.yml decides."""

    roles: Annotated[Mapping[str, str], "role → service or machine"]


@dataclass(frozen=True)
class Plays(Seen, kind="plays", whole=True):
    """A service plays a role of the lab in the drill that follows."""

    role: str
    service: str
    replicas: int
