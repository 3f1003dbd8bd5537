"""What exercise 2.10 notes: its own kinds of event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen

EXERCISE = "2.10"

Processed = Annotated[
    tuple[tuple[str, int], ...], "each an order and how often it has been processed"
]
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
    """What an engine says of a container's health."""

    node: str
    service: str
    container: str
    health: str


@dataclass(frozen=True)
class Memory(Seen, kind="memory", of=EXERCISE):
    """A node's memory in use, caches left out."""

    node: str
    used_mib: int


@dataclass(frozen=True)
class Ordered(Seen, kind="ordered", of=EXERCISE):
    """A first order was acknowledged."""

    order: str


@dataclass(frozen=True)
class Followed(Seen, kind="followed", of=EXERCISE):
    """How far that order is, asked through a node."""

    node: str
    order: str
    status: str


# -- visited ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Browser(Seen, kind="browser", of=EXERCISE):
    """Which browser visits, or why none does."""

    version: str
    lack: Annotated[str | None, "why there is none"] = None


@dataclass(frozen=True)
class VisitStep(Seen, kind="visit-step", of=EXERCISE):
    """A visitor has done something in the page, or could not."""

    node: Annotated[str, "through which he came"]
    name: Annotated[str, "open, sign up, log in, browse, basket, order, see, processed"]
    began: Moment
    seconds: Annotated[float, "seconds"]
    error: Annotated[str | None, "why he could not"] = None
    picture: Annotated[str | None, "title of the picture of it"] = None


@dataclass(frozen=True)
class PageTrouble(Seen, kind="page-trouble", of=EXERCISE):
    """Something that a page complained of."""

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
    """What a visitor sees on the page of his orders."""

    node: str
    orders: Annotated[tuple[str, ...], "ids"]


@dataclass(frozen=True)
class VisitorsBooks(Seen, kind="visitors-books", of=EXERCISE):
    """The database's own word on the visitors' orders, when all have been processed."""

    orders: Processed


# -- struck ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _What(Seen):
    what: Annotated[str, "a service whose task is killed, or the phase"]


@dataclass(frozen=True)
class Struck(_What, kind="struck", of=EXERCISE):
    """Something is struck next: a task that is killed, a node, a database that is moved."""

    id: str | None = None
    slot: int | None = None
    node: str | None = None
    container: str | None = None
    old: Annotated[str | None, "the node on which it ran"] = None
    new: Annotated[str | None, "the node to which it is sent"] = None


class Recovered(_What, kind="recovered", of=EXERCISE):
    """Everything serves again, and each customer is served."""


@dataclass(frozen=True)
class Replaced(_What, kind="replaced", of=EXERCISE):
    """A killed task has a successor."""

    old: Annotated[str, "the killed task's id"]
    new: Annotated[str, "its successor's"]


class Away(_What, kind="away", of=EXERCISE):
    """No task of it is left."""


class Returning(_What, kind="returning", of=EXERCISE):
    """It is scaled up again next."""


@dataclass(frozen=True)
class Waiting(_What, kind="waiting", of=EXERCISE):
    """How many orders no worker has done with."""

    orders: int


@dataclass(frozen=True)
class RolledBack(Seen, kind="rolled-back", of=EXERCISE):
    """What became of the bad update."""

    state: str
    same: Annotated[bool, "whether the command is that of before"]


# -- counted ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Consumed(Seen, kind="consumed", of=EXERCISE):
    """The orders of a phase, when all of them have been processed."""

    mark: Annotated[str, "what their keys begin with"]
    orders: Processed


@dataclass(frozen=True)
class Acknowledged(Seen, kind="acknowledged", of=EXERCISE):
    """All ids that customers were told so far."""

    orders: tuple[str, ...]
    accounts: tuple[str, ...]


@dataclass(frozen=True)
class Stored(Seen, kind="stored", of=EXERCISE):
    """What stands in the database."""

    when: str
    orders: Processed
    keys: Annotated[int, "different keys of orders"]
    unasked: Annotated[int, "orders whose keys nobody sent"]
    accounts: tuple[str, ...]
    damaged: Annotated[Mapping[str, int], "what does not stand together → how many"]


