"""A customer asks again with the same key, believes no stranger, and shows no secret."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from pytest_swarmlab.clients.ledger import Ledger, not_acknowledged
from pytest_swarmlab.clients.probe import Traffic
from pytest_swarmlab.errors import NotConverged
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.waiting.waiter import Waiter
from tests.exercises.answered import Refused
from tests.exercises.exercise_2_10 import client, load, perform
from tests.exercises.exercise_2_10.books import Books, Unread
from tests.exercises.exercise_2_10.client import Customer, Shop
from tests.exercises.exercise_2_10.load import Crowd
from tests.exercises.exercise_2_10.setting import CUSTOMERS, DATABASE, LEDGERS
from tests.unit.fakes import Lab, task

TOKEN = "head.body.signature"  # noqa: S105 - nobody's
PRODUCTS = [{"id": number, "price_cents": 100} for number in range(1, 13)]


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


class Pretended(ThreadingHTTPServer):
    """A shop that keeps what it takes. `failing`: how many of the next orders get no answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.orders: dict[str, str] = {}
        self.users: dict[str, str] = {}
        self.failing = 0
        self.reply: Callable[[str, str], tuple[int, Any] | None] = lambda *_: None

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        if (told := self.reply(method, path)) is not None:
            return told
        if path == "/api/users":
            email = json.loads(body)["email"]
            self.users[email] = uuid(1000 + len(self.users))
            return 201, {"id": self.users[email], "email": email}
        if path == "/api/sessions":
            return 200, {"token": TOKEN}
        if path == "/api/me":
            return 200, {"id": uuid(1000)}
        if path == "/api/products":
            return 200, {"products": PRODUCTS}
        if path == "/api/orders":
            key = headers["Idempotency-Key"]
            new = key not in self.orders
            self.orders.setdefault(key, uuid(len(self.orders)))
            if self.failing:
                self.failing -= 1
                return 503, {"error": "unavailable"}
            return 201 if new else 200, {"id": self.orders[key], "status": "accepted"}
        return 200, {}


class Handler(BaseHTTPRequestHandler):
    server: Pretended

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, headers = urlsplit(self.path).path, dict(self.headers)
        self.server.asked.append((self.command, self.path, headers, body))
        status, answer = self.server.answer(self.command, path, headers, body)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    do_POST = do_GET  # noqa: N815 - its name there

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RETRY_S", 0.01)


@pytest.fixture
def web(lab: Lab) -> Iterator[Pretended]:
    with Pretended() as server, lab.published(server):
        yield server


@pytest.fixture
def shop(lab: Lab, web: Pretended) -> Iterator[Shop]:
    del web
    reached = Shop(lab.swarm.nodes, lab.recorder)
    yield reached
    reached.close()


@pytest.fixture
def customer(lab: Lab, shop: Shop) -> Customer:
    return Customer(shop, lab.swarm.nodes, "somebody@example.org")


def test_an_order_without_an_answer_is_asked_for_again_with_its_key_through_the_next_node(
    lab: Lab, web: Pretended, customer: Customer
) -> None:
    web.failing = 2
    order = customer.place("key-1", [{"product_id": 1, "quantity": 2}])
    assert order == uuid(0)
    asked = [r for r in readings.requests(lab.recorder.view()) if r.url.endswith("/api/orders")]
    assert [r.status for r in asked] == [503, 503, 200]
    assert len({r.node for r in asked}) == 3
    assert {a[2]["Idempotency-Key"] for a in web.asked if a[1] == "/api/orders"} == {"key-1"}
    assert len(web.orders) == 1


