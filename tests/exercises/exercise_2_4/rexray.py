"""The lab's option B: a volume plugin on every node, under the name of REX-Ray.

REX-Ray itself can't be installed any more (its download host closed in 2021). What is installed
is the driver of `stacks/rexray`, with the lab's own configuration; the lab's commands stay. Its
directory on the server, which the lab forgets, is exported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.parallel import each_tried
from pytest_swarmlab.swarm.cluster import Node, Output, Swarm
from pytest_swarmlab.swarm.lifecycle import in_parallel

from .. import nfs

SOURCES = STACKS / "rexray"
VOLUMES = "/srv/nfs/volumes"
MOUNTED = "/var/lib/rexray/volumes"
UNIT, SOCKET = "rexray", "/run/docker/plugins/rexray.sock"
INSTALLED = {
    "rexray": ("/usr/local/bin/rexray", "755"),
    "config.yml": ("/etc/rexray/config.yml", "644"),
    "rexray.service": ("/etc/systemd/system/rexray.service", "644"),
}


@contextmanager
def installed(swarm: Swarm, server: Node) -> Iterator[None]:
    """The driver runs on every node; nothing of it is left at the block's end."""
    with nfs.exported(server, VOLUMES):
        try:
            in_parallel(install, swarm.nodes)
            yield
        finally:
            in_parallel(uninstall, swarm.nodes)


def install(node: Node) -> None:
    """The program, its configuration, its unit; then `systemctl enable --now rexray`."""
    for name, (path, mode) in INSTALLED.items():
        node.run("mkdir", "-p", path.rpartition("/")[0])
        node.put((SOURCES / name).read_bytes(), path)
        node.run("chmod", mode, path)
    node.run("systemctl", "daemon-reload")
    node.run("systemctl", "enable", "--now", UNIT, title=f"On {node}: the driver is started")


def uninstall(node: Node) -> None:
    """Whatever of it is there."""
    paths = [path for path, _ in INSTALLED.values()]
    paths += ["/etc/rexray", "/run/rexray", "/var/lib/rexray", SOCKET]
    each_tried(
        [
            partial(node.run, "systemctl", "disable", "--now", UNIT, check=False),
            partial(_unmount_all, node),
            partial(node.run, "rm", "-rf", "--one-file-system", "--", *paths),
            partial(node.run, "systemctl", "daemon-reload"),
        ]
    )


def _unmount_all(node: Node) -> None:
    mounts = [line.split()[1] for line in node.get("/proc/mounts").decode().splitlines()]
    ours = [place for place in mounts if place.startswith((MOUNTED, "/run/rexray/"))]
    each_tried(partial(node.run, "umount", place) for place in reversed(ours))


def create(node: Node, name: str, *options: str, check: bool = True) -> Output:
    """`docker volume create -d rexray -o size=1 --name NAME`, as the lab writes it."""
    words = [word for option in options or ("size=1",) for word in ("-o", option)]
    return node.run(
        "docker", "volume", "create", "-d", "rexray", *words, "--name", name,
        check=check, title=f"On {node}: a volume of the plugin",
    )  # fmt: skip


def remove(node: Node, name: str) -> None:
    """`docker volume rm`: on one node it is gone from all."""
    node.run("docker", "volume", "rm", "--force", name)


def known(node: Node) -> list[str]:
    """The plugin's volumes, as that node's engine lists them."""
    listed = node.look(
        "docker", "volume", "ls", "--filter", "driver=rexray", "--format", "{{.Name}}",
        title=f"On {node}: the plugin's volumes",
    )  # fmt: skip
    return listed.stdout.split()


def asking(operation: str, **request: object) -> list[str]:
    """The command that asks the driver itself, past the engine and its own checks."""
    return [
        "curl", "-sS", "--max-time", "60", "--unix-socket", SOCKET,
        "--data-binary", json.dumps(request), f"http://rexray/VolumeDriver.{operation}",
    ]  # fmt: skip


def ask(node: Node, operation: str, **request: object) -> str:
    """The driver's answer in JSON."""
    return node.run(*asking(operation, **request)).stdout


def advertised(swarm: Swarm) -> list[str]:
    """Nodes of which the managers know that they have the plugin."""
    names = []
    for node in swarm.leader().engine.api.nodes():
        plugins = node["Description"].get("Engine", {}).get("Plugins") or []
        if any(plugin["Name"].startswith("rexray") for plugin in plugins):
            names.append(str(node["Description"]["Hostname"]))
    return names


def main_pid(node: Node) -> str:
    """The driver's process on that node."""
    shown = node.look("systemctl", "show", "--property=MainPID", "--value", UNIT)
    return shown.stdout.strip()
