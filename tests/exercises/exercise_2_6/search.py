"""Looks for a secret's plaintext wherever it must not be."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import Guard, Undoes
from pytest_swarmlab.swarm.lifecycle import in_parallel

from . import events

LOGS = ("/var/log", "/run/log")
CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
ROOT = b"root:x:0:0:"
JOURNAL = b"_BOOT_ID="
"""What a swarm's directory, /etc and a journal have anyhow."""

AROUND_S, TIMED_OUT = 120, 124
"""Seconds that a search may take on somebody's own node, and how `timeout` ends what took longer
(timeout(1))."""

MEMORY, EXHAUSTED = ("prlimit", f"--as={512 << 20}"), "memory exhausted"
"""`grep` keeps what has no zero byte in memory, whole, and says so where it gets no more."""


def forms_of(value: bytes) -> tuple[bytes, ...]:
    """A value as a command or an API may show it: as it is, and in Base64."""
    return value.strip(), base64.b64encode(value)


def look_for_the_plaintext(
    swarm: Swarm,
    container: str,
    on: Node,
    canary: bytes,
    *,
    evidence: Evidence,
    besides: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Search every place where a secret must not be; a control lies in each, and must be found.

    The control shows that the search works: another random text, put on purpose into each of the
    places. `container`: of a task that has the secret, on that node. `besides`: name → directories
    that are searched on each node.
    """
    control = f"control-{secrets.token_hex(12)}".encode()
    long, layer = _id_and_layer(on, container)
    for where in (f"/tmp/{control.decode()}", "/proc/1/fd/1"):
        on.run("docker", "exec", "--interactive", container, "tee", where, stdin=control + b"\n")

    def search(node: Node, what: str, *places: str) -> None:
        _search(evidence, node, what, places, canary, control)

    def search_node(node: Node) -> None:
        # Engines may keep theirs elsewhere (`data-root`).
        places = {"swarm directory": (f"{_data_root(node)}/swarm",), **besides}
        for what, directories in places.items():
            put = f"{directories[0]}/control"
            gone = ("rm", "-f", put)
            with Guard.undone_after(
                [(node, [gone])], "control", Undoes.DEPLOYMENT, undo=partial(node.run, *gone)
            ):
                node.put(control, put)
                search(node, what, *directories)
        node.run("logger", "--tag", "swarmlab", control.decode())
        search(node, "logs", *LOGS)

    in_parallel(search_node, swarm.nodes)
    search(on, "container's layer", layer)
    files = f"{_data_root(on)}/containers/{long}"
    search(on, "container's files and log", files)
    _note_memory(evidence, on, f"{files}/mounts/secrets", canary)
    leader = swarm.leader()
    raft = f"{_data_root(leader)}/swarm/raft"
    leader.look("ls", "-lR", raft, title="Where a manager keeps them")
    _search_the_run(evidence, swarm.recorder.path.parent, canary, control)


def look_around(
    swarm: Swarm,
    container: str,
    on: Node,
    canary: bytes,
    *,
    evidence: Evidence,
    besides: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """As `look_for_the_plaintext`, where nothing is put into directories and logs.

    There the control is a text that each of these places has anyhow. Only the container's layer may
    be empty: it gets a file for a moment. A search that takes too long is none.
    """
    long, layer = _id_and_layer(on, container)

    def search(node: Node, what: str, control: bytes, *places: str) -> None:
        _search(evidence, node, what, places, canary, control, within=AROUND_S)

    def search_node(node: Node) -> None:
        search(node, "swarm directory", CERTIFICATE, f"{_data_root(node)}/swarm")
        for what, directories in besides.items():
            search(node, what, ROOT, *directories)
        search(node, "logs", JOURNAL, *LOGS)

    in_parallel(search_node, swarm.nodes)
    control = f"control-{secrets.token_hex(12)}".encode()
    put = f"/tmp/{control.decode()}"
    gone = ("docker", "exec", container, "rm", "-f", put)
    with Guard.undone_after(
        [(on, [gone])], "control", Undoes.DEPLOYMENT, undo=lambda: on.run(*gone)
    ):
        on.run("docker", "exec", "--interactive", container, "tee", put, stdin=control + b"\n",
               check=False)  # fmt: skip
        search(on, "container's layer", control, layer)
    files = f"{_data_root(on)}/containers/{long}"
    search(on, "container's files and log", long.encode(), files)
    _note_memory(evidence, on, f"{files}/mounts/secrets", canary)
    _search_the_run(evidence, swarm.recorder.path.parent, canary, long.encode())


def _id_and_layer(on: Node, container: str) -> tuple[str, str]:
    """The container's whole id, and the directory of what it has written."""
    shown = ("{{.Id}}", "{{.GraphDriver.Data.UpperDir}}")
    long, layer = (
        on.look("docker", "inspect", "--format", what, container).stdout.strip() for what in shown
    )
    return long, layer


def _search(
    evidence: Evidence,
    node: Node,
    what: str,
    places: Sequence[str],
    canary: bytes,
    control: bytes,
    within: int | None = None,
) -> None:
    """`grep` in all files of these places; what it looks for goes in on standard input.

    `within`: seconds, after which it is given up, and nothing is noted; nor is it where files are
    too large for it.
    """
    forms = forms_of(canary)
    bounds = () if within is None else (*MEMORY, "timeout", str(within), "nice")
    done = node.look(
        *bounds,
        # A line ends at a zero byte: a database is full of them.
        "grep", "--recursive", "--text", "--null-data", "--only-matching", "--no-filename",
        "--no-messages", "--fixed-strings", "--file=-", "--exclude-dir=mounts", *places,
        stdin=b"\n".join((*forms, control)) + b"\n", check=False,
        title=f"On {node}: is it in the {what}?",
    )  # fmt: skip
    if within is not None and (done.code == TIMED_OUT or EXHAUSTED in done.stderr):
        return
    found = done.stdout.encode()
    evidence.write(
        events.Search(
            node.name,
            what,
            tuple(places),
            found=sum(found.count(form) for form in forms),
            control=found.count(control),
        )
    )


def _data_root(node: Node) -> str:
    return str(node.engine.info()["DockerRootDir"])


def _note_memory(evidence: Evidence, node: Node, place: str, canary: bytes) -> None:
    """The one place on that node where it is: what kind of file system it is."""
    kind = node.look("findmnt", "--noheadings", "--output", "FSTYPE", "--target", place).stdout
    found = node.look(
        "grep", "--recursive", "--text", "--fixed-strings", "--count", "--no-filename",
        "--file=-", place, stdin=canary + b"\n", check=False,
    ).stdout  # fmt: skip
    count = sum(int(line) for line in found.split())
    evidence.write(events.Memory(node.name, place, kind.strip(), count))


def _search_the_run(evidence: Evidence, directory: Path, canary: bytes, control: bytes) -> None:
    """The run's own files. The control is in its record, since it is no secret."""
    files = [file.read_bytes() for file in directory.rglob("*") if file.is_file()]
    evidence.write(
        events.Search(
            "",
            "what the run wrote",
            (f"{len(files)} files",),
            found=sum(content.count(form) for content in files for form in forms_of(canary)),
            control=sum(content.count(control) for content in files),
        )
    )
