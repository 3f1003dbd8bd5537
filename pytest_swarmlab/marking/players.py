"""Finds the candidates for each role of the lab, with reasons.

Images, volumes, networks, ports, secrets and variables decide; names of services don't.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pytest_swarmlab.survey.machine import Machine, System, Unit
from pytest_swarmlab.survey.readings import (
    BROKERS,
    CACHES,
    DATABASES,
    INFRASTRUCTURE,
    MYSQL,
    POSTGRES,
    PROXIES,
    SITES,
    WATCHERS,
    distributed,
    is_a,
)
from pytest_swarmlab.survey.seen import Service, Survey

API_KEY = re.compile(r"(api|app|service|stripe|access|auth)[_.-]?(key|token)", re.IGNORECASE)
CERTIFICATE = re.compile(r"cert|crt|\bssl|_ssl|tls|\.pem$", re.IGNORECASE)
HOST = "WORDPRESS_DB_HOST"


@dataclass(frozen=True)
class Candidate:
    """A service, machine or unit that could play a role, with the reasons."""

    name: str
    why: tuple[str, ...]


def _chosen(survey: Survey, reasons: Callable[[Service], list[str]]) -> list[Candidate]:
    """Every service, jobs aside, for which there are reasons."""
    found = []
    for service in survey.services or ():
        if service.lasting and (why := reasons(service)):
            found.append(Candidate(service.name, tuple(why)))
    return found


def _rather(
    survey: Survey, found: list[Candidate], like: Callable[[Service], bool]
) -> list[Candidate]:
    """The candidates for which `like` holds; all of them if it holds for none."""
    so = {service.name for service in survey.services or () if like(service)}
    return [each for each in found if each.name in so] or found


def image(service: Service) -> str:
    """Its image, as a reason."""
    return f"its image is {service.image.partition('@')[0]}"


# -- exercises 2.2 to 2.4 -----------------------------------------------------------------------


def test_services(survey: Survey) -> list[Candidate]:
    """A plain web server of several replicas, outside of any stack.

    The lab's text leaves two, `test-ha` and exercise 2.9's `test-health`. If some have no health
    check, those are the candidates.
    """

    def reasons(service: Service) -> list[str]:
        plain = not (service.stack or service.attached or service.configs or service.secrets)
        if plain and is_a(service, SITES) and (service.wanted or 0) >= 2:
            return [image(service), f"{service.wanted} replicas", "it is no part of a stack"]
        return []

    return _rather(survey, _chosen(survey, reasons), lambda service: not service.health)


def visualizers(survey: Survey) -> list[Candidate]:
    """A service of the visualizer's image."""
    return _chosen(survey, lambda s: [image(s)] if is_a(s, {"visualizer", "visualiser"}) else [])


def local_databases(survey: Survey) -> list[Candidate]:
    """A database outside of any stack whose volume is local."""

    def reasons(service: Service) -> list[str]:
        volumes = [a for a in service.attached if a.kind == "volume" and not distributed(survey, a)]
        if is_a(service, DATABASES) and not service.stack and volumes:
            return [image(service), f"its volume {volumes[0].source} is local"]
        return []

    return _chosen(survey, reasons)


def nfs_databases(survey: Survey) -> list[Candidate]:
    """A database outside of any stack whose data is on NFS."""

    def reasons(service: Service) -> list[str]:
        how = [words for a in service.attached if (words := distributed(survey, a))]
        if is_a(service, DATABASES) and not service.stack and how:
            return [image(service), how[0]]
        return []

    return _chosen(survey, reasons)


def nfs_servers(survey: Survey) -> list[Candidate]:
    """A machine that exports a directory, or from which others mount one."""
    found = []
    for machine in survey.machines:
        if why := _serves(survey, machine):
            found.append(Candidate(machine.name, tuple(why)))
    return found


def _serves(survey: Survey, machine: Machine) -> list[str]:
    system = machine.system
    why = [f"it exports {export.path}" for export in (system.exports or () if system else ())]
    known = {machine.name, machine.address, *((system.addresses or ()) if system else ())} - {""}
    others = [
        other.name
        for other in survey.machines
        if any(
            mount.nfs and mount.source.partition(":")[0] in known
            for mount in (other.system.mounts or () if other.system else ())
        )
    ]
    return why + ([f"mounted from it by {', '.join(others)}"] if others else [])


