"""Which tasks get requests before and after they are healthy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import last
from pytest_swarmlab.evidence.readings import Request
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, members_of, not_each, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import MESH, STARTING, exercise
from .events import Served


@exercise.check(
    "starting-until-healthy",
    phases=STARTING,
    title="A task is `starting` until its health check succeeds, then `running`",
    expected="two starting; then one starting and one running; then two running",
    hint="`docker service ps gated`: without a health check a task is running at once.",
)
def starting_until_healthy(record: Record) -> Judgement:
    """Judged by the managers' lists, at each step."""
    steps = _steps(record, "none", "one", "both")
    seen = {when: sorted(e.states.values()) for when, e in steps.items()}
    told = "; ".join(f"{when}: {', '.join(states)}" for when, states in seen.items())
    wanted = {
        "none": ["starting", "starting"],
        "one": ["running", "starting"],
        "both": ["running", "running"],
    }
    return passed(told) if seen == wanted else failed(told)


def _steps(record: Record, *wanted: str) -> dict[str, Served]:
    """What was noted when none, one or both were healthy. Raises Unseen unless in that order."""
    found = {when: last(record, Served, when=when) for when in wanted}
    moments = [(f"who served when {w} was healthy", e.t if e else None) for w, e in found.items()]
    missing = out_of_order(*moments)
    if len({frozenset(event.states) for event in found.values() if event}) > 1:
        missing.append("they are not the same tasks at each step")
    if missing:
        raise Unseen("; ".join(missing))
    return {when: event for when, event in found.items() if event}


@exercise.check(
    "no-visitor-before",
    phases=STARTING,
    title="No request reaches a task before it is healthy",
    expected="no answer while no task is healthy; then only the healthy one answers",
    hint="`docker logs` of each container: did the `starting` one get a request?",
    needs=MESH,
)
def no_visitor_before(record: Record) -> Judgement:
    """Judged by each container's log."""
    steps = _steps(record, "none", "one")
    asked = {when: _asked(record, f"asked={when}") for when in steps}
    if not all(asked.values()):
        return unknown("no request was made")
    early = sum(r.ok for r in asked["none"]) + sum(steps["none"].served.values())
    by_state: dict[str, int] = {"running": 0, "starting": 0}
    for task, count in steps["one"].served.items():
        by_state[steps["one"].states[task]] += count
    told = (
        f"while none was healthy {early} of {len(asked['none'])} answered; while one was, it"
        f" answered {by_state['running']} of {len(asked['one'])}, the other {by_state['starting']}"
    )
    good = early == 0 == by_state["starting"] and by_state["running"] == len(asked["one"])
    missing = [lack for when in steps for lack in _not_through(record, asked[when])]
    missing += _not_in_step(steps, asked)
    return judged(told, holds=good and all(r.ok for r in asked["one"]), missing=missing)


def _not_through(record: Record, asked: Sequence[Request]) -> list[str]:
    return not_each({r.node for r in asked}, members_of(record), "asked through")


def _not_in_step(steps: Mapping[str, Served], asked: Mapping[str, Sequence[Request]]) -> list[str]:
    """Requests that were not over when it was noted who had served them, or sent a step before."""
    missing, before = [], None
    for when, event in steps.items():
        sent = ("the first request", min(r.sent for r in asked[when]))
        over = ("the last request", max(r.over for r in asked[when]))
        noted = (f"who served when {when} was healthy", event.t)
        missing += out_of_order(*([before] if before else []), sent, over, noted)
        before = noted
    return missing


@exercise.check(
    "visitors-after",
    phases=STARTING,
    title="A healthy task gets its share of the requests",
    expected="both tasks answer, and every request is answered",
    hint="`nsenter --net=/run/docker/netns/ingress_sbox cat /proc/net/ip_vs` on every node.",
    needs=MESH,
)
def visitors_after(record: Record) -> Judgement:
    """The way into the mesh."""
    steps = _steps(record, "one", "both")
    seen = steps["both"]
    asked = {when: _asked(record, f"asked={when}") for when in steps}
    if not all(asked.values()):
        return unknown("no request was made")
    counts = sorted(seen.served.values())
    both = asked["both"]
    told = f"{sum(r.ok for r in both)} of {len(both)} answered; by task: {counts}"
    good = all(r.ok for r in both) and len(counts) == 2 and counts[0] > 0
    missing = _not_through(record, both) + _not_in_step(steps, asked)
    return judged(told, holds=good, missing=missing)


def _asked(record: Record, words: str) -> list[Request]:
    return [r for r in readings.requests(record) if words in r.url]
