"""What is told while a run is under way."""

from __future__ import annotations

import io
from typing import Any

import pytest

from pytest_swarmlab.evidence.events import KINDS_OF_FAULT
from pytest_swarmlab.model import Event
from pytest_swarmlab.reporting.terminal import Narration, Narrator, plain
from tests.unit.records.synthetic import THREE_DRILLS, run_events


def told(*events: Event) -> list[str]:
    out = io.StringIO()
    narrator = Narrator(out)
    for event in events:
        narrator.hear(event)
    return out.getvalue().splitlines()


def test_a_failover_as_a_person_follows_it() -> None:
    lines = told(*run_events(THREE_DRILLS[:1]))
    text = "\n".join(lines)
    assert "Swarm ready after 29.7 s: 3 managers and 2 workers, Docker 26.1.5" in text
    assert "manager1: the engine is stopped" in text
    assert text.count("leader: manager1 → manager3 (12.5 s after the fault)") == 1
    assert text.count("manager1 is down (44.2 s after the fault)") == 1
    assert "clients: 1781 requests, 9 failed" in text
    assert text.count("✓ pass") == 4
    assert len(lines) < 50
    assert "\x1b" not in text


HOSTILE = [
    "\\[/]",
    "[/]",
    "[bold red]x",
    "ends with \\",
    "\x1b[31m[link=http://evil]x",
    "two\nlines",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    ("kind", "key"),
    [("notice", "message"), ("stage.started", "name"), ("phase.started", "name")],
)
def test_hostile_text_is_no_markup_and_ends_no_run(text: str, kind: str, key: str) -> None:
    out = told(Event(0, 1.0, "", kind, "", {key: text}))
    shown = "\n".join(out)
    assert "\x1b" not in shown
    assert len([each for each in out if each]) == 1
    if "[" in text and "\x1b" not in text:
        assert text.partition("[")[2] in shown


def test_a_leader_with_a_hostile_name() -> None:
    def nodes(name: str) -> dict[str, Any]:
        return {"nodes": [{"name": name, "state": "ready", "leader": True}]}

    out = told(*(Event(n, n, "", "nodes", "", nodes(HOSTILE[n])) for n in range(len(HOSTILE))))
    assert len([line for line in out if "leader:" in line]) == len(HOSTILE) - 1
    assert "[/]" not in out[-1]


def test_nothing_to_say_is_nothing() -> None:
    assert told(Event(0, 1.0, "", "info", "", {})) == []
    assert "[" not in plain("plain")


def test_a_verdict_that_is_none_is_told_as_it_stands() -> None:
    assert told(Event(0, 1.0, "", "check", "", {"verdict": "\x1b[2Jodd", "title": "t"}))[0] == (
        "00:01    odd  t"
    )


def test_a_leader_under_another_name_is_no_other_leader_and_an_old_row_is_told_once() -> None:
    def nodes(t: int, leader: str) -> Event:
        rows = [
            {"id": "n1", "name": leader, "state": "ready", "leader": True},
            {"id": "n2", "name": "worker1", "state": "ready", "leader": False},
            {"id": "n3", "name": "worker1", "state": "down", "leader": False},
        ]
        return Event(t, float(t), "", "nodes", "", {"nodes": rows})

    out = told(*(nodes(t, name) for t, name in enumerate(("manager1", "worker1", "manager1"))))
    assert [line.partition("  ")[2] for line in out if line] == ["worker1 is down"]


def narrated(*events: Event, quiet: bool = False) -> list[str]:
    out = io.StringIO()
    narration = Narration(out, quiet=quiet)
    for event in events:
        narration.hear(event)
    return out.getvalue().splitlines()


def leads(t: float, name: str, worker: str = "") -> Event:
    rows = [{"name": name, "state": "ready", "leader": True}]
    return Event(0, t, "", "nodes", "", {"nodes": rows}, worker)


def test_each_worker_s_cluster_is_a_story_of_its_own() -> None:
    told = narrated(
        leads(1, "manager1", "gw0"), leads(2, "manager2", "gw1"), leads(3, "manager3", "gw0")
    )
    assert told == ["00:03 gw0  leader: manager1 → manager3"]


def test_who_wants_quiet_is_told_only_how_to_reach_what_he_keeps() -> None:
    kept = {"cluster": "c1", "shell": "shell-on manager1", "engine": "DOCKER_HOST=x", "nodes": []}
    events = (
        Event(0, 1.0, "", "notice", "", {"message": "m"}),
        Event(1, 2.0, "", "cluster.kept", "", kept),
    )
    assert len(narrated(*events)) > len(narrated(*events, quiet=True))
    assert narrated(*events, quiet=True)[0] == "00:02  Cluster c1 is left running. Reach it with"


def test_one_manager_is_one_manager() -> None:
    topology = {"name": "1+2", "managers": 1, "workers": 2}
    ready = {"topology": topology, "seconds": 3.0, "engine_version": "26", "kernel": "6"}
    (line,) = told(Event(0, 1.0, "", "cluster.ready", "", ready))
    assert "3.0 s: 1 manager and 2 workers, Docker 26" in line


@pytest.mark.parametrize(
    ("outcome", "ended"),
    [
        ("timeout", "not met after 5.0 s"),
        ("fatal", "can no longer be met, after 5.0 s"),
        ("interrupted", "given up after 5.0 s"),
    ],
)
def test_a_wait_that_failed_tells_where_how_and_what_was_seen(outcome: str, ended: str) -> None:
    wait = {"condition": "c", "node": "worker1", "outcome": outcome, "last": "n", "elapsed": 5}
    (line,) = told(Event(0, 1.0, "", "wait", "", wait))
    assert line == f"00:01  ✗ c on worker1: {ended}; last seen: n"


def test_every_fault_has_words() -> None:
    from pytest_swarmlab import faults

    kinds = {each.kind for each in vars(faults).values() if hasattr(each, "kind")}
    assert kinds == KINDS_OF_FAULT.keys()
    assert len(kinds) == 10
