"""results.json: its form, and that what was not judged is never a pass."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.reporting.results import build_results, point_latest, write_results
from tests.unit.records.editing import changed, without
from tests.unit.records.synthetic import THREE_DRILLS, Drill, record


def valid(results: dict[str, Any]) -> dict[str, Any]:
    schema = json.loads(
        (files("pytest_swarmlab.reporting") / "results.schema.json").read_text(encoding="utf-8")
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(json.dumps(results, allow_nan=False)), schema)
    return results


def exercise() -> Exercise:
    found = Exercise("2.2", "Failover of the leader", module="tests.x")

    @found.measure(phases=["graceful-stop", "kill", "power-off"])
    def figures(part: Record) -> dict[str, Any]:
        return readings.failover_measurements(part, wanted=5)

    return found


def test_a_whole_run() -> None:
    results = valid(build_results(record(*THREE_DRILLS), [exercise()]))
    assert results["schema"] == "swarmlab-results/1"
    assert results["topology"] == {"managers": 3, "workers": 2}
    assert results["images"][0]["origin"] == "stand-in"
    (found,) = results["exercises"]
    assert found["verdict"] == "pass"
    assert len(found["checks"]) == 12
    assert list(found["measurements"]) == ["graceful-stop", "kill", "power-off"]
    assert found["measurements"]["kill"]["leader_elected_s"] == pytest.approx(15.8, abs=0.3)


def test_a_selected_check_that_was_never_judged_is_unknown() -> None:
    (found,) = valid(build_results(record(Drill("2.2/kill"), judged=False), []))["exercises"]
    assert found["verdict"] == "unknown"
    assert {c["verdict"] for c in found["checks"]} == {"unknown"}
    assert all("not judged" in c["observed"] for c in found["checks"])


def test_what_was_judged_is_told_whether_or_not_it_was_announced() -> None:
    part = record(Drill("2.2/kill"), Drill("2.2/power-off"))
    whole = {check["id"] for check in build_results(part, [])["exercises"][0]["checks"]}
    selected = part.need("exercise.selected", "")
    for announced in (2, 0):
        left = selected.data["checks"][:announced]
        fewer = changed(part, lambda e: e.seq == selected.seq, checks=left)
        (found,) = valid(build_results(fewer, []))["exercises"]
        assert found["verdict"] == "pass"
        assert {check["id"] for check in found["checks"]} == whole
    nobody = without(fewer, lambda e: e.kind == "check")
    assert build_results(nobody, [])["exercises"][0]["verdict"] == "unknown"


def test_what_these_machines_can_not_do_is_not_provable_also_where_nobody_came_to_it() -> None:
    part = record(Drill("2.2/kill"), judged=False)
    selected = part.need("exercise.selected", "")
    ready = part.need("cluster.ready", "")
    checks = [{**c, "needs": ["change", "start-interval"]} for c in selected.data["checks"]]
    part = changed(part, lambda e: e.seq == selected.seq, checks=checks)
    older = {"capabilities": {"change": True, "start-interval": False}}
    (found,) = valid(build_results(changed(part, lambda e: e.seq == ready.seq, **older), []))[
        "exercises"
    ]
    assert found["verdict"] == "not_provable"
    assert all("older than Docker 25 (API 1.44)" in c["observed"] for c in found["checks"])


def test_one_missing_judgement_keeps_the_exercise_from_passing() -> None:
    part = without(
        record(Drill("2.2/kill")),
        lambda e: e.kind == "check" and e.data["id"].endswith("no-regain"),
    )
    assert build_results(part, [])["exercises"][0]["verdict"] == "unknown"


def test_a_lab_that_failed_gives_unknown_with_its_reason() -> None:
    results = valid(build_results(record(Drill("2.2/kill"), error="no room for the disk"), []))
    assert results["topology"] is results["kernel"] is None
    (found,) = results["exercises"]
    assert found["verdict"] == "unknown"
    assert all("no room for the disk" in c["observed"] for c in found["checks"])


@pytest.mark.parametrize("verdict", ["fail", "unknown", "not_provable"])
def test_one_verdict_that_is_no_pass_decides(verdict: str) -> None:
    part = changed(
        record(Drill("2.2/kill")),
        lambda e: e.kind == "check" and e.data["id"].endswith("no-regain"),
        verdict=verdict,
    )
    assert build_results(part, [])["exercises"][0]["verdict"] == verdict


def test_a_killed_run_has_no_end() -> None:
    results = valid(build_results(record(Drill("2.2/kill"), finished=False), []))
    assert results["finished_at"] is None


def test_hostile_text_is_cleaned_and_cut(tmp_path: Path) -> None:
    part = changed(
        record(Drill("2.2/kill")),
        lambda e: e.kind == "check",
        observed="\x1b[31m\x00" + "a\ud800" * 600_000,
    )
    path = write_results(tmp_path, valid(build_results(part, [])))
    text = path.read_text(encoding="utf-8")
    assert len(text) < 40_000
    assert "more characters" in text
    assert "\\u001b" not in text
    assert "\\u0000" not in text


def test_results_are_written_whole_and_latest_is_switched(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_results(tmp_path / name, build_results(record(), []))
        point_latest(tmp_path / name)
        assert (tmp_path / "latest").resolve() == tmp_path / name
    assert {p.name for p in tmp_path.iterdir()} == {"one", "two", "latest"}
    assert [p.name for p in (tmp_path / "two").iterdir()] == ["results.json"]


@pytest.mark.parametrize("fail_first", [True, False])
def test_a_test_run_again_does_not_take_a_failure_back(fail_first: bool) -> None:
    good = record(Drill("2.2/kill"))
    failed = changed(good, lambda e: e.kind == "check", verdict="fail").of("check")
    parts = (failed, good.events) if fail_first else (good.events, failed)
    (found,) = build_results(Record(sum(parts, ())), [])["exercises"]
    assert found["verdict"] == "fail"
