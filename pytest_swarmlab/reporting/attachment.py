"""Hangs a run's reports on a pytest session that has turned out to need a cluster."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from pytest_swarmlab.reporting.results import build_results, point_latest, write_results

if TYPE_CHECKING:
    from pytest_swarmlab.run import Run

TITLE = "Docker Swarm acceptance report"


def attach(session: pytest.Session, run: Run, out: TextIO) -> None:
    """Turn on report.html and junit.xml in the run's directory, and the narration on `out`.

    It is late for that: only now is it known that the session needs a cluster, and one that
    doesn't must leave no report. A report that the user asked for himself (``--html``,
    ``--junitxml``) stays where he wants it and is copied.
    """
    from pytest_swarmlab.reporting.terminal import Narrator

    config = session.config
    run.recorder.listen(Narrator(out).hear)
    theirs = {"report.html": config.option.htmlpath, "junit.xml": config.option.xmlpath}
    copies = {name: Path(path) for name, path in theirs.items() if path}
    config.pluginmanager.register(Reports(run, copies), "swarmlab-reports")
    if not theirs["report.html"]:
        _attach_html(session, run.directory / "report.html")
    if not theirs["junit.xml"]:
        _attach_junit(session, run.directory / "junit.xml")


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


def _attach_junit(session: pytest.Session, path: Path) -> None:
    from _pytest import junitxml

    config = session.config
    config.option.xmlpath = str(path)
    junitxml.pytest_configure(config)
    config.stash[junitxml.xml_key].pytest_sessionstart()


class Reports:
    """The hooks that write at the session's end."""

    def __init__(self, run: Run, copies: dict[str, Path]) -> None:
        self._run = run
        self._copies = copies
        self._results: dict[str, Any] = {}

    def pytest_html_report_title(self, report: Any) -> None:
        """Name the report."""
        report.title = TITLE

    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        """Put our part on top of pytest-html's own table."""
        from pytest_swarmlab.reporting.html import page

        prefix.append(page(self._run.recorder.view(), self._judge()))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Write results.json when everything else has ended, and point `latest` at the run."""
        result = yield
        run = self._run
        if not run.finished:
            run.finish(int(session.exitstatus))
        write_results(run.directory, self._judge())
        for name, path in self._copies.items():
            if path.is_file():
                shutil.copyfile(path, run.directory / name)
        point_latest(run.directory)
        return result

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
        for name in ("report.html", "results.json"):
            terminalreporter.write_line(str(self._run.directory / name))

    def pytest_unconfigure(self) -> None:
        """Nothing can be recorded any more."""
        self._run.recorder.close()

    def _judge(self) -> dict[str, Any]:
        self._results = build_results(self._run.recorder.view(), self._run.exercises)
        return self._results
