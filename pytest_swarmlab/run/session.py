"""What a pytest session carries for us: configuration, run, provider, terminal."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO, cast

import pytest

from pytest_swarmlab import __version__
from pytest_swarmlab.config import PROVIDERS, LabConfig
from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.run.hiding import Hiding
from pytest_swarmlab.run.identity import Identity

if TYPE_CHECKING:
    from pytest_swarmlab.judging.live import Evidence  # noqa: F401 - as below
    from pytest_swarmlab.providers.base import Provider
    from pytest_swarmlab.run.run import Run

CONFIG = pytest.StashKey[LabConfig]()
TERMINAL = pytest.StashKey[TextIO]()
CHECKED = pytest.StashKey[bool]()
RUN = pytest.StashKey["Run"]()
EVIDENCE = pytest.StashKey["Evidence"]()
"""Of an item: what it judges with."""

EXIT_INFRASTRUCTURE = 6
"""Exit code when only the lab itself failed: nothing was learned about the cluster under test."""

WORKER_INPUT = "swarmlab"
"""Under this name a pytest-xdist worker is told which run it belongs to."""

NO_CLUSTER = "swarmlab_no_cluster"
"""Under this name a worker tells that it ended because there is no cluster for it."""


class Screen(io.TextIOBase):
    """The terminal, for lines of ours among pytest's: each begins on a line of its own."""

    def __init__(self, out: TextIO, reporter: pytest.TerminalReporter | None) -> None:
        self._out = out
        self._reporter = reporter

    def write(self, text: str) -> int:
        """Write after what pytest has written, and have it know that its line is interrupted."""
        if self._reporter is not None and self._reporter._tw.width_of_current_line:
            # pytest's own notes of what stands before its cursor: a file's name and dots.
            self._reporter._tw._current_line = ""
            self._reporter.currentfspath = None
            self._out.write("\n")
        return self._out.write(text)

    def flush(self) -> None:
        """Show it now."""
        self._out.flush()

    def isatty(self) -> bool:
        """Whether a person may be looking."""
        return self._out.isatty()


def terminal(pytest_config: pytest.Config) -> TextIO:
    """Where a person sees what happens, whatever pytest captures.

    While a test runs, pytest puts a file in the place of the terminal's descriptor; a
    duplicate made now still leads to the terminal.
    """
    if TERMINAL not in pytest_config.stash:
        reporter = pytest_config.pluginmanager.get_plugin("terminalreporter")
        out: TextIO = reporter._tw._file if reporter else sys.stderr
        try:
            duplicate = os.fdopen(os.dup(out.fileno()), "w", encoding="utf-8", errors="replace")
        except (OSError, io.UnsupportedOperation):
            pass
        else:
            pytest_config.add_cleanup(duplicate.close)
            out = duplicate
        pytest_config.stash[TERMINAL] = cast(TextIO, Screen(out, reporter))
    return pytest_config.stash[TERMINAL]


def identity(pytest_config: pytest.Config) -> Identity | None:
    """Which run a pytest-xdist worker belongs to; None for a process that has its own.

    Raises ConfigError in a worker that doesn't share this machine's files.
    """
    given: dict[str, Any] | None = getattr(pytest_config, "workerinput", None)
    if given is None:
        return None
    if WORKER_INPUT not in given:
        raise ConfigError(
            f"worker {given['workerid']} is on another machine, and a run's clusters are all on"
            " one: use -n, or --tx popen"
        )
    return Identity(**given[WORKER_INPUT], worker=given["workerid"])


def begin(session: pytest.Session) -> Run:
    """Begin the session's run: its directory, record and reports, and what is to be judged.

    Raises HostError where reports can't be written. A worker's reports are its controller's.
    """
    from pytest_swarmlab.run.run import Run

    config = session.config
    whose = identity(config)
    run = Run(config.stash[CONFIG], version=__version__, identity=whose)
    config.stash[RUN] = run
    collect = config.hook.pytest_swarmlab_collect_evidence
    run.collect = lambda cluster, directory: collect(swarm=cluster, directory=directory)
    if whose is None:
        from pytest_swarmlab.reporting import attach

        attach(session, run, terminal(config))
    run.select(_exercises(session.items))
    config.pluginmanager.register(Hiding(run.recorder.redactor, config), "swarmlab-hiding")
    return run


def say_no_cluster(session: pytest.Session, error: Exception) -> None:
    """End the session, since no later test would get a cluster either."""
    session.shouldfail = f"no cluster: {error}"
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[NO_CLUSTER] = True


def _exercises(items: Iterable[pytest.Item]) -> list[Any]:
    found = [m.args[0] for item in items for m in item.iter_markers("exercise") if m.args]
    return list(dict.fromkeys(found))


def make_provider(pytest_config: pytest.Config) -> Provider:
    """The provider that the configuration names or leaves open, from whichever plugin has it."""
    from pytest_swarmlab.providers.choice import choose

    run = pytest_config.stash[RUN]
    name, why = choose(pytest_config.stash[CONFIG], run.needs())
    if why:
        run.recorder.record("notice", message=why)
    lab = replace(pytest_config.stash[CONFIG], provider=name)
    provider: Provider | None = pytest_config.hook.pytest_swarmlab_make_provider(
        config=lab, out=terminal(pytest_config)
    )
    if provider is None:
        raise ConfigError(f"no plugin has a provider {name!r}: use {' or '.join(PROVIDERS)}")
    return provider
