"""What is seen on a machine besides its engine, by commands that only read.

No command here may wait for an NFS server that is away: nothing looks into what is mounted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.survey import backups
from pytest_swarmlab.survey.machine import Certificate, Disk, Export, Job, Mount, System, Unit
from pytest_swarmlab.swarm.identities import CERTIFICATE

if TYPE_CHECKING:
    from pytest_swarmlab.swarm.cluster import Node, Output
from pytest_swarmlab.text import some

ANSWER_S = 15.0
"""Longest that one command may take, seconds: each takes a tenth of one on an embedded machine."""

AT_ONCE = 4
"""Commands at once on one machine; an SSH server permits ten sessions by default (MaxSessions)."""

LARGEST = 2**20
"""Bytes of a file that are read."""

UNITS = (
    "docker.service", "docker.socket", "containerd.service", "nfs-server.service",
    "remote-fs.target", "*backup*", "*.timer",
)  # fmt: skip
"""Units that are read from systemd; a pattern matches loaded units."""

PROPERTIES = (
    "Id", "LoadState", "ActiveState", "UnitFileState", "Unit", "ExecStart", "OnFailure",
    "LastTriggerUSec",
)  # fmt: skip

NO_DISKS = ("tmpfs", "devtmpfs", "overlay", "squashfs", "efivarfs", "ramfs", "iso9660")
"""File systems whose fullness tells nothing."""

VIRTUAL = {
    "proc", "sysfs", "tmpfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "nsfs", "overlay", "bpf",
    "mqueue", "debugfs", "tracefs", "securityfs", "pstore", "configfs", "fusectl", "hugetlbfs",
    "binfmt_misc", "autofs", "ramfs", "efivarfs", "rpc_pipefs", "nfsd", "fuse.lxcfs",
}  # fmt: skip
"""File systems without user data."""

SHELLS = {"sh", "bash", "dash", "env", "nice", "ionice", "flock", "timeout"}
"""Programs that run another; that one is meant."""

OWN = ("/usr/local/", "/opt/", "/root/", "/home/", "/srv/", "/etc/")
"""Where the programs of a machine's owner are; the distribution's take no backups of a swarm."""

CRON = ("/etc/crontab", "/etc/cron.d", "/var/spool/cron")

DENIED = re.compile(r"^grep: (.+): Permission denied$", re.MULTILINE)
"""What grep says of a file that it may not read, in the locale C."""

SECONDS = re.compile(r"[0-9]{1,12}")
"""Unix time, of any year that a machine may think it is."""

ESCAPED = re.compile(r"\\([0-7]{3})")


class Looker:
    """Looks at one machine, part by part: one part that can't be seen does not hide the others."""

    def __init__(self, node: Node, root: str) -> None:
        """`root`: the directory of its engine, ``/var/lib/docker``."""
        self._node = node
        self._root = root

    def look(self) -> System:
        """Read the whole system. Raises ProviderError if the machine is unreachable."""
        now = self._now()
        lacks: dict[str, str] = {}
        parts: dict[str, Callable[[], Any]] = {
            "certificate": lambda: self._certificate(now),
            "units": lambda: self._units(now),
            "jobs": lambda: self._jobs(lacks),
            "mounts": lambda: kept(mounts(self._file("/proc/self/mounts"))),
            "fstab": lambda: mounts(self._file("/etc/fstab")),
            "exports": lambda: exports(self._file("/var/lib/nfs/etab", none=True)),
            "addresses": lambda: tuple(self._said("hostname", "-I").split()),
            "disks": lambda: disks(self._said(*_df())),
        }
        found: dict[str, Any] = {}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for part, told in {p: pool.submit(do) for p, do in parts.items()}.items():
                try:
                    found[part] = told.result()
                except (ProviderError, ValueError) as error:
                    lacks[part] = str(error)
        runs = {unit.runs for unit in found.get("units") or ()}
        runs |= {job.runs for job in found.get("jobs") or ()}
        own = {path for path in runs if path.startswith(OWN)}
        try:
            there = backups.find(self._node, now, own)
        except ProviderError as error:
            lacks["scripts"] = lacks["backups"] = str(error)
        else:
            found["scripts"], found["backups"] = there.scripts, there.backups
            if there.closed:
                lacks["backups"] = _may_not(there.closed)
            if hidden := (*there.closed, *there.unread):
                lacks["scripts"] = _may_not(hidden)
        return System(**found, lacks=lacks)

    def _ask(self, *argv: str) -> Output:
        return self._node.ask(*argv, within=ANSWER_S)

    def _said(self, *argv: str, fine: tuple[int, ...] = ()) -> str:
        """A command's output; `fine`: exit codes that are permitted besides 0."""
        output = self._ask(*argv)
        if output.code and output.code not in fine:
            raise ProviderError(f"`{argv[0]}` ended with {output.code}: {brief(output.stderr)}")
        return output.stdout

    def _file(self, path: str, *, none: bool = False) -> str:
        """A file's content; "" for an optional file that is missing."""
        fine = (1,) if none else ()
        return self._said("head", f"--bytes={LARGEST}", "--", path, fine=fine)

    def _now(self) -> float:
        """The machine's clock. As the first command it shows whether the machine answers."""
        output = self._ask("date", "+%s")
        if output.code:
            raise ProviderError(f"{self._node} can't be reached: {brief(output.stderr)}")
        said = output.stdout.strip()
        if not SECONDS.fullmatch(said):
            raise ProviderError(f"{self._node} prints {said[:40]!r} instead of the time")
        return float(said)

    def _units(self, now: float) -> tuple[Unit, ...]:
        """The units that are of interest, and those that timers start."""
        found = units(self._systemctl(UNITS), now)
        started = {unit.starts for unit in found} - {unit.name for unit in found} - {""}
        return (*found, *units(self._systemctl(sorted(started)), now)) if started else found

    def _jobs(self, lacks: dict[str, str]) -> tuple[Job, ...]:
        """Lines of cron's files; what of these may not be read is added to what lacks."""
        shown = self._ask("grep", "-rIH", "-i", "backup", *CRON)
        if shown.code not in (0, 1, 2):  # 2: some of the files are not there, or may not be read.
            raise ProviderError(f"`grep` ended with {shown.code}: {brief(shown.stderr)}")
        if closed := DENIED.findall(shown.stderr):
            lacks["jobs"] = _may_not(closed)
        return jobs(shown.stdout)

    def _systemctl(self, names: Iterable[str]) -> str:
        asked = f"--property={','.join(PROPERTIES)}"
        # Without --all a pattern is about active units only.
        words = ("--all", "--no-pager", "--timestamp=unix", asked, "--")
        return self._said("systemctl", "show", *words, *names)

    def _certificate(self, now: float) -> Certificate | None:
        path = f"{self._root}/{CERTIFICATE}"
        if self._ask("test", "-e", path).code:
            # Either it is no member, or who asks may not look there.
            self._said("ls", "--", self._root)
            return None
        shown = ("-noout", "-subject", "-enddate", "-nameopt", "sep_multiline,sname")
        return certificate(self._said("openssl", "x509", "-in", path, *shown), now)


