"""Orders in the shop's pages with a real browser, through every node.

Everything in a page is found as somebody finds it who can't see it: by role and name. What is
waited for is waited for by the browser, until its element is there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.clients import browser
from pytest_swarmlab.clients.browser import Tab
from pytest_swarmlab.errors import ClientError
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.text import line
from pytest_swarmlab.waiting.waiter import Waiter

from ..answered import Refused
from .client import ID, Answer
from .events import Browser, OrdersShown, PageTrouble, VisitOrder, VisitorsBooks, VisitStep
from .load import CONSUMED_S, Crowd
from .setting import PORT

if TYPE_CHECKING:
    import playwright.async_api as api

Step = Callable[[], Awaitable[Any]]

KEY = re.compile(r"[0-9a-f]{32}")
"""An idempotency key as the page makes it: it is asked for in the database, so it is looked at."""

ORDER = re.compile(r"Order ([0-9a-f-]{36})")
PICTURED = {"browse": "the shop", "basket": "the basket", "processed": "the order"}
"""After which step there is a picture, and of what."""


@dataclass
class Visitor:
    """A visitor, who signs up and orders on the page."""

    page: api.Page
    address: str
    email: str
    password: str
    name: str
    number: int
    account: str | None = None
    order: str | None = None
    product: str = ""
    shown: tuple[str, ...] | None = None
    """The orders that the page showed."""

    @property
    def steps(self) -> dict[str, Step]:
        """The visitor's steps in their order; each raises what Playwright raises, or Refused."""
        return {
            "open": self._open,
            "sign up": self._sign_up,
            "log in": self._log_in,
            "browse": self._browse,
            "basket": self._fill_the_basket,
            "order": self._order,
            "see": self._see,
            "processed": self._see_it_processed,
        }

    async def _open(self) -> None:
        await self.page.goto(self.address)
        await self._there("heading", "Shop")
        await self.page.get_by_role("article").first.wait_for()

    async def _sign_up(self) -> None:
        await self._go_to("Account")
        form = self.page.get_by_role("form", name="Sign up")
        await form.get_by_label("Name").fill(self.name)
        await self._fill_in(form)
        self.account = await self._asked("/api/users", lambda: self._press("Sign up", form))
        # Who has signed up is logged in.
        await self._there("button", "Log out")

    async def _log_in(self) -> None:
        await self._press("Log out")
        form = self.page.get_by_role("form", name="Log in")
        await self._fill_in(form)
        await self._press("Log in", form)
        await self._there("button", "Log out")

    async def _fill_in(self, form: api.Locator) -> None:
        await form.get_by_label("Email").fill(self.email)
        await form.get_by_label("Password").fill(self.password)

    async def _browse(self) -> None:
        await self._go_to("Shop")
        await self._there("heading", "Shop")
        articles = self.page.get_by_role("article")
        await articles.first.wait_for()
        wanted = articles.nth(self.number % await articles.count())
        self.product = await wanted.get_by_role("heading").inner_text()

    async def _fill_the_basket(self) -> None:
        article = self.page.get_by_role("article", name=self.product, exact=True)
        await self._press("Add to basket", article)
        await self.page.get_by_role("status").filter(has_text=self.product).wait_for()
        await self._go_to("Basket (1)")
        await self._there("rowheader", self.product)

    async def _order(self) -> None:
        self.order = await self._asked("/api/orders", lambda: self._press("Order now"))
        await self._there("heading", "My orders")

    async def _see(self) -> None:
        try:
            await self.page.get_by_text(f"Order {self.order}", exact=True).wait_for()
        finally:
            texts = await self.page.get_by_text(ORDER).all_inner_texts()
            self.shown = tuple(each[1] for each in map(ORDER.fullmatch, texts) if each)

    async def _see_it_processed(self) -> None:
        mine = self.page.get_by_role("listitem").filter(has_text=f"Order {self.order}")
        await mine.get_by_text("Processed", exact=True).wait_for()

    async def _go_to(self, page: str) -> None:
        await self.page.get_by_role("navigation").get_by_role("link", name=page).click()

    async def _press(self, name: str, within: api.Locator | None = None) -> None:
        await (within or self.page).get_by_role("button", name=name).click()

    async def _there(self, role: Any, name: str) -> None:
        await self.page.get_by_role(role, name=name, exact=True).wait_for()

    async def _asked(self, path: str, do: Step) -> str:
        """The id in the shop's first answer to the page's request."""
        async with self.page.expect_response(
            lambda r: r.url.endswith(path) and r.request.method == "POST"
        ) as answered:
            await do()
        response = await answered.value
        found = Answer(response.status, {}, await response.body()).json(201)
        id_ = found.get("id")
        if not isinstance(id_, str) or not ID.fullmatch(id_):
            raise Refused(f"POST {path}: no id")
        return id_


