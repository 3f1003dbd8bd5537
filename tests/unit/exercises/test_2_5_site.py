"""The site's author keeps his cookies, names the site as visitors do, and believes no stranger."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pytest_swarmlab.clients.ledger import not_acknowledged
from pytest_swarmlab.waiting.waiter import Done, Pending, Waiter
from tests.exercises.answered import Refused
from tests.exercises.exercise_2_5 import site as wordpress
from tests.exercises.exercise_2_5.drill import SHARED_S, Drill
from tests.exercises.exercise_2_5.events import ReadBack as ReadBackEvent
from tests.exercises.exercise_2_5.site import Answers, ReadBack, Site, png
from tests.unit.fakes import Lab

NONCE = "0123456789"
Reply = tuple[int, dict[str, str], bytes]


class Pretended(ThreadingHTTPServer):
    """A server on loopback; `reply` decides what it answers, `asked` is what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply: Callable[[str, dict[str, list[str]]], Reply] = lambda *_: (200, {}, b"")
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []


class Handler(BaseHTTPRequestHandler):
    server: Pretended

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        parts = urlsplit(self.path)
        status, headers, answer = self.server.reply(parts.path, parse_qs(parts.query))
        self.send_response(status)
        for name, value in headers.items():
            for line in value.split("\n"):
                self.send_header(name, line)
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815 - its name there

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@pytest.fixture
def web(lab: Lab) -> Iterator[Pretended]:
    with Pretended() as server, lab.published(server):
        yield server


@pytest.fixture
def site(lab: Lab, web: Pretended) -> Iterator[Site]:
    del web
    author = Site(lab.swarm.nodes, lab.recorder)
    yield author
    author.close()


def as_json(value: Any, status: int = 200) -> Callable[..., Reply]:
    return lambda *_: (status, {}, json.dumps(value).encode())


def log_in(lab: Lab, site: Site, web: Pretended) -> None:
    cookies = "wordpress_ab12=auth-value; path=/wp-admin\nwordpress_logged_in_ab12=login-value"
    web.reply = lambda *_: (302, {"Set-Cookie": cookies}, b"")
    site.log_in(lab["manager1"])
    web.reply = lambda *_: (200, {}, NONCE.encode())
    site.get_nonce(lab["worker1"])


def test_the_cookies_of_one_node_are_shown_at_another_under_the_site_s_own_name(
    lab: Lab, site: Site, web: Pretended
) -> None:
    log_in(lab, site, web)
    first, second = (asked[2] for asked in web.asked)
    assert first["Host"] == second["Host"] == "192.168.56.10:8080"
    assert "wordpress_test_cookie" in first["Cookie"]
    assert "wordpress_ab12=auth-value" in second["Cookie"]
    assert "wordpress_logged_in_ab12=login-value" in second["Cookie"]


def test_neither_password_nor_cookies_nor_nonce_are_recorded(
    lab: Lab, site: Site, web: Pretended
) -> None:
    log_in(lab, site, web)
    password = parse_qs(web.asked[0][3].decode())["pwd"][0]
    lab.recorder.record("said", words=f"{password} auth-value login-value {NONCE}")
    text = lab.recorder.path.read_text(encoding="utf-8")
    assert not any(word in text for word in (password, "auth-value", "login-value", NONCE))


@pytest.mark.parametrize("status", [200, 500])
def test_a_login_that_gives_no_cookie_is_refused(
    lab: Lab, site: Site, web: Pretended, status: int
) -> None:
    web.reply = lambda *_: (status, {}, b"wrong password")
    with pytest.raises(Refused, match="not accepted"):
        site.log_in(lab["manager1"])


@pytest.mark.parametrize(("status", "body", "known"), [(200, NONCE, True), (400, "0", False)])
def test_who_is_known_gets_a_nonce_and_a_stranger_a_naught(
    lab: Lab, site: Site, web: Pretended, status: int, body: str, known: bool
) -> None:
    web.reply = lambda *_: (status, {}, body.encode())
    assert site.knows_its_author(lab["worker2"], "f00") is known
    assert web.asked[0][1].endswith("&mark=f00")


def test_an_error_is_no_answer_to_who_one_is(lab: Lab, site: Site, web: Pretended) -> None:
    web.reply = lambda *_: (500, {}, b"Error establishing a database connection")
    with pytest.raises(Refused, match="neither known nor unknown: status 500"):
        site.knows_its_author(lab["worker2"], "f00")


