"""What a soak makes of its runs, without running any."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.run.slots import Capacity
from tests import soak


def ended(code: int = 0, *verdicts: str, speed: str = "as it is") -> dict[str, Any]:
    refused = [{"id": f"2.2.c{n}", "verdict": v, "observed": "o"} for n, v in enumerate(verdicts)]
    return {
        "exercise": "2_2",
        "speed": speed,
        "exit": code,
        "seconds": 60.0,
        "report": "r",
        "refused": refused,
    }


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (ended(0), "passed"),
        (ended(1, "fail"), "failed"),
        (ended(1, "unknown"), "unknown"),
        (ended(1, "unknown", "fail"), "failed"),
        (ended(1), "failed"),
        (ended(2, "unknown", "not_provable"), "failed"),
        (ended(6, "unknown"), "lab"),
    ],
)
def test_a_run_passes_by_its_exit_code_alone(run: dict[str, Any], outcome: str) -> None:
    assert soak.outcome(run) == outcome


def test_the_table_counts_by_exercise_and_speed_and_tells_what_did_not_pass() -> None:
    text = soak.table([ended(), ended(1, "fail"), ended(speed="half a core")])
    assert "| 2.2 | as it is | 2 | 1 | 1 | 0 | 0 | 60 to 60 |" in text
    assert "| 2.2 | half a core | 1 | 1 | 0 | 0 | 0 | 60 to 60 |" in text
    assert "- fail `2.2.c0`: o" in text


def test_an_interrupted_soak_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(exercise: str, speed: str, session: soak.Session) -> dict[str, Any]:
        session([])
        made.append((exercise, speed))
        return {**ended(speed=speed), "exercise": exercise}

    made: list[tuple[str, str]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(soak, "_session", _nothing)
    monkeypatch.setattr(soak, "SPEEDS", {"as it is": soak.as_it_is})
    monkeypatch.setattr(soak, "run", run)
    assert soak.soak(1, ["2_1", "2_2"]) == 0
    assert soak.soak(2, ["2_1", "2_2"]) == 0
    assert sorted(made) == [(e, "as it is") for e in ("2_1", "2_1", "2_2", "2_2")]
    rows = (tmp_path / "reports/soak/runs.jsonl").read_text().splitlines()
    told = [json.loads(row)["exercise"] for row in rows]
    assert [sorted(told[:2]), sorted(told[2:])] == [["2_1", "2_2"]] * 2


def test_as_many_run_side_by_side_as_clusters_fit_and_what_takes_all_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, at_work = threading.Barrier(2, timeout=30), set()

    def run(exercise: str, speed: str, session: soak.Session) -> dict[str, Any]:
        session([])
        at_work.add(exercise)
        if exercise in soak.ALONE:
            assert at_work == {exercise}
        else:
            both.wait()
        at_work.discard(exercise)
        return {**ended(speed=speed), "exercise": exercise}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(soak, "_session", _nothing)
    monkeypatch.setattr(soak, "SPEEDS", {"as it is": soak.as_it_is})
    monkeypatch.setattr(soak, "capacity", lambda _: Capacity(2, "two fit"))
    monkeypatch.setattr(soak, "run", run)
    assert soak.soak(1, ["2_10", "2_1", "2_2", "2_3", "2_4"]) == 0


def _nothing(argv: Sequence[str], begun: object) -> int:  # noqa: ARG001 - as a session's
    return 0


@pytest.mark.parametrize("arguments", [["ten"], ["1", "2_11"]])
def test_wrong_arguments_are_one_sentence(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="usage"):
        soak.main(arguments)
