"""A customer of the shop: what a browser does, over HTTP, through any node.

Whatever the shop answers is text of a stranger: bounded in time and size, and taken for what it
should be only after a look at its form. Every request is recorded, as those of a probe are.
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from pytest_swarmlab.clients.ledger import not_acknowledged
from pytest_swarmlab.clients.probe import reason, session
from pytest_swarmlab.evidence.events import Request
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.waiting.conditions import brief
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, fatal, pending

from .. import answered
from ..answered import Refused
from .setting import PORT

ASK_S = 5.0
"""Longest that a customer waits for one answer."""

CONNECT_S = 3.0
"""Longest that a customer waits for a connection: to a lost replica there is none. If all customers
wait for one at a time, the next order is acknowledged within `TAKEN_OVER_S` all the same."""

LARGEST = 1 << 20
"""Bytes of an answer, at most."""

RETRY_S = 0.5
"""Between an order without an answer and the same order again."""

ORDER_S = 90.0
"""How long a customer goes on asking for one order."""

FIRST_S = 60.0
"""Longest until a customer is known who signs up while nothing is broken."""

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NOT_NOW = frozenset({408, 425, 429})
"""Statuses below 500 that say: ask again."""


@dataclass(frozen=True)
class Answer:
    """An answer's status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self, *statuses: int) -> dict[str, Any]:
        """The body, an object of JSON. Raises Refused for another status or another form."""
        if self.status not in statuses:
            raise Refused(f"status {self.status}{self._code}")
        found = self._parsed
        if not isinstance(found, dict):
            raise Refused(f"status {self.status} without an object of JSON")
        return found

    @property
    def _parsed(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def error(self) -> str:
        """The code of an error, as the shop names it; empty where it names none."""
        found = self._parsed
        code = found.get("error") if isinstance(found, dict) else None
        return code[:40] if isinstance(code, str) else ""

    @property
    def clear(self) -> bool:
        """Whether a refusal has a code and a sentence."""
        found = self._parsed
        return isinstance(found, dict) and bool(found.get("error")) and bool(found.get("message"))

    @property
    def _code(self) -> str:
        return f", {self.error}" if self.error else ""


class Shop:
    """The shop, asked through any node: every request on a connection of its own."""

    def __init__(self, nodes: Sequence[Node], recorder: Recorder) -> None:
        self.nodes = list(nodes)
        self._recorder = recorder
        self._own = threading.local()
        self._clients: list[requests.Session] = []
        self.password = secrets.token_urlsafe(18)
        """All customers have the same."""
        recorder.redactor.hide("the customers' password", self.password)

    def close(self) -> None:
        """Forget the connections."""
        for client in self._clients:
            client.close()

    @property
    def _client(self) -> requests.Session:
        """Sessions are not for several threads."""
        if not hasattr(self._own, "client"):
            self._own.client = session(self.nodes, connect_s=CONNECT_S)
            self._clients.append(self._own.client)
        client: requests.Session = self._own.client
        return client

    def ask(
        self,
        node: Node,
        path: str,
        *,
        method: str = "GET",
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        within: float = ASK_S,
    ) -> Answer:
        """One request; recorded. Raises what a failed request raises, or Refused."""
        sent = self._recorder.now()
        status, error = None, None
        more = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"http://{node.name}:{PORT}{path}"
        try:
            answer = self._answer(method, url, {**more, **(headers or {})}, body, within)
            status = answer.status
            return answer
        except (requests.RequestException, OSError) as problem:
            error = reason(problem)
            raise
        except Refused as problem:
            error = str(problem)
            raise
        finally:
            seconds = self._recorder.now() - sent
            self._recorder.write(
                Request(round(sent, 4), round(seconds, 4), node.name, status, error, url, PORT)
            )

    def _answer(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, within: float
    ) -> Answer:
        began = time.monotonic()
        with self._client.request(
            method,
            url,
            headers=dict(headers),
            data=body,
            timeout=within,
            allow_redirects=False,
            stream=True,
        ) as response:
            content = answered.body(response, began=began, within=within, most=LARGEST)
            return Answer(response.status_code, dict(response.headers), content)

    def _send(self, node: Node, path: str, what: object, **how: Any) -> Answer:
        headers = {"Content-Type": "application/json", **how.pop("headers", {})}
        raw = json.dumps(what).encode()
        return self.ask(node, path, method="POST", headers=headers, body=raw, **how)

    def sign_up(self, node: Node, email: str) -> str:
        """Open an account; returns its id."""
        what = {"email": email, "password": self.password, "name": email.partition("@")[0]}
        return _id(self._send(node, "/api/users", what).json(201))

    def log_in(self, node: Node, email: str) -> str:
        """Returns the token, which is recorded nowhere."""
        what = {"email": email, "password": self.password}
        token = self._send(node, "/api/sessions", what).json(200).get("token")
        if not isinstance(token, str) or token.count(".") != 2:
            raise Refused("the login gave no token")
        return token

    def who_am_i(self, node: Node, token: str) -> str:
        """The id of the account that a token is of."""
        return _id(self.ask(node, "/api/me", token=token).json(200))

    def products(self, node: Node) -> list[dict[str, Any]]:
        """The catalogue's first products."""
        found = self.ask(node, "/api/products?limit=12").json(200).get("products")
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise Refused("no list of products")
        return found

    def order(
        self,
        node: Node,
        token: str,
        key: str,
        items: list[dict[str, int]],
        *,
        within: float = ASK_S,
    ) -> Answer:
        """Ask for an order once."""
        headers = {"Idempotency-Key": key}
        return self._send(
            node, "/api/orders", {"items": items}, token=token, headers=headers, within=within
        )

    def placed(self, node: Node, token: str, key: str, items: list[dict[str, int]]) -> str:
        """Ask for an order once; returns its id. Raises Refused when it was not acknowledged."""
        return _id(self.order(node, token, key, items).json(200, 201))

    def now(self) -> float:
        """This moment, in seconds of the run."""
        return self._recorder.now()

    def status_of(self, node: Node, token: str, order: str) -> str:
        """How far an order is: accepted, or processed."""
        found = self.ask(node, f"/api/orders/{order}", token=token).json(200)
        if found.get("id") != order:
            raise Refused("it is another order")
        return str(found.get("status"))[:40]


class Customer:
    """Somebody with an account, who orders one thing after the other."""

    def __init__(self, shop: Shop, via: Sequence[Node], email: str) -> None:
        """Signs up and logs in, or raises NotConverged."""
        self.shop = shop
        self.email = email
        self.via(via)
        welcome = Welcomed(shop, self._turns, email)
        self.id, self.token = Waiter(every=RETRY_S)(welcome, within=FIRST_S)

    def via(self, nodes: Sequence[Node]) -> None:
        """From now on ask through these nodes, in turn."""
        self._turns = itertools.cycle(nodes)

    def place(self, key: str, items: list[dict[str, int]]) -> str:
        """Order, and ask again with the same key until there is an answer; returns the order's id.

        Raises NotConverged when it was refused, or not acknowledged in time.
        """
        placed = Placed(self.shop, self._turns, self.token, key, items)
        return Waiter(every=RETRY_S)(placed, within=ORDER_S)


class Welcomed:
    """Somebody has signed up and logged in; finds id and token."""

    node = None

    def __init__(self, shop: Shop, turns: Iterator[Node], email: str) -> None:
        self._shop = shop
        self._turns = turns
        self._email = email
        self._id: str | None = None
        self.name = f"{email} is known to the shop"

    def __call__(self) -> Done[tuple[str, str]] | Pending | Fatal:
        """Try once."""
        node = next(self._turns)
        try:
            self._id = self._id or self._shop.sign_up(node, self._email)
            return done((self._id, self._shop.log_in(node, self._email)))
        except not_acknowledged() as error:
            return pending(f"{node.name}: {brief(error)}")


class Placed:
    """An order was acknowledged; finds its id. Each look asks again, with the same key."""

    node = None

    def __init__(
        self,
        shop: Shop,
        turns: Iterator[Node],
        token: str,
        key: str,
        items: list[dict[str, int]],
    ) -> None:
        self._shop = shop
        self._turns = turns
        self._token = token
        self._key = key
        self._items = items
        self.name = f"the order {key} is acknowledged"

    def __call__(self) -> Done[str] | Pending | Fatal:
        """Ask once."""
        node = next(self._turns)
        try:
            answer = self._shop.order(node, self._token, self._key, self._items)
            if answer.status < 500 and answer.status not in (200, 201, *NOT_NOW):
                return fatal(f"{node.name}: status {answer.status}, {answer.error}")
            return done(_id(answer.json(200, 201)))
        except not_acknowledged() as error:
            return pending(f"{node.name}: {brief(error)}")


def _id(found: Mapping[str, Any]) -> str:
    id_ = found.get("id")
    if not isinstance(id_, str) or not ID.fullmatch(id_):
        raise Refused("no id")
    return id_
