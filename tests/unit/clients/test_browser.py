"""A browser reaches the nodes that it is told of, and nothing else; pages' complaints are kept."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
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


SHOWN = """
import asyncio, gc, signal
from pathlib import Path

from pytest_swarmlab.clients import browser

# What a shell starts in the background ignores Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def stay(led, tab, wait_for_page):
    Path("shown").touch()
    if wait_for_page:
        await tab.page.get_by_role("button").wait_for()
    await asyncio.sleep(60)

async def go():
    async with browser.opened([], 8080) as led, led.visit() as tab, asyncio.TaskGroup() as visits:
        for wait_for_page in (False, True):
            visits.create_task(stay(led, tab, wait_for_page))

try:
    asyncio.run(go())
except KeyboardInterrupt:
    print("interrupted")
gc.collect()
"""


@pytest.fixture
def short() -> Iterator[Path]:
    """A temporary directory with a short path."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        yield Path(made)


@pytest.mark.parametrize("own", [False, True])
def test_what_starts_playwright_is_as_it_was_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    monkeypatch.delenv(browser.NODE, raising=False)
    node = tmp_path / "my node"
    if own:
        node.write_text('#!/bin/sh\necho "$@"; ps -o sid= -p $$\n')
        node.chmod(0o755)
        monkeypatch.setenv(browser.NODE, str(node))
    with browser._apart(tmp_path):
        program = os.environ[browser.NODE]
        assert program == str(tmp_path / "node-apart")
        if own:
            said = subprocess.run([program, "a b"], capture_output=True, text=True, check=True)
            words, session = said.stdout.splitlines()
            assert words == "a b"
            assert int(session) != os.getsid(0)
    assert os.environ.get(browser.NODE) == (str(node) if own else None)


@pytest.mark.parametrize("lacks", ["setsid", "node"])
def test_where_it_can_not_be_apart_it_starts_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    if lacks == "setsid":
        monkeypatch.setattr(shutil, "which", lambda _: None)
    else:
        monkeypatch.setenv(browser.NODE, str(tmp_path / "gone"))
    before = os.environ.get(browser.NODE)
    with browser._apart(tmp_path):
        assert os.environ.get(browser.NODE) == before


@there
@pytest.mark.parametrize("to_all", [True, False])
def test_ctrl_c_ends_a_visit_as_ctrl_c_and_leaves_neither_browser_nor_trace(
    short: Path, to_all: bool
) -> None:
    """Whether or not it reaches Playwright's own process before ours."""
    with (short / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", SHOWN],
            cwd=short, stdout=out, stderr=out, start_new_session=True,
            env=os.environ | {"TMPDIR": str(short), "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip
        while not (short / "shown").exists():
            assert process.poll() is None, (short / "out").read_text()
            time.sleep(0.02)
        (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
        process.wait(60)
    assert (short / "out").read_text() == "interrupted\n"
    assert {path.name for path in short.iterdir()} == {"out", "shown"}
    assert not [each for each in commands() if str(short) in each]


def commands() -> Iterator[str]:
    """What every process of this machine was started with."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


@pytest.mark.parametrize("error", [Exception("Connection closed"), ClientError("no way"), None])
def test_what_fails_because_of_ctrl_c_is_ctrl_c(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    @asynccontextmanager
    async def failing(*_: object) -> AsyncIterator[None]:
        try:
            yield
        except asyncio.CancelledError:
            if error:
                raise error from None
            raise

    monkeypatch.setattr(browser, "_opened", failing)

    async def go() -> None:
        async with opened([lab["worker1"]], 8080):
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(60)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(go())
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Exception("Connection closed"), False),
        (KeyboardInterrupt(), False),
        (OSError("mine"), True),
    ],
)
def test_only_what_playwright_leaves_to_nobody_is_not_logged(
    caplog: pytest.LogCaptureFixture, error: BaseException, told: bool
) -> None:
    async def go() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(browser._unasked)
        loop.create_future().set_exception(error)

    asyncio.run(go())
    gc.collect()
    assert bool(caplog.records) is told


def test_what_is_missing_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda _: None)
    assert "install pytest-swarmlab with its extra `browser`" in str(browser.lack())
    monkeypatch.setattr(util, "find_spec", lambda _: object())
    for found in (None, "/snap/bin/chromium"):
        monkeypatch.setattr(shutil, "which", lambda _, found=found: found)
        assert "install Debian's package chromium" in str(browser.lack())
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/chromium")
    assert browser.lack() is None
