"""Probes what the machines' kernels can do, and which API their engines have."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_swarmlab.model import Capability
from pytest_swarmlab.waiting.conditions import no_answer

if TYPE_CHECKING:
    from pytest_swarmlab.swarm.cluster import Node, Swarm


@dataclass(frozen=True)
class Probe:
    """How a capability shows: modules to load first, where they are, then commands that succeed.

    `reads`: the commands only read, and may run on somebody's own machine. Other commands act in a
    network namespace of their own, but could make a kernel load a module.
    """

    modules: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    reads: bool = True


APART = ("unshare", "--net")
"""Has what follows done in a network namespace of its own, which ends with it."""

ESP_STATE = (
    *("ip", "xfrm", "state", "add", "src", "127.0.0.1", "dst", "127.0.0.2"),
    *("proto", "esp", "spi", "1", "mode", "transport"),
    *("aead", "rfc4106(gcm(aes))", f"0x{'00' * 20}", "64"),
)
"""A connection encrypted as Swarm encrypts an overlay."""

BPF_RULE = ("iptables", "-A", "OUTPUT", "-m", "bpf", "--bytecode", "1,6 0 0 0", "-j", "ACCEPT")
"""A rule with which Swarm sees what is to be encrypted."""

PROBES: dict[Capability, Probe] = {
    Capability.IPVS: Probe(("ip_vs",), (("test", "-e", "/proc/net/ip_vs"),)),
    Capability.NFS: Probe(("nfs",), (("grep", "-qw", "nfs4", "/proc/filesystems"),)),
    Capability.FUSE: Probe(("fuse",), (("grep", "-qw", "fuse", "/proc/filesystems"),)),
    Capability.ENCRYPTED_OVERLAY: Probe(
        ("esp4", "xt_bpf"),
        (
            (*APART, *ESP_STATE),
            (*APART, *BPF_RULE),
        ),
        reads=False,
    ),
    Capability.NETEM: Probe(
        ("sch_netem",),
        ((*APART, "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"),),
        reads=False,
    ),
    # A container may lack the file of the device that the kernel offers.
    Capability.LOOP: Probe(("loop",), (("sh", "-c", 'test -b "$(losetup --find)"'),), reads=False),
}

RULES = ("-w", "-n", "-L", "INPUT")
"""Has the firewall's program list its rules."""

START_INTERVAL_API = (1, 44)
"""The oldest engine API that has a health check's start interval: of Docker 25."""


def capabilities(swarm: Swarm, node: Node) -> dict[str, bool]:
    """Capability → whether the node has it, or its provider controls it.

    A capability of the engine must be one of every engine: any of them may get a service's task.
    """
    found: dict[str, bool] = {str(c): True for c in swarm.machines.controls}
    probes = {**PROBES, Capability.PARTITION: Probe((), ((node.firewall, *RULES),))}
    with ThreadPoolExecutor(max_workers=len(probes)) as pool:
        able = pool.map(lambda probe: _able(node, probe), probes.values())
        found.update(zip(map(str, probes), able, strict=True))
        spoken = [api for api in pool.map(_api, swarm.nodes) if api]
    found[str(Capability.START_INTERVAL)] = all(api >= START_INTERVAL_API for api in spoken)
    return {str(c): found.get(c, False) for c in Capability}


def _api(node: Node) -> tuple[int, ...]:
    """The newest API of the node's engine; empty if it does not answer."""
    try:
        told = str(node.engine.api.version().get("ApiVersion", ""))
    except no_answer():
        return ()
    return tuple(int(number) for number in told.split(".") if number.isdecimal())


def _able(node: Node, probe: Probe) -> bool:
    def does(*argv: str) -> bool:
        return node.look(*argv, check=False).code == 0

    if not node.foreign:
        for module in probe.modules:
            # It may be built in, and a container sees none: what counts is what comes next.
            does("modprobe", "-q", module)
        return all(does(*argv) for argv in probe.commands)
    # On somebody's own machine no module is loaded, only looked for.
    to_be_had = [does("modprobe", "--dry-run", "-q", module) for module in probe.modules]
    if to_be_had and all(to_be_had):
        return True
    # A kernel without modules can load none.
    harmless = probe.reads or not does("test", "-e", "/proc/modules")
    return harmless and all(does(*argv) for argv in probe.commands)
