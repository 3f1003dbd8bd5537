"""Sessions in which something around us is otherwise than usual end as they should."""

from __future__ import annotations

import json

import pytest

from tests.plugin.pretended import latest

PASSES = "def test_it(swarm): pass\n"


def whole(result: pytest.RunResult) -> None:
    """It passed, and says nothing of our insides."""
    said = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in said
    assert "Traceback" not in said
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["-p", "no:html"], {"report.html", "junit.xml"}),
        (["-p", "no:junitxml"], {"report.html"}),
        (["-p", "no:html", "-p", "no:junitxml"], {"report.html"}),
        (["-p", "no:terminal"], {"report.html", "junit.xml"}),
    ],
)
def test_plugins_that_are_switched_off_cost_their_own_file_at_most(
    suite: pytest.Pytester, arguments: list[str], files: set[str]
) -> None:
    suite.makepyfile(PASSES)
    whole(suite.runpytest_subprocess(*arguments))
    there = {path.name for path in latest(suite).iterdir()}
    assert there == {"events.jsonl", "results.json", "nodes", *files}
    page = (latest(suite) / "report.html").read_text(encoding="utf-8")
    assert ">Docker Swarm acceptance report</title>" in page
    assert '<div class="swarm">' in page


def test_without_autoloading_we_are_a_plugin_by_name(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.makepyfile(PASSES)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    whole(suite.runpytest_subprocess("-p", "pytest_swarmlab.plugin"))
    assert (latest(suite) / "report.html").is_file()


def test_a_directory_in_the_place_of_latest_is_said_and_left_alone(
    suite: pytest.Pytester,
) -> None:
    suite.makepyfile(PASSES)
    latest(suite).mkdir(parents=True)
    result = suite.runpytest_subprocess()
    whole(result)
    result.stdout.fnmatch_lines(["*reports/latest does not point at this run: *"])
    assert sorted(path.name for path in latest(suite).iterdir()) == []
    assert [p.name for p in (suite.path / "reports").glob(".latest*")] == []


def test_a_file_system_without_links_is_said(suite: pytest.Pytester) -> None:
    suite.makepyfile(PASSES)
    conftest = suite.path / "conftest.py"
    no_links = """
import errno
from pathlib import Path

def refuse(*_): raise OSError(errno.EPERM, "Operation not permitted")
Path.symlink_to = refuse
"""
    conftest.write_text(conftest.read_text(encoding="utf-8") + no_links, encoding="utf-8")
    result = suite.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:tmpdir")
    whole(result)
    result.stdout.fnmatch_lines(["*latest does not point at this run: Operation not permitted"])


def test_half_a_surrogate_pair_ends_no_run(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        def test_it(swarm, evidence):
            evidence.note("thing", what="half \\ud83d")
            assert "half \\ud83d" == "whole"
        """
    )
    result = suite.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    lines = (latest(suite) / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    assert [e["data"]["what"] for e in events if e["kind"] == "thing"] == ["half \ud83d"]
    assert {"report.html", "junit.xml", "results.json"} <= {
        path.name for path in latest(suite).iterdir()
    }


@pytest.mark.parametrize("option", ["--setup-plan", "--fixtures-per-test", "--fixtures"])
def test_what_only_shows_leaves_nothing(suite: pytest.Pytester, option: str) -> None:
    suite.makepyfile(PASSES)
    assert suite.runpytest_subprocess(option).ret == pytest.ExitCode.OK
    assert not (suite.path / "reports").exists()


def test_a_copy_of_an_own_page_has_its_style(suite: pytest.Pytester) -> None:
    suite.makepyfile(PASSES)
    whole(suite.runpytest_subprocess("--html=own/mine.html"))
    assert (suite.path / "own" / "assets" / "style.css").is_file()
    assert (latest(suite) / "report.html").is_file()
    assert (latest(suite) / "assets" / "style.css").is_file()


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_a_missing_inventory_is_one_sentence_and_is_looked_for_where_it_was_typed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    pytester.makeini("[pytest]\n")
    pytester.makepyfile("".join(f"def test_{n}(swarm): pass\n" for n in range(3)))
    typed_in = pytester.mkdir("elsewhere")
    monkeypatch.chdir(typed_in)
    result = pytester.runpytest_subprocess(
        str(pytester.path), workers, "--swarmlab-cache=cache", "--swarmlab-inventory=mine.yml"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    # Another plugin may warn there, as pytest-asyncio does of its own default.
    assert "Traceback" not in result.stderr.str()
    (said,) = [line for line in result.errlines if line.startswith("ERROR")]
    assert said.startswith(f"ERROR: the inventory {typed_in}/mine.yml can't be read (No such file")
    assert not (pytester.path / "reports").exists()


def test_the_provider_inventory_wants_a_file(suite: pytest.Pytester) -> None:
    suite.makepyfile(PASSES)
    result = suite.runpytest_subprocess("--swarmlab-provider=inventory")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*needs a file: name it with --swarmlab-inventory"])


def test_methods_of_a_class_run_in_their_order(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        class TestSteps:
            def test_1(self): pass
            def test_2(self, swarm): pass
            def test_3(self): pass
            def test_4(self, swarm): pass

        def test_plain(): pass
        """
    )
    result = suite.runpytest_subprocess("--collect-only", "-q")
    names = [line.rpartition("::")[2] for line in result.outlines if "::" in line]
    assert names == ["test_plain", "test_1", "test_2", "test_3", "test_4"]


def test_methods_of_a_class_run_in_one_worker(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import os

        class TestSteps:
            pids = []
            def test_1(self): self.pids.append(os.getpid())
            def test_2(self, swarm): self.pids.append(os.getpid())
            def test_3(self): self.pids.append(os.getpid())
            def test_4(self, swarm): assert len(self.pids) == 3
        """,
        test_b="import time\ndef test_other(swarm): time.sleep(0.5)\n",
    )
    suite.runpytest_subprocess("-n2").assert_outcomes(passed=5)
