"""Criterion "Backup/Restore", as far as what is there shows it: script, timer, latest backup."""

from __future__ import annotations

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.marking.skeleton import PLACE
from pytest_swarmlab.marking.state.basis import Look, exercise, judged
from pytest_swarmlab.model import Judgement
from pytest_swarmlab.survey.backups import PARTS
from pytest_swarmlab.survey.machine import Backup, Machine, Script, System
from pytest_swarmlab.text import duration

OLDEST_S = 2 * 86_400.0
"""A backup is taken every night, and one night may fail."""


def scripts(look: Look) -> tuple[list[tuple[Machine, Script]], list[str]]:
    """Programs that speak of a swarm and a backup, and where nobody could look for them.

    What was handed in lies on each machine of a throw-away cluster; that alone installs nothing.
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
    """What the machine's units and cron run."""
    units, jobs = system.units or (), system.jobs or ()
    return {unit.runs for unit in units} | {job.runs for job in jobs}


def needed(look: Look) -> list[tuple[Machine, Script]]:
    """The same; raises Unseen where there are none, or none is a shell script."""
    found, _ = scripts(look)
    if not found:
        raise Unseen("no backup script was found")
    readable = [(machine, each) for machine, each in found if each.shell]
    if not readable:
        raise Unseen(f"{found[0][1].path} is no shell script: nobody read what it does")
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
    title="A script that takes backups is installed",
    expected="on a manager, a program that can be run and speaks of Docker and the swarm",
    hint="Exercise 2.8: for example /usr/local/sbin/swarm-backup, mode 0755.",
)
def script(look: Look) -> Judgement:
    """By its name, and by what a timer runs."""
    found, missing = scripts(look)
    managers = {row.machine for row in look.nodes if row.role == "manager"}
    good = [(m, each) for m, each in found if m.name in managers and each.executable]
    if good:
        return judged(f"found {_listed(good)}")
    seen = f"found {_listed(found)}" if found else "looked for it on every machine"
    wrong = [] if missing else ["none on a manager that can be run"]
    return judged(seen, wrong=wrong, missing=missing)


@exercise.claim(
    "backup",
    "timer",
    title="It is run regularly",
    expected="a timer of systemd's that is active and enabled, or a line of cron's, on a manager",
    hint="`systemctl enable --now swarm-backup.timer`. Swarm itself has no jobs at fixed times.",
)
def timer(look: Look) -> Judgement:
    """The timer that starts such a script."""
    part = look.cast["backup-timer"]
    there, missing = look.systems("units")
    if not part.candidates:
        wrong = [] if missing else ["nothing starts a backup script"]
        return judged("looked at timers and cron's files", wrong=wrong, missing=missing)
    managers = {row.machine for row in look.nodes if row.role == "manager"}
    names = {candidate.name for candidate in part.candidates}
    units = [(m, u) for m, s in there for u in s.units or () if u.name in names and u.there]
    on = [m.name for m, unit in units if unit.on and unit.comes_back and m.name in managers]
    cron = [name for name in names if name.startswith("/")]
    if on or cron:
        return judged(f"{', '.join(sorted(names))}: {', '.join(on) or 'cron'}")
    wrong = [f"on {m.name} {u.name} is {u.active}, {u.enabled}" for m, u in units]
    return judged(f"{', '.join(sorted(names))}", wrong=wrong or ["on no manager"])


@exercise.claim(
    "backup",
    "stops-engine",
    title="It copies while the engine is stopped",
    expected="the script stops docker before it copies",
    hint="The raft log is being written while the engine runs: `systemctl stop docker.socket"
    " docker.service` first.",
)
def stops_engine(look: Look) -> Judgement:
    """What the script says."""
    found = needed(look)
    good = [each for each in found if each[1].stops_engine]
    return judged(f"read {_listed(found)}", wrong=[] if good else ["nothing in it stops docker"])


@exercise.claim(
    "backup",
    "restarts-engine",
    title="It starts the engine again whatever happens",
    expected="a trap that starts docker, also when the copy fails",
    hint="A full disk ends `tar`, and a script without `trap … EXIT` then ends with the engine"
    " stopped, or goes on as if all were well.",
)
def restarts_engine(look: Look) -> Judgement:
    """What the script says."""
    found = [each for each in needed(look) if each[1].stops_engine]
    if not found:
        raise Unseen("no script stops the engine")
    good = [each for each in found if each[1].starts_engine and each[1].whatever_happens]
    wrong = [] if good else ["it starts docker only when nothing went wrong, if at all"]
    return judged(f"read {_listed(found)}", wrong=wrong)


@exercise.claim(
    "backup",
    "taken",
    title="A backup was taken",
    expected="there is one on some machine",
    hint="Exercise 2.8: run the script on a manager that doesn't lead, and look at what it says.",
)
def taken(look: Look) -> Judgement:
    """Any archive that has the swarm in its name."""
    there, missing = look.systems("backups")
    found = [f"{each.path} on {m.name}" for m, system in there for each in system.backups or ()]
    if found:
        return judged(found[0])
    wrong = [] if missing else ["there is none"]
    return judged("looked for backups on every machine", wrong=wrong, missing=missing)


@exercise.claim(
    "backup",
    "recent",
    title="There is a recent backup",
    expected=f"the newest is at most {OLDEST_S / 86_400:.0f} days old",
    hint="Exercise 2.8: run the script on a manager that doesn't lead, and look at what it says.",
)
def recent(look: Look) -> Judgement:
    """The newest archive that has the swarm in its name."""
    there, missing = look.systems("backups")
    if not any(system.backups for _, system in there):
        wrong = [] if missing else ["there is none"]
        return judged("looked for backups on every machine", wrong=wrong, missing=missing)
    machine, backup = latest(look)
    age = duration(backup.age_s) if backup.age_s < 3600 else f"{backup.age_s / 3600:.0f} h"
    seen = f"{backup.path} on {machine.name} is {age} old"
    if backup.age_s <= OLDEST_S:
        return judged(seen)
    return judged(seen, wrong=[] if missing else ["none is newer"], missing=missing)


@exercise.claim(
    "backup",
    "complete",
    title="It holds what a swarm is restored from",
    expected="docker-state.json, the certificates with the key, and raft/, of swarm/",
    hint="All of /var/lib/docker/swarm: without certificates/ nobody can read the raft log.",
)
def complete(look: Look) -> Judgement:
    """The names in the newest archive."""
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
    title="The key of a locked swarm is not kept beside its backups",
    expected="no file of an unlock key in the backup's directory or the one above",
    hint="Whoever has both has every secret: `--unlock-key-dir` with a directory elsewhere.",
)
def key_elsewhere(look: Look) -> Judgement:
    """Names of files beside the newest archive."""
    machine, backup = latest(look)
    return judged(f"{backup.path} on {machine.name}", wrong=list(backup.keys))
