"""Criterion "Healthchecks": health checks, restart policies and rollback."""

from __future__ import annotations

import re

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.marking.state.basis import Look, exercise, judged, names
from pytest_swarmlab.model import Judgement
from pytest_swarmlab.survey import readings
from pytest_swarmlab.survey.seen import Health, Service

ROLES = ("wordpress", "web", "api", "api-database", "redis")
"""Roles that need a health check: WordPress, and the services of exercise 2.9."""

ALWAYS = re.compile(
    r"^(?::|true|/bin/true|exit(\s+0)?|echo\b[^|&;]*|sleep\s+[\d.]+|hostname|date|ls(\s+/)?|test\s+1|\[\s*1\s*\])$"
)
"""Commands that succeed even if the program is dead."""

SWALLOWED = re.compile(r"(?:\|\||;|&|\n)\s*(?::|true|/bin/true|exit\s+0|echo\b[^|&;]*)\s*;?\s*$")
"""The end of a line that hides the exit code of the commands before it."""

LOCALHOST = re.compile(r"(?<![\w.-])localhost(?![\w.-])", re.IGNORECASE)


def checked(look: Look) -> list[Service]:
    """Services with a health check in their definition."""
    return [s for s in look.services if s.health and not s.health.none]


def with_checks(look: Look) -> list[tuple[Service, Health]]:
    """Services and their health checks. Raises Unseen where there is none."""
    found = [(service, service.health) for service in checked(look) if service.health]
    if not found:
        raise Unseen("no service has a health check in its definition")
    return found


def always_succeeds(health: Health) -> bool:
    """Whether the health check's command can't fail."""
    kind, *words = health.test.words or ("",)
    if kind == "CMD":
        shell = len(words) >= 3 and words[0].rpartition("/")[2] in {"sh", "bash", "ash", "dash"}
        if not (shell and words[1].startswith("-") and "c" in words[1]):
            return bool(ALWAYS.match(" ".join(words).strip()))
        words = words[2:]
    line = " ".join(words).strip().rstrip(";").strip()
    return not line or bool(ALWAYS.match(line) or SWALLOWED.search(line))


def _has_check(look: Look, service: Service) -> bool:
    """Whether the definition has a health check, or the image, which only containers show."""
    return bool(service.health and not service.health.none) or any(
        container.health
        for machine in look.members("containers")
        for container in machine.containers or ()
        if container.service == service.name
    )


def _unseen(look: Look) -> list[str]:
    return [f"containers of {m.name}" for m in look.members("containers") if m.containers is None]


@exercise.claim(
    "healthchecks",
    "some",
    title="At least one service has a health check",
    expected="a health check in the service's definition or in its image",
    hint="Exercise 2.9: `healthcheck:` of a service, or HEALTHCHECK in its image.",
)
def some(look: Look) -> Judgement:
    """By definitions, and containers."""
    missing = _unseen(look)
    has = [service for service in look.services if _has_check(look, service)]
    wrong = [] if has or missing else ["no service has one"]
    seen = f"services with a health check: {names(has)}"
    return judged(seen, wrong=wrong, missing=[] if has else missing)


@exercise.claim(
    "healthchecks",
    "present",
    title="Each service to which the lab gives a health check has one",
    expected="a health check for each that is deployed, of WordPress and exercise 2.9's site, API,"
    " database and Redis; for at least one service",
    hint="Exercise 2.9: `healthcheck:` of each service, or HEALTHCHECK in its image.",
)
def present(look: Look) -> Judgement:
    """By definitions, and containers.

    If two services could play a role, the check decides when both have one, or neither.
    """
    asked = {role: could for role in ROLES if (could := look.could_play(role))}
    if not asked:
        every = checked(look)
        seen = f"services with a health check: {names(every)}"
        return judged(seen, wrong=[] if every else ["exercise 2.9 asks for health checks"])
    has, without, undecided = set[str](), [], []
    for role, could in asked.items():
        own = {service.name for service in could if _has_check(look, service)}
        has |= own
        if not own:
            without.append(" or ".join(service.name for service in could))
        elif len(own) < len(could):
            undecided.append(str(look.cast[role]))
    missing = _unseen(look)
    seen = f"services with a health check: {names(s for s in look.services if s.name in has)}"
    unseen = missing if without else []
    return judged(seen, wrong=[] if missing else without, missing=[*unseen, *undecided])


