"""A mark in results.json, on the page, at the terminal and for JUnit."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.marking.answers import Answer
from pytest_swarmlab.marking.asked import questions
from pytest_swarmlab.marking.mark import mark
from pytest_swarmlab.reporting import junit
from pytest_swarmlab.reporting.html import page
from pytest_swarmlab.reporting.marked import as_results, in_words
from pytest_swarmlab.reporting.results import build_results
from tests.unit.marking.rubrics import item, result, rubric
from tests.unit.records.synthetic import THREE_DRILLS, record
from tests.unit.reporting.test_html import HOSTILE, tags
from tests.unit.reporting.test_results import exercise, valid

RUBRIC = rubric(
    one={"a": item("own.a", exercise="2.2"), "b": item("own.b", weight=2)},
    two={"c": item("own.c"), "d": item("own.d")},
)
VERDICTS = {"own.a": "pass", "own.b": "fail", "own.c": "unknown", "own.d": "not_provable"}


def marked(verdicts: dict[str, str] = VERDICTS, **told: str) -> dict[str, Any]:
    asked = next(q for q in questions() if q.id == "2.2.election-time")
    answers = [Answer(asked, told.pop("answer", "Quinze secondes."))]
    found = {name: result(name, verdict, **told) for name, verdict in verdicts.items()}
    run = build_results(record(THREE_DRILLS[0]), [exercise()])
    return valid(run | as_results(mark(RUBRIC, found), answers, run["exercises"]))


def test_results_have_the_mark_and_its_reasons() -> None:
    results = marked(looked_at="`docker node ls` on manager1, at 01:00")
    assert results["mark"] == {"earned": 16.67, "of": 100, "ungraded": 50}
    assert [(c["id"], c["earned"], c["of"]) for c in results["criteria"]] == [
        ("one", 16.67, 50),
        ("two", 0, 50),
    ]
    assert results["criteria"][0]["checks"][1] == {
        "id": "own.b",
        "title": "t",
        "item": "b",
        "exercise": "",
        "verdict": "fail",
        "earned": 0,
        "of": 33.33,
        "expected": "e",
        "observed": "o",
        "looked_at": "`docker node ls` on manager1, at 01:00",
        "hint": "h",
    }
    (read,) = results["for_the_teacher"]
    assert read["answer"] == "Quinze secondes."
    assert read["measured"]["graceful-stop"]["leader_elected_s"] == pytest.approx(12.5, abs=0.3)


def test_a_run_without_a_rubric_has_no_mark() -> None:
    run = valid(build_results(record(THREE_DRILLS[0]), []))
    assert not {"mark", "criteria", "for_the_teacher"} & run.keys()
    assert "points" not in page(record(THREE_DRILLS[0]), run)


def test_the_parts_add_up_to_the_whole() -> None:
    results = marked()
    for criterion in results["criteria"]:
        assert round(sum(c["of"] for c in criterion["checks"]), 2) == criterion["of"]
        assert round(sum(c["earned"] for c in criterion["checks"]), 2) == criterion["earned"]


def test_the_terminal_says_the_mark_then_each_loss_and_how_to_mend_it() -> None:
    lines = in_words(marked(looked_at="there", title="A claim", hint="Do this.")).splitlines()
    assert lines[:3] == [
        "one     16.67 of 50",
        "two         0 of 50   50 ungraded",
        "Total   16.67 of 100   50 ungraded",
    ]
    assert lines[4:9] == [
        "-33.33  one: A claim (own.b)",
        "    looked at: there",
        "    expected: e",
        "    seen: o",
        "    to mend: Do this.",
    ]
    assert "    50: o" in lines
    assert lines[-1] == "For the teacher to read: 1 answers."


def test_the_page_opens_with_the_mark() -> None:
    text = page(record(THREE_DRILLS[0]), marked(looked_at="there", hint="Do this."))
    assert text.index("16.67 of 100 points, 50 ungraded") < text.index("Run 2026")
    assert text.index("16.67 of 100 points") < text.index("Exercise 2.2")
    for told in (
        "−33.33",
        "looked at: there",
        "→ Do this.",
        "Quinze secondes.",
        "leader_elected_s 12.",
    ):
        assert told in text


def test_hostile_text_stays_text() -> None:
    results = marked(
        title=HOSTILE, expected=HOSTILE, observed=HOSTILE, hint=HOSTILE, looked_at=HOSTILE,
        answer=HOSTILE,
    )  # fmt: skip
    text = page(record(THREE_DRILLS[0]), results)
    assert "script" not in {tag for tag, _ in tags(text)}
    assert not any("onload" in attributes for _, attributes in tags(text))
    assert "\x1b" not in text + in_words(results)
    assert "\x00" not in text + in_words(results)


def test_junit_has_a_case_for_each_check(tmp_path: Path) -> None:
    junit.write(tmp_path / "junit.xml", marked(hint=HOSTILE, looked_at="there"))
    root = ET.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - our own
    suites = {s.get("name"): s for s in root.iter("testsuite")}
    assert {name: len(s.findall("testcase")) for name, s in suites.items()} == {"one": 2, "two": 2}
    assert [suites["two"].get(n) for n in ("tests", "failures", "errors", "skipped")] == [
        "2", "0", "1", "1",
    ]  # fmt: skip
    outcomes = {c.get("name"): [e.tag for e in c] for c in root.iter("testcase")}
    assert outcomes == {
        "own.a": [],
        "own.b": ["failure"],
        "own.c": ["error"],
        "own.d": ["skipped"],
    }
    failure = next(root.iter("failure"))
    assert failure.get("message") == "33.33 points: t"
    assert (failure.text or "").startswith(
        "looked at: there\nexpected: e\nseen: o\nto mend: <script>"
    )


@pytest.mark.parametrize("verdict", ["fail", "unknown", "not_provable"])
def test_what_is_no_pass_is_no_silent_case(tmp_path: Path, verdict: str) -> None:
    junit.write(tmp_path / "junit.xml", marked(dict.fromkeys(VERDICTS, verdict)))
    root = ET.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - our own
    assert all(len(case) == 1 for case in root.iter("testcase"))
