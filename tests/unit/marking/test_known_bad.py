"""The grader is graded: the reference loses nothing, each known mistake exactly its own points."""

from __future__ import annotations

import functools
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_swarmlab.marking import combining, completeness, new_submission, skeleton
from pytest_swarmlab.marking.rubric import DRILL
from pytest_swarmlab.marking.state import exercise as state
from pytest_swarmlab.model import Verdict
from tests.marking import assemble, drilled, known_bad, table
from tests.marking.assemble import REFERENCE, REPOSITORY
from tests.marking.drilled import Drilled
from tests.marking.known_bad import OF_REFERENCE, Solution

SOLUTIONS = known_bad.solutions()
ENOUGH = 40


outcome = functools.cache(table.marked)


def names(solution: Solution) -> str:
    return solution.name


# -- the reference ------------------------------------------------------------------------------


def test_the_references_copies_are_what_they_are_made_of() -> None:
    for each in assemble.COPIES:
        path = REFERENCE / each.place
        assert path.read_bytes() == each.content(), f"{each.place}: run `make reference`"
        source = (REPOSITORY / each.source).stat().st_mode
        assert stat.S_IMODE(path.stat().st_mode) & 0o111 == stat.S_IMODE(source) & 0o111


def test_a_copy_whose_source_has_lost_a_word_is_refused() -> None:
    lost = assemble.Copy("x", "stacks/health-stack.yml", (("no such word", ""),))
    with pytest.raises(ValueError, match=r"'no such word' stands there 0 times"):
        lost.content()


def test_nothing_is_missing_from_the_reference() -> None:
    told = completeness.look(REFERENCE)
    assert told.lacks == ()


def test_the_reference_has_the_skeletons_places(tmp_path: Path) -> None:
    new_submission.write(tmp_path / "new")
    pictures = {"documents/2.1-node-ls.txt"}
    there = {str(p.relative_to(REFERENCE)) for p in REFERENCE.rglob("*") if p.is_file()}
    assert set(skeleton.files()) - there == set() - pictures


@pytest.mark.parametrize("script", sorted(REFERENCE.glob("scripts/*.sh")), ids=lambda p: p.name)
def test_a_script_of_the_reference_has_no_finding(script: Path) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    argv = [str(shellcheck), "--format=gcc", str(script)]
    assert subprocess.run(argv, capture_output=True, text=True, check=False).stdout == ""
    assert script.stat().st_mode & 0o100


def test_the_reference_earns_all_that_is_earned_without_drills() -> None:
    found = outcome(OF_REFERENCE)
    assert {r.id: r.observed for r in found.results.values() if r.verdict is not Verdict.PASS} == {}
    assert found.mark.lost == 0
    ungraded = {
        check.result.id
        for criterion in found.mark.criteria
        for check in criterion.checks
        if check.ungraded
    }
    assert {check for check in ungraded if not DRILL.fullmatch(check)} == set()


# -- known mistakes -----------------------------------------------------------------------------


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len(SOLUTIONS) >= ENOUGH
    assert len({each.name for each in SOLUTIONS}) == len(SOLUTIONS)


@pytest.mark.parametrize("solution", SOLUTIONS, ids=names)
def test_a_mistake_loses_its_checks_and_no_others(solution: Solution) -> None:
    reference, found = outcome(OF_REFERENCE), outcome(solution.name)
    assert known_bad.checks(found.results, [Verdict.FAIL]) == solution.loses
    # Nothing else can be told any less than of the reference.
    assert (
        known_bad.checks(found.results, [Verdict.UNKNOWN, Verdict.NOT_PROVABLE])
        - known_bad.checks(reference.results, [Verdict.UNKNOWN, Verdict.NOT_PROVABLE])
        == solution.unknown
    )
    assert found.mark.lost > 0


@pytest.mark.parametrize(
    "solution",
    [each for each in SOLUTIONS if each.survey and each.recording.is_file()],
    ids=names,
)
def test_an_edit_loses_what_the_real_mistake_loses(solution: Solution) -> None:
    results = {r.id: r for r in state.judge(known_bad.edited(solution))}
    own = {each for each in solution.loses if each.startswith("state.")}
    assert known_bad.checks(results, [Verdict.FAIL]) == own


def test_every_state_check_has_a_known_mistake() -> None:
    lost = {check for solution in SOLUTIONS for check in solution.loses}
    assert {check.id for check in state.checks} - lost == WITHOUT_A_MISTAKE


WITHOUT_A_MISTAKE: set[str] = set()


def test_the_table_is_what_these_solutions_get() -> None:
    assert table.PAGE.read_text("utf-8") == table.page(outcome), "run `make known-bad-table`"


def test_no_recording_is_of_a_solution_that_is_no_more() -> None:
    there = {path.name.partition(".")[0] for path in known_bad.SURVEYS.glob("*.jsonl.xz")}
    assert there - {known_bad.OF_REFERENCE} <= {each.name for each in SOLUTIONS}


# -- mistakes that only a drill shows -------------------------------------------------------------


@pytest.mark.parametrize("solution", drilled.solutions(), ids=lambda each: each.name)
def test_a_drilled_mistake_can_be_made_and_costs_what_the_rubric_names(
    solution: Drilled, tmp_path: Path
) -> None:
    known_bad.hand_in(solution, tmp_path)
    phase = f"{solution.exercise}.{solution.drill}."
    assert solution.loses
    assert {check for check in solution.loses if not check.startswith(phase)} == set()
    assert solution.loses <= combining.named_by_lab()


def test_what_was_drilled_has_lost_its_checks_and_no_others() -> None:
    solutions = {each.name: each for each in drilled.solutions()}
    for name, verdicts in drilled.seen().items():
        failed = {check for check, verdict in verdicts.items() if verdict == "fail"}
        assert failed == solutions[name].loses
        unseen = {check for check, verdict in verdicts.items() if verdict != "pass"} - failed
        assert unseen <= solutions[name].hides


def test_who_heals_no_task_also_loses_how_soon_it_is_healed() -> None:
    (never,) = (each for each in drilled.solutions() if each.name == "check-that-can-not-fail")
    assert never.loses == {"2.9.heal.healed-in-its-slot"}
    assert "2.9.heal.detected-as-predicted" in never.hides
    assert not any(check.startswith("2.9.bad-update") for check in never.hides)
