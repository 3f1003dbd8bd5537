"""The one place that waits: until a condition is met, can't be met any more, or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import tenacity

from pytest_swarmlab.errors import ConfigError, NotConverged

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Done(Generic[T_co]):
    """The condition is met; `value` is what it found."""

    value: T_co
    seen: str = ""


@dataclass(frozen=True)
class Pending:
    """Not met yet; `seen`: the observation."""

    seen: str


@dataclass(frozen=True)
class Fatal:
    """Can't be met any more; `seen`: the reason."""

    seen: str


Outcome = Done[T] | Pending | Fatal


done = Done
pending = Pending
fatal = Fatal
"""As a condition writes what it returns: ``return done(task)``."""


class Condition(Protocol[T_co]):
    """What a test waits for: it is called again and again, and each call looks once."""

    @property
    def name(self) -> str:
        """The condition in words: "five tasks run"."""

    @property
    def node(self) -> str | None:
        """The node that is asked; None if it is not one alone."""

    def __call__(self) -> Done[T_co] | Pending | Fatal:
        """Look once."""


SHAPE = (
    "one has `name`, `node` and a call that returns done(…), pending(…) or fatal(…)"
    " (docs/fixtures.md)"
)

Listener = Callable[[str, str | None, str, float, str], None]
"""Hears how a wait ended: condition, node, outcome, seconds, last seen. The outcome is "done",
"timeout", "fatal", or "interrupted" by an error or Ctrl-C."""

Began = Callable[[str, str | None, float], None]
"""Hears that a wait begins: condition, node, the seconds that it may take."""

Saw = Callable[[str, str | None, str], None]
"""Hears what a look saw that did not end the wait: condition, node, the state."""

SAID_EVERY_S = 1.0
"""At least so long between two states that are told, so that a number that counts up tells once."""


class Waiter:
    """Waits on conditions. Clock and sleep are injected, so that tests need no time."""

    def __init__(
        self,
        *,
        every: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        listener: Listener | None = None,
        began: Began | None = None,
        saw: Saw | None = None,
    ) -> None:
        """`every`: seconds between two looks. `saw` hears a state when it is another one than told
        before.
        """
        self._every = every
        self._clock = clock
        self._sleep = sleep
        self._listener = listener
        self._began = began
        self._saw = saw

    def __call__(self, condition: Condition[T], *, within: float) -> T:
        """Return what the condition found, once it is met.

        `within`: seconds. Raises NotConverged with condition, node, elapsed time and the last state
        seen; ConfigError for what is no condition.
        """
        __tracebackhide__ = True  # What a test waits for is in the test.
        if not hasattr(condition, "name") or not hasattr(condition, "node"):
            raise ConfigError(f"{condition!r} is no condition: {SHAPE}")
        if self._began:
            self._began(condition.name, condition.node, within)
        began = self._clock()
        last, told, told_at = "nothing yet", "", began - SAID_EVERY_S

        def over(_: tenacity.RetryCallState) -> bool:
            return self._clock() - began >= within

        def look() -> Done[T] | Pending | Fatal:
            nonlocal last, told, told_at
            outcome = condition()
            if not isinstance(outcome, Done | Pending | Fatal):
                raise ConfigError(f"the condition {condition.name!r} returned {outcome!r}: {SHAPE}")
            last = outcome.seen or last
            news = isinstance(outcome, Pending) and last != told
            if self._saw and news and self._clock() - told_at >= SAID_EVERY_S:
                told, told_at = last, self._clock()
                self._saw(condition.name, condition.node, last)
            return outcome

        waiting = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda outcome: isinstance(outcome, Pending)),
            stop=over,
            wait=tenacity.wait_fixed(self._every),
            sleep=self._sleep,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        how = "interrupted"
        try:
            outcome: Any = waiting(look)
            how = {Done: "done", Pending: "timeout", Fatal: "fatal"}[type(outcome)]
        finally:
            elapsed = self._clock() - began
            if self._listener:
                self._listener(condition.name, condition.node, how, elapsed, last)
        if isinstance(outcome, Done):
            value: T = outcome.value
            return value
        raise NotConverged(
            condition.name, node=condition.node, elapsed=elapsed, last=last, fatal=how == "fatal"
        )
