"""Adds a run's reports to a pytest session that turned out to need a cluster."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import pytest

from pytest_swarmlab.reporting import bitmaps
from pytest_swarmlab.reporting.findings import findings
from pytest_swarmlab.reporting.results import build_results, point_latest, write_results

if TYPE_CHECKING:
    from pytest_swarmlab.reporting.live import Terminal
    from pytest_swarmlab.run.run import Run

TITLE = "Docker Swarm acceptance report"


def attach(
    session: pytest.Session, run: Run, out: Terminal, *, complete: Callable[[], None] | None = None
) -> None:
    """Turn on report.html and junit.xml in the run's directory, and the narration on `out`.

    Only now is it known that the session needs a cluster; a session without one must leave no
    report. A report that the user asked for (``--html``, ``--junitxml``) stays where he wants it
    and is copied. `complete` is called before anything is made of the record: it merges what other
    processes have recorded.
    """
    config = session.config
    end_progress = _tell(config, run, out)
    has_html, has_junit = (config.pluginmanager.hasplugin(n) for n in ("html", "junitxml"))
    theirs = {
        "report.html": config.option.htmlpath if has_html else None,
        "junit.xml": config.option.xmlpath if has_junit else None,
    }
    copies = {name: Path(path) for name, path in theirs.items() if path}
    reports = Reports(run, copies, complete or (lambda: None), end_progress, own_page=not has_html)
    config.pluginmanager.register(reports, "swarmlab-reports")
    if has_html and not theirs["report.html"]:
        _attach_html(session, run.directory / "report.html")
    if has_junit and not theirs["junit.xml"]:
        _attach_junit(session, run.directory / "junit.xml")


def _tell(config: pytest.Config, run: Run, out: Terminal) -> Callable[[], None]:
    """Start the narration in the form that is wanted; returns what ends it."""
    from pytest_swarmlab.reporting.live import Live
    from pytest_swarmlab.reporting.terminal import Narration

    how = run.config.progress
    if config.getoption("verbose", 0) < 0:
        how = "off"
    # Output that pytest does not hold back, and a debugger, write where the cursor stands.
    renewable = (
        out.isatty()
        and config.getoption("capture", "fd") != "no"
        and not config.getoption("usepdb", False)
    )
    if how == "off" or how == "plain" or not renewable:
        run.recorder.listen(Narration(cast(TextIO, out), quiet=how == "off").hear)
        return lambda: None
    live = Live(out, run.recorder.now)
    run.recorder.listen(live.hear)
    return live.stop


def _attach_html(session: pytest.Session, path: Path) -> None:
    import pytest_html.plugin
    from pytest_html.basereport import BaseReport

    config = session.config
    config.option.htmlpath, config.option.self_contained_html = str(path), True
    pytest_html.plugin.pytest_configure(config)
    (html,) = [p for p in config.pluginmanager.get_plugins() if isinstance(p, BaseReport)]
    # What it has missed.
    html.pytest_sessionstart(session)
    html.pytest_collection_finish(session)
    for report in _reports_so_far(config):
        html.pytest_runtest_logreport(report)


def _attach_junit(session: pytest.Session, path: Path) -> None:
    from _pytest import junitxml

    config = session.config
    config.option.xmlpath = str(path)
    junitxml.pytest_configure(config)
    xml = config.stash[junitxml.xml_key]
    xml.pytest_sessionstart()
    for report in _reports_so_far(config):
        xml.pytest_runtest_logreport(report)


def _reports_so_far(config: pytest.Config) -> Iterable[pytest.TestReport]:
    """The session's reports, oldest first: tests run before a run that begins with one of them."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    seen = [each for found in reporter.stats.values() for each in found] if reporter else []
    return sorted((r for r in seen if isinstance(r, pytest.TestReport)), key=lambda r: r.start)


class Reports:
    """The hooks that write at the session's end."""

    def __init__(
        self,
        run: Run,
        copies: dict[str, Path],
        complete: Callable[[], None],
        end_progress: Callable[[], None],
        *,
        own_page: bool,
    ) -> None:
        self._run = run
        self._copies = copies
        self._complete = complete
        self._end_progress = end_progress
        self._own_page = own_page
        self._results: dict[str, Any] = {}

    def pytest_html_report_title(self, report: Any) -> None:
        """Name the report."""
        report.title = TITLE

    def pytest_html_results_summary(self, prefix: list[str], session: pytest.Session) -> None:
        """Put our part on top of pytest-html's own table."""
        self._end(session)
        prefix.append(self._page())

    def _end(self, session: pytest.Session) -> None:
        """Have the record whole before anything is made of it."""
        self._complete()
        if not self._run.finished:
            self._run.finish(int(session.exitstatus))
        self._end_progress()

    def pytest_enter_pdb(self) -> None:
        """Leave the terminal to the debugger, for good."""
        self._end_progress()

    def _page(self) -> str:
        from pytest_swarmlab.reporting.html import page

        results = self._judge()
        return page(self._run.recorder.view(), results)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Write results.json when everything else has ended, and point `latest` at the run."""
        try:
            return (yield)
        finally:
            self._write(session)

    def _write(self, session: pytest.Session) -> None:
        run = self._run
        self._end(session)
        write_results(run.directory, self._judge())
        bitmaps.write(run.directory, run.recorder.view())
        if self._own_page:
            from pytest_swarmlab.reporting.html import document

            path = run.directory / "report.html"
            text = document(TITLE, self._page())
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        own = [run.directory / name for name in ("report.html", "junit.xml", "results.json")]
        for file in (*own, *self._copies.values()):
            if file.is_file():
                # They hold test ids, which pytest knew before a secret was one.
                run.recorder.redactor.file(file)
        for name, path in self._copies.items():
            if path.is_file():
                shutil.copyfile(path, run.directory / name)
                assets = path.parent / "assets"
                if name == "report.html" and assets.is_dir():
                    shutil.copytree(assets, run.directory / "assets", dirs_exist_ok=True)
        # The terminal's summary has said it if this can't be done, where there is one.
        point_latest(run.directory)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say the verdicts, and where everything is."""
        terminalreporter.section("Swarm acceptance")
        for exercise in self._results.get("exercises", []):
            verdicts = [check["verdict"] for check in exercise["checks"]]
            counts = ", ".join(
                f"{verdicts.count(v)} {v.replace('_', ' ')}" for v in sorted(set(verdicts))
            )
            colour = {"green" if exercise["verdict"] == "pass" else "red": True}
            terminalreporter.write_line(
                f"exercise {exercise['id']}: {exercise['verdict']} ({counts})", **colour
            )
        for finding in findings(self._run.recorder.view()):
            terminalreporter.write_line(str(finding), yellow=True)
        for name in ("report.html", "results.json"):
            terminalreporter.write_line(str(self._run.directory / name))
        if not_so := point_latest(self._run.directory):
            terminalreporter.write_line(not_so)

    def _judge(self) -> dict[str, Any]:
        self._results = build_results(self._run.recorder.view(), self._run.exercises)
        return self._results
