"""Somebody's own cluster is marked as it is, over SSH, and nothing of it is changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record

SWARMLAB = "from pytest_swarmlab.cli import main; raise SystemExit(main())"


@pytest.mark.long
def test_a_cluster_that_is_there_is_marked_and_left_as_it_is(
    somebodys_inventory: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SWARMLAB, "mark", "--inventory", str(somebodys_inventory)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    # It has one manager where the lab wants three: points are lost, and not all of them.
    assert done.returncode == 1, done.stdout + done.stderr
    run = tmp_path / "reports/latest"
    assert Record.load(run / "events.jsonl").of("change") == ()
    found = verdicts(run)
    assert found["state.cluster-ha.managers"] == "fail"
    assert found["state.cluster-ha.one-swarm"] == "pass"
    # Nobody gave leave to break anything, and nothing was handed in.
    assert found["2.2.power-off.leader-elected"] in {"unknown", "not_provable"}
    assert found["document.2.5.stack"] == "unknown"


def verdicts(run: Path) -> dict[str, Any]:
    """Check's id → what it is in the mark."""
    results = json.loads((run / "mark/results.json").read_text(encoding="utf-8"))
    return {c["id"]: c["verdict"] for each in results["criteria"] for c in each["checks"]}
