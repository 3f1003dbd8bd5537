"""What a session with our plugin accepts, refuses and touches, seen from a user's own suite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PLAIN = "def test_plain(): pass\n"
EXERCISE_2_1 = "import pytest\n@pytest.mark.exercise_2_1\ndef test_first(): pass\n"

PRETENDS = """
import pytest

@pytest.fixture
def swarm(): return "a cluster of our own"
"""

A_LAB_OF_ITS_OWN = """
from pytest_swarmlab.errors import {error}

asked = []

class Mine:
    name = "mine"
    owns = True
    def reap(self): return []
    def start(self, topology, **_):
        raise {error}("no machines today: come back tomorrow")

def pytest_swarmlab_make_provider(config, out):
    asked.append(config.provider)
    return Mine()

def pytest_unconfigure():
    print("asked", len(asked), "times")
"""


def settings(pytester: pytest.Pytester, **ini: str) -> None:
    lines = "".join(f"{name} = {value}\n" for name, value in ini.items())
    pytester.makeini(f"[pytest]\n{lines}")


@pytest.mark.parametrize(
    "name", ["provider", "inventory", "images", "memory", "keep", "reuse", "reports", "cache"]
)
def test_every_setting_is_explained_as_an_option_and_as_an_ini_value(
    pytester: pytest.Pytester, name: str
) -> None:
    told = pytester.runpytest("--help").stdout.str()
    assert f"--swarmlab-{name}" in told
    assert f"swarmlab_{name}" in told


def test_a_bad_ini_value_ends_with_one_sentence(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PLAIN)
    settings(pytester, swarmlab_memory="lots")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if line.strip()]
    assert line.startswith("ERROR: memory 'lots' is not a number of MiB from 512")


def test_a_bad_value_of_the_environment_ends_with_one_sentence_and_an_option_mends_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(PLAIN)
    monkeypatch.setenv("SWARMLAB_IMAGES", "cloud")
    assert pytester.runpytest().ret == pytest.ExitCode.USAGE_ERROR
    assert pytester.runpytest("--swarmlab-images=registry").ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ("managers='three'", "managers='three' is no count"),
        ("managers=2.5", "managers=2.5 is no count"),
        ("workers=-1", "-1 workers do not fit"),
        ("managers=12", "12 managers do not fit"),
        ("topology='lab1', managers=3", "use lab1 alone"),
    ],
)
def test_counts_that_form_no_swarm_are_refused_before_anything_runs(
    pytester: pytest.Pytester, counts: str, said: str
) -> None:
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.swarm({counts})\ndef test_it(swarm): pass\n{PLAIN}"
    )
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert not (pytester.path / "reports").exists()


@pytest.mark.parametrize("managers", [2, 4])
def test_an_even_number_of_managers_is_accepted(pytester: pytest.Pytester, managers: int) -> None:
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.swarm(managers={managers})\ndef test_it(swarm): pass\n"
    )
    result = pytester.runpytest("--collect-only", "-q")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*::test_it"])


def test_a_mark_on_a_test_without_a_swarm_asks_for_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.swarm(managers=0)\n{PLAIN}")
    pytester.runpytest("--strict-markers").assert_outcomes(passed=1)
    assert not (pytester.path / "reports").exists()


def test_an_exercise_that_is_here_is_selected(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(EXERCISE_2_1 + PLAIN)
    pytester.runpytest("-m", "exercise_2_1", "--strict-markers").assert_outcomes(
        passed=1, deselected=1
    )


def test_an_exercise_that_is_left_out_need_not_be_here(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(EXERCISE_2_1 + PLAIN)
    result = pytester.runpytest("-m", "not exercise_2_2")
    result.assert_outcomes(passed=2)


def test_a_missing_exercise_is_named_among_others(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(EXERCISE_2_1)
    result = pytester.runpytest("-m", "exercise_2_1 or exercise_2_7")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: no test of exercise_2_7 is here: there are exercise_2_1" in result.errlines


def test_tests_of_one_cluster_stand_together_whatever_its_size(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        five, seven = pytest.mark.swarm(managers=5), pytest.mark.swarm(managers=7)
        @five
        def test_five_a(swarm): pass
        @seven
        def test_seven_a(swarm): pass
        @five
        def test_five_b(swarm): pass
        @seven
        def test_seven_b(swarm): pass
        """
    )
    result = pytester.runpytest("--collect-only", "-q")
    order = [line.partition("::")[2] for line in result.outlines if "::" in line]
    assert order == ["test_five_a", "test_five_b", "test_seven_a", "test_seven_b"]


