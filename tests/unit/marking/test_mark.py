"""From verdicts and a rubric to points: exact, and never a point for what nobody knows."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swarmlab.marking.mark import mark
from pytest_swarmlab.marking.rubric import apportion, points
from pytest_swarmlab.model import Verdict
from tests.unit.marking.rubrics import item, result, results, rubric


def test_each_check_earns_its_part() -> None:
    marked = mark(
        rubric(one={"a": item("a", weight=3), "b": item("b")}), results(a="pass", b="fail")
    )
    assert (marked.earned, marked.lost, marked.ungraded, marked.of) == (7500, 2500, 0, 10000)


def test_the_checks_of_an_item_share_its_weight() -> None:
    marked = mark(
        rubric(one={"a": item("a", "b", "c", "d")}), results(a="pass", b="pass", c="pass")
    )
    assert (marked.earned, marked.ungraded) == (7500, 2500)


@pytest.mark.parametrize("verdict", ["unknown", "not_provable"])
def test_what_nobody_could_tell_is_neither_earned_nor_lost(verdict: str) -> None:
    marked = mark(rubric(one={"a": item("a")}), results(a=verdict))
    assert (marked.earned, marked.lost, marked.ungraded) == (0, 0, 10000)


def test_a_fault_of_swarm_itself_is_neither_earned_nor_lost_and_is_named() -> None:
    swarms = result("a", "fail", finding="two-identities", observed="shut out")
    marked = mark(rubric(one={"a": item("a")}), {"a": swarms})
    (check,) = marked.criteria[0].checks
    assert (marked.earned, marked.lost, marked.ungraded) == (0, 0, 10000)
    assert check.result.observed == (
        "Swarm's own fault two-identities explains it (docs/findings.md): shut out"
    )


def test_a_check_that_nobody_judged_is_ungraded_and_says_why() -> None:
    marked = mark(
        rubric(one={"a": item("2.2.kill.x"), "b": item("state.x.y"), "c": item("answer.2.1.q")}), {}
    )
    assert marked.ungraded == 10000
    assert [check.result.observed for check in marked.criteria[0].checks] == [
        "not judged: exercise 2.2 was not performed",
        "not judged: the cluster was not surveyed",
        "not judged: no submission was given",
    ]


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        ({"a": "pass"}, ["pass", "pass", "pass"]),
        ({"b": "fail"}, ["fail", "fail", "fail"]),
        ({"b": "unknown"}, ["unknown", "unknown", "unknown"]),
        ({"a": "pass", "b": "fail"}, ["pass", "fail", "fail"]),
        ({}, ["unknown", "unknown", "unknown"]),
    ],
)
def test_a_way_that_was_not_taken_counts_as_the_one_that_was(
    judged: dict[str, str], expected: list[str]
) -> None:
    ways = rubric(one={"ways": item("a", "b", "c", either=True)})
    (criterion,) = mark(ways, results(**judged)).criteria
    assert [check.result.verdict for check in criterion.checks] == expected
    assert [check.result.id for check in criterion.checks] == ["a", "b", "c"]


def test_what_is_no_way_to_do_the_same_stays_ungraded() -> None:
    marked = mark(rubric(one={"a": item("a", "b")}), results(a="pass"))
    assert (marked.earned, marked.ungraded) == (5000, 5000)


NEEDS = {"base": item("base"), "top": item("top", needs=["base"])}


@pytest.mark.parametrize(
    ("base", "top", "expected"),
    [
        ("pass", "pass", Verdict.PASS),
        ("pass", "fail", Verdict.FAIL),
        ("pass", "unknown", Verdict.UNKNOWN),
        ("fail", "pass", Verdict.FAIL),
        ("fail", "fail", Verdict.FAIL),
        ("fail", "unknown", Verdict.FAIL),
        ("fail", "not_provable", Verdict.FAIL),
        ("unknown", "pass", Verdict.UNKNOWN),
        ("unknown", "fail", Verdict.FAIL),
        ("not_provable", "pass", Verdict.UNKNOWN),
        ("not_provable", "not_provable", Verdict.NOT_PROVABLE),
    ],
)
def test_an_item_counts_only_with_what_it_needs(base: str, top: str, expected: Verdict) -> None:
    marked = mark(rubric(one=NEEDS), results(base=base, top=top))
    assert marked.criteria[0].checks[1].result.verdict is expected


def test_what_is_lost_for_a_need_names_it_and_what_was_seen() -> None:
    marked = mark(rubric(one=NEEDS), results(base="fail", top="pass"))
    lost = marked.criteria[0].checks[1].result
    assert lost.observed == "it counts only with 'base', which failed; observed: o"
    assert lost.hint == "First repair 'base'. h"


def test_a_need_that_earned_a_part_is_met() -> None:
    part = {"base": item("a", "b"), "top": item("top", needs=["base"])}
    marked = mark(rubric(one=part), results(a="pass", b="fail", top="pass"))
    assert marked.earned == 7500


def test_a_need_is_what_it_counts_as_itself() -> None:
    chain = {"a": item("a"), "b": item("b", needs=["a"]), "c": item("c", needs=["b"])}
    marked = mark(rubric(one=chain), results(a="fail", b="pass", c="pass"))
    assert marked.earned == 0
    assert "'b', which failed" in marked.criteria[0].checks[2].result.observed


def test_needs_reach_across_criteria_and_backwards() -> None:
    marked = mark(
        rubric(one={"a": item("a", needs=["z"])}, two={"z": item("z")}), results(a="pass", z="fail")
    )
    assert marked.earned == 0


def test_the_rubrics_hint_stands_before_the_checks_own() -> None:
    marked = mark(
        rubric(one={"a": item("a", hint="Do this.")}), {"a": result("a", "fail", hint="See there.")}
    )
    assert marked.criteria[0].checks[0].result.hint == "Do this. See there."


@given(
    st.integers(0, 10_000),
    st.lists(st.fractions(Fraction(1, 1000), 1000), min_size=1, max_size=30),
)
def test_parts_add_up_and_each_is_within_one_of_its_exact_share(
    whole: int, weights: list[Fraction]
) -> None:
    parts = apportion(whole, weights)
    assert sum(parts) == whole
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - whole * weight / sum(weights)) < 1


def test_of_equal_remainders_the_earlier_gets_the_hundredth() -> None:
    assert apportion(100, [Fraction(1)] * 3) == (34, 33, 33)


@given(st.lists(st.sampled_from(list(Verdict)), min_size=9, max_size=9), st.randoms())
def test_the_same_verdicts_give_the_same_mark_in_any_order(
    verdicts: list[Verdict], order: random.Random
) -> None:
    names = [f"c{n}" for n in range(9)]
    asked = rubric(
        one={"a": item(*names[:4], weight=0.3), "b": item(*names[4:6], weight=7)},
        two={"c": item(*names[6:], needs=["a"]), "d": item("d", needs=["b", "c"])},
    )
    found = [(name, result(name, v.value)) for name, v in zip(names, verdicts, strict=True)]
    first = mark(asked, dict(found))
    order.shuffle(found)
    assert mark(asked, dict(found)) == first
    assert first.earned + first.lost + first.ungraded == first.of == 10000
    assert first.earned == sum(c.earned for c in first.criteria)


@pytest.mark.parametrize(
    ("hundredths", "text"), [(0, "0"), (1500, "15"), (250, "2.5"), (33, "0.33"), (10, "0.1")]
)
def test_points_as_people_write_them(hundredths: int, text: str) -> None:
    assert points(hundredths) == text
