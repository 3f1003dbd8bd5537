"""What must be true of the monitoring, judged on the record alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import ClusterReady, each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, never, nodes_of, not_awaited, out_of_order
from pytest_swarmlab.model import Judgement, Membership

from .alerts import Alert, not_told_meanwhile, phase_of, provoked
from .declared import (
    BESIDES,
    DEPLOYED,
    EVERY_S,
    EXPECTED,
    PROVOKED,
    RESOLVED_S,
    RULES,
    SHOP,
    exercise,
)
from .events import Heard, Panel, Provoked, Quiet, Rules, Target, Targets
from .setting import (
    DASHBOARDS,
    EACH_NODE,
    MANAGERS,
    NAME,
    ONE_EACH,
    REPLICAS,
    SHOP_DASHBOARDS,
    SHOP_JOBS,
)

__all__ = ["exercise"]

# -- deployed ------------------------------------------------------------------------------------


@exercise.check(
    "replicas",
    phases=DEPLOYED,
    title="Every monitoring service runs all its replicas",
    expected=", ".join(f"{name} {count}/{count}" for name, count in REPLICAS.items()),
    hint="`docker stack ps monitoring --no-trunc`: does a node have the label monitoring=true?",
)
def replicas(record: Record) -> Judgement:
    """As `docker stack services` shows it."""
    told, good, missing = [], True, []
    for name, count in REPLICAS.items():
        listed = readings.task_lists(record, f"{NAME}_{name}")
        if not listed:
            missing.append(f"nobody listed the tasks of {name}")
            continue
        running = sum(task.running for task in listed[-1].tasks)
        told.append(f"{name} {running}/{count}")
        good = good and running == count
    return judged(", ".join(told) or "nothing", holds=good, missing=missing)


@exercise.check(
    "all-watched",
    phases=DEPLOYED,
    title="Prometheus scrapes every engine, node and manager, and each of its own parts",
    expected="each node's engine and exporter, each manager's port, all others once; all are up",
    hint="Prometheus' page /targets says why one is down: metrics-addr, a firewall, a label?",
)
def all_watched(record: Record) -> Judgement:
    """By Swarm's own lists."""
    targets = need(record, Targets, "Prometheus' targets were not recorded").targets
    nodes = nodes_of(record)
    ready = need(record, ClusterReady, "the cluster's nodes were not recorded")
    managers = sorted(n.name for n in ready.nodes if n.membership == Membership.MANAGER)
    wrong = [
        f"{job}: {sorted(_on(targets, job))}"
        for job, wanted in (
            *((job, sorted(nodes)) for job in EACH_NODE),
            *((job, managers) for job in MANAGERS),
        )
        if sorted(_on(targets, job)) != wanted
    ]
    wrong += [f"{job}: {len(_on(targets, job))}" for job in ONE_EACH if len(_on(targets, job)) != 1]
    wrong += [f"{t.job} of {t.node} is down" for t in targets if not t.up]
    return judged(f"{len(targets)} targets", wrong=wrong)


def _on(targets: Sequence[Target], job: str) -> list[str]:
    return [target.node for target in targets if target.job == job]


@exercise.check(
    "nothing-to-tell",
    phases=DEPLOYED,
    title="A healthy swarm causes no alert",
    expected=f"each of the {len(RULES)} rules can be evaluated, and no alert is pending or firing",
    hint="Prometheus' page /alerts; `promtool check rules` and `promtool test rules`.",
)
def nothing_to_tell(record: Record) -> Judgement:
    """False alerts teach people to ignore alerts."""
    rules = need(record, Rules, "Prometheus' rules were not recorded").rules
    quiet = need(record, Quiet, "some alert was pending or firing all the time")
    wrong = [f"{name}: {rule.health}" for name, rule in rules.items() if rule.health != "ok"]
    wrong += [f"Prometheus has no rule {name}" for name in sorted(RULES - rules.keys())]
    later = [e.alert for e in each(record, Heard, status="firing") if e.t > quiet.t]
    wrong += [f"{name} fired" for name in later]
    return judged(f"{len(rules)} rules", wrong=wrong)


@exercise.check(
    "shop-watched",
    phases=SHOP,
    title="Prometheus scrapes the shop's parts",
    expected=f"{', '.join(f'{job}: {count}' for job, count in SHOP_JOBS.items())}; all are up",
    hint="Prometheus' page /targets; are the exporters in the network shop_backend?",
)
def shop_watched(record: Record) -> Judgement:
    """Each task of its services, its front, and exporters of its database and its cache."""
    targets = need(record, Targets, "Prometheus' targets were not recorded").targets
    wrong = [
        f"{job}: only {len(_on(targets, job))} of {count} are scraped"
        for job, count in SHOP_JOBS.items()
        if len(_on(targets, job)) < count
    ]
    wrong += [f"{t.job} is down" for t in targets if t.job in SHOP_JOBS and not t.up]
    return judged(", ".join(f"{job} {len(_on(targets, job))}" for job in SHOP_JOBS), wrong=wrong)


