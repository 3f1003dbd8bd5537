"""Criterion "Backup/Restore", the state checks: backup script, timer, newest backup."""

from __future__ import annotations

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.marking import players
from pytest_swarmlab.marking.skeleton import PLACE
from pytest_swarmlab.marking.state.basis import Look, exercise, judged
from pytest_swarmlab.model import Judgement
from pytest_swarmlab.survey.backups import PARTS
from pytest_swarmlab.survey.machine import Backup, Machine, Script, System
from pytest_swarmlab.text import duration

OLDEST_S = 2 * 86_400.0
"""A nightly backup may fail once."""


def scripts(look: Look) -> tuple[list[tuple[Machine, Script]], list[str]]:
    """Programs whose text names a swarm and a backup, and the machines that could not be searched.

    On a throw-away cluster each machine has a copy of the submission. A script in that copy counts
    as installed only if a unit or cron runs it.
    """
    there, missing = look.systems("scripts")
    found = [
        (m, each)
        for m, system in there
        for each in system.scripts or ()
        if each.swarm and (not each.path.startswith(f"{PLACE}/") or each.path in _run(system))
    ]
    return found, missing


def _run(system: System) -> set[str]:
    """Paths that the machine's units and cron run."""
    units, jobs = system.units or (), system.jobs or ()
    return {unit.runs for unit in units} | {job.runs for job in jobs}


def needed(look: Look) -> list[tuple[Machine, Script]]:
    """The shell scripts among `scripts`; raises Unseen where there are none."""
    found, _ = scripts(look)
    if not found:
        raise Unseen("no backup script was found")
    readable = [(machine, each) for machine, each in found if each.shell]
    if not readable:
        raise Unseen(f"{found[0][1].path} is no shell script, so its commands were not read")
    return readable


def latest(look: Look) -> tuple[Machine, Backup]:
    """The newest backup of any machine; raises Unseen where there is none."""
    there, missing = look.systems("backups")
    found = [(machine, each) for machine, system in there for each in system.backups or ()]
    if not found:
        raise Unseen("; ".join(missing) or "no backup was found")
    return min(found, key=lambda each: each[1].age_s)


def _listed(found: list[tuple[Machine, Script]]) -> str:
    return ", ".join(sorted({f"{each.path} on {machine.name}" for machine, each in found})[:6])


@exercise.claim(
    "backup",
    "script",
    title="A backup script is installed",
    expected="on a manager, an executable program whose text names Docker and the swarm",
    hint="Exercise 2.8: for example /usr/local/sbin/swarm-backup, mode 0755.",
)
def script(look: Look) -> Judgement:
    """Found by its name, or because a timer runs it."""
    found, missing = scripts(look)
    managers = {row.machine for row in look.nodes if row.role == "manager"}
    good = [(m, each) for m, each in found if m.name in managers and each.executable]
    if good:
        return judged(f"found {_listed(good)}")
    seen = f"found {_listed(found)}" if found else "searched every machine for a backup script"
    wrong = [] if missing else ["no manager has an executable backup script"]
    return judged(seen, wrong=wrong, missing=missing)


@exercise.claim(
    "backup",
    "timer",
    title="A timer or cron runs the backup script",
    expected="on a manager, a systemd timer that is active and enabled, or a line of cron",
    hint="`systemctl enable --now swarm-backup.timer`. Swarm itself has no scheduled jobs.",
)
def timer(look: Look) -> Judgement:
    """The timer or cron line that starts a backup script."""
    part = look.cast["backup-timer"]
    there, missing = look.systems("units")
    if not part.candidates:
        missing += scripts(look)[1] + look.systems("jobs")[1]
        wrong = [] if missing else ["nothing starts a backup script"]
        return judged("read the timers and cron's files", wrong=wrong, missing=missing)
    managers = {row.machine for row in look.nodes if row.role == "manager"}
    names = {candidate.name for candidate in part.candidates}
    units = [(m, u) for m, s in there for u in s.units or () if u.name in names and u.there]
    on = [m.name for m, unit in units if unit.on and unit.comes_back and m.name in managers]
    cron = [
        m.name for m in look.members("system")
        if m.name in managers and m.system and players.backup_jobs(m.system)
    ]  # fmt: skip
    seen = ", ".join(sorted(names))
    if on or cron:
        return judged(f"{seen}: {', '.join(on) or 'cron'}")
    if managers - {m.name for m, _ in there}:
        return judged(seen, missing=missing)
    wrong = [f"on {m.name} {u.name} is {u.active}, {u.enabled}" for m, u in units]
    return judged(seen, wrong=wrong or ["on no manager"])


