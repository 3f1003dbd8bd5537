"""Somebody in front of a page: what he does is recorded, and where he gets stuck.

The page has the roles and names of the shop's, and keeps what it is told itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pytest_swarmlab.clients import browser
from pytest_swarmlab.evidence.events import Attachment, each
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.model import Topology
from pytest_swarmlab.waiting.waiter import Waiter
from tests.exercises.exercise_2_10 import perform
from tests.exercises.exercise_2_10.books import Books
from tests.exercises.exercise_2_10.client import Shop
from tests.exercises.exercise_2_10.events import (
    Browser,
    OrdersShown,
    PageTrouble,
    VisitOrder,
    VisitorsBooks,
    VisitStep,
)
from tests.exercises.exercise_2_10.load import Crowd
from tests.exercises.exercise_2_10.setting import DATABASE
from tests.exercises.exercise_2_10.visit import Visitor, Visits
from tests.exercises.exercise_2_10.visited import PICTURED, STEPS
from tests.unit.fakes import Lab, task

pytestmark = pytest.mark.skipif(browser.lack() is not None, reason=str(browser.lack()))

ACCOUNT, ORDER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
KEY = "0123456789abcdef" * 2

PAGE = """<!doctype html><title>A shop</title>
<nav><a href="#shop">Shop</a> <a href="#basket">Basket (1)</a> <a href="#account">Account</a></nav>
<main></main>
<script>
  const fields = '<label>Email <input name="email"></label>' +
    '<label>Password <input name="password" type="password"></label>';
  const pages = {
    shop: `<h1>Shop</h1><p role="status"></p><article aria-labelledby="a"><h2 id="a">A pan</h2>
      <button onclick="document.querySelector('[role=status]').textContent = 'A pan is in'">Add to
      basket</button></article>`,
    account: `<form aria-label="Sign up" onsubmit="return go('/api/users', 'in')"><label>Name
      <input></label>${fields}<button>Sign up</button></form>
      <form aria-label="Log in" onsubmit="return go('/api/sessions', 'in')">${fields}
      <button>Log in</button></form>`,
    in: `<h1>Shop</h1><button onclick="show('account')">Log out</button>`,
    basket: `<table><tr><th scope="row">A pan</th></tr></table>
      <button onclick="go('/api/orders', 'orders')">Order now</button>`,
    orders: `<h1>My orders</h1><ol><li><p>Order ORDER</p><span>Processed</span></li></ol>`,
  };
  const show = (name) => { document.querySelector('main').innerHTML = pages[name]; };
  const go = (path, next) => {
    fetch(path, {method: 'POST', headers: {'Idempotency-Key': 'KEY'}}).then(() => show(next));
    return false;
  };
  addEventListener('hashchange', () => show(location.hash.slice(1)));
  show('shop');
</script>"""


class Pretended(ThreadingHTTPServer):
    """Answers a browser; `page` is what it is given, `id` what an order is called."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.page = PAGE.replace("ORDER", ORDER).replace("KEY", KEY)
        self.status = 201
        self.ordered = 0
        self.wanted = 0
        self.passwords: list[bytes] = []


class Handler(BaseHTTPRequestHandler):
    server: Pretended

    def do_GET(self) -> None:
        if self.path == "/state":
            done = self.server.ordered >= self.server.wanted
            self._say(200, "text/plain", "Processed" if done else "Accepted")
        else:
            self._say(200, "text/html", self.server.page)

    def do_POST(self) -> None:
        ids = {"/api/users": ACCOUNT, "/api/orders": ORDER}
        status = self.server.status if self.path == "/api/orders" else 201
        self.server.ordered += self.path == "/api/orders"
        self._say(status, "application/json", json.dumps({"id": ids.get(self.path, "")}))

    def _say(self, status: int, media: str, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path, Topology.of(1, 0)).settle()
    lab.tasks = [task(1, "manager1")]
    lab.shell = lambda *_: (0, f"{ORDER}\t{KEY}\tprocessed\t1\n", "")
    yield lab
    lab.recorder.close()


@pytest.fixture
def web(one: Lab) -> Iterator[Pretended]:
    with Pretended() as server, one.published(server):
        yield server


def visited(lab: Lab) -> tuple[Record, Crowd]:
    evidence, books = Evidence(lab.recorder), Books(perform.service(lab.swarm, DATABASE))
    shop, wait = Shop(lab.swarm.nodes, lab.recorder), Waiter(every=0.01)

    def nobody(**_: object) -> object:
        raise AssertionError("nobody else comes")

    nobody_: Callable[..., object] = nobody
    crowd = Crowd(shop, books, wait, nobody_, nobody_, evidence)  # type: ignore[arg-type]
    Visits(crowd, wait, evidence).through(lab.swarm.nodes)
    shop.close()
    assert shop.password not in lab.recorder.path.read_text(encoding="utf-8")
    return lab.recorder.view(), crowd