def test_a_post_is_acknowledged_with_its_id(lab: Lab, site: Site, web: Pretended) -> None:
    log_in(lab, site, web)
    web.reply = as_json({"id": 7}, 201)
    assert site.write_post(lab["worker1"], "Title") == 7
    method, _, headers, body = web.asked[-1]
    assert (method, headers["X-WP-Nonce"]) == ("POST", NONCE)
    assert json.loads(body) == {"title": "Title", "status": "publish"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"Error establishing a database connection"),
        (200, b'{"id": 7}'),
        (201, b"<html>"),
        (201, b"[]"),
        (201, b'{"id": "7"}'),
        (201, b'{"id": true}'),
        (201, b"\xff"),
    ],
)
def test_anything_else_is_no_acknowledgement(
    lab: Lab, site: Site, web: Pretended, status: int, body: bytes
) -> None:
    web.reply = lambda *_: (status, {}, body)
    with pytest.raises(not_acknowledged()):
        site.write_comment(lab["worker1"], 1, "words")


def test_an_answer_without_end_is_given_up(
    lab: Lab, site: Site, web: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wordpress, "LARGEST", 1000)
    web.reply = lambda *_: (200, {}, b"x" * 2000)
    with pytest.raises(Refused, match="an answer without end"):
        site.picture(lab["worker1"], "/wp-content/uploads/a.png")


@pytest.mark.parametrize("url", ["http://elsewhere/etc/passwd", None, 7, "/wp-content/uploads"])
def test_a_picture_is_looked_for_among_uploads_only(
    lab: Lab, site: Site, web: Pretended, url: object
) -> None:
    web.reply = as_json({"id": 1, "source_url": url}, 201)
    with pytest.raises(Refused, match="the picture is said to be at"):
        site.upload(lab["worker1"], "a.png", png())


def test_a_picture_s_place_is_on_the_site_whatever_host_is_named(
    lab: Lab, site: Site, web: Pretended
) -> None:
    web.reply = as_json({"source_url": "http://x.invalid/wp-content/uploads/2026/11/a.png"}, 201)
    path = site.upload(lab["worker1"], "a.png", png())
    assert path == "/wp-content/uploads/2026/11/a.png"


def test_entries_are_found_on_every_page_by_their_token(
    lab: Lab, site: Site, web: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wordpress, "PAGE", 2)
    titles = ["rolled ab 1", "Hello world!", "rolled ab 3", "rolled ab 3"]

    def reply(_: str, query: dict[str, list[str]]) -> Reply:
        if query["rest_route"] == ["/wp/v2/comments"]:
            rows: list[Any] = [{"id": 9, "content": {"rendered": "<p>rolled ab 2</p>\n"}}]
            return 200, {}, json.dumps(rows).encode()
        page = int(query["page"][0])
        rows = [
            {"id": number, "title": {"rendered": title}} for number, title in enumerate(titles)
        ][2 * page - 2 : 2 * page]
        return (200, {}, json.dumps(rows).encode()) if rows else (400, {}, b"{}")

    web.reply = reply
    assert site.entries(lab["manager1"], "rolled ab") == [
        ("post 0", 1), ("post 2", 3), ("post 3", 3), ("comment 9", 2),
    ]  # fmt: skip


def test_what_cannot_be_read_back_now_is_tried_again(lab: Lab, site: Site, web: Pretended) -> None:
    condition = ReadBack(site, lab["manager1"], "rolled ab")
    web.reply = lambda *_: (500, {}, b"Error establishing a database connection")
    outcome = condition()
    assert isinstance(outcome, Pending)
    assert "status 500 instead of 200" in outcome.seen
    web.reply = as_json([])
    assert isinstance(condition(), Done)


def test_pages_without_end_are_given_up(
    lab: Lab, site: Site, web: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wordpress, "PAGE", 1)
    monkeypatch.setattr(wordpress, "MOST_PAGES", 3)
    web.reply = as_json([{"id": 1, "title": {"rendered": "x"}}])
    with pytest.raises(Refused, match="more than 3 pages of posts"):
        site.entries(lab["manager1"], "t")


def test_the_site_answers_when_it_says_200(lab: Lab, site: Site, web: Pretended) -> None:
    condition = Answers(site, lab["manager1"], "/wp-admin/install.php")
    web.reply = lambda *_: (500, {}, b"")
    outcome = condition()
    assert isinstance(outcome, Pending)
    assert outcome.seen == "status 500"
    web.reply = lambda *_: (200, {}, b"")
    assert isinstance(condition(), Done)
    del lab.machines.listens["manager1"]
    lab.machines.listens["manager1"] = ("127.0.0.1", 1)
    assert isinstance(condition(), Pending)


