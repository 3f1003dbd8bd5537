"""What must be true of healthchecks and healing, judged on the record alone."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_swarmlab import Exercise, failed, passed, unknown
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import each, read
from pytest_swarmlab.evidence.readings import Request, TaskSeen, TasksSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    judged,
    members_of,
    not_asked,
    not_each,
    not_while,
    out_of_order,
)
from pytest_swarmlab.model import Capability, Event, Judgement

from .. import whose
from . import healing
from .healing import Healing, healings

TITLES = {
    "starting": "Before a task is healthy, and after",
    "heal": "One of three replicas becomes ill, five times",
    "bad-update": "An update that is no good takes itself back",
    "exit-0": "The lab's on-failure, and a server that ends with 0",
    "endings": "How unhealthy tasks end, and a limit of attempts",
    "slow-start": "A slow start, with a start period and without",
    "database": "The database hangs",
    "cascade": "Redis is away: the lab's healthcheck and another",
}

exercise = Exercise(
    "2.9",
    "Healthchecks et auto-healing",
    module=__name__,
    titles=TITLES,
    needs=dict.fromkeys(TITLES, (Capability.CHANGE, Capability.START_INTERVAL)),
)

STARTING, HEAL, BAD_UPDATE = ("starting",), ("heal",), ("bad-update",)
TRAP, ENDINGS, SLOW = ("exit-0",), ("endings",), ("slow-start",)
DATABASE, CASCADE = ("database",), ("cascade",)
MESH = (Capability.IPVS,)

ROLE = "web"
REPETITIONS = 5
REPLICAS, API_REPLICAS = 3, 2
LEAST_WATCHED_S = 5.0
"""Five times the restart delay that is set."""

PAUSE_S = 3.0
"""Longest pause through one node, of clients that come to it once a second or twice."""

ILL = "dockerexec: unhealthy container"
KILLED = "task: non-zero exit (137): dockerexec: unhealthy container"
TAKEN_BACK = "update rolled back due to failure or early termination of task"
API, LABS, REDIS = "health_api", "labs_api", "redis"
API_PORT, LABS_PORT = 8080, 8081
ROW = "before the database hung"


# -- starting ------------------------------------------------------------------------------------


@exercise.check(
    "starting-until-healthy",
    phases=STARTING,
    title="A task is `starting` until its check succeeds, and running then",
    expected="two starting; one and one; two running",
    hint="`docker service ps gated`: a task of a service without a check runs at once.",
)
def starting_until_healthy(record: Record) -> Judgement:
    """As the managers list them, at each step."""
    steps = _steps(record, "none", "one", "both")
    seen = {when: sorted(e.data["states"].values()) for when, e in steps.items()}
    told = "; ".join(f"{when}: {', '.join(states)}" for when, states in seen.items())
    wanted = {
        "none": ["starting", "starting"],
        "one": ["running", "starting"],
        "both": ["running", "running"],
    }
    return passed(told) if seen == wanted else failed(told)


def _steps(record: Record, *wanted: str) -> dict[str, Event]:
    """What was noted when none, one or both were healthy. Raises Unseen unless in that order."""
    found = {when: record.last("served", when=when) for when in wanted}
    moments = [(f"who served when {w} was healthy", e.t if e else None) for w, e in found.items()]
    missing = out_of_order(*moments)
    if len({frozenset(event.data["states"]) for event in found.values() if event}) > 1:
        missing.append("they are not the same tasks at each step")
    if missing:
        raise Unseen("; ".join(missing))
    return {when: event for when, event in found.items() if event}


@exercise.check(
    "no-visitor-before",
    phases=STARTING,
    title="No request reaches a task that is not healthy yet",
    expected="none is answered while no task is healthy; then only the healthy one answers",
    hint="`docker logs` of each container: has the one that is `starting` been asked?",
    needs=MESH,
)
def no_visitor_before(record: Record) -> Judgement:
    """By what each container has logged."""
    steps = _steps(record, "none", "one")
    seen = {when: event.data for when, event in steps.items()}
    asked = {when: _asked(record, f"asked={when}") for when in steps}
    if not all(asked.values()):
        return unknown("no request was made")
    early = sum(r.ok for r in asked["none"]) + sum(seen["none"]["served"].values())
    by_state: dict[str, int] = {"running": 0, "starting": 0}
    for task, count in seen["one"]["served"].items():
        by_state[seen["one"]["states"][task]] += count
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


def _not_in_step(steps: Mapping[str, Event], asked: Mapping[str, Sequence[Request]]) -> list[str]:
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
    expected="both have answered, and every request was answered",
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
    counts = sorted(seen.data["served"].values())
    both = asked["both"]
    told = f"{sum(r.ok for r in both)} of {len(both)} answered; by task: {counts}"
    good = all(r.ok for r in both) and len(counts) == 2 and counts[0] > 0
    missing = _not_through(record, both) + _not_in_step(steps, asked)
    return judged(told, holds=good, missing=missing)


# -- heal ----------------------------------------------------------------------------------------


@exercise.check(
    "healed-in-its-slot",
    phases=HEAL,
    title="Each ill task is found unhealthy and replaced by a healthy one in its slot",
    expected=f"at least {REPETITIONS} times, and {REPLICAS} replicas run at the end",
    hint="`docker service ps test-health`: is the restart condition `any`?",
)
def healed_in_its_slot(record: Record) -> Judgement:
    """As the engines told it."""
    done = _repetitions(record)
    whole = [h for h in done if h.unhealthy and h.healthy]
    last = _last_list(record)
    running = _running(last.tasks) if last else []
    told = f"{len(whole)} of {len(done)} healed; {len(running)} replicas run at the end"
    over = max((h.healthy for h in whole if h.healthy), default=None)
    missing = out_of_order(
        ("the last healing", over), ("the list of the tasks", last.asked if last else None)
    )
    wanted = _wanted(record)
    if len({h.container for h in done}) < wanted:
        missing.append(f"fewer than {wanted} tasks were made ill")
    wrong = [f"{len(done) - len(whole)} not healed"] if len(whole) < len(done) else []
    slots, replicas = {task.slot for task in running}, whose.replicas(record, ROLE, REPLICAS)
    return judged(
        told, holds=not last or len(slots) == len(running) == replicas, wrong=wrong, missing=missing
    )


@exercise.check(
    "detected-as-predicted",
    phases=HEAL,
    timed=True,
    title="An ill task is found after the time that its healthcheck allows",
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
    title="An unhealthy task has a healthy successor after the time that its definition allows",
    expected="at least restart delay + first check; how long at most is the machine's affair",
    hint="Compare stop_s, restart_s and start_s: which of the three takes that long?",
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
    title="No task is called unhealthy that nobody has made ill",
    expected="as many unhealthy containers as were broken, and the same ones",
    hint="A false positive: is the time limit of the check too short for this machine?",
)
def nobody_else(record: Record) -> Judgement:
    """No false positives, even on busy nodes."""
    broken = {h.container for h in _repetitions(record)}
    ids = {str(e.data["id"]) for e in record.of("broken")}
    ill = healing.unhealthy_containers(record)
    if not record.of("engine"):
        return unknown("no engine was listened to")
    told = f"{len(broken)} broken, {len(ill)} unhealthy"
    wrong = [f"not both: {', '.join(sorted(ill ^ broken))}"] if ill != broken else []
    # An unhealthy nginx ends with 0, or is killed for it: the managers list it then, whether or
    # not its engine was heard.
    last = _last_list(record)
    ended = {t.id for t in last.tasks if t.state == "complete" or ILL in t.error} if last else set()
    if others := ended - ids:
        wrong.append(f"ended too: {', '.join(sorted(others))}")
    over = max((h.healthy for h in _repetitions(record) if h.healthy), default=None)
    missing = out_of_order(
        ("the last healing", over), ("the list of the tasks", last.asked if last else None)
    )
    return judged(told, wrong=wrong, missing=missing + _unheard(record, last))


def _unheard(record: Record, last: TasksSample | None) -> list[str]:
    """Engines that run one of the tasks at the end, or ran one, and told nothing of any."""
    told = {str(e.data["node"]) for e in record.of("engine")}
    silent = sorted({t.node for t in last.tasks if t.node} - told) if last else []
    return [f"nothing was heard of {', '.join(silent)}"] if silent else []


@exercise.check(
    "clients-suffer-only-until-it-ends",
    phases=HEAL,
    title="Clients get bad answers from the ill task, and only until it has ended",
    expected="none outside the time from the fault to the ill task's end",
    hint="Ask with a rate of your own: which node gave them, and which task?",
    needs=MESH,
)
def clients_suffer_only_until_it_ends(record: Record) -> Judgement:
    """What a healthcheck can't do: undo what its visitors have seen before."""
    done = _repetitions(record)
    asked = readings.requests(record)
    if not asked or not all(h.died and h.healthy for h in done):
        return unknown("nobody asked, or not every task has ended and been replaced")
    bad = [r for r in asked if not r.ok]
    outside = [r for r in bad if not any(_during(r, h) for h in done)]
    told = (
        f"{len(bad)} of {len(asked)} requests failed ({_by_status(bad)});"
        f" {len(outside)} of them outside"
    )
    window = Window(min(h.began for h in done), max(h.healthy or h.began for h in done))
    missing = _uncovered(record, asked, window)
    return judged(told, holds=not outside and bool(bad or missing), missing=missing)