# -- exercise 2.5 -------------------------------------------------------------------------------


def wordpresses(survey: Survey) -> list[Candidate]:
    """A service of the WordPress image, or one with WORDPRESS_DB_HOST."""

    def reasons(service: Service) -> list[str]:
        told = service.variable(HOST)
        why = [image(service)] if is_a(service, {"wordpress"}) else []
        why += [f"{HOST} is {told.value}"] if told else []
        why += [
            f"it keeps {a.target}" for a in service.attached if "/wp-content" in a.target and why
        ]
        return why

    return _chosen(survey, reasons)


def wordpress_databases(survey: Survey) -> list[Candidate]:
    """The database that WordPress names; otherwise every service that has one of that name."""
    sites = [survey.service(each.name) for each in wordpresses(survey)]
    named = {
        database.name: Candidate(database.name, tuple(_names(site, database)))
        for site in sites
        if site is not None
        for database in survey.services or ()
        if _names(site, database)
    }
    if named:
        return list(named.values())

    def reasons(service: Service) -> list[str]:
        schema = service.variable("MYSQL_DATABASE") or service.variable("MARIADB_DATABASE")
        if is_a(service, MYSQL) and schema and "wordpress" in schema.value.lower():
            return [image(service), f"{schema.name} is {schema.value}"]
        return []

    return _chosen(survey, reasons)


def _names(site: Service, database: Service) -> list[str]:
    """Whether a WordPress names this database, and they share a network."""
    told = site.variable(HOST)
    host = told.value.partition(":")[0] if told else ""
    called = host and host in (database.name, f"tasks.{database.name}", *database.aliases)
    shared = sorted(set(site.networks) & set(database.networks)) if called else []
    if not shared:
        return []
    return [
        f"{HOST} of {site.name} names it",
        image(database),
        f"both are in the network {', '.join(shared)}",
    ]


# -- exercises 2.6 to 2.8 -----------------------------------------------------------------------


def secret_readers(survey: Survey) -> list[Candidate]:
    """An application that mounts the key of an API."""

    def reasons(service: Service) -> list[str]:
        keys = [g.name for g in service.secrets if API_KEY.search(f"{g.name} {g.target}")]
        if keys and not is_a(service, INFRASTRUCTURE | {"wordpress"}):
            return [f"it mounts the secret {', '.join(keys)}", image(service)]
        return []

    return _chosen(survey, reasons)


def certificate_holders(survey: Survey) -> list[Candidate]:
    """A service that mounts a certificate as a secret."""

    def reasons(service: Service) -> list[str]:
        found = [g.name for g in service.secrets if CERTIFICATE.search(f"{g.name} {g.target}")]
        return [f"it mounts the secret {', '.join(found)}", image(service)] if found else []

    return _chosen(survey, reasons)


def proxies(survey: Survey) -> list[Candidate]:
    """A web server whose config forwards requests; not the shop's, and none with a certificate."""
    texts = {config.name: config.text or "" for config in survey.configs or ()}
    shop = shop_stack(survey)

    def reasons(service: Service) -> list[str]:
        sends_on = [
            f"its config {given.name} at {given.target} sends visitors on"
            for given in service.configs
            if given.target.startswith(("/etc/", "/usr/local/etc/"))
            and re.search(
                r"proxy_pass|reverse_proxy|ProxyPass|\bbackend\b", texts.get(given.name, "")
            )
        ]
        tls = any(CERTIFICATE.search(given.name) for given in service.secrets)
        other = tls or (shop and service.stack == shop) or not service.ports
        if is_a(service, PROXIES) and sends_on and not other:
            return [image(service), *sends_on]
        return []

    return _chosen(survey, reasons)


def backup_timers(survey: Survey) -> list[Candidate]:
    """A systemd timer or a line of cron that runs a script which mentions a swarm.

    The same unit on several machines is one candidate.
    """
    found: dict[str, list[str]] = {}
    for machine in survey.machines:
        system = machine.system
        if system is None:
            continue
        for timer, started in backup_units(system):
            found.setdefault(timer.name, []).append(f"on {machine.name} it runs {started.runs}")
        for file, what in backup_jobs(system):
            found.setdefault(file, []).append(f"on {machine.name} cron runs {what}")
    return [Candidate(name, tuple(why)) for name, why in found.items()]


