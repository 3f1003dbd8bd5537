"""Looks for programs that take a swarm's backups, and for backups that they have taken."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.survey.machine import Backup, Script

if TYPE_CHECKING:
    from pytest_swarmlab.swarm.cluster import Node

FIND_S, LIST_S = 20.0, 20.0
"""Longest that looking for files, and listing an archive, may take, seconds."""

PLACES = (
    "/usr/local", "/opt", "/root", "/home", "/srv", "/mnt", "/backup", "/backups", "/var/backups",
    "/var/lib/backups", "/etc/cron.daily", "/etc/cron.hourly", "/etc/cron.weekly",
)  # fmt: skip
DEPTH = 5

NAMES = ("*backup*", "*swarm*.tar*", "*swarm*.tgz", "*unlock*", "*sauvegarde*")

ARCHIVE = re.compile(r"\.(tar|tgz|tbz2|txz)(\.\w+)?$")
KEY = re.compile(r"unlock|swmkey", re.IGNORECASE)
NO_SCRIPT = re.compile(
    r"\.(service|timer|socket|md|txt|log|json|ya?ml|conf|sum|gz|zst|xz|gpg|age)$"
)

LARGEST = 2**18
"""Bytes of a script that are read."""

SCRIPTS, OPENED = 8, 1
"""Scripts that are read, and archives (the newest) that are opened, on one machine."""

PARTS = ("docker-state.json", "certificates/swarm-node.key", "raft/")
"""Parts of the engine's directory ``swarm`` that a backup needs; without the key the encrypted rest
is unreadable."""

STOPS = re.compile(r"(systemctl\s+(--\S+\s+)*stop|service\s+docker\s+stop|/docker\s+stop\b)")
STARTS = re.compile(r"(systemctl\s+(--\S+\s+)*(re)?start|service\s+docker\s+(re)?start)")
TRAP = re.compile(r"^\s*trap\s+(?!-)(?!''|\"\")\S+.*\b(EXIT|0|ERR)\b", re.MULTILINE)
"""The script does something whatever ends it."""

DENIED = re.compile(r"^find: .(.+).: Permission denied$", re.MULTILINE)
"""What `find` says of a directory that it may not look into, in the locale C."""


@dataclass(frozen=True)
class File:
    """A file that `find` has found."""

    path: str
    changed: float
    size: int
    mode: int

    @property
    def name(self) -> str:
        """Without its directory."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Found:
    """Scripts and backups, the newest first; `closed`: directories that nobody could look into,
    `unread`: programs that nobody could read.
    """

    scripts: tuple[Script, ...]
    backups: tuple[Backup, ...]
    closed: tuple[str, ...]
    unread: tuple[str, ...]


def find(node: Node, now: float, runs: Iterable[str]) -> Found:
    """Scripts and backups on that machine.

    `now`: the machine's clock; `runs`: programs that its timers run. Raises ProviderError when the
    machine gives no answer.
    """
    words: list[str] = []
    for name in NAMES:
        words += ["-o", "-iname", name]
    there, closed = _found(
        node, "find", *PLACES, "-maxdepth", str(DEPTH), "-xdev",
        "-type", "f", "(", *words[1:], ")",
    )  # fmt: skip
    named = sorted(set(runs))
    known, hidden = (
        _found(node, "find", *named, "-maxdepth", "0", "-type", "f") if named else ([], [])
    )
    scripts, unread = _scripts(node, [*known, *there])
    return Found(scripts, _backups(node, there, now), tuple(closed), (*hidden, *unread))


def _found(node: Node, *words: str) -> tuple[list[File], list[str]]:
    """The files, and the places that may not be looked into."""
    shown = node.ask(*words, "-printf", r"%T@ %s %m %p\0", within=FIND_S)
    if shown.code not in (0, 1):  # 1: some of the places are not there, or may not be looked into.
        raise ProviderError(f"`find` ended with {shown.code}")
    files = []
    for entry in shown.stdout.split("\0"):
        fields = entry.split(" ", 3)
        if len(fields) == 4:
            changed, size, mode, path = fields
            files.append(File(path, float(changed), int(size), int(mode, 8)))
    return files, DENIED.findall(shown.stderr)


def _scripts(node: Node, files: list[File]) -> tuple[tuple[Script, ...], list[str]]:
    """Those that can be run, and the paths of those that could not be read."""
    wanted: dict[str, File] = {}
    for file in files:
        if not (ARCHIVE.search(file.name) or NO_SCRIPT.search(file.name) or KEY.search(file.name)):
            wanted.setdefault(file.path, file)
    # What can be run, and what is meant to be, before what merely has such a name.
    first = sorted(wanted.values(), key=lambda file: not _runs(file))[:SCRIPTS]
    read = {file.path: _script(node, file) for file in first if _runs(file)}
    unread = [path for path, told in read.items() if told is None]
    return tuple(told for told in read.values() if told is not None), unread


def _runs(file: File) -> bool:
    return bool(file.mode & 0o111) or file.name.endswith(".sh")


def _script(node: Node, file: File) -> Script | None:
    told = node.ask("head", f"--bytes={LARGEST}", "--", file.path, within=FIND_S)
    if told.code:
        return None
    return script(file.path, told.stdout, executable=bool(file.mode & 0o111))


def script(path: str, text: str, *, executable: bool) -> Script:
    """A script's commands for the engine, without comments."""
    first = text.partition("\n")[0]
    shell = bool(re.match(r"#!.*\b(ba|da|z|k)?sh\b", first)) or path.endswith(".sh")
    said = re.sub(r"(?m)^\s*#.*$", "", text)
    docker = "docker" in said
    return Script(
        path,
        executable,
        docker and "swarm" in said,
        shell,
        stops_engine=docker and bool(STOPS.search(said)),
        starts_engine=docker and bool(STARTS.search(said)),
        whatever_happens=bool(TRAP.search(said)),
    )


def _backups(node: Node, files: list[File], now: float) -> tuple[Backup, ...]:
    keys = [file for file in files if KEY.search(file.name) and not ARCHIVE.search(file.name)]
    archives = [file for file in files if ARCHIVE.search(file.name) and "swarm" in file.path]
    archives.sort(key=lambda file: -file.changed)
    return tuple(
        Backup(
            file.path,
            now - file.changed,
            file.size,
            _holds(node, file) if number < OPENED else None,
            tuple(key.path for key in keys if _beside(key.path, file.path)),
        )
        for number, file in enumerate(archives[:50])
    )


def _beside(key: str, backup: str) -> bool:
    """Whether the key lies in the backup's directory, or in the directory of all backups."""
    place = PurePosixPath(backup).parent
    return PurePosixPath(key).parent in {place, place.parent}


def _holds(node: Node, file: File) -> tuple[str, ...] | None:
    """Which of the parts are in the archive; None where it can't be listed: encrypted, say."""
    try:
        listed = node.ask("tar", "--list", "--file", file.path, within=LIST_S)
    except ProviderError:
        return None
    if listed.code:
        return None
    names = listed.stdout.splitlines()
    return tuple(part for part in PARTS if any(f"swarm/{part}" in name for name in names))
