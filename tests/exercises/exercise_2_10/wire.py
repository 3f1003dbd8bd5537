"""Captures and counts packets between two nodes, on one of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_swarmlab.background import Background
from pytest_swarmlab.errors import SwarmlabError
from pytest_swarmlab.swarm.cluster import Node

WATCHED_S = 5
"""Two queries are needed; one takes 0.7 s, of which most is the start of a program."""
MORE_S = 30.0

COUNTER = """
import json, socket, sys, time
own, until = socket.inet_aton(sys.argv[1]), time.monotonic() + float(sys.argv[2])
words = {"kept": sys.argv[3].encode(), "open": sys.argv[4].encode()}
seen = {"esp": 0, "vxlan": 0, "kept": 0, "open": 0, "packets": 0}
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 23)
wire.settimeout(0.2)
print("watching", flush=True)
while time.monotonic() < until:
    try:
        packet = wire.recv(65535)
    except socket.timeout:
        continue
    if len(packet) < 20 or packet[0] >> 4 != 4 or own not in (packet[12:16], packet[16:20]):
        continue
    seen["packets"] += 1
    seen["esp"] += packet[9] == 50
    header = (packet[0] & 15) * 4
    seen["vxlan"] += packet[9] == 17 and packet[header + 2 : header + 4] == b"\\x12\\xb5"
    for name, word in words.items():
        seen[name] += word in packet
print(json.dumps(seen))
"""
"""Counts the IPv4 packets that the node sends or gets under its own address: those of ESP (protocol
50), those of unencrypted VXLAN (UDP port 4789), and those that have a word."""


class Unwatched(SwarmlabError):
    """No packets could be captured."""


@dataclass(frozen=True)
class Watched:
    """The counts: all packets, those of ESP, of plain VXLAN, and with each word in clear."""

    packets: int
    esp: int
    vxlan: int
    kept: int
    open: int


def watch(node: Node, *, kept: str, open_: str, meanwhile: Callable[[], None]) -> Watched:
    """Capture the node's packets for WATCHED_S, and call `meanwhile` again and again.

    `kept`, `open_`: two words; `meanwhile` has them sent on an encrypted network and on another
    way. Raises Unwatched when the node told nothing.
    """
    told: list[Any] = []

    def count() -> None:
        argv = ("python3", "-c", COUNTER, node.address, str(WATCHED_S), kept, open_)
        said = node.ask(*argv, within=WATCHED_S + MORE_S)
        try:
            told.append(Watched(**json.loads(said.stdout.splitlines()[-1])))
        except (ValueError, TypeError, IndexError) as error:
            raise Unwatched(f"{node} did not count: {said.stderr.strip()[-200:]}") from error

    threads = Background("the watcher of the wire", threads=1)
    watching = threads.start(count)
    problem: BaseException | None = None
    try:
        while not watching.done():
            meanwhile()
    except BaseException as error:
        problem = error
        raise
    finally:
        threads.end(problem)
    watched: Watched = told[0]
    return watched