def _uncovered(record: Record, asked: Sequence[Request], window: Window) -> list[str]:
    """Through which members nobody came for too long, or not before it began or after its end."""
    nodes = members_of(record)
    missing = not_asked(asked, through=nodes, window=window, pause=PAUSE_S)
    before = {r.node for r in asked if r.over <= window.began}
    after = {r.node for r in asked if r.sent >= window.ended}
    missing += not_each(before, nodes, "came before it through")
    return missing + not_each(after, nodes, "came after it through")


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


# -- bad-update ----------------------------------------------------------------------------------


@exercise.check(
    "takes-itself-back",
    phases=BAD_UPDATE,
    title="An update whose tasks never are healthy is rolled back by itself",
    expected=f"rollback_completed; the client says {TAKEN_BACK!r}",
    hint="`docker service inspect` shows UpdateStatus; by default an update that fails pauses.",
)
def takes_itself_back(record: Record) -> Judgement:
    """`failure_action: rollback`."""
    end = record.need("rolled-back", "the update's end was not seen")
    update = record.need("update", "nobody has heard the client")
    said = str(update.data["said"])
    line = next((line for line in said.splitlines() if TAKEN_BACK in line), None)
    told = f"{end.data['state']}; {(line or 'the client does not say why').strip()}"
    good = end.data["state"] == "rollback_completed" and line is not None
    order = out_of_order(("the update", update.t), ("the look at its end", end.t))
    return judged(told, holds=good, missing=order)


