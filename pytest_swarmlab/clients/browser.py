"""A real browser, headless, that reaches the nodes of a cluster and nothing else.

It is this machine's Chromium, driven by Playwright, which is an extra of this package and downloads
nothing. The text of a page is hostile: it is cut to a bounded length before it is recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shlex
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pytest_swarmlab import interrupt, sockets
from pytest_swarmlab.clients.relay import Relay
from pytest_swarmlab.errors import ClientError
from pytest_swarmlab.evidence.attachments import LARGEST
from pytest_swarmlab.swarm.node import Node
from pytest_swarmlab.text import line

if TYPE_CHECKING:
    import playwright.async_api as api

PROGRAM = "chromium"

NO_PLAYWRIGHT = "Playwright is missing: install pytest-swarmlab with its extra `browser`"
NO_PROGRAM = f"there is no browser on this machine: install Debian's package {PROGRAM}"

NODE = "PLAYWRIGHT_NODEJS_PATH"
"""Names the Node.js that Playwright is to start, if not its own."""

SNAPS = "/snap/"
"""A snap can't use a profile directory that another program gives it."""

WIDTH, HEIGHT = 1280, 800
"""Size of a page and its pictures, in pixels."""

QUALITIES = (70, 40, 15)
"""JPEG qualities in percent; the first whose picture is small enough is used."""

PATIENCE_S = 20.0
"""Longest wait for an element of a page, seconds."""

MOST_TROUBLES = 50
"""Troubles of one page that are kept."""

ALONE = (
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
)
"""Options that stop the browser's own requests, and enforce the resolver's rules."""


HOME = "swarmlab-browser-"
SOCKET = "org.chromium.Chromium.XXXXXX/SingletonSocket"
"""Where the browser makes a socket in its temporary directory, which is its home."""


def lack() -> str | None:
    """Why no browser can be started here, in one sentence; None if one can."""
    if importlib.util.find_spec("playwright") is None:
        return NO_PLAYWRIGHT
    program = shutil.which(PROGRAM)
    return None if program and not program.startswith(SNAPS) else NO_PROGRAM


@dataclass(frozen=True)
class Trouble:
    """An error that a page reported.

    `what`: console (an error that it printed), exception (one that it did not catch), request (one
    without an answer), answer (one with a status of 400 or more).
    """

    what: str
    said: str


@dataclass
class Tab:
    """The page of one visitor without cookies or storage, and the errors that it reported."""

    page: api.Page
    troubles: list[Trouble] = field(default_factory=list)
    closing: bool = False

    def listen(self) -> None:
        """Keep every complaint from now on."""
        page = self.page
        page.on("console", lambda m: self._keep("console", m.text, m.type == "error"))
        page.on("pageerror", lambda error: self._keep("exception", error.message))
        page.on("requestfailed", lambda r: self._keep("request", f"{_asked(r)}: {r.failure}"))
        page.on(
            "response",
            lambda r: self._keep("answer", f"{_asked(r.request)}: {r.status}", r.status >= 400),
        )

    def _keep(self, what: str, said: str, really: bool = True) -> None:
        # What was under way when the page was closed has failed for that.
        if really and not self.closing and len(self.troubles) < MOST_TROUBLES:
            self.troubles.append(Trouble(what, line(said)))

    async def picture(self) -> bytes:
        """The page as it looks now: a JPEG of LARGEST bytes at most, passwords covered.

        Raises what Playwright raises, and ClientError for a picture that can't be made small
        enough.
        """
        secret = self.page.locator("input[type=password]")
        for quality in QUALITIES:
            found = await self.page.screenshot(
                type="jpeg", quality=quality, mask=[secret], animations="disabled"
            )
            if len(found) <= LARGEST:
                return found
        raise ClientError(f"each picture of {self.page.url} has more than {LARGEST} bytes")


def _asked(request: api.Request) -> str:
    return f"{request.method} {request.url}"


