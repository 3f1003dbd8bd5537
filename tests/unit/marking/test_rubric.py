"""The lab's rubric, and teachers' own: what is accepted, and what is refused in which words."""

from __future__ import annotations

import copy
import importlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.marking import combining, saved
from pytest_swarmlab.marking.mark import mark
from pytest_swarmlab.marking.rubric import DRILL, Rubric, read
from pytest_swarmlab.model import Verdict
from tests.unit.marking.rubrics import item, result, rubric, table

SCHEMA = json.loads(
    (files("pytest_swarmlab.marking") / "rubric.schema.json").read_text(encoding="utf-8")
)
POINTS = {
    "cluster-ha": 15,
    "failover": 10,
    "storage": 15,
    "wordpress": 15,
    "secrets-configs": 10,
    "backup": 10,
    "healthchecks": 10,
    "production": 10,
    "documentation": 5,
}


def labs() -> Rubric:
    return combining.load(None).rubric


def exercises() -> dict[str, Exercise]:
    found = {}
    for number in range(1, 10):
        module = importlib.import_module(f"tests.exercises.exercise_2_{number}.verify")
        found[f"2.{number}"] = module.exercise
    return found


def test_the_labs_criteria_have_the_labs_points() -> None:
    assert {c.id: c.of / 100 for c in labs().criteria} == POINTS


def test_the_labs_weights_read_as_points() -> None:
    for criterion in labs().criteria:
        assert sum(item.weight for item in criterion.items) * 100 == criterion.of


def test_the_labs_rubric_has_the_published_form() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(combining.labs(), SCHEMA)


def test_every_drill_that_the_lab_marks_is_a_check_of_its_exercise() -> None:
    declared = {check.id for exercise in exercises().values() for check in exercise.checks}
    assert {check for check in labs().checks if DRILL.fullmatch(check)} <= declared


def test_every_check_of_a_submission_is_marked_and_exists() -> None:
    named = {c for c in combining.named_by_lab() if c.startswith(("document.", "answer."))}
    assert named == saved.submission_checks() | {"document.in-time"}


def test_every_state_check_is_marked_and_exists() -> None:
    state = pytest.importorskip("pytest_swarmlab.marking.state")
    named = {c for c in combining.named_by_lab() if c.startswith("state.")}
    assert named == {check.id for check in state.exercise.checks}


def test_every_item_outside_of_documentation_says_how_to_mend_it() -> None:
    for name, asked in labs().items.items():
        if not name.startswith(("documents-", "questions-", "in-time")):
            assert asked.hint.endswith("."), name
            assert asked.exercise


def test_all_passed_is_a_hundred_and_nothing_seen_is_nothing() -> None:
    rubric = labs()
    assert mark(rubric, {c: result(c) for c in rubric.checks}).earned == 10000
    assert mark(rubric, {}).ungraded == 10000
    assert mark(rubric, {c: result(c, "fail") for c in rubric.checks}).lost == 10000


def test_each_fault_alone_costs_its_own_points_and_those_that_need_it() -> None:
    rubric = labs()
    for fault in rubric.checks:
        marked = mark(
            rubric, {c: result(c, "fail" if c == fault else "pass") for c in rubric.checks}
        )
        lost = [
            check
            for criterion in marked.criteria
            for check in criterion.checks
            if check.result.verdict is Verdict.FAIL
        ]
        assert fault in {check.result.id for check in lost}
        needing = {check.item for check in lost if check.result.id != fault}
        own = next(check.item for check in lost if check.result.id == fault)
        for name in needing:
            assert own in _needed(rubric, name)


def _needed(rubric: Rubric, name: str) -> set[str]:
    direct = set(rubric.items[name].needs)
    return direct.union(*(_needed(rubric, need) for need in direct))


