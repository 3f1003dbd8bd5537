"""Criterion "Healthchecks": whether what fails is seen to fail, and is replaced."""

from __future__ import annotations

import re

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.marking.state.basis import Look, exercise, judged, names
from pytest_swarmlab.model import Judgement
from pytest_swarmlab.survey import readings
from pytest_swarmlab.survey.seen import Health, Service

ROLES = ("wordpress", "web", "api", "api-database", "redis")
"""Who is to have a health check: the site, and what exercise 2.9 has."""

ALWAYS = re.compile(
    r"^(?::|true|/bin/true|exit(\s+0)?|echo\b[^|&;]*|sleep\s+[\d.]+|hostname|date|ls(\s+/)?|test\s+1|\[\s*1\s*\])$"
)
"""Commands that succeed whatever the program does."""

SWALLOWED = re.compile(r"(?:\|\||;|&|\n)\s*(?::|true|/bin/true|exit\s+0|echo\b[^|&;]*)\s*;?\s*$")
"""At the end of a line: whatever came before, it succeeds."""

LOCALHOST = re.compile(r"(?<![\w.-])localhost(?![\w.-])", re.IGNORECASE)


def checked(look: Look) -> list[Service]:
    """Services with a health check in their definition."""
    return [s for s in look.services if s.health and not s.health.none]


def with_checks(look: Look) -> list[tuple[Service, Health]]:
    """The same with the health check. Raises Unseen where there is none."""
    found = [(service, service.health) for service in checked(look) if service.health]
    if not found:
        raise Unseen("no service has a health check in its definition")
    return found


def always_succeeds(health: Health) -> bool:
    """Whether it can't fail, as far as its words tell."""
    kind, *words = health.test.words or ("",)
    if kind == "CMD":
        shell = len(words) >= 3 and words[0].rpartition("/")[2] in {"sh", "bash", "ash", "dash"}
        if not (shell and words[1].startswith("-") and "c" in words[1]):
            return bool(ALWAYS.match(" ".join(words).strip()))
        words = words[2:]
    line = " ".join(words).strip().rstrip(";").strip()
    return not line or bool(ALWAYS.match(line) or SWALLOWED.search(line))


def _by_image(look: Look, service: Service) -> bool:
    """Whether a container of it has the health check of its image."""
    return any(
        container.health
        for machine in look.members("containers")
        for container in machine.containers or ()
        if container.service == service.name
    )


@exercise.claim(
    "healthchecks",
    "some",
    title="A service has a health check",
    expected="at least one, in its definition or in its image",
    hint="Exercise 2.9: `healthcheck:` of a service, or HEALTHCHECK in its image.",
)
def some(look: Look) -> Judgement:
    """By definitions; by containers where the image has one."""
    by_image = {
        container.service
        for machine in look.members("containers")
        for container in machine.containers or ()
        if container.health
    }
    has = [s for s in look.services if (s.health and not s.health.none) or s.name in by_image]
    missing = [
        f"containers of {m.name}" for m in look.members("containers") if m.containers is None
    ]
    wrong = [] if has or missing else ["none has one"]
    return judged(f"a health check have {names(has)}", wrong=wrong, missing=[] if has else missing)


@exercise.claim(
    "healthchecks",
    "present",
    title="What the lab gives a health check has one",
    expected="WordPress, and of exercise 2.9 the site, the API, its database and Redis, as far as"
    " they are there; at least one",
    hint="Exercise 2.9: `healthcheck:` of each service, or HEALTHCHECK in its image.",
)
def present(look: Look) -> Judgement:
    """By definitions; by containers where the image has one.

    Of a role that two could play nobody need decide where both have one, or neither.
    """
    asked = {role: could for role in ROLES if (could := look.could_play(role))}
    if not asked:
        every = checked(look)
        seen = f"a health check have {names(every)}"
        return judged(seen, wrong=[] if every else ["exercise 2.9 asks for some"])
    has, without, undecided = set[str](), [], []
    for role, could in asked.items():
        own = {s.name for s in could if (s.health and not s.health.none) or _by_image(look, s)}
        has |= own
        if not own:
            without.append(" or ".join(service.name for service in could))
        elif len(own) < len(could):
            undecided.append(str(look.cast[role]))
    missing = [
        f"containers of {m.name}" for m in look.members("containers") if m.containers is None
    ]
    seen = f"a health check have {names(s for s in look.services if s.name in has)}"
    # Those of images are seen on containers alone.
    unseen = missing if without else []
    return judged(seen, wrong=[] if missing else without, missing=[*unseen, *undecided])


@exercise.claim(
    "healthchecks",
    "can-fail",
    title="Each health check can fail",
    expected="none that always succeeds: `true`, `exit 0`, `… || true`",
    hint="A check that can't fail keeps a program that is dead: ask the program itself, for example"
    " `curl -f http://127.0.0.1/`.",
)
def can_fail(look: Look) -> Judgement:
    """The words of each."""
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
    title="They ask 127.0.0.1, not localhost",
    expected="no health check says localhost",
    hint="What `localhost` is each program decides for itself: BusyBox's wget takes ::1, where not"
    " every server listens.",
)
def loopback(look: Look) -> Judgement:
    """The words of each."""
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
    title="A program is given time to start",
    expected="each health check has a start period",
    hint="`start_period`: without it a program that takes longer to start than the retries last is"
    " killed and started again for ever.",
)
def start_period(look: Look) -> Judgement:
    """Of each."""
    found = with_checks(look)
    wrong = [service.name for service, health in found if health.start_period_s <= 0]
    return judged(f"{len(found)} health checks", wrong=wrong, missing=look.unkept("services"))


@exercise.claim(
    "healthchecks",
    "restart",
    title="Whatever ends is replaced",
    expected="restart condition `any` and no limit of attempts, for every service",
    hint="An unhealthy nginx, MySQL or Redis that is told to stop ends with 0: with `on-failure`"
    " its place stays empty for ever. After `max_attempts` nobody heals it any more.",
)
def restart(look: Look) -> Judgement:
    """The restart policy of each."""
    wrong = []
    for service in look.services:
        if service.restart.condition != "any":
            wrong.append(f"{service.name}: {service.restart.condition}")
        elif service.restart.attempts:
            wrong.append(f"{service.name}: no more than {service.restart.attempts} attempts")
    if not look.services:
        raise Unseen("there is no service")
    return judged(f"{len(look.services)} services", wrong=wrong, missing=look.unkept("services"))


def _loops(look: Look) -> list[str]:
    return [f"{each.name}: its tasks fail over and over" for each in readings.loops(look.survey)]


@exercise.claim(
    "healthchecks",
    "healthy",
    title="All that runs is healthy",
    expected="no container is unhealthy, and no task fails over and over",
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
    return judged(f"{seen} containers", wrong=[*wrong, *_loops(look)], missing=missing)


@exercise.claim(
    "healthchecks",
    "rollback",
    title="An update that is no good is taken back",
    expected="failure_action `rollback` for the site and the API of exercise 2.9",
    hint="`update_config: failure_action: rollback`. The default leaves the service half changed.",
)
def rollback(look: Look) -> Judgement:
    """What the definition says."""
    found = [service for role in ("web", "api") if (service := look.player(role))]
    asked = [service for service in found if service.wanted is None or service.wanted > 1]
    if not asked:
        raise Unseen("neither the site nor the API of exercise 2.9 was found with several replicas")
    wrong = [f"{s.name}: {s.update.failure}" for s in asked if s.update.failure != "rollback"]
    return judged(names(asked), wrong=wrong)