def test_the_order_of_a_suite_without_clusters_is_left_alone(pytester: pytest.Pytester) -> None:
    names = [f"test_{letter}" for letter in "zamqb"]
    pytester.makepyfile("".join(f"def {name}(): pass\n" for name in names))
    result = pytester.runpytest("--collect-only", "-q")
    assert [line.partition("::")[2] for line in result.outlines if "::" in line] == names


def test_a_suite_without_clusters_loads_nothing_of_a_cluster(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import sys
        def pytest_unconfigure():
            ours = {"docker", "testinfra", "tenacity", "matplotlib", "rich"}
            print("loaded:", *sorted(ours & set(sys.modules)))
        """
    )
    pytester.makepyfile(PLAIN)
    # Other plugins of this environment load some of these themselves.
    result = pytester.runpytest_subprocess(
        "-p", "no:testinfra", "-p", "no:pytest11.testinfra", "-s"
    )
    result.assert_outcomes(passed=1)
    assert "loaded:" in [line.strip() for line in result.outlines]


def test_a_lab_without_machines_ends_the_run_at_once_and_says_so_once(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(A_LAB_OF_ITS_OWN.format(error="HostError"))
    pytester.makepyfile(f"def test_a(swarm): pass\ndef test_b(swarm): pass\n{PLAIN}")
    result = pytester.runpytest_subprocess("--swarmlab-cache=cache", "-s")
    assert result.ret == 6
    assert "asked 1 times" in result.outlines
    told = [line for line in result.outlines if line.startswith("!!!")]
    assert len(told) == 1
    assert "no cluster: no machines today: come back tomorrow" in told[0]
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize("error", ["HostError", "ProviderError", "BuildError"])
def test_the_record_says_that_it_was_the_lab(pytester: pytest.Pytester, error: str) -> None:
    pytester.makeconftest(A_LAB_OF_ITS_OWN.format(error=error))
    pytester.makepyfile("def test_a(swarm): pass\n")
    assert pytester.runpytest_subprocess("--swarmlab-cache=cache").ret == 6
    lines = (pytester.path / "reports" / "latest" / "events.jsonl").read_text(encoding="utf-8")
    events = [json.loads(line) for line in lines.splitlines()]
    (told,) = [e["data"] for e in events if e["kind"] == "error"]
    assert told["infrastructure"] is True
    assert told["message"] == f"{error}: no machines today: come back tomorrow"
    assert events[-1]["kind"] == "run.finished"


def test_a_command_that_failed_is_told_in_one_sentence(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from pytest_swarmlab.errors import CommandError

        def test_a(evidence):
            raise CommandError("manager1", ["docker", "pull", "web"], 1, "", "no such image")
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    told = "CommandError: on manager1, `docker pull web` ended with 1: no such image"
    assert told in result.outlines
    assert "def test_a" not in result.stdout.str()


def test_a_fixture_of_the_suite_s_own_that_is_called_swarm_is_left_alone(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(PRETENDS)
    pytester.makepyfile("def test_a(swarm): assert swarm == 'a cluster of our own'\n")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    assert not (pytester.path / "reports").exists()


@pytest.mark.parametrize("fixture", ["wait", "probe", "evidence"])
def test_a_fixture_that_needs_no_cluster_can_be_used_without_one(
    pytester: pytest.Pytester, fixture: str
) -> None:
    pytester.makepyfile(f"def test_a({fixture}): assert {fixture}\n")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    assert (pytester.path / "reports" / "latest" / "events.jsonl").is_file()


def test_reports_lie_where_the_ini_file_wants_them(pytester: pytest.Pytester) -> None:
    settings(pytester, swarmlab_reports="out/of/the/way", swarmlab_cache="cache")
    pytester.makeconftest(A_LAB_OF_ITS_OWN.format(error="HostError"))
    pytester.makepyfile("def test_a(swarm): pass\n")
    pytester.runpytest_subprocess()
    latest: Path = pytester.path / "out" / "of" / "the" / "way" / "latest"
    assert (latest / "events.jsonl").is_file()
    assert not (pytester.path / "reports").exists()


def test_a_run_knows_which_test_is_its_last_when_fixtures_tidy_up(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def tidy(swarmlab_run):
            yield
            print("last:", swarmlab_run.last_test)

        def test_a(tidy): pass
        def test_b(tidy): pass
        """
    )
    result = pytester.runpytest("-s", "-q")
    told = [line.partition("last: ")[2] for line in result.outlines if "last: " in line]
    assert told == ["False", "True"]
