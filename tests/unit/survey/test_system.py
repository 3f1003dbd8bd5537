"""What commands print, read as what was seen; and what a machine keeps to itself."""

from __future__ import annotations

import pytest

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.survey import backups, system
from pytest_swarmlab.survey.backups import script
from pytest_swarmlab.survey.machine import Disk, Export, Job, Mount
from pytest_swarmlab.survey.system import Looker
from tests.unit.fakes import Lab

SHOWN = """Id=docker.service
LoadState=loaded
ActiveState=active
UnitFileState=enabled
ExecStart={ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// ; ignore_errors=no ; pid=1 }

Id=swarm-backup.timer
LoadState=loaded
ActiveState=active
UnitFileState=enabled
Unit=swarm-backup.service
LastTriggerUSec=@1000

Id=swarm-backup.service
LoadState=loaded
ExecStart={ path=/bin/sh ; argv[]=/bin/sh /usr/local/sbin/b --password x ; ignore_errors=no ; }
"""
CERTIFICATE = """subject=
    O=swarm0001
    OU=swarm-manager
    CN=node0001
notAfter=Feb 27 12:00:00 2027 GMT
"""


def test_units_are_paragraphs_and_of_a_command_only_the_program_is_kept() -> None:
    docker, timer, backup = system.units(SHOWN, now=1060.0)
    assert (docker.runs, docker.on, docker.comes_back) == ("/usr/sbin/dockerd", True, True)
    assert (timer.starts, timer.last_s) == ("swarm-backup.service", 60.0)
    assert backup.runs == "/usr/local/sbin/b"
    assert "password" not in repr(backup)


def test_a_certificate_tells_who_the_machine_is_and_how_long() -> None:
    seen = system.certificate(CERTIFICATE, now=1803729600.0)
    assert (seen.swarm, seen.role, seen.node_id) == ("swarm0001", "swarm-manager", "node0001")
    assert seen.left_s == 0.0
    with pytest.raises(ValueError, match="does not match"):
        system.certificate("nonsense", now=0)


def test_mounts_and_fstab_are_read_alike() -> None:
    text = (
        "# a comment\n\n"
        "192.168.56.10:/srv/a\\040b /mnt/nfs nfs defaults,_netdev 0 0\n"
        "//server/share /mnt/smb cifs username=me,password=hunter2 0 0\n"
        "broken\n"
    )
    nfs, smb = system.mounts(text)
    assert nfs == Mount("192.168.56.10:/srv/a b", "/mnt/nfs", "nfs", ("defaults", "_netdev"))
    assert "hunter2" not in repr(smb)
    assert smb.options[1] == "password=‹hidden›"


def test_mounts_of_the_kernels_own_are_left_out() -> None:
    every = (Mount("proc", "/proc", "proc"), Mount("/dev/root", "/", "ext4"))
    assert system.kept(every) == every[1:]


def test_exports_disks_and_jobs() -> None:
    assert system.exports("/srv/nfs\t192.168.56.0/24(rw,sync)\nbroken\n") == (
        Export("/srv/nfs", "192.168.56.0/24", ("rw", "sync")),
    )
    shown = "1B-blocks Used Mounted on\n100 95 /\n100 95 /again\n0 0 /nothing\n - - /odd\n"
    assert system.disks(shown) == (Disk("/", 100, 95),)
    cron = (
        "/etc/cron.d/backup:# runs the backup\n"
        "/etc/cron.d/backup:MAILTO=backup@example.org\n"
        "/etc/cron.d/backup:30 2 * * * root /usr/local/bin/backup-swarm.sh -p hunter2\n"
        "/etc/crontab:@daily root /usr/bin/nice /opt/backup\n"
    )
    assert system.jobs(cron) == (
        Job("/etc/cron.d/backup", "30 2 * * *", "/usr/local/bin/backup-swarm.sh"),
        Job("/etc/crontab", "@daily", "/opt/backup"),
    )


GOOD = """#!/bin/bash
set -e
trap 'systemctl start docker' EXIT
systemctl stop docker.socket docker
tar -czf /backup/swarm.tar.gz /var/lib/docker/swarm
"""


