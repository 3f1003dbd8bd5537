"""A visitor of the WordPress site, and its only author: what a browser does, over HTTP.

The site's answers are a stranger's text: bounded in time and size, and used only after a look at
their form.
"""

import itertools
import json
import re
import secrets
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

from pytest_swarmlab.clients.ledger import not_acknowledged
from pytest_swarmlab.clients.probe import session
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.waiting.conditions import brief
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, pending

from ..answered import Refused, body

PORT = 8080
ADDRESS = "192.168.56.10"
"""What the lab's visitor types: WordPress remembers it at the installation as its own address."""

ASK_S = 15.0
"""Longest a request may take; a write took 0.1 to 1.2 s on the embedded cluster."""

INSTALL_S = 90.0
"""Longest the installation may take; it creates twelve tables and took 5 s."""

LARGEST = 4 << 20
"""Bytes of an answer, at most; pages and lists have less than a tenth."""

PAGE = 100
MOST_PAGES = 50
"""Entries in a page of a list (WordPress's own limit), and pages that are asked for at most."""

INSTALLER = "/wp-admin/install.php?step=1"
"""The installation's form. Without a step it is a choice of languages, for which WordPress first
asks a server outside; it took 16 s to find out that nobody answers."""

AUTHOR = "author"
UPLOADS = "/wp-content/uploads/"


@dataclass(frozen=True)
class Answer:
    """An answer's status, headers and body."""

    status: int
    headers: dict[str, str]
    cookies: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    def json(self, status: int) -> Any:
        """The body as JSON. Raises Refused for another status or another form."""
        if self.status != status:
            raise Refused(f"status {self.status} instead of {status}: {self.text[:200]!r}")
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Refused(f"no JSON: {self.text[:200]!r}") from error


