"""Criterion "Stack production": exercise 2.10's shop, which is the stack that has RabbitMQ."""

from __future__ import annotations

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.marking.state.basis import Look, exercise, judged, names
from pytest_swarmlab.model import Judgement
from pytest_swarmlab.survey import readings
from pytest_swarmlab.survey.seen import Service

OTHERS = 5
"""Frontend, gateway, and the services for products, orders and users."""

PARTS = {"PostgreSQL": readings.POSTGRES, "Redis": readings.CACHES}
"""Images of the shop beside RabbitMQ."""

MANAGEMENT = {15672, 15671}
"""Ports of RabbitMQ's management page, which the lab publishes."""


@exercise.claim(
    "production",
    "there",
    title="The shop is deployed",
    expected="a stack with RabbitMQ and at least one other service",
    hint="Exercise 2.10: `docker stack deploy -c ecommerce-stack.yml ecommerce`.",
)
def there(look: Look) -> Judgement:
    """The stack of the broker."""
    if look.player("broker") is None:
        return judged(f"{len(look.services)} services", wrong=[str(look.cast["broker"])])
    shop = look.shop()
    wrong = [] if len(shop) > 1 else ["RabbitMQ is its only service"]
    return judged(f"the stack has {names(shop)}", wrong=wrong)


@exercise.claim(
    "production",
    "stack",
    title="The shop has all its parts",
    expected="one stack with RabbitMQ, PostgreSQL, Redis and at least five other services",
    hint="Exercise 2.10: `docker stack deploy -c ecommerce-stack.yml ecommerce`.",
)
def stack(look: Look) -> Judgement:
    """The stack of the broker."""
    if look.player("broker") is None:
        return judged(f"{len(look.services)} services", wrong=[str(look.cast["broker"])])
    shop = look.shop()
    wrong = [] if shop else ["RabbitMQ belongs to no stack"]
    for what, images in PARTS.items():
        if shop and not any(readings.is_a(each, images) for each in shop):
            wrong.append(f"no {what}")
    others = [s for s in shop if not readings.is_a(s, readings.INFRASTRUCTURE)]
    if shop and len(others) < OTHERS:
        wrong.append(f"{len(others)} services besides database, cache and broker")
    return judged(f"the stack has {names(shop)}", wrong=wrong)


@exercise.claim(
    "production",
    "converged",
    title="The shop has converged",
    expected="every service of the shop runs all its replicas",
    hint="`docker stack services ecommerce`, then `docker service ps --no-trunc` of each service"
    " that lacks a replica.",
)
def converged(look: Look) -> Judgement:
    """Running tasks against wanted replicas."""
    shop = look.shop()
    wrong = []
    for service in shop:
        running = len(look.running(service))
        wanted = running if service.wanted is None else service.wanted
        if running < max(1, wanted):
            wrong.append(f"{service.name}: {running} of {wanted}")
    return judged(names(shop), wrong=wrong)


def _each(look: Look, wrong: list[str]) -> Judgement:
    return judged(f"{len(look.shop())} services", wrong=wrong, missing=look.unkept("services"))


@exercise.claim(
    "production",
    "limits",
    title="No service of the shop can use up a machine's memory",
    expected="each service of the shop has a memory limit",
    hint="`deploy: resources: limits: memory`.",
)
def limits(look: Look) -> Judgement:
    """The services' definitions."""
    return _each(look, [service.name for service in look.shop() if not service.memory_limit])


@exercise.claim(
    "production",
    "pinned",
    title="Each image of the shop has a fixed version",
    expected="a tag other than latest, or a digest in the file, for each service of the shop",
    hint="`latest` changes over time: nodes that pull it on different days run different images.",
)
def pinned(look: Look) -> Judgement:
    """Tags. A digest that the client has added does not count."""
    return _each(look, [f"{s.name}: {s.image.partition('@')[0]}" for s in look.shop()
                        if s.tag in {"", "latest"}])  # fmt: skip


@exercise.claim(
    "production",
    "data-private",
    title="Only the shop reaches its database, cache and broker",
    expected="no published port, except the broker's management page",
    hint="Services in one network reach each other without `ports:`.",
)
def data_private(look: Look) -> Judgement:
    """Their published ports."""
    found = [s for s in look.shop() if readings.is_a(s, readings.INFRASTRUCTURE)]
    wrong = [
        f"{service.name}: port {port.target} as {port.published}"
        for service in found
        for port in service.ports
        if port.target not in MANAGEMENT
    ]
    return judged(names(found), wrong=wrong)


@exercise.claim(
    "production",
    "encrypted",
    title="The network of the shop's database is encrypted",
    expected="the driver option `encrypted` for each network of the database",
    hint='`driver_opts: encrypted: "true"` of the network backend.',
)
def encrypted(look: Look) -> Judgement:
    """The overlay's driver option."""
    found = next((s for s in look.shop() if readings.is_a(s, readings.POSTGRES)), None)
    if found is None:
        raise Unseen("the shop has no PostgreSQL")
    by_name = look.networks
    plain = [n for n in found.networks if n in by_name and not by_name[n].encrypted]
    unseen = [n for n in found.networks if n not in by_name]
    if not found.networks:
        unseen.append("no network of it was seen")
    return judged(f"{found.name} is in {', '.join(found.networks) or 'no network'}",
                  wrong=plain, missing=unseen)  # fmt: skip


def stateless(look: Look) -> list[Service]:
    """Services of the shop that keep no data and have several replicas."""
    return [
        s
        for s in look.shop()
        if (s.wanted is None or s.wanted > 1) and not readings.is_a(s, readings.INFRASTRUCTURE)
    ]


@exercise.claim(
    "production",
    "updates",
    title="The shop's updates interrupt no request, and roll back when they fail",
    expected="start-first and failure_action `rollback` for services of several replicas",
    hint="`update_config: order: start-first, failure_action: rollback`, and `rollback_config`.",
)
def updates(look: Look) -> Judgement:
    """The services' definitions."""
    found = stateless(look)
    wrong = [] if found else ["no service has several replicas"]
    for service in found:
        if service.update.order != "start-first" or service.update.failure != "rollback":
            wrong.append(f"{service.name}: {service.update.order}, {service.update.failure}")
    return judged(names(found), wrong=wrong)


@exercise.claim(
    "production",
    "health",
    title="Each service of the shop has a health check",
    expected="a health check in each definition",
    hint="Exercise 2.9: `healthcheck:`.",
)
def health(look: Look) -> Judgement:
    """The services' definitions."""
    return _each(look, [s.name for s in look.shop() if s.health is None or s.health.none])
