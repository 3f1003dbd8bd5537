"""A certificate and a password are rotated while clients ask."""

from __future__ import annotations

from collections import Counter

from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Command, Request, each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    judged,
    members_of,
    not_asked,
    not_each,
    out_of_order,
    pauses,
)
from pytest_swarmlab.model import Judgement

from . import somebodys
from .declared import CERTIFICATE, ROLLBACK, ROTATION, UNDER_LOAD, exercise
from .events import Begun, Certificates, Ended, Login, Removed, User
from .seen import gives_the_new_one, not_in_turn, span
from .setting import NEW_ROLE, OLD_PASSWORD, OLD_ROLE

LEAST_REQUESTS = 30
PAUSE_S = 4.0
"""Longest pause through one node: two of a node's turns, where visitors come most seldom."""
LEAST_RATE = 1.5
"""Requests a second, over all nodes and kinds: less than half of what is sent."""


@exercise.check(
    "no-request-failed",
    phases=UNDER_LOAD,
    title="No request fails, not even one that takes a second",
    expected=f"at least {LEAST_REQUESTS} requests, through every node before it, all along and"
    " after it; none without a good answer",
    hint="Which requests, through which node? Use start-first, a health check, and a grace period"
    " that is longer than the longest request.",
    # A request has so many seconds, and a machine without idle time takes them.
    timed=True,
)
def no_request_failed(record: Record) -> Judgement:
    """Every request is a connection and a handshake of its own, and a login at the database."""
    asked, nodes = readings.requests(record), members_of(record)
    slow = [request for request in asked if request.url.endswith("/slow")]
    bad = readings.request_errors(record)
    told = f"{len(asked)} requests, {len(slow)} of them slow, {len(bad)} failed"
    why = Counter(request.error or f"status {request.status}" for request in bad)
    wrong = [f"{count} × {what}" for what, count in why.items()]
    began, ended = span(record)
    window = Window(began, ended)
    ours = not somebodys.is_theirs(record)
    pause, rate = (PAUSE_S, LEAST_RATE) if ours else (somebodys.PAUSE_S, somebodys.LEAST_RATE)
    missing = not_asked(asked, through=nodes, window=window, pause=pause, rate=rate)
    # Only the lab's application has a page that takes a second.
    if ours and (none := pauses((request.sent for request in slow), window, PAUSE_S)):
        missing.append(f"no slow request was sent {none[0]}")
    before = {request.node for request in asked if request.over < began}
    missing += not_each(before, nodes, "was answered, before it began, through")
    after = {request.node for request in asked if request.sent > ended}
    missing += not_each(after, nodes, "was answered, after it was over, through")
    if len(asked) < LEAST_REQUESTS:
        missing.append(f"fewer than {LEAST_REQUESTS} requests")
    return judged(told, wrong=wrong, missing=missing)


@exercise.check(
    "old-before-new-after",
    phases=CERTIFICATE,
    title="Visitors get the old certificate before the rotation, the new one after, and no other",
    expected="only the old certificate until the rotation begins, only the new one after its end",
    hint="`docker service ps multitier_web`: are all replicas replaced? A replica reads its"
    " certificate when it starts.",
)
def old_before_new_after(record: Record) -> Judgement:
    """Every handshake of the probe; during the rotation both certificates are permitted."""
    names = need(record, Certificates, "the certificates were not recorded")
    began, ended = span(record)
    old, new = names.old, names.new
    shown: dict[str, set[str | None]] = {"before": set(), "meanwhile": set(), "after": set()}
    through: dict[str, set[str]] = {when: set() for when in shown}
    for request in each(record, Request):
        late = request.sent > ended
        when = "before" if request.over < began else "after" if late else "meanwhile"
        shown[when].add(request.certificate)
        through[when].add(request.node)
    called: dict[str | None, str] = {old: "old", new: "new"}
    told = "; ".join(
        f"{when}: {', '.join(sorted(called.get(each, 'another') for each in seen)) or 'nothing'}"
        for when, seen in shown.items()
    )
    good = shown["before"] <= {old} and shown["after"] <= {new}
    missing = [] if old != new else ["both are one certificate"]
    nodes = members_of(record)
    for when in ("before", "after"):
        missing += not_each(through[when], nodes, f"was shown one, {when} it, through")
    window = Window(began, ended)
    missing += not_asked(readings.requests(record), through=nodes, window=window, pause=PAUSE_S)
    return judged(told, holds=good and shown["meanwhile"] <= {old, new}, missing=missing)


