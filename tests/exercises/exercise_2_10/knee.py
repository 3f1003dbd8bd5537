"""The load that the shop serves, and from where visitors only wait longer, judged on the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_swarmlab import failed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import each
from pytest_swarmlab.evidence.readings import Request
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Window, judged, members_of, not_asked, not_each, pauses
from pytest_swarmlab.model import Judgement

from . import events
from .declared import LOAD, exercise
from .setting import MORE_STEPS, STEPS

GROWS = 1.1
"""No step has more than so many times the throughput of the knee."""
PAUSE_S = 3.0
"""Longest pause between requests of a step. Visitors pause only to wait for an answer: at most
0.9 s between all of them where each of sixteen waited for up to 5 s."""


@dataclass(frozen=True)
class Step:
    """One step of the load: a number of visitors, and their requests."""

    visitors: int
    seconds: float
    asked: Sequence[Request]
    """Those that were over within the step."""
    begun: Sequence[Request]
    """These, and those that were still under way at its end: who waits in vain does so for five
    seconds, as long as a step."""

    @property
    def good(self) -> list[Request]:
        """The requests with a good answer within the step."""
        return [request for request in self.asked if request.ok]

    @property
    def throughput(self) -> float:
        """Good answers a second."""
        return len(self.good) / self.seconds


def steps(record: Record) -> list[Step]:
    """Every step, in the order of its visitors."""
    asked, found = readings.requests(record), []
    for step in each(record, events.Step):
        begun = [r for r in asked if step.began <= r.sent <= step.ended]
        mine = [r for r in begun if r.over <= step.ended]
        if step.ended > step.began:
            found.append(Step(step.visitors, step.ended - step.began, mine, begun))
    return sorted(found, key=lambda step: step.visitors)


def knee(found: Sequence[Step]) -> int | None:
    """The index of the first step that none exceeds by more than a tenth; None if it is the last.

    So a throughput that creeps up with each step has its knee near its end.
    """
    most = max((step.throughput for step in found), default=0.0)
    enough = (place for place, step in enumerate(found) if GROWS * step.throughput >= most)
    at = next(enough, None)
    return at if at is not None and at < len(found) - 1 else None


@exercise.check(
    "raised-until-the-knee",
    phases=LOAD,
    title="Load grows until more visitors bring no more throughput",
    expected=f"{', '.join(map(str, STEPS))} visitors at once, then twice as many while it grows; "
    "at least one step beyond the knee",
    hint="Which processor is busy at the knee? This lab's nodes share those of the host.",
)
def raised_until_the_knee(record: Record) -> Judgement:
    """The limit is known only once it was exceeded."""
    found = steps(record)
    if not found:
        return unknown("no load was recorded")
    told = ", ".join(f"{s.visitors}: {s.throughput:.1f} a second" for s in found)
    at = knee(found)
    if at is None:
        told += "; it still grows at the last step"
        if found[-1].visitors < MORE_STEPS[-1]:
            return unknown(f"{told}, and nobody saw the steps beyond it")
        return failed(told)
    return judged(
        f"{told}; the knee is at {found[at].visitors} visitors", missing=_uncovered(record)
    )


def _uncovered(record: Record) -> list[str]:
    """The steps that are missing, out of order, or without visitors at some node.

    The knee's place depends on all of them.
    """
    asked, made = readings.requests(record), each(record, events.Step)
    most = max((step.visitors for step in made), default=0)
    due = [*STEPS, *(many for many in MORE_STEPS if many <= most)]
    missing = not_each((str(s.visitors) for s in made), map(str, due), "recorded the step of")
    before = 0.0
    for step in sorted(made, key=lambda step: step.visitors):
        if not before <= step.began < step.ended <= step.t:
            missing.append(f"the step of {step.visitors} did not follow the step before")
        before = step.ended
        window = Window(step.began, step.ended)
        lacks = not_asked(asked, through=members_of(record), window=window, pause=window.seconds)
        lacks += [f"nobody asked {x}" for x in pauses((r.sent for r in asked), window, PAUSE_S)]
        missing += [f"{step.visitors} visitors: {lack}" for lack in lacks]
    return missing


@exercise.check(
    "no-error-up-to-the-knee",
    phases=LOAD,
    title="Up to the knee no request fails",
    expected="every request gets a good answer",
    hint="Which upstream failed? The gateway's log names it.",
)
def no_error_up_to_the_knee(record: Record) -> Judgement:
    """Failures beyond the knee are not judged here."""
    found = steps(record)
    at = knee(found)
    if not found or at is None:
        return unknown("no knee was found")
    asked = [request for step in found[: at + 1] for request in step.begun]
    failed = [request for request in asked if not request.ok]
    if not asked:
        return unknown("no request was sent")
    wrong = [f"the first: {failed[0].error or failed[0].status}"] if failed else []
    return judged(
        f"{len(failed)} of {len(asked)} requests failed", wrong=wrong, missing=_uncovered(record)
    )


@exercise.measure(phases=LOAD)
def load(record: Record) -> dict[str, Any]:
    """By step: good answers a second, failed requests, and how long answers took."""
    found = steps(record)
    at = knee(found)
    return {
        "knee_visitors": None if at is None else found[at].visitors,
        "throughput_per_s": {str(s.visitors): round(s.throughput, 1) for s in found},
        "failed": {str(s.visitors): sum(not r.ok for r in s.begun) for s in found},
        **{
            f"p{percent}_s": {
                str(step.visitors): readings.answered_within_s(step.asked, percent)
                for step in found
                if step.good
            }
            for percent in (50, 95, 99)
        },
    }
