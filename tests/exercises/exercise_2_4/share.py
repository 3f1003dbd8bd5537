"""Option A: the share, as every node has it."""

from __future__ import annotations

from pytest_swarmlab import failed, passed
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence.events import each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import nodes_of, not_each
from pytest_swarmlab.model import Judgement

from .declared import SHARE, exercise
from .events import Client, Server
from .seen import is_nfs4_hard, options


@exercise.check(
    "packages",
    phases=SHARE,
    title="The server and its clients have the NFS packages",
    expected="nfs-kernel-server on the server, nfs-common on every node",
    hint="`dpkg -l nfs-kernel-server nfs-common`, on the nodes named.",
)
def packages(record: Record) -> Judgement:
    """Without nfs-common a node mounts nothing from its fstab."""
    server, clients = need(record, Server, "nobody looked at the server"), _clients(record)
    without = [e.node for e in clients if not e.package]
    if not server.package:
        return failed(f"{server.node} has no nfs-kernel-server")
    if without:
        return failed(f"no nfs-common on {', '.join(without)}")
    return passed(f"the server on {server.node}, the client on {len(clients)} nodes")


@exercise.check(
    "exported",
    phases=SHARE,
    title="The directory is exported to the lab's subnet",
    expected="/srv/nfs/swarm-data for 192.168.56.0/24: rw, sync, no_root_squash",
    hint="`exportfs -v` on the server; after a change of /etc/exports: `exportfs -ra`.",
)
def exported(record: Record) -> Judgement:
    """The server's own list of exports, not its file."""
    server = need(record, Server, "nobody looked")
    lines = [line.split() for line in server.exports.splitlines()]
    mine = [words[1] for words in lines if len(words) > 1 and words[0] == "/srv/nfs/swarm-data"]
    if not mine:
        return failed(f"not among: {server.exports or 'nothing is exported'}")
    client, _, options = mine[0].rstrip(")").partition("(")
    lacks = {"rw", "sync", "no_root_squash"} - set(options.split(","))
    told = f"to {client}: {options}"
    return passed(told) if client == "192.168.56.0/24" and not lacks else failed(told)


@exercise.check(
    "permanent",
    phases=SHARE,
    title="Every node mounts the share by its fstab, after its network",
    expected="a line of /etc/fstab with _netdev on every node",
    hint="Without `_netdev` a node tries to mount before its network is up, and hangs at boot.",
)
def permanent(record: Record) -> Judgement:
    """The lab's line lacks `_netdev`."""
    clients = _clients(record)
    without = [e.node for e in clients if "_netdev" not in options(e.fstab)]
    told = f"{len(clients) - len(without)} of {len(clients)} nodes"
    return failed(f"{told}; not {', '.join(without)}") if without else passed(told)


@exercise.check(
    "mounted",
    phases=SHARE,
    title="Every node has a hard mount of the share, as NFS version 4",
    expected="/proc/mounts: nfs4 with vers=4 and hard",
    hint="`grep nfs /proc/mounts`: version 3 keeps the locks of a lost node; soft mounts lose"
    " writes.",
)
def mounted(record: Record) -> Judgement:
    """The kernel's mounts on every node."""
    clients = _clients(record)
    wrong = {e.node: e.mount for e in clients if not is_nfs4_hard(e.mount)}
    if wrong:
        return failed("; ".join(f"{node}: {line}" for node, line in wrong.items()))
    return passed(f"{len(clients)} nodes, for example {clients[0].mount}")


@exercise.check(
    "seen-by-all",
    phases=SHARE,
    title="Every node reads a file that one node writes",
    expected="the same text on every node",
    hint="`cat /mnt/nfs/swarm-data/…` on each node: is it the share, or an empty directory?",
)
def seen_by_all(record: Record) -> Judgement:
    """A share that isn't mounted looks like an empty directory."""
    clients = _clients(record)
    blind = [e.node for e in clients if e.read != "seen by all"]
    if blind:
        return failed(f"not on {', '.join(blind)}")
    return passed(f"on {', '.join(e.node for e in clients)}")


def _clients(record: Record) -> list[Client]:
    """What every node's client shows. Raises Unseen where nobody looked at one of them."""
    clients = each(record, Client)
    if lacks := not_each((e.node for e in clients), nodes_of(record), "looked at"):
        raise Unseen("; ".join(lacks))
    return clients
