"""The hosts to which a proxy's configuration forwards requests."""

from __future__ import annotations

import re
from collections.abc import Iterator

COMMENT = re.compile(r"(?m)(?:^|\s)#.*$")

URL = re.compile(r"\bhttps?://([\w.$-]+)")
"""In nginx's `proxy_pass` or its variable, Apache's `ProxyPass`, Caddy's `reverse_proxy`."""

SERVER = re.compile(
    r"(?m)(?:^|[{;])\s*server\s+(?:[\w.-]+\s+)?([\w.$-]+)(?::\d+)?(?=\s*(?:;|$)|\s+\w)"
)
"""In nginx's `upstream`, and in HAProxy's `backend`, where a name comes before the host."""

PLAIN = re.compile(r"(?m)^\s*reverse_proxy\b(.*)$")
"""Caddy's, whose arguments may be hosts with ports."""

HOST_PORT = re.compile(r"(?<![\w./:$-])([\w.-]+):\d+\b")

UPSTREAM = re.compile(r"\bupstream\s+([\w.-]+)")


def hosts(text: str) -> set[str]:
    """Every host that the configuration names; a variable's name begins with ``$``.

    The name of an nginx `upstream` block is no host; its servers are.
    """
    said = COMMENT.sub("", text)
    blocks = set(UPSTREAM.findall(said))
    return {host for host in _named(said) if host not in blocks}


def _named(text: str) -> Iterator[str]:
    yield from URL.findall(text)
    yield from SERVER.findall(text)
    for words in PLAIN.findall(text):
        yield from HOST_PORT.findall(words)


def of_the_swarm(host: str) -> str:
    """The service's name if only Swarm's DNS can resolve the host, else "".

    A variable, an address, localhost, and a name with a domain may resolve elsewhere.
    """
    name = host.removeprefix("tasks.").rstrip(".")
    return "" if "." in name or "$" in name or name in {"", "localhost"} else name