@pytest.mark.parametrize("status", [401, 409, 413, 422])
def test_an_order_that_is_refused_is_not_asked_for_again(
    web: Pretended, customer: Customer, status: int
) -> None:
    web.reply = lambda _, path: (status, {"error": "no"}) if path == "/api/orders" else None
    with pytest.raises(NotConverged, match=f"status {status}, no"):
        customer.place("key-1", [])
    assert sum(path == "/api/orders" for _, path, _, _ in web.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [b"<html>", b"[]", b"{}", b'{"id": 7}', b'{"id": "../etc/passwd"}', b"\xff", b'{"id": null}'],
)
def test_what_is_no_order_is_no_acknowledgement(
    web: Pretended,
    customer: Customer,
    answer: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "ORDER_S", 0.1)
    web.reply = lambda _, path: (201, answer) if path == "/api/orders" else None
    with pytest.raises(NotConverged):
        customer.place("key-1", [])


def test_neither_password_nor_token_is_recorded(
    lab: Lab, web: Pretended, shop: Shop, customer: Customer
) -> None:
    customer.place("key-1", [])
    web.reply = lambda *_: (500, {"error": shop.password, "token": TOKEN})
    for ask in (shop.log_in, shop.sign_up):
        with pytest.raises(Refused) as refusal:
            ask(lab["manager1"], "somebody@example.org")
        assert TOKEN not in str(refusal.value)
        lab.recorder.record("said", words=str(refusal.value))
    text = lab.recorder.path.read_text(encoding="utf-8")
    assert shop.password not in text
    assert TOKEN not in text


@pytest.mark.parametrize("token", [None, 7, "", "one.two"])
def test_a_login_without_a_token_is_none(
    lab: Lab, web: Pretended, shop: Shop, token: object
) -> None:
    web.reply = lambda *_: (200, {"token": token})
    with pytest.raises(Refused, match="gave no token"):
        shop.log_in(lab["manager1"], "somebody@example.org")


