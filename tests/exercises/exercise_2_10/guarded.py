"""Secrets, logins, ports, tokens and invalid input, judged on the record alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence.events import each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, members_of, not_each
from pytest_swarmlab.model import Judgement

from .declared import BAD_INPUT, SECURITY, exercise
from .events import (
    AtOnce,
    BrokerFull,
    Dialled,
    Environment,
    Kept,
    Knocked,
    LookedInto,
    ReadOnly,
    Refused,
    Token,
    Wire,
)
from .setting import BROKER, CACHE, CLOSED, NAME, PORT, REPLICAS

KEEPS = ("PASSWORD", "SECRET", "DATABASE_URL", "RABBITMQ_URL", "REDIS_URL")
"""Parts of a variable's name that mark its value as a secret."""

FORGED = (
    "expired",
    "forged",
    "changed",
    "unsigned",
    "for another",
    "of another",
    "endless",
    "no token",
)
PATHS = ("/api/me", "/api/orders")
LEAST_QUERIES = 2
LEAST_ESP = 20
LEAST_KEPT = 5
"""Orders that are acknowledged while the broker takes no message."""
LEAST_HELD_S = 3.0
"""Between the last of them and the count of those processed meanwhile. A broker that takes messages
has one within half a second, the pause of the orders' service, and a worker needs less."""


@exercise.check(
    "no-secret-in-a-definition",
    phases=SECURITY,
    title="No service's definition has a secret's value",
    expected="each variable of a secret names a file below /run/secrets, and shows no value",
    hint="`docker service inspect`: everybody who may ask a manager can read Env and Args.",
)
def no_secret_in_a_definition(record: Record) -> Judgement:
    """Every service is looked at; the record shows a secret by its name only."""
    seen = sorted(each(record, Environment), key=lambda e: e.service)
    services = (f"{NAME}_{name}" for name in REPLICAS)
    missing = not_each((e.service for e in seen), services, "looked at")
    wrong, kept = [], 0
    for told in seen:
        for word in told.env:
            name, _, value = word.partition("=")
            if any(part in name for part in KEEPS):
                kept += 1
                if not (name.endswith("_FILE") and value.startswith("/run/secrets/")):
                    wrong.append(f"{told.service} {name}")
        wrong += [f"{told.service} shows {secret}" for secret in told.shows]
    if not kept:
        missing.append("no service has a variable of a secret")
    return judged(f"{kept} variables name a file", wrong=wrong, missing=missing)


def _declare_looks() -> None:
    for name, log, title, hint in (
        (
            "no-secret-in-a-container-s-definition",
            False,
            "No container's definition has a secret's value",
            "`docker inspect` of the container: its command, its variables.",
        ),
        (
            "no-secret-in-a-log",
            True,
            "No container's log has a secret's value",
            "`docker service logs`: does a program log its settings, or the URL that failed?",
        ),
    ):

        def judge(record: Record, log: bool = log) -> Judgement:
            return _looked(record, log=log)

        exercise.check(
            name,
            phases=SECURITY,
            title=title,
            expected="none of the secrets' values, in any container of the shop on any node",
            hint=hint,
        )(judge)


def _looked(record: Record, *, log: bool) -> Judgement:
    seen = [e for e in each(record, LookedInto) if e.container]
    services = Counter(e.service for e in {e.container: e for e in seen}.values())
    missing = [
        f"only {services[f'{NAME}_{name}']} containers of {name} were looked into"
        for name, count in REPLICAS.items()
        if services[f"{NAME}_{name}"] < count
    ]
    # After so many drills each node has a container of the shop, running or ended.
    missing += not_each((e.node for e in seen), members_of(record), "looked into a container on")
    lines = sum(e.lines for e in seen)
    if log:
        # Every program of the shop logs its start. What can't be read has no line either.
        logs = {e.service for e in seen if e.lines}
        missing += [
            f"no log of {name} has a line" for name in REPLICAS if f"{NAME}_{name}" not in logs
        ]
    shown = [(e, e.logged if log else e.defined) for e in seen]
    wrong = [f"{e.service} on {e.node}: {', '.join(names)}" for e, names in shown if names]
    return judged(f"{len(seen)} containers, {lines} lines", wrong=wrong, missing=missing)


def _declare_knocks() -> None:
    for name, at, refused, let_in in (
        ("redis-refuses", CACHE, ("NOAUTH", "WRONGPASS"), "PONG"),
        ("rabbitmq-refuses", BROKER, ("Authentication",), "let in"),
    ):

        def judge(
            record: Record, at: str = at, refused: tuple[str, ...] = refused, let_in: str = let_in
        ) -> Judgement:
            return _knocked(record, at, refused, let_in)

        exercise.check(
            name,
            phases=SECURITY,
            title=f"{at} refuses clients without its password",
            expected=f"{' or '.join(refused)} without a password and with a wrong one;"
            f" {let_in} with the right one",
            hint="Does the server have the password at all? See its configuration file.",
        )(judge)


