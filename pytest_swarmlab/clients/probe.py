"""A client that sends requests continuously while something breaks, and records every answer."""

from __future__ import annotations

import hashlib
import http.client
import io
import itertools
import math
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from pathlib import Path
from typing import Any, Self

import requests
import urllib3
from requests.adapters import HTTPAdapter

from pytest_swarmlab.background import Background
from pytest_swarmlab.errors import ClientError, ConfigError
from pytest_swarmlab.evidence.events import Request
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.swarm.node import Node
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, fatal, pending

RATE = 20.0
"""Requests a second over all nodes together: with four nodes each is asked every 200 ms."""

TIMEOUT_S = 3.0
"""From the start of a request to the last byte of its answer, before it counts as an error."""

LATE_S = 1.0
"""A request that is sent so long after it was due counts as not sent, seconds: at the usual rate,
through four nodes, five requests to one node are due in that time.
"""

CHUNK = 65536
"""Bytes of an answer that are read at a time; they are not kept."""

HIGHEST_RATE = 200.0
"""Bound of the load, requests a second: two cores carry the nodes and this client."""


class Traffic:
    """Sends requests to the nodes in turn, each on a new connection, at a steady rate.

    A context manager; between entry and exit every request becomes a `request` event with node,
    time sent, duration and status or error. A probe that can't do its work ends its block with a
    ClientError.
    """

    def __init__(
        self,
        via: Sequence[Node],
        recorder: Recorder,
        *,
        port: int = 8080,
        path: str = "/",
        rate: float = RATE,
        timeout: float = TIMEOUT_S,
        host: str | None = None,
        header: str | None = None,
        ca: Path | None = None,
    ) -> None:
        """`via`: the nodes; `rate`: requests a second in all; `timeout`: seconds.

        `host`: the name that a visitor would use, if the site cares; by default the node's.
        `header`: a header of the answer whose value is recorded with each request, for example
        which version answered. `ca`: use TLS, and trust only this authority's certificate (PEM).
        """
        if not via:
            raise ConfigError("a probe needs nodes: give it some with via=, such as swarm.nodes")
        if not 0 < rate <= HIGHEST_RATE:
            raise ConfigError(f"a probe can't send {rate} requests a second: up to {HIGHEST_RATE}")
        self.via = tuple(via)
        self._recorder = recorder
        self._port = port
        self._path = path
        self._scheme = "https" if ca else "http"
        self._period = 1 / rate
        self._timeout = timeout
        self._header = header
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._failed: list[dict[str, Any]] = []
        self._sent = 0
        self._asked = 0
        # One for the clock, and enough that a node that stalls never slows the others' share.
        self._threads = Background("the probe", threads=2 + math.ceil(rate * timeout))
        self._session = session(self.via, ca=ca)
        if host:
            self._session.headers["Host"] = host

    @property
    def sent(self) -> int:
        """Requests that have begun, over or not."""
        return self._sent

    @property
    def asked(self) -> int:
        """Requests that are over."""
        with self._lock:
            return self._asked

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Requests so far without a good answer or sent late, as recorded.

        Raises ClientError before the first request, when errors are unknown.
        """
        with self._lock:
            if not self._asked:
                raise ClientError(self._nothing)
            return list(self._failed)

    @property
    def _nothing(self) -> str:
        through = ", ".join(node.name for node in self.via)
        told = self._threads.trouble or "wait(traffic.asked_at_least(…)) within its block"
        return f"the probe has asked nothing through {through}: {told}"

    @property
    def trouble(self) -> str | None:
        """Why it can't send requests, in one sentence; None if it can."""
        return self._threads.trouble

    def asked_at_least(self, requests: int) -> AskedAtLeast:
        """Condition: so many requests are over."""
        return AskedAtLeast(self, requests)

    def __enter__(self) -> Self:
        self._clock = self._threads.start(self._ask_steadily)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._over.set()
        wait([self._clock])  # It starts the others.
        try:
            self._threads.end(error)
        finally:
            self._session.close()
        if error is None and not self.asked:
            raise ClientError(self._nothing)

    def _ask_steadily(self) -> None:
        due = time.monotonic()
        for node in itertools.cycle(self.via):
            if self._over.wait(max(0.0, due - time.monotonic())):
                return
            self._sent += 1
            self._threads.start(self._ask, node, due)
            due += self._period

    def _ask(self, node: Node, due: float) -> None:
        url = f"{self._scheme}://{node.name}:{self._port}{self._path}"
        late = time.monotonic() - due
        sent = self._recorder.now()
        status, error, header, SHOWN.certificate = None, None, None, None
        try:
            # A redirect may lead out of the lab; it is an answer as it is. What it holds is read
            # to its end, as a visitor does, and not kept: nobody knows how much that is.
            with self._session.get(
                url, timeout=self._timeout, allow_redirects=False, stream=True
            ) as answer:
                for _ in answer.iter_content(CHUNK):
                    pass
                status = answer.status_code
                header = answer.headers.get(self._header) if self._header else None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as problem:
            error = reason(problem)
        request = Request(
            round(sent, 4),
            round(self._recorder.now() - sent, 4),
            node.name,
            status,
            error,
            url,
            self._port,
            header=header,
            certificate=SHOWN.certificate if self._scheme == "https" else None,
            late=round(late, 4) if late > LATE_S else None,
        )
        self._recorder.write(request)
        with self._lock:
            self._asked += 1
            if error or status is None or status >= 400 or late > LATE_S:
                self._failed.append(request.data())