class Replicas:
    """A WordPress of three replicas, which the mesh takes in turn; one of them took the picture.

    `blind`: how often one of the others is asked for it and has not found it yet.
    """

    def __init__(self, web: Pretended, blind: float) -> None:
        self.web, self.blind, self.asked = web, blind, 0
        self.title, self.picture = "", b""

    def __call__(self, path: str, query: dict[str, list[str]]) -> Reply:
        method, _, _, body = self.web.asked[-1]
        route = query.get("rest_route", [""])[0]
        if path == "/wp-login.php":
            return 302, {"Set-Cookie": "wordpress_logged_in_ab12=value"}, b""
        if path == "/wp-admin/admin-ajax.php":
            return 200, {}, NONCE.encode()
        if route == "/wp/v2/media":
            self.picture = body
            return as_json({"source_url": f"http://x{wordpress.UPLOADS}a.png"}, 201)()
        if route.startswith("/wp/v2/posts"):
            if method == "POST":
                self.title = json.loads(body)["title"]
                return as_json({"id": 7}, 201)()
            return as_json({"id": 7, "title": {"rendered": self.title}})()
        self.asked += 1
        if self.asked % 3 != 1 and self.blind > 0:
            self.blind -= 1
            return 404, {}, b""
        return 200, {}, self.picture


class Clock:
    """Nobody sleeps. It tells how long somebody would have."""

    def __init__(self) -> None:
        self.now = 0.0
        self.wait = Waiter(every=5, clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def begun(lab: Lab, site: Site, web: Pretended, clock: Clock, blind: float) -> list[ReadBackEvent]:
    """What was read of a drill's beginning."""
    web.reply = Replicas(web, blind)
    written: list[ReadBackEvent] = []
    evidence: Any = SimpleNamespace(write=written.append, state=lambda _: None)
    none: Any = None
    blog = Drill(lab.swarm, site, none, none, clock.wait, none, none, none, evidence)
    blog._begin_as_author(lab["manager1"])
    return written


def test_a_picture_is_read_when_each_replica_has_had_time_to_find_it(
    lab: Lab, site: Site, web: Pretended
) -> None:
    clock = Clock()
    found = begun(lab, site, web, clock, blind=5)
    assert len(found) == 15
    assert all(seen.found == seen.expected for seen in found)
    assert 0 < clock.now < SHARED_S


def test_a_picture_that_the_replicas_do_not_share_is_read_in_time_and_told(
    lab: Lab, site: Site, web: Pretended
) -> None:
    clock = Clock()
    found = begun(lab, site, web, clock, blind=math.inf)
    assert SHARED_S <= clock.now < SHARED_S + 10
    told = {(seen.what, seen.found == seen.expected, seen.error) for seen in found}
    assert told == {
        ("post", True, None), ("login", True, None), ("picture", True, None),
        ("picture", False, "status 404 for the picture"),
    }  # fmt: skip


def test_no_two_pictures_are_the_same() -> None:
    assert png() != png()
    assert png().startswith(b"\x89PNG\r\n\x1a\n")


# -- a guest on somebody's own site ----------------------------------------------------------------


@pytest.fixture
def visitor(lab: Lab, site: Site, web: Pretended) -> Site:
    log_in(lab, site, web)
    site.guest = 7
    web.asked.clear()
    return site


def test_what_a_guest_writes_is_private_and_takes_comments_whatever_the_settings(
    lab: Lab, visitor: Site, web: Pretended
) -> None:
    web.reply = as_json({"id": 41}, 201)
    assert visitor.write_post(lab["manager1"], "mine") == 41
    assert json.loads(web.asked[0][3]) == {
        "title": "mine", "status": "private", "comment_status": "open",
    }  # fmt: skip


def test_a_guest_s_post_is_read_by_himself_and_as_he_wrote_it(
    lab: Lab, visitor: Site, web: Pretended
) -> None:
    web.reply = as_json({"id": 41, "title": {"raw": "mine", "rendered": "Private: mine"}})
    assert visitor.title_of(lab["manager1"], 41) == "mine"
    _, path, headers, _ = web.asked[0]
    assert path.endswith("&context=edit")
    assert headers["X-WP-Nonce"] == NONCE


def test_of_an_owner_s_posts_and_comments_a_guest_lists_none(
    lab: Lab, visitor: Site, web: Pretended
) -> None:
    web.reply = as_json([])
    assert visitor.entries(lab["manager1"], "token") == []
    posts, comments = (parse_qs(urlsplit(asked[1]).query) for asked in web.asked)
    assert (posts["author"], posts["status"]) == (["7"], ["private"])
    assert comments["author"] == ["7"]
    assert "status" not in comments
    assert {asked[2]["X-WP-Nonce"] for asked in web.asked} == {NONCE}


def test_the_lab_s_author_is_read_by_every_visitor(lab: Lab, site: Site, web: Pretended) -> None:
    log_in(lab, site, web)
    web.asked.clear()
    web.reply = as_json([])
    site.entries(lab["manager1"], "token")
    assert not any("author" in path or "X-WP-Nonce" in headers for _, path, headers, _ in web.asked)
