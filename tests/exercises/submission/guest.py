"""A guest on somebody's own WordPress, who writes there and is gone at the end with all he wrote.

Nobody here knows its password. Where its owner has installed it, the guest is a user of the drill's
own with the role editor, whom WordPress itself makes and removes, in its container and with its own
access to its database. Where it is not installed, the drill installs it, and removes that.
"""

import json
import re
import secrets
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pytest_swarmlab.errors import NotConverged, ProviderError
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import ABANDONED_AFTER_S, Guard, Undoes
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.text import line
from pytest_swarmlab.waiting.waiter import Waiter

from ..exercise_2_5.drill import Drill
from ..exercise_2_5.events import Gone
from ..exercise_2_5.site import Site

PROGRAM = (Path(__file__).parent / "guest.php").read_text(encoding="utf-8")

USER = "www-data"
"""As whom the site's own program runs in its container: what is written there is this user's."""

PHP = ("php", "-r", PROGRAM, "--")

ASK_S, SHOWN = 60, 4096
"""Seconds that the program may take, and bytes of its output's end that are read."""

READY_S = 240

NAMED = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9a-fA-F:.]{2,45}\](:[0-9]{1,5})?")
"""A host with or without a port, as it may stand in a request."""


@dataclass(frozen=True)
class Found:
    """How a WordPress was found. `home`: its own address, "" if it is not installed."""

    installed: bool
    several: bool
    home: str
    tables: int


def login() -> str:
    """A name that no user has."""
    return f"swarmlab-{secrets.token_hex(4)}"


def found(wordpress: Service, *, replicas: int, wait: Waiter) -> Found | None:
    """Ask it how it is; nothing is changed. None where it gives no answer."""
    node, container = _container(wordpress, replicas, wait)
    said = node.ask(*_words(container, "look"), within=2 * ASK_S)
    told = _told(said.stdout)
    installed, several, home = (told.get(key) for key in ("installed", "several", "home"))
    tables = _number(told, "tables")
    if not isinstance(installed, bool) or not isinstance(several, bool) or tables is None:
        return None
    return Found(installed, several, home if isinstance(home, str) else "", tables)


def why_not(seen: Found) -> str:
    """Why no guest can write there; "" where one can."""
    if seen.several:
        return "it is several sites in one, and a guest would be one of all"
    if not seen.installed:
        return "" if not seen.tables else "it is not installed, but its database has tables of it"
    address = urlsplit(seen.home)
    if address.scheme != "http":
        return "its address is not http://…: who asks a node for it is sent away"
    if address.path.strip("/") or not NAMED.fullmatch(address.netloc):
        return "its address has more than a host and a port"
    return ""


@contextmanager
def gone_at_the_end(blog: Drill, wait: Waiter) -> Iterator[Callable[[], None]]:
    """Hands over what begins the drill: it installs the site, or logs the guest in.

    On somebody's own cluster all that was written is removed at the block's end, and its removal is
    verified; timers on the nodes do so if this process dies. Skips the test where no guest can
    write. Raises ProviderError where something is left.
    """
    if not blog.swarm.machines.foreign:
        yield lambda: blog.install({})
        return
    seen = found(blog.wordpress, replicas=blog.deployed.replicas, wait=wait)
    if seen is None:
        pytest.skip(f"the PHP of {blog.wordpress.name} says nothing of its WordPress")
    if why := why_not(seen):
        pytest.skip(f"{blog.wordpress.name} can't be written to: {why}")
    site, remove = blog.site, "dismiss" if seen.installed else "uninstall"
    timers = _timers(blog.swarm, blog.wordpress, remove, site.author)
    writes = "posts, comments and a picture" if seen.installed else "its installation"
    words = shlex.join(["guest", site.author, blog.wordpress.name, writes])
    with Guard.undone_after(
        timers, "guest", Undoes.DEPLOYMENT, undo=lambda: _remove(blog, remove, wait)
    ):
        blog.swarm.leader().announce(words)
        yield lambda: _invited(blog, seen, wait) if seen.installed else blog.install({})


