"""Records of failovers that look like real ones, made from a seed: no cluster needed.

Three managers, two workers, five replicas (one per node), two observers sampling every 200 ms,
clients at 20 requests a second through the four nodes that stay. The instants are those measured
on real clusters, so pictures made from it look like the real ones.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event

NODES = ("manager1", "manager2", "manager3", "worker1", "worker2")
MANAGERS = NODES[:3]
HOLD = {"stop-engine": 3.1, "kill-engine": 0.4, "power-off": 0.2, "demote": 0.5, "pause": 0.1}
HEAL = {"stop-engine": 4.2, "kill-engine": 3.0, "power-off": 11.5, "demote": 0.4, "pause": 0.1}


@dataclass
class Drill:
    """One failover to make up. Instants are seconds after the fault's begin."""

    phase: str
    fault: str = "stop-engine"
    leader: str = "manager1"
    successor: str = "manager3"
    elected: float = 12.4
    unreachable: float = 12.7
    down: float = 44.1
    restored: float = 49.8
    heal: float | None = 60.0
    back: float = 69.5
    calm: float = 10.0
    ends: float = 84.0
    error_window: float = 6.0
    error_share: float = 0.16
    seed: int = 7


@dataclass
class Story:
    """Collects events in any order and numbers them by time."""

    found: list[tuple[float, str, str, dict[str, Any]]] = field(default_factory=list)

    def add(self, t: float, kind: str, phase: str = "", /, **data: Any) -> None:
        """One event at that moment."""
        self.found.append((t, kind, phase, data))

    def events(self) -> tuple[Event, ...]:
        """Everything, oldest first."""
        rows = sorted(self.found, key=lambda row: row[0])
        return tuple(
            Event(
                seq,
                round(t, 4),
                f"2026-05-04T10:{int(t) // 60 % 60:02d}:{t % 60:06.3f}+00:00",
                kind,
                phase,
                json.loads(json.dumps(data)),
            )
            for seq, (t, kind, phase, data) in enumerate(rows)
        )


def drill_events(story: Story, drill: Drill, start: float) -> float:
    """Add one drill beginning at `start`; returns when it ends, in seconds."""
    rng = random.Random(drill.seed)  # noqa: S311 - a picture, not a secret
    zero, phase = start + drill.calm, drill.phase
    end = zero + drill.ends
    story.add(start, "phase.started", phase, name=phase)
    story.add(
        zero + HOLD[drill.fault],
        "fault.injected",
        phase,
        fault=drill.fault,
        nodes=[drill.leader],
        seconds=HOLD[drill.fault],
    )
    if drill.heal is not None:
        story.add(
            zero + drill.heal + HEAL[drill.fault],
            "fault.healed",
            phase,
            fault=drill.fault,
            nodes=[drill.leader],
            seconds=HEAL[drill.fault],
        )
    for t in (start + 0.01, end + 0.05):
        story.add(t, "identities", phase, **_identities())
    if drill.fault != "demote":
        asked = zero + (drill.heal or drill.restored) - 1
        story.add(asked, "ping", phase, node=drill.leader, answers=False)
    observers = [m for m in MANAGERS if m != drill.leader]
    for index, observer in enumerate(observers):
        t = start + 0.05 + index * 0.1
        while t < end:
            took = rng.uniform(0.012, 0.045)
            story.add(
                t + took,
                "nodes",
                phase,
                seen_from=observer,
                seconds=took,
                **_node_answer(drill, t - zero),
            )
            story.add(
                t + took + 0.004,
                "tasks",
                phase,
                seen_from=observer,
                service="test-ha",
                seconds=took,
                **_task_answer(drill, t - zero),
            )
            t += 0.2
    for request in _requests(drill, rng, start, zero, end):
        story.add(request["sent"] + request["seconds"], "request", phase, **request)
    story.add(
        start + 1,
        "command",
        phase,
        node="manager2",
        argv=["docker", "node", "ls"],
        code=0,
        stdout=node_ls(drill, -1),
        stderr="",
        seconds=0.11,
        title="docker node ls, before the fault",
    )
    story.add(
        zero + drill.elected + 2,
        "command",
        phase,
        node="manager2",
        argv=["docker", "node", "ls"],
        code=0,
        stdout=node_ls(drill, drill.elected + 2),
        stderr="",
        seconds=0.12,
        title="docker node ls, new leader elected",
    )
    story.add(
        zero + drill.elected + 0.3,
        "wait",
        phase,
        condition="a leader other than manager1",
        node="manager2",
        outcome="done",
        elapsed=drill.elected,
        last=drill.successor,
    )
    story.add(end + 0.1, "phase.finished", phase, name=phase)
    return end + 0.2


