"""Somebody's NFS server is stopped only where nobody else, and nothing, is lost by that."""

from __future__ import annotations

import contextlib
import functools
import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swarmlab.errors import CommandError, ProviderError
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.swarm import guard
from pytest_swarmlab.swarm.services import Service
from tests.exercises.submission import served, stored
from tests.unit.fakes import Lab
from tests.unit.records import hostile

INFO = """\
clientid: 0x{id}
address: "{address}"
status: confirmed
seconds from last renew: 4
name: {name}
minor version: 2
Implementation domain: "kernel.org"
callback state: UP
callback address: {address}
"""
"""What Linux 6.12 says of a client of version 4."""


def info(address: str, name: str = '"Linux NFSv4.2 worker1"') -> str:
    return INFO.format(id="1c8e5a5c5fd9a5a6", address=address, name=name)


SS = """\
0      0        192.168.56.10:2049     192.168.56.11:789
0      0      [::ffff:192.168.56.10]:2049   [::ffff:192.168.56.12]:1023
0      0      [2001:db8::10]:2049   [2001:db8::11]:900
"""


def test_clients_of_version_4_are_the_kernel_s_word() -> None:
    said = info("192.168.56.11:789") + info("[2001:db8::1]:700") + info("[::ffff:192.0.2.9]:1")
    assert served.of_version_4(said) == {"192.168.56.11", "2001:db8::1", "192.0.2.9"}
    assert served.of_version_4("") == set()


@pytest.mark.parametrize(
    "said",
    [
        "no such file",
        info("somewhere"),
        info("192.168.56.11"),
        info("192.168.56.11:nfs"),
        'clientid: 0x1\nname: "x"\n',
        # A name that could write lines of its own.
        info("192.0.2.9:700", name='"x\naddress: "192.168.56.11:789"\n"'),
        info("192.0.2.9:700", name='"x\nclientid: 0x2\n"'),
    ],
)
def test_a_list_of_clients_of_another_form_is_not_believed(said: str) -> None:
    with pytest.raises(ValueError, match=r"form|address"):
        served.of_version_4(said)


def test_no_name_that_a_client_chooses_hides_it() -> None:
    forged = 'x"\nclientid: 0x2\naddress: "192.168.56.11:1"\n"'
    assert "192.0.2.9" in served.of_version_4(info("192.0.2.9:700", name=forged))


def test_connections_are_the_peers_of_the_server_s_port() -> None:
    assert served.connected(SS) == {"192.168.56.11", "192.168.56.12", "2001:db8::11"}
    assert served.connected("\n") == set()
    with pytest.raises(ValueError, match="another form"):
        served.connected("State Recv-Q\n")


def test_who_mounted_by_version_3_is_one_of_the_clients() -> None:
    rmtab = "192.168.56.11:/srv/nfs:0x00000001\nold.example.org:/srv/a:b:0x1\n2001:db8::1:/s:0x1\n"
    assert served.of_version_3(rmtab) == {"192.168.56.11", "old.example.org", "2001:db8::1"}
    for other in ("nobody\n", ":/srv:0x1\n"):
        with pytest.raises(ValueError, match="another form"):
            served.of_version_3(other)


@given(hostile.SAID)
def test_whatever_stands_there_is_clients_or_not_believed(text: str) -> None:
    for read in (served.of_version_4, served.connected, served.of_version_3):
        try:
            found = read(text)
        except ValueError:
            continue
        assert all(found)
    assert all(isinstance(path, str) for path, _ in served.in_files(text))


@given(st.ip_addresses(), hostile.SAID)
def test_a_client_is_always_seen_whatever_its_name_is(address: Any, name: str) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    with contextlib.suppress(ValueError):
        assert served.ip(str(address)) in served.of_version_4(info(f"{host}:700", name=name))


def test_exports_are_read_off_their_files() -> None:
    text = (
        "# /old *(rw)\n/srv/a 192.168.56.0/24(rw,sync) host(ro) # both\n"
        '/srv/b\n/srv/c -rw \\\n  @group\n"/srv/d\\040e" (ro)\n\n'
    )
    assert served.in_files(text) == {
        ("/srv/a", "192.168.56.0/24"),
        ("/srv/a", "host"),
        ("/srv/b", "*"),
        ("/srv/c", "@group"),
        ("/srv/d e", "*"),
    }


