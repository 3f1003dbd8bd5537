"""What the builder hears from commands and says about them, without root."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from pytest_swarmlab.errors import BuildError
from pytest_swarmlab.images import RichReport, SilentReport, commands
from pytest_swarmlab.images.engine import unreachable
from pytest_swarmlab.images.progress import LoggedReport

WAIT_S = 20
"""Longest that a test waits for a process, seconds."""


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


def test_what_a_command_is_in_the_namespaces_is_ended_and_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As unshare does, this one waits for what it has started; it takes nothing along.
    monkeypatch.setattr(commands, "ISOLATED", ("sh", "-c", '"$@"; exit 7', "waiting"))
    with commands.started(["sh", "-c", "echo $$; exec sleep 60"]) as process:
        assert process.stdout is not None
        inner = int(process.stdout.readline())
    assert process.returncode == 7
    with pytest.raises(ProcessLookupError):
        os.kill(inner, 0)


def test_commands_are_ended_together_and_none_begins_after() -> None:
    together = commands.Commands()
    before = commands.COMMANDS.set(together)
    try:
        with commands.started(["sleep", "60"]) as first, commands.started(["sleep", "60"]) as other:
            together.end()
            assert [first.wait(WAIT_S), other.wait(WAIT_S)] == [-9, -9]
        with pytest.raises(BuildError, match="ended with -9"):
            commands.run(["sleep", "60"], SilentReport())
    finally:
        commands.COMMANDS.reset(before)
    commands.run(["true"], SilentReport())


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


def test_lines_of_parts_beside_each_other_tell_whose_they_are(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    with (
        LoggedReport(SilentReport(), log) as report,
        report.part("Kernel") as kernel,
        report.part("Node") as node,
    ):
        kernel.log("unpacking")
        node.log("unpacking")
        report.log("loading")
    lines = log.read_text(encoding="utf-8").splitlines()
    said = [line for line in lines if not line.startswith("==")]
    assert said == ["Kernel | unpacking", "Node | unpacking", "loading"]
    moments = [line.partition(" s  ")[2].partition(" after")[0] for line in lines]
    assert [each for each in moments if each] == ["Kernel", "Node", "Node: done", "Kernel: done"]


def test_the_log_tells_a_part_that_was_not_done(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    with LoggedReport(SilentReport(), log) as report:
        with pytest.raises(BuildError), report.part("Kernel"):
            raise BuildError("no")
        report.log("on it goes")
    assert "Kernel: ended too early after" in log.read_text(encoding="utf-8")


def test_a_plain_console_gets_a_line_a_part_when_it_ends() -> None:
    output = io.StringIO()
    with RichReport(Console(file=output, width=100)) as report:
        report.stage("Images")
        with report.part("Kernel") as kernel:
            with report.part("Node") as node:
                kernel.progress(0.5)
                node.log("noise")
            assert output.getvalue().startswith("Node: ")
        with pytest.raises(BuildError), report.part("Build stage"):
            raise BuildError("no")
    lines = output.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines] == ["Node", "Kernel", "Images"]


def test_a_terminal_has_a_bar_for_what_runs_alone() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with RichReport(console) as report, report.part("Kernel"):
        with report.part("Node"):
            assert [bar.description for bar in report._bars.tasks] == ["Kernel", "Node"]
        assert [bar.description for bar in report._bars.tasks] == ["Kernel"]


def test_a_terminal_gets_a_bar() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100)
    with RichReport(console) as report:
        report.stage("Kernel")
        report.progress(None)
        report.progress(0.5)
        report.log("unpacking")
    assert "Kernel" in output.getvalue()
