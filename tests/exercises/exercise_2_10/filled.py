"""The database's disk was full, and no order was lost, judged on the record alone."""

from __future__ import annotations

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, members_of, not_each, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import DISK, exercise
from .events import Recovered
from .events_full import AskedAgain, AskedFull, NoRoom, Room
from .setting import RECOVERED_S

NO_ROOM_KIB = 1024
"""Most free space of a full disk. When PostgreSQL restarts it removes files, whose space is free
for a fifth of a second. A file of its log has 16 MiB."""

BACK_S = RECOVERED_S
"""PostgreSQL that may not end its recovery tries it again at once, so there is at most one try that
still fails, and one that succeeds. Each reads the log of five minutes at most
(checkpoint_timeout), in seconds; where the server itself had to end, Swarm starts another one
after its restart delay. That is what a killed task needs, and has as long."""


def _fault(record: Record) -> readings.Fault | None:
    """The fault, if it is over."""
    found = [f for f in readings.faults(record) if f.kind == "disk-full"]
    return found[-1] if found and found[-1].healed is not None else None


@exercise.check(
    "really-full",
    phases=DISK,
    title="The database's disk is full, the database fails to write, and space is freed again",
    expected=f"less than {NO_ROOM_KIB} KiB free while it was full, more before and afterwards;"
    " `No space left on device` in the database's log",
    hint="Is the directory that the database writes to the one whose disk was filled? `df` there.",
)
def really_full(record: Record) -> Judgement:
    """As the NFS server counts its blocks, and PostgreSQL tells."""
    fault, rooms = _fault(record), {e.when: e for e in each(record, Room)}
    if fault is None:
        return unknown("the disk was not filled, or not freed")
    said = need(record, NoRoom, "the database's log was not read")
    missing = not_each(rooms, ("before", "full", "freed"), "looked at the disk:")
    told = ", ".join(f"{e.free_kib} KiB {when}" for when, e in rooms.items())
    wrong = [
        f"{e.free_kib} KiB were free, {when}"
        for when, e in rooms.items()
        if (e.free_kib < NO_ROOM_KIB) != (when == "full")
    ]
    if said.after <= said.before:
        wrong.append("the database's log has no such line")
    at = {when: e.t for when, e in rooms.items()}
    missing += out_of_order(
        ("the free space before", at.get("before")),
        ("the filling", fault.injected),
        ("the reading of the log", said.t),
        ("the full disk", at.get("full")),
        ("the freeing", fault.healed),
        ("the free space afterwards", at.get("freed")),
    )
    return judged(
        f"{told}; {said.after - said.before} lines of the log", wrong=wrong, missing=missing
    )


@exercise.check(
    "refused-without-room",
    phases=DISK,
    title="Orders that the full disk can't store are refused with a reason",
    expected="finally 503 with a code and a sentence through every node; before, 200, 201 or 503",
    hint="Which service answered, and what does its log say? `sqlstate` 53100 is a full disk.",
)
def refused_without_room(record: Record) -> Judgement:
    """While the disk was full. Orders acknowledged meanwhile are counted with all others."""
    fault, asked = _fault(record), each(record, AskedFull)
    if fault is None or not asked:
        return unknown("the disk was not filled and freed, or no order was tried meanwhile")
    final = [e for e in asked if e.turn == max(each.turn for each in asked)]
    wrong = [f"{e.node}: {e.status or e.error}" for e in final if e.status != 503]
    wrong += [f"{e.node}: no code or sentence" for e in final if e.status == 503 and not e.clear]
    # A missing answer does not show whether the order was stored.
    wrong += [
        f"{e.node}: {e.status}"
        for e in asked
        if e not in final and e.status not in (None, 200, 201, 503)
    ]
    missing = not_each((e.node for e in final), members_of(record), "ordered through")
    for e in final:
        missing += out_of_order(
            ("the filling", fault.injected),
            (f"the order through {e.node}", e.t),
            ("the freeing", fault.heal_began),
        )
    refused = sum(e.status == 503 for e in asked)
    return judged(f"{refused} of {len(asked)} refused", wrong=wrong, missing=missing)


@exercise.check(
    "ordered-later",
    phases=DISK,
    title="A refused order succeeds later, with the same key",
    expected="one order for each key",
    hint="Was a refused order stored, and then stored again?",
)
def ordered_later(record: Record) -> Judgement:
    """Counted in the database."""
    fault = _fault(record)
    again = need(record, AskedAgain, "no order was sent again")
    wrong = [f"{key}: {rows}" for key, rows in again.rows.items() if rows != 1]
    missing = not_each(again.rows, {e.key for e in each(record, AskedFull)}, "ordered again")
    freed = fault.healed if fault else None
    missing += out_of_order(("the freeing", freed), ("the orders afterwards", again.t))
    return judged(f"{sum(again.rows.values())} orders", wrong=wrong, missing=missing)


@exercise.check(
    "back-in-time",
    phases=DISK,
    timed=True,
    title="Once space is freed, the whole shop recovers in time by itself",
    expected=f"at most {BACK_S:.0f} s, through every node, and to each customer",
    hint="The database's log: how long was its recovery? Then the services' pools of connections.",
)
def back_in_time(record: Record) -> Judgement:
    """From the freeing until the last customer's next order was acknowledged."""
    fault, whole = _fault(record), last(record, Recovered, what=DISK[0])
    if fault is None or fault.heal_began is None or whole is None:
        return unknown("the freeing of the disk or the shop's recovery was not recorded")
    seconds = whole.t - fault.heal_began
    missing = out_of_order(("the freeing", fault.heal_began), ("the recovery", whole.t))
    return judged(f"{seconds:.1f} s", holds=seconds <= BACK_S, missing=missing)


@exercise.measure(phases=DISK)
def without_room(record: Record) -> dict[str, float | int | None]:
    """How long the disk was full, how soon the shop served again, and lines in the log."""
    fault, whole = _fault(record), last(record, Recovered, what=DISK[0])
    said = last(record, NoRoom)
    began = fault.heal_began if fault else None
    return {
        "full_s": round(began - fault.injected, 1) if fault and began else None,
        "back_s": round(whole.t - began, 1) if whole and began else None,
        "log_lines": said.after - said.before if said else None,
    }
