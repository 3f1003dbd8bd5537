"""A drill's picture: what it holds, and that nothing in it overlaps or leads outside."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event
from pytest_swarmlab.reporting.pictures import canvas, failover, flags
from pytest_swarmlab.reporting.timeline import Timeline, build_timeline
from tests.unit.records.editing import changed, events
from tests.unit.records.synthetic import THREE_DRILLS, Drill, record

DEMOTION = Drill(
    "2.2/demotion", "demote", elected=0.8, unreachable=999, down=999, restored=999, heal=20, ends=25
)
NEVER_BACK = Drill("2.2/power-off", "power-off", heal=None, back=999)
HOSTILE = '<script src="http://evil/x.js">$\\frac{a}$\x1b[31m\x00&"\N{SNOWMAN}'


def timeline(drill: Drill) -> Timeline:
    return build_timeline(record(drill).phase(drill.phase), drill.phase)


def renamed(part: Record, name: str) -> Record:
    """The record of a cluster whose manager1 bears that name."""
    found: list[Event] = []
    for event in part:
        if "nodes" in event.data and event.kind == "nodes":
            nodes = [
                {**r, "name": name if r["name"] == "manager1" else r["name"]}
                for r in event.data["nodes"]
            ]
            one = changed(Record((event,)), lambda _: True, nodes=nodes)
            found += one.events
        elif event.kind.startswith("fault."):
            found += changed(Record((event,)), lambda _: True, nodes=[name]).events
        else:
            found.append(event)
    return Record(tuple(found))


@pytest.mark.parametrize("drill", THREE_DRILLS, ids=lambda d: d.fault)
def test_the_moments_of_a_failover_come_in_their_order(drill: Drill) -> None:
    moments = [m for m in timeline(drill).moments if m.label]
    assert [m.kind for m in moments] == [
        "fault",
        "leader",
        "unreachable",
        "down",
        "restored",
        "healed",
        "back",
    ]
    assert moments[0].t == 0
    assert moments[1].t == pytest.approx(drill.elected, abs=0.3)
    assert all(m.seen_by for m in moments)


def test_lanes_are_managers_first() -> None:
    found = timeline(THREE_DRILLS[0])
    assert [lane.name for lane in found.nodes] == [
        "manager1",
        "manager2",
        "manager3",
        "worker1",
        "worker2",
    ]
    lost = found.nodes[0]
    assert [s.value for s in lost.states] == ["ready", "", "unknown", "down", "ready"]
    assert [f.kind for f in lost.faults] == ["stop-engine"]
    assert [s.value for s in found.leaders] == ["manager1", "", "manager3"]


def test_the_service_lane_shows_the_loss_and_when_nobody_could_tell() -> None:
    lane = timeline(THREE_DRILLS[0]).service
    assert lane is not None
    assert (lane.wanted, min(lane.running), lane.running[-1]) == (5, 4, 5)
    assert len(lane.blind) == 1


def test_a_demotion_loses_no_replica_and_no_node() -> None:
    kinds = {m.kind for m in timeline(DEMOTION).moments if m.label}
    assert kinds == {"fault", "leader", "healed"}


def test_a_node_that_never_returns_has_no_return() -> None:
    found = timeline(NEVER_BACK)
    assert not {"healed", "back"} & {m.kind for m in found.moments}
    assert found.faults[0].healed is None


@pytest.mark.parametrize("drill", [*THREE_DRILLS, DEMOTION, NEVER_BACK], ids=lambda d: d.phase)
def test_a_picture_is_a_small_self_contained_svg(drill: Drill) -> None:
    text = failover.svg(timeline(drill))
    assert text.startswith("<svg")
    assert len(text) < 250_000
    ElementTree.fromstring(text)  # noqa: S314 - our own
    references = re.findall(r'(?:href|src)="([^"]*)"', text)
    assert all(r.startswith(("#", "data:image/png;base64,")) for r in references)
    assert "<script" not in text


def test_a_png_for_pages_that_take_no_svg() -> None:
    assert failover.png(timeline(DEMOTION), dpi=60).startswith(b"\x89PNG")


def test_hostile_names_are_text() -> None:
    drill = THREE_DRILLS[0]
    part = renamed(record(drill).phase(drill.phase), HOSTILE)
    found = build_timeline(part, drill.phase)
    assert found.nodes[-1].name == HOSTILE or found.nodes[0].name == HOSTILE
    text = failover.svg(found)
    ElementTree.fromstring(text)  # noqa: S314 - our own
    assert "<script" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "part",
    [
        events("p", ("notice", {"message": "nothing else"})),
        events("p", ("nodes", {"seen_from": "m1", "seconds": 0.1, "error": "no leader"})),
        events(
            "p",
            ("fault.injected", {"fault": "meteor", "nodes": ["m1"], "seconds": 0.5}),
            ("request", {"node": "w1", "sent": 1.0, "seconds": 0.0, "status": None, "error": "x"}),
        ),
    ],
)
def test_a_poor_record_gives_a_poor_picture_not_a_crash(part: Record) -> None:
    ElementTree.fromstring(failover.svg(build_timeline(part, "p")))  # noqa: S314 - our own


POLES = [
    [(1.0, 2.4), (2.2, 2.5), (2.2, 2.2), (6.5, 1.6), (7.6, 1.7), (7.7, 2.4), (9.0, 2.0)],
    [(0.2, 2.4), (0.25, 2.5), (0.3, 2.2)],
    [(8.8, 2.4), (8.9, 2.5), (9.1, 2.2)],
    [],
]


@pytest.mark.parametrize("poles", POLES, ids=len)
def test_flags_do_not_overlap_and_cross_no_pole(poles: list[tuple[float, float]]) -> None:
    reaches = flags.arrange(poles)
    levels = flags.levels_of(reaches)
    flying = list(zip(reaches, levels, strict=True))
    for (a, high), (b, low) in itertools.permutations(flying, 2):
        assert not (high == low and a.touches(b))
        assert not (a.crosses(b) and high <= low)
    assert all(reach.end <= canvas.ROOM + 0.05 for reach in reaches)


def lost_worker(*, leads_on: bool) -> Record:
    """worker1 loses power, one manager answers late; the leader goes on, or is seen no more."""

    def nodes(leader: str | None) -> tuple[str, dict[str, object]]:
        row = {"id": "1", "name": "manager1", "role": "manager", "state": "ready",
               "leader": leader is not None, "reachability": "reachable"}  # fmt: skip
        return "nodes", {"seen_from": "manager1", "seconds": 0.0, "nodes": [row]}

    fault = {"fault": "power-off", "nodes": ["worker1"], "seconds": 0.1}
    late = ("nodes", {"seen_from": "manager2", "seconds": 0.0, "error": "no answer in time"})
    after = nodes("manager1" if leads_on else None)
    return events(
        "p", nodes("manager1"), ("fault.injected", fault), nodes("manager1"), late, after, after
    )


@pytest.mark.parametrize("leads_on", [True, False])
def test_a_late_answer_is_no_loss_of_a_leader_that_leads_on(leads_on: bool) -> None:
    text = failover.svg(build_timeline(lost_worker(leads_on=leads_on), "p"))
    assert "worker1 powered off" in text
    assert ("no new leader was seen" in text) is not leads_on


def test_a_milestone_is_named_in_the_picture_and_whatever_it_says_stays_text() -> None:
    part = record(THREE_DRILLS[0]).phase(THREE_DRILLS[0].phase)
    last = part.events[-1]
    said = Event(last.seq + 1, last.t + 1, last.at, "milestone", last.phase, {"text": HOSTILE})
    drawn = build_timeline(Record((*part.events, said)), last.phase)
    (moment,) = [m for m in drawn.moments if m.kind == "milestone"]
    assert moment.label == moment.text
    assert moment.t == pytest.approx(last.t + 1 - drawn.zero)
    assert "<script" not in failover.svg(drawn)


def test_a_flag_names_few_nodes_and_counts_many() -> None:
    part = record(THREE_DRILLS[2]).phase(THREE_DRILLS[2].phase)
    every = ["manager1", "manager2", "manager3", "worker1", "worker2"]
    lost = changed(part, lambda e: e.kind.startswith("fault."), nodes=every)
    fault = build_timeline(lost, THREE_DRILLS[2].phase).moments[0]
    assert fault.label == "5 machines powered off"
    assert fault.text == f"{', '.join(every)} powered off"


def test_a_service_that_was_looked_at_once_is_not_the_one_of_the_picture() -> None:
    part = record(DEMOTION).phase(DEMOTION.phase)
    last = part.of("tasks")[-1]
    other = replace(last, t=last.t + 1, data={**last.data, "service": "other", "tasks": []})
    before = build_timeline(part, DEMOTION.phase).service
    after = build_timeline(Record((*part.events, other)), DEMOTION.phase).service
    assert before is not None
    assert after is not None
    assert (after.service, after.running) == (before.service, before.running)