@exercise.check(
    "old-definition",
    phases=BAD_UPDATE,
    title="The definition is the old one again, and no replica was touched",
    expected="check and image as before the update; the same three tasks run",
    hint="`docker service inspect test-health`: Spec and PreviousSpec.",
)
def old_definition(record: Record) -> Judgement:
    """Start-first: what served goes only when its successor is healthy, and none was."""
    read = [
        record.need("definition", f"nobody read the definition {when} the update", when=when)
        for when in ("before", "after")
    ]
    before, after = (event.data for event in read)
    began, end = _update(record)
    samples = [s for s in readings.task_samples(record) if s.error is None]
    parts = [s for s in samples if s.t <= began], [s for s in samples if s.asked >= end]
    if not all(parts):
        return unknown("the tasks were not listed before the update and after it")
    ids = [sorted(t.id for t in _running(part[-1].tasks)) for part in parts]
    changed = sorted(k for k in before if k != "when" and before[k] != after.get(k))
    told = f"other than before: {', '.join(changed) or 'nothing'}; {len(set(ids[0]) & set(ids[1]))}"
    told += f" of {len(ids[0])} tasks are the same"
    good = not changed and ids[0] == ids[1] and len(ids[0]) == REPLICAS
    order = out_of_order(
        ("the definition before", read[0].t),
        ("the update", began),
        ("its end", end),
        ("the definition after", read[1].t),
    )
    return judged(told, holds=good, missing=order)


