"""The whole shop was deployed and processed a first order, judged on the record alone."""

from __future__ import annotations

from pytest_swarmlab.evidence.events import each, first, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, members_of, not_each, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import DEPLOYED, PERSISTENCE, exercise
from .events import Begun, Followed, Health, Memory, Ordered, Ready, Removed
from .listed import full_name, of_another_cluster, running, tasks_of
from .setting import REPLICAS

READY_S = 240.0
"""Images are on the nodes; PostgreSQL and RabbitMQ initialise their files on NFS."""


@exercise.check(
    "replicas",
    phases=DEPLOYED + PERSISTENCE,
    title="Every service runs all its replicas",
    expected=", ".join(f"{name} {count}/{count}" for name, count in REPLICAS.items()),
    hint="`docker stack ps shop --no-trunc`: why does a task not start?",
)
def replicas(record: Record) -> Judgement:
    """As `docker stack services` shows it."""
    told, good, missing = [], True, []
    began, seen = last(record, Removed) or first(record, Begun), []
    for name, count in REPLICAS.items():
        listed = tasks_of(record, name)
        if not listed:
            missing.append(f"nobody listed the tasks of {name}")
            continue
        seen.append(listed[-1])
        count_now = len(running(listed[-1]))
        told.append(f"{name} {count_now}/{count}")
        good = good and count_now == count
        moment = (f"the list of {name}'s tasks", listed[-1].asked)
        missing += out_of_order(("the beginning", began.t if began else None), moment)
    missing += of_another_cluster(seen)
    return judged(", ".join(told) or "nothing", holds=good, missing=missing)


@exercise.check(
    "healthy",
    phases=DEPLOYED,
    title="Every container is healthy",
    expected=f"{sum(REPLICAS.values())} containers, each with a health check, all healthy",
    hint="`docker inspect` of the container, State.Health.Log; a service without a check has none.",
)
def healthy(record: Record) -> Judgement:
    """By each node's own engine."""
    ready = need(record, Ready, "the shop was never ready")
    seen = {e.container: e for e in each(record, Health) if e.t >= ready.t}
    wrong = [f"{e.service} on {e.node}: {e.health}" for e in seen.values() if e.health != "healthy"]
    missing = []
    for name, count in REPLICAS.items():
        at_work = {
            task.container for s in tasks_of(record, name)[-1:] for task in s.tasks if task.running
        }
        looked = {e.container for e in seen.values() if e.service == full_name(name)}
        if len(looked & at_work) != count:
            missing.append(f"{len(looked & at_work)} containers of {name}'s tasks were looked at")
    return judged(f"{len(seen)} containers", wrong=wrong, missing=missing)


@exercise.check(
    "ready-in-time",
    phases=DEPLOYED,
    timed=True,
    title="The whole shop is ready in time",
    expected=f"every replica serves through every node {READY_S:.0f} s after the preparation began",
    hint="Which service was last? `docker stack ps shop`; a `start_interval` shortens the wait.",
)
def ready_in_time(record: Record) -> Judgement:
    """Directories, labels, secrets, configs, and the stack."""
    began = need(record, Begun, "the beginning was not recorded")
    ready = need(record, Ready, "the shop was never ready")
    seconds = ready.t - began.t
    missing = out_of_order(("the beginning", began.t), ("its end", ready.t))
    if ready.services != len(REPLICAS):
        missing.append("not every service was waited for")
    return judged(f"ready after {seconds:.1f} s", holds=seconds <= READY_S, missing=missing)


@exercise.check(
    "first-order",
    phases=DEPLOYED,
    title="An order is accepted and processed",
    expected="acknowledged, then processed by a worker; every node shows it as processed",
    hint="`docker service logs shop_orders-worker`: does it reach RabbitMQ, with which password?",
)
def first_order(record: Record) -> Judgement:
    """Gateway, orders, PostgreSQL, outbox, RabbitMQ, worker, and back."""
    ordered = need(record, Ordered, "no order was acknowledged")
    seen = [e for e in each(record, Followed, order=ordered.order) if e.t > ordered.t]
    wrong = [f"{e.node}: {e.status}" for e in seen if e.status != "processed"]
    missing = not_each((e.node for e in seen), members_of(record), "asked through")
    return judged(f"asked through {len(seen)} nodes", wrong=wrong, missing=missing)


@exercise.measure(phases=DEPLOYED)
def deployment(record: Record) -> dict[str, float | int | None]:
    """How long it took until everything served, and what the nodes' memory holds then."""
    began, ready = first(record, Begun), first(record, Ready)
    used = [e.used_mib for e in each(record, Memory)]
    return {
        "ready_s": round(ready.t - began.t, 1) if began and ready else None,
        "memory_mib": sum(used) if used else None,
    }
