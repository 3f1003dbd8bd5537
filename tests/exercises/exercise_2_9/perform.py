"""The lab's own steps, with its errata mended.

127.0.0.1 instead of localhost, of which BusyBox's wget takes the IPv6 address; a restart condition
that is said openly, and is not the `on-failure` of the lab's stack file; a `start-interval`,
without which an engine looks for the first time five seconds into the start period. Intervals are
the shortest that a small node bears: what they mean for the time that healing takes is computed.
"""

from collections.abc import Sequence

from pytest_swarmlab.swarm.cluster import Node, Output
from pytest_swarmlab.swarm.services import Service, Services

from .setting import PORT, REPLICAS, SERVICE

IMAGE = "nginx:alpine"
REDIS = "redis:7-alpine"
GATED_PORT = 8081
INDEX = "/usr/share/nginx/html/index.html"
GATE = "/tmp/open"

ASKS = "curl -f http://127.0.0.1/ || exit 1"
"""The lab's check, with an address instead of a name."""

HEALTH = (
    "--health-interval", "1s",
    "--health-timeout", "5s",
    "--health-retries", "3",
)  # fmt: skip
STARTING = ("--health-start-period", "10s", "--health-start-interval", "1s")

UPDATED_S = 120
"""Longest that the client may wait for the end of an update."""


def test_health(services: Services) -> Service:
    """The lab's service: three replicas of nginx, a check each."""
    return services.create(
        SERVICE,
        "--replicas", str(REPLICAS),
        "--publish", f"{PORT}:80",
        "--health-cmd", ASKS, *HEALTH, *STARTING,
        "--restart-condition", "any",
        "--restart-delay", "1s",
        IMAGE,
        title="A service with a healthcheck",
    )  # fmt: skip


def gated(services: Services) -> Service:
    """Two replicas that are healthy only after a file is created in them."""
    return services.create(
        "gated",
        "--replicas", "2",
        "--publish", f"{GATED_PORT}:80",
        "--health-cmd", f"test -e {GATE}", *HEALTH,
        # As long as it lasts, a check that fails is no reason to replace a task.
        "--health-start-period", "5m", "--health-start-interval", "1s",
        IMAGE,
        title="A service that is not healthy until a file is there",
    )  # fmt: skip


def open_gate(node: Node, container: str) -> None:
    """Create the file that the health check of `gated` looks for."""
    node.run(
        "docker", "exec", container, "touch", GATE, title=f"On {node}: one task becomes healthy"
    )


def listing(when: str, *services: Service) -> None:
    """`docker service ps`, kept as one of the lab's screenshots."""
    names = [service.name for service in services]
    services[0].swarm.leader().look(
        "docker", "service", "ps", "--no-trunc", *names,
        title=f"{when}: docker service ps {' '.join(names)}",
    )  # fmt: skip


def remove_index(node: Node, container: str) -> None:
    """The lab's fault: remove the page that the health check asks for."""
    node.run(
        "docker", "exec", container, "sh", "-c", f"rm {INDEX}",
        title=f"On {node}: the page goes for which the check asks",
    )  # fmt: skip


def trap(services: Services) -> Service:
    """The restart policy of the lab's stack file, as far as `on-failure` goes."""
    return services.create(
        "trap",
        "--replicas", str(REPLICAS),
        # Seldom, since others start meanwhile: three checks a second take half of a core.
        "--health-cmd", ASKS,
        "--health-interval", "3s", "--health-timeout", "10s", "--health-retries", "1", *STARTING,
        "--restart-condition", "on-failure",
        "--restart-delay", "1s",
        IMAGE,
        title="The lab's restart policy: on-failure",
    )  # fmt: skip


def restart_always(service: Service) -> None:
    """The erratum corrected: a task that has ended is replaced, whatever its exit code."""
    service.update(
        "--restart-condition",
        "any",
        "--update-parallelism",
        "0",
        "--update-monitor",
        "1s",
        title="The remedy: any",
    )


MISSING = "http://127.0.0.1/missing.html"

ILL_FROM_NOW_ON = (
    "--health-cmd", f"curl -f {MISSING} || exit 1",
    # Without one: a check that fails during the start period is no failure.
    "--health-start-period", "0s", "--health-start-interval", "0s", "--health-retries", "1",
)  # fmt: skip


