"""The account of a run's time: its picture, its tables, its part of results.json."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.time_spent import Doing, time_spent
from pytest_swarmlab.reporting import account
from pytest_swarmlab.reporting.html import page
from pytest_swarmlab.reporting.pictures import run_time
from pytest_swarmlab.reporting.results import build_results
from tests.unit.evidence.test_time_spent import A_RUN, made, phase, step, wait
from tests.unit.records.editing import without
from tests.unit.records.synthetic import THREE_DRILLS, record
from tests.unit.reporting.test_html import HOSTILE, tags
from tests.unit.reporting.test_results import valid

TWO = Record(
    (
        *made(*A_RUN[1:-1], worker="gw0"),
        *made(
            step(1.0, "u.py::test_c", "setup"),
            step(6.0, "u.py::test_c", "call"),
            phase(6.0, 20.0, "2.9/heal"),
            wait(7.0, 19.0, "web runs 3 tasks", outcome="timeout"),
            step(21.0, "u.py::test_c", "teardown"),
            step(22.0, "u.py::test_c", "over"),
            worker="gw1",
        ),
        *made((0.0, "run.started", {}), (50.0, "run.finished", {})),
    )
)


def texts(svg: str) -> list[str]:
    tree = ElementTree.fromstring(svg)  # noqa: S314 - our own
    return ["".join(each.itertext()).strip() for each in tree.iter() if each.tag.endswith("text")]


def test_the_picture_names_what_was_done_and_waited_for() -> None:
    shown = texts(run_time.svg(time_spent(Record(made(*A_RUN)))))
    drill, waited = "2.3/local-volume · 20.0 s", "db runs 1 tasks · 8.0 s"
    for word in (drill, "booting and joining", waited, "set-up", "waiting"):
        assert word in shown
    assert "waited in vain" not in shown


def test_each_worker_has_its_rows() -> None:
    shown = texts(run_time.svg(time_spent(TWO)))
    assert "gw0" in shown
    assert "gw1" in shown
    assert "waited in vain" in shown


def test_it_is_a_png_too() -> None:
    assert run_time.png(time_spent(TWO), dpi=50).startswith(b"\x89PNG")


def test_a_run_of_no_length_and_one_of_an_hour_are_drawn() -> None:
    runs: list[list[Any]] = [
        [(0.0, "run.started", {})],
        [*A_RUN, (3600.0, "run.finished", {})],
    ]
    for rows in runs:
        ElementTree.fromstring(run_time.svg(time_spent(Record(made(*rows)))))  # noqa: S314


def test_results_have_the_account() -> None:
    told = valid(build_results(TWO, []))["time"]
    assert told["seconds"] == 50.0
    assert [worker["worker"] for worker in told["workers"]] == ["gw0", "gw1"]
    assert told["waited_for"][0] == {
        "kind": "condition", "condition": "web runs 3 tasks", "exercise": "2.9", "nodes": [],
        "times": 1, "seconds": 12.0, "longest": 12.0, "unmet": 1,
    }  # fmt: skip
    drill = next(b for b in told["workers"][1]["blocks"] if b["doing"] == Doing.DRILL.value)
    assert (drill["name"], drill["seconds"], drill["waiting"]) == ("2.9/heal", 14.0, 12.0)


def test_a_run_of_which_nothing_is_known_has_none() -> None:
    empty = Record(())
    assert valid(build_results(empty, []))["time"] is None
    assert "Where the time went" not in page(empty, build_results(empty, []))
    assert account.told(empty) == ""


def test_sums_by_exercise_and_by_worker_are_those_of_the_run() -> None:
    workers = time_spent(TWO)
    for rows in (account.by_exercise(workers), account.by_worker(workers)):
        assert sum(row["seconds"] for row in rows) == pytest.approx(100.0)
        for row in rows:
            assert sum(row["columns"]) == pytest.approx(row["seconds"])
            assert sum(row["spent"]) == pytest.approx(row["seconds"])
    assert [row["name"] for row in account.by_exercise(workers)] == [
        "exercise 2.3", "exercise 2.9", "no exercise",
    ]  # fmt: skip


def test_the_page_shows_it_and_leads_there() -> None:
    text = page(TWO, build_results(TWO, []))
    assert 'href="#swarmlab-time"' in text
    assert 'id="swarmlab-time"' in text
    assert "web runs 3 tasks" in text
    assert "not met 1×" in text
    assert "exercise 2.9" in text


def test_an_old_record_has_it_too() -> None:
    old = without(record(*THREE_DRILLS), lambda e: e.kind in {"test.step", "wait.began"})
    told = valid(build_results(old, []))["time"]
    assert "a leader other than manager1" in {each["condition"] for each in told["waited_for"]}
    assert "Where the time went" in page(old, build_results(old, []))


def test_at_the_terminal_it_is_a_few_lines() -> None:
    lines = account.told(TWO).splitlines()
    assert lines[0].startswith("time: 50.0 s with 2 workers, whose times sum to set-up ")
    assert lines[1].split() == ["12.0", "s", "web", "runs", "3", "tasks", "in", "2.9"]
    assert lines[2].split() == ["8.0", "s", "db", "runs", "1", "tasks", "in", "2.3"]
    assert len(lines) == 5


@pytest.mark.parametrize("where", ["condition", "node", "name", "nodeid", "worker", "argv"])
def test_hostile_text_stays_text(where: str) -> None:
    def hostile(data: dict[str, Any]) -> dict[str, Any]:
        bad = [HOSTILE] if where == "argv" else HOSTILE
        return {key: bad if key == where else value for key, value in data.items()}

    rows = [(t, kind, hostile(data)) for t, kind, data in _flat(A_RUN)]
    part = Record(made(*rows, worker=HOSTILE if where == "worker" else ""))
    results = valid(build_results(part, []))
    text = page(part, results)
    assert "script" not in {tag for tag, _ in tags(text)}
    assert not any("onload" in attributes for _, attributes in tags(text))
    for shown in (text, account.told(part)):
        assert "\x1b" not in shown
        assert "\x00" not in shown


def test_a_megabyte_of_names_is_cut() -> None:
    rows = [*phase(0.0, 10.0, "x" * 1_000_000), *wait(1.0, 9.0, "y" * 1_000_000)]
    part = Record(made(*rows))
    assert len(page(part, build_results(part, []))) < 100_000
    assert len(account.told(part)) < 2_000


def _flat(rows: list[Any]) -> list[tuple[float, str, dict[str, Any]]]:
    return [each for row in rows for each in (row if isinstance(row, list) else [row])]
