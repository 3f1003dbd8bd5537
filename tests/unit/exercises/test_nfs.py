"""A node's line of fstab for the lab's share, and what takes that line alone away again."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.judging.live import Evidence
from tests.exercises import nfs
from tests.exercises.exercise_2_4 import drill
from tests.unit.fakes import Lab

THEIRS = b"UUID=1 / ext4 defaults 0 1\n192.168.56.100:/srv/nfs/swarm-data /mnt/theirs nfs rw 0 0"


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.168.56.10", "192.168.56.10:/srv/nfs/swarm-data"),
        ("2001:db8::10", "[2001:db8::10]:/srv/nfs/swarm-data"),
        ("manager1.example.org", "manager1.example.org:/srv/nfs/swarm-data"),
    ],
)
def test_a_share_is_mounted_by_any_kind_of_address_and_its_line_goes_if_we_die(
    lab: Lab, tmp_path: Path, address: str, source: str
) -> None:
    lab.machines.foreign = True
    server, client = lab["manager1"], lab["worker1"]
    server.address = address
    absent = SimpleNamespace(exists=False)
    client.__dict__["host"] = SimpleNamespace(
        run=client.host.run,
        mount_point=lambda _: absent,
        file=lambda path: SimpleNamespace(exists=path == "/mnt"),
    )
    lab.shell = lambda _, argv: (0, THEIRS.decode() if argv[0] == "cat" else "", "")
    with nfs.mounted(server, [client]):
        (written,) = [act[3] for act in lab.did if act[:3] == ("worker1", "put", nfs.FSTAB)]
        assert f"\n{source} {nfs.MOUNT} nfs defaults,_netdev 0 0\n" in written
        (timer,) = lab.commands("systemd-run")
        (tmp_path / "fstab").write_text(written)
        mend = timer[-1].partition(";")[0].replace(nfs.FSTAB, str(tmp_path / "fstab"))
        assert mend.startswith("sed ")
        subprocess.run(["sh", "-c", mend], check=True)
    assert (tmp_path / "fstab").read_bytes() == THEIRS + b"\n"
    removed = [act[-1] for act in lab.commands("rmdir")]
    assert removed == [nfs.MOUNT, "/mnt/nfs"]


def test_a_directory_that_was_there_to_mount_on_stays(lab: Lab) -> None:
    client = lab["worker1"]
    client.__dict__["host"] = SimpleNamespace(
        run=client.host.run,
        mount_point=lambda _: SimpleNamespace(exists=False),
        file=lambda _: SimpleNamespace(exists=True),
    )
    with nfs.mounted(lab["manager1"], [client]):
        pass
    assert lab.commands("rmdir") == []


@pytest.mark.parametrize(
    ("before", "ends_with"),
    [
        ((), ["stop nfs-kernel-server", "stop rpc-statd", "stop nfsdcld"]),
        (("rpc-statd",), ["stop nfs-kernel-server", "stop nfsdcld"]),
        (("rpc-statd", "nfs-server"), ["restart nfs-kernel-server"]),
    ],
)
def test_no_unit_runs_that_the_servers_start_has_started(
    lab: Lab, before: tuple[str, ...], ends_with: list[str]
) -> None:
    running = {*before, "rpcbind"}
    server = lab["manager1"]
    server.__dict__["host"] = SimpleNamespace(
        run=server.host.run, file=lambda path: SimpleNamespace(exists=path == "/")
    )

    def shell(_: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if argv[:2] == ("systemctl", "is-active"):
            states = ["active" if unit in running else "inactive" for unit in argv[2:]]
            return 3, "\n".join(states), ""
        return 0, "", ""

    lab.shell = shell
    with nfs.exported(server):
        running.update({"nfs-server", "rpc-statd", "nfsdcld"})
    done = [" ".join(act[2:]) for act in lab.commands("systemctl") if act[2] != "is-active"]
    assert done == ["restart nfs-kernel-server", *ends_with]
    assert [act[-1] for act in lab.commands("rmdir")] == ["/srv/nfs", "/srv"]


def test_the_file_that_every_node_reads_goes_though_one_cannot_read_it(lab: Lab) -> None:
    server = lab["manager1"]
    server.__dict__["host"] = SimpleNamespace(
        run=server.host.run, package=lambda _: SimpleNamespace(is_installed=True)
    )
    lab.shell = lambda _, argv: (int(argv[0] == "cat"), "", "Stale file handle")
    with pytest.raises(CommandError, match="Stale file handle"):
        drill.look_at_the_share(lab.swarm, server, Evidence(lab.recorder))
    assert lab.did[-1] == ("manager1", "rm", "-f", "--", f"{nfs.SHARE}/seen")