def _knocked(record: Record, at: str, refused: Iterable[str], let_in: str) -> Judgement:
    seen = each(record, Knocked, at=at)
    hows = ("without", "wrong", "right")
    missing = not_each((e.how for e in seen), hows, "tried a login with the password")
    tried = [e for e in seen if e.how != "right"]
    wrong = [f"{e.how}: {e.said}" for e in tried if let_in in e.said]
    # Neither let in nor refused: it was not reached, say.
    missing += [
        f"{e.how}: {e.said or 'no answer'}"
        for e in tried
        if not any(word in e.said for word in (let_in, *refused))
    ]
    missing += [
        f"refused with the right one, too: {e.said}"
        for e in seen
        if e.how == "right" and let_in not in e.said
    ]
    told = "; ".join(f"{e.how}: {e.said}" for e in tried)
    return judged(told or "no login was tried", wrong=wrong, missing=missing)


@exercise.check(
    "nothing-else-published",
    phases=SECURITY,
    title="Database, cache and broker are not reachable from outside",
    expected=f"no node listens on {', '.join(map(str, CLOSED))}",
    hint="`docker service ls`: PORTS. A published port is open on every node.",
)
def nothing_else_published(record: Record) -> Judgement:
    """Dialled from outside the cluster. The shop's own port shows that a node can be reached."""
    dialled = each(record, Dialled)
    seen = [e for e in dialled if e.port != PORT]
    wanted = {f"{node}:{port}" for node in members_of(record) for port in CLOSED}
    missing = not_each((f"{e.node}:{e.port}" for e in seen), wanted, "dialled")
    # A record of before has no such control.
    if reached := {e.node: e.open for e in dialled if e.port == PORT}:
        there = (node for node, is_open in reached.items() if is_open)
        missing += not_each(there, members_of(record), f"found port {PORT} open on")
    wrong = [f"{e.node}:{e.port} is open" for e in seen if e.open]
    return judged(f"{len(seen)} ports dialled", wrong=wrong, missing=missing)


@exercise.check(
    "forged-tokens-refused",
    phases=SECURITY,
    title="A token that is forged, changed, expired or for another service is refused",
    expected="401 from both services that check tokens; 200 for a valid token made the same way",
    hint="Which algorithms does the library accept, and does it check exp, aud and iss?",
)
def forged_tokens_refused(record: Record) -> Judgement:
    """The valid token shows that the others are refused for their defect alone."""
    seen = each(record, Token)
    wanted = [f"{what} at {path}" for what in (*FORGED, "good") for path in PATHS]
    missing = not_each((f"{e.what} at {e.path}" for e in seen), wanted, "sent a token that is")
    wrong = [
        f"{e.what}: {e.status} at {e.path}" for e in seen if e.what != "good" and e.status != 401
    ]
    missing += [
        f"a valid token is refused, too: {e.status} at {e.path}"
        for e in seen
        if e.what == "good" and e.status != 200
    ]
    return judged(f"{len(seen)} tries", wrong=wrong, missing=missing)


@exercise.check(
    "backend-encrypted",
    phases=SECURITY,
    title="Traffic of the backend network between two nodes is encrypted",
    expected="there are ESP packets; a query's word is in no packet, an unencrypted page's word is",
    hint="`docker network inspect`: does the network have the option `encrypted`? Does ESP pass?",
)
def backend_encrypted(record: Record) -> Judgement:
    """Captured on the node that sends queries; the page's word shows that the capture works."""
    seen = need(record, Wire, "no packets were captured")
    if seen.packets is None or seen.esp is None or seen.queries is None:
        return unknown(str(seen.why))
    told = f"{seen.packets} packets, {seen.esp} of ESP; the query's word in {seen.kept}"
    missing = []
    if seen.queries < LEAST_QUERIES or seen.esp < LEAST_ESP:
        missing.append(
            f"queries were sent {seen.queries} times: too few, or too few packets of ESP"
        )
    if not seen.open:
        missing.append("the capture missed the page's word, too")
    if None in (seen.node, seen.database) or seen.node == seen.database:
        missing.append("the database runs on that node")
    return judged(told, holds=seen.kept == 0, missing=missing)


# -- bad input -----------------------------------------------------------------------------------

REFUSED: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        (
            "no JSON",
            "a list",
            "no items",
            "items of another form",
            "a quantity of none",
            "a negative quantity",
            "a huge quantity",
            "a quantity beyond any number",
            "half a piece",
            "a quantity in words",
            "no quantity",
            "a product that is not there",
            "a product of words",
            "51 items",
            "no key",
            "a long key",
            "an injected key",
            "no address",
            "an injected address",
            "a short password",
            "no name",
        ),
        (400, 422),
    ),
    "70 kB": (413,),
    "nobody": (401,),
    "a stranger": (401,),
    "another's order": (404,),
    "a taken address": (409,),
}
"""Case → the statuses that are right for it."""


