"""How a keeper ends: it restores somebody's machines, and tries again until it has."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from pytest_swarmlab.errors import ProviderError, SwarmlabError
from pytest_swarmlab.providers.uml.state import State
from pytest_swarmlab.waiting.waiter import Done, Pending, Waiter, done, pending


class Restored:
    """All is as the run has found it."""

    node = None

    def __init__(self, name: str, restore: Callable[[], object]) -> None:
        """`restore` raises ProviderError where something is left to do."""
        self.name = name
        self._restore = restore

    def __call__(self) -> Done[None] | Pending:
        """Try once: what is done already is not done again."""
        try:
            self._restore()
        except ProviderError as error:
            return pending(str(error))
        return done(None)


def restored(state: State, condition: Restored, *, every: float, within: float) -> int:
    """Restore what a run's directory lists, then remove it; returns the keeper's exit code.

    `every`, `within`: seconds. It is 1, with the reason on standard error, when that failed.
    """
    try:
        Waiter(every=every)(condition, within=within)
    except SwarmlabError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    state.remove()
    return 0


def last_line(log: Path) -> str:
    """What a keeper has said last; empty where it has said nothing."""
    said = log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else ""
    return said.splitlines()[-1] if said else ""