@exercise.claim(
    "healthchecks",
    "can-fail",
    title="Each health check can fail",
    expected="no command that always succeeds, such as `true`, `exit 0` or `… || true`",
    hint="With a health check that can't fail a dead program is never replaced. Send a request to"
    " the program, for example `curl -f http://127.0.0.1/`.",
)
def can_fail(look: Look) -> Judgement:
    """The command of each health check."""
    found = with_checks(look)
    wrong = [
        f"{service.name}: {' '.join(health.test.words)[:100]}"
        for service, health in found
        if always_succeeds(health)
    ]
    seen = f"{len(found)} health checks"
    return judged(seen, wrong=wrong, missing=look.unkept("services"))


@exercise.claim(
    "healthchecks",
    "loopback",
    title="Health checks ask 127.0.0.1, not localhost",
    expected="no health check names localhost",
    hint="Programs resolve `localhost` differently: BusyBox's wget takes ::1, where not every"
    " server listens.",
)
def loopback(look: Look) -> Judgement:
    """The command of each health check."""
    found = with_checks(look)
    wrong = [
        service.name
        for service, health in found
        if any(LOCALHOST.search(word) for word in health.test.words)
    ]
    return judged(f"{len(found)} health checks", wrong=wrong, missing=look.unkept("services"))


@exercise.claim(
    "healthchecks",
    "start-period",
    title="Each health check gives its program time to start",
    expected="each health check has a start period",
    hint="`start_period`: without it a program that starts more slowly than the retries allow is"
    " killed and started again for ever.",
)
def start_period(look: Look) -> Judgement:
    """The start period of each health check."""
    found = with_checks(look)
    wrong = [service.name for service, health in found if health.start_period_s <= 0]
    return judged(f"{len(found)} health checks", wrong=wrong, missing=look.unkept("services"))


@exercise.claim(
    "healthchecks",
    "restart",
    title="Swarm replaces every task that ends",
    expected="restart condition `any` and no limit of attempts, for every service",
    hint="Swarm stops an unhealthy task, and nginx, MySQL and Redis then exit with 0: with"
    " `on-failure` no task replaces it. After `max_attempts` Swarm replaces no task either.",
)
def restart(look: Look) -> Judgement:
    """The restart policy of each service."""
    there, wrong = look.deployed, []
    for service in there:
        if service.restart.condition != "any":
            wrong.append(f"{service.name}: {service.restart.condition}")
        elif service.restart.attempts:
            wrong.append(f"{service.name}: no more than {service.restart.attempts} attempts")
    return judged(f"{len(there)} services", wrong=wrong, missing=look.unkept("services"))


@exercise.claim(
    "healthchecks",
    "healthy",
    title="All containers are healthy",
    expected="no container is unhealthy, and no service's tasks fail repeatedly",
    hint="`docker ps --filter health=unhealthy` on each node;"
    " `docker service ps --no-trunc SERVICE`.",
)
def healthy(look: Look) -> Judgement:
    """Containers of every machine, and the latest tasks."""
    wrong, missing, seen = [], [], 0
    for machine in look.members("containers"):
        if machine.containers is None:
            missing.append(f"containers of {machine.name}: {machine.errors.get('containers', '')}")
        for container in machine.containers or ():
            seen += 1
            if container.health == "unhealthy":
                wrong.append(f"{container.service or container.name} on {machine.name}")
    if look.survey.tasks is None:
        missing.append("the tasks")
    if not seen:
        missing.append("a container")
    wrong += [f"{each.name}: its tasks fail repeatedly" for each in readings.loops(look.survey)]
    return judged(f"{seen} containers", wrong=wrong, missing=missing)


@exercise.claim(
    "healthchecks",
    "rollback",
    title="A failed update rolls back",
    expected="failure_action `rollback` for the site and the API of exercise 2.9",
    hint="`update_config: failure_action: rollback`. The default, `pause`, leaves the service half"
    " updated.",
)
def rollback(look: Look) -> Judgement:
    """The services' definitions."""
    found = [service for role in ("web", "api") if (service := look.player(role))]
    asked = [service for service in found if service.wanted is None or service.wanted > 1]
    if not asked:
        raise Unseen("neither the site nor the API of exercise 2.9 was found with several replicas")
    wrong = [f"{s.name}: {s.update.failure}" for s in asked if s.update.failure != "rollback"]
    return judged(names(asked), wrong=wrong)