class AskedAtLeast:
    """A probe has got so far; finds how far."""

    node = None

    def __init__(self, traffic: Traffic, requests: int) -> None:
        self._traffic = traffic
        self._requests = requests
        self.name = f"the probe has asked {requests} times"

    def __call__(self) -> Done[int] | Pending | Fatal:
        """Look once."""
        asked = self._traffic.asked
        seen = f"{asked} requests are over"
        if self._traffic.trouble:
            return fatal(self._traffic.trouble)
        return done(asked, seen) if asked >= self._requests else pending(seen)


def reason(problem: BaseException) -> str:
    """Why a request failed: the name of the innermost exception."""
    seen: BaseException = problem
    while True:
        inner = seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)
        if not isinstance(inner, BaseException) or inner is seen:
            return {
                "TimeoutError": "timeout",
                "ConnectionRefusedError": "refused",
                "ConnectionResetError": "reset",
            }.get(type(seen).__name__, f"{type(seen).__name__}: {seen}"[:200])
        seen = inner


class _Shown(threading.local):
    """The certificate of this thread's latest handshake."""

    certificate: str | None = None


SHOWN = _Shown()
"""`SHOWN.certificate`: SHA-256 of the server's certificate (DER), in hexadecimal digits."""


def session(
    nodes: Sequence[Node], *, ca: Path | None = None, connect_s: float = math.inf
) -> requests.Session:
    """A client whose URLs name nodes (``http://manager1:8080/``) and that reaches them.

    Every request opens a connection of its own, since the mesh balances connections, from the
    client's place in the lab network. No proxy, no retry, no cookies kept by the transport. `ca`:
    the certificate (PEM) of the only authority that it trusts. `connect_s`: longest that a
    connection may take, where a request's own limit is longer.
    """
    client = requests.Session()
    client.trust_env = False
    client.headers["Connection"] = "close"
    # A URL's host has no capitals.
    by_name = {node.name.lower(): node for node in nodes}
    if len(by_name) != len(nodes):
        raise ValueError(f"names of nodes differ only in case: {list(nodes)}")
    for scheme in ("http://", "https://"):
        client.mount(scheme, _ThroughTheLab(by_name, connect_s))
    if ca:
        client.verify = str(ca)
    return client


class _ThroughTheLab(HTTPAdapter):
    """Opens connections with `Node.dial` instead of a socket of this process's own network.

    The time limit holds for the whole request: a server that sends a byte now and then is given up
    like one that sends nothing.
    """

    def __init__(self, nodes: dict[str, Node], connect_s: float) -> None:
        class Dialled(urllib3.connection.HTTPConnection):
            until = math.inf

            def _new_conn(self) -> Any:
                timeout = self.timeout if isinstance(self.timeout, int | float) else TIMEOUT_S
                self.until = time.monotonic() + timeout
                port = self.port or self.default_port
                return nodes[self.host].dial(port, min(timeout, connect_s))

            def response_class(self, *words: Any, **named: Any) -> _InTime:  # type: ignore[override]
                return _InTime(*words, until=self.until, **named)

        class Secured(Dialled, urllib3.connection.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                connection: Any = self.sock  # a ssl.SSLSocket from here on
                shown = connection.getpeercert(binary_form=True)
                SHOWN.certificate = hashlib.sha256(shown).hexdigest() if shown else None

        class Pool(urllib3.HTTPConnectionPool):
            ConnectionCls = Dialled

        class SecuredPool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secured

        self._pools = {"http": Pool, "https": SecuredPool}
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools


class _InTime(http.client.HTTPResponse):
    """An answer that is read before a moment, or not at all, and the last of its connection."""

    def __init__(self, connection: socket.socket, *words: Any, until: float, **named: Any) -> None:
        super().__init__(connection, *words, **named)
        self.fp = io.BufferedReader(_Until(self.fp.detach(), connection, until))

    def begin(self) -> None:
        super().begin()
        # A server that was asked to close need not say that it will, nor do it at once.
        self.will_close = True


class _Until(io.RawIOBase):
    """A connection's stream; reading raises TimeoutError once that moment has come."""

    def __init__(self, stream: Any, connection: socket.socket, until: float) -> None:
        super().__init__()
        self._stream = stream
        self._connection = connection
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer has no end")
        self._connection.settimeout(left)
        count: int | None = self._stream.readinto(buffer)
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


Probe = Callable[..., Traffic]
"""Type of the fixture `probe`: called, it returns a client that sends requests."""
