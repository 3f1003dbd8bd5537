"""An honest stranger's cluster: the Vagrantfile's machines, and the lab's text typed on them.

``stranger/2-N.sh`` is what he types for exercise 2.N, ``1.sh`` what Lab 1 left. A line
``## manager1 worker1`` names the machines on which all up to the next such line is typed, one after
the other; ``## manager1, Ctrl-C after 20 s`` that he waits no longer. A command that fails ends
nothing: what he makes of it stands beside it. The text's ``SWMTKN-1-xxxxx`` is the token that was
shown last.

The machines are another process's, which has them until its standard input is closed:
``python -m tests.marking.stranger DIRECTORY`` prints their id once all is typed, an empty line
where that failed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

from pytest_swarmlab.config import default_cache
from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Membership, NodeSpec, Topology
from pytest_swarmlab.providers.uml import UmlProvider
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.lifecycle import BOOT_S, in_parallel

HERE = Path(__file__).parent
TYPED = HERE / "stranger"
ROOT = HERE.parents[1]

SERVER, SUBNET, HOME = "manager1", "192.168.56.0/24", "/home/vagrant"

BECOMES = {
    "manager1": Membership.MANAGER,
    "worker1": Membership.MANAGER,
    "manager3": Membership.MANAGER,
    "worker2": Membership.WORKER,
}
"""What exercise 2.1 makes of the machines, by the letter; manager2 it never names again."""

BOX = "id vagrant || useradd --create-home --shell /bin/bash vagrant; docker rmi myapi:latest"
"""A box has that user, and the lab's own image has nobody."""

NO_SUDO = f'sudo() {{ "$@"; }}\nexport -f sudo\ncd {HOME}\n'
"""Whoever types is root on these machines, which have no sudo; his script finds it, too."""

HEAD = re.compile(r"## (?P<nodes>\w+(?: \w+)*)(?:, Ctrl-C after (?P<seconds>\d+) s)?")
TOKEN, FORM = re.compile(r"SWMTKN-1-\w{30,}-\w+"), re.compile(r"SWMTKN-1-xxxxx(-\w+)?")

LONGEST_S = 180
"""No command that ends by itself takes longer; an archive of all volumes takes some ten seconds."""


@dataclass(frozen=True)
class Block:
    """Something typed: on which machines, what, and after how many seconds it is given up."""

    nodes: tuple[str, ...]
    text: str
    seconds: int = LONGEST_S


def machines() -> Topology:
    """The Vagrantfile's five, none of them in a swarm."""
    specs = Topology.of(3, 2).nodes
    return Topology("vagrant", tuple(replace(n, membership=Membership.OUTSIDE) for n in specs))


def as_left() -> tuple[NodeSpec, ...]:
    """The same as they are once the text has been followed."""
    return tuple(
        replace(n, membership=BECOMES.get(n.name, Membership.OUTSIDE)) for n in machines().nodes
    )


def exercises() -> list[Path]:
    """What is typed, in the lab's order."""
    return sorted(TYPED.glob("*.sh"), key=lambda path: [int(n) for n in path.stem.split("-")])


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a file; ValueError for words before the first that no comment hides."""
    nodes: tuple[str, ...] = ()
    seconds, lines = LONGEST_S, list[str]()
    for line in [*text.splitlines(), "## end"]:
        if head := HEAD.fullmatch(line):
            if typed := "\n".join(lines).strip():
                if not nodes:
                    raise ValueError(f"nobody types {typed[:60]!r} anywhere")
                yield Block(nodes, f"{typed}\n", seconds)
            nodes, lines = tuple(head["nodes"].split()), []
            seconds = int(head["seconds"] or LONGEST_S)
        elif nodes or not line.startswith("#"):
            lines.append(line)


def provision_script() -> str:
    """The very text that the Vagrantfile runs on each machine."""
    text = (ROOT / "Vagrantfile").read_text("utf-8")
    return text.partition("<<~'SHELL'\n")[2].partition("\nSHELL")[0]


def provision(nodes: Sequence[Node]) -> None:
    """Run it as `vagrant up` does, all at once, and once more: then it finds nothing to do.

    Raises ProviderError where it had to install something: there is no way to a mirror.
    """
    hosts = "\n".join(f"{node.address} {node.name}" for node in nodes)
    script = provision_script()

    def one(node: Node) -> None:
        node.run("sh", "-c", BOX)
        role = "server" if node.name == SERVER else "client"
        for _ in range(2):
            said = node.run("bash", "-c", script, "vagrant-shell", role, SUBNET, hosts).stdout
            if "Installing" in said or f"NFS {role}" not in said:
                raise ProviderError(f"the Vagrantfile's provisioning of {node} said: {said}")

    in_parallel(one, nodes)


def follow(swarm: Swarm) -> None:
    """Type all of it."""
    token = ""
    swarm.node(SERVER).put((ROOT / "stacks/ecommerce-literal.yml").read_bytes(),
                           f"{HOME}/ecommerce-stack.yml")  # fmt: skip
    for path in exercises():
        with swarm.recorder.phase(f"stranger/{path.stem}"):
            for block in blocks(path.read_text("utf-8")):
                for name in block.nodes:
                    text = FORM.sub(token, block.text)
                    limit = ("timeout", "--signal=INT", "--kill-after=5", str(block.seconds))
                    done = swarm.node(name).run(
                        *limit, "bash", "-x", "-c", NO_SUDO + text, check=False
                    )
                    token = (TOKEN.findall(done.stdout) or [token])[-1]


def main(directory: Path) -> None:
    """Have the machines until standard input is closed; the text is followed meanwhile."""
    recorder = Recorder(directory / "events.jsonl")
    provider = UmlProvider(cache=default_cache(), origin="stand-in")
    started = provider.start(machines(), recorder=recorder, consoles=directory / "consoles")

    def live() -> None:
        done = ""
        try:
            swarm = Swarm(started, recorder)
            in_parallel(lambda node: node.await_access(BOOT_S), swarm.nodes)
            provision(swarm.nodes)
            follow(swarm)
            done = started.id
        finally:
            sys.stdout.write(f"{done}\n")
            sys.stdout.flush()

    try:
        # Whoever wanted the machines may be gone before all is typed.
        Thread(target=live, daemon=True).start()
        sys.stdin.read()
    finally:
        started.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
