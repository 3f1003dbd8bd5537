"""Exercise 2.10's own kinds of event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen

EXERCISE = "2.10"

Processed = Annotated[tuple[tuple[str, int], ...], "order, and how often it was processed"]
Moment = Annotated[float, "seconds since the run began"]
Counts = Annotated[tuple[int, ...], "orders, their items, accounts"]


# -- deployed --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Begun(Seen, kind="begun", of=EXERCISE):
    """The preparation begins."""


@dataclass(frozen=True)
class Ready(Seen, kind="ready", of=EXERCISE):
    """Everything runs, and serves through every node."""

    services: int


@dataclass(frozen=True)
class Health(Seen, kind="health", of=EXERCISE):
    """A container's health, by its engine."""

    node: str
    service: str
    container: str
    health: str


@dataclass(frozen=True)
class Memory(Seen, kind="memory", of=EXERCISE):
    """A node's memory in use, without caches."""

    node: str
    used_mib: int


@dataclass(frozen=True)
class Ordered(Seen, kind="ordered", of=EXERCISE):
    """The first order was acknowledged."""

    order: str


@dataclass(frozen=True)
class Followed(Seen, kind="followed", of=EXERCISE):
    """That order's status, as one node answers."""

    node: str
    order: str
    status: str


# -- visited ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Browser(Seen, kind="browser", of=EXERCISE):
    """The visitors' browser, or why there is none."""

    version: str
    lack: Annotated[str | None, "why there is none"] = None


@dataclass(frozen=True)
class VisitStep(Seen, kind="visit-step", of=EXERCISE):
    """A visitor's step on the page, done or failed."""

    node: Annotated[str, "the node that the visitor asks"]
    name: Annotated[str, "open, sign up, log in, browse, basket, order, see, processed"]
    began: Moment
    seconds: Annotated[float, "seconds"]
    error: Annotated[str | None, "why the step failed"] = None
    picture: Annotated[str | None, "its picture's title"] = None


@dataclass(frozen=True)
class PageTrouble(Seen, kind="page-trouble", of=EXERCISE):
    """An error that a page reported."""

    node: str
    what: Annotated[str, "console, exception, request, answer"]
    said: str


@dataclass(frozen=True)
class VisitOrder(Seen, kind="visit-order", of=EXERCISE):
    """An order was acknowledged to a visitor."""

    node: str
    order: Annotated[str, "its id"]


@dataclass(frozen=True)
class OrdersShown(Seen, kind="orders-shown", of=EXERCISE):
    """The orders on a visitor's page of orders."""

    node: str
    orders: Annotated[tuple[str, ...], "ids"]


@dataclass(frozen=True)
class VisitorsBooks(Seen, kind="visitors-books", of=EXERCISE):
    """The visitors' orders in the database, once all are processed."""

    orders: Processed


# -- struck ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _What(Seen):
    what: Annotated[str, "a service whose task is killed, or the phase"]


@dataclass(frozen=True)
class Struck(_What, kind="struck", of=EXERCISE):
    """The next step is a fault or a change: a task is killed, a node is lost, a database moves."""

    id: str | None = None
    slot: int | None = None
    node: str | None = None
    container: str | None = None
    old: Annotated[str | None, "the node that it leaves"] = None
    new: Annotated[str | None, "the node that it moves to"] = None


class Recovered(_What, kind="recovered", of=EXERCISE):
    """Everything serves again, and each customer's next order is acknowledged."""


@dataclass(frozen=True)
class Replaced(_What, kind="replaced", of=EXERCISE):
    """A killed task is replaced."""

    old: Annotated[str, "the killed task's id"]
    new: Annotated[str, "the new task's id"]


class Away(_What, kind="away", of=EXERCISE):
    """The service has no task left."""


class Returning(_What, kind="returning", of=EXERCISE):
    """The next step scales the service up again."""


@dataclass(frozen=True)
class Waiting(_What, kind="waiting", of=EXERCISE):
    """How many orders wait for a worker."""

    orders: int


@dataclass(frozen=True)
class RolledBack(Seen, kind="rolled-back", of=EXERCISE):
    """The end of the failing update."""

    state: str
    same: Annotated[bool, "whether the service has its earlier command again"]
    differs: Annotated[
        tuple[str, ...] | None,
        "fields of the container's definition that are not as before; earlier records lack it",
    ] = None


# -- counted ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Consumed(Seen, kind="consumed", of=EXERCISE):
    """The orders of a phase, once all are processed."""

    mark: Annotated[str, "the prefix of their keys"]
    orders: Processed


@dataclass(frozen=True)
class Acknowledged(Seen, kind="acknowledged", of=EXERCISE):
    """All ids that customers got so far."""

    orders: tuple[str, ...]
    accounts: tuple[str, ...]


@dataclass(frozen=True)
class Stored(Seen, kind="stored", of=EXERCISE):
    """Orders and accounts in the database."""

    when: str
    orders: Processed
    keys: Annotated[int, "distinct keys of orders"]
    unasked: Annotated[int, "orders whose keys no customer sent"]
    accounts: tuple[str, ...]
    damaged: Annotated[Mapping[str, int], "inconsistency → rows with it"]


