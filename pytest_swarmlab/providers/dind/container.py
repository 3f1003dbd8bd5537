"""A node as the engine is asked for it: a whole machine, as far as a container can be one."""

from __future__ import annotations

from pathlib import Path

import docker
from docker.types import LogConfig

from pytest_swarmlab.model import NodeSpec, Topology
from pytest_swarmlab.providers.dind import labels
from pytest_swarmlab.providers.dind.network import Network

SOCKETS = "/srv/swarmlab"
"""Where a node finds the directory of this host in which its engine's socket belongs."""

WITHHELD = ("SYS_RESOURCE", "SYS_TIME")
"""Capabilities that a node does without. Where this host itself hasn't the first, as in many
containers, a privileged container can't be started; with the second a node could set the clock
of this host."""

MODULES = Path("/lib/modules")
"""The host kernel's modules, from which a node's engine loads what it needs, such as IPVS."""


def name(cluster: str, node: str) -> str:
    """The name of a node's container in the engine."""
    return f"swarmlab-{cluster}-{node}"


def create(
    api: docker.APIClient,
    spec: NodeSpec,
    *,
    cluster: str,
    image: str,
    network: Network,
    topology: Topology,
    sockets: Path,
    written: dict[str, str],
) -> str:
    """Make the container of a node, with its address; it gets no power yet. Returns its id.

    `topology`: every node with its address, for ``/etc/hosts``. `sockets`: directory of this
    host for the socket of its engine.
    """
    binds = [f"{sockets}:{SOCKETS}:rw"]
    if MODULES.is_dir():
        binds.append(f"{MODULES}:{MODULES}:ro")
    host = api.create_host_config(
        binds=binds,
        cap_add=["ALL"],
        cap_drop=list(WITHHELD),
        # `label` is SELinux's; an engine without it takes no notice.
        security_opt=["seccomp=unconfined", "apparmor=unconfined", "label=disable"],
        device_cgroup_rules=["a *:* rwm"],
        cgroupns="private",
        userns_mode="host",
        tmpfs={"/run": "exec,mode=0755"},
        mem_limit=spec.memory_mib * 2**20,
        extra_hosts={node.name: node.address for node in topology.nodes if node is not spec},
        log_config=LogConfig(type=LogConfig.types.JSON),
        network_mode=network.id,
    )
    # Nothing of /proc and /sys is hidden: `systempaths=unconfined`, in the API's own words.
    host |= {"MaskedPaths": [], "ReadonlyPaths": []}
    made = api.create_container(
        image,
        name=name(cluster, spec.name),
        hostname=spec.name,
        host_config=host,
        networking_config=api.create_networking_config(
            {network.id: api.create_endpoint_config(ipv4_address=spec.address)}  # type: ignore[arg-type]
        ),
        labels={**written, labels.NODE: spec.name},
        # Only a terminal gives systemd a console to write to.
        tty=True,
    )
    return str(made["Id"])
