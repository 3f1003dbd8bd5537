"""What exercise 2.10 notes of visits in a browser: its own kinds of event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen
from pytest_swarmlab.evidence.events.kind import Moment, Seconds

EXERCISE = "2.10"


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
    seconds: Seconds
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
    """What the database has of the visitors' orders, once no worker has to do with them."""

    orders: Annotated[Mapping[str, int], "id → how often it has been processed"]