@dataclass(frozen=True)
class Removed(Seen, kind="removed", of=EXERCISE):
    """Services and containers that are left after the stack's removal."""

    services: int
    containers: int


@dataclass(frozen=True)
class Back(Seen, kind="back", of=EXERCISE):
    """The stack was deployed again, and everything serves."""


@dataclass(frozen=True)
class Known(Seen, kind="known", of=EXERCISE):
    """Whether a customer's login leads to the same account."""

    customer: int
    known: bool


# -- security --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Environment(Seen, kind="environment", of=EXERCISE):
    """A service's environment in its definition."""

    service: str
    env: tuple[str, ...]
    shows: Annotated[tuple[str, ...], "secrets whose values it has"]


@dataclass(frozen=True)
class LookedInto(Seen, kind="looked", of=EXERCISE):
    """Secrets that a container's definition and log show."""

    node: str
    service: str
    container: str
    lines: Annotated[int, "of its log"]
    defined: Annotated[tuple[str, ...], "secrets whose values its definition has"]
    logged: Annotated[tuple[str, ...], "secrets whose values its log has"]


@dataclass(frozen=True)
class Knocked(Seen, kind="knocked", of=EXERCISE):
    """A service's answer to a login."""

    at: str
    how: Annotated[str, "the password: without, wrong, right"]
    said: str


@dataclass(frozen=True)
class Dialled(Seen, kind="dialled", of=EXERCISE):
    """Whether a node's port is open."""

    node: str
    port: int
    open: bool


@dataclass(frozen=True)
class Token(Seen, kind="token", of=EXERCISE):
    """The answer to a token."""

    what: Annotated[str, "its defect, or good"]
    path: str
    status: int


@dataclass(frozen=True)
class Wire(Seen, kind="wire", of=EXERCISE):
    """Packets captured on a node that sent queries and page requests, or why there are none."""

    why: str | None = None
    node: str | None = None
    database: Annotated[str | None, "the database's node"] = None
    packets: int | None = None
    esp: int | None = None
    vxlan: Annotated[int | None, "unencrypted packets of an overlay network"] = None
    kept: Annotated[int | None, "packets with a query's word in clear"] = None
    open: Annotated[int | None, "packets with a page's word in clear"] = None
    queries: Annotated[int | None, "batches of 20 queries"] = None
    pages: Annotated[int | None, "requested pages"] = None


# -- bad input -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refused(Seen, kind="refused", of=EXERCISE):
    """The answer to an invalid order or account."""

    case: str
    status: Annotated[int | None, "null: no answer"]
    error: Annotated[str, "the shop's error code, or why there is no answer"]
    clear: Annotated[bool | None, "whether the answer has a code and a sentence"] = None


@dataclass(frozen=True)
class Kept(Seen, kind="kept", of=EXERCISE):
    """Rows in the database before and after invalid input."""

    when: str
    before: Counts
    after: Counts


@dataclass(frozen=True)
class AtOnce(Seen, kind="at-once", of=EXERCISE):
    """Copies of an order sent at once, then another order with the same key."""

    answers: Annotated[tuple[tuple[int, str], ...], "status (0: none) and order"]
    rows: Annotated[int, "orders with that key"]
    other: Annotated[int, "status for the other order"]
    code: Annotated[str, "the other order's error code"]


@dataclass(frozen=True)
class ReadOnly(Seen, kind="read-only", of=EXERCISE):
    """An order while the database is read-only, and the same order afterwards."""

    status: int
    error: str
    rows: int
    afterwards: Annotated[int, "rows after it was sent again"]
    said: Annotated[int | None, "new lines of the database's log that refuse a write"] = None


@dataclass(frozen=True)
class BrokerFull(Seen, kind="broker-full", of=EXERCISE):
    """Orders while the broker accepts no message."""

    refuses: Annotated[bool, "whether rabbitmqctl raised the limit of free disk space"]
    takes: Annotated[bool, "whether rabbitmqctl restored that limit"]
    acknowledged: tuple[str, ...]
    meanwhile: Processed
    afterwards: Processed
    held_s: Annotated[float | None, "seconds from the last of them until `meanwhile`"] = None


# -- load, and the lab's own file ------------------------------------------------------------------


@dataclass(frozen=True)
class Step(Seen, kind="step", of=EXERCISE):
    """One step of the load, with its number of visitors."""

    visitors: int
    began: Moment
    ended: Moment


@dataclass(frozen=True)
class Deployed(Seen, kind="deployed", of=EXERCISE):
    """The lab's file was deployed."""


@dataclass(frozen=True)
class Ended(Seen, kind="ended", of=EXERCISE):
    """A task of the lab's file has failed."""

    service: str
    state: str
    exit_code: int | None
    said: Annotated[str, "the end of its log"]


@dataclass(frozen=True)
class Visited(Seen, kind="visited", of=EXERCISE):
    """The answer at a port of the lab's file."""

    node: str
    port: int
    status: int | None
    error: str | None