def _identities() -> dict[str, Any]:
    kinds = {name: "manager" if name in MANAGERS else "worker" for name in NODES}
    ids = {name: f"{number}x{name}" for number, name in enumerate(NODES)}
    return {
        "machines": [
            {"node": name, "id": ids[name], "name": ids[name], "role": kinds[name], "error": ""}
            for name in NODES
        ],
        "roles": {ids[name]: kinds[name] for name in NODES},
    }


def _gone(drill: Drill, t: float) -> bool:
    return drill.fault != "demote" and t >= 0 and (drill.heal is None or t < drill.back)


def _node_answer(drill: Drill, t: float) -> dict[str, Any]:
    if 0.6 < t < drill.elected:
        return {
            "error": "rpc error: code = Unknown desc = The swarm does not have a leader. It's"
            " possible that too few managers are online."
        }
    leader = drill.leader if t < drill.elected else drill.successor
    rows = []
    for number, name in enumerate(NODES):
        state, reach = "ready", "reachable" if name in MANAGERS else ""
        if name == drill.leader and drill.unreachable <= t and _gone(drill, t + 3):
            reach = "unreachable"
        if drill.fault != "demote" and drill.elected <= t < drill.elected + 2.8 + number * 0.4:
            state = "unknown"
        if name == drill.leader and drill.elected <= t and _gone(drill, t):
            state = "down" if t >= drill.down else "unknown"
        demoted = drill.fault == "demote" and drill.elected <= t < (drill.heal or 0)
        manages = name in MANAGERS and not (demoted and name == drill.leader)
        rows.append(
            {
                "id": f"{number}x{name}",
                "name": name,
                "role": "manager" if manages else "worker",
                "availability": "active",
                "state": state,
                "message": "",
                "address": f"192.168.56.{10 + number}",
                "leader": name == leader,
                "reachability": reach if manages else "",
            }
        )
    return {"nodes": rows}


def _task_answer(drill: Drill, t: float) -> dict[str, Any]:
    if 0.6 < t < drill.elected:
        return {"error": "rpc error: code = Unknown desc = The swarm does not have a leader."}
    tasks = []
    for slot, name in enumerate(NODES, 1):
        tasks.append(
            {
                "id": f"t{slot}",
                "node_id": f"{slot - 1}x{name}",
                "slot": slot,
                "node": name,
                "state": "running",
                "desired": "running",
                "error": "",
                "message": "started",
                "container": f"c{slot}",
            }
        )
    if drill.fault != "demote" and t >= drill.down + 0.3:
        mine = next(row for row in tasks if row["node"] == drill.leader)
        mine["desired"] = "shutdown"
        tasks.append(
            {
                "id": "t9",
                "node_id": "4xworker2",
                "slot": mine["slot"],
                "node": "worker2",
                "desired": "running",
                "state": "running" if t >= drill.restored else "preparing",
                "error": "",
                "message": "",
                "container": "c9",
            }
        )
    return {"tasks": tasks}


def _requests(
    drill: Drill, rng: random.Random, start: float, zero: float, end: float
) -> Iterator[dict[str, Any]]:
    via = [n for n in NODES if n != drill.leader or drill.fault == "demote"]
    silent = dict.fromkeys(via, start)
    t, turn = start + 0.2, 0
    status: int | None
    while t < end - 0.3:
        node = via[turn % len(via)]
        seconds = min(0.4, rng.lognormvariate(-4.9, 0.35))
        status, error = 200, None
        if t < silent[node]:
            turn, t = turn + 1, t + 0.05
            continue
        hit = 0 <= t - zero < drill.error_window and rng.random() < drill.error_share
        if hit and drill.fault != "demote":
            status, error, seconds = None, "timed out after 2.0 s", 2.0
            silent[node] = t + seconds
            if rng.random() < 0.4:
                error, seconds = "connection refused", 0.006
        elif drill.elected < t - zero < drill.elected + 1.5:
            seconds *= 3
        yield {
            "node": node,
            "sent": round(t, 4),
            "seconds": round(seconds, 4),
            "status": status if error is None else None,
            "error": error,
            "url": f"http://{node}:8080/",
            "port": 8080,
        }
        turn, t = turn + 1, t + 0.05


