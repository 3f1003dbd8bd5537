"""Options, markers and hooks. What they do lies in the modules they call, loaded when needed."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from pytest_swarmlab import __version__, config, fixtures, hooks
from pytest_swarmlab.config import LabConfig
from pytest_swarmlab.errors import INFRASTRUCTURE, ConfigError, SwarmlabError
from pytest_swarmlab.fixtures import (  # noqa: F401 - pytest finds fixtures by name here
    configs,
    evidence,
    faults,
    ledger,
    observe,
    probe,
    secret,
    stack,
    swarm,
    swarmlab_run,
    wait,
)
from pytest_swarmlab.session import CHECKED, CONFIG, EXIT_INFRASTRUCTURE, RUN, terminal

if TYPE_CHECKING:
    from pytest_swarmlab.evidence.redactor import Redactor
    from pytest_swarmlab.providers.base import Provider

LAB_EXERCISES = range(1, 11)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make our hooks known."""
    pluginmanager.add_hookspecs(hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option and one ini setting for each of `config.OPTIONS`."""
    group = parser.getgroup("swarmlab", "Docker Swarm under test")
    for option in config.OPTIONS:
        how: dict[str, Any] = {"dest": option.ini, "default": None, "help": option.help}
        if option.flag:
            how["action"] = "store_true"
        else:
            how["metavar"] = option.metavar
            if option.const is not None:
                how |= {"nargs": "?", "const": option.const}
        group.addoption(option.switch, **how)
        parser.addini(option.ini, option.help, default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register markers and read the configuration, the only time."""
    for number in LAB_EXERCISES:
        config.addinivalue_line("markers", f"exercise_2_{number}: exercise 2.{number} of the lab")
    config.addinivalue_line(
        "markers", "exercise(exercise): the pytest_swarmlab.Exercise whose checks the test judges"
    )
    config.addinivalue_line(
        "markers",
        "swarm(managers=3, workers=2) or swarm(topology='lab1'): the cluster that the test needs",
    )
    # Where an engine is away on purpose, the Docker SDK leaves the socket that it could not
    # connect to the garbage collector: a Unix socket without an address, and only that.
    config.addinivalue_line(
        "filterwarnings",
        r"ignore:unclosed <socket\.socket fd=\d+, family=1, type=1, proto=0>:ResourceWarning",
    )
    try:
        config.stash[CONFIG] = _config(config)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from error


def _config(pytest_config: pytest.Config) -> LabConfig:
    return config.read(
        pytest_config.getoption, pytest_config.getini, rootdir=pytest_config.rootpath
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse what can't be run, and group tests by cluster so that one serves many."""
    known = sorted({m.name for item in items for m in item.iter_markers()} & _exercise_markers())
    for name in re.findall(r"(?<!not )\bexercise_\w+", config.option.markexpr):
        if name not in known:
            raise pytest.UsageError(
                f"no test of {name} is here: there are {', '.join(known) or 'no exercises'}"
            )
    memory = config.stash[CONFIG].memory_mib
    try:
        topologies = {
            item: fixtures.wanted_topology(item, memory) for item in items if needs_run(item)
        }
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[CHECKED] = True
    # lab1 first: its exercise leaves the very cluster that 3+2 asks for.
    names = dict.fromkeys(["lab1", "3+2", *(topology.name for topology in topologies.values())])
    order = {name: place for place, name in enumerate(names)}
    items.sort(key=lambda item: order[topologies[item].name] if item in topologies else -1)


def _exercise_markers() -> set[str]:
    return {f"exercise_2_{number}" for number in LAB_EXERCISES}


def needs_run(item: pytest.Item) -> bool:
    """Whether a test uses fixtures of ours, by itself or through others; all of them need the run.

    A fixture named `swarm` may be the suite's own and have nothing to do with us.
    """
    return "swarmlab_run" in getattr(item, "fixturenames", ())


def pytest_collection_finish(session: pytest.Session) -> None:
    """If a selected test uses our fixtures, begin a run: its directory, record and reports."""
    items = [item for item in session.items if needs_run(item)]
    # pytest calls this also when what was selected has just been refused.
    refused = not session.config.stash.get(CHECKED, False)
    if refused or not items or session.config.option.collectonly:
        return
    from pytest_swarmlab.reporting import attach
    from pytest_swarmlab.run import Run

    try:
        run = Run(session.config.stash[CONFIG], version=__version__)
    except SwarmlabError as error:
        raise pytest.UsageError(str(error)) from error
    session.config.stash[RUN] = run
    collect = session.config.hook.pytest_swarmlab_collect_evidence
    run.collect = lambda cluster, directory: collect(swarm=cluster, directory=directory)
    attach(session, run, terminal(session.config))
    run.select(_exercises(items))


def _exercises(items: Iterable[pytest.Item]) -> list[Any]:
    found = [m.args[0] for item in items for m in item.iter_markers("exercise") if m.args]
    return list(dict.fromkeys(found))


@pytest.hookimpl(trylast=True)
def pytest_swarmlab_make_provider(config: LabConfig, out: TextIO) -> Provider | None:
    """The providers that come with the plugin."""
    from pytest_swarmlab.providers.choice import make

    return make(config, out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that ran well is no pass while something of it could not be proven."""
    outcome = yield
    if used := getattr(item, "funcargs", {}).get("evidence"):
        from pytest_swarmlab.evidence.claims import Evidence

        if isinstance(used, Evidence):
            used.say_unproven()
    return outcome


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Tell the run when no test comes any more, before fixtures tidy up."""
    if run := item.config.stash.get(RUN, None):
        run.last_test = nextitem is None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record how a test of the run ended, and what the lab itself got wrong."""
    report = yield
    run = item.config.stash.get(RUN, None)
    if run is None or not needs_run(item):
        return report
    hide_secrets(report, run.recorder.redactor)
    if call.excinfo and report.failed:
        error = call.excinfo.value
        judged = isinstance(error, AssertionError | pytest.fail.Exception)
        run.failed(f"{item.nodeid} ({report.when})", error, judged=judged)
        if isinstance(error, INFRASTRUCTURE):
            # A sentence for people says all; where in the plugin it arose says nothing to them.
            report.longrepr = f"{type(error).__name__}: {error}"
    if report.when == "call" or not report.passed:
        run.recorder.record(
            "test.finished",
            nodeid=item.nodeid,
            outcome=report.outcome if report.when == "call" or report.skipped else "error",
            seconds=round(report.duration, 2),
            message=call.excinfo.exconly() if call.excinfo else "",
        )
    return report


def hide_secrets(report: pytest.TestReport, redactor: Redactor) -> None:
    """Take secrets out of what a test's failure and its output show, wherever that is shown."""
    if report.longrepr is not None:
        # A skip's is (file, line, reason); any other one is shown as its text.
        if isinstance(report.longrepr, tuple):
            file, line, reason = report.longrepr
            report.longrepr = (file, line, redactor.text(reason))
        elif redactor.text(report.longreprtext) != report.longreprtext:
            report.longrepr = redactor.text(report.longreprtext)
    report.sections = [(title, redactor.text(text)) for title, text in report.sections]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell a failure of the lab from a failure of the cluster under test by the exit code."""
    run = session.config.stash.get(RUN, None)
    if (
        run
        and run.only_infrastructure_failed
        and session.exitstatus == pytest.ExitCode.TESTS_FAILED
    ):
        session.exitstatus = EXIT_INFRASTRUCTURE
