"""Waiters whose waiting stands in the record, from its begin on: where time goes is read there."""

from __future__ import annotations

from pytest_swarmlab.evidence.events import SuiteWaited, WaitBegan, Waited
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.waiting.waiter import Waiter


def of_tests(recorder: Recorder) -> Waiter:
    """The one that tests have: each wait is an event ``wait``, told at the terminal, judged."""
    return _recorded(recorder, Waited)


def of_the_suite(recorder: Recorder) -> Waiter:
    """For set-up, mending and tidying up: ``suite.wait``, which no check looks at."""
    return _recorded(recorder, SuiteWaited)


def _recorded(recorder: Recorder, kind: type[Waited]) -> Waiter:
    def began(condition: str, node: str | None, within: float) -> None:
        recorder.write(WaitBegan(condition, node, within))

    def ended(condition: str, node: str | None, outcome: str, elapsed: float, last: str) -> None:
        recorder.write(kind(condition, node, outcome, round(elapsed, 3), last))

    return Waiter(began=began, listener=ended)