def _update(record: Record) -> tuple[float, float]:
    """When the command began that updates the service, and when its client had seen the end."""
    update = record.need("update", "nobody has heard the client")
    mine = [e for e in record.of("command") if {*e.data["argv"]} >= UPDATE and e.t <= update.t]
    if not mine:
        raise Unseen("nobody saw when the update began")
    return mine[-1].t - float(mine[-1].data["seconds"]), update.t


UPDATE = {"service", "update"}


@exercise.check(
    "no-request-failed",
    phases=BAD_UPDATE,
    title="No client notices the update that was no good",
    expected="every request is answered",
    hint="Is the order start-first, and parallelism below the number of replicas?",
    needs=MESH,
)
def no_request_failed(record: Record) -> Judgement:
    """Through every node."""
    return _all_answered(record, readings.requests(record), Window(*_update(record)))


# -- exit-0 --------------------------------------------------------------------------------------


@exercise.check(
    "complete-not-failed",
    phases=TRAP,
    title="The unhealthy nginx has ended with 0: its task is complete, and has no error",
    expected="state complete, no error",
    hint="`docker service ps trap`: nginx ends with 0 when it is told to stop (SIGQUIT).",
)
def complete_not_failed(record: Record) -> Judgement:
    """The erratum's cause."""
    broken = record.need("broken", "nothing was broken", number=1)
    samples = [sample for sample in each(record, TasksSample) if sample.t > broken.t]
    if not samples:
        return unknown("nobody listed the tasks after one was broken")
    task = next((t for t in samples[0].tasks if t.id == broken.data["id"]), None)
    if task is None:
        return unknown("the broken task is not listed any more")
    told = f"state {task.state}, error {task.error!r}, exit code {task.exit_code}"
    good = task.state == "complete" and not task.error and task.exit_code == 0
    return judged(told, holds=good, missing=_not_ill(record, str(broken.data["container"])))


def _not_ill(record: Record, container: str) -> list[str]:
    """Whether its engine noted that the container's checks failed at last."""
    checks = record.last("checks", container=container)
    if checks is None:
        return ["nobody asked its engine for its checks"]
    codes = checks.data["exit_codes"]
    return [] if codes and codes[-1] != 0 else [f"its last checks ended with {codes}"]


@exercise.check(
    "slot-stays-empty",
    phases=TRAP,
    title="With on-failure nobody replaces it",
    expected=f"two of three run, unchanged for at least {LEAST_WATCHED_S:.0f} s",
    hint="What has ended with 0 has not failed: use `any`.",
)
def slot_stays_empty(record: Record) -> Judgement:
    """What the lab's stack file does to itself."""
    defined = record.need("definition", "nobody read the definition", when="before")
    watched = record.need("watched", "nobody watched")
    broken = record.need("broken", "nothing was broken")
    seconds, remedy = float(watched.data["seconds"]), _remedy(record)
    samples = [
        s
        for s in readings.task_samples(record)
        if s.error is None and s.t >= watched.t and (remedy is None or s.t <= remedy)
    ]
    if not samples:
        return unknown("nobody listed the tasks after it was watched")
    running = [_running(sample.tasks) for sample in samples]
    told = f"{defined.data['restart_condition']}: {len(running[-1])} run after {seconds:.0f} s"
    empty = all(t.slot != broken.data["slot"] for tasks in running for t in tasks)
    good = empty and all(len(tasks) == REPLICAS - 1 for tasks in running)
    order = out_of_order(
        ("the definition", defined.t),
        ("that it was broken", broken.t),
        ("the beginning of the watch", watched.t - seconds),
    )
    if defined.data["restart_condition"] != "on-failure" or seconds < LEAST_WATCHED_S:
        order.append("it was watched under another condition, or not for long enough")
    return judged(told, holds=good, missing=order)


