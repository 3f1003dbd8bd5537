"""What pytest calls: options, markers and hooks.

The work is done by other modules, which are imported when a test needs them.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import pytest

from pytest_swarmlab import config, fixtures, hooks
from pytest_swarmlab.config import LabConfig
from pytest_swarmlab.contents import exercises
from pytest_swarmlab.errors import (
    INFRASTRUCTURE,
    CommandError,
    ConfigError,
    Disturbed,
    SwarmlabError,
)
from pytest_swarmlab.fixtures import (  # noqa: F401 - pytest finds fixtures by name here
    configs,
    evidence,
    faults,
    ledger,
    observe,
    probe,
    secret,
    shared_swarm,
    stack,
    swarm,
    swarmlab_run,
    wait,
)
from pytest_swarmlab.model import LEAVES
from pytest_swarmlab.run.hiding import hide_secrets, tell_of_id
from pytest_swarmlab.run.interruption import Interruption
from pytest_swarmlab.run.session import (
    CHECKED,
    CONFIG,
    EVIDENCE,
    EXIT_INFRASTRUCTURE,
    RUN,
    begin,
    require_provider,
    shows_only,
)
from pytest_swarmlab.run.workers import LAB_FAILED, REFUSED, Controller, require_places, together
from pytest_swarmlab.text import by_number, inert

if TYPE_CHECKING:
    from pytest_swarmlab.providers.base import Provider

LAB_EXERCISES = {path.name: number for number, path in exercises().items()}
"""Marker → the exercise of the lab that its tests perform."""

STEPPED = pytest.StashKey[bool]()
"""Key of an item: whether its steps are recorded."""

OF_ONE_TEST = re.compile(
    r"^ScopeMismatch: You tried to access the function scoped fixture"
    r" (swarm|stack|secret|configs|faults|observe|evidence) with"
)
"""How pytest refuses a fixture of ours to one of a wider scope."""

HINT = (
    "A fixture of a wider scope shares a cluster by `with shared_swarm() as shared:`, which has"
    " `shared.swarm`, `.stack`, `.secret` and `.configs`: see docs/fixtures.md."
)


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
    for marker, number in sorted(LAB_EXERCISES.items(), key=lambda each: by_number(each[1])):
        config.addinivalue_line("markers", f"{marker}: exercise {number} of the lab")
    config.addinivalue_line(
        "markers",
        "exercise(exercise, phases=…): the pytest_swarmlab.Exercise whose checks the test judges,"
        " and the phases of it that it performs, if not all",
    )
    config.addinivalue_line(
        "markers",
        "swarm(managers=3, workers=2) or swarm(topology='lab1'): the cluster that the test needs",
    )
    config.addinivalue_line(
        "markers",
        "submission: a drill on somebody's own work, which --swarmlab-submission selects",
    )
    config.addinivalue_line(
        "markers",
        "xdist_group(name): tests of one group run in one worker, one after the other",
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
    config.pluginmanager.register(Tally(), "swarmlab-tally")
    config.pluginmanager.register(Interruption(config), "swarmlab-interruption")
    # xdist, where it is installed, has decided by now whether workers run the tests.
    if config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Controller(config), "swarmlab-controller")


def _config(pytest_config: pytest.Config) -> LabConfig:
    return config.read(
        pytest_config.getoption,
        pytest_config.getini,
        rootdir=pytest_config.rootpath,
        typed_in=pytest_config.invocation_params.dir,
    )


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """``-n auto``: as many workers as xdist would start, and no more than clusters fit."""
    from pytest_swarmlab.run.slots import capacity

    workers = yield
    try:
        return min(workers, capacity(_config(config)).clusters)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, object, object]:
    """Refuse what can't be run, and group tests by cluster so that one serves many.

    The order that others gave them is kept within each group.
    """
    known = sorted({m.name for item in items for m in item.iter_markers()} & LAB_EXERCISES.keys())
    for name in re.findall(r"(?<!not )\bexercise_\w+", config.option.markexpr):
        if name not in known:
            _refuse(
                config, f"no test of {name} is here: there are {', '.join(known) or 'no exercises'}"
            )
    result = yield
    _select_drills(config, items)
    try:
        topologies = wanted(items)
    except ConfigError as error:
        _refuse(config, error)
    config.stash[CHECKED] = True
    first = [name for both in LEAVES.items() for name in both]
    order = {name: place for place, name in enumerate(dict.fromkeys([*first, *topologies]))}
    place = {item: order[name] for name, group in topologies.items() for item in group}
    items.sort(key=lambda item: place.get(item, -1))
    return result


def _select_drills(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Drills on a submission if there is one to mark, and others if there is none."""
    marking = config.stash[CONFIG].marking

    def meant(item: pytest.Item) -> bool:
        if item.get_closest_marker("submission"):
            return marking
        return not (marking and needs_cluster(item))

    if left_out := [item for item in items if not meant(item)]:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if meant(item)]


def _refuse(config: pytest.Config, why: object) -> NoReturn:
    """End the session with one sentence. In a pytest-xdist worker the controller says it."""
    if hasattr(config, "workeroutput"):
        config.workeroutput[REFUSED] = str(why)
    raise pytest.UsageError(str(why))


def wanted(items: Iterable[pytest.Item]) -> dict[str, list[pytest.Item]]:
    """Topology's name → the tests that want it; all tests of a class want what its first one does.

    Raises ConfigError for a marker that can't be met.
    """
    topologies: dict[object, str] = {}
    for item in items:
        if needs_cluster(item):
            memory = item.config.stash[CONFIG].memory_mib
            name = fixtures.wanted_topology(item, memory).name
            topologies.setdefault(item.getparent(pytest.Class) or item, name)
    found: dict[str, list[pytest.Item]] = {}
    for item in items:
        wants = topologies.get(item.getparent(pytest.Class) or item)
        if wants:
            found.setdefault(wants, []).append(item)
    return found


