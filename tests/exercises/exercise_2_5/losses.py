"""The author's posts and comments while something is lost or changed."""

from collections.abc import Mapping, Sequence

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, never, not_awaited, not_each
from pytest_swarmlab.model import Judgement

from .declared import LOSSES, exercise
from .seen import began_at, first_good, not_installed, not_read_back, recovered_s, unwritten
from .setting import LEDGER

LATEST_S = 180.0
"""A server that was set up otherwise gives a lost client's locks back after 90 s, NFS's default;
then the database starts and looks through its log."""
WRITES = ("post", "comment")


@exercise.check(
    "writes-come-back",
    phases=LOSSES,
    timed=True,
    title="The author can write again",
    expected=f"posts and comments are acknowledged at most {LATEST_S:.0f} s after the failure",
    hint="`docker service ps wp_db`, then its log: does it wait for a lock on its files?",
)
def writes_come_back(record: Record) -> Judgement:
    """Time until a post and a comment are acknowledged after the last failure."""
    if refused := not_installed(record):
        return refused
    ledger, began = readings.ledger(record, LEDGER), began_at(record)
    if ledger is None or began is None:
        return unknown("nothing was written during the failure")
    fault, seconds = readings.fault(record), recovered_s(record)
    errors = len(ledger.entries) - len(ledger.acknowledged)
    told = f"{len(ledger.acknowledged)} acknowledged, {errors} not"
    if seconds is None:
        return never(
            f"{told}; none after the failure, or none after the last failed write",
            not_awaited(record, began),
        )
    told += f"; after {seconds:.1f} s all are acknowledged"
    wrong, missing = [], unwritten(ledger, began)
    if (
        fault is not None
        and fault.heal_began is not None
        and not first_good(ledger, began, fault.heal_began)
    ):
        # A fault is healed as well where the lab has failed.
        given_up = not_awaited(record, began)
        missing += given_up
        wrong += [] if given_up else [f"none during the loss of {', '.join(fault.nodes)}"]
    if fault is not None and fault.heal_began is None:
        missing.append("it was not recorded when the machine got power again")
    kinds = {str(entry.id).partition(" ")[0] for entry in first_good(ledger, began)}
    missing += not_each(kinds, WRITES, "was told, after the last failure, of a")
    return judged(told, holds=seconds <= LATEST_S, wrong=wrong, missing=missing)


@exercise.check(
    "no-write-lost",
    phases=LOSSES,
    title="No acknowledged post or comment is lost",
    expected="each exists at the end under its id",
    hint="Is the NFS export `sync`, and is innodb_flush_log_at_trx_commit 1?",
)
def no_write_lost(record: Record) -> Judgement:
    """Read back by id, when all is whole again."""
    if refused := not_installed(record):
        return refused
    ledger = readings.ledger(record, LEDGER)
    if ledger is None or ledger.found is None or not ledger.acknowledged:
        return unknown("nothing was acknowledged, or nothing was read at the end")
    told = f"{len(ledger.acknowledged)} acknowledged, {len(ledger.lost)} lost"
    wrong = [f"lost: {_numbers(ledger.lost)}"] if ledger.lost else []
    return judged(told, wrong=wrong, missing=not_read_back(record, ledger))


@exercise.check(
    "no-write-doubled",
    phases=LOSSES,
    title="No post or comment is doubled",
    expected="each number exists at most once, acknowledged or not",
    hint="Does a proxy between author and database repeat requests?",
)
def no_write_doubled(record: Record) -> Judgement:
    """The author never repeats a write."""
    ledger = readings.ledger(record, LEDGER)
    if ledger is None or not ledger.found:
        return unknown("nothing was found or read at the end")
    told = f"{len(ledger.found)} found, {len(ledger.duplicated)} of them twice"
    wrong = [f"twice: {_numbers(ledger.duplicated)}"] if ledger.duplicated else []
    return judged(told, wrong=wrong, missing=not_read_back(record, ledger))


@exercise.measure(phases=LOSSES)
def losses(record: Record) -> Mapping[str, float | int | None]:
    """Failed requests of visitors, the author's wait, and the outcome of his writes."""
    ledger = readings.ledger(record, LEDGER)
    looked = ledger is not None and ledger.found is not None
    return {
        "longest_gap_s": readings.longest_gap_s(record),
        "recovered_s": recovered_s(record),
        "acknowledged_writes": len(ledger.acknowledged) if ledger else None,
        "failed_writes": len(ledger.entries) - len(ledger.acknowledged) if ledger else None,
        "lost_writes": len(ledger.lost) if ledger and looked else None,
        "duplicated_writes": len(ledger.duplicated) if ledger and looked else None,
        "probes": len(readings.requests(record)),
        "probe_errors": len(readings.request_errors(record)),
    }


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:10]))