def break_theirs(service: Service, *, within: float) -> Output:
    """The same update of somebody's own service, in the order that its definition says."""
    return service.swarm.leader().run(
        "timeout", str(int(within)),
        "docker", "service", "update", "--no-resolve-image", *ILL_FROM_NOW_ON,
        # That it fails is known: the interval of theirs shows nothing of how it is taken back.
        "--health-interval", "2s",
        "--stop-signal", "SIGKILL", service.name,
        check=False, title="An update to a check that can't succeed",
    )  # fmt: skip


def break_update(service: Service) -> Output:
    """An update to a check that can't succeed; returns when it has been taken back.

    The client stays, for it shows what becomes of the update; only not for ever. The new program
    is killed instead of told to stop: one that ends with 0 was `running` for a moment, and where a
    manager sees that, start-first stops a replica that serves (docs/healing.md).
    """
    return service.swarm.leader().run(
        "timeout", str(UPDATED_S),
        "docker", "service", "update", "--no-resolve-image",
        *ILL_FROM_NOW_ON,
        "--stop-signal", "SIGKILL",
        "--update-order", "start-first", "--update-parallelism", "1",
        "--update-failure-action", "rollback", "--update-monitor", "5s",
        "--rollback-order", "start-first", "--rollback-monitor", "1s",
        service.name,
        check=False, title="An update to a check that can't succeed",
    )  # fmt: skip


SICK = ("--health-interval", "1s", "--health-timeout", "5s", "--health-retries", "1")
NEVER = ("--restart-condition", "none")

ENDINGS: dict[str, Sequence[str]] = {
    "nginx": ("--health-cmd", "exit 1", *SICK, *NEVER, IMAGE),
    "redis": ("--health-cmd", "exit 1", *SICK, *NEVER, REDIS),
    # A first process without a handler for a signal does not get it: it must be killed.
    "deaf": (
        "--health-cmd", "exit 1", *SICK, *NEVER,
        "--stop-signal", "SIGTERM", "--stop-grace-period", "1s",
        IMAGE, "sleep", "600",
    ),
}  # fmt: skip
"""Tasks that become unhealthy at their first check, and what happens then is watched."""


def postgres_ending(secret: str) -> Sequence[str]:
    """Likewise PostgreSQL, which becomes unhealthy as soon as it takes connections."""
    return (
        "--secret", secret,
        "--env", f"POSTGRES_PASSWORD_FILE=/run/secrets/{secret}",
        "--health-cmd", "! pg_isready -h 127.0.0.1", *SICK, *NEVER,
        "postgres:15-alpine",
    )  # fmt: skip


def ending(services: Services, name: str, words: Sequence[str]) -> Service:
    """One task that becomes unhealthy, and is not replaced."""
    return services.create(f"ends-{name}", *words, title=f"{name}: a task that will be unhealthy")


MOST_ATTEMPTS = 2


def gives_up(services: Services) -> Service:
    """A service that never becomes healthy, with a limit of restarts."""
    return services.create(
        "gives-up",
        "--health-cmd", "exit 1", *SICK,
        "--restart-condition", "any", "--restart-delay", "0s",
        "--restart-max-attempts", str(MOST_ATTEMPTS),
        IMAGE,
        title=f"At most {MOST_ATTEMPTS} restarts",
    )  # fmt: skip


SLOW = ("sh", "-c", "sleep 20; exec nginx -g 'daemon off;'")
"""A server that needs 20 s before it answers. With ten it was there before a busy node, where a
check took 2 s, had failed it twice."""


def slow(services: Services, name: str, *start: str) -> Service:
    """That server, which may fail two checks in a row; `start`: its start period, if any."""
    return services.create(
        name,
        "--health-cmd", ASKS,
        "--health-interval", "3s", "--health-timeout", "5s", "--health-retries", "2", *start,
        "--restart-condition", "any", "--restart-delay", "0s", "--stop-grace-period", "1s",
        # A service that never comes up keeps its nodes busy for as long as one lets it.
        "--restart-max-attempts", str(MOST_ATTEMPTS),
        IMAGE, *SLOW,
        title=f"A slow start: {' '.join(start) or 'no start period'}",
    )  # fmt: skip