def node_ls(drill: Drill, t: float) -> str:
    """`docker node ls` as a manager prints it, `t` seconds after the fault."""
    answer = _node_answer(drill, t)
    if "error" in answer:
        return ""
    lines = [
        "ID                            HOSTNAME   STATUS    AVAILABILITY   MANAGER STATUS"
        "   ENGINE VERSION"
    ]
    for row in answer["nodes"]:
        status = "Leader" if row["leader"] else row["reachability"].capitalize()
        mine = " *" if row["name"] == "manager2" else "  "
        lines.append(
            f"{(row['id'] + 'q8z1m0t7k2n5v9w3x4y6')[:25]}{mine}   {row['name']:<11}"
            f"{row['state'].capitalize():<10}{'Active':<15}{status:<17}26.1.5".rstrip()
        )
    return "\n".join(lines) + "\n"


CHECKS = (
    ("leader-elected", "A new leader is elected", "a leader other than the old one within 45 s"),
    ("service-answers", "The service keeps answering", "no gap longer than 5 s through any node"),
    ("replicas-restored", "Five replicas run again elsewhere", "within 90 s of the fault"),
    ("no-regain", "The old leader does not take leadership back", "it returns as Reachable"),
)


def run_events(
    drills: Iterable[Drill] = (),
    *,
    judged: bool = True,
    error: str | None = None,
    finished: bool = True,
) -> tuple[Event, ...]:
    """A whole run: stages, cluster, drills, checks, end."""
    story = Story()
    drills = tuple(drills)
    add = story.add
    add(
        0.0,
        "run.started",
        run_id="20260504-100000-a1b2",
        started_at="2026-05-04T10:00:00+00:00",
        provider="uml",
        version="0.1.0",
        command=["pytest", "-m", "exercise_2_2"],
    )
    add(
        0.1,
        "exercise.selected",
        id="2.2",
        title="Failover of the leader",
        module="tests/x.py",
        checks=[
            {
                "id": f"{d.phase.replace('/', '.')}.{name}",
                "phase": d.phase,
                "title": title,
                "expected": expected,
                "hint": "Look at the engine's journal on the survivors.",
            }
            for d in drills
            for name, title, expected in CHECKS
        ],
    )
    add(0.2, "stage.started", name="boot five nodes")
    if error is not None:
        add(9.0, "stage.failed", name="boot five nodes", seconds=8.8, error=error)
        add(9.1, "error", where="set-up", message=error, infrastructure=True)
        add(9.5, "run.finished", finished_at="2026-05-04T10:00:09+00:00", exit_status=1)
        return story.events()
    add(21.4, "stage.done", name="boot five nodes", seconds=21.2)
    add(
        30.0,
        "cluster.ready",
        cluster="c1",
        topology={"name": "3+2", "managers": 3, "workers": 2},
        nodes=[
            {
                "name": n,
                "address": f"192.168.56.{10 + i}",
                "membership": "manager" if n in MANAGERS else "worker",
            }
            for i, n in enumerate(NODES)
        ],
        engine_version="26.1.5",
        kernel="6.12.41",
        images=[
            {
                "reference": "nginx:alpine",
                "origin": "stand-in",
                "detail": "nginx 1.26.3-3+deb13u1, curl 8.14.1, wget 1.25.0",
            }
        ],
        capabilities={"ipvs": True, "power-off": True},
        seconds=29.7,
    )
    t = 31.0
    for drill in drills:
        t = drill_events(story, drill, t)
        if judged:
            for name, title, expected in CHECKS:
                t += 0.01
                add(
                    t,
                    "check",
                    drill.phase,
                    exercise="2.2",
                    phase=drill.phase,
                    id=f"{drill.phase.replace('/', '.')}.{name}",
                    title=title,
                    verdict="pass",
                    expected=expected,
                    observed="manager3, 12.4 s after the fault",
                    hint="",
                )
        t += 0.1
        add(
            t,
            "test.finished",
            nodeid=f"tests/x.py::test[{drill.phase}]",
            outcome="passed",
            seconds=94.0,
            message="",
        )
        t += 2
    if finished:
        add(t, "run.finished", finished_at="2026-05-04T10:05:00+00:00", exit_status=0)
    return story.events()


THREE_DRILLS = (
    Drill("2.2/graceful-stop", "stop-engine"),
    Drill(
        "2.2/kill",
        "kill-engine",
        elected=15.8,
        unreachable=16.0,
        down=46.6,
        restored=52.3,
        heal=63.0,
        back=70.8,
        error_window=3.0,
        seed=8,
    ),
    Drill(
        "2.2/power-off",
        "power-off",
        successor="manager2",
        elected=21.3,
        unreachable=21.6,
        down=51.9,
        restored=57.4,
        heal=66.0,
        back=84.0,
        ends=96.0,
        error_window=9.0,
        error_share=0.25,
        seed=9,
    ),
)


def record(*drills: Drill, **how: Any) -> Record:
    """The record of such a run."""
    return Record(run_events(drills, **how))