def backup_units(system: System) -> list[tuple[Unit, Unit]]:
    """A machine's timers that start such a script, each with the service by which it does."""
    scripts = _of_swarms(system)
    return [
        (timer, started)
        for timer in system.units or ()
        if timer.there and timer.starts
        if (started := system.unit(timer.starts)) and started.runs in scripts
    ]


def backup_jobs(system: System) -> list[tuple[str, str]]:
    """Files of a machine by which cron runs such a script, each with what it runs."""
    scripts = _of_swarms(system)
    jobs = [(j.file, f"{j.runs} ({j.when})") for j in system.jobs or () if j.runs in scripts]
    return [*jobs, *((each, "it") for each in sorted(scripts) if each.startswith("/etc/cron."))]


def _of_swarms(system: System) -> set[str]:
    return {script.path for script in system.scripts or () if script.swarm}


# -- exercise 2.9 -------------------------------------------------------------------------------


def sites(survey: Survey) -> list[Candidate]:
    """A web server with a health check and no configuration of its own.

    The lab's text leaves two, one of its stack file and `test-health`. If some belong to a stack,
    which is the deliverable, those are the candidates.
    """

    shop = shop_stack(survey)

    def reasons(service: Service) -> list[str]:
        plain = not (service.configs or service.secrets or service.attached)
        other = shop and service.stack == shop
        if is_a(service, SITES) and plain and service.health and not other:
            return [image(service), "it has a health check"]
        return []

    return _rather(survey, _chosen(survey, reasons), lambda service: bool(service.stack))


def apis(survey: Survey) -> list[Candidate]:
    """An application in a network with a Redis and a database; neither the shop's nor a watcher."""

    shop = shop_stack(survey)
    by_network = {
        network: cache.name
        for cache in survey.services or ()
        if is_a(cache, CACHES) and not (shop and cache.stack == shop)
        for network in cache.networks
    }

    def reasons(service: Service) -> list[str]:
        known = is_a(service, INFRASTRUCTURE | PROXIES | WATCHERS | {"wordpress"})
        caches = [by_network[network] for network in service.networks if network in by_network]
        if known or not caches or (shop and service.stack == shop):
            return []
        return [image(service), f"it is in one network with {caches[0]}"]

    return _chosen(survey, reasons)


def api_databases(survey: Survey) -> list[Candidate]:
    """A database in a network with such an API."""
    return _beside_the_api(survey, DATABASES)


def api_caches(survey: Survey) -> list[Candidate]:
    """A Redis in a network with such an API."""
    return _beside_the_api(survey, CACHES)


def _beside_the_api(survey: Survey, repositories: set[str]) -> list[Candidate]:
    by_network = {
        network: app.name
        for each in apis(survey)
        if (app := survey.service(each.name))
        for network in app.networks
    }

    def reasons(service: Service) -> list[str]:
        beside = [by_network[network] for network in service.networks if network in by_network]
        if is_a(service, repositories) and beside:
            return [image(service), f"it is in one network with {beside[0]}"]
        return []

    return _chosen(survey, reasons)


# -- exercise 2.10 ------------------------------------------------------------------------------


def brokers(survey: Survey) -> list[Candidate]:
    """A RabbitMQ."""
    return _chosen(survey, lambda s: [image(s)] if is_a(s, BROKERS) else [])


def shop_stack(survey: Survey) -> str:
    """The stack of the only RabbitMQ; "" if there is none, or several."""
    there = brokers(survey)
    broker = survey.service(there[0].name) if len(there) == 1 else None
    return broker.stack if broker else ""


def shop_databases(survey: Survey) -> list[Candidate]:
    """A PostgreSQL beside the broker."""
    return _in_the_shop(survey, POSTGRES)


def shop_caches(survey: Survey) -> list[Candidate]:
    """A Redis beside the broker."""
    return _in_the_shop(survey, CACHES)


def _in_the_shop(survey: Survey, repositories: set[str]) -> list[Candidate]:
    shop = shop_stack(survey)

    def reasons(service: Service) -> list[str]:
        if is_a(service, repositories) and shop and service.stack == shop:
            return [image(service), f"it is in the stack {service.stack}, as the broker is"]
        return []

    return _chosen(survey, reasons)
