"""Levels of loss, and the outcome of the changes that were tried at each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_swarmlab import failed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Quorum, Write, each
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Window, another_cluster, judged, not_away, not_the_leader
from pytest_swarmlab.model import Judgement, quorum, tolerance

from .declared import QUORUM_LOST, exercise
from .seen import first_lists, listed_managers, managers_of

REFUSED_S = 60.0
"""How soon a change must be refused without a quorum: its leader steps down within two election
timeouts, and a client that asks meanwhile is given up after 20 s."""


@exercise.check(
    "tolerance",
    phases=QUORUM_LOST,
    title="The swarm accepts changes while a majority of its managers runs, and not without",
    expected="N managers tolerate ⌊(N−1)/2⌋ failures and not one more, within 60 s",
    hint="Quorum is ⌊N/2⌋+1: which managers were up when the change was tried?",
)
def tolerance_holds(record: Record) -> Judgement:
    """The last change tried at every level of loss must have ended as the formula says."""
    borne, reached = tolerance(managers_of(record) or 0), levels(record)
    return _decided_as_expected(
        record,
        reached,
        borne + 1,
        missing=[
            f"the loss of {lost} managers was never reached"
            for lost in range(1, borne + 1)
            if lost not in {level.lost for level in reached}
        ],
    )


@exercise.check(
    "losses-borne",
    phases=("five-managers",),
    title="Five managers tolerate the loss of two",
    expected="a change is accepted while two of five have no power",
    hint="Quorum is 3: were the other three reachable from each other?",
)
def losses_borne(record: Record) -> Judgement:
    """The lost managers are as many as the quorum tolerates, the leader among them."""
    first = readings.fault(record)
    return _decided_as_expected(
        record,
        levels(record),
        tolerance(managers_of(record) or 0),
        missing=["no manager was lost"]
        if first is None
        else not_the_leader(record, first, within=5.0),
    )


@dataclass(frozen=True)
class Level:
    """A time in which faults hold a number of managers."""

    lost: int
    managers: int
    window: Window
    gone: tuple[str, ...]
    writes: tuple[Write, ...]

    @property
    def quorum(self) -> bool:
        """Whether a majority is left."""
        return self.managers - self.lost >= quorum(self.managers)

    @property
    def refused(self) -> Write | None:
        """The last change that was tried, if the managers refused it for want of a quorum."""
        last = self.writes[-1] if self.writes else None
        return last if last and self._for_want_of_quorum(last) else None

    def _for_want_of_quorum(self, write: Write) -> bool:
        if write.error is None:
            return False
        # A manager that is lost itself says nothing; a single one has nobody to ask instead.
        if write.node in self.gone:
            return self.managers == 1
        return write.wants_quorum

    def not_held(self, listed: set[str]) -> list[str]:
        """Whether faults held too few or too many managers, or a node that is none."""
        if len(set(self.gone)) == self.lost and set(self.gone) <= listed:
            return []
        return [
            f"{self.lost} of {', '.join(sorted(listed))} were to be lost,"
            f" and faults held {', '.join(self.gone) or 'none'}"
        ]

    def told(self) -> str:
        """The outcome of the last change, in words."""
        error = self.writes[-1].error
        if error is None:
            how = "accepted"
        else:
            how = "refused" if self.refused else f"failed with {error!r}"
        return f"{self.lost} of {self.managers} lost: {how}"


def levels(record: Record) -> list[Level]:
    """Every change of how many managers are lost; each ends when the next is broken or mended."""
    marks, faults = each(record, Quorum), readings.faults(record)
    turns = sorted(
        [t for fault in faults for t in (fault.began, fault.heal_began) if t is not None]
        + [mark.t for mark in marks]
    )
    found = []
    for mark in marks:
        window = Window(mark.t, next((t for t in turns if t > mark.t), record.events[-1].t))
        found.append(
            Level(
                mark.lost,
                mark.managers,
                window,
                # Mended in the same tenth of a millisecond, it was mended before that was noted.
                tuple(
                    node
                    for fault in faults
                    if fault.injected <= mark.t and (fault.healed is None or mark.t < fault.healed)
                    for node in fault.nodes
                ),
                tuple(w for w in each(record, Write) if w.t in window),
            )
        )
    return found


def _decided_as_expected(
    record: Record, reached: Sequence[Level], losses: int, missing: Sequence[str]
) -> Judgement:
    """Changes ended as the quorum demands at every level that was reached, up to so many losses."""
    told, wrong, lacks = [], [], [*missing, *another_cluster(first_lists(record))]
    listed = listed_managers(record)
    for level in reached:
        if not level.writes:
            return unknown(f"with {level.lost} of {level.managers} lost no change was tried")
        told.append(level.told())
        accepted = level.writes[-1].error is None
        if accepted is not level.quorum:
            wrong.append(told[-1])
        elif not accepted and not level.refused:
            lacks.append("that is not the error of managers without a quorum")
        elif level.refused and level.refused.t - level.window.began > REFUSED_S:
            wrong.append(f"{told[-1]} after {level.refused.t - level.window.began:.0f} s")
        lacks += level.not_held(listed)
    most = max((level.lost for level in reached), default=0)
    if most < losses:
        lacks.append(f"{losses} losses were never reached")
    for fault in readings.faults(record):
        # Until the healing: the node must be away for each of the changes.
        lacks += not_away(record, fault, until=fault.heal_began or record.events[-1].t)
    if wrong:
        return failed("; ".join(wrong))
    return judged("; ".join(told) or "no manager was lost", missing=lacks)
