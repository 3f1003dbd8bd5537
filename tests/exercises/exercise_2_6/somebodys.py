"""A rotation by somebody's own script: the same claims as of the lab's, on their service.

The script is a black box: its effect is seen by logins, by what each replica reads, and by whether
the old secret is still listed.
"""

from __future__ import annotations

import hashlib

from pytest_swarmlab.evidence.events import each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, out_of_order
from pytest_swarmlab.model import Judgement

from .. import whose
from .events import Login, Removed, Replica, TheirRotation
from .seen import not_in_turn, span

USER = "secrets-app"
"""Who uses the secret that is replaced, as `Plays` has it."""

FILES = "files"
"""What is searched besides: where what a secret was made of may have been left."""

REFUSED = (
    "password authentication failed",
    "Access denied for user",
    "does not exist",
    "is not permitted to log in",
    "no password assigned",
)
"""Messages of PostgreSQL and MySQL for a refused login."""

RATE = 1.5
"""Requests a second: a page of theirs may cost as much as WordPress's, 0.4 s of a core."""
PAUSE_S, LEAST_RATE = 7.0, 0.75
"""Longest pause through one of five nodes, two of its turns; and half of what is sent."""

NOTHING = ("", hashlib.sha256(b"").hexdigest())
"""Digests of what is no secret."""

CASES = (("before", "old"), ("after", "old"), ("after", "new"))


def is_theirs(record: Record) -> bool:
    """Whether the record is about a submission's rotation."""
    return whose.is_somebodys(record, USER)


def new_login_only(record: Record) -> Judgement:
    """Logins at their database with both passwords, each as whom it was for."""
    told, wrong, missing = [], [], []
    for when, password in CASES:
        case = f"the {password} password {when}"
        tried = need(record, Login, f"not tried: {case}", when=when, password=password)
        said = tried.said
        told.append(f"{tried.role} with {case}: {said}")
        if (when, password) == ("after", "old"):
            if said == "let in":
                wrong.append(told[-1])
            elif not any(words in said for words in REFUSED):
                missing.append(told[-1])
        elif said != "let in":
            (missing if when == "before" else wrong).append(told[-1])
        missing += not_in_turn(record, when, (case, tried.t))
    return judged("; ".join(told), wrong=wrong, missing=missing)


def every_replica_has_the_new_one(record: Record) -> Judgement:
    """Each replica reads a new value, and all read the same."""
    _, ended = span(record)
    seen = each(record, Replica)
    wanted = whose.replicas(record, USER, 0)
    digests = {e.digest for e in seen}
    wrong = [f"{e.node}: still the old value" for e in seen if e.old]
    # The engine refuses an empty secret: what reads nothing has lost its file.
    wrong += [f"{e.node}: no secret at its place" for e in seen if e.digest in NOTHING]
    if len(digests) > 1:
        wrong.append("the replicas read different values")
    found = len({e.container for e in seen})
    missing = [] if found == wanted > 0 else [f"{found} of {wanted} replicas were read"]
    first = min((e.t for e in seen), default=None)
    missing += out_of_order(
        ("the end of the rotation", ended), ("the reading of the replicas", first)
    )
    return judged(f"{found} of {wanted} replicas read it", wrong=wrong, missing=missing)


def old_secret_removed(record: Record) -> Judgement:
    """Not listed any more once their script has ended."""
    seen = need(record, Removed, "the old secret was not looked for")
    ran = need(record, TheirRotation, "their script was not run")
    missing = out_of_order(("the end of their script", ran.t), ("the look for it", seen.t))
    how = ran.why or f"exit code {ran.code}"
    told = f"it is {'gone' if seen.gone else 'there'}; their script: {how}"
    told += f" ({ran.said or 'it said nothing'})"
    return judged(told, holds=seen.gone, missing=missing)
