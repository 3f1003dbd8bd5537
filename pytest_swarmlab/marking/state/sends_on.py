"""Whom a proxy's configuration sends visitors on to, as far as names in its text say it."""

from __future__ import annotations

import re
from collections.abc import Iterator

COMMENT = re.compile(r"(?m)(?:^|\s)#.*$")

URL = re.compile(r"\bhttps?://([\w.$-]+)")
"""In `proxy_pass`, in a variable that it names, in Apache's `ProxyPass`, in Caddy's
`reverse_proxy`."""

SERVER = re.compile(
    r"(?m)(?:^|[{;])\s*server\s+(?:[\w.-]+\s+)?([\w.$-]+)(?::\d+)?(?=\s*(?:;|$)|\s+\w)"
)
"""In nginx's `upstream`, and in HAProxy's `backend`, which names it first."""

PLAIN = re.compile(r"(?m)^\s*reverse_proxy\b(.*)$")
"""Caddy's, whose words may be hosts with ports."""

HOST_PORT = re.compile(r"(?<![\w./:$-])([\w.-]+):\d+\b")

UPSTREAM = re.compile(r"\bupstream\s+([\w.-]+)")


def hosts(text: str) -> set[str]:
    """Every host that the configuration names; a variable's name begins with ``$``.

    Names of nginx's `upstream` blocks are none: their servers are.
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
    """The name by which a swarm alone can know that host; "" where others may.

    A variable, an address, this machine, and a name with a domain may be known elsewhere.
    """
    name = host.removeprefix("tasks.").rstrip(".")
    return "" if "." in name or "$" in name or name in {"", "localhost"} else name