@pytest.mark.parametrize(
    ("text", "stops", "starts", "whatever"),
    [
        (GOOD, True, True, True),
        (GOOD.replace("trap", "# trap"), True, False, False),
        ("#!/bin/sh\nsudo systemctl stop docker\ntar c /swarm\nsudo systemctl start docker\n",
         True, True, False),
        ("#!/bin/sh\n# systemctl stop docker\ntar cz /var/lib/docker/swarm\n",
         False, False, False),
        ("#!/bin/sh\ntrap - EXIT\ntrap '' INT\nservice docker stop\ntar swarm\n",
         True, False, False),
    ],
)  # fmt: skip
def test_what_a_script_does_is_read_off_its_words(
    text: str, stops: bool, starts: bool, whatever: bool
) -> None:
    seen = script("/usr/local/bin/backup", text, executable=True)
    assert (seen.stops_engine, seen.starts_engine) == (stops, starts)
    assert seen.whatever_happens is whatever
    assert (seen.shell, seen.swarm) == (True, True)


def test_a_program_that_is_no_shell_script_is_said_to_be_none() -> None:
    assert not script("/opt/backup", "#!/usr/bin/python3\n", executable=True).shell


FOUND = (
    "900.5 512 755 /usr/local/sbin/swarm-backup\0"
    "800 20 644 /var/backups/swarm/swarm-1/swarm.tar.gz\0"
    "700 20 644 /var/backups/swarm/swarm-0/swarm.tar.gz\0"
    "700 20 600 /var/backups/swarm/swarm-unlock-1.key\0"
    "700 20 600 /root/swarm-unlock-2.key\0"
    "700 20 644 /etc/systemd/system/swarm-backup.timer\0"
    "700 20 644 /home/me/backup-notes\0"
    "broken\0"
)


