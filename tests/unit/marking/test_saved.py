"""What a submission decides reaches the checks of a survey."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.marking import combining, saved
from pytest_swarmlab.marking.mark import MarkedCriterion
from tests.unit.marking.submissions import complete
from tests.unit.records.editing import events

ROLES = {"wordpress-database": "wp_db"}


def test_roles_stand_at_the_end_of_the_survey() -> None:
    run = Record((*events("survey", ("survey.nodes", {})).events, *events("2.2/x", ("a", {}))))
    told = saved.decided(run, ROLES).phase("survey").last("roles.decided")
    assert told is not None
    assert told.data == {"roles": ROLES}
    assert saved.decided(run, ROLES).phase("2.2/x") == run.phase("2.2/x")


def test_without_a_survey_or_a_decision_the_record_is_as_it_was() -> None:
    run = events("2.2/x", ("a", {}))
    assert saved.decided(run, ROLES) is run
    assert saved.decided(events("survey", ("a", {})), {}).last("roles.decided") is None


def test_they_are_what_the_submission_says(tmp_path: Path) -> None:
    root = complete(tmp_path / "mine")
    text = "lab: lab-02\nstudents: [A]\nroles: {wordpress-database: wp_db}\n"
    (root / "swarmlab.yml").write_text(text, "utf-8")
    assert saved.of_submission(root, None, None).roles == ROLES


def test_a_real_survey_loses_what_its_cluster_had_not() -> None:
    records = pytest.importorskip("tests.unit.records.breaker")
    state = pytest.importorskip("pytest_swarmlab.marking.state")
    survey = records.real("survey")
    results = saved.of_record(survey, [state.exercise], [])
    marked = saved.marked(combining.load(None), [state.exercise], results)
    lost = {criterion.id for criterion in marked.criteria if _lost(criterion)}
    assert lost == {"production"}, "exercise 2.10 was not deployed on it, all others were"
    assert saved.of_record(survey, [state.exercise], []) == results
    for criterion in marked.criteria:
        for check in criterion.checks:
            if check.lost:
                assert all((check.result.looked_at, check.result.expected, check.result.hint))


def _lost(criterion: MarkedCriterion) -> int:
    return sum(check.lost for check in criterion.checks)
