"""Waiters that record each wait, from its beginning on: reports read from that where time goes."""

from __future__ import annotations

from pytest_swarmlab.evidence.events import SuiteWaited, WaitBegan, Waited, WaitSaw
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.waiting.waiter import Waiter


def of_tests(recorder: Recorder) -> Waiter:
    """The tests' waiter: each wait is an event ``wait``, shown at the terminal and judged."""
    return _recorded(recorder, Waited)


def of_the_suite(recorder: Recorder) -> Waiter:
    """The waiter of set-up, healing and tidying up: ``suite.wait``, which no check reads."""
    return _recorded(recorder, SuiteWaited)


def _recorded(recorder: Recorder, kind: type[Waited]) -> Waiter:
    def began(condition: str, node: str | None, within: float) -> None:
        recorder.write(WaitBegan(condition, node, within))

    def saw(condition: str, node: str | None, state: str) -> None:
        recorder.write(WaitSaw(condition, node, state))

    def ended(condition: str, node: str | None, outcome: str, elapsed: float, last: str) -> None:
        recorder.write(kind(condition, node, outcome, round(elapsed, 3), last))

    return Waiter(began=began, saw=saw, listener=ended)
