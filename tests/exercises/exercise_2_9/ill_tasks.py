"""Tasks that are made ill one after the other are replaced, each in its slot."""

from __future__ import annotations

import statistics
from typing import Any

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import EngineTold, each, need
from pytest_swarmlab.evidence.readings import Request, TasksSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Window, judged, not_awaited, out_of_order
from pytest_swarmlab.model import Judgement

from .. import whose
from . import healing
from .declared import HEAL, ILL, MESH, exercise
from .events import Broken
from .healing import Healing, healings
from .seen import at_work, by_status, last_list, uncovered
from .setting import REPETITIONS, REPLICAS

ROLE = "web"


@exercise.check(
    "healed-in-its-slot",
    phases=HEAL,
    title="Swarm replaces each unhealthy task by a healthy one in its slot",
    expected=f"at least {REPETITIONS} times, and {REPLICAS} replicas run at the end",
    hint="`docker service ps test-health`: is the restart condition `any`?",
)
def healed_in_its_slot(record: Record) -> Judgement:
    """Judged by the engines' events."""
    done = _repetitions(record)
    whole = [h for h in done if h.unhealthy and h.healthy]
    last = last_list(record)
    running = at_work(last.tasks) if last else []
    told = f"{len(whole)} of {len(done)} healed; {len(running)} replicas run at the end"
    over = max((h.healthy for h in whole if h.healthy), default=None)
    early = out_of_order(
        ("the last healing", over), ("the list of the tasks", last.asked if last else None)
    )
    missing, wanted = [], _wanted(record)
    if len({h.container for h in done}) < wanted:
        missing.append(f"fewer than {wanted} tasks were made unhealthy")
    left = [h for h in done if h not in whole]
    # A successor of one that nobody found unhealthy is no healing.
    vain = [h for h in left if h.healthy or not not_awaited(record, h.broken)]
    wrong = [f"{len(vain)} not healed"] if vain else []
    if len(vain) < len(left):
        missing.append(f"{len(left) - len(vain)} not healed yet when the record ends")
    slots, replicas = {task.slot for task in running}, whose.replicas(record, ROLE, REPLICAS)
    return judged(
        told,
        holds=len(slots) == len(running) == replicas,
        wrong=wrong,
        missing=missing,
        early=early,
    )


@exercise.check(
    "detected-as-predicted",
    phases=HEAL,
    timed=True,
    title="Swarm detects an unhealthy task within the time that its health check allows",
    expected="at least (retries - 1) intervals; at most retries × (interval + check) + a check",
    hint="`docker inspect` of the container, State.Health.Log: how long do the checks take?",
)
def detected_as_predicted(record: Record) -> Judgement:
    """Each repetition on its own."""
    bounds = healing.predicted_detection(record)
    values = [h.detection_s for h in _repetitions(record)]
    return _within(values, bounds, _wanted(record))


@exercise.check(
    "replaced-as-predicted",
    phases=HEAL,
    timed=True,
    title="Swarm replaces an unhealthy task within the time that its definition allows",
    expected="at least restart delay + first check; no upper bound, since that depends on the"
    " machine",
    hint="Compare stop_s, restart_s and start_s: which of the three takes longest?",
)
def replaced_as_predicted(record: Record) -> Judgement:
    """Each repetition on its own."""
    bounds = healing.predicted_replacement(record)
    values = [h.replacement_s for h in _repetitions(record)]
    judgement = _within(values, bounds, _wanted(record))
    # Nothing promises that a busy machine starts a container in time.
    if bounds and None not in values and all(v >= bounds[0] for v in values if v is not None):
        return judgement if judgement.verdict == "pass" else unknown(judgement.observed)
    return judgement


@exercise.check(
    "nobody-else",
    phases=HEAL,
    title="No healthy task is declared unhealthy",
    expected="the unhealthy containers are those that were broken",
    hint="A false positive: is the check's timeout too short for this machine?",
)
def nobody_else(record: Record) -> Judgement:
    """No false positives, even on busy nodes."""
    done = _repetitions(record)
    broken = {h.container for h in done}
    ids = {e.id for e in each(record, Broken)}
    ill = healing.unhealthy_containers(record)
    if not each(record, EngineTold):
        return unknown("no engine's events were recorded")
    told = f"{len(broken)} broken, {len(ill)} unhealthy"
    # One that has not ended yet may still be found unhealthy.
    late = {
        h.container
        for h in done
        if h.container not in ill and not h.died and not_awaited(record, h.broken)
    }
    other = (ill ^ broken) - late
    wrong = [f"not both: {', '.join(sorted(other))}"] if other else []
    # An unhealthy nginx ends with 0, or is killed for it: the managers list it then, whether or
    # not its engine was heard.
    last = last_list(record)
    ended = {t.id for t in last.tasks if t.state == "complete" or ILL in t.error} if last else set()
    if others := ended - ids:
        wrong.append(f"ended too: {', '.join(sorted(others))}")
    over = max((h.healthy for h in done if h.healthy), default=None)
    missing = out_of_order(
        ("the last healing", over), ("the list of the tasks", last.asked if last else None)
    )
    missing += [f"{len(late)} not unhealthy yet when the record ends"] if late else []
    return judged(told, wrong=wrong, missing=missing + _unheard(record, last))