@dataclass
class Visits:
    """One browser with a visitor through each node; the crowd remembers their orders."""

    crowd: Crowd
    wait: Waiter
    evidence: Evidence

    def through(self, nodes: Sequence[Node]) -> None:
        """Visit one node after the other, except for the last step; then read the database."""
        if lack := browser.lack():
            self.evidence.write(Browser("", lack))
            return
        known = set(self.crowd.visitors)
        asyncio.run(self._go(nodes))
        marks = set(self.crowd.visitors) - known
        done = self.wait(self.crowd.books.consumed(*marks), within=CONSUMED_S) if marks else []
        self.evidence.write(VisitorsBooks(tuple((order.id, order.times) for order in done)))

    async def _go(self, nodes: Sequence[Node]) -> None:
        async with browser.opened(nodes, PORT) as there:
            self.evidence.write(Browser(there.version))
            # A page waits for seconds before it asks whether an order is processed; meanwhile the
            # next visitor comes.
            turn = asyncio.Lock()
            try:
                async with asyncio.TaskGroup() as visits:
                    for number, node in enumerate(nodes, 1):
                        visits.create_task(self._visit(there, node, turn, number))
            except ExceptionGroup as several:
                # What ended one of them has ended all.
                raise several.exceptions[0] from several

    async def _visit(
        self, there: browser.Browser, node: Node, turn: asyncio.Lock, number: int
    ) -> None:
        crowd, email = self.crowd, f"{self.crowd.run}-visitor{number}@example.org"
        async with AsyncExitStack() as held:
            async with turn:
                tab = await held.enter_async_context(there.visit())
                tab.page.on("request", self._remember)
                visitor = Visitor(
                    tab.page,
                    there.address(node),
                    email,
                    crowd.shop.password,
                    f"Visitor of {node}",
                    number,
                )
                *first, (last, see) = visitor.steps.items()
                well = True
                for name, do in first:
                    well = well and await self._did(there, tab, node, name, do)
                if visitor.account:
                    crowd.accounts[visitor.account] = email
                if visitor.order:
                    crowd.orders[visitor.order] = crowd.visitors[-1]
                    self.evidence.write(VisitOrder(node.name, visitor.order))
            if well:
                await self._did(there, tab, node, last, see)
            if visitor.shown is not None:
                self.evidence.write(OrdersShown(node.name, visitor.shown))
            for each in tab.troubles:
                self.evidence.write(PageTrouble(node.name, each.what, each.said))

    async def _did(self, there: browser.Browser, tab: Tab, node: Node, name: str, do: Step) -> bool:
        """Whether a step could be done; recorded, with a picture where one is wanted.

        Raises ClientError where the browser has ended: that says nothing of the page.
        """
        began, error = self.crowd.shop.now(), None
        try:
            await do()
        except (browser.trouble(), Refused) as problem:
            if not there.runs:
                raise ClientError(f"the browser ended while it visited {node}") from problem
            error = line(problem)
        seconds = self.crowd.shop.now() - began
        title = None
        if error or name in PICTURED:
            what = f"the failed step ({name})" if error else PICTURED[name]
            title = await self._photographed(tab, f"Through {node}: {what}")
        self.evidence.write(
            VisitStep(node.name, name, round(began, 3), round(seconds, 3), error, title)
        )
        return error is None

    async def _photographed(self, tab: Tab, title: str) -> str | None:
        try:
            picture = await tab.picture()
        except (browser.trouble(), ClientError):
            return None
        self.evidence.attach(title, picture)
        return title

    def _remember(self, request: api.Request) -> None:
        """Note an order that is sent: it may be stored, whatever its answer."""
        if request.method != "POST" or not request.url.endswith("/api/orders"):
            return
        key = request.headers.get("idempotency-key", "")
        if KEY.fullmatch(key) and key not in self.crowd.sent:
            self.crowd.sent.add(key)
            self.crowd.visitors.append(key)
