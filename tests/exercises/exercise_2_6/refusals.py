"""Secrets and commands that the engine refuses."""

from __future__ import annotations

from pytest_swarmlab import failed, passed
from pytest_swarmlab.evidence.events import need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Judgement

from .declared import REFUSALS, exercise
from .events import Refusal

DAEMON = "Error response from daemon: "
GRPC = DAEMON + "rpc error: code = "
SIZE = GRPC + "InvalidArgument desc = secret data must be larger than 0 and less than 512000 bytes"
NAME = (
    GRPC + "InvalidArgument desc = invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and"
    " the start and end character must be [a-zA-Z0-9]"
)
REFUSED = {
    "0 bytes": SIZE,
    "512000 bytes": SIZE,
    "65 characters": NAME,
    "underscore first": NAME,
    "dot last": NAME,
    "a space": NAME,
    "a slash": NAME,
    "an accent": NAME,
    "duplicate": GRPC + "AlreadyExists desc = secret first already exists",
    "immutable": "rpc error: code = InvalidArgument desc = only updates to Labels are allowed",
    "in use by one": GRPC
    + "InvalidArgument desc = secret 'first' is in use by the following service: one",
    "in use by two": GRPC
    + "InvalidArgument desc = secret 'first' is in use by the following services: one, two",
    "unknown": "secret not found: never_created",
    "conflicting targets": "duplicate secret target for second not allowed",
    "conflicting targets, the engine": "rpc error: code = InvalidArgument desc = secret references"
    " 'first' and 'second' have a conflicting target: 't'",
    "undeclared": 'service app: undefined secret "db_password"',
}
"""Case → the message of the engine or its client."""
ACCEPTED = ("1 bytes", "511999 bytes", "64 characters", "dot, dash and underscore", "labels")


def _declare_refusals() -> None:
    for case, words in REFUSED.items():
        _declare_refusal(case, words)
    for case in ACCEPTED:
        _declare_acceptance(case)


def _slug(case: str) -> str:
    return case.replace(",", "").replace(" ", "-")


def _declare_refusal(case: str, words: str) -> None:
    @exercise.check(
        "refused-" + _slug(case),
        phases=REFUSALS,
        title=f"Refused: {case}",
        expected=words,
        hint="Another version of the engine may use another message: then change the expectation.",
    )
    def refused(record: Record) -> Judgement:
        """The engine's own words, all of them; services stand in the order of their random ids."""
        seen = need(record, Refusal, "it was not tried", case=case)
        said = seen.said
        same = said in (words, words.replace("one, two", "two, one"))
        return passed(said) if seen.code and same else failed(said or "accepted")


def _declare_acceptance(case: str) -> None:
    @exercise.check(
        "accepted-" + _slug(case),
        phases=REFUSALS,
        title=f"Accepted: {case}",
        expected="no refusal",
        hint="`docker secret create`: what does the engine say?",
    )
    def accepted(record: Record) -> Judgement:
        """Cases just within the limits."""
        seen = need(record, Refusal, "it was not tried", case=case)
        return passed("accepted") if seen.code == 0 else failed(seen.said)


_declare_refusals()
