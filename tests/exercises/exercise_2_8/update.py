"""A backup while a service is updated."""

from __future__ import annotations

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence.events import last
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, never, not_awaited, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import UPDATE, exercise
from .events import Backup, Updated


@exercise.check(
    "update-goes-on",
    phases=UPDATE,
    title="A backup on a follower does not disturb a rolling update",
    expected="a backup during the update, by its own inventory; the update completes",
    hint="`docker service inspect site`: UpdateStatus. A paused update names the failed task.",
)
def update_goes_on(record: Record) -> Judgement:
    """The leader goes on deciding; the node's own task is what the update may meet down."""
    taken, updated = last(record, Backup), last(record, Updated)
    if taken is None:
        return unknown("no backup was taken")
    told = (
        f"exit code {taken.code}; update before: {taken.update_before}, in the inventory:"
        f" {taken.inventory}, at last: {updated.state if updated else 'not seen'}"
    )
    if taken.inventory != "updating":
        return unknown(f"{told}: the backup did not overlap the update")
    if updated is None and taken.code == 0:
        return never(told, not_awaited(record, taken.t))
    completed = updated is not None and updated.state == "completed"
    order = out_of_order(
        ("the backup", taken.t), ("the update's end", updated.t if updated else None)
    )
    return judged(told, holds=taken.code == 0 and completed, missing=order)