@dataclass(frozen=True)
class Removed(Seen, kind="removed", of=EXERCISE):
    """What is left of the stack once it is removed."""

    services: int
    containers: int


@dataclass(frozen=True)
class Back(Seen, kind="back", of=EXERCISE):
    """The stack was deployed again, and everything serves."""


@dataclass(frozen=True)
class Known(Seen, kind="known", of=EXERCISE):
    """Whether a customer logs in as who he was."""

    customer: int
    known: bool


# -- security --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Environment(Seen, kind="environment", of=EXERCISE):
    """What a service's definition says."""

    service: str
    env: tuple[str, ...]
    shows: Annotated[tuple[str, ...], "secrets whose values stand in it"]


@dataclass(frozen=True)
class LookedInto(Seen, kind="looked", of=EXERCISE):
    """What a container's definition and log show."""

    node: str
    service: str
    container: str
    lines: Annotated[int, "of its log"]
    defined: Annotated[tuple[str, ...], "secrets whose values stand in its definition"]
    logged: Annotated[tuple[str, ...], "secrets whose values stand in its log"]


@dataclass(frozen=True)
class Knocked(Seen, kind="knocked", of=EXERCISE):
    """What a service said to somebody who wanted to get in."""

    at: str
    how: Annotated[str, "with which password: without, wrong, right"]
    said: str


@dataclass(frozen=True)
class Dialled(Seen, kind="dialled", of=EXERCISE):
    """Whether somebody listens at a node's port."""

    node: str
    port: int
    open: bool


@dataclass(frozen=True)
class Token(Seen, kind="token", of=EXERCISE):
    """How a token was answered."""

    what: Annotated[str, "what is wrong with it, or good"]
    path: str
    status: int


@dataclass(frozen=True)
class Wire(Seen, kind="wire", of=EXERCISE):
    """Packets on a node's wire while it sent queries and asked for pages, or why nobody watched."""

    why: str | None = None
    node: str | None = None
    database: Annotated[str | None, "the node on which it runs"] = None
    packets: int | None = None
    esp: int | None = None
    vxlan: Annotated[int | None, "not encrypted"] = None
    kept: Annotated[int | None, "with a query's word in clear"] = None
    open: Annotated[int | None, "with a page's word in clear"] = None
    queries: Annotated[int | None, "how often 20 were sent"] = None
    pages: Annotated[int | None, "asked for"] = None


# -- bad input -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refused(Seen, kind="refused", of=EXERCISE):
    """How an order or account was answered that can't be."""

    case: str
    status: Annotated[int | None, "null: no answer"]
    error: Annotated[str, "the code that the shop gave, or why there is no answer"]
    clear: Annotated[bool | None, "whether it came with a code and a sentence"] = None


@dataclass(frozen=True)
class Kept(Seen, kind="kept", of=EXERCISE):
    """What stands in the database before and after bad input."""

    when: str
    before: Counts
    after: Counts


@dataclass(frozen=True)
class AtOnce(Seen, kind="at-once", of=EXERCISE):
    """The same order was sent many times at the same time, then another with its key."""

    answers: Annotated[tuple[tuple[int, str], ...], "status (0: none) and order"]
    rows: Annotated[int, "orders with that key"]
    other: Annotated[int, "status for the other order"]
    code: Annotated[str, "the code that it was refused with"]


@dataclass(frozen=True)
class ReadOnly(Seen, kind="read-only", of=EXERCISE):
    """An order while the database takes no writes, and the same one afterwards."""

    status: int
    error: str
    rows: int
    afterwards: Annotated[int, "rows when it was sent again"]


@dataclass(frozen=True)
class BrokerFull(Seen, kind="broker-full", of=EXERCISE):
    """Orders while the broker takes no message."""

    refuses: Annotated[bool, "whether it heard that it has no room"]
    takes: Annotated[bool, "whether it heard that it has room again"]
    acknowledged: tuple[str, ...]
    meanwhile: Processed
    afterwards: Processed


# -- load, and the lab's own file ------------------------------------------------------------------


@dataclass(frozen=True)
class Step(Seen, kind="step", of=EXERCISE):
    """So many visitors came at once."""

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
    """What a visitor of the lab's file got."""

    node: str
    port: int
    status: int | None
    error: str | None
