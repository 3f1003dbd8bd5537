"""An autolocked swarm is destroyed and restored."""

from __future__ import annotations

import math

from pytest_swarmlab import failed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Write, each, last
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    judged,
    never,
    not_awaited,
    not_each,
    not_while,
    out_of_order,
)
from pytest_swarmlab.model import Judgement

from .declared import AUTOLOCK, exercise
from .events import Answers, Backup, KeyKept, Restore, Unlock
from .seen import as_expected
from .setting import ALONE, KEY_UNSAID, NO_KEY, WRONG_KEY

UNLOCKED = {KEY_UNSAID: 7, NO_KEY: 7, WRONG_KEY: 7, ALONE: 7}
"""Case of an autolocked swarm and its backup → its exit code."""


@exercise.check(
    "locked-out",
    phases=AUTOLOCK,
    title="Without its key an autolocked backup is refused",
    expected="exit code 7 each: a backup without the key; a restore without a key, with a wrong"
    " one, or alone",
    hint="The manifest has the key's SHA-256, which is compared before any change.",
)
def locked_out(record: Record) -> Judgement:
    """Alone: one locked manager can't be made a new cluster (moby issue 36852)."""
    tries = {e.case: e for e in each(record, Unlock)}
    judgement = as_expected({case: e.code for case, e in tries.items()}, UNLOCKED)
    if judgement.verdict != "pass":
        return judgement
    fault, done = readings.fault(record), each(record, Restore)
    order = out_of_order(
        ("the backup that was refused", tries[KEY_UNSAID].t),
        ("the destruction", fault.began if fault else None),
        ("the new machines", fault.healed if fault else None),
        ("the first refused restore", min(tries[case].t for case in RESTORES)),
    )
    order += out_of_order(
        ("the last refused restore", max(tries[case].t for case in RESTORES)),
        ("the restore", done[0].t if done else None),
    )
    return judged(judgement.observed, missing=order)


RESTORES = (NO_KEY, WRONG_KEY, ALONE)
"""Which of those were tried on the new machines."""


@exercise.check(
    "key-kept-apart",
    phases=AUTOLOCK,
    title="The unlock key is kept, and not in the backup",
    expected="the right key in its own directory, and in no file of the backup",
    hint="`swarm-backup --unlock-key-dir DIR`: is DIR on another disk than the backups?",
)
def key_kept_apart(record: Record) -> Judgement:
    """A key beside its backup protects nothing, and a lost key locks for ever."""
    kept = each(record, KeyKept)
    if not kept:
        return unknown("the key was not looked for")
    told = "; ".join(f"{e.node}: in the backup: {e.in_backup}, apart: {e.beside}" for e in kept)
    good = all(e.in_backup is False and e.beside is True for e in kept)
    taken = {str(e.node): e.t for e in each(record, Backup, code=0)}
    missing = not_each((e.node for e in kept), taken, "looked for the key of")
    for e in kept:
        missing += out_of_order(
            (f"the backup of {e.node}", taken.get(e.node)), (f"the look for {e.node}'s key", e.t)
        )
    blind = [e.node for e in kept if e.control is not True]
    if blind:
        missing.append(f"the search found no control: {', '.join(blind)}")
    return judged(told, holds=good, missing=missing)


@exercise.check(
    "unlocked",
    phases=AUTOLOCK,
    title="With the right key two managers that are restored together form the swarm again",
    expected="both restores end with 0, and changes are accepted",
    hint="`docker swarm unlock` waits for a leader: restore both at the same time.",
)
def unlocked(record: Record) -> Judgement:
    """Restored with their votes: no new cluster is forced."""
    done, answers = each(record, Restore), last(record, Answers)
    restored = {e.node for e in done}
    if len(restored) < 2:
        return unknown(f"{len(restored)} of 2 managers were restored")
    told = ", ".join(f"{e.node}: {e.code}" for e in done)
    if any(e.code != 0 for e in done):
        return failed(f"{told}; " + "; ".join(e.said for e in done))
    ended = max(e.t for e in done)
    if answers is None:
        return never(f"{told}; no change was accepted", not_awaited(record, ended))
    fault, over = readings.fault(record), Window(ended, math.inf)
    accepted = (write.t for write in each(record, Write) if not write.error)
    missing = not_while(accepted, over, "had a change accepted")
    missing += out_of_order(
        ("the new machines", fault.healed if fault else None),
        ("the first restore", min(e.t for e in done)),
    )
    return judged(told, missing=missing)
