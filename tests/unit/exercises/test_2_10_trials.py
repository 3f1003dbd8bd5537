"""What the trials of exercise 2.10 see of orders that may not be stored or processed."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from pytest_swarmlab.waiting.waiter import Done, Pending, Waiter
from tests.exercises.exercise_2_10 import books
from tests.exercises.exercise_2_10.bookkeeping import IN_PART
from tests.exercises.exercise_2_10.books import Books, Stored
from tests.exercises.exercise_2_10.client import Answer
from tests.exercises.exercise_2_10.events import AtOnce
from tests.exercises.exercise_2_10.trials import AT_ONCE, Trials, Unwritten
from tests.unit.fakes import Lab

AWAY = Answer(503, {}, b'{"error": "unavailable", "message": "Try again."}')
TAKEN = Answer(201, {}, b'{"id": "1", "status": "accepted"}')


def test_a_refusal_of_which_the_database_says_nothing_is_not_yet_what_is_looked_for() -> None:
    lines = iter([0, 0, 2])
    asked = Unwritten(lambda: AWAY, lambda: next(lines))

    assert isinstance(asked(), Pending)
    assert isinstance(asked(), Pending)
    found = asked()
    assert isinstance(found, Done)
    assert found.value == (AWAY, 2)


def test_an_order_that_is_taken_all_the_same_is_found_at_once() -> None:
    found = Unwritten(lambda: TAKEN, lambda: 0)()

    assert isinstance(found, Done)
    assert found.value == (TAKEN, 0)


def test_no_answer_is_no_refusal() -> None:
    def order() -> Answer:
        raise requests.ConnectionError

    assert isinstance(Unwritten(order, lambda: 1)(), Pending)


def stored(times: int) -> list[Stored]:
    return [Stored("1", "k-1", "accepted", 0), Stored("2", "k-2", "accepted", times)]


def held(lab: Lab, monkeypatch: pytest.MonkeyPatch, times: int) -> books.Held:
    """Two orders that are looked at each second, for three seconds."""
    clock = itertools.count(100.0)
    monkeypatch.setattr(books, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    kept = Books(SimpleNamespace(swarm=lab.swarm))  # type: ignore[arg-type]
    monkeypatch.setattr(kept, "orders", lambda *_: stored(times))
    return kept.held("k-", seconds=3.0)


def test_what_is_held_is_looked_at_for_as_long_as_was_asked(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = held(lab, monkeypatch, times=0)

    assert isinstance(looks(), Pending)
    assert isinstance(looks(), Pending)
    found = looks()
    assert isinstance(found, Done)
    assert found.value == 3.0


def test_what_is_processed_all_the_same_is_found_at_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = held(lab, monkeypatch, times=1)()

    assert isinstance(found, Done)
    assert found.value == 1.0


def test_what_is_stored_in_part_is_looked_for_by_the_names_that_are_judged(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Books(SimpleNamespace(swarm=lab.swarm))  # type: ignore[arg-type]
    monkeypatch.setattr(kept, "rows", lambda _: [["0", "1", "2"]])

    assert kept.damaged() == dict(zip(IN_PART, range(3), strict=True))


def test_an_acknowledgement_without_an_id_has_none(lab: Lab) -> None:
    """Not the id "None", which would be the same in all of them."""
    seen: list[Any] = []
    shop = SimpleNamespace(order=lambda *_: Answer(201, {}, b'{"status": "accepted"}'))
    crowd: Any = SimpleNamespace(
        shop=shop,
        books=SimpleNamespace(orders=lambda *_: []),
        customers=[SimpleNamespace(token="")],
        products=[1, 2, 3],
        run="r",
        sent=set(),
        orders={},
    )
    evidence: Any = SimpleNamespace(write=seen.append)

    Trials(lab.swarm, crowd, {}, Waiter(), evidence)._at_once()

    (told,) = seen
    assert isinstance(told, AtOnce)
    assert told.answers == ((201, ""),) * AT_ONCE
    assert not crowd.orders
