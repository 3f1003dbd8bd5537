"""A machine is who it was by the same id and a certificate in that id's name and role."""

from __future__ import annotations

import pytest

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence.identities import Kept, kept
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Verdict
from tests.exercises.identities import TWO_IDENTITIES, identities_kept
from tests.unit.records.editing import edited, events, last
from tests.unit.records.identities import at_the_end, certificate_taken, roles, who

ROLES = roles(["manager1", "manager2"], ["worker1"])


def run(*rows: tuple[str, dict[str, object]]) -> Record:
    return events("2.2/demotion", *rows, machines=list(ROLES))


def led_by(node: str) -> tuple[str, dict[str, object]]:
    row = {"id": node, "name": node, "role": "manager", "state": "ready", "leader": True}
    return "nodes", {"nodes": [row]}


def good() -> Record:
    broken: tuple[str, dict[str, object]] = ("fault.injected", {"fault": "demote", "nodes": []})
    return run(who(ROLES), broken, led_by("manager1"), who(ROLES))


def test_who_is_the_same_node_with_the_same_certificate_has_kept_its_identity() -> None:
    seen = "2 readings, at the end 2 managers, 1 workers: no identity has changed"
    assert kept(good()) == Kept((), False, seen, frozenset(ROLES))
    assert identities_kept(good()).verdict is Verdict.PASS


def test_a_certificate_in_another_machine_s_name_is_the_finding() -> None:
    found = kept(certificate_taken(good()))
    assert found.taken
    assert found.wrong == (
        "the certificate of worker1, the node worker1, names manager1, manager1",
        "the certificate of worker1 is a manager's, and it is a worker",
    )
    judgement = identities_kept(certificate_taken(good()))
    assert (judgement.verdict, judgement.finding) == (Verdict.FAIL, TWO_IDENTITIES)


def test_an_engine_that_says_it_is_another_machine_s_node_is_the_finding_too() -> None:
    found = kept(at_the_end(good(), "worker1", id="manager2", name="manager2", role="manager"))
    assert found.taken
    assert "worker1 was the node worker1, and is now manager2, manager2" in found.wrong
    assert "manager2 and worker1 say that they are the same node, manager2" in found.wrong


def test_an_engine_that_begins_anew_with_another_s_certificate_is_the_finding_too() -> None:
    found = kept(at_the_end(good(), "worker1", id="", name="manager2", role="manager"))
    assert found.taken
    assert "worker1 was the node worker1, and is in no swarm now" in found.wrong


@pytest.mark.parametrize(
    ("otherwise", "said"),
    [
        ({"id": "new", "name": "new"}, "worker1 was the node worker1, and is now new"),
        ({"name": ""}, "the certificate of worker1, the node worker1, names nobody"),
        ({"role": "manager"}, "the certificate of worker1 is a manager's, and it is a worker"),
        ({"role": ""}, "the certificate of worker1 is a nobody's, and it is a worker"),
        (
            {"id": "", "name": "", "role": ""},
            "worker1 was the node worker1, and is in no swarm now",
        ),
    ],
    ids=["a new id", "no certificate", "another role", "no role", "outside"],
)
def test_what_else_is_not_as_it_was_is_a_failure_without_a_name(
    otherwise: dict[str, str], said: str
) -> None:
    found = kept(at_the_end(good(), "worker1", **otherwise))
    assert said in found.wrong
    assert not found.taken
    assert not identities_kept(at_the_end(good(), "worker1", **otherwise)).finding


def test_a_finding_and_something_else_is_not_the_finding_alone() -> None:
    found = kept(at_the_end(certificate_taken(good()), "manager2", role="worker"))
    assert len(found.wrong) == 3
    assert not found.taken


def test_a_role_that_the_managers_have_given_since_is_no_loss() -> None:
    demoted = {**ROLES, "manager2": "worker"}
    assert kept(run(who(ROLES), who(demoted), who(ROLES))).wrong == ()
    # Whose certificate has not been renewed yet has the role that it had.
    late = last("identities", roles=demoted)(good())
    assert kept(late).wrong == ()


def test_a_machine_that_joins_later_is_held_against_its_first_reading() -> None:
    outside = last("identities")(run(who(ROLES)))
    outside = at_the_end(outside, "worker1", id="", name="", role="")
    joined = Record((*outside.events, *run(who(ROLES), who(ROLES)).events))
    assert kept(joined).wrong == ()
    assert kept(at_the_end(joined, "worker1", id="other")).wrong != ()


def test_a_machine_that_was_destroyed_begins_anew_and_no_other_does() -> None:
    broken = ("fault.injected", {"fault": "destroy", "nodes": ["manager2"], "seconds": 0.1})
    again = who(ROLES, manager2="new")
    assert kept(run(who(ROLES), broken, again)).wrong == ()
    assert kept(run(who(ROLES), broken, who(ROLES, worker1="new"))).wrong != ()
    stopped = ("fault.injected", {**broken[1], "fault": "stop-engine"})
    assert kept(run(who(ROLES), stopped, again)).wrong != ()


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (run(), "identities were not read"),
        (run(who(ROLES)), "not read a second time"),
        (edited("identities", machines=None)(good()), "not read a second time"),
        (
            at_the_end(good(), "worker1", id="", name="", role="", error="no route"),
            "worker1 gave no identity at the end",
        ),
        (
            Record((*good().events, *events("2.2/demotion", led_by("manager2"), start=9))),
            "no identity was read after manager2 had begun to lead",
        ),
    ],
    ids=["never", "once", "nothing said", "one silent", "not after the change"],
)
def test_what_was_not_asked_is_unknown(record: Record, said: str) -> None:
    with pytest.raises(Unseen, match=said):
        kept(record)


def test_whether_leadership_moved_must_have_been_seen() -> None:
    judgement = identities_kept(run(led_by("manager1"), who(ROLES), who(ROLES)))
    assert judgement.verdict is Verdict.UNKNOWN
    assert "nobody saw who led" in judgement.observed


def test_a_member_that_is_in_no_reading_was_not_asked() -> None:
    more = events("2.2/demotion", who(ROLES), who(ROLES), machines=[*ROLES, "worker2"])
    judgement = identities_kept(more)
    assert judgement.verdict is Verdict.UNKNOWN
    assert "nobody asked worker2" in judgement.observed


def test_a_machine_that_was_away_in_between_is_judged_at_the_end() -> None:
    away = run(who(ROLES), who(ROLES))
    away = at_the_end(away, "worker1", id="", name="", role="", error="no route")
    assert kept(Record((*away.events, *run(who(ROLES)).events))).wrong == ()
