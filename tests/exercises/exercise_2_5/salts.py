"""A login on every replica, with shared salts and without."""

import math
from collections import Counter

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence.events import each, last
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged
from pytest_swarmlab.model import Judgement

from .declared import SALTS, exercise
from .events import Replayed, Served

LEAST_TRIES = 12


@exercise.check(
    "shared-salts",
    phases=SALTS,
    title="With shared salts a login is valid at every replica",
    expected=f"known on all of at least {LEAST_TRIES} fresh connections",
    hint="Which WORDPRESS_…_KEY_FILE and …_SALT_FILE does the service lack?",
)
def shared_salts(record: Record) -> Judgement:
    """The stack's correction. Which replicas the connections reached is in their logs."""
    found = _replayed(record, "shared")
    if isinstance(found, Judgement):
        return found
    known, tries, after = found
    later = min((e.t for e in each(record, Replayed) if e.t > after), default=math.inf)
    logs = [e.by_task for e in each(record, Served) if after <= e.t < later]
    reached = sum(count > 0 for count in logs[0].values()) if logs else 0
    told = f"known on {known} of {tries} connections, to {reached} replicas"
    missing = []
    if not logs or len(logs[0]) < 2 or reached < len(logs[0]):
        missing.append(f"not every replica was reached: {reached} of {len(logs[0]) if logs else 0}")
    return judged(told, holds=known == tries, missing=missing)


@exercise.check(
    "own-salts",
    phases=SALTS,
    title="Without shared salts a login is valid at some replicas only, for comparison",
    expected=f"known on some, and not on all, of at least {LEAST_TRIES} fresh connections",
    hint="If the containers get salts from elsewhere, the check of shared salts proves nothing.",
)
def own_salts(record: Record) -> Judgement:
    """The lab's file as it stands: every container makes up its own."""
    found = _replayed(record, "own")
    if isinstance(found, Judgement):
        return found
    known, tries, _ = found
    told = f"known on {known} of {tries} connections"
    if not known:
        return unknown(f"{told}: the login was never valid")
    return passed(told) if known < tries else failed(told)


def _replayed(record: Record, salts: str) -> Judgement | tuple[int, int, float]:
    """The tries with a valid login, all tries, and the moment; unknown if there are too few."""
    seen = last(record, Replayed, salts=salts)
    counts = Counter(str(row.found) for row in seen.tries) if seen else Counter()
    if counts["None"]:
        return unknown(f"{counts['None']} of {counts.total()} connections gave no answer")
    if seen is None or counts.total() < LEAST_TRIES:
        return unknown(f"it was tried on {counts.total()} connections")
    return counts["known"], counts.total(), seen.t