def test_he_signs_up_logs_in_orders_and_sees_his_order(one: Lab, web: Pretended) -> None:
    del web
    run, crowd = visited(one)
    steps = each(run, VisitStep)
    assert [(e.name, e.error) for e in steps] == [(name, None) for name in STEPS]
    pictures = {picture.title for picture in each(run, Attachment)}
    assert {e.name for e in steps if e.picture in pictures} == set(PICTURED)
    assert each(run, Browser)[0].lack is None
    assert [(e.node, e.order) for e in each(run, VisitOrder)] == [("manager1", ORDER)]
    assert [e.orders for e in each(run, OrdersShown)] == [(ORDER,)]
    assert [e.orders for e in each(run, VisitorsBooks)] == [((ORDER, 1),)]
    assert not each(run, PageTrouble)
    assert crowd.orders == {ORDER: KEY}
    assert crowd.sent == {KEY}
    assert crowd.marks == (f"{crowd.run}-", KEY)
    assert list(crowd.accounts) == [ACCOUNT]


def test_where_he_gets_stuck_is_told_with_a_picture_and_he_goes_no_further(
    one: Lab, web: Pretended
) -> None:
    web.status = 503
    run, crowd = visited(one)
    steps = each(run, VisitStep)
    assert [e.name for e in steps] == list(STEPS[: STEPS.index("order") + 1])
    assert steps[-1].error == "status 503"
    assert [p.title for p in each(run, Attachment)][-1] == steps[-1].picture
    assert [(e.what, e.said[-3:]) for e in each(run, PageTrouble) if e.what == "answer"] == [
        ("answer", "503")
    ]
    # It was sent, and may be kept.
    assert crowd.sent == {KEY}
    assert not crowd.orders
    assert not each(run, VisitOrder)


def test_an_order_that_is_not_shown_is_missed_and_what_is_shown_is_told(
    one: Lab, web: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = Visitor._order

    async def then_impatient(he: Visitor) -> None:
        await order(he)
        he.page.set_default_timeout(500)

    monkeypatch.setattr(Visitor, "_order", then_impatient)
    other = ORDER.replace("2", "3")
    web.page = web.page.replace(ORDER, other)
    run, _ = visited(one)
    steps = each(run, VisitStep)
    assert steps[-1].name == "see"
    assert "Timeout 500ms exceeded" in str(steps[-1].error)
    assert [e.orders for e in each(run, OrdersShown)] == [(other,)]


ASKS_AGAIN = """setInterval(() => fetch('/state').then((r) => r.text()).then((t) => {
    const state = document.querySelector('#state');
    if (state) state.textContent = t;
  }), 100);
</script>"""


def test_the_next_visitor_comes_while_an_order_waits_for_a_worker(tmp_path: Path) -> None:
    two = Lab(tmp_path, Topology.of(1, 1)).settle()
    two.tasks = [task(1, "manager1")]
    two.shell = lambda *_: (0, f"{ORDER}\t{KEY}\tprocessed\t1\n", "")
    with Pretended() as server, two.published(server):
        server.wanted = 2
        waits = server.page.replace("<span>Processed", '<span id="state">Accepted')
        server.page = waits.replace("</script>", ASKS_AGAIN)
        run, _ = visited(two)
    steps = each(run, VisitStep)
    assert [e.error for e in steps] == [None] * 2 * len(STEPS)
    for node in ("manager1", "worker1"):
        assert [e.name for e in steps if e.node == node] == list(STEPS)
    began = {(e.node, e.name): e.began for e in steps}
    ended = {e.node: e.began + e.seconds for e in steps if e.name == "processed"}
    first, second = sorted(("manager1", "worker1"), key=lambda node: began[node, "open"])
    assert began[second, "order"] < ended[first]
    two.recorder.close()


@pytest.mark.parametrize("key", ["'; DROP TABLE orders; --", KEY.upper(), KEY + "0", ""])
def test_a_key_that_the_page_does_not_make_is_asked_for_nowhere(
    one: Lab, web: Pretended, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    del web
    monkeypatch.setattr(browser, "lack", lambda: "no browser")
    run, crowd = visited(one)
    assert each(run, Browser)[0].lack == "no browser"
    visits = Visits(crowd, crowd.wait, Evidence(one.recorder))

    class Request:
        method, url = "POST", "http://manager1:8080/api/orders"
        headers = {"idempotency-key": key}  # noqa: RUF012 - a pretended one

    visits._remember(Request())  # type: ignore[arg-type]
    assert crowd.marks == (f"{crowd.run}-",)
