"""Somebody's own cluster is looked at over SSH, and nothing of it is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swarmlab import cli
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.survey import events


def test_somebodys_cluster_is_seen_over_ssh(
    somebodys_inventory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["survey", "--inventory", str(somebodys_inventory)]) == 0
    assert "machines (2)" in capsys.readouterr().out
    (path,) = (tmp_path / "reports").rglob("events.jsonl")
    record = Record.load(path)
    assert record.of("change") == ()
    found = events.read(record)
    assert [(row.name, row.machine) for row in found.nodes or ()] == [
        ("manager1", "manager1"),
        ("worker1", "worker1"),
    ]
    certificates = [machine.system and machine.system.certificate for machine in found.machines]
    assert [each and each.node_id for each in certificates] == [
        machine.engine and machine.engine.node_id for machine in found.machines
    ]


def test_a_machine_that_is_away_costs_no_more_than_itself(
    somebodys_inventory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    text = somebodys_inventory.read_text(encoding="utf-8")
    half = somebodys_inventory.with_name("half.yml")
    away = "  - {name: nobody, role: worker, address: 192.168.56.99, user: root}\n"
    half.write_text(text + away, encoding="utf-8")
    assert cli.main(["survey", "--inventory", str(half)]) == 1
    assert "nobody could not be asked: nobody can't be reached over SSH" in capsys.readouterr().out