class Site:
    """The site, asked through any node: every request on a connection of its own."""

    def __init__(
        self,
        nodes: Sequence[Node],
        recorder: Recorder,
        port: int = PORT,
        *,
        author: str = AUTHOR,
    ) -> None:
        """`port`: at which it is published. `author`: as whom its author logs in."""
        self.port = port
        self.host = f"{ADDRESS}:{port}"
        self.author = author
        self.guest: int | None = None
        """The author's id on somebody's own site. What a guest writes, no visitor sees: posts are
        private, and nobody is notified of them."""
        self._client = session(nodes)
        # The cookies are the site's, and not those of the node through which it was asked.
        self._client.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._hide = recorder.redactor.hide
        self.password = secrets.token_urlsafe(18)
        self._hide("password of the site's author", self.password)
        self._cookies: dict[str, str] = {}
        self._nonce = ""

    def close(self) -> None:
        """Forget the connections."""
        self._client.close()

    def ask(
        self, node: Node, path: str, *, method: str = "GET", within: float = ASK_S, **what: Any
    ) -> Answer:
        """One request as the site's author. Raises what a failed request raises, or Refused."""
        headers = {"Host": self.host, **what.pop("headers", {})}
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self._cookies.items())
        began = time.monotonic()
        with self._client.request(
            method,
            f"http://{node.name}:{self.port}{path}",
            headers=headers,
            timeout=within,
            # A redirect may lead out of the lab; it is an answer as it is.
            allow_redirects=False,
            stream=True,
            **what,
        ) as response:
            content = body(response, began=began, within=within, most=LARGEST)
            cookies = {str(c.name): str(c.value) for c in response.cookies}
            return Answer(response.status_code, dict(response.headers), cookies, content)

    def install(self, node: Node) -> Answer:
        """Send the installation's form."""
        fields = {
            "weblog_title": "Swarm",
            "user_name": self.author,
            "admin_password": self.password,
            "admin_password2": self.password,
            "admin_email": "author@example.org",
            "blog_public": "0",
            "Submit": "Install WordPress",
        }
        return self.ask(
            node, "/wp-admin/install.php?step=2", method="POST", data=fields, within=INSTALL_S
        )

    def log_in(self, node: Node) -> None:
        """Log in, keep the cookies, fetch the nonce without which nothing can be written.

        Raises Refused when the site doesn't know its author.
        """
        # WordPress first wants to see a cookie come back that its form had set.
        self._cookies = {"wordpress_test_cookie": "WP%20Cookie%20check"}
        fields = {
            "log": self.author,
            "pwd": self.password,
            "testcookie": "1",
            "wp-submit": "Log In",
        }
        answer = self.ask(node, "/wp-login.php", method="POST", data=fields)
        given = {k: v for k, v in answer.cookies.items() if k.startswith("wordpress_") and v}
        if answer.status != 302 or not any("logged_in" in name for name in given):
            raise Refused(f"the login was not accepted: status {answer.status}")
        for name, value in given.items():
            self._hide(f"cookie {name.rpartition('_')[0]}", value)
        self._cookies.update(given)

    def get_nonce(self, node: Node) -> None:
        """Fetch the number that WordPress wants with every change."""
        answer = self._asked_as_author(node, "")
        if not re.fullmatch(r"[0-9a-f]{10}", answer.text):
            raise Refused(f"no nonce: status {answer.status}, {answer.text[:100]!r}")
        self._nonce = answer.text
        self._hide("nonce", self._nonce)

    def knows_its_author(self, node: Node, mark: str) -> bool:
        """Whether the login of the cookies counts. `mark`: a word that finds the request in a
        replica's log.

        Raises what a failed request raises.
        """
        answer = self._asked_as_author(node, f"&mark={mark}")
        # Strangers get 400 and a naught.
        if answer.status == 400 and answer.text == "0":
            return False
        if answer.status == 200 and re.fullmatch(r"[0-9a-f]{10}", answer.text):
            return True
        raise Refused(f"neither known nor unknown: status {answer.status}, {answer.text[:100]!r}")

    def _asked_as_author(self, node: Node, more: str) -> Answer:
        return self.ask(node, f"/wp-admin/admin-ajax.php?action=rest-nonce{more}")

    def write_post(self, node: Node, title: str) -> int:
        """Publish a post; returns its id. Raises Refused when it was not acknowledged."""
        how = {"status": "publish"}
        if self.guest is not None:
            # Whatever the owner's settings say: the guest's comments follow.
            how = {"status": "private", "comment_status": "open"}
        return self._created(node, "posts", json={"title": title, **how})

    def write_comment(self, node: Node, post: int, words: str) -> int:
        """Comment on a post; returns the comment's id."""
        return self._created(node, "comments", json={"post": post, "content": words})

    def upload(self, node: Node, name: str, picture: bytes) -> str:
        """Upload a PNG; returns the path at which the site serves it."""
        answer = self._change(
            node,
            "media",
            data=picture,
            headers={
                "Content-Type": "image/png",
                "Content-Disposition": f'attachment; filename="{name}"',
            },
        )
        found = answer.json(201)
        path = urlsplit(str(found.get("source_url") if isinstance(found, dict) else "")).path
        if not path.startswith(UPLOADS):
            raise Refused(f"the picture is said to be at {path[:100]!r}")
        return path

    def title_of(self, node: Node, post: int) -> str:
        """A post's title, as any visitor reads it, or its guest alone."""
        path = f"/?rest_route=/wp/v2/posts/{post}&_fields=id,title"
        if self.guest is None:
            return _text(self.ask(node, path).json(200), "title")
        answer = self.ask(node, f"{path}&context=edit", headers=self._as_author())
        return _text(answer.json(200), "title", "raw")  # The other says that it is private.

    def picture(self, node: Node, path: str) -> bytes:
        """The site's answer at that path."""
        answer = self.ask(node, path)
        if answer.status != 200:
            raise Refused(f"status {answer.status} for the picture")
        return answer.body

    def entries(self, node: Node, token: str) -> list[tuple[str, int]]:
        """Id and number of every post and comment that has been written with that token."""
        mine = re.compile(re.escape(token) + r" (\d{1,6})\b")
        found = []
        for kind, field in (("post", "title"), ("comment", "content")):
            for row in self._listed(node, f"{kind}s", field):
                if match := mine.search(_text(row, field)):
                    found.append((f"{kind} {_id(row)}", int(match[1])))
        return found

    def _listed(self, node: Node, what: str, field: str) -> Iterator[Any]:
        mine = ""
        headers: dict[str, str] = {}
        if self.guest is not None:
            mine, headers = f"&author={self.guest}&context=edit", self._as_author()
            mine += "&status=private" if what == "posts" else ""
        for page in itertools.count(1):
            if page > MOST_PAGES:
                raise Refused(f"more than {MOST_PAGES} pages of {what}")
            path = (
                f"/?rest_route=/wp/v2/{what}&_fields=id,{field}&orderby=id&order=asc"
                f"&per_page={PAGE}&page={page}{mine}"
            )
            answer = self.ask(node, path, headers=headers)
            if page > 1 and answer.status == 400:
                return  # WordPress's word for a page after the last.
            rows = answer.json(200)
            if not isinstance(rows, list):
                raise Refused(f"no list of {what}: {answer.text[:100]!r}")
            yield from rows
            if len(rows) < PAGE:
                return

    def _created(self, node: Node, what: str, **how: Any) -> int:
        return _id(self._change(node, what, **how).json(201))

    def _change(self, node: Node, what: str, **how: Any) -> Answer:
        headers = {**self._as_author(), **how.pop("headers", {})}
        path = f"/?rest_route=/wp/v2/{what}&_fields=id,source_url"
        return self.ask(node, path, method="POST", headers=headers, **how)

    def _as_author(self) -> dict[str, str]:
        """What WordPress wants beside the cookies, to take a request for its author's."""
        return {"X-WP-Nonce": self._nonce}


class Answers:
    """The site answers at that path with 200; finds nothing. Through a node, until it does."""

    def __init__(self, site: Site, node: Node, path: str) -> None:
        self._site = site
        self._node = node
        self._path = path
        self.node = node.name
        self.name = f"the site answers at {path}"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Look once."""
        try:
            answer = self._site.ask(self._node, self._path)
        except not_acknowledged() as error:
            return pending(brief(error))
        seen = f"status {answer.status}"
        return done(None, seen) if answer.status == 200 else pending(seen)


class ReadBack:
    """All that was written with a token can be listed; finds the id and number of each."""

    def __init__(self, site: Site, node: Node, token: str) -> None:
        self._site = site
        self._node = node
        self._token = token
        self.node = node.name
        self.name = "posts and comments can be read back"

    def __call__(self) -> Done[list[tuple[str, int]]] | Pending | Fatal:
        """Look once."""
        try:
            found = self._site.entries(self._node, self._token)
        except not_acknowledged() as error:
            return pending(brief(error))
        return done(found, f"{len(found)} of them")


def png(side: int = 16) -> bytes:
    """A unique picture: random colours in a square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + secrets.token_bytes(3 * side) for _ in range(side))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def _id(row: Any) -> int:
    found = row.get("id") if isinstance(row, dict) else None
    if not isinstance(found, int) or isinstance(found, bool):
        raise Refused(f"no id: {str(row)[:100]!r}")
    return found


def _text(row: Any, field: str, form: str = "rendered") -> str:
    found = row.get(field) if isinstance(row, dict) else None
    return str(found.get(form, ""))[:500] if isinstance(found, dict) else ""
