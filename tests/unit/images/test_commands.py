"""What the builder hears from commands and says about them, without root."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from pytest_swarmlab.errors import BuildError
from pytest_swarmlab.images import RichReport, SilentReport, commands
from pytest_swarmlab.images.engine import unreachable
from pytest_swarmlab.images.progress import LoggedReport


@pytest.fixture(autouse=True)
def _without_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "ISOLATED", ())


def test_output_goes_to_log_and_listener(tmp_path: Path) -> None:
    heard: list[str] = []
    log = tmp_path / "build.log"
    with LoggedReport(SilentReport(), log) as report:
        report.stage("Greeting")
        last = commands.run(["printf", "one\ntwo\n"], report, on_line=heard.append)
    assert heard == last == ["one", "two"]
    text = log.read_text(encoding="utf-8")
    assert "s  Greeting" in text
    assert "$ printf" in text
    assert text.endswith("one\ntwo\n")


def test_a_failing_command_is_quoted() -> None:
    with pytest.raises(BuildError, match="ended with 3: it broke"):
        commands.run(["sh", "-c", "echo it broke >&2; exit 3"], SilentReport())


def test_the_first_reason_that_a_failing_commands_words_tell_is_the_error() -> None:
    def explain(line: str) -> str:
        return line.partition("because ")[2]

    script = "echo it began; echo because of this; echo because of that; exit "
    with pytest.raises(BuildError) as error:
        commands.run(["sh", "-c", f"{script}3"], SilentReport(), explain=explain)
    assert str(error.value) == "of this"
    commands.run(["sh", "-c", f"{script}0"], SilentReport(), explain=explain)


def test_a_full_disk_is_recognised_in_a_commands_words() -> None:
    script = "echo tar: No space left on device; exit 1"
    with pytest.raises(BuildError, match="ran full"):
        commands.run(["sh", "-c", script], SilentReport())


def test_a_command_is_ended_with_its_block() -> None:
    with commands.started(["sleep", "60"]) as process:
        assert process.poll() is None
    assert process.returncode == -9


def test_an_unreachable_registry_leads_to_a_remedy() -> None:
    said = unreachable("nginx:alpine", "connection refused\n")
    assert said.startswith("nginx:alpine can't be pulled (connection refused): ")
    assert "stand-in" in said


def test_a_plain_console_gets_a_line_a_stage() -> None:
    output = io.StringIO()
    with RichReport(Console(file=output, width=100)) as report:
        report.stage("Kernel")
        report.progress(0.5)
        report.log("noise")
        report.stage("Disk")
    lines = output.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines] == ["Kernel", "Disk"]


def test_a_stage_that_failed_is_not_shown_as_done() -> None:
    output = io.StringIO()
    report = RichReport(Console(file=output, width=100))
    report.stage("Kernel")
    with pytest.raises(BuildError), report:
        raise BuildError("no")
    assert output.getvalue() == ""


def test_a_terminal_gets_a_bar() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100)
    with RichReport(console) as report:
        report.stage("Kernel")
        report.progress(None)
        report.progress(0.5)
        report.log("unpacking")
    assert "Kernel" in output.getvalue()
