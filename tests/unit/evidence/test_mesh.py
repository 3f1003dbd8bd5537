"""Which machine lacked a way in the mesh: by the machines' own tables, in one round of readings."""

from __future__ import annotations

from typing import Any

from pytest_swarmlab.evidence.readings import lost_ways
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event

AT = {"worker1": ("10.0.0.3", "10.0.0.31"), "worker2": ("10.0.0.4", "10.0.0.41")}
"""Machine → its own address in the mesh, and its replica's."""
MACHINES = {"worker1": "192.168.56.11", "worker2": "192.168.56.12"}


def mesh(node: str, **otherwise: Any) -> Event:
    """What that machine has of a service with a replica on each."""
    other = next(name for name in AT if name != node)
    own, here = AT[node]
    data: dict[str, Any] = {
        "node": node,
        "address": own,
        "here": [here],
        "balanced": [replica for _, replica in AT.values()],
        "ways": [{"address": each, "via": MACHINES[other]} for each in AT[other]],
        "error": None,
    }
    return Event(0, 1.0, "", "mesh", "p", {**data, **otherwise})


def lost(*events: Event) -> dict[str, list[str]]:
    return lost_ways(Record(events))


def without(node: str, address: str) -> Event:
    """The same machine without its way there."""
    whole = mesh(node)
    ways = [way for way in whole.data["ways"] if way["address"] != address]
    return mesh(node, ways=ways)


def test_nothing_is_lost_where_each_has_a_way_to_the_others_replica_and_back() -> None:
    assert lost(mesh("worker1"), mesh("worker2")) == {}
    assert lost() == {}


def test_a_way_to_a_replica_that_is_missing_or_leads_nowhere_is_lost() -> None:
    expected = {"worker1": ["worker1 had no way to 10.0.0.41, a replica on worker2"]}
    assert lost(without("worker1", "10.0.0.41"), mesh("worker2")) == expected
    back = {"address": "10.0.0.4", "via": MACHINES["worker2"]}
    half = mesh("worker1", ways=[{"address": "10.0.0.41", "via": ""}, back])
    assert lost(half, mesh("worker2")) == expected


def test_a_way_to_another_machine_than_the_replicas_is_lost() -> None:
    ways = [
        {"address": "10.0.0.4", "via": MACHINES["worker2"]},
        {"address": "10.0.0.41", "via": "192.168.56.20"},
    ]
    assert lost(mesh("worker1", ways=ways), mesh("worker2")) == {
        "worker1": ["worker1 sent to 192.168.56.20 what was for 10.0.0.41, a replica on worker2"]
    }


def test_what_answers_needs_a_way_back() -> None:
    assert lost(mesh("worker1"), without("worker2", "10.0.0.3")) == {
        "worker1": ["worker2 had no way back to worker1"]
    }


def test_nobody_needs_a_way_to_a_replica_that_it_does_not_balance_over() -> None:
    alone = mesh("worker1", balanced=["10.0.0.31"], ways=[])
    assert lost(alone, mesh("worker2", balanced=["10.0.0.41"])) == {}


def test_what_a_machine_that_was_not_seen_has_is_not_known() -> None:
    unseen = mesh("worker2", error="refused", here=[], ways=[])
    assert lost(without("worker1", "10.0.0.41"), unseen) == {}


def test_each_round_is_compared_by_itself() -> None:
    """A replica that has moved in between is no lost way of the round before."""
    gone = mesh("worker2", here=[], balanced=["10.0.0.31"])
    alone = mesh("worker1", balanced=["10.0.0.31"])
    assert lost(mesh("worker1"), mesh("worker2"), alone, gone) == {}
    twice = [without("worker1", "10.0.0.41"), mesh("worker2")] * 2
    assert len(lost(*twice)["worker1"]) == 1
