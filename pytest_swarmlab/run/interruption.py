"""A session that Ctrl-C ends: with a sentence for each error of ours, and never cut short twice."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pytest_swarmlab import interrupt
from pytest_swarmlab.errors import SwarmlabError
from pytest_swarmlab.run.session import RUN, terminal
from pytest_swarmlab.text import inert


class Interruption:
    """The hooks of an interrupted session in which there is a run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Tell the run, before fixtures tidy up; whoever presses again changes nothing."""
        if run := self._config.stash.get(RUN, None):
            if isinstance(excinfo.value, KeyboardInterrupt):
                self._config.add_cleanup(interrupt.pass_by())
            run.interrupt()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Say in a sentence what a fixture of the suite could not undo.

        Nobody reports what a fixture raises now: pytest itself would end with a trace.
        """
        run = self._config.stash.get(RUN, None)
        if run is None or not run.interrupted:
            return (yield)
        try:
            return (yield)
        except* SwarmlabError as several:
            for error in _each(several):
                told = run.recorder.redactor.text(f"{type(error).__name__}: {error}")
                terminal(self._config).write(f"not undone: {inert(told)}\n")
        return None


def _each(several: BaseExceptionGroup[SwarmlabError]) -> Generator[SwarmlabError]:
    for error in several.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _each(error)
        else:
            yield error