def _remedy(record: Record) -> float | None:
    """When the service was told of the other restart condition; the new definition came later."""
    mine = [e for e in record.of("command") if "--restart-condition" in e.data["argv"]]
    told = [e.t - float(e.data["seconds"]) for e in mine if "update" in e.data["argv"]]
    after = record.last("definition", when="after")
    return told[-1] if told else after.t if after else None


@exercise.check(
    "any-heals",
    phases=TRAP,
    title="With any the slot is filled",
    expected="three run, one of them in the slot that was empty",
    hint="`docker service inspect trap`: RestartPolicy.Condition.",
)
def any_heals(record: Record) -> Judgement:
    """The erratum mended on the running service."""
    defined = record.need("definition", "nobody read the new definition", when="after")
    broken = record.need("broken", "nothing was broken")
    last = _last_list(record)
    running = _running(last.tasks) if last else []
    slot, id_ = broken.data["slot"], broken.data["id"]
    heirs = [t for t in running if t.slot == slot and t.id != id_]
    told = f"{defined.data['restart_condition']}: {len(running)} run, {len(heirs)} in that slot"
    good = defined.data["restart_condition"] == "any" and len(running) == REPLICAS and heirs
    empty = [
        s
        for s in readings.task_samples(record)
        if broken.t < s.t < defined.t and all(t.slot != slot for t in _running(s.tasks))
    ]
    order = out_of_order(
        ("that its slot was empty", empty[-1].t if empty else None),
        ("the new definition", defined.t),
        ("the list of the tasks", last.asked if last else None),
    )
    if last and id_ not in {task.id for task in last.tasks}:
        order.append("what became of it is not listed: that is of another service")
    return judged(told, holds=bool(good) or not last, missing=order)


# -- endings -------------------------------------------------------------------------------------


@exercise.check(
    "exit-0-is-complete",
    phases=ENDINGS,
    title="Servers that end with 0 when they are told to stop: unhealthy, they are complete",
    expected="nginx, redis and postgres: complete, exit code 0, no error",
    hint="`docker inspect` of the container: State.ExitCode.",
)
def exit_0_is_complete(record: Record) -> Judgement:
    """For which `on-failure` is a trap."""
    seen = {e.data["program"]: e.data for e in record.of("ending")}
    if unseen := {"nginx", "redis", "postgres"} - set(seen):
        return unknown(f"not seen to end: {', '.join(sorted(unseen))}")
    tame = {name: seen[name] for name in ("nginx", "redis", "postgres")}
    told = "; ".join(f"{n}: {_ending(data)}" for n, data in tame.items())
    good = all(
        d["state"] == "complete" and d["exit_code"] == 0 and not d["error"] for d in tame.values()
    )
    missing = [
        f"nobody saw a check of {name} fail"
        for name, data in tame.items()
        if not any(data.get("checks") or ())
    ]
    return judged(told, holds=good, missing=missing)


@exercise.check(
    "killed-is-failed",
    phases=ENDINGS,
    title="A program that hears no signal is killed: unhealthy, its task has failed",
    expected=KILLED,
    hint="Did it end by itself before the grace period was over?",
)
def killed_is_failed(record: Record) -> Judgement:
    """The text that one finds in forums."""
    data = record.need("ending", "the deaf program was not seen to end", program="deaf").data
    good = (data["state"], data["exit_code"], data["error"]) == ("failed", 137, KILLED)
    return passed(_ending(data)) if good else failed(_ending(data))