BAD: list[tuple[str, dict[str, Any], str]] = [
    (
        "points that do not add up",
        {"criteria": {"one": {"points": 20}}},
        "the points of its criteria add up to 70, not to 100",
    ),
    (
        "a weight of nothing",
        {"criteria": {"one": {"checks": {"a": {"weight": 0}}}}},
        "'weight' must be a number more than 0, not 0",
    ),
    (
        "a negative weight",
        {"criteria": {"one": {"checks": {"a": {"weight": -1.5}}}}},
        "'weight' must be a number more than 0, not -1.5",
    ),
    (
        "a weight without end",
        {"criteria": {"one": {"checks": {"a": {"weight": float("inf")}}}}},
        "'weight' must be a number more than 0, not inf",
    ),
    (
        "a weight that is no number",
        {"criteria": {"one": {"checks": {"a": {"weight": float("nan")}}}}},
        "'weight' must be a number more than 0, not nan",
    ),
    (
        "a weight in words",
        {"criteria": {"one": {"checks": {"a": {"weight": "two"}}}}},
        "'weight' must be a number, not 'two'",
    ),
    (
        "a misspelt key",
        {"criteria": {"one": {"checks": {"a": {"wieght": 2}}}}},
        "criteria.one checks.a: unknown key 'wieght'",
    ),
    (
        "a need that is no item",
        {"criteria": {"one": {"checks": {"a": {"needs": ["beta"]}}}}},
        "item 'a' needs 'beta', which is no item",
    ),
    (
        "a circle",
        {"criteria": {"one": {"checks": {"a": {"needs": ["b"]}, "b": {"needs": ["a"]}}}}},
        "the needs of items form a circle: ",
    ),
    (
        "an item that needs itself",
        {"criteria": {"one": {"checks": {"a": {"needs": ["a"]}}}}},
        "the needs of items form a circle: a needs a",
    ),
    (
        "a check used twice",
        {"criteria": {"two": {"checks": {"c": {"of": ["a"]}}}}},
        "the check 'a' is used twice: use it in one item only",
    ),
    (
        "an item's name used twice",
        {"criteria": {"two": {"checks": {"a": {"of": ["z"], "weight": 1}}}}},
        "two items have the name 'a': rename one",
    ),
    (
        "no check",
        {"criteria": {"one": {"checks": {"a": {"of": []}}}}},
        "'of' must name at least one check",
    ),
    (
        "thousandths of a point",
        {"criteria": {"one": {"points": 50.001}}},
        "'points' must have at most two decimals",
    ),
    (
        "a check worth nothing",
        {"criteria": {"one": {"checks": {"a": {"weight": 0.000001}}}}},
        "a check of item 'a' would be worth less than a hundredth of a point",
    ),
    (
        "a deadline without a zone",
        {"deadline": "2026-12-18T23:59"},
        "deadline is '2026-12-18T23:59': use a time with its zone, such as",
    ),
    (
        "in time without a deadline",
        {"criteria": {"one": {"checks": {"a": {"of": ["document.in-time"]}}}}},
        "'document.in-time' needs a deadline: give one, or skip the item",
    ),
    (
        "capitals in a name",
        {"criteria": {"One": {"title": "x", "points": 1, "checks": {}}}},
        "a name consists of small letters, digits, dots and dashes",
    ),
    (
        "another form",
        {"schema": "swarmlab-rubric/9"},
        "schema 'swarmlab-rubric/9' is none of swarmlab-rubric/1",
    ),
    (
        "an exercise that is none",
        {"criteria": {"one": {"checks": {"a": {"exercise": "two"}}}}},
        "exercise is 'two': use a number such as '2.5'",
    ),
]
FORMLESS = {
    "points that do not add up",
    "a need that is no item",
    "a circle",
    "an item that needs itself",
    "a check used twice",
    "an item's name used twice",
    "thousandths of a point",
    "a check worth nothing",
    "a deadline without a zone",
    "in time without a deadline",
    "a weight without end",
    "a weight that is no number",
}
"""What a form can't tell: sums, references, numbers that JSON has not."""

GOOD = table(one={"a": item("a"), "b": item("b")}, two={"c": item("c")})


@pytest.mark.parametrize(("name", "over", "said"), BAD, ids=[row[0] for row in BAD])
def test_a_rubric_that_can_not_be_used_is_told_in_one_sentence(
    name: str, over: dict[str, Any], said: str
) -> None:
    broken = combining.combine(copy.deepcopy(GOOD), over, "rubric")
    with pytest.raises(ConfigError) as told:
        read(broken, "rubric")
    assert said in str(told.value)
    assert "\n" not in str(told.value)
    errors = list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(broken))
    assert bool(errors) is (name not in FORMLESS)


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({1: "x", "zz": "y"}, "unknown key '1'"),
        ({"criteria": {"one": {"points": 10**400}}}, "add up to 1000"),
        ({"title": ["x" * 5000]}, "'title' must be a string, not \\['xxx"),
        ({"criteria": {"one": {"skip": ["x" * 5000]}}}, "'skip' must be true or false, not "),
    ],
)
def test_what_nobody_expects_in_a_rubric_is_told_in_a_short_sentence(
    tmp_path: Path, over: dict[Any, Any], said: str
) -> None:
    path = written(tmp_path, combining.combine(copy.deepcopy(GOOD), over, "rubric"))
    with pytest.raises(ConfigError, match=said) as told:
        combining.load(path)
    assert len(str(told.value)) < 600


def test_the_form_accepts_what_is_read() -> None:
    read(GOOD, "rubric")
    jsonschema.validate(GOOD, SCHEMA)


def written(tmp_path: Path, content: str | dict[str, Any], name: str = "ours.yml") -> Path:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), "utf-8")
    return path


def test_a_teacher_changes_weights_and_points(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "extends": "lab-02",
            "criteria": {
                "cluster-ha": {"points": 10, "checks": {"managers": {"weight": 12}}},
                "documentation": {"points": 10},
            },
        },
    )
    changed = combining.load(path).rubric
    assert {c.id: c.of / 100 for c in changed.criteria} == {
        **POINTS,
        "cluster-ha": 10,
        "documentation": 10,
    }
    assert changed.items["managers"].of == 500
    assert labs().items["managers"].of == 300