@exercise.claim(
    "backup",
    "stops-engine",
    title="The backup script stops the engine before it copies",
    expected="the script stops docker",
    hint="A running engine writes to the Raft log during the copy: `systemctl stop docker.socket"
    " docker.service` first.",
)
def stops_engine(look: Look) -> Judgement:
    """The script's commands."""
    found = needed(look)
    good = [each for each in found if each[1].stops_engine]
    return judged(f"read {_listed(found)}", wrong=[] if good else ["no command stops docker"])


@exercise.claim(
    "backup",
    "restarts-engine",
    title="The backup script starts the engine again even if the copy fails",
    expected="a trap that starts docker",
    hint="If the disk is full, `tar` fails. A script without `trap … EXIT` then leaves the engine"
    " stopped, or goes on without an error.",
)
def restarts_engine(look: Look) -> Judgement:
    """The script's commands."""
    found = [each for each in needed(look) if each[1].stops_engine]
    if not found:
        raise Unseen("no script stops the engine")
    good = [each for each in found if each[1].starts_engine and each[1].whatever_happens]
    wrong = [] if good else ["no trap starts docker"]
    return judged(f"read {_listed(found)}", wrong=wrong)


@exercise.claim(
    "backup",
    "taken",
    title="A backup exists",
    expected="a backup on at least one machine",
    hint="Exercise 2.8: run the script on a manager that is not the leader, and read its output.",
)
def taken(look: Look) -> Judgement:
    """Any archive that has the swarm in its name."""
    there, missing = look.systems("backups")
    found = [f"{each.path} on {m.name}" for m, system in there for each in system.backups or ()]
    return judged(found[0]) if found else _none(missing)


def _none(missing: list[str]) -> Judgement:
    wrong = [] if missing else ["there is none"]
    return judged("searched every machine for backups", wrong=wrong, missing=missing)


@exercise.claim(
    "backup",
    "recent",
    title="The newest backup is recent",
    expected=f"the newest backup is at most {OLDEST_S / 86_400:.0f} days old",
    hint="Exercise 2.8: run the script on a manager that is not the leader, and read its output.",
)
def recent(look: Look) -> Judgement:
    """The newest archive that has the swarm in its name."""
    there, missing = look.systems("backups")
    if not any(system.backups for _, system in there):
        return _none(missing)
    machine, backup = latest(look)
    age = duration(backup.age_s) if backup.age_s < 3600 else f"{backup.age_s / 3600:.0f} h"
    seen = f"{backup.path} on {machine.name} is {age} old"
    if backup.age_s <= OLDEST_S:
        return judged(seen)
    return judged(seen, wrong=[] if missing else ["none is newer"], missing=missing)


@exercise.claim(
    "backup",
    "complete",
    title="The newest backup holds all that a restore needs",
    expected="docker-state.json, the certificates with the key, and raft/, of swarm/",
    hint="Archive all of /var/lib/docker/swarm. Without certificates/ the Raft log is unreadable.",
)
def complete(look: Look) -> Judgement:
    """Names of files in the newest archive."""
    machine, backup = latest(look)
    seen = f"{backup.path} on {machine.name}"
    if backup.holds is None:
        return judged(seen, missing=["it could not be opened"])
    lacking = [part for part in PARTS if part not in backup.holds]
    return judged(f"{seen} holds {', '.join(backup.holds) or 'nothing of a swarm'}",
                  wrong=[f"not in it: {', '.join(lacking)}"] if lacking else [])  # fmt: skip


@exercise.claim(
    "backup",
    "key-elsewhere",
    title="The unlock key of a locked swarm is not kept beside the backups",
    expected="no unlock key in the backup's directory or in its parent",
    hint="The key and a backup together give away every secret: use `--unlock-key-dir` with"
    " another directory.",
)
def key_elsewhere(look: Look) -> Judgement:
    """Names of files beside the newest archive."""
    machine, backup = latest(look)
    return judged(f"{backup.path} on {machine.name}", wrong=list(backup.keys))
