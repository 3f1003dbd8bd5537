"""The plugin as a user meets it."""

from __future__ import annotations

import json
import sys
from importlib.metadata import entry_points
from pathlib import Path

import jsonschema
import pytest

SCHEMA = Path(__file__).parents[2] / "pytest_swarmlab" / "reporting" / "results.schema.json"

NO_CLUSTER = "def test_plain(): pass"
WITH_CLUSTER = "def test_it(swarm): pass"

EXERCISE = """
import pytest
from pytest_swarmlab import Exercise, passed

exercise = Exercise("9.1", "An exercise", module=__name__)

@exercise.check("claim", phases=["drill"], title="A claim", expected="e", hint="h")
def claim(record):
    return passed("seen")

@pytest.mark.exercise(exercise)
def test_it(swarm, evidence):
    with evidence.judged(exercise, "drill"):
        evidence.note("something")
"""

BROKEN_LAB = """
from pytest_swarmlab.errors import HostError

class Broken:
    name = "broken"
    owns = True
    def reap(self): return []
    def start(self, topology, **_):
        raise HostError("the cupboard is bare: buy a machine")

def pytest_swarmlab_make_provider(config, out):
    return Broken()
"""


def test_it_is_found_by_its_entry_point() -> None:
    (entry,) = [e for e in entry_points(group="pytest11") if e.name == "swarmlab"]
    assert entry.value == "pytest_swarmlab.plugin"


def test_options_and_markers_explain_themselves(pytester: pytest.Pytester) -> None:
    pytester.runpytest("--help").stdout.fnmatch_lines(["*--swarmlab-keep*", "*swarmlab_reports*"])
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.exercise_2_2:*"])


def test_a_suite_without_clusters_leaves_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(NO_CLUSTER)
    result = pytester.runpytest()
    result.assert_outcomes(passed=1)
    assert not (pytester.path / "reports").exists()
    result.stdout.no_fnmatch_line("*Swarm acceptance*")


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--swarmlab-progress=loud", "unknown progress 'loud': use auto, plain, live or off"),
        ("--swarmlab-images=mine", "unknown images 'mine': use stand-in or registry"),
        ("--swarmlab-memory=1", "memory '1' is not a number of MiB from 512: 1024 is the default"),
    ],
)
def test_an_option_that_cannot_be_used_ends_with_one_sentence(
    pytester: pytest.Pytester, argument: str, said: str
) -> None:
    pytester.makepyfile(NO_CLUSTER)
    result = pytester.runpytest(argument)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {said}" in result.stderr.lines


PARTS = """
import pytest
from pytest_swarmlab import Exercise, passed

exercise = Exercise("9.1", "An exercise", module=__name__)

@exercise.check("claim", phases=["one", "two", "other"], title="A claim", expected="e", hint="h")
def claim(record):
    return passed("seen")

def perform(evidence, phase):
    with evidence.judged(exercise, phase):
        evidence.note("something")

@pytest.mark.exercise(exercise, phases=["one"])
def test_one(swarm, evidence):
    perform(evidence, "one")

@pytest.mark.exercise(exercise{phases})
def test_two(swarm, evidence):
    perform(evidence, "two")
"""


@pytest.mark.parametrize(
    ("phases", "said"),
    [
        (', phases=["two"]', "exercise 9.1: pass (2 pass)"),
        # Without a word all of it is to be judged, and what nobody performed is unknown.
        ("", "exercise 9.1: unknown (2 pass, 1 unknown)"),
    ],
)
def test_what_tests_say_that_they_do_not_perform_is_not_to_be_judged(
    suite: pytest.Pytester, phases: str, said: str
) -> None:
    suite.makepyfile(PARTS.replace("{phases}", phases))
    result = suite.runpytest_inprocess()
    result.assert_outcomes(passed=2)
    assert said in result.stdout.lines


def test_a_phase_that_an_exercise_does_not_have_is_refused(suite: pytest.Pytester) -> None:
    suite.makepyfile(PARTS.replace("{phases}", ', phases=["tow"]'))
    result = suite.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = "ERROR: exercise 9.1 has no phase tow: there are one, two, other"
    assert said in result.stderr.lines


