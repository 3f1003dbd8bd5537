"""Removes secrets from what pytest shows: failures, output, logs, warnings, reports.

What a cluster says may stand in all of these: it is shown as text, whatever it would do to a
terminal.
"""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import pytest

from pytest_swarmlab.text import inert

if TYPE_CHECKING:
    from pytest_swarmlab.evidence.redactor import Redactor
    from pytest_swarmlab.run.run import Run


def hide_secrets(report: pytest.TestReport, redactor: Redactor) -> None:
    """Remove secrets from a test's failure and its output, in every report."""

    def shown(text: str) -> str:
        return inert(redactor.text(text))

    if report.longrepr is not None:
        # A skip's is (file, line, reason); any other one is shown as its text.
        if isinstance(report.longrepr, tuple):
            file, line, reason = report.longrepr
            report.longrepr = (file, line, shown(reason))
        elif shown(report.longreprtext) != report.longreprtext:
            report.longrepr = shown(report.longreprtext)
    report.sections = [
        (title, inert(redactor.text(text), colours=True)) for title, text in report.sections
    ]
    report.user_properties = [
        (name, shown(value) if isinstance(value, str) else redactor.data(value))
        for name, value in report.user_properties
    ]
    if reason := getattr(report, "wasxfail", ""):
        report.wasxfail = shown(reason)


def tell_of_id(run: Run, nodeid: str) -> None:
    """Say once that a test's id holds a secret: pytest shows ids before any secret is known."""
    from pytest_swarmlab.evidence.events import Notice

    if (hidden := run.recorder.redactor.text(nodeid)) == nodeid:
        return
    message = f"the id of {hidden} holds a secret, which pytest shows: give that parameter an id="
    if not run.recorder.view().of(Notice.kind, message=message):
        run.recorder.write(Notice(message))


class Hiding:
    """The hooks and log handlers whose text reaches the terminal before a test's report exists."""

    def __init__(self, redactor: Redactor, config: pytest.Config) -> None:
        self._redactor = redactor
        logs = config.pluginmanager.get_plugin("logging-plugin")
        # Not the one that tests read: whether a secret is logged may be what they look for.
        for name in ("log_cli_handler", "log_file_handler"):
            handler = getattr(logs, name, None)
            if handler is not None and handler.formatter is not None:
                handler.setFormatter(_Hidden(handler.formatter, redactor))

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Remove secrets from a warning before the terminal gets it."""
        said = str(warning_message.message)
        if (hidden := inert(self._redactor.text(said))) != said:
            warning_message.message = hidden


class _Hidden(logging.Formatter):
    """Another formatter's text of a log record, without secrets and as text alone."""

    def __init__(self, formatter: logging.Formatter, redactor: Redactor) -> None:
        super().__init__()
        self._formatter = formatter
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """One record's text."""
        return inert(self._redactor.text(self._formatter.format(record)), colours=True)