@exercise.check(
    "dashboards",
    phases=DEPLOYED + SHOP,
    title="Every panel of the dashboards has data",
    expected=f"each query of {', '.join(DASHBOARDS)} is accepted and has data; with the shop,"
    f" those of {', '.join(SHOP_DASHBOARDS)}",
    hint="Run the panel's query in Prometheus: is a metric's name wrong, or a label missing?",
)
def panels(record: Record) -> Judgement:
    """Each query, run by itself."""
    seen = each(record, Panel)
    wrong = [
        f"{e.dashboard}, {e.panel}: {e.error or 'no data'}" for e in seen if e.error or not e.series
    ]
    wanted = SHOP_DASHBOARDS if record.events[-1].phase.endswith("/shop") else DASHBOARDS
    asked = Counter(name for name, _, _ in {(e.dashboard, e.panel, e.expr) for e in seen})
    missing = [
        f"{count - asked[name]} of the {count} queries of {name} were not run"
        for name, count in wanted.items()
        if asked[name] < count
    ]
    return judged(f"{len(seen)} queries", wrong=wrong, missing=missing)


# -- provoked ------------------------------------------------------------------------------------


def _for(record: Record, name: str) -> float:
    rules = need(record, Rules, "Prometheus' rules were not recorded").rules
    if name not in rules:
        raise Unseen(f"Prometheus has no rule {name}")
    return rules[name].for_


@exercise.check(
    "told",
    phases=PROVOKED,
    title="Each alert fires after its cause, and names the node or service",
    expected="the receiver gets each alert after its cause, with the node's or service's name",
    hint="Prometheus' page /alerts: pending, firing? Then Alertmanager's, then the recorder's log.",
)
def told(record: Record) -> Judgement:
    """By what the receiver wrote down until the repair began."""
    alerts = list(provoked(record))
    wrong = [f"{alert.words} was not received" for alert in alerts if alert.never_told]
    wrong += [
        f"{alert.words} was received before its cause"
        for alert in alerts
        if any(e.heard < alert.deed.clock for e in alert.heard("firing"))
    ]
    missing = [lack for alert in alerts for lack in not_told_meanwhile(alert)]
    heard = sum(alert.first is not None for alert in alerts)
    return judged(f"{heard} of {len(alerts)} received", wrong=wrong, missing=missing)


@exercise.check(
    "in-time",
    phases=PROVOKED,
    title="Each alert arrives as soon as its rule's `for` allows",
    expected="at most: until the cause shows + scrape 5 s + evaluation 5 s + `for` + delivery 10 s",
    hint="Prometheus' scrape and evaluation intervals, Alertmanager's group_wait, group_interval.",
    timed=True,
)
def in_time(record: Record) -> Judgement:
    """Each by the clock of the receiver's node."""
    seen, wrong, missing = [], [], []
    expected = EXPECTED[phase_of(record)]
    for alert in provoked(record):
        first, bound = alert.first, expected[alert.name].within(_for(record, alert.name))
        missing += not_told_meanwhile(alert)
        if first is None:
            continue
        took = first.heard - alert.deed.clock
        seen.append(f"{alert.words} {took:.0f} s ({bound:.0f})")
        if took > bound:
            wrong.append(f"{alert.words} took {took:.0f} s of {bound:.0f}")
    return judged("; ".join(seen), wrong=wrong, missing=missing)


@exercise.check(
    "waits-its-for",
    phases=PROVOKED,
    title="An alert fires only after its rule's `for`",
    expected=f"`for`, and at most {2 * EVERY_S:.0f} s more, from pending to firing",
    hint="`for` suppresses alerts about a fault that ends by itself.",
)
def waits_its_for(record: Record) -> Judgement:
    """From Prometheus' own moments: since when it is true, and since when it fires."""
    seen, wrong, missing = [], [], []
    for alert in provoked(record):
        first, wanted, active = alert.first, _for(record, alert.name), alert.active
        missing += not_told_meanwhile(alert, active)
        if first is None or active is None:
            continue
        waited = _moment(first.starts) - _moment(active.since)
        seen.append(f"{alert.words} {waited:.0f} s (for {wanted:.0f})")
        if not wanted - 0.5 <= waited <= wanted + 2 * EVERY_S:
            wrong.append(f"{alert.words} waited {waited:.1f} s for {wanted:.0f}")
    return judged("; ".join(seen), wrong=wrong, missing=missing)


