"""How often each drill is repeated, and the table of what came of it."""

from __future__ import annotations

import pytest

from pytest_swarmlab.run.session import RUN
from tests.findings.rate import HEADING, rates

REPETITIONS = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--repetitions", type=int, default=REPETITIONS, help="how often a finding is provoked"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each repetition is a test: one that spoils its cluster costs the next one a new one."""
    if "repetition" in metafunc.fixturenames:
        count = metafunc.config.getoption("repetitions", REPETITIONS)
        metafunc.parametrize("repetition", range(1, count + 1))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say the rates, and keep them beside the record that they are made from."""
    run = config.stash.get(RUN, None)
    if run is None or not (found := rates(run.recorder.view())):
        return
    text = "\n".join([*HEADING, *(rate.row for rate in found)])
    path = run.directory / "findings.md"
    path.write_text(f"{text}\n", encoding="utf-8")
    terminalreporter.section("findings")
    terminalreporter.write_line(text)
    terminalreporter.write_line(str(path))