def test_an_answer_without_end_is_given_up(
    lab: Lab, web: Pretended, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LARGEST", 1000)
    web.reply = lambda *_: (200, b"x" * 2000)
    with pytest.raises(Refused, match="an answer without end"):
        shop.ask(lab["worker1"], "/")
    assert lab.recorder.view().of("request")[-1].data["error"].startswith("an answer without end")


def test_another_order_s_status_is_not_believed(lab: Lab, web: Pretended, shop: Shop) -> None:
    web.reply = lambda *_: (200, {"id": uuid(5), "status": "processed"})
    with pytest.raises(Refused, match="another order"):
        shop.status_of(lab["worker1"], TOKEN, uuid(6))


def database_says(lab: Lab, answers: Callable[[str], str], code: int = 0) -> Books:
    lab.tasks = [task(1, "worker1")]
    lab.shell = lambda _, argv: (code, answers(argv[-1]), "no password here" if code else "")
    return Books(perform.service(lab.swarm, DATABASE))


def test_the_books_are_read_in_the_database_s_own_container_and_not_recorded(lab: Lab) -> None:
    books = database_says(lab, lambda _: f"{uuid(1)}\tkey-1\tprocessed\t1\n")
    (order,) = books.orders("key-")
    assert (order.id, order.key, order.times, order.processed) == (uuid(1), "key-1", 1, True)
    assert lab.did[-1][:3] == ("worker1", "docker", "exec")
    assert not lab.recorder.view().of("command")


def test_orders_of_several_marks_are_read_at_once(lab: Lab) -> None:
    asked: list[str] = []
    books = database_says(lab, lambda query: asked.append(query) or "")  # type: ignore[func-returns-value]
    assert books.orders("run-", "0123") == []
    (query,) = asked
    assert "WHERE starts_with(o.key, 'run-') OR starts_with(o.key, '0123') GROUP BY" in query


@pytest.mark.parametrize(("status", "times"), [("accepted", 0), ("accepted", 1), ("processed", 0)])
def test_an_order_is_done_with_when_its_status_and_its_effect_say_so(
    lab: Lab, status: str, times: int
) -> None:
    books = database_says(lab, lambda _: f"{uuid(1)}\tkey-1\t{status}\t{times}\n")
    with pytest.raises(NotConverged, match="1 of 1 wait"):
        Waiter(every=0.01)(books.consumed("key-"), within=0.05)


def test_a_database_that_gives_no_answer_is_not_an_empty_one(lab: Lab) -> None:
    books = database_says(lab, lambda _: "", code=1)
    with pytest.raises(Unread, match="gave no answer"):
        books.orders("key-")
    lab.tasks = []
    with pytest.raises(Unread, match="does not run"):
        books.orders("key-")
    with pytest.raises(NotConverged, match="does not run"):
        Waiter(every=0.01)(books.read("key-"), within=0.05)


@contextmanager
def crowd(lab: Lab, shop: Shop, web: Pretended, books: Books) -> Iterator[Crowd]:
    wait = Waiter(every=0.01)

    def probe(**how: Any) -> Traffic:
        return Traffic(how.pop("via"), lab.recorder, **how)

    def ledger(name: str, write: Callable[[int], str], **how: Any) -> Ledger:
        return Ledger(name, write, lab.recorder, **{**how, "pause": 0.01})

    there = Crowd(shop, books, wait, probe, ledger, Evidence(lab.recorder))

    def answers(query: str) -> str:
        if "FROM users" in query:
            rows = [f"{id_}\t{email}" for email, id_ in web.users.items() if "-killed-" in email]
        else:
            rows = [f"{i}\t{k}\tprocessed\t1" for k, i in web.orders.items() if "-killed-" in k]
        return "".join(f"{row}\n" for row in rows)

    database_says(lab, answers)
    there.arrive(lab.swarm.nodes)
    yield there


def test_what_customers_were_told_is_read_back_under_the_numbers_that_they_gave(
    lab: Lab, shop: Shop, web: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "PAGE_RATE", 50.0)
    books = Books(perform.service(lab.swarm, DATABASE))
    with crowd(lab, shop, web, books) as there:
        with there.come("killed", lab.swarm.nodes) as at_work:
            web.failing = 3
            at_work.goes_on(there.wait, within=30)
        record = lab.recorder.view()
        for name in LEDGERS:
            ledger = readings.ledger(record, name)
            assert ledger is not None
            assert ledger.lost == ledger.duplicated == []
            found = {number for _, number in ledger.found or ()}
            # More may be kept: on a busy machine a customer gives up an order that arrives.
            assert {e.number for e in ledger.acknowledged} <= found
            assert found <= {e.data["number"] for e in record.of("entry", ledger=name)}
        assert set(there.orders.values()) <= set(web.orders)
        assert len(record.last("consumed").data["orders"]) == len(web.orders)  # type: ignore[union-attr]
        assert len(there.accounts) == len(web.users) >= CUSTOMERS


def test_the_secrets_that_belong_together_agree_and_end_without_a_newline() -> None:
    given = {name: value.decode() for name, value in perform.values().items()}
    assert f":{given['db_password']}@postgres:5432/ecommerce" in given["db_url"]
    assert f"//{given['db_user']}:" in given["db_url"]
    broker = given["rabbitmq_url"].partition("//shop:")[2].partition("@")[0]
    assert f"default_pass = {broker}\n" in given["rabbitmq_conf"]
    assert not any(v.endswith("\n") for name, v in given.items() if name != "rabbitmq_conf")


def test_an_order_names_each_product_once() -> None:
    for number in range(1, 60):
        items = perform.order_of(number, range(1, 13))
        ids = [item["product_id"] for item in items]
        assert len(ids) == len(set(ids)) >= 1
        assert all(1 <= item["quantity"] <= 5 for item in items)


def test_every_config_that_the_stack_names_lies_beside_it() -> None:
    assert all(path.is_file() for path in perform.CONFIGS.values())


def test_what_raises_nothing_known_is_no_refusal() -> None:
    assert issubclass(Refused, not_acknowledged())
    assert issubclass(Unread, not_acknowledged())