@exercise.check(
    "gives-up",
    phases=ENDINGS,
    title="With a limit of attempts Swarm gives up",
    expected="three tasks at two restarts, none of them wanted any more",
    hint="`docker service ps gives-up`; the lab's file says max_attempts: 3.",
)
def gives_up(record: Record) -> Judgement:
    """Nothing says so anywhere but the list of its tasks."""
    watched = record.need("watched", "nobody watched")
    seconds = float(watched.data["seconds"])
    listed = [s for s in readings.task_samples(record, "gives-up") if s.error is None]
    if not listed:
        return unknown("nobody listed its tasks")
    tasks = listed[-1].tasks
    wanted = [t for t in tasks if t.desired == "running" and t.state not in ENDED]
    told = f"{len(tasks)} tasks, {len(wanted)} wanted, unchanged for {seconds:.0f} s"
    order = out_of_order(
        ("the end of the watch", watched.t), ("the list of the tasks", listed[-1].asked)
    )
    if seconds < LEAST_WATCHED_S:
        order.append("it was not watched for long enough")
    return judged(told, holds=len(tasks) == 3 and not wanted, missing=order)


# -- slow-start ----------------------------------------------------------------------------------


@exercise.check(
    "false-positives",
    phases=SLOW,
    title="Without a start period, or with one too short, a slow server never comes up",
    expected="each is killed at least twice before it was ready, and none runs",
    hint="interval × retries must be longer than the start takes, or a start period covers it.",
)
def false_positives(record: Record) -> Judgement:
    """Nothing was wrong with it."""
    found = {name: _slow(record, name) for name in ("none", "short")}
    told = "; ".join(
        f"{name}: {_count(ended, 'ended')}, {_count(up, 'up')}"
        for name, (ended, up, _) in found.items()
    )
    good = all(ended >= 2 and not up for ended, up, _ in found.values())
    missing = [
        f"{name}: only {ill} of its tasks were ended for being unhealthy"
        for name, (_, _, ill) in found.items()
        if ill < 2
    ]
    return judged(told, holds=good, missing=missing)


@exercise.check(
    "start-period",
    phases=SLOW,
    title="With a start period that is long enough the same server comes up",
    expected="its first task runs",
    hint="A check that fails in the start period doesn't count; one that succeeds ends it.",
)
def start_period(record: Record) -> Judgement:
    """The only difference is the start period."""
    ended, up, _ = _slow(record, "long")
    told = f"{_count(ended, 'ended')}, {_count(up, 'up')}"
    return passed(told) if (ended, up) == (0, 1) else failed(told)


# -- database ------------------------------------------------------------------------------------


@exercise.check(
    "hanging-is-unhealthy",
    phases=DATABASE,
    title="A database that hangs is found, killed and replaced",
    expected=f"its container is unhealthy; its task failed: {KILLED!r}; another runs",
    hint="Its process is there and its port is open: without a healthcheck nobody would notice.",
)
def hanging_is_unhealthy(record: Record) -> Judgement:
    """Nothing but a check sees it."""
    event = record.need("frozen", "the database was not made to hang")
    frozen = event.data
    samples = [s for s in readings.task_samples(record, DATABASE_SERVICE) if s.asked > event.t]
    if not samples:
        return unknown("nobody listed its tasks after it was made to hang")
    tasks = samples[-1].tasks
    told_ill = [e.t for e in record.of("engine", container=frozen["container"]) if _ill(e)]
    ill = any(t > event.t for t in told_ill)
    old = next((t for t in tasks if t.id == frozen["task"]), None)
    heirs = [t for t in _running(tasks) if t.id != frozen["task"]]
    told = f"{'unhealthy' if ill else 'not found unhealthy'}; its task: "
    told += f"{old.state}, {old.error}" if old else "not listed"
    told += f"; {len(heirs)} other runs"
    good = old and old.error == KILLED and old.state == "failed" and len(heirs) == 1
    missing = [] if record.of("engine") else ["no engine was listened to"]
    if told_ill and not ill:
        missing.append("it was unhealthy before it was made to hang")
    return judged(told, holds=bool(good) and (ill or bool(missing)), missing=missing)


DATABASE_SERVICE = "health_database"


def _ill(event: Event) -> bool:
    return bool(event.data["what"] == "health_status: unhealthy")


