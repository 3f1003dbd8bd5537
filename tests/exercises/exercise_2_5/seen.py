"""Readings that several judges of exercise 2.5 share."""

import math
from collections.abc import Mapping

from pytest_swarmlab import failed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Entries, first, last
from pytest_swarmlab.evidence.readings import Entry, Ledger, TasksSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Moment,
    Window,
    judged,
    not_while,
    not_written,
    out_of_order,
)
from pytest_swarmlab.model import Judgement

from .. import whose
from .events import Begun, Installed, NotInstalled
from .setting import LEDGER, WORDPRESS

IDLE_S = 5.0
"""Longest that no write may be under way: the author begins the next one 0.2 s after the last one's
end, unless the machine that he works on is busy for seconds."""


def recovered_s(record: Record) -> float | None:
    """Seconds until writes were acknowledged for good: the first one sent after the last failure.

    None when none was.
    """
    began, ledger = began_at(record), readings.ledger(record, LEDGER)
    if began is None or ledger is None:
        return None
    ends = [entry.over for entry in first_good(ledger, began)]
    return round(min(ends) - began, 3) if ends else None


def first_good(ledger: Ledger, began: float, until: float = math.inf) -> list[Entry]:
    """Acknowledged writes that were sent after the last failure."""
    known = [entry for entry in ledger.entries if entry.over <= until]
    since = max((e.over for e in known if e.id is None and e.over >= began), default=began)
    return [entry for entry in known if entry.id is not None and entry.sent >= since]


def unwritten(ledger: Ledger, began: float) -> list[str]:
    """Gaps of writes between the one before the fault and the first one after the last failure."""
    good = first_good(ledger, began)
    back = min((entry.over for entry in good), default=None)
    earliest = min(entry.sent for entry in ledger.entries)
    missing = not_while(
        (entry.over for entry in ledger.acknowledged),
        Window(min(earliest, began), began),
        "was told that a write is kept",
    )
    if back is None:
        return [*missing, "nothing was acknowledged after the last failure"]
    return missing + not_written(ledger.entries, window=Window(began, back), pause=IDLE_S)


def not_read_back(record: Record, ledger: Ledger) -> list[str]:
    """Gaps that keep the final reading from covering writes before, during and after the fault."""
    began, looked = began_at(record), last(record, Entries, ledger=LEDGER)
    if began is None:
        return ["the change's beginning was not recorded"]
    look = ("the reading of what was written", looked.t if looked else None)
    return unwritten(ledger, began) + not_after(record, look)


def began_at(record: Record) -> float | None:
    """When what the phase is about began: its fault, or the note of it."""
    if (fault := readings.fault_at(record)) is not None:
        return fault
    noted = first(record, Begun)
    return noted.t if noted else None


def running(record: Record, wanted: Mapping[str, int], after: Moment) -> Judgement:
    """Whether the wanted tasks of each service run, in a list after that moment."""
    told, whole, missing = [], True, []
    for service, count in wanted.items():
        samples = readings.task_lists(record, service)
        if not samples:
            return unknown(f"nobody listed the tasks of {service}")
        nodes = nodes_of_tasks(samples[-1])
        told.append(f"{service} {len(nodes)}/{count} on {', '.join(nodes) or 'no node'}")
        whole = whole and len(nodes) == count
        missing += out_of_order(after, (f"the list of the tasks of {service}", samples[-1].asked))
    return judged("; ".join(told), holds=whole, missing=missing)


def nodes_of_tasks(sample: TasksSample) -> list[str]:
    """The node of each task that runs."""
    return sorted(task.node for task in sample.tasks if task.running)


def wordpress(record: Record) -> str:
    """The service that is WordPress."""
    return whose.named(record, "wordpress", WORDPRESS)


def not_installed(record: Record) -> Judgement | None:
    """Failed for a site that could not be installed, else None."""
    seen = last(record, NotInstalled)
    return failed(seen.why) if seen else None


def not_after(record: Record, look: Moment) -> list[str]:
    """Whether that look came before what it is to tell of was over.

    That is the installation; or the loss, which a fault's end is the end of, and the last write.
    """
    if (installed := last(record, Installed)) is not None:
        return out_of_order(("the installation", installed.t), look)
    ledger, fault = readings.ledger(record, LEDGER), readings.fault(record)
    start = began_at(record)
    good = first_good(ledger, start) if ledger and start is not None else []
    written = max((entry.over for entry in ledger.entries), default=None) if ledger else None
    began = ("the beginning", start)
    missing = out_of_order(
        began,
        ("a write for good", min((entry.over for entry in good), default=None)),
        ("the last write", written),
        look,
    )
    if fault is not None:
        missing += out_of_order(began, ("the machine's return", fault.healed), look)
    return missing