def _df() -> tuple[str, ...]:
    left_out = (f"--exclude-type={each}" for each in NO_DISKS)
    return ("df", "--local", "--block-size=1", "--output=size,used,target", *left_out)


def _may_not(paths: Sequence[str]) -> str:
    return f"{some(paths, 3)} may not be read"


def brief(said: str) -> str:
    """An error's first line."""
    lines = said.strip().splitlines()
    return lines[0][:200] if lines else "it printed nothing"


# -- what the commands print --------------------------------------------------------------------


def certificate(shown: str, now: float) -> Certificate:
    """openssl's subject and end; ValueError where it shows no end."""
    words = {
        key.strip(): value.strip()
        for key, _, value in (line.partition("=") for line in shown.splitlines())
    }
    until = words.get("notAfter", "").removesuffix("GMT").strip()
    ends = datetime.strptime(until, "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    return Certificate(
        words.get("O", ""), words.get("OU", ""), words.get("CN", ""), ends.timestamp() - now
    )


def units(shown: str, now: float) -> tuple[Unit, ...]:
    """`systemctl show` of several units: a paragraph each."""
    found: dict[str, Unit] = {}
    for paragraph in shown.split("\n\n"):
        words = dict(line.partition("=")[::2] for line in paragraph.splitlines() if "=" in line)
        if not words.get("Id"):
            continue
        last = words.get("LastTriggerUSec", "").removeprefix("@")
        found[words["Id"]] = Unit(
            words["Id"],
            words.get("LoadState", ""),
            words.get("ActiveState", ""),
            words.get("UnitFileState", ""),
            words.get("Unit", ""),
            program(words.get("ExecStart", "")),
            words.get("OnFailure", ""),
            # A timer that has never elapsed tells 0 or nothing.
            now - float(last) if last.isdecimal() and int(last) else None,
        )
    return tuple(found.values())


