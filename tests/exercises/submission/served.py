"""Whom somebody's NFS server serves: may it be taken from them for a moment?"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address, ip_address

from pytest_swarmlab.errors import CommandError, ProviderError
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.survey import system
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.text import line

CLIENTS = ("find", "/proc/fs/nfsd/clients", "-mindepth", "2", "-name", "info", "-exec", "cat",
           "{}", "+")  # fmt: skip
"""Clients of version 4, a paragraph each (Linux 5.3)."""

CONNECTED = ("ss", "-H", "-n", "-t", "state", "established", "( sport = :2049 )")
"""Of every version."""

RMTAB = "/var/lib/nfs/rmtab"
"""Who has mounted by version 3, also over UDP, and has not said that it unmounted."""

ETAB = "/var/lib/nfs/etab"
FILES = ("find", "/etc/exports", "/etc/exports.d", "-name", "exports", "-o", "-name", "*.exports")

MOUNTS = ("grep", "-E", " nfs4? ", "/proc/self/mounts")

CLIENT = re.compile(r"^clientid: ", re.MULTILINE)
ADDRESS = re.compile(r'^address: "(.*)"$', re.MULTILINE)
MOST_NAMED = 5


def why_not(work: Work, server: Node) -> str:
    """Why the NFS server of that node may not be stopped for some seconds; "" where it may.

    It may where all its clients are nodes of this swarm, each of which waits for it (`hard`), and
    where it exports the same when it is back.
    """
    names = {row.machine for row in work.survey.nodes or () if not row.leftover}
    nodes = [node for node in work.swarm.nodes if node.name in names]
    try:
        known = {node.name: _addresses(node) for node in nodes}
        others = sorted(_clients(server) - {each for of in known.values() for each in of})
        if others:
            return f"{server} also serves {_named(others)}, no node of this swarm"
        if lost := sorted(_exported(server) - _in_files(server)):
            told = _named(f"{path} to {client}" for path, client in lost)
            return f"{server} exports {told}, which is not in its files and would be gone"
        mine = _addresses(server)
        soft = [words for node in nodes for words in _soft(node, mine)]
    except (CommandError, ProviderError, ValueError) as error:
        return f"nobody can tell whom {server} serves ({line(error)})"
    return f"{_named(soft)}: what is written there meanwhile could be lost" if soft else ""


def _addresses(node: Node) -> set[str]:
    """Every address of a node, and its names: by any of them it may be a client."""
    said = [node.address, *node.look("hostname", "-I").stdout.split()]
    return {node.name, *(ip(each) for each in said if _is_ip(each))}


def _clients(server: Node) -> set[str]:
    rmtab = server.look("cat", "--", RMTAB).stdout if server.host.file(RMTAB).exists else ""
    return (
        of_version_4(server.look(*CLIENTS).stdout)
        | connected(server.look(*CONNECTED).stdout)
        | of_version_3(rmtab)
    ) - {"127.0.0.1", "::1"}


def of_version_4(said: str) -> set[str]:
    """The addresses in the kernel's paragraphs on its clients.

    Raises ValueError unless each has one: a client chooses its name, which stands in them.
    """
    addresses = ADDRESS.findall(said)
    if len(addresses) != len(CLIENT.findall(said)) or bool(addresses) != bool(said.strip()):
        raise ValueError("its list of clients has another form")
    return {ip(_host(address)) for address in addresses}


def connected(said: str) -> set[str]:
    """The peers of the connections that `ss` lists. Raises ValueError for another form."""
    rows = [row.split() for row in said.splitlines() if row.strip()]
    if any(len(row) < 4 for row in rows):
        raise ValueError("its list of connections has another form")
    return {ip(_host(row[3])) for row in rows}


def of_version_3(rmtab: str) -> set[str]:
    """The clients in `rmtab`, by address or name: host:directory:count, a line each.

    Raises ValueError for another form.
    """
    found = set()
    for row in rmtab.splitlines():
        host, colon, _ = row.partition(":/")
        if not host or not colon:
            raise ValueError(f"{RMTAB} has another form")
        found.add(ip(host) if _is_ip(host) else host)
    return found


def _host(peer: str) -> str:
    host, colon, port = peer.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError(f"{peer!r} is no address with a port")
    return host.removeprefix("[").removesuffix("]")


def ip(address: str) -> str:
    """One form of each address, of IPv4 in IPv6 too. Raises ValueError where it is none."""
    found = ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


def _is_ip(address: str) -> bool:
    try:
        ip(address)
    except ValueError:
        return False
    return True


def _exported(server: Node) -> set[tuple[str, str]]:
    """Directory and client of all that is exported now."""
    return {(e.path, e.client) for e in system.exports(server.look("cat", "--", ETAB).stdout)}


def _in_files(server: Node) -> set[tuple[str, str]]:
    """Those that stand in files: only these are exported when the server starts."""
    # There need be no second directory.
    places = server.look(*FILES, check=False).stdout.split()
    return in_files(server.look("cat", "--", *places).stdout) if places else set()


def in_files(text: str) -> set[tuple[str, str]]:
    """Directory and client of each export of exports(5), as far as they are written plainly."""
    found = set()
    for row in text.replace("\\\n", " ").splitlines():
        path, *clients = row.partition("#")[0].split() or [""]
        if not path:
            continue
        named = [client for client in clients if not client.startswith("-")]
        for client in named or ["*"]:
            host = client.partition("(")[0]
            found.add((system.unescaped(path).strip('"'), host or "*"))
    return found


def _soft(node: Node, server: Iterable[str]) -> list[str]:
    """Mounts of that server on the node that give up instead of waiting, in words."""
    said = node.look(*MOUNTS, check=False)
    if said.code not in (0, 1):  # 1: there is none.
        raise CommandError(node.name, MOUNTS, said.code, said.stdout, said.stderr)
    return [
        f"{node} mounts {mount.target} without `hard`"
        for mount in system.mounts(said.stdout)
        if "hard" not in mount.options and _of(mount.options, server)
    ]


def _of(options: Sequence[str], server: Iterable[str]) -> bool:
    """Whether a mount's options name that server, or none."""
    named = [each.partition("=")[2] for each in options if each.startswith("addr=")]
    return not named or not _is_ip(named[0]) or ip(named[0]) in {*server, "127.0.0.1", "::1"}


def _named(some: Iterable[str]) -> str:
    every = [line(each) for each in some]
    more = f" and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else ""
    return ", ".join(every[:MOST_NAMED]) + more