def test_what_is_skipped_costs_nothing_and_is_needed_by_nobody(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {"extends": "lab-02", "criteria": {"storage": {"checks": {"nfs-server": {"skip": True}}}}},
    )
    changed = combining.load(path).rubric
    assert "nfs-server" not in changed.items
    assert changed.items["nfs-mounted"].needs == ()
    assert next(c for c in changed.criteria if c.id == "storage").of == 1500


def test_a_criterion_that_is_skipped_leaves_its_points_to_others(tmp_path: Path) -> None:
    over: dict[str, Any] = {"extends": "lab-02", "criteria": {"documentation": {"skip": True}}}
    with pytest.raises(ConfigError, match="add up to 95, not to 100"):
        combining.load(written(tmp_path, over))
    over["criteria"]["storage"] = {"points": 20}
    assert len(combining.load(written(tmp_path, over)).rubric.criteria) == 8


def test_a_criterion_without_any_check_is_refused(tmp_path: Path) -> None:
    items = combining.labs()["criteria"]["production"]["checks"]
    over = {"criteria": {"production": {"checks": {name: {"skip": True} for name in items}}}}
    with pytest.raises(ConfigError, match="all its checks are skipped, but it has points"):
        combining.load(written(tmp_path, {"extends": "lab-02", **over}))


OWN = """
from pytest_swarmlab import failed, passed
from pytest_swarmlab.marking.own import OwnChecks

checks = OwnChecks()

@checks.check("two-nodes", phase="2.1/x", title="Two", expected="two", hint="Add one.")
def two(record):
    seen = record.need("nodes", "nobody looked").data["count"]
    return passed("two") if seen == 2 else failed(f"{seen}")
"""


def test_a_teacher_adds_checks_of_his_own(tmp_path: Path) -> None:
    (tmp_path / "ours.py").write_text(OWN, encoding="utf-8")
    added = {"two-nodes": {"of": ["own.two-nodes"], "weight": 5}}
    path = written(
        tmp_path,
        {
            "extends": "lab-02",
            "python": ["ours.py"],
            "criteria": {"production": {"checks": added}},
        },
    )
    chosen = combining.load(path)
    assert [check.id for check in chosen.own] == ["own.two-nodes"]
    saved.marked(chosen, [], {})


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("checks = 1", "has no `checks = OwnChecks()`"),
        ("import nothing_of_that_name", "line 1: ModuleNotFoundError"),
        ("\n\nchecks = 1 / 0", "line 3: ZeroDivisionError"),
        ("def (", "SyntaxError"),
        (OWN + OWN.partition("checks = OwnChecks()")[2], "check own.two-nodes is declared twice"),
        (None, "must exist and have the suffix .py"),
    ],
)
def test_a_python_file_that_can_not_be_used_is_named(
    tmp_path: Path, code: str | None, said: str
) -> None:
    if code is not None:
        (tmp_path / "ours.py").write_text(code, encoding="utf-8")
    path = written(tmp_path, {"extends": "lab-02", "python": ["ours.py"]})
    with pytest.raises(ConfigError) as told:
        combining.load(path)
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("extends: lab-03", "extends is 'lab-03', which does not exist: use lab-02"),
        ("- a\n- b", "must be a table"),
        ("a: [", "is not valid YAML"),
        ("extends: lab-02\ncriteria: [1]", "'criteria' must be a table of tables"),
        ("extends: lab-02\npython: one.py", "'python' must be a list of files"),
        ("title: Ours", "it has neither `extends: lab-02`"),
        (
            "extends: lab-02\ncriteria: {storage: {skip: sure}}",
            "'skip' must be true or false, not 'sure'",
        ),
        ("extends: lab-02\nextends: lab-02", "'extends' stands there twice"),
    ],
)
def test_a_file_that_is_no_rubric_is_told(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        combining.load(written(tmp_path, content))
    assert said in str(told.value)
    assert "ours.yml" in str(told.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"can't be read \(No such file"):
        combining.load(tmp_path / "none.yml")


def test_a_check_that_does_not_exist_is_told_with_the_one_that_was_meant() -> None:
    asked = rubric(one={"a": item("document.2.1.node-sl")})
    with pytest.raises(ConfigError, match=r"did you mean 'document\.2\.1\.node-ls'\?"):
        asked.refuse_unknown(saved.submission_checks(), exercises={})


def test_a_drill_is_known_where_its_exercise_is_at_hand() -> None:
    asked = rubric(one={"a": item("2.2.kill-9.leader-elected"), "b": item("2.2.kill-9.typo")})
    asked.refuse_unknown([], exercises={})
    with pytest.raises(ConfigError, match=r"'b' names the check '2\.2\.kill-9\.typo'"):
        asked.refuse_unknown([], exercises={"2.2": {"2.2.kill-9.leader-elected"}})
