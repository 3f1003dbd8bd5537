"""A ledger writes each entry once, and its reading tells what was lost and what is there twice."""

from __future__ import annotations

import pytest

from pytest_swarmlab.clients.ledger import Ledger
from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.waiting.waiter import Done, Pending, Waiter
from tests.unit.fakes import Lab
from tests.unit.records.editing import events


def entry(number: int, sent: float, seconds: float = 0.1, error: str | None = None) -> tuple:  # type: ignore[type-arg]
    id_ = None if error else f"id{number}"
    return "entry", {
        "ledger": "posts", "number": number, "sent": sent, "seconds": seconds,
        "id": id_, "error": error,
    }  # fmt: skip


def read(record: Record) -> readings.Ledger:
    found = readings.ledger(record, "posts")
    assert found is not None
    return found


def test_what_fails_is_noted_and_not_written_again(lab: Lab) -> None:
    written = []

    def write(number: int) -> str:
        written.append(number)
        if number == 2:
            raise ProviderError("worker1 can't be reached")
        return f"id{number}"

    with Ledger("posts", write, lab.recorder) as ledger:
        Waiter(every=0.01)(ledger.acknowledges(2), within=30)
    assert written[:3] == [1, 2, 3]
    assert len(written) == len(set(written))
    events = lab.recorder.view().of("entry")
    assert [(e.data["id"], e.data["error"]) for e in events[:2]] == [
        ("id1", None),
        (None, "worker1 can't be reached"),
    ]


def test_it_writes_no_more_within_its_pause_and_ends_with_the_block_all_the_same(lab: Lab) -> None:
    ledger = Ledger("posts", str, lab.recorder, pause=3600.0)
    first = ledger.acknowledges(1)
    with ledger:
        Waiter(every=0.01)(first, within=30)
    assert len(lab.recorder.view().of("entry")) == 1


def test_it_ends_with_the_block_even_when_that_fails(lab: Lab) -> None:
    def fail_within() -> None:
        with Ledger("posts", str, lab.recorder):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_within()
    count = len(lab.recorder.view().of("entry"))
    assert count == len(lab.recorder.view().of("entry"))


def test_a_condition_counts_from_when_it_was_made_and_says_how_the_last_write_ended(
    lab: Lab,
) -> None:
    ledger = Ledger("posts", str, lab.recorder)
    ledger._enter(1)
    condition = ledger.acknowledges(1)
    outcome = condition()
    assert isinstance(outcome, Pending)
    assert outcome.seen == "1 in all; entry 1: acknowledged"
    ledger._enter(2)
    assert isinstance(condition(), Done)


def test_an_entry_that_was_under_way_is_none_that_was_begun_since(lab: Lab) -> None:
    made = []

    def write(number: int) -> str:
        if number == 1:
            made.append(ledger.acknowledges(1))
        return str(number)

    ledger = Ledger("posts", write, lab.recorder)
    ledger._enter(1)
    (condition,) = made
    assert isinstance(condition(), Pending)
    ledger._enter(2)
    assert isinstance(condition(), Done)


def test_nothing_is_lost_when_all_that_was_acknowledged_is_there() -> None:
    run = events(
        "p", entry(1, 0), entry(2, 1, error="timeout"), entry(3, 2),
        ("entries", {"ledger": "posts", "found": [["id1", 1], ["x", 2], ["id3", 3]]}),
    )  # fmt: skip
    ledger = read(run)
    assert [e.number for e in ledger.acknowledged] == [1, 3]
    assert (ledger.lost, ledger.duplicated) == ([], [])


def test_what_is_missing_or_kept_under_another_id_is_lost() -> None:
    run = events(
        "p", entry(1, 0), entry(2, 1),
        ("entries", {"ledger": "posts", "found": [["id7", 2]]}),
    )  # fmt: skip
    assert read(run).lost == [1, 2]


def test_what_is_there_twice_is_told() -> None:
    run = events(
        "p", entry(1, 0), ("entries", {"ledger": "posts", "found": [["id1", 1], ["id9", 1]]})
    )
    assert read(run).duplicated == [1]


def test_nobody_looked_is_not_nothing_there() -> None:
    assert read(events("p", entry(1, 0))).found is None
    assert readings.ledger(events("p", entry(1, 0)), "comments") is None


def test_the_gap_and_the_stall_are_between_acknowledgements() -> None:
    fault = {"fault": "stop-units", "nodes": ["manager1"], "seconds": 0.5}
    run = events(
        "p", entry(1, 0), ("fault.injected", fault), entry(2, 1.2, 5, "timeout"), entry(3, 6.2, 3),
    )  # fmt: skip
    ledger = read(run)
    gap = ledger.longest_gap
    assert gap is not None
    assert gap.closed
    assert gap.seconds == pytest.approx(9.1)
    assert ledger.stalled_s(run) == pytest.approx(8.7)


def test_who_was_not_disturbed_did_not_stall_however_late_his_longest_wait() -> None:
    fault = {"fault": "stop-units", "nodes": ["manager1"], "seconds": 0.5}
    run = events("p", entry(1, 0), ("fault.injected", fault), *(entry(n, n) for n in range(2, 9)))
    assert read(run).stalled_s(run) == pytest.approx(1.6)


def test_writes_that_never_came_back_leave_the_gap_open() -> None:
    fault = {"fault": "stop-units", "nodes": ["manager1"], "seconds": 0.5}
    run = events("p", entry(1, 0), ("fault.injected", fault), entry(2, 1.2, 5, "timeout"))
    gap = read(run).longest_gap
    assert gap is not None
    assert not gap.closed
    assert read(run).stalled_s(run) is None


def test_events_that_say_nothing_do_not_crash_the_reading() -> None:
    run = events("p", ("entry", {"ledger": "posts"}), ("entries", {"ledger": "posts"}))
    assert read(run).found == ()
    assert read(run).lost == []
