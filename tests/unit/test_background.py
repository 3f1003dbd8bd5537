"""What goes wrong in a thread of ours ends the block that it belongs to, and is never lost."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import Any

import pytest

from pytest_swarmlab.background import Background
from pytest_swarmlab.clients.ledger import Ledger
from pytest_swarmlab.clients.probe import Traffic
from pytest_swarmlab.errors import INFRASTRUCTURE, ClientError, ProviderError
from pytest_swarmlab.evidence.observer import Observer
from pytest_swarmlab.waiting.waiter import Fatal, Outcome
from tests.unit.fakes import Lab


def failing(error: Exception) -> Background:
    threads = Background("the clerk", threads=2)

    def fail() -> None:
        raise error

    threads.start(fail)
    threads.start(lambda: None)
    return threads


def test_the_first_error_is_told_at_the_end() -> None:
    with pytest.raises(ClientError, match="the clerk ended early by KeyError: 'manager1'") as told:
        failing(KeyError("manager1")).end(None)
    assert isinstance(told.value.__cause__, KeyError)


def test_a_sentence_of_ours_is_told_as_it_is() -> None:
    with pytest.raises(ClientError, match=r"^the clerk: worker1 can't be reached$"):
        failing(ProviderError("worker1 can't be reached")).end(None)


def test_an_error_of_the_block_is_the_one_to_tell_and_the_other_stands_beside_it() -> None:
    error = ZeroDivisionError()
    failing(KeyError("manager1")).end(error)
    assert error.__notes__ == ["the clerk ended early by KeyError: 'manager1'"]


def test_where_nothing_went_wrong_nothing_is_told() -> None:
    threads = Background("the clerk", threads=1)
    threads.start(lambda: None)
    threads.end(None)
    assert threads.trouble is None


def test_such_an_error_says_nothing_of_the_cluster() -> None:
    assert issubclass(ClientError, INFRASTRUCTURE)


def broken(lab: Lab, what: str) -> AbstractContextManager[Any]:
    """A client or observer whose work fails by an error that nobody foresaw."""

    def fail(*_: object, **__: object) -> Any:
        raise KeyError("manager1")

    if what == "ledger":
        return Ledger("posts", fail, lab.recorder)
    if what == "probe":
        lab.machines.dial = fail  # type: ignore[method-assign]
        return Traffic([lab["manager1"]], lab.recorder, rate=100.0)
    lab.swarm.node_rows = fail  # type: ignore[method-assign]
    return Observer(lab.swarm, [lab["manager1"], lab["manager2"]], service=None)


@pytest.mark.parametrize("what", ["ledger", "probe", "observer"])
def test_a_client_whose_thread_fails_ends_its_block_with_that(lab: Lab, what: str) -> None:
    wrong = threading.Event()
    look = Background._look

    def noted(self: Background, future: Any) -> None:
        look(self, future)
        if future.exception():
            wrong.set()

    def block() -> None:
        with broken(lab, what):
            assert wrong.wait(30)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Background, "_look", noted)
        with pytest.raises(ClientError, match="ended early by KeyError: 'manager1'"):
            block()


def test_what_can_not_come_any_more_is_not_waited_for(lab: Lab) -> None:
    def fail(_: int) -> str:
        raise KeyError("manager1")

    def block() -> None:
        with Ledger("posts", fail, lab.recorder) as ledger:
            ledger._threads._pool.shutdown(wait=True)
            outcomes.append(ledger.acknowledges(1)())

    outcomes: list[Outcome[int]] = []
    with pytest.raises(ClientError):
        block()
    (outcome,) = outcomes
    assert isinstance(outcome, Fatal)
    assert "KeyError" in outcome.seen