def program(started: str) -> str:
    """The program of systemd's ``{ path=… ; argv[]=… }``: its words may hold secrets."""
    argv = re.search(r"argv\[\]=(.*?) ; ignore_errors=", started)
    return meant(argv[1].split() if argv else ())


def meant(words: Iterable[str]) -> str:
    """The path of the program that a command line runs; "" if it runs none."""
    paths = [word.strip("'\";") for word in words if word.strip("'\";").startswith("/")]
    return next((p for p in paths if p.rpartition("/")[2] not in SHELLS), "")


def jobs(shown: str) -> tuple[Job, ...]:
    """Lines of cron's files that mention a backup, as grep prints them."""
    found = []
    for line in shown.splitlines():
        file, _, text = line.partition(":")
        words = text.split()
        if text.lstrip().startswith("#") or "=" in (words or ["="])[0]:
            continue
        fields = 1 if words[0].startswith("@") else 5
        if runs := meant(words[fields:]):
            found.append(Job(file, " ".join(words[:fields]), runs))
    return tuple(found)


def mounts(text: str) -> tuple[Mount, ...]:
    """fstab, or the kernel's list of mounts in the same form."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and not words[0].startswith("#"):
            source, target, kind = (unescaped(word) for word in words[:3])
            options = words[3].split(",") if len(words) > 3 else []
            found.append(Mount(source, target, kind, tuple(map(without_secret, options))))
    return tuple(found)


def kept(every: tuple[Mount, ...]) -> tuple[Mount, ...]:
    """Without those of the kernel's own and of containers, of which there are hundreds."""
    return tuple(mount for mount in every if mount.type not in VIRTUAL)


def without_secret(option: str) -> str:
    """A mount's option, a password's value left out."""
    name, equals, _ = option.partition("=")
    hidden = equals and name.lower() in {"password", "pass", "password2", "cred", "credentials"}
    return f"{name}=‹hidden›" if hidden else option


def unescaped(word: str) -> str:
    r"""A path without escapes: in these files a space is ``\040`` (fstab(5))."""
    return ESCAPED.sub(lambda match: chr(int(match[1], 8)), word)


def exports(text: str) -> tuple[Export, ...]:
    """The NFS server's table of exports: directory, client, options."""
    found = []
    for line in text.splitlines():
        path, _, rest = line.partition("\t")
        client, _, options = rest.strip().partition("(")
        if path and client:
            found.append(Export(unescaped(path), client, tuple(options.rstrip(")").split(","))))
    return tuple(found)


def disks(shown: str) -> tuple[Disk, ...]:
    """`df`, each file system once."""
    found: dict[tuple[int, int], Disk] = {}
    for line in shown.splitlines()[1:]:
        words = line.split(None, 2)
        if len(words) == 3 and words[0].isdecimal() and words[1].isdecimal():
            size, used = int(words[0]), int(words[1])
            if size:
                found.setdefault((size, used), Disk(words[2], size, used))
    return tuple(found.values())