@pytest.mark.parametrize("name", ["exercise_9_9", "exercise_2_5"])
def test_an_exercise_that_is_not_there_is_said_to_be_missing(
    pytester: pytest.Pytester, name: str
) -> None:
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.exercise_2_2\n{NO_CLUSTER}",
    )
    result = pytester.runpytest("-m", name)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: no test of {name} is here: there are exercise_2_2" in result.stderr.lines


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("swarm(managers=0)", "*at least 1 manager, 0 were asked for*"),
        ("swarm(topology='ring')", "*unknown topology 'ring': use lab1*"),
        ("swarm(masters=3)", "*a swarm has no masters: ask for managers and workers*"),
        ("swarm(3)", "*with the names*"),
    ],
)
def test_a_marker_that_cannot_be_met_is_refused_before_anything_runs(
    pytester: pytest.Pytester, marker: str, said: str
) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.{marker}\n{WITH_CLUSTER}")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])
    assert not (pytester.path / "reports").exists()


def test_tests_are_grouped_by_the_cluster_they_need(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.swarm(managers=5)
        def test_five(swarm): pass
        def test_three(swarm): pass
        @pytest.mark.swarm(topology="lab1")
        def test_lab1(swarm): pass
        def test_plain(): pass
        """
    )
    result = pytester.runpytest("--collect-only", "-q")
    names = [line.partition("::")[2] for line in result.outlines if "::" in line]
    assert names == ["test_plain", "test_lab1", "test_three", "test_five"]
    assert not (pytester.path / "reports").exists()


@pytest.fixture
def broken(pytester: pytest.Pytester) -> Path:
    """A run of an exercise in a lab that has no machines; its report directory."""
    pytester.makeconftest(BROKEN_LAB)
    pytester.makepyfile(EXERCISE)
    cache = pytester.path / "cache"
    result = pytester.runpytest_subprocess(f"--swarmlab-cache={cache}")
    assert result.ret == 6
    sentence = [line for line in result.outlines if "the cupboard is bare" in line]
    assert any("no cluster: the cupboard is bare: buy a machine" in line for line in sentence)
    return pytester.path / "reports" / "latest"


def test_a_lab_that_fails_is_no_failure_of_the_exercise(broken: Path) -> None:
    results = json.loads((broken / "results.json").read_text(encoding="utf-8"))
    jsonschema.validate(results, json.loads(SCHEMA.read_text(encoding="utf-8")))
    (exercise,) = results["exercises"]
    assert exercise["verdict"] == "unknown"
    assert "the lab itself failed" in exercise["checks"][0]["observed"]
    assert "the cupboard is bare" in exercise["checks"][0]["observed"]


def test_every_output_of_a_run_is_there(broken: Path) -> None:
    assert {path.name for path in broken.iterdir()} >= {
        "report.html",
        "results.json",
        "junit.xml",
        "events.jsonl",
    }
    page = (broken / "report.html").read_text(encoding="utf-8")
    assert "Docker Swarm acceptance report" in page
    assert "badge unknown" in page


def test_a_report_opens_without_a_network(broken: Path) -> None:
    page = (broken / "report.html").read_text(encoding="utf-8")
    for outside in ('src="http', 'href="http://', "@import", "url(http"):
        assert outside not in page.replace('href="https://pypi.python.org/pypi/pytest-html"', "")


def test_reports_that_cannot_be_written_end_with_one_sentence(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(WITH_CLUSTER)
    (pytester.path / "reports").write_text("a file", encoding="utf-8")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: reports can't be written to */reports*--swarmlab-reports"])


def test_one_cluster_more_than_fit_would_falsify_the_times_of_others(
    pytester: pytest.Pytester,
) -> None:
    import fcntl
    import os

    from pytest_swarmlab.run.slots import CORES_PER_CLUSTER

    pytester.makeconftest(BROKEN_LAB)
    pytester.makepyfile(WITH_CLUSTER)
    slots = pytester.path / "cache" / "slots"
    slots.mkdir(parents=True)
    places = []
    for number in range((os.cpu_count() or 1) // CORES_PER_CLUSTER):
        place = os.open(slots / str(number), os.O_CREAT | os.O_RDWR)
        fcntl.flock(place, fcntl.LOCK_EX)
        os.write(place, b"4711")
        places.append(place)
    result = pytester.runpytest_subprocess(f"--swarmlab-cache={slots.parent}")
    for place in places:
        os.close(place)
    assert result.ret == 6
    result.stdout.fnmatch_lines(["*are under test already (by process 4711*wait for one of them*"])


def test_the_version_is_one(pytester: pytest.Pytester) -> None:
    from importlib.metadata import version

    import pytest_swarmlab

    assert pytest_swarmlab.__version__ == version("pytest-swarmlab")
    assert sys.version_info >= (3, 11)
    del pytester
