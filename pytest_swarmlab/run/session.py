"""What a pytest session stores for the plugin: configuration, run, provider, terminal."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO, cast

import pytest

from pytest_swarmlab import __version__
from pytest_swarmlab.config import PROVIDERS, LabConfig
from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.run.hiding import Hiding
from pytest_swarmlab.run.identity import Identity
from pytest_swarmlab.text import by_number

if TYPE_CHECKING:
    from pytest_swarmlab.judging.live import Evidence  # noqa: F401 - as below
    from pytest_swarmlab.providers.base import Provider
    from pytest_swarmlab.run.run import Run

CONFIG = pytest.StashKey[LabConfig]()
TERMINAL = pytest.StashKey["Screen"]()
CHECKED = pytest.StashKey[bool]()
RUN = pytest.StashKey["Run"]()
PROVIDER = pytest.StashKey["Provider"]()
"""Made before the first cluster wants it."""

EVIDENCE = pytest.StashKey["Evidence"]()
"""Of an item: what it judges with."""

EXIT_INFRASTRUCTURE = 6
"""Exit code when only the lab itself failed: nothing was learned about the cluster under test."""

WORKER_INPUT = "swarmlab"
"""Under this name a pytest-xdist worker is told which run it belongs to."""

NO_CLUSTER = "swarmlab_no_cluster"
"""Under this name a worker tells that it ended because there is no cluster for it."""


class Screen(io.TextIOBase):
    """The terminal: lines of the plugin among pytest's, each on a line of its own.

    Workers' lines come from another thread than pytest's; a lock lets one of the two write at a
    time.
    """

    def __init__(self, out: TextIO, reporter: pytest.TerminalReporter | None) -> None:
        self._out = out
        self._reporter = reporter
        self._turn = threading.RLock()
        if reporter is not None:
            write = reporter._tw.write

            def in_turn(*words: Any, **named: Any) -> None:
                with self._turn:
                    write(*words, **named)

            reporter._tw.write = in_turn  # type: ignore[method-assign]

    def write(self, text: str) -> int:
        """Write below pytest's text, and tell pytest that its line is interrupted."""
        with self._turn:
            if self._reporter is not None:
                # Ours goes another way to the terminal: what pytest still holds came before.
                self._reporter._tw.flush()
                if self._reporter._tw.width_of_current_line:
                    # pytest's own notes of what stands before its cursor: a file's name and dots.
                    self._reporter._tw._current_line = ""
                    self._reporter.currentfspath = None
                    self._out.write("\n")
            return self._out.write(text)

    @property
    def column(self) -> int:
        """Where pytest's cursor stands in its line, from 0."""
        return self._reporter._tw.width_of_current_line if self._reporter is not None else 0

    def through(self, wrap: Callable[[TextIO], TextIO]) -> Callable[[], None]:
        """Send all text of pytest and of the plugin through `wrap` of its file; returns what ends
        that.
        """
        mine, writer = self._out, self._reporter._tw if self._reporter is not None else None
        theirs = writer._file if writer is not None else None
        self._out = wrap(mine)
        if writer is not None and theirs is not None:
            writer._file = wrap(theirs)

        def end() -> None:
            self._out = mine
            if writer is not None and theirs is not None:
                writer._file = theirs

        return end

    def flush(self) -> None:
        """Show it now."""
        self._out.flush()

    def isatty(self) -> bool:
        """Whether a person may be looking."""
        return self._out.isatty()


def terminal(pytest_config: pytest.Config) -> Screen:
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
        pytest_config.stash[TERMINAL] = Screen(out, reporter)
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


def shows_only(config: pytest.Config) -> bool:
    """Whether the session runs nothing: it lists tests or fixtures."""
    asked = ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test")
    return any(config.getoption(name, False) for name in asked)


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


def _exercises(items: Iterable[pytest.Item]) -> dict[Any, set[str] | None]:
    """Exercise → the phases that these tests perform; None where one does not say which."""
    found: dict[Any, set[str] | None] = {}
    for marker in (m for item in items for m in item.iter_markers("exercise") if m.args):
        exercise, phases = marker.args[0], marker.kwargs.get("phases")
        known = found.get(exercise, set())
        found[exercise] = None if known is None or phases is None else known | set(phases)
    return dict(sorted(found.items(), key=lambda each: by_number(each[0].id)))


def require_provider(pytest_config: pytest.Config) -> None:
    """Raise ConfigError if no plugin and no conftest has the provider that was named, or if the
    inventory can't be used.

    The plugin's own providers are not asked; any other is made now, for the first cluster.
    """
    lab = pytest_config.stash[CONFIG]
    if lab.provider not in PROVIDERS:
        pytest_config.stash[PROVIDER] = _provider(pytest_config, lab)
    elif lab.provider == "inventory" and lab.inventory is None:
        raise ConfigError("the provider inventory needs a file: name it with --swarmlab-inventory")
    elif lab.provider in {"auto", "inventory"} and lab.inventory:
        from pytest_swarmlab.providers.inventory.file import load

        load(lab.inventory)


def make_provider(pytest_config: pytest.Config) -> Provider:
    """The provider that the configuration names or leaves open, from whichever plugin has it."""
    from pytest_swarmlab.evidence.events import Notice
    from pytest_swarmlab.providers.choice import choose

    if made := pytest_config.stash.get(PROVIDER, None):
        del pytest_config.stash[PROVIDER]
        return made
    run = pytest_config.stash[RUN]
    name, why = choose(pytest_config.stash[CONFIG], run.needs())
    if why:
        run.recorder.write(Notice(why))
    return _provider(pytest_config, replace(pytest_config.stash[CONFIG], provider=name))


def make_embedded(pytest_config: pytest.Config) -> Provider:
    """The provider of embedded machines, whatever the run's own is: for some beside its cluster."""
    return _provider(pytest_config, replace(pytest_config.stash[CONFIG], provider="uml"))


def _provider(pytest_config: pytest.Config, lab: LabConfig) -> Provider:
    provider: Provider | None = pytest_config.hook.pytest_swarmlab_make_provider(
        config=lab, out=cast(TextIO, terminal(pytest_config))
    )
    if provider is None:
        *most, last = PROVIDERS
        raise ConfigError(
            f"unknown provider {lab.provider!r}: use {', '.join(most)} or {last},"
            " or install the plugin that has it"
        )
    return provider