def _unheard(record: Record, last: TasksSample | None) -> list[str]:
    """Engines that run one of the tasks at the end, or ran one, and told nothing of any."""
    told = {e.node for e in each(record, EngineTold)}
    silent = sorted({t.node for t in last.tasks if t.node} - told) if last else []
    return [f"no event was recorded of {', '.join(silent)}"] if silent else []


@exercise.check(
    "clients-suffer-only-until-it-ends",
    phases=HEAL,
    title="Clients get bad answers only from the broken task, and only until it has ended",
    expected="no bad answer before the fault or after the task's end",
    hint="Which node and which task gave the bad answers? `request` lines of events.jsonl.",
    needs=MESH,
)
def clients_suffer_only_until_it_ends(record: Record) -> Judgement:
    """A health check can't prevent bad answers before it fails."""
    done = _repetitions(record)
    asked = readings.requests(record)
    if not asked or not all(h.died and h.healthy for h in done):
        return unknown("no request was sent, or not every task has ended and been replaced")
    bad = [r for r in asked if not r.ok]
    outside = [r for r in bad if not any(_during(r, h) for h in done)]
    told = (
        f"{len(bad)} of {len(asked)} requests failed ({by_status(bad)});"
        f" {len(outside)} of them before or after the fault"
    )
    window = Window(min(h.began for h in done), max(h.healthy or h.began for h in done))
    missing = uncovered(record, asked, window)
    return judged(told, holds=not outside and bool(bad or missing), missing=missing)


@exercise.measure(phases=HEAL)
def distribution(record: Record) -> dict[str, Any]:
    """Every repetition, the middle of them, and what was predicted."""
    done = healings(record)
    found: dict[str, Any] = {}
    for name in ("detection_s", "replacement_s", "stop_s", "restart_s", "start_s"):
        values = {str(h.number): getattr(h, name) for h in done}
        found[name] = {k: v for k, v in values.items() if v is not None}
        found[name.replace("_s", "_median_s")] = _median(list(found[name].values()))
    found["check_s"] = healing.check_s(record)
    for name, bounds in (
        ("detection_predicted_s", healing.predicted_detection(record)),
        ("replacement_predicted_s", healing.predicted_replacement(record)),
    ):
        found[name] = {"from": bounds[0], "to": round(bounds[1], 2)} if bounds else {}
    asked = readings.requests(record)
    found["requests"] = len(asked)
    found["bad_answers"] = {
        str(h.number): sum(not r.ok and _during(r, h) for r in asked) for h in done
    }
    return found


exercise.distribute(
    phase="heal",
    measures={
        "detection_s": ("From the fault to unhealthy, s", "detection_predicted_s"),
        "replacement_s": ("From unhealthy to a healthy successor, s", "replacement_predicted_s"),
    },
)


def _repetitions(record: Record) -> list[Healing]:
    need(record, Broken, "no task was made unhealthy")
    return healings(record)


def _wanted(record: Record) -> int:
    """How often a task must have been made ill: somebody's own site bears it once for each."""
    if not whose.is_somebodys(record, ROLE):
        return REPETITIONS
    return max(2, min(whose.replicas(record, ROLE, REPLICAS), REPETITIONS))


def _within(
    values: list[float | None], bounds: tuple[float, float] | None, wanted: int
) -> Judgement:
    if bounds is None or None in values:
        return unknown("the definition, the checks or an end was not seen")
    seen = [value for value in values if value is not None]
    told = f"{_spread(seen)}; predicted {bounds[0]:.1f} to {bounds[1]:.1f} s"
    if len(seen) < wanted:
        return unknown(told)
    return passed(told) if all(bounds[0] <= v <= bounds[1] for v in seen) else failed(told)


def _spread(values: list[float]) -> str:
    return (
        f"{len(values)} times, {min(values):.2f} to {max(values):.2f} s,"
        f" median {statistics.median(values):.2f}"
    )


def _median(values: list[float]) -> float | None:
    return round(statistics.median(values), 2) if values else None


def _during(request: Request, h: Healing) -> bool:
    """Whether any part of a request fell into the time from the fault to the ill task's end.

    It is told to stop two seconds after it was found, also where a node has not heard of that yet
    and goes on sending visitors, who then are refused (seen: one, 2.4 s after).
    """
    until = request.sent if h.died is None else h.died
    return request.over >= h.began and request.sent <= until
