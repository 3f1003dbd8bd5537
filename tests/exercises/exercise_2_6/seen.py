"""Readings that several judges of exercise 2.6 share."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence.events import need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Moment, out_of_order

from .events import Begun, Ended
from .setting import NEW_PASSWORD


def span(record: Record) -> tuple[float, float]:
    """When the change began and when it was over."""
    began = need(record, Begun, "the change's beginning was not recorded").t
    ended = need(record, Ended, "the change's end was not recorded").t
    if missing := out_of_order(("the beginning", began), ("the end", ended)):
        raise Unseen("; ".join(missing))
    return began, ended


def not_in_turn(record: Record, when: str, login: Moment) -> list[str]:
    """Whether a login `before` came after the rotation began, or one `after` before its end."""
    began, ended = span(record)
    if when == "before":
        return out_of_order(login, ("the beginning of the rotation", began))
    return out_of_order(("the end of the rotation", ended), login)


def gives_the_new_one(argv: Sequence[str]) -> bool:
    """Whether a command updates the API to the second password."""
    return [*argv[:3]] == UPDATE and any(f"source={NEW_PASSWORD}" in word for word in argv)


UPDATE = ["docker", "service", "update"]