def needs_run(item: pytest.Item) -> bool:
    """Whether a test names fixtures of ours, by itself or through others; all need the run.

    A fixture named `swarm` may be the suite's own and have nothing to do with us.
    """
    return "swarmlab_run" in getattr(item, "fixturenames", ())


def needs_cluster(item: pytest.Item) -> bool:
    """Whether it also names a fixture that leads to a cluster; `wait` alone does not."""
    return needs_run(item) and bool(
        {"swarm", "shared_swarm"} & set(getattr(item, "fixturenames", ()))
    )


def used_run(item: pytest.Item) -> bool:
    """Whether a test has used the plugin's fixtures, also by `getfixturevalue`."""
    # pytest has a request for it as long as it runs.
    request = getattr(item, "_request", None)
    return needs_run(item) or "swarmlab_run" in getattr(request, "fixturenames", ())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """If a selected test names our fixtures, begin a run: its directory, record and reports.

    A test that asks for one only while it runs (`getfixturevalue`) begins the run then.
    """
    config = session.config
    # pytest calls this also when what was selected has just been refused.
    if not config.stash.get(CHECKED, False) or shows_only(config):
        return
    if not any(needs_run(item) for item in session.items):
        return
    groups = wanted(session.items)
    worker = hasattr(config, "workerinput")
    try:
        if groups:
            require_provider(config)
        if worker and groups:
            require_places(config)
        run = begin(session)
    except SwarmlabError as error:
        _refuse(config, error)
    if worker:
        from pytest_swarmlab.evidence.events import ClusterWanted

        for topology, items in groups.items():
            tests = {item.nodeid: together(item) for item in items}
            run.recorder.write(ClusterWanted(topology, tests))


@pytest.hookimpl(trylast=True)
def pytest_swarmlab_make_provider(config: LabConfig, out: TextIO) -> Provider | None:
    """The providers that come with the plugin."""
    from pytest_swarmlab.providers.choice import make

    return make(config, out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Record that a test is over: the time until the next one is no test's."""
    result = yield
    if STEPPED in item.stash:
        _step(item, "over")
    return result


def _step(item: pytest.Item, step: str) -> None:
    """Record that this step of a test of the run begins."""
    run = item.config.stash.get(RUN, None)
    # In a process of its own a run has ended with its last test; a worker's lasts longer.
    if run is None or (run.finished and not run.worker):
        return
    from pytest_swarmlab.evidence.events import StepBegan

    item.stash[STEPPED] = True
    run.recorder.write(StepBegan(item.nodeid, step))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Record that a test's set-up begins."""
    if needs_run(item):
        _step(item, "setup")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Skip a test that passed but has checks that can't be proven here."""
    if used_run(item):
        _step(item, "call")
    outcome = yield
    if used := item.stash.get(EVIDENCE, None):
        used.say_unproven()
    return outcome


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Tell the run that no further test comes, before fixtures tidy up."""
    if run := item.config.stash.get(RUN, None):
        run.last_test = nextitem is None
        if used_run(item):
            _step(item, "teardown")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record how a test of the run ended, and the lab's own errors."""
    report = yield
    run = item.config.stash.get(RUN, None)
    if run is None:
        return report
    # Also of a test that has nothing to do with us: it may have seen what another one made.
    hide_secrets(report, run.recorder.redactor)
    if not report.passed or report.when == "call":
        tell_of_id(run, item.nodeid)
    if not used_run(item):
        return report
    if call.excinfo and report.failed:
        error = call.excinfo.value
        judged = isinstance(error, AssertionError | pytest.fail.Exception)
        if run.failed(f"{item.nodeid} ({report.when})", error, judged=judged):
            setattr(report, LAB_FAILED, True)
        if isinstance(error, (*INFRASTRUCTURE, ConfigError, Disturbed, CommandError)):
            # A sentence for people says all; where in the plugin it arose says nothing to them.
            report.longrepr = inert(run.recorder.redactor.text(f"{type(error).__name__}: {error}"))
        elif OF_ONE_TEST.search(str(error)):
            report.longrepr = f"{report.longreprtext}\n{HINT}"
        from pytest_swarmlab import interrupt

        if interrupt.behind(error):
            # Ctrl-C had come, and then something could not be undone: no other test follows.
            item.session.shouldstop = "Ctrl-C"
        if (judge := item.stash.get(EVIDENCE, None)) and judge.findings:
            run.replace_cluster(f"{', '.join(judge.findings)} was seen on this one")
    if report.when == "call" or not report.passed:
        from pytest_swarmlab.evidence.events import EndOfTest

        run.recorder.write(
            EndOfTest(
                item.nodeid,
                outcome=report.outcome if report.when == "call" or report.skipped else "error",
                seconds=round(report.duration, 2),
                message=call.excinfo.exconly() if call.excinfo else "",
            )
        )
    return report


class Tally:
    """Sets the exit code by which a failure of the lab differs from a failure of the cluster."""

    def __init__(self) -> None:
        self._of_the_lab = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count; with pytest-xdist this is called where reports of all workers come together."""
        self._of_the_lab += report.failed and getattr(report, LAB_FAILED, False)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Change the exit code when nothing but the lab failed."""
        only_the_lab = self._of_the_lab and self._of_the_lab == session.testsfailed
        if only_the_lab and session.exitstatus == pytest.ExitCode.TESTS_FAILED:
            session.exitstatus = EXIT_INFRASTRUCTURE


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the record."""
    if run := config.stash.get(RUN, None):
        run.recorder.close()
