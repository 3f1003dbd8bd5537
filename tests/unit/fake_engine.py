"""A machine for the scripts of stacks/backup: its engine, systemd and address only pretend.

What the scripts do with files is real; all that they may touch lies below one directory.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

BACKUP = Path(__file__).parents[2] / "stacks" / "backup"
SWARM, ADDRESS, KEY = "swarm0001", "192.0.2.20", "SWMKEY-1-right"

DOCKER = """
echo "docker $*" >> "$FAKE/log"
[ -e "$FAKE/up" ] || exit 1
case "$*" in
"version "*) echo 26.1.5 ;;
*"{{.DockerRootDir}}") echo "$FAKE/root" ;;
*"{{.Swarm.LocalNodeState}}") cat "$FAKE/state" ;;
"info "*) cat "$FAKE/state" "$FAKE/facts" ;;
"node ls "*"{{with .ManagerStatus}}"*) cat "$FAKE/managers" ;;
"node ls "*"{{.Self}} {{.ManagerStatus}}"*) [ ! -e "$FAKE/nobody-leads" ] && echo "true Leader" ;;
"node inspect --format "*) cat "$FAKE/places" ;;
"node ls"|"node ls --quiet") [ ! -e "$FAKE/nobody-leads" ] && echo n2 ;;
*" inspect "*) echo '[{}]' ;;
"swarm unlock-key "*) echo "SWMKEY-1-right" ;;
"swarm unlock")
    read -r key
    [ "$key" = SWMKEY-1-right ] && echo active > "$FAKE/state" ;;
"swarm init "*)
    if [ -e "$FAKE/init-fails" ]; then echo "context deadline exceeded"; exit 1; fi ;;
*" ls"*) echo thing ;;
*) echo "docker $* is not pretended" >&2; exit 64 ;;
esac
"""
SYSTEMCTL = """
echo "systemctl $*" >> "$FAKE/log"
case "$*" in
"stop "*)
    rm -f "$FAKE/up"
    if [ -e "$FAKE/locks" ]; then echo locked > "$FAKE/state"; fi
    if [ -e "$FAKE/breaks" ]; then touch "$FAKE/broken"; fi ;;
"start "*)
    [ ! -e "$FAKE/broken" ] && touch "$FAKE/up" ;;
*is-failed*) [ -e "$FAKE/broken" ] ;;
esac
"""
IP = 'echo "2: eth0    inet $(cat "$FAKE/address")/24 brd 192.0.2.255 scope global eth0"'
COMMANDS = {
    "docker": DOCKER,
    "systemctl": SYSTEMCTL,
    "ip": IP,
    "journalctl": "echo 'dockerd: no'",
    "id": "echo 0",
    # The pretended certificate is its own subject.
    "openssl": 'while [ "$1" != -in ]; do shift; done; cat "$2"',
}


class Machine:
    """A manager of three, a follower; `directory` is where all of it lies."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.place = directory / "backups"
        commands = directory / "bin"
        commands.mkdir(parents=True)
        for name, text in COMMANDS.items():
            (commands / name).write_text(f"#!/bin/sh\n{text}", encoding="utf-8")
            (commands / name).chmod(0o755)
        self.say("up", "")
        self.say("state", "active\n")
        self.facts()
        self.managers("n1 Leader false", "n2 Reachable true", "n3 Reachable false")
        self.say("places", f"n1 manager1 127.0.0.9:1\nn2 manager2 {ADDRESS}:2377\n")
        self.say("address", ADDRESS)
        self.write("swarm/docker-state.json", "{}")
        self.write("swarm/certificates/swarm-node.crt", f"O={SWARM}\n")
        self.write("swarm/certificates/swarm-node.key", "key")
        self.write("swarm/raft/wal-v3-encrypted/0.wal", "log of the backup")
        self.write("volumes/store/_data/ledger", "1\n2\n3\n")
        self.write("volumes/metadata.db", "labels")

    def say(self, name: str, text: str) -> None:
        """Set something that the pretended commands tell."""
        (self.directory / name).write_text(text, encoding="utf-8")

    def facts(self, *, autolock: bool = False, control: bool = True, swarm: str = SWARM) -> None:
        """What `docker info` tells besides the state."""
        on, may = str(autolock).lower(), str(control).lower()
        lines = [may, "n2", ADDRESS, str(self.root), "26.1.5", "manager2", swarm, on, "4789"]
        self.say("facts", "\n".join(lines) + "\n")
        if autolock:
            self.say("locks", "")

    def managers(self, *rows: str) -> None:
        """Who the managers are: id, status, whether this is the one that is asked."""
        self.say("managers", "\n".join(rows) + "\n")

    def write(self, path: str, text: str) -> None:
        """A file below the engine's directory."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def read(self, path: str) -> str:
        """The same, read."""
        return (self.root / path).read_text(encoding="utf-8")

    @property
    def runs(self) -> bool:
        """Whether the engine runs."""
        return (self.directory / "up").exists()

    @property
    def log(self) -> list[str]:
        """What was asked of the engine and of systemd."""
        log = self.directory / "log"
        return log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    def backups(self) -> list[Path]:
        """All that lies where backups go, hidden or not."""
        return sorted(self.place.iterdir()) if self.place.exists() else []

    def backup(self, *options: str, check: int = 0) -> subprocess.CompletedProcess[str]:
        """Run swarm-backup; it must end with that code."""
        return self._ran("swarm-backup", "--to", str(self.place), *options, check=check)

    def restore(
        self, backup: Path, *options: str, check: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run swarm-restore, confirmed; it must end with that code."""
        return self._ran(
            "swarm-restore", "--yes-replace-this-swarm", *options, str(backup), check=check
        )

    def _ran(self, script: str, *argv: str, check: int) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(BACKUP / script), *argv],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=self.environment(),
        )
        assert done.returncode == check, done.stdout + done.stderr
        return done

    def environment(self) -> dict[str, str]:
        """What a script needs to see this machine instead of the real one."""
        return {
            "PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}",
            "FAKE": str(self.directory),
            "SWARM_BACKUP_RUN": str(self.directory),
        }
