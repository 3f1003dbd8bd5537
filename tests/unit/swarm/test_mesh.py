"""What a machine's engine has set up for published ports is read from the kernel's own tables."""

from __future__ import annotations

import json

from pytest_swarmlab.evidence.events import Mesh, Way, each
from pytest_swarmlab.swarm.mesh import mesh_of, record_mesh
from tests.unit.fakes import Lab

IPVS = """\
IP Virtual Server version 1.2.1 (size=256)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
FWM  00000109 rr
  -> 0A00001C:0000      Masq    1      0          0
  -> 0A000019:0000      Masq    1      0          0
FWM  00000121 rr
  -> 0A00000E:0000      Masq    1      0          0
"""
FORWARDED = [
    {"mac": "02:42:0a:00:00:1c", "ifname": "vxlan0", "dst": "192.168.56.20", "state": "permanent"},
    {"mac": "02:42:0a:00:00:0e", "ifname": "vxlan0", "master": "br0"},
    {"mac": "02:42:0a:00:00:03", "ifname": "veth0", "master": "br0"},
]
NEIGHBOURS = [
    {"dst": "10.0.0.28", "dev": "vxlan0", "lladdr": "02:42:0a:00:00:1c", "state": ["PERMANENT"]},
    {"dst": "10.0.0.14", "dev": "vxlan0", "lladdr": "02:42:0a:00:00:0e", "state": ["PERMANENT"]},
    {"dst": "172.18.0.1", "dev": "eth1", "lladdr": "02:42:d6:40:95:67", "state": ["STALE"]},
]
CONTAINERS = {
    "ingress-sbox": {"Name": "ingress-endpoint", "IPv4Address": "10.0.0.3/24"},
    "7ff19e": {"Name": "web.1.x", "IPv4Address": "10.0.0.25/24"},
}


def at_work(lab: Lab, node: str) -> None:
    """That node has a part in the mesh."""
    about = {"Name": "ingress", "Id": "0kfh5125rxyxu33yfcrdiqun3", "Containers": CONTAINERS}
    lab.networks.append({**about, "of": node})

    def shell(_: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        match argv[2:]:
            case ("cat", "/proc/net/ip_vs"):
                return 0, IPVS, ""
            case ("bridge", *_):
                return 0, json.dumps(FORWARDED), ""
            case _:
                return 0, json.dumps(NEIGHBOURS), ""

    lab.shell = shell


def test_a_way_needs_a_neighbour_and_its_place_in_the_forwarding_table(lab: Lab) -> None:
    at_work(lab, "worker1")
    assert mesh_of(lab["worker1"]) == Mesh(
        "worker1",
        address="10.0.0.3",
        here=("10.0.0.25",),
        balanced=("10.0.0.28", "10.0.0.25", "10.0.0.14"),
        ways=(Way("10.0.0.28", "192.168.56.20"), Way("10.0.0.14", "")),
    )
    assert ("worker1", "nsenter", "--net=/run/docker/netns/1-0kfh5125rx") in {
        done[:3] for done in lab.did
    }


def test_of_a_machine_that_says_nothing_is_known_why(lab: Lab) -> None:
    for spec in lab.topology.nodes:
        at_work(lab, spec.name)
    lab.silent["worker2"] = "connection refused"
    record_mesh(lab.swarm.nodes, lab.recorder)
    of_each = {seen.node: seen for seen in each(lab.recorder.view(), Mesh)}
    assert "connection refused" in (of_each["worker2"].error or "")
    assert [name for name, seen in of_each.items() if seen.error] == ["worker2"]
    lab.shell = lambda *_: (1, "", "nsenter: cannot open /run/docker/netns/ingress_sbox")
    assert "cannot open" in (mesh_of(lab["worker1"]).error or "")


def test_an_answer_of_another_form_is_no_way(lab: Lab) -> None:
    at_work(lab, "worker1")
    lab.shell = lambda *_: (0, "what?", "")
    assert mesh_of(lab["worker1"]).error
