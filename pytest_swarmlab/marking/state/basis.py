"""The base of all state checks: how one is declared, and the survey that it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging import claims
from pytest_swarmlab.judging.exercise import Check, Exercise
from pytest_swarmlab.marking.roles import Cast, decided_in
from pytest_swarmlab.model import Event, Judgement, Membership
from pytest_swarmlab.survey import events, readings
from pytest_swarmlab.survey.machine import Machine, System
from pytest_swarmlab.survey.seen import Config, Network, NodeRow, Service, Survey, TaskRow
from pytest_swarmlab.text import some

T = TypeVar("T")

PHASE = "survey"
"""The part of a record that these checks are judged on."""

SHOWN = 6
"""At most this many faults are listed."""


@dataclass(frozen=True)
class Look:
    """The survey that a check reads. Each property raises Unseen, which makes the verdict
    `unknown`, for a part that the survey could not read.
    """

    survey: Survey
    cast: Cast
    record: Record
    """Asked for each part that is read, since a record may note which events a check used."""

    def _told(self, part: str, value: T | None) -> T:
        self.record.last(f"survey.{part}")
        if value is None:
            raise Unseen(
                f"no manager listed the {part}: {self.survey.errors.get(part, 'no reason given')}"
            )
        return value

    @property
    def nodes(self) -> tuple[NodeRow, ...]:
        """The node list."""
        return self._told("nodes", self.survey.nodes)

    @property
    def services(self) -> tuple[Service, ...]:
        """Every service but jobs, which end."""
        there = self._told("services", self.survey.services)
        return tuple(each for each in there if each.lasting)

    @property
    def deployed(self) -> tuple[Service, ...]:
        """The same, of a claim about each of them. Raises Unseen where there is none."""
        if not self.services:
            raise Unseen("there is no service")
        return self.services

    @property
    def configs(self) -> tuple[Config, ...]:
        """Every config."""
        return self._told("configs", self.survey.configs)

    @property
    def networks(self) -> dict[str, Network]:
        """Name → network."""
        return {each.name: each for each in self._told("networks", self.survey.networks)}

    def running(self, service: Service) -> list[TaskRow]:
        """The service's running tasks, without those of a crash loop."""
        self._told("tasks", self.survey.tasks)
        return readings.steady(self.survey.running(service), self._looping)

    @cached_property
    def _looping(self) -> set[readings.Place]:
        """Computed once for all services."""
        return readings.looping(self.survey)

    def members(self, part: str) -> list[Machine]:
        """The machines that should be in the swarm; `part`: the part of each that is read."""
        self.record.of(f"survey.{part}")
        return [m for m in self.survey.machines if m.membership != Membership.OUTSIDE]

    def unkept(self, part: str) -> list[str]:
        """The rows beyond the record's limit, as something that is missing."""
        more = self.survey.more.get(part, 0)
        return [f"{more} more {part} were not kept"] if more else []

    def player(self, role: str) -> Service | None:
        """The service that plays the role, or None.

        Raises Unseen if several services could play it and swarmlab.yml names none.
        """
        _ = self.services
        part = self.cast[role]
        if part.several:
            raise Unseen(str(part))
        return self.cast.service(role)

    def could_play(self, role: str) -> list[Service]:
        """The service that plays the role, else all that could play it: a claim that holds for
        each of them needs no decision.
        """
        part = self.cast[role]
        names = [part.name] if part.name else [each.name for each in part.candidates]
        return [service for service in self.services if service.name in names]

    def needed(self, role: str) -> Service:
        """The service that plays the role. Raises Unseen if none does, or several could."""
        service = self.player(role)
        if service is None:
            raise Unseen(str(self.cast[role]))
        return service

    def shop(self) -> list[Service]:
        """Every service of exercise 2.10's stack, which is the stack of the broker."""
        broker = self.needed("broker")
        return [each for each in self.services if each.stack and each.stack == broker.stack]

    def systems(self, part: str) -> tuple[list[tuple[Machine, System]], list[str]]:
        """Members on which that part of `System` was read, and in words those on which it was not,
        or not all of it.
        """
        there, missing = [], []
        for machine in self.members("system"):
            if machine.system is None:
                missing.append(f"{machine.name}: {machine.errors.get('system', 'not seen')}")
            elif getattr(machine.system, part) is None:
                missing.append(f"{machine.name}: {machine.system.lacks.get(part, 'not seen')}")
            else:
                there.append((machine, machine.system))
                if why := machine.system.lacks.get(part):
                    missing.append(f"{machine.name}: {why}")
        if not there:
            raise Unseen("; ".join(missing[:SHOWN]) or "no machine was surveyed")
        return there, missing


StateJudge = Callable[[Look], Judgement]


class State(Exercise):
    """Checks of the cluster's state. An id is ``state.<criterion>.<name>``."""

    def claim(
        self, criterion: str, name: str, *, title: str, expected: str, hint: str
    ) -> Callable[[StateJudge], StateJudge]:
        """Declare a check of that criterion."""

        def declare(judge: StateJudge) -> StateJudge:
            def of_record(record: Record) -> Judgement:
                return judge(look_at(record))

            key = f"{self.id}.{criterion}.{name}"
            self.checks.append(Check(key, PHASE, title, expected, hint, of_record))
            return judge

        return declare

    def phase(self, name: str) -> str:
        """The one part of the record that there is."""
        del name
        return PHASE


exercise = State(
    "state",
    "The state of the cluster",
    module="pytest_swarmlab.marking.state",
    titles={PHASE: "The cluster's state"},
    needs={PHASE: ()},
)

_latest: list[tuple[tuple[Event, ...], Survey, Cast]] = []
"""The record that was read last, since sixty checks read the same one."""


def look_at(record: Record) -> Look:
    """The record's latest survey. Raises Unseen when there is none."""
    if not events.there(record):
        raise Unseen("the record has no survey of the cluster")
    if not _latest or _latest[0][0] != record.events:
        survey = events.read(record)
        _latest[:] = [(record.events, survey, Cast(survey, decided_in(record)))]
    _, survey, cast = _latest[0]
    return Look(survey, cast, record)


def judged(seen: str, *, wrong: Iterable[str] = (), missing: Iterable[str] = ()) -> Judgement:
    """As `claims.judged`; of `wrong` and of `missing` at most SHOWN are listed."""
    return claims.judged(seen, wrong=_some(list(wrong)), missing=_some(list(missing)))


def _some(each: list[str]) -> list[str]:
    more = [f"and {len(each) - SHOWN} more"] if len(each) > SHOWN else []
    return each[:SHOWN] + more


def names(services: Iterable[Service]) -> str:
    """Their names, for people."""
    return some([service.name for service in services], SHOWN) or "none"