@exercise.check(
    "data-kept",
    phases=DATABASE,
    title="What was written before is still there",
    expected=ROW,
    hint="`docker volume ls` on its node: is its data directory in a volume?",
)
def data_kept(record: Record) -> Judgement:
    """In its volume, on its node."""
    rows = record.need("rows", "nobody read the row")
    frozen = record.need("frozen", "the database was not made to hang")
    found = rows.data["found"]
    order = out_of_order(("that it hung", frozen.t), ("the reading of the row", rows.t))
    if rows.data["task"] == frozen.data["task"]:
        order.append("it was read from the database that hung")
    return judged(ROW if found == [ROW] else f"found: {found}", holds=found == [ROW], missing=order)


@exercise.check(
    "api-stays-meanwhile",
    phases=DATABASE,
    title="The API goes on answering while the database is replaced",
    expected="every request for the main page is answered, and no replica was replaced",
    hint="What does its healthcheck ask for?",
    needs=MESH,
)
def api_stays_meanwhile(record: Record) -> Judgement:
    """Its liveness is its own."""
    frozen = record.need("frozen", "the database was not made to hang")
    back = [
        e.t
        for e in record.of("engine", service=DATABASE_SERVICE, what="health_status: healthy")
        if e.t > frozen.t and e.data["container"] != frozen.data["container"]
    ]
    if not back:
        return unknown("nobody saw the next database healthy")
    return _untouched(record, API, Window(frozen.t, back[-1]))


# -- cascade -------------------------------------------------------------------------------------


@exercise.check(
    "lab-s-check-takes-all-down",
    phases=CASCADE,
    title="With the lab's healthcheck all of the API goes down with Redis and restarts for ever",
    expected="every replica is replaced, one of them twice; while all are down nothing is answered",
    hint="The check that Swarm asks must not ask for anything outside the container.",
    needs=MESH,
)
def lab_s_check_takes_all_down(record: Record) -> Judgement:
    """From the moment when all were down until Redis came back."""
    began, down, over = (_moment(record, what) for what in ("began", "all down", "over"))
    if began is None or over is None:
        return unknown("nobody noted when Redis went and came back")
    if down is None:
        return failed("its replicas were not all seen down")
    asked = _through(record, LABS_PORT)
    lost = [r for r in asked if down <= r.sent and r.over <= over]
    slots = [e.data["slot"] for e in _ends(record, LABS, Window(began, over))]
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
    title="With a liveness check the same API goes on serving its main page",
    expected="every request is answered, and no replica was replaced",
    hint="`docker service ps health_api`: what does its healthcheck ask for?",
    needs=MESH,
)
def liveness_keeps_it_up(record: Record) -> Judgement:
    """The same outage, at the same time."""
    began, back = (_moment(record, what) for what in ("began", "over"))
    if began is None or back is None:
        return unknown("nobody noted when Redis went and came back")
    return _untouched(record, API, Window(began, back))


@exercise.check(
    "readiness-tells",
    phases=CASCADE,
    title="Its readiness says what is missing",
    expected="503, database ok, redis not ok",
    hint="`curl http://127.0.0.1:8080/health/ready` in the container.",
)
def readiness_tells(record: Record) -> Judgement:
    """For whoever can do something about it."""
    asked = record.need("readiness", "nobody asked for its readiness")
    data = asked.data
    checks = data["checks"]
    told = f"{data['status']}: " + ", ".join(f"{name} {said}" for name, said in checks.items())
    good = data["status"] == "503" and checks.get("database") == "ok"
    order = out_of_order(
        ("that Redis went", _moment(record, "began")),
        ("the question", asked.t),
        ("that Redis came back", _moment(record, "over")),
    )
    return judged(told, holds=good and checks.get(REDIS, "ok") != "ok", missing=order)


