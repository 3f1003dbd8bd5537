"""The scripts of stacks/backup: without a finding, and honest about how they end."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.fake_engine import ADDRESS, BACKUP, KEY, SWARM, Machine

SHELLCHECK = Path(sys.executable).with_name("shellcheck")
SCRIPTS = [BACKUP / "swarm-backup", BACKUP / "swarm-restore"]


def ran(script: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(script), *argv], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_has_no_finding_and_can_be_executed(script: Path) -> None:
    argv = [str(SHELLCHECK), "--shell=bash", "--format=gcc", str(script)]
    assert subprocess.run(argv, capture_output=True, text=True, check=False).stdout == ""
    assert script.stat().st_mode & 0o100


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_exit_code_that_a_script_uses_is_told_by_its_help(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    used = {
        int(code)
        for code in re.findall(r"\bfail (\d+)|\bcode=([1-9])\b", text)
        for code in code
        if code
    }
    told = {int(code) for code in re.findall(r"(?:^|\s)(\d+)  [a-z]", ran(script, "--help").stdout)}
    assert used <= told, f"{used - told} are not told"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_option_that_a_script_takes_is_told_by_its_help(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    taken = set(re.findall(r"^    (--[a-z-]+)(?: \| --[a-z-]+)*\)", text, flags=re.MULTILINE))
    told = set(re.findall(r"--[a-z-]+", ran(script, "--help").stdout))
    assert taken - {"--help"} <= told


@pytest.mark.parametrize(
    ("script", "argv", "said"),
    [
        ("swarm-backup", ["--nonsense"], "unknown option --nonsense"),
        ("swarm-backup", ["--to"], "--to needs a value"),
        ("swarm-backup", ["--keep", "0"], "--keep 0: a whole number"),
        ("swarm-backup", ["--to", "here"], "--to here: a path from the root on"),
        ("swarm-restore", [], "name the backup's directory"),
        ("swarm-restore", ["a", "b"], "one backup at a time: a or b?"),
        ("swarm-restore", ["--swarm"], "--swarm needs a value"),
        ("swarm-restore", ["--nonsense"], "unknown option --nonsense"),
    ],
)
def test_wrong_usage_is_told_and_ends_with_2(script: str, argv: list[str], said: str) -> None:
    done = ran(BACKUP / script, *argv)
    assert done.returncode == 2
    assert said in done.stderr


def test_units_start_what_the_readme_installs() -> None:
    unit = (BACKUP / "swarm-backup.service").read_text(encoding="utf-8")
    readme = (BACKUP / "README.md").read_text(encoding="utf-8")
    assert "ExecStart=/usr/local/sbin/swarm-backup " in unit
    assert "swarm-backup swarm-restore /usr/local/sbin/" in readme
    # The leader's turn that is skipped is no failure for systemd.
    assert "SuccessExitStatus=4" in unit
    mending = re.findall(r"^OnFailure=(.*)", unit, flags=re.MULTILINE)
    assert "ExecStart=/usr/local/sbin/swarm-backup --mend" in (BACKUP / mending[0]).read_text()
    for name in ("swarm-backup.service", *mending, "swarm-backup.timer"):
        assert f" {name} " in readme


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A follower of three managers, healthy."""
    return Machine(tmp_path / "m")


@pytest.fixture
def taken(machine: Machine) -> Path:
    """A complete backup of it; then its state has gone on."""
    machine.backup()
    (path,) = machine.backups()
    machine.write("swarm/raft/wal-v3-encrypted/0.wal", "log of today")
    (machine.directory / "log").unlink()
    return path


def asked(machine: Machine) -> set[str]:
    return {line.split()[1] for line in machine.log if line.startswith("systemctl")}


def as_it_was(machine: Machine) -> bool:
    beside = {path.name for path in machine.root.iterdir()} - {"swarm", "volumes"}
    return (
        machine.runs
        and machine.read("swarm/raft/wal-v3-encrypted/0.wal") == "log of today"
        and not beside
    )


def test_a_backup_holds_the_swarm_its_volumes_and_sums_of_all(machine: Machine) -> None:
    machine.backup()
    (path,) = machine.backups()
    assert re.fullmatch(r"swarm-\d{8}T\d{6}Z-manager2", path.name)
    assert path.stat().st_mode & 0o077 == 0
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=path, check=True)
    facts = dict(line.split("=", 1) for line in (path / "manifest").read_text().splitlines())
    assert facts["swarm"] == SWARM
    assert facts["address"] == ADDRESS
    assert facts["managers"] == "3"
    assert machine.runs
    assert not (machine.directory / "swarm-backup.stopped").exists()
    # Both units, and what takes its time only once they are back.
    stopped = machine.log.index("systemctl stop docker.socket docker.service")
    started = machine.log.index("systemctl start docker.socket docker.service")
    assert not [line for line in machine.log[stopped + 1 : started] if line.startswith("docker")]