def _moment(said: str) -> float:
    """Seconds since 1970 of a moment as Go writes it, with nanoseconds."""
    whole, _, rest = said.partition(".")
    if rest:
        digits = rest.rstrip("Z")
        return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{digits}")
    return datetime.fromisoformat(said.replace("Z", "+00:00")).timestamp()


@exercise.check(
    "over",
    phases=PROVOKED,
    title="Each alert is resolved after the repair, and not before",
    expected=f"the receiver gets `resolved` within {RESOLVED_S:.0f} s of the end of the repair",
    hint="Alertmanager's send_resolved; does the rule's expression still have a result?",
)
def over(record: Record) -> Judgement:
    """No alert stays for ever, and none flaps.

    A repair has several steps: an alert may end before the last of them.
    """
    alerts = list(provoked(record))
    seen, wrong, missing = 0, [], []
    for alert in alerts:
        mending, mended, end = alert.mending, alert.mended, alert.end
        seen += end is not None
        if mending and any(e.heard < mending.clock for e in alert.ends):
            wrong.append(f"{alert.words} was resolved before the repair")
        if alert.never_over:
            wrong.append(f"{alert.words} was never resolved")
        elif end and mended and end.heard - mended.clock > RESOLVED_S:
            wrong.append(f"{alert.words} was resolved too late")
        missing += out_of_order(
            (f"the cause of {alert.words}", alert.deed.t),
            (f"the repair for {alert.words}", mending.t if mending else None),
            (f"the end of the repair for {alert.words}", mended.t if mended else None),
            (f"the end of {alert.words}", end.t if end else None),
        )
    return judged(f"{seen} of {len(alerts)} resolved", wrong=wrong, missing=missing)


@exercise.check(
    "nothing-else",
    phases=PROVOKED,
    title="No other alert fires",
    expected="only this phase's alerts and their known consequences; no alert is left at the end",
    hint="An alert without a cause, or a cause with ten alerts, teaches people not to listen.",
)
def nothing_else(record: Record) -> Judgement:
    """From the first cause until no alert is pending after the last repair."""
    alerts, quiet = list(provoked(record)), last(record, Quiet)
    firing = each(record, Heard, status="firing")
    if not firing:
        since = max(alert.deed.t for alert in alerts)
        return never("no alert was received", not_awaited(record, since))
    follows = BESIDES[phase_of(record)]
    those = [e for alert in alerts for e in alert.heard("firing")]
    others = {e.words for e in firing if not {e.alert, e.words} & follows and e not in those}
    missing = [lack for alert in alerts for lack in not_told_meanwhile(alert)]
    missing += out_of_order(
        ("the repair", max((a.mending.t for a in alerts if a.mending), default=None)),
        ("the end of all alerts", quiet.t if quiet else None),
    )
    names = ", ".join(sorted({e.alert for e in firing}))
    return judged(names, wrong=[f"{other} fired" for other in sorted(others)], missing=missing)


@exercise.check(
    "says-what-to-do",
    phases=PROVOKED,
    title="Each alert says what is wrong and what to do",
    expected="a summary and an action, with every value filled in",
    hint="annotations of the rule; `promtool test rules` shows them filled in.",
)
def says_what_to_do(record: Record) -> Judgement:
    """For the person on call."""
    alerts = list(provoked(record))
    wrong = [
        f"{alert.words}: its {part} is {text!r}"
        for alert in alerts
        for heard in alert.heard("firing")
        for part, text in (("summary", heard.summary), ("action", heard.action))
        if not text or any(word in text for word in ("{{", "<no value>", "<error"))
    ]
    missing = [lack for alert in alerts for lack in not_told_meanwhile(alert)]
    said = sum(alert.first is not None for alert in alerts)
    return judged(f"{said} alerts", wrong=wrong, missing=missing)


@exercise.measure(phases=PROVOKED)
def delays(record: Record) -> dict[str, Any]:
    """Seconds for each alert: from its cause until it was received, from its repair to its end.

    The latter is below 0 where it ended before the last step of the repair.
    """
    found: dict[str, Any] = {}
    for deed in each(record, Provoked):
        alert = Alert(record, deed)
        first, end, mended = alert.first, alert.end, alert.mended
        found[f"{alert.name}_told_s"] = first and round(first.heard - alert.deed.clock, 1)
        found[f"{alert.name}_over_s"] = (
            round(end.heard - mended.clock, 1) if end and mended else None
        )
    return found
