"""Finds the service, machine or unit that plays each role of the lab, with reasons.

A role has one player or none. If several services could play it, swarmlab.yml decides:
``roles: {wordpress-database: mystack_db}``. Pure: the same record gives the same cast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.evidence.events import RolesDecided, last
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.marking import players
from pytest_swarmlab.marking.players import Candidate
from pytest_swarmlab.survey import events
from pytest_swarmlab.survey.seen import Service, Survey
from pytest_swarmlab.text import line

Find = Callable[[Survey], list[Candidate]]


@dataclass(frozen=True)
class Role:
    """A role of the lab: its id, a description, the exercise that asks for it."""

    id: str
    what: str
    exercise: str
    find: Find


ROLES = (
    Role("test-service", "the service of several replicas that outlives a leader", "2.2",
         players.test_services),
    Role("visualizer", "the visualizer", "2.2", players.visualizers),
    Role("local-database", "the database on a local volume", "2.3", players.local_databases),
    Role("nfs-server", "the machine that exports the share", "2.4", players.nfs_servers),
    Role("nfs-database", "the database on NFS", "2.4", players.nfs_databases),
    Role("wordpress", "WordPress", "2.5", players.wordpresses),
    Role("wordpress-database", "the database of the WordPress", "2.5",
         players.wordpress_databases),
    Role("secrets-app", "the application with a key of an API", "2.6", players.secret_readers),
    Role("tls-front", "the service with a certificate", "2.6", players.certificate_holders),
    Role("proxy", "the proxy whose configuration is a config", "2.7", players.proxies),
    Role("backup-timer", "the timer that takes backups", "2.8", players.backup_timers),
    Role("web", "the site with a health check", "2.9", players.sites),
    Role("api", "the API that asks a database and Redis", "2.9", players.apis),
    Role("api-database", "the database of that API", "2.9", players.api_databases),
    Role("redis", "the Redis of that API", "2.9", players.api_caches),
    Role("broker", "the RabbitMQ of the shop", "2.10", players.brokers),
    Role("shop-database", "the PostgreSQL of the shop", "2.10", players.shop_databases),
    Role("shop-cache", "the Redis of the shop", "2.10", players.shop_caches),
)  # fmt: skip
"""Every role, in the order of the exercises."""

IDS = {role.id: role for role in ROLES}


@dataclass(frozen=True)
class Part:
    """A role's player and the reasons; `name` is "" if there is none, or several candidates.

    `decided`: swarmlab.yml names the player.
    """

    role: Role
    name: str = ""
    why: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    decided: bool = False

    @property
    def several(self) -> bool:
        """Whether there are several candidates, and swarmlab.yml names none."""
        return not self.name and len(self.candidates) > 1

    def __str__(self) -> str:
        """One sentence for people."""
        if self.name:
            return f"{self.role.what} is {line(self.name)}: {line('; '.join(self.why))}"
        if self.several:
            names = ", ".join(line(each.name) for each in self.candidates)
            first = line(self.candidates[0].name)
            return (
                f"{self.role.what} could be each of {names}: say which in swarmlab.yml,"
                f" for example `roles: {{{self.role.id}: {first}}}`"
            )
        return f"nothing looks like {self.role.what}" + (
            f": {line('; '.join(self.why))}" if self.why else ""
        )


class Cast:
    """The players of all roles in one survey."""

    def __init__(self, survey: Survey, decided: Mapping[str, str] | None = None) -> None:
        """Raises ConfigError if `decided` names an unknown role."""
        check(decided or {})
        self._survey = survey
        self.parts = {role.id: self._part(role, (decided or {}).get(role.id, "")) for role in ROLES}

    def __getitem__(self, role: str) -> Part:
        return self.parts[role]

    def service(self, role: str) -> Service | None:
        """The service that plays the role, or None."""
        name = self.parts[role].name
        return self._survey.service(name) if name else None

    def _part(self, role: Role, decided: str) -> Part:
        candidates = tuple(role.find(self._survey))
        if decided:
            return self._decided(role, decided, candidates)
        if len(candidates) == 1:
            return Part(role, candidates[0].name, candidates[0].why, candidates)
        return Part(role, candidates=candidates)

    def _decided(self, role: Role, name: str, candidates: tuple[Candidate, ...]) -> Part:
        there = {service.name for service in self._survey.services or ()}
        there |= {machine.name for machine in self._survey.machines}
        there |= {each.name for each in candidates}
        if name not in there:
            why = (f"swarmlab.yml names {name!r}, which does not exist",)
            return Part(role, why=why, decided=True)
        seen = next((each.why for each in candidates if each.name == name), ())
        return Part(role, name, ("swarmlab.yml says so", *seen), candidates, decided=True)


def check(decided: Mapping[str, str]) -> None:
    """Raise ConfigError if a key is no role."""
    for role in decided:
        if role not in IDS:
            raise ConfigError(
                f"swarmlab.yml: there is no role {line(role)!r}: use {', '.join(IDS)}"
            )


def decided_in(record: Record) -> dict[str, str]:
    """The record's decisions of swarmlab.yml, for known roles only."""
    told = last(record, RolesDecided)
    roles = told.roles if told else {}
    return {role: name for role, name in roles.items() if role in IDS}


def cast(record: Record) -> Cast:
    """The cast of the record's latest survey and decisions."""
    return Cast(events.read(record), decided_in(record))


def told(cast: Cast) -> Iterable[str]:
    """One sentence for each role that has a player, candidates or a reason for neither."""
    return (str(part) for part in cast.parts.values() if part.name or part.several or part.why)