REFUSALS: dict[str, tuple[int, Callable[[Machine], None]]] = {
    "it leads": (4, lambda m: m.managers("n1 Reachable false", "n2 Leader true", "n3 Reachable x")),
    "one is lost already": (
        5,
        lambda m: m.managers("n1 Leader false", "n2 Reachable true", "n3 Unreachable false"),
    ),
    "two managers": (5, lambda m: m.managers("n1 Leader false", "n2 Reachable true")),
    "no engine": (6, lambda m: (m.directory / "up").unlink()),
    "no manager": (6, lambda m: m.facts(control=False, swarm="")),
    "locked": (6, lambda m: m.say("state", "locked\n")),
    "autolock without a word": (7, lambda m: m.facts(autolock=True)),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_backup_that_would_do_harm_is_not_begun(machine: Machine, case: str) -> None:
    code, spoil = REFUSALS[case]
    spoil(machine)
    before = machine.runs
    machine.backup(check=code)
    assert machine.runs is before
    assert "stop" not in asked(machine)
    assert machine.backups() == []


def test_the_only_manager_and_with_leave_the_leader_too_are_backed_up(machine: Machine) -> None:
    machine.managers("n2 Leader true")
    machine.backup()
    machine.managers("n1 Reachable false", "n2 Leader true", "n3 Reachable false")
    (first,) = machine.backups()
    first.rename(machine.place / "elsewhere")
    machine.backup("--leader-too")


def test_two_runs_at_once_are_refused(machine: Machine) -> None:
    lock = machine.directory / "swarm-backup.lock"
    holder = ["flock", str(lock), "cat"]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as held:
        assert held.stdin is not None
        assert held.stdout is not None
        held.stdin.write(b"held\n")
        held.stdin.flush()
        held.stdout.readline()
        machine.backup(check=3)
    assert machine.runs


def test_what_can_not_be_written_leaves_nothing_and_an_engine_that_runs(machine: Machine) -> None:
    replace_command(machine, "tar", "#!/bin/sh\nexit 2\n")
    said = machine.backup(check=8).stderr
    assert "nothing of it is left" in said
    assert machine.runs
    assert machine.backups() == []


TERMINATE = "#!/bin/sh\nkill -TERM $PPID\n"


def replace_command(machine: Machine, name: str, text: str) -> None:
    (machine.directory / "bin" / name).write_text(text, encoding="utf-8")
    (machine.directory / "bin" / name).chmod(0o755)


def test_a_backup_that_is_told_to_end_starts_the_engine_first(machine: Machine) -> None:
    replace_command(machine, "tar", TERMINATE)
    machine.backup(check=143)
    assert machine.runs
    assert machine.backups() == []
    assert not (machine.directory / "swarm-backup.stopped").exists()


def test_a_restore_that_is_told_to_end_puts_all_back_first(machine: Machine, taken: Path) -> None:
    systemctl = (machine.directory / "bin" / "systemctl").read_text(encoding="utf-8")
    once = 'if [ "$1" = start ] && mkdir "$FAKE/once" 2>/dev/null; then kill -TERM $PPID; fi\n'
    replace_command(machine, "systemctl", systemctl + once)
    machine.restore(taken, check=143)
    assert as_it_was(machine)


def test_an_engine_that_is_mended_and_locked_is_told(machine: Machine) -> None:
    machine.say("swarm-backup.stopped", "")
    machine.say("state", "locked\n")
    assert "docker swarm unlock" in machine.backup("--mend", check=9).stderr


def test_an_engine_that_stays_away_is_told_and_the_backup_is_kept(machine: Machine) -> None:
    machine.say("breaks", "")
    said = machine.backup(check=9).stderr
    (path,) = machine.backups()
    assert f"the backup is complete: {path}" in said
    (machine.directory / "breaks").unlink()
    (machine.directory / "broken").unlink()
    machine.backup("--mend")
    assert machine.runs


def test_mending_starts_only_what_a_backup_has_stopped(machine: Machine) -> None:
    (machine.directory / "up").unlink()
    machine.backup("--mend")
    assert not machine.runs


def test_the_newest_stay_and_another_swarms_are_left_alone(machine: Machine) -> None:
    machine.place.mkdir()
    for day, swarm in (("20260101", SWARM), ("20260102", SWARM), ("20260103", "another")):
        old = machine.place / f"swarm-{day}T000000Z-manager2"
        old.mkdir()
        (old / "manifest").write_text(f"swarm={swarm}\n", encoding="utf-8")
    (machine.place / ".partial-swarm-of-a-killed-run").mkdir()
    machine.backup("--keep", "2")
    left = [path.name[:14] for path in machine.backups()]
    assert left[:2] == ["swarm-20260102", "swarm-20260103"]
    assert len(left) == 3


def test_an_unlock_key_goes_where_it_is_told_and_the_engine_is_unlocked(machine: Machine) -> None:
    machine.facts(autolock=True)
    keys = machine.directory / "keys"
    keys.mkdir()
    (keys / "swarm-unlock-0123456789abcdef.key").write_text("of no backup", encoding="utf-8")
    machine.backup("--unlock-key-dir", str(keys))
    (path,) = machine.backups()
    (kept,) = keys.iterdir()
    assert kept.read_text() == f"{KEY}\n"
    assert kept.stat().st_mode & 0o077 == 0
    assert not any(KEY in file.read_text("latin-1") for file in path.rglob("*") if file.is_file())
    assert (machine.directory / "state").read_text() == "active\n"


def test_a_key_beside_the_backups_is_refused(machine: Machine) -> None:
    machine.backup("--unlock-key-dir", str(machine.place / "keys"), check=2)


def test_a_restore_brings_back_what_was_there_and_keeps_volumes_that_are(
    machine: Machine, taken: Path
) -> None:
    machine.write("volumes/store/_data/ledger", "of today")
    said = machine.restore(taken).stdout
    assert machine.read("swarm/raft/wal-v3-encrypted/0.wal") == "log of the backup"
    assert machine.read("volumes/store/_data/ledger") == "of today"
    assert "the volume store is here already" in said
    assert {path.name for path in machine.root.iterdir()} == {"swarm", "volumes"}
    (init,) = [line for line in machine.log if "swarm init" in line]
    assert init == (
        f"docker swarm init --force-new-cluster --advertise-addr {ADDRESS} --data-path-port 4789"
    )


def test_volumes_are_restored_where_there_are_none_or_on_demand(
    machine: Machine, taken: Path
) -> None:
    machine.write("volumes/store/_data/ledger", "of today")
    machine.restore(taken, "--replace-volumes")
    assert machine.read("volumes/store/_data/ledger") == "1\n2\n3\n"
    shutil.rmtree(machine.root / "volumes")
    machine.restore(taken)
    assert machine.read("volumes/store/_data/ledger") == "1\n2\n3\n"
    assert machine.read("volumes/metadata.db") == "labels"


def sealed_again(path: Path) -> None:
    """Its sums are right, whatever it holds now."""
    names = [str(f.relative_to(path)) for f in sorted(path.rglob("*")) if f.is_file()]
    names.remove("SHA256SUMS")
    sums = subprocess.run(["sha256sum", *names], cwd=path, capture_output=True, check=True)
    (path / "SHA256SUMS").write_bytes(sums.stdout)


def archive(path: Path, *members: str) -> None:
    """Replace the swarm's archive by one that holds these alone."""
    with tarfile.open(path / "swarm.tar.gz", "w:gz") as tar:
        for member in members:
            tar.addfile(tarfile.TarInfo(member))
    sealed_again(path)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def edit(path: Path, old: str, new: str) -> None:
    """Change a backup's manifest."""
    manifest = path / "manifest"
    manifest.write_text(manifest.read_text().replace(old, new), encoding="utf-8")


def forge(path: Path, old: str, new: str) -> None:
    """The same, with sums that are right."""
    edit(path, old, new)
    sealed_again(path)


GOOD_MEMBERS = (
    "swarm/docker-state.json",
    "swarm/certificates/swarm-node.key",
    "swarm/raft/x",
)
SPOILT: dict[str, tuple[int, Callable[[Path], object]]] = {
    "truncated": (4, lambda p: os.truncate(p / "swarm.tar.gz", 100)),
    "one bit": (4, lambda p: flip(p / "swarm.tar.gz")),
    "one bit of a volume": (4, lambda p: flip(p / "volumes.tar.gz")),
    "no sums": (4, lambda p: (p / "SHA256SUMS").unlink()),
    "sums of nothing": (4, lambda p: (p / "SHA256SUMS").write_text("")),
    "no manifest": (4, lambda p: (p / "manifest").unlink()),
    "manifest edited": (4, lambda p: edit(p, "hot=no", "hot=yes")),
    "volumes lost": (4, lambda p: (p / "volumes.tar.gz").unlink()),
    "good sums, no raft log": (4, lambda p: archive(p, *GOOD_MEMBERS[:2])),
    "good sums, a way out": (4, lambda p: archive(p, *GOOD_MEMBERS, "swarm/../../etc/passwd")),
    "good sums, other things": (4, lambda p: archive(p, *GOOD_MEMBERS, "etc/passwd")),
    "another swarm's": (5, lambda p: forge(p, SWARM, "another")),
    "another address": (6, lambda p: forge(p, ADDRESS, "192.0.2.99")),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_backup_is_refused_before_anything_is_touched(
    machine: Machine, taken: Path, how: str
) -> None:
    code, spoil = SPOILT[how]
    spoil(taken)
    machine.restore(taken, check=code)
    assert as_it_was(machine)
    assert "stop" not in asked(machine)


def test_a_good_backup_passes_the_verification_that_spoilt_ones_fail(
    machine: Machine, taken: Path
) -> None:
    said = machine.restore(taken, "--verify").stdout
    assert "is whole and could be restored here" in said
    assert as_it_was(machine)


def test_the_swarm_that_is_meant_can_be_named(machine: Machine, taken: Path) -> None:
    machine.restore(taken, "--swarm", "another", check=5)
    assert as_it_was(machine)


def test_nothing_is_replaced_without_a_word(machine: Machine, taken: Path) -> None:
    done = subprocess.run(
        [str(BACKUP / "swarm-restore"), str(taken)],
        env=machine.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 8
    assert as_it_was(machine)


def test_a_manager_that_still_answers_keeps_its_swarm(machine: Machine, taken: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as alive:
        port = alive.getsockname()[1]
        (taken / "inventory/managers.txt").write_text(f"n1 manager1 127.0.0.1:{port}\n")
        sealed_again(taken)
        said = machine.restore(taken, check=10).stderr
        assert f"manager1 (127.0.0.1:{port}) still answers" in said
        assert as_it_was(machine)
        machine.restore(taken, "--others-are-gone")


@pytest.mark.parametrize(
    ("trouble", "code"), [("init-fails", 1), ("broken", 9)], ids=["init", "engine"]
)
def test_what_was_there_comes_back_when_the_restore_fails(
    machine: Machine, taken: Path, trouble: str, code: int
) -> None:
    machine.write("volumes/store/_data/ledger", "of today")
    machine.say(trouble, "")
    machine.restore(taken, "--replace-volumes", check=code)
    assert machine.read("volumes/store/_data/ledger") == "of today"
    assert machine.read("swarm/raft/wal-v3-encrypted/0.wal") == "log of today"
    assert {path.name for path in machine.root.iterdir()} == {"swarm", "volumes"}
    assert machine.runs is (code == 1)


@pytest.fixture
def locked(machine: Machine) -> Path:
    """A backup of it under autolock."""
    machine.facts(autolock=True)
    machine.backup("--key-is-kept-elsewhere")
    (path,) = machine.backups()
    machine.write("swarm/raft/wal-v3-encrypted/0.wal", "log of today")
    (machine.directory / "log").unlink()
    return path


@pytest.mark.parametrize(
    ("key", "options"),
    [
        (None, ["--keep-membership"]),
        ("SWMKEY-1-wrong", ["--keep-membership"]),
        ("", ["--keep-membership"]),
        (KEY, []),
    ],
    ids=["none", "wrong", "empty", "alone of three"],
)
def test_a_locked_backup_needs_its_key_and_a_majority(
    machine: Machine, locked: Path, key: str | None, options: list[str]
) -> None:
    if key is not None:
        machine.say("key", f"{key}\n" if key else "")
        options = [*options, "--unlock-key-file", str(machine.directory / "key")]
    machine.restore(locked, *options, check=7)
    assert as_it_was(machine)


def test_a_locked_backup_is_restored_with_its_key_and_its_votes(
    machine: Machine, locked: Path
) -> None:
    machine.say("key", KEY)  # without a newline: people write files like that
    key = str(machine.directory / "key")
    machine.restore(locked, "--keep-membership", "--unlock-key-file", key)
    assert machine.read("swarm/raft/wal-v3-encrypted/0.wal") == "log of the backup"
    assert (machine.directory / "state").read_text() == "active\n"
    assert not [line for line in machine.log if "force-new-cluster" in line]