LOGINS = {
    ("before", OLD_ROLE, "old"): "let in",
    ("after", OLD_ROLE, "old"): f'FATAL:  password authentication failed for user "{OLD_ROLE}"',
    ("after", NEW_ROLE, "old"): f'FATAL:  password authentication failed for user "{NEW_ROLE}"',
    ("after", NEW_ROLE, "new"): "let in",
}
"""When, as which role, with which password → what the database says."""


@exercise.check(
    "new-login-only",
    phases=ROTATION,
    title="The database's password is rotated with the secret",
    expected="a login with the old password works before and is refused after; the new one works",
    hint="A new secret does not change the database's password: `ALTER ROLE … PASSWORD …`.",
)
def new_login_only(record: Record) -> Judgement:
    """Logins over the network, from a container of the API."""
    if somebodys.is_theirs(record):
        return somebodys.new_login_only(record)
    told, wrong, missing = [], [], []
    for (when, role, password), words in LOGINS.items():
        case = f"{role} with the {password} password {when}"
        tried = need(record, Login, f"not tried: {case}", when=when, role=role, password=password)
        said = tried.said
        told.append(f"{case}: {said}")
        if said != words and not said.endswith(words):
            wrong.append(told[-1])
        missing += not_in_turn(record, when, (case, tried.t))
    return judged("; ".join(told), wrong=wrong, missing=missing)


@exercise.check(
    "every-replica-has-the-new-one",
    phases=ROTATION + ROLLBACK,
    title="The application works with the new password, through every node",
    expected=f"a login as {NEW_ROLE} that reads the same two items",
    hint="`docker service ps multitier_api`: does a replica from before the rotation still run?",
)
def every_replica_has_the_new_one(record: Record) -> Judgement:
    """Read before the old role is retired, which no client may then need."""
    if somebodys.is_theirs(record):
        return somebodys.every_replica_has_the_new_one(record)
    seen = each(record, User)
    wrong = [
        f"{e.node}: {e.user}, {e.items} items" for e in seen if (e.user, e.items) != (NEW_ROLE, 2)
    ]
    nodes = {e.node for e in seen}
    missing = not_each(nodes, members_of(record), "asked through")
    rolled = [c.t for c in each(record, Command, code=0) if gives_the_new_one(c.argv)]
    missing += out_of_order(
        ("the update", max(rolled, default=None)),
        ("the questions", min((e.t for e in seen), default=None)),
    )
    return judged(f"{NEW_ROLE} through {len(nodes)} nodes", wrong=wrong, missing=missing)


@exercise.check(
    "old-secret-removed",
    phases=ROTATION,
    title="The old secret is removed",
    expected="`docker secret ls` no longer lists it",
    hint="`docker secret rm` names the service that still uses it.",
)
def old_secret_removed(record: Record) -> Judgement:
    """Possible only when no service's definition names it."""
    if somebodys.is_theirs(record):
        return somebodys.old_secret_removed(record)
    seen = need(record, Removed, "the old secret was not looked for")
    argv = ["docker", "secret", "rm", OLD_PASSWORD]
    gone = [command.t for command in each(record, Command, code=0, argv=argv)]
    missing = out_of_order(
        ("that it was removed", max(gone, default=None)), ("the look for it", seen.t)
    )
    told = f"{OLD_PASSWORD} is {'gone' if seen.gone else 'there'}"
    return judged(told, holds=seen.gone, missing=missing)


@exercise.measure(phases=UNDER_LOAD)
def under_load(record: Record) -> dict[str, float | int | None]:
    """Duration of the change, from the first command until all replicas balance; the requests."""
    began, ended = last(record, Begun), last(record, Ended)
    asked = readings.requests(record)
    return {
        "changed_s": round(ended.t - began.t, 1) if began and ended else None,
        "requests": len(asked),
        "failed_requests": len(readings.request_errors(record)),
        "slowest_s": round(max(r.seconds for r in asked), 2) if asked else None,
    }