class Theirs:
    """What commands on their machines print."""

    def __init__(self, lab: Lab) -> None:
        lab.machines.foreign = True
        lab.shell = self.shell
        self.clients = info("192.168.56.11:789") + info("192.168.56.20:700")
        self.connected = SS.splitlines()[0]
        self.rmtab = "192.168.56.12:/srv/nfs:0x1\n"
        self.etab = "/srv/nfs\t192.168.56.0/24(rw,sync)\n"
        self.files = "/srv/nfs 192.168.56.0/24(rw)\n"
        self.mounts = {"worker1": "192.168.56.10:/srv/nfs /mnt/nfs nfs4 rw,hard,addr=192.168.56.10"}
        self.fails, self.runs = "", "nfs-server"
        rows = [SimpleNamespace(machine=n.name, leftover=False) for n in lab.swarm.nodes]
        self.work: Any = SimpleNamespace(swarm=lab.swarm, survey=SimpleNamespace(nodes=rows))
        for node in lab.swarm.nodes:
            file = SimpleNamespace(exists=True)
            node.host.file = lambda _, file=file: file
            node.host.service = lambda name: SimpleNamespace(is_running=name == self.runs)

    def shell(self, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if self.fails and self.fails in argv:
            return 1, "", "not permitted"
        address = {"manager1": "192.168.56.10", "manager2": "192.168.56.20"}.get(node, "")
        said = {
            "hostname": f"{address} 172.18.0.1 fe80::1",
            "find": self.clients if "/proc/fs/nfsd/clients" in argv else "/etc/exports",
            "ss": self.connected,
            "grep": self.mounts.get(node, ""),
            "cat": {"rmtab": self.rmtab, "etab": self.etab}.get(
                argv[-1].rpartition("/")[2], self.files
            ),
        }
        return 0, said.get(argv[0], ""), ""


@pytest.fixture
def their(lab: Lab) -> Theirs:
    return Theirs(lab)


def why(their: Theirs, lab: Lab) -> str:
    return served.why_not(their.work, lab["manager1"])


def test_a_server_whose_clients_are_nodes_that_wait_may_be_stopped(their: Theirs, lab: Lab) -> None:
    assert why(their, lab) == ""
    their.clients, their.connected, their.rmtab = "", "", "worker2:/srv/nfs:0x1\n"
    assert why(their, lab) == ""


@pytest.mark.parametrize(
    ("what", "said", "told"),
    [
        ("clients", info("192.0.2.9:1"), "manager1 also serves 192.0.2.9, no node of this swarm"),
        ("connected", "0 0 192.168.56.10:2049 192.0.2.8:9", "also serves 192.0.2.8, no node"),
        ("rmtab", "tape.example.org:/srv:0x1", "also serves tape.example.org, no node"),
        ("rmtab", "a\x1b[31m\u202e:/srv:0x1", "also serves a, no node"),
        ("rmtab", "".join(f"h{n}:/s:0x1\n" for n in range(9)), "h0, h1, h2, h3, h4 and 4 more"),
        ("clients", "clientid: 0x1\n", "nobody can tell whom manager1 serves .*another form"),
        ("fails", "ss", "nobody can tell whom manager1 serves .*not permitted"),
        ("fails", served.CLIENTS[1], "nobody can tell whom manager1 serves"),
        ("fails", "hostname", "nobody can tell whom manager1 serves"),
        ("etab", "/srv/nfs\t*(rw)\n", r"exports /srv/nfs to \*, which is not in its files"),
        ("etab", "/srv/x\t192.168.56.0/24(rw)\n", "exports /srv/x to 192.168.56.0/24, which is"),
        ("mounts", {"worker2": "m1:/srv /data nfs rw,soft,addr=192.168.56.10"},
         "worker2 mounts /data without `hard`: what is written there meanwhile could be lost"),
        ("mounts", {"worker2": "m1:/srv /data nfs rw,softerr"}, "worker2 mounts /data without"),
    ],
)  # fmt: skip
def test_a_server_that_others_need_is_not_stopped_and_it_is_told_who(
    their: Theirs, lab: Lab, what: str, said: Any, told: str
) -> None:
    setattr(their, what, said)
    seen = why(their, lab)
    assert "\n" not in seen
    assert "\x1b" not in seen
    assert re.search(told, seen), seen


def test_a_machine_outside_of_the_swarm_is_somebody_else(their: Theirs, lab: Lab) -> None:
    their.work.survey.nodes = [r for r in their.work.survey.nodes if r.machine != "worker1"]
    assert "also serves 192.168.56.11" in why(their, lab)


def test_another_server_s_soft_mount_is_no_matter(their: Theirs, lab: Lab) -> None:
    their.mounts = {"worker2": "nas:/x /data nfs rw,soft,addr=192.0.2.77"}
    assert why(their, lab) == ""


# -- the drill -----------------------------------------------------------------------------------


class Running:
    """Waits for nothing: the database's one task runs there."""

    def __init__(self, machine: str) -> None:
        self.machine = machine

    def __call__(self, condition: Any, *, within: float) -> Any:
        del condition, within
        return [SimpleNamespace(node=self.machine, container="c" * 12)]


def moved(their: Theirs, lab: Lab, server: str = "manager1") -> stored.Moved:
    return stored.Moved(
        their.work,
        Service(lab.swarm, "db"),
        "/var/lib/postgresql/data",
        "nfs-volume",
        ("worker1", "worker2"),
        stored.SERVERS["postgres"],
        lab[server] if server else None,
    )


def test_whether_the_server_is_spared_depends_on_whose_it_is(their: Theirs, lab: Lab) -> None:
    assert stored._spared(moved(their, lab)) == ""
    their.clients = info("192.0.2.9:1")
    assert "192.0.2.9" in stored._spared(moved(their, lab))
    their.runs = ""
    assert stored._spared(moved(their, lab)) == "no unit of systemd is the NFS server of manager1"
    assert stored._spared(moved(their, lab, server="")) == "the NFS server is no node here"
    lab.machines.foreign = False
    assert stored._spared(moved(their, lab)) == ""


def test_rows_in_somebody_s_database_go_at_the_end_or_by_a_timer_where_it_may_be(
    their: Theirs, lab: Lab
) -> None:
    wait: Any = Running("worker2")
    with stored._rows(moved(their, lab), lab["worker1"], "b" * 12, wait):
        timers = lab.commands("systemd-run")
        assert [timer[0] for timer in timers] == ["worker1", "worker2"]
        assert timers[0][3] == f"--on-active={guard.ABANDONED_AFTER_S}"
        script = timers[0][-1]
        assert "docker ps --quiet --filter label=com.docker.swarm.service.name=db" in script
        assert "DROP SCHEMA IF EXISTS swarmlab_drill CASCADE" in script
    assert lab.fed == [stored.SERVERS["postgres"].make.encode(),
                       stored.SERVERS["postgres"].drop.encode()]  # fmt: skip
    assert [act[0] for act in lab.commands("timeout")] == ["worker1", "worker2"]
    assert len(lab.commands("systemctl")) == 2


def test_rows_that_could_not_be_made_are_somebody_else_s(their: Theirs, lab: Lab) -> None:
    wait: Any = Running("worker1")
    lab.shell = lambda _, argv: (1, "", "it exists") if argv[0] == "timeout" else (0, "", "")
    with (
        pytest.raises(CommandError, match="it exists"),
        stored._rows(moved(their, lab), lab["worker1"], "b" * 12, wait),
    ):
        pytest.fail("there is no place for rows")
    assert lab.fed == [stored.SERVERS["postgres"].make.encode()]


def test_their_server_is_started_soon_by_a_timer_and_a_drill_that_it_overtook_is_none(
    their: Theirs, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait: Any = Running("worker1")
    server, service = moved(their, lab).server, Service(lab.swarm, "db")
    assert server is not None
    lose = functools.partial(stored._lose_the_server, server, service, Faults(lab.swarm), wait)
    lose()
    (timer,) = lab.commands("systemd-run")
    assert timer[3] == f"--on-active={guard.STARTED_AFTER_S}"
    assert timer[-1] == "systemctl start nfs-server"
    units = [act[1:] for act in lab.commands("systemctl") if act[-1] == "nfs-server"]
    assert units == [("systemctl", "stop", "nfs-server"), ("systemctl", "start", "nfs-server")]
    monkeypatch.setattr(guard, "STARTED_AFTER_S", 0)
    with pytest.raises(ProviderError, match="the timer on manager1 may have started"):
        lose()
    lab.machines.foreign = False
    lose()