class Browser:
    """A running browser. It knows the nodes that it may visit by their names."""

    def __init__(self, led: api.Browser, port: int) -> None:
        self._led = led
        self._port = port

    @property
    def version(self) -> str:
        """Which one it is."""
        return f"{PROGRAM} {self._led.version}"

    @property
    def runs(self) -> bool:
        """Whether it is still there: a page of one that has ended says nothing."""
        return self._led.is_connected()

    def address(self, node: Node) -> str:
        """Where the page of that node is."""
        return f"http://{node.name.lower()}:{self._port}/"

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[Tab]:
        """A new visitor's page; nothing of him is left at the block's end."""
        context = await self._led.new_context(
            viewport={"width": WIDTH, "height": HEIGHT}, locale="en", service_workers="block"
        )
        try:
            context.set_default_timeout(PATIENCE_S * 1000)
            tab = Tab(await context.new_page())
            tab.listen()
            yield tab
            tab.closing = True
        finally:
            with contextlib.suppress(Exception):
                await context.close()


def trouble() -> type[Exception]:
    """Playwright's exceptions for a timeout, and for a browser that has ended."""
    from playwright.async_api import Error

    return Error


def _driver_gone(error: object) -> bool:
    """Whether it is Playwright's word for its own process having gone."""
    return type(error) is Exception


@contextmanager
def _apart(home: Path) -> Iterator[None]:
    """What Playwright starts within the block has a session of its own, where that can be had.

    Ctrl-C is for this process alone, which then ends the other in order: otherwise that leaves the
    browser's profile behind.
    """
    import playwright

    own = Path(playwright.__file__).parent / "driver" / "node"
    node = Path(os.environ.get(NODE) or own)
    program = home / "node-apart"
    program.write_text(f'#!/bin/sh\nexec setsid {shlex.quote(str(node))} "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    # No program can be started from a file system that is mounted so.
    if not (shutil.which("setsid") and node.is_file() and os.access(program, os.X_OK)):
        yield
        return
    before = os.environ.get(NODE)
    os.environ[NODE] = str(program)
    try:
        yield
    finally:
        if before is None:
            del os.environ[NODE]
        else:
            os.environ[NODE] = before


def _unasked(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Handle what nobody asks for: Playwright also leaves that word in a future of its own, and
    Ctrl-C is raised beside the task that it ends.
    """
    error = context.get("exception")
    if not (_driver_gone(error) or isinstance(error, KeyboardInterrupt)):
        loop.default_exception_handler(context)


@asynccontextmanager
async def opened(nodes: Sequence[Node], port: int) -> AsyncIterator[Browser]:
    """A browser that reaches that port of these nodes, by their names, until the block's end.

    The nodes' names lead to relays on this machine; no other name or address leads anywhere.
    Profile and home lie in a temporary directory. The browser ends with this process, however that
    ends: `asyncio.run` turns Ctrl-C into the end of the block. Raises ClientError if it does not
    start.
    """
    with interrupt.noted() as heard:
        try:
            async with _opened(nodes, port) as browser:
                yield browser
        except (Exception, asyncio.CancelledError) as error:
            if heard:
                # It also reaches Playwright's own process: what fails then has failed for that.
                raise KeyboardInterrupt from error
            raise


@asynccontextmanager
async def _opened(nodes: Sequence[Node], port: int) -> AsyncIterator[Browser]:
    from playwright.async_api import async_playwright

    asyncio.get_running_loop().set_exception_handler(_unasked)
    async with AsyncExitStack() as held:
        relays = {node.name.lower(): held.enter_context(Relay(node, port)) for node in nodes}
        parent = sockets.parent(HOME, SOCKET)
        home = Path(held.enter_context(TemporaryDirectory(prefix=HOME, dir=parent)))
        rules = [f"MAP {name}:{port} 127.0.0.1:{relay.port}" for name, relay in relays.items()]
        rules.append("MAP * ~NOTFOUND")
        with _apart(home):
            playwright = await held.enter_async_context(async_playwright())
        try:
            led = await playwright.chromium.launch(
                executable_path=shutil.which(PROGRAM),
                # Root has no other way, and the pages are the lab's own.
                args=["--no-sandbox", f"--host-resolver-rules={', '.join(rules)}", *ALONE],
                env={"HOME": str(home), "TMPDIR": str(home), "PATH": "/usr/bin:/bin"},
            )
        except trouble() as error:
            raise ClientError(f"{PROGRAM} does not start: {line(error)}") from error
        try:
            yield Browser(led, port)
        except Exception as error:
            if _driver_gone(error):
                raise ClientError(f"{PROGRAM} ended early: {line(error)}") from error
            raise
        finally:
            with contextlib.suppress(Exception):
                await led.close()
