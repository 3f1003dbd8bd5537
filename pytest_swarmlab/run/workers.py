"""One run of many workers: the part of pytest-xdist's controller, and the part of each worker.

A worker has a cluster, consoles and a part of the record of its own. It sends each part to the
controller as it grows; the controller writes the run's record and reports.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_swarmlab.errors import ConfigError, SwarmlabError
from pytest_swarmlab.run.identity import Identity
from pytest_swarmlab.run.session import CONFIG, NO_CLUSTER, RUN, WORKER_INPUT, terminal

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

    from pytest_swarmlab.evidence.merging import Merger

REFUSED = "swarmlab_refused"
"""Under this name a worker tells its controller why it can't begin."""

LAB_FAILED = "swarmlab_lab_failed"
"""Attribute of a report that failed because the lab itself did."""


def together(item: pytest.Item) -> str:
    """Name of a test's group: one worker runs all tests of a group, in their order.

    The group is the test's module, whose fixtures its tests may share, or the name in an
    ``xdist_group`` mark.
    """
    mark = item.get_closest_marker("xdist_group")
    if mark:
        return str(mark.args[0] if mark.args else mark.kwargs.get("name", "default"))
    return item.nodeid.partition("::")[0]


def require_places(config: pytest.Config) -> None:
    """Raise ConfigError in a worker when there are more workers than clusters fit."""
    from pytest_swarmlab.run.slots import capacity

    fit = capacity(config.stash[CONFIG])
    given: dict[str, Any] = getattr(config, "workerinput", {})
    workers = given["workercount"]
    if workers > fit.clusters:
        raise ConfigError(
            f"{workers} workers want {workers} clusters side by side and {fit}:"
            f" use -n {fit.clusters} or -n auto ({fit.why})"
        )


class Controller:
    """The hooks of the process that leads the workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._identity: Identity | None = None
        self._session: pytest.Session | None = None
        self._merger: Merger | None = None
        self._no_cluster = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Decide which run it would be, before workers start that may begin it."""
        self._session, self._identity = session, Identity()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        """Tell a worker on this machine which run it belongs to."""
        if node.gateway.spec.popen and self._identity:
            mine = {"id": self._identity.id, "started": self._identity.started}
            node.workerinput[WORKER_INPUT] = mine

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Keep together what wants one cluster, unless the user says how to distribute."""
        if config.getoption("dist") != "load":
            return None
        from pytest_swarmlab.run.scheduling import Scheduler

        return Scheduler(config, log, self._wanted)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: WorkerController) -> None:
        """Begin the run once a worker has found tests that need it."""
        if self._began() and self._wanted():
            from pytest_swarmlab.evidence.events import Notice
            from pytest_swarmlab.run.slots import capacity

            workers = node.workerinput["workercount"]
            fit = capacity(self._config.stash[CONFIG])
            self._config.stash[RUN].recorder.write(
                Notice(
                    f"{workers} {'worker' if workers == 1 else 'workers'}, each with a cluster"
                    f" of its own; {fit}: {fit.why}"
                )
            )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self) -> Generator[None, object, object]:
        """Begin it late where a test asked for our fixtures while it ran."""
        result = yield
        # This report is among those now that a late report is given.
        self._began()
        return result

    def _began(self) -> bool:
        """Begin the run if a worker has; whether that was just now."""
        lab = self._config.stash[CONFIG]
        if self._merger or not self._identity or not self._identity.parts(lab).is_dir():
            return False
        from pytest_swarmlab import __version__
        from pytest_swarmlab.evidence.merging import Merger
        from pytest_swarmlab.reporting import attach
        from pytest_swarmlab.run.run import Run

        assert self._session is not None  # noqa: S101 - no worker starts before the session
        try:
            run = Run(lab, version=__version__, identity=self._identity)
        except SwarmlabError as error:
            raise pytest.UsageError(str(error)) from error
        self._config.stash[RUN] = run
        self._merger = Merger(self._identity.parts(lab), run.recorder)
        attach(self._session, run, terminal(self._config), complete=self._merger.stop)
        return True

    def _wanted(self) -> dict[str, tuple[str, str]]:
        """Test → the topology that it wants and its group; empty when none wants a cluster."""
        from pytest_swarmlab.evidence.events import ClusterWanted, each

        if not self._merger:
            return {}
        record = self._config.stash[RUN].recorder.view()
        return {
            test: (wanted.topology, group)
            for wanted in each(record, ClusterWanted)
            for test, group in wanted.tests.items()
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: WorkerController) -> None:
        """Say why a worker could not begin, once for all of them."""
        told: dict[str, Any] = getattr(node, "workeroutput", {})
        if why := told.get(REFUSED):
            raise pytest.UsageError(why)
        self._no_cluster |= told.get(NO_CLUSTER, False)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """Note that a killed worker took its cluster along: its test's outcome is not known."""
        run = self._config.stash.get(RUN, None)
        if run is None:
            return
        from pytest_swarmlab.evidence.events import EndOfTest, Problem

        setattr(report, LAB_FAILED, True)
        message = f"{report.longrepr}: its cluster is gone with it"
        run.recorder.write(Problem(crashitem, message, infrastructure=True))
        run.recorder.write(EndOfTest(crashitem, "error", 0.0, message))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Without a cluster end as a session without workers does: xdist would report an
        interruption.
        """
        if self._no_cluster and session.exitstatus == pytest.ExitCode.INTERRUPTED:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