@exercise.check(
    "comes-back",
    phases=CASCADE,
    title="When Redis is back, so is all of the API",
    expected="two replicas of each run",
    hint="With a limit of attempts it would be given up by now.",
)
def comes_back(record: Record) -> Judgement:
    """Thanks to `any`, without a limit."""
    counts, late, strange, over = {}, [], [], _moment(record, "over")
    for service in (API, LABS):
        samples = [s for s in readings.task_samples(record, service) if s.error is None]
        counts[service] = len(_running(samples[-1].tasks)) if samples else None
        listed = (f"the list of {service}'s tasks", samples[-1].asked if samples else None)
        late += out_of_order(("that Redis came back", over), listed)
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
        asked = _through(record, port)
        found |= {
            f"{name}_requests": len(asked),
            f"{name}_failed": sum(not r.ok for r in asked),
            f"{name}_restarts": _ends_before(record, service, moments["all back"]),
        }
    return found


# -- reading the record --------------------------------------------------------------------------

ENDED = frozenset({"complete", "failed", "rejected", "shutdown"})


def _asked(record: Record, words: str) -> list[Request]:
    return [r for r in readings.requests(record) if words in r.url]


def _through(record: Record, port: int) -> list[Request]:
    return [r for r in readings.requests(record) if r.port == port]


def _running(tasks: Sequence[TaskSeen]) -> list[TaskSeen]:
    return [task for task in tasks if task.running]


def _last_list(record: Record) -> TasksSample | None:
    samples = [s for s in readings.task_samples(record) if s.error is None]
    return samples[-1] if samples else None


def _repetitions(record: Record) -> list[Healing]:
    record.need("broken", "nothing was broken")
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


def _by_status(requests: list[Request]) -> str:
    kinds = [str(r.status or r.error) for r in requests]
    return ", ".join(f"{kinds.count(kind)} × {kind}" for kind in sorted(set(kinds))) or "none"


def _all_answered(record: Record, asked: list[Request], window: Window) -> Judgement:
    bad = [r for r in asked if not r.ok]
    told = f"{len(asked) - len(bad)} of {len(asked)} answered"
    wrong = [_by_status(bad)] if bad else []
    return judged(told, wrong=wrong, missing=_uncovered(record, asked, window))


def _untouched(record: Record, service: str, window: Window) -> Judgement:
    """All of the API's requests were answered, and its tasks are those of the beginning."""
    asked = _all_answered(record, _through(record, API_PORT), window)
    samples = [s for s in readings.task_samples(record, service) if s.error is None]
    others = {t.id for s in samples for t in s.tasks if not t.running}
    told = f"{asked.observed}; {len(others)} of its tasks were replaced"
    ids = {frozenset(t.id for t in _running(s.tasks)) for s in samples}
    full = all(len(each) == API_REPLICAS for each in ids) and len(ids) <= 1
    last = samples[-1].asked if samples else None
    missing = out_of_order(("its end", window.ended), ("the list of its tasks", last))
    judgement = judged(told, holds=full and not others, missing=missing)
    return judgement if judgement.verdict != "pass" else Judgement(asked.verdict, told)


def _ending(data: Mapping[str, Any]) -> str:
    return f"{data['state']}, exit code {data['exit_code']}, {data['error'] or 'no error'}"


def _slow(record: Record, name: str) -> tuple[int, int, int]:
    """Of the service with that start period, how many have ended, run, ended as unhealthy."""
    service = record.need("start-period", f"no such server was seen: {name}", name=name)
    listed = record.need(
        TasksSample.kind, "nobody listed its tasks", service=service.data["service"]
    )
    tasks = read(TasksSample, listed).tasks
    states = [task.state for task in tasks]
    ill = sum(ILL in task.error for task in tasks)
    return sum(s in ENDED for s in states), states.count("running"), ill


def _count(number: int, what: str) -> str:
    return f"{number} {what}"


def _moment(record: Record, what: str) -> float | None:
    event = record.last("outage", what=what)
    return event.t if event else None


def _ends_before(record: Record, service: str, moment: float | None) -> int:
    until = [e for e in record if moment is None or e.t <= moment]
    return healing.ends(Record(tuple(until)), service)


def _ends(record: Record, service: str, window: Window) -> list[Event]:
    """The ends of that service's containers within the window."""
    return [e for e in record.of("engine", what="die", service=service) if e.t in window]


def _between(began: float | None, ended: float | None) -> float | None:
    return None if began is None or ended is None else round(ended - began, 1)
