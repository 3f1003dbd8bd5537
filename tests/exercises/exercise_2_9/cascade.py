"""Redis is away: an API whose health check needs it, and one whose check does not."""

from __future__ import annotations

from typing import Any

from pytest_swarmlab import failed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import EngineTold, each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    judged,
    members_of,
    not_asked,
    not_while,
    out_of_order,
)
from pytest_swarmlab.model import Judgement

from . import healing
from .declared import (
    CASCADE,
    PAUSE_S,
    exercise,
)
from .events import OutageMoment, Readiness
from .seen import at_work, through, untouched
from .setting import API, API_PORT, API_REPLICAS, LABS, LABS_PORT


@exercise.check(
    "lab-s-check-takes-all-down",
    phases=CASCADE,
    title="With the lab's health check the whole API fails with Redis and restarts for ever",
    expected="every replica is replaced, one of them twice; no answers while all are down",
    hint="A health check must not depend on anything outside its container.",
)
def lab_s_check_takes_all_down(record: Record) -> Judgement:
    """From the moment when all were down until Redis came back."""
    began, down, over = (_moment(record, what) for what in ("began", "all down", "over"))
    if began is None or over is None:
        return unknown("it was not recorded when Redis stopped and returned")
    if down is None:
        return failed("its replicas were not all seen down")
    asked = through(record, LABS_PORT)
    lost = [r for r in asked if down <= r.sent and r.over <= over]
    slots = [e.slot for e in _ends(record, LABS, Window(began, over))]
    answered = sum(r.ok for r in lost)
    told = f"{len(slots)} containers ended; {answered} of {len(lost)} requests answered meanwhile"
    good = len(slots) > API_REPLICAS and len(set(slots)) == API_REPLICAS and not answered
    nodes = members_of(record)
    missing = not_asked(asked, through=nodes, window=Window(down, over), pause=PAUSE_S)
    early = (r.over for r in asked if r.ok)
    missing += not_while(early, Window(record.events[0].t, began), "was answered by it")
    missing += out_of_order(("its beginning", began), ("all down", down), ("its end", over))
    return judged(told, holds=good, missing=missing)


@exercise.check(
    "liveness-keeps-it-up",
    phases=CASCADE,
    title="With a liveness check the same API keeps serving its main page",
    expected="every request is answered, and no replica was replaced",
    hint="`docker service ps health_api`: what does its health check test?",
)
def liveness_keeps_it_up(record: Record) -> Judgement:
    """The outage of the other check."""
    began, back = (_moment(record, what) for what in ("began", "over"))
    if began is None or back is None:
        return unknown("it was not recorded when Redis stopped and returned")
    return untouched(record, API, Window(began, back))


@exercise.check(
    "readiness-tells",
    phases=CASCADE,
    title="The API's readiness page names the missing part",
    expected="503, database ok, redis not ok",
    hint="`curl http://127.0.0.1:8080/health/ready` in the container.",
)
def readiness_tells(record: Record) -> Judgement:
    """The readiness page, for operators."""
    asked = need(record, Readiness, "its readiness page was not read")
    checks = asked.checks
    told = f"{asked.status}: " + ", ".join(f"{name} {said}" for name, said in checks.items())
    good = asked.status == "503" and checks.get("database") == "ok"
    order = out_of_order(
        ("Redis's stop", _moment(record, "began")),
        ("the question", asked.t),
        ("Redis's return", _moment(record, "over")),
    )
    return judged(told, holds=good and checks.get("redis", "ok") != "ok", missing=order)


@exercise.check(
    "comes-back",
    phases=CASCADE,
    title="The whole API returns with Redis",
    expected="two replicas of each run",
    hint="With a limit of attempts Swarm would no longer restart it.",
)
def comes_back(record: Record) -> Judgement:
    """Thanks to `any`, without a limit."""
    counts, late, strange, over = {}, [], [], _moment(record, "over")
    for service in (API, LABS):
        samples = readings.task_lists(record, service)
        counts[service] = len(at_work(samples[-1].tasks)) if samples else None
        listed = (f"the list of {service}'s tasks", samples[-1].asked if samples else None)
        late += out_of_order(("Redis's return", over), listed)
        known = [{task.id for task in sample.tasks} for sample in samples]
        if known and not all(ids & known[0] for ids in known):
            strange.append(f"the lists of {service}'s tasks are not of one service")
    told = ", ".join(f"{name}: {count}" for name, count in counts.items())
    good = set(counts.values()) <= {API_REPLICAS, None}
    return judged(told, holds=good or bool(late), missing=late + strange)


@exercise.measure(phases=CASCADE)
def cascade(record: Record) -> dict[str, Any]:
    """Both APIs in the same outage."""
    moments = {w: _moment(record, w) for w in ("began", "all down", "over", "all back")}
    found: dict[str, Any] = {
        "down_after_s": _between(moments["began"], moments["all down"]),
        "outage_s": _between(moments["began"], moments["over"]),
        "back_after_s": _between(moments["over"], moments["all back"]),
    }
    for name, service, port in (("live", API, API_PORT), ("labs", LABS, LABS_PORT)):
        asked = through(record, port)
        found |= {
            f"{name}_requests": len(asked),
            f"{name}_failed": sum(not r.ok for r in asked),
            f"{name}_restarts": _ends_before(record, service, moments["all back"]),
        }
    return found


def _moment(record: Record, what: str) -> float | None:
    moment = last(record, OutageMoment, what=what)
    return moment.t if moment else None


def _ends_before(record: Record, service: str, moment: float | None) -> int:
    until = [e for e in record if moment is None or e.t <= moment]
    return healing.ends(Record(tuple(until)), service)


def _ends(record: Record, service: str, window: Window) -> list[EngineTold]:
    """The ends of that service's containers within the window."""
    return [e for e in each(record, EngineTold, what="die", service=service) if e.t in window]


def _between(began: float | None, ended: float | None) -> float | None:
    return None if began is None or ended is None else round(ended - began, 1)