def _invited(blog: Drill, seen: Found, wait: Waiter) -> None:
    """Have a user made for the guest, and begin as him. Skips the test where that can't be done."""
    site, wordpress = blog.site, blog.wordpress
    node, container = _container(wordpress, blog.deployed.replicas, wait)
    said = node.run(
        *_words(container, "invite", site.author), stdin=site.password.encode() + b"\n",
        check=False, title=f"A guest of {wordpress.name}: the user {site.author}, an editor",
    )  # fmt: skip
    told = _told(said.stdout)
    site.guest = _number(told, "user")
    if site.guest is None:
        pytest.skip(f"{wordpress.name} took no guest: {line(told.get('error', 'no answer'), 200)}")
    site.host = urlsplit(seen.home).netloc
    blog.visit()


def _remove(blog: Drill, how: str, wait: Waiter) -> None:
    """Remove what the guest wrote, and himself. Raises ProviderError where something is left."""
    wordpress, author = blog.wordpress, blog.site.author
    try:
        node, container = _container(wordpress, blog.deployed.replicas, wait)
    except NotConverged as error:
        raise ProviderError(
            f"what {author} wrote on {wordpress.name} could not be removed, since {error}: a timer"
            f" on each node does so in {ABANDONED_AFTER_S // 3600} h"
        ) from error
    said = node.run(
        *_words(container, how, author), check=False,
        title=f"{author} and all that he wrote are removed from {wordpress.name}",
    )  # fmt: skip
    told = _told(said.stdout)
    left = _number(told, "left")
    blog.evidence.write(Gone(author, left))
    if left != 0:
        why = told.get("error", f"{'it is not known how many' if left is None else left} are left")
        raise ProviderError(
            f"what {author} wrote on {wordpress.name} could not be removed: {line(why, 200)}"
        )


def _container(wordpress: Service, replicas: int, wait: Waiter) -> tuple[Node, str]:
    """A replica's node and container."""
    (task, *_) = wait(wordpress.converged(replicas=replicas), within=READY_S)
    return wordpress.swarm.node(task.node), task.container


def _words(container: str, *what: str) -> tuple[str, ...]:
    """Within bounds: what a site of somebody's says, and for how long, is its own affair."""
    words = ("docker", "exec", "--interactive", "--user", USER, container, *PHP, *what)
    return ("sh", "-c", f"timeout {ASK_S} {shlex.join(words)} 2>&1 | tail --bytes={SHOWN}")


def _timers(
    swarm: Swarm, wordpress: Service, how: str, author: str
) -> list[tuple[Node, list[tuple[str, ...]]]]:
    """Each node with what it does there if a replica runs on it then."""
    label = shlex.quote(f"label=com.docker.swarm.service.name={wordpress.name}")
    one = f"docker ps --quiet --filter {label} | head -n 1"
    words = ("docker", "exec", "--user", USER, "CONTAINER", *PHP, how, author)
    told = shlex.join(("timeout", str(ASK_S), *words))
    shell = ("sh", "-c", f"{one} | xargs --no-run-if-empty --replace=CONTAINER {told}")
    return [(node, [shell]) for node in swarm.nodes]


def _told(output: str) -> Mapping[str, object]:
    """The program's last line; empty where there is none. Whatever else is there is the site's."""
    lines = output.strip().splitlines()
    try:
        told = json.loads(lines[-1]) if lines else None
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _number(told: Mapping[str, object], key: str) -> int | None:
    found = told.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def new_author(swarm: Swarm, port: int) -> Site:
    """The site's author; on somebody's own cluster under a name that no user has."""
    if swarm.machines.foreign:
        return Site(swarm.nodes, swarm.recorder, port, author=login())
    return Site(swarm.nodes, swarm.recorder, port)