def answers(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
    """A machine on which a backup was taken."""
    del node
    match argv[0]:
        case "date":
            return 0, "1000\n", ""
        case "find":
            return 1, "" if "0" in argv else FOUND, "find: /backup: No such file"
        case "head":
            if argv[-1] == "/etc/fstab":
                return 0, "a:/b /c nfs _netdev 0 0\n", ""
            if argv[-1] == "/var/lib/nfs/etab":
                return 1, "", "head: no such file"
            return 0, GOOD, ""
        case "tar":
            return 0, "swarm/\nswarm/docker-state.json\nswarm/raft/x\n", ""
        case "systemctl":
            return 0, SHOWN, ""
        case "openssl":
            return 1, "", "unable to load certificate\nmore"
        case "hostname":
            return 0, "192.168.56.10 172.17.0.1 \n", ""
    return 0, "", ""


def test_backups_are_found_newest_first_and_the_newest_is_opened(lab: Lab) -> None:
    lab.shell = answers
    seen = backups.find(lab["manager1"], 1000.0, [])
    found = seen.backups
    assert [each.path for each in seen.scripts] == ["/usr/local/sbin/swarm-backup"]
    assert (seen.closed, seen.unread) == ((), ())
    assert [(each.age_s, each.holds) for each in found] == [
        (200.0, ("docker-state.json", "raft/")),
        (300.0, None),
    ]
    assert found[0].keys == ("/var/backups/swarm/swarm-unlock-1.key",)


def test_a_part_that_may_not_be_seen_costs_no_other(lab: Lab) -> None:
    lab.shell = answers
    seen = Looker(lab["manager1"], "/var/lib/docker").look()
    assert seen.lacks == {"certificate": "`openssl` ended with 1: unable to load certificate"}
    assert seen.certificate is None
    assert seen.exports == ()
    assert seen.addresses == ("192.168.56.10", "172.17.0.1")
    assert [mount.target for mount in seen.fstab or ()] == ["/c"]
    # What its backup's unit runs is read wherever it lies.
    assert "/usr/local/sbin/b" in {word for argv in lab.commands("find") for word in argv}


def test_what_may_not_be_looked_into_is_told_beside_what_was_found(lab: Lab) -> None:
    def shell(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if argv[0] == "find" and "0" not in argv:
            said = "find: '/root': Permission denied\nfind: '/backup': No such file or directory\n"
            return 1, FOUND, said
        if argv[0] == "grep":
            cron = "/etc/crontab:@daily root /opt/backup\n"
            return 2, cron, "grep: /var/spool/cron/crontabs: Permission denied\n"
        if argv[0] == "head" and argv[-1] == "/usr/local/sbin/swarm-backup":
            return 1, "", "head: cannot open it: Permission denied"
        return answers(node, argv)

    lab.shell = shell
    seen = Looker(lab["manager1"], "/var/lib/docker").look()
    assert seen.scripts == ()
    assert seen.lacks["scripts"] == "/root, /usr/local/sbin/swarm-backup may not be read"
    assert len(seen.backups or ()) == 2
    assert seen.lacks["backups"] == "/root may not be read"
    assert [job.runs for job in seen.jobs or ()] == ["/opt/backup"]
    assert seen.lacks["jobs"] == "/var/spool/cron/crontabs may not be read"


def test_what_any_timer_starts_is_looked_at(lab: Lab) -> None:
    """Whatever it is called."""
    timer = "Id=nightly.timer\nLoadState=loaded\nUnit=nightly.service\n"
    service = (
        "Id=nightly.service\nLoadState=loaded\n"
        "ExecStart={ path=/opt/nightly ; argv[]=/opt/nightly ; ignore_errors=no ; }\n"
    )

    def shell(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if argv[0] == "systemctl":
            return 0, service if argv[-1] == "nightly.service" else timer, ""
        if argv[:2] == ("find", "/opt/nightly"):
            return 0, "900 512 755 /opt/nightly\0", ""
        return answers(node, argv)

    lab.shell = shell
    seen = Looker(lab["manager1"], "/var/lib/docker").look()
    assert [unit.name for unit in seen.units or ()] == ["nightly.timer", "nightly.service"]
    assert "/opt/nightly" in {each.path for each in seen.scripts or ()}


def test_a_machine_that_is_away_is_told_by_the_first_command(lab: Lab) -> None:
    lab.shell = lambda *_: (255, "", "ssh: connect to host manager1: Connection refused\nmore")
    with pytest.raises(ProviderError, match=r"manager1 can't be reached: ssh: .* refused$"):
        Looker(lab["manager1"], "/var/lib/docker").look()
    assert len(lab.commands()) == 1


@pytest.mark.parametrize("now", ["", "soon", "9" * 400, "-1", "1e9", "\u0661"])
def test_a_machine_that_tells_no_time_is_not_looked_at(lab: Lab, now: str) -> None:
    lab.shell = lambda _, argv: (0, now if argv[0] == "date" else "", "")
    with pytest.raises(ProviderError, match=r"manager1 prints .* instead of the time"):
        Looker(lab["manager1"], "/var/lib/docker").look()


@pytest.mark.parametrize(("size", "used"), [(1, 10**400), (10**400, 10**400), (2, -(10**400))])
def test_a_disk_is_full_or_less_than_that(size: int, used: int) -> None:
    assert 0.0 <= Disk("/", size, used).full <= 1.0


def test_nothing_that_a_machine_prints_is_recorded_as_it_is(lab: Lab) -> None:
    lab.shell = answers
    Looker(lab["manager1"], "/var/lib/docker").look()
    assert lab.recorder.view().of("command") == ()


def test_only_commands_that_read_are_run(lab: Lab) -> None:
    lab.shell = answers
    Looker(lab["manager1"], "/var/lib/docker").look()
    programs = {argv[1] for argv in lab.commands()}
    assert programs <= {
        "date", "test", "ls", "openssl", "systemctl", "grep", "head", "hostname", "df", "find",
        "tar",
    }  # fmt: skip
    assert {argv[2] for argv in lab.commands("systemctl")} == {"show"}
    assert {argv[2] for argv in lab.commands("tar")} == {"--list"}
    assert not [argv for argv in lab.commands("find") if {"-delete", "-exec"} & set(argv)]
