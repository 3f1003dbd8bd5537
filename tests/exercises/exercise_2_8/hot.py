"""A backup that is taken while the engine works."""

from __future__ import annotations

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Entries, last
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Window, judged, not_while, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import HOT, exercise
from .events import Backup, HotBegan, Restore
from .seen import way_back


@exercise.check(
    "hot-restores",
    phases=HOT,
    title="A hot backup can be restored in this run",
    expected="backup and restore end with 0; all changes from before the backup exist",
    hint="No restore is guaranteed, since the log is written during the copy. Stop the engine.",
)
def hot_restores(record: Record) -> Judgement:
    """Changes during the copy may be missing; earlier changes must exist."""
    taken, done, began = last(record, Backup), last(record, Restore), last(record, HotBegan)
    book = readings.ledger(record, "configs")
    if taken is None or done is None or began is None or book is None or book.found is None:
        return unknown("the backup, the restore or the count was not recorded")
    numbers = began.numbers
    lost = [n for n in book.lost if n <= numbers]
    told = (
        f"backup {taken.code}, restore {done.code};"
        f" {len(book.acknowledged)} decisions acknowledged, {len(book.found)} found; of the"
        f" {numbers} before it began {len(lost)} are lost"
    )
    good = taken.code == done.code == 0 and not lost
    sooner = {e.number for e in book.acknowledged if e.over <= began.t}
    during = (e.over for e in book.acknowledged if e.sent >= began.t)
    counted = last(record, Entries, ledger="configs")
    missing = [] if numbers else ["nothing was decided before it began"]
    if len(sooner) < numbers:
        missing.append(f"of the {numbers} before it began {len(sooner)} were seen")
    missing += not_while(during, Window(began.t, taken.t), "had a decision acknowledged")
    missing += out_of_order(
        ("its beginning", began.t),
        ("its end", taken.t),
        *way_back(record),
        ("the count", counted.t if counted else None),
    )
    return judged(told, holds=good, missing=missing)


@exercise.measure(phases=HOT)
def torn(record: Record) -> dict[str, int | None]:
    """Decisions of before the hot backup began that it lost; and of those made meanwhile."""
    began, book = last(record, HotBegan), readings.ledger(record, "configs")
    if began is None or book is None or book.found is None:
        return {"data_lost": None, "lost_later": None}
    before = [n for n in book.lost if n <= began.numbers]
    return {"data_lost": len(before), "lost_later": len(book.lost) - len(before)}