@exercise.check(
    "refused-clearly",
    phases=BAD_INPUT,
    title="Invalid orders and accounts are refused with a reason",
    expected=f"{len(REFUSED)} cases, each answered with its 4xx, a code and a sentence",
    hint="Which service answered, and what does its log say?",
)
def refused_clearly(record: Record) -> Judgement:
    """Wrong, huge, negative, unauthenticated, injected."""
    seen = each(record, Refused)
    wrong = [
        f"{e.case}: {e.status or e.error}" for e in seen if e.status not in REFUSED.get(e.case, ())
    ]
    wrong += [f"{e.case}: no code or sentence" for e in seen if not e.clear]
    missing = not_each((e.case for e in seen), REFUSED, "tried")
    return judged(f"{len(seen)} refused", wrong=wrong, missing=missing)


@exercise.check(
    "nothing-stored",
    phases=BAD_INPUT,
    title="No invalid input is stored",
    expected="as many orders, items and accounts after all cases as before",
    hint="Which table has grown? Is all of an order one transaction?",
)
def nothing_stored(record: Record) -> Judgement:
    """Counted in the database itself."""
    kept = need(record, Kept, "the rows were not counted")
    before, after = list(kept.before), list(kept.after)
    tried = {e.case for e in each(record, Refused) if e.t < kept.t}
    told = f"{before} before, {after} after"
    good = before == after and len(before) == 3
    return judged(told, holds=good, missing=not_each(tried, REFUSED, "tried, before the count,"))


@exercise.check(
    "one-key-one-order",
    phases=BAD_INPUT,
    title="Copies of an order sent at once are stored once, and its key fits no other order",
    expected="one row, one id in every answer, one 201; then 409 for another order with that key",
    hint="Is the key unique in the table, and is a conflict answered with the stored order?",
)
def one_key_one_order(record: Record) -> Judgement:
    """As a client repeats a request after a lost answer."""
    seen = need(record, AtOnce, "it was not tried")
    statuses = [status for status, _ in seen.answers]
    ids = {id_ for _, id_ in seen.answers}
    told = f"{statuses.count(201)} of {len(statuses)} 201, {len(ids)} ids, {seen.rows} rows"
    told += f"; then {seen.other} {seen.code}"
    good = statuses.count(201) == 1 and set(statuses) == {200, 201} and len(ids) == 1 and all(ids)
    again = seen.other == 409 and seen.code == "key_reused"
    return judged(told, holds=good and seen.rows == 1 and again)


@exercise.check(
    "not-kept-not-acknowledged",
    phases=BAD_INPUT,
    title="An order that the database can't store is refused, and succeeds later",
    expected="503 and no row while the database is read-only; one row after another try",
    hint="Is the answer given before COMMIT?",
)
def not_kept_not_acknowledged(record: Record) -> Judgement:
    """A read-only database, as when its disk is gone."""
    seen = need(record, ReadOnly, "it was not tried")
    told = f"{seen.status} {seen.error}, {seen.rows} rows; {seen.afterwards} afterwards"
    good = seen.status == 503 and seen.rows == 0 and seen.afterwards == 1
    # None: a record of before has no such lines.
    missing = ["no line of the database's log refuses a write"] if seen.said == 0 else []
    return judged(told, holds=good, missing=missing)


@exercise.check(
    "broker-full-kept",
    phases=BAD_INPUT,
    title="Orders are stored while the broker takes no message, and processed afterwards",
    expected=f"at least {LEAST_KEPT} orders; none is processed meanwhile, each once afterwards",
    hint="Is the outbox written with the order? `rabbitmqctl list_connections state`: blocked?",
)
def broker_full_kept(record: Record) -> Judgement:
    """A broker with a full disk blocks its publishers."""
    seen = need(record, BrokerFull, "it was not tried")
    if not (seen.refuses and seen.takes):
        return unknown("RabbitMQ's limit of free disk space was not raised, or not restored")
    told = set(seen.acknowledged)
    before, after = dict(seen.meanwhile), dict(seen.afterwards)
    done = sum(before.values())
    once = sum(after.get(id_) == 1 for id_ in told)
    words = f"{len(told)} acknowledged, {done} processed meanwhile, {once} once afterwards"
    missing = []
    if len(told) < LEAST_KEPT:
        missing.append(f"only {len(told)} were acknowledged")
    # None: a record of before does not tell it.
    if seen.held_s is not None and seen.held_s < LEAST_HELD_S:
        missing.append(f"the processed ones were counted after {seen.held_s:.1f} s, too soon")
    good = told == set(before) == set(after) and done == 0 and once == len(told)
    return judged(words, holds=good, missing=missing)


_declare_looks()
_declare_knocks()
