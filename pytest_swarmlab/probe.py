"""A client that goes on asking while something breaks, and writes down every answer."""

from __future__ import annotations

import hashlib
import itertools
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
import urllib3
from requests.adapters import HTTPAdapter

from pytest_swarmlab.cluster import Node
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.waits import Done, Fatal, Pending, done, pending

RATE = 20.0
"""Requests a second over all nodes together: with four nodes each is asked every 200 ms."""

TIMEOUT_S = 3.0
"""How long a client waits to connect, and then for the answer, before it counts an error."""

AT_ONCE = 64
"""Requests under way at once, at most: a stalled node must not slow the others' share."""

HIGHEST_RATE = 200.0
"""Load stays bounded: two cores carry the nodes and this client."""


class Traffic:
    """Asks the nodes in turn, each time on a new connection, at a steady rate.

    A context manager; between entry and exit every request becomes a `request`
    event with node, time sent, duration and status or error.
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
        """`via`: nodes to ask through; `rate`: requests a second in all, `timeout`: seconds.

        `host`: the name a visitor would ask for, where a site cares; by default the node's.
        `header`: one of the answer's headers, whose value is recorded with each request: which
        version gave it, for example.
        `ca`: ask over TLS, and believe only what this authority's certificate (PEM) vouches for.
        """
        if not via or not 0 < rate <= HIGHEST_RATE:
            raise ValueError(f"a probe needs nodes and a rate up to {HIGHEST_RATE}, not {rate}")
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
        self._asked = 0
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="probe")
        self._session = session(self.via, ca=ca)
        if host:
            self._session.headers["Host"] = host
        self._clock = threading.Thread(target=self._ask_steadily, name="probe", daemon=True)

    @property
    def asked(self) -> int:
        """Requests that are over."""
        with self._lock:
            return self._asked

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Requests without a good answer so far, as they were recorded."""
        with self._lock:
            return list(self._failed)

    def asked_at_least(self, requests: int) -> AskedAtLeast:
        """Condition: so many requests are over."""
        return AskedAtLeast(self, requests)

    def __enter__(self) -> Self:
        self._clock.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._clock.join()
        self._pool.shutdown(wait=True)
        self._session.close()

    def _ask_steadily(self) -> None:
        due = time.monotonic()
        for node in itertools.cycle(self.via):
            if self._over.wait(max(0.0, due - time.monotonic())):
                return
            self._pool.submit(self._ask, node)
            due += self._period

    def _ask(self, node: Node) -> None:
        url = f"{self._scheme}://{node.name}:{self._port}{self._path}"
        sent = self._recorder.now()
        status, error, header, SHOWN.certificate = None, None, None, None
        try:
            # A redirect may lead out of the lab; it is an answer as it is.
            answer = self._session.get(url, timeout=self._timeout, allow_redirects=False)
            status = answer.status_code
            header = answer.headers.get(self._header) if self._header else None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as problem:
            error = reason(problem)
        data: dict[str, Any] = {
            "node": node.name,
            "sent": round(sent, 4),
            "seconds": round(self._recorder.now() - sent, 4),
            "status": status,
            "error": error,
            "url": url,
            "port": self._port,
        }
        if self._header:
            data["header"] = header
        if self._scheme == "https":
            data["certificate"] = SHOWN.certificate
        self._recorder.record("request", **data)
        with self._lock:
            self._asked += 1
            if error or status is None or status >= 400:
                self._failed.append(data)


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
        return done(asked, seen) if asked >= self._requests else pending(seen)


def reason(problem: BaseException) -> str:
    """Why a request failed, in a word that can be counted: the innermost cause's own name."""
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
    """What the server of this thread's latest handshake showed."""

    certificate: str | None = None


SHOWN = _Shown()
"""`SHOWN.certificate`: SHA-256 of the server's certificate (DER), in hexadecimal digits."""


def session(nodes: Sequence[Node], *, ca: Path | None = None) -> requests.Session:
    """A client whose URLs name nodes (``http://manager1:8080/``) and that reaches them.

    Every request opens a connection of its own, as the mesh balances connections,
    from the client's place in the lab network. No proxy, no retry, no cookies kept
    by the transport. `ca`: the certificate (PEM) of the only authority that it believes.
    """
    client = requests.Session()
    client.trust_env = False
    client.headers["Connection"] = "close"
    by_name = {node.name: node for node in nodes}
    for scheme in ("http://", "https://"):
        client.mount(scheme, _ThroughTheLab(by_name))
    if ca:
        client.verify = str(ca)
    return client


class _ThroughTheLab(HTTPAdapter):
    """Opens connections with `Node.dial` instead of a socket of this process's own network."""

    def __init__(self, nodes: dict[str, Node]) -> None:
        class Dialled(urllib3.connection.HTTPConnection):
            def _new_conn(self) -> Any:
                timeout = self.timeout if isinstance(self.timeout, int | float) else TIMEOUT_S
                return nodes[self.host].dial(self.port or self.default_port, timeout)

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
        super().__init__(max_retries=0, pool_maxsize=AT_ONCE)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools
