"""A browser reaches the nodes that it is told of, and nothing else; pages' complaints are kept."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import util
from pathlib import Path

import pytest

from pytest_swarmlab.clients import browser
from pytest_swarmlab.clients.browser import Browser, Tab, opened
from pytest_swarmlab.errors import ClientError
from pytest_swarmlab.evidence.attachments import LARGEST, attachment
from tests.unit.fakes import Lab

there = pytest.mark.skipif(browser.lack() is not None, reason=str(browser.lack()))

PAGE = b"""<!doctype html><title>A page</title><input type="password" value="no secret">
<script>
  console.error("red words"); console.log("grey words");
  fetch("/missing"); fetch("http://elsewhere.example.org/").catch(() => undefined);
  setTimeout(() => { throw new Error("nobody caught it"); });
</script>"""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE if self.path == "/" else b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@pytest.fixture
def web(lab: Lab) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, lab.published(server):
        yield


def with_tab(lab: Lab, do: Callable[[Browser, Tab], Awaitable[None]]) -> None:
    async def go() -> None:
        async with opened([lab["worker1"]], 8080) as led, led.visit() as tab:
            await do(led, tab)

    asyncio.run(go())


@there
@pytest.mark.usefixtures("web")
def test_a_page_is_reached_by_its_node_s_name_and_what_it_complains_of_is_kept(lab: Lab) -> None:
    async def look(led: Browser, tab: Tab) -> None:
        assert led.version.startswith("chromium ")
        await tab.page.goto(led.address(lab["worker1"]), wait_until="networkidle")
        told = {(each.what, each.said.partition(": ")[0]) for each in tab.troubles}
        assert {
            ("console", "red words"),
            ("exception", "nobody caught it"),
            ("answer", "GET http://worker1:8080/missing"),
            ("request", "GET http://elsewhere.example.org/"),
        } <= told
        assert not any("grey" in each.said for each in tab.troubles)
        picture = await tab.picture()
        assert attachment("a page", picture).media == "image/jpeg"
        assert len(picture) <= LARGEST

    with_tab(lab, look)


@there
@pytest.mark.usefixtures("web")
def test_no_other_name_or_address_leads_anywhere(lab: Lab) -> None:
    port = lab.machines.listens["worker1"][1]

    async def look(led: Browser, tab: Tab) -> None:
        await tab.page.goto(led.address(lab["worker1"]))
        for elsewhere in (
            "http://worker2:8080/",
            "http://worker1:8081/",
            "http://192.168.56.11:8080/",
            f"http://127.0.0.1:{port}/",
            f"http://localhost:{port}/",
        ):
            async with led.visit() as other:
                with pytest.raises(browser.trouble(), match="ERR_NAME_NOT_RESOLVED"):
                    await other.page.goto(elsewhere)

    with_tab(lab, look)


@there
def test_one_that_does_not_start_is_told_in_a_sentence(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(broken))

    async def unreached(led: Browser, tab: Tab) -> None:
        raise AssertionError(led, tab)

    with pytest.raises(ClientError, match=r"^chromium does not start: .*"):
        with_tab(lab, unreached)


def test_what_is_missing_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda _: None)
    assert "install the extra `browser`" in str(browser.lack())
    monkeypatch.setattr(util, "find_spec", lambda _: object())
    for found in (None, "/snap/bin/chromium"):
        monkeypatch.setattr(shutil, "which", lambda _, found=found: found)
        assert "install Debian's package chromium" in str(browser.lack())
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/chromium")
    assert browser.lack() is None
