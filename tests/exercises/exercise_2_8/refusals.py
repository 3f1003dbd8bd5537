"""Broken backups are offered to a manager that works."""

from __future__ import annotations

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence.events import each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Judgement

from .declared import REFUSALS, exercise
from .events import Refusal
from .seen import as_expected, whole
from .setting import (
    ANOTHER_ADDRESS,
    ANOTHER_SWARM,
    BIT_FLIPPED,
    CHECKSUMS_CUT,
    MANIFEST_EDITED,
    NOT_CONFIRMED,
    OTHERS_ALIVE,
    TRUNCATED,
    VERIFIED,
    VOLUME_LOST,
)

REFUSED = {
    TRUNCATED: 4,
    BIT_FLIPPED: 4,
    MANIFEST_EDITED: 4,
    CHECKSUMS_CUT: 4,
    VOLUME_LOST: 4,
    ANOTHER_SWARM: 5,
    ANOTHER_ADDRESS: 6,
    NOT_CONFIRMED: 8,
    OTHERS_ALIVE: 10,
}
"""Defect of a backup, or of its restore here → exit code of swarm-restore."""


@exercise.check(
    "refused",
    phases=REFUSALS,
    title="Each broken backup is refused, with an exit code for its defect",
    expected="; ".join(f"{case}: {code}" for case, code in REFUSED.items()),
    hint="`swarm-restore --help` lists the codes; its output is in the screens below.",
)
def refused(record: Record) -> Judgement:
    """Each of these restores was confirmed, so it would have replaced the swarm."""
    codes = {e.case: e.code for e in each(record, Refusal)}
    return as_expected(codes, REFUSED)


@exercise.check(
    "nothing-touched",
    phases=REFUSALS,
    title="A refused restore changes nothing",
    expected="the engine kept running, and no file is left beside the swarm's directory",
    hint="`systemctl status docker`: since when does it run? `ls /var/lib/docker`.",
)
def nothing_touched(record: Record) -> Judgement:
    """Verify first, delete later."""
    offers = each(record, Refusal)
    missing = set(REFUSED) - {e.case for e in offers}
    if missing:
        return unknown(f"never tried: {', '.join(sorted(missing))}")
    bad = [
        f"{e.case}: {'' if e.untouched else 'the engine was stopped'}"
        f" {', '.join(e.left or ())}".strip()
        for e in offers
        if e.untouched is not True or e.left != ()
    ]
    return failed("; ".join(bad)) if bad else passed(f"unchanged after {len(offers)} attempts")


@exercise.check(
    "good-one-verified",
    phases=REFUSALS,
    title="The intact backup passes verification",
    expected="exit code 0 with --verify",
    hint="A script that refuses every backup proves nothing: look at its last screen.",
)
def good_one_verified(record: Record) -> Judgement:
    """The refusals say something only if a good backup is not refused."""
    seen = need(record, Refusal, "it was not tried", case=VERIFIED)
    told = f"exit code {seen.code}"
    return passed(told) if seen.code == 0 else failed(f"{told}: {seen.said}")


@exercise.check(
    "swarm-unharmed",
    phases=REFUSALS,
    title="The swarm is unharmed",
    expected="three managers reachable, two workers, all ready, one leader",
    hint="`docker node ls` on a manager.",
)
def swarm_unharmed(record: Record) -> Judgement:
    """Judged on the last node list."""
    offered = max((e.t for e in each(record, Refusal)), default=None)
    return whole(record, [("the last attempt", offered)])
