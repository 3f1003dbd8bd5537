"""`swarmlab survey`: a page, a record to be judged again, one sentence where neither can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swarmlab import cli, visit
from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Capability, Membership, NodeSpec, Topology
from pytest_swarmlab.providers.inventory import InventoryProvider
from pytest_swarmlab.providers.inventory.provider import InventoryMachines
from pytest_swarmlab.survey import events
from pytest_swarmlab.survey.seen import Survey
from tests.unit.records.surveys import good, hidden, recorded, unseen


class Machines:
    """Machines that are there, and are left alone."""

    id = "theirs"
    foreign = True
    controls = frozenset[Capability]()
    topology = Topology("theirs", (NodeSpec("m1", "192.0.2.1", Membership.MANAGER),))

    def __init__(self) -> None:
        self.kept = 0

    def keep(self) -> None:
        self.kept += 1


Visit = Callable[..., tuple[int, str]]


@pytest.fixture
def visited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Visit:
    """Visits a cluster that looks so; returns the exit code and what is printed."""
    monkeypatch.chdir(tmp_path)

    def run(survey: Survey) -> tuple[int, str]:
        machines = Machines()

        def look(swarm: Any, away: Any) -> Survey:
            assert away == {}
            for event in recorded(survey):
                swarm.recorder.record(event.kind, **event.data)
            return events.read(swarm.recorder.view())

        there = SimpleNamespace(name="x", attach=lambda *_, **__: machines)
        monkeypatch.setattr(visit, "_provider", lambda _: there)
        monkeypatch.setattr(visit, "look", look)
        code = cli.main(["survey", "--inventory", "theirs.yml"])
        assert machines.kept == 1
        return code, capsys.readouterr().out

    return run


def test_the_page_is_shown_and_the_record_can_be_judged_again(
    visited: Visit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = visited(good())
    assert code == 0
    assert "machines (5)" in said
    assert "the database of the WordPress is wp_db: WORDPRESS_DB_HOST of wp_wordpress" in said
    (directory,) = (tmp_path / "reports").iterdir()
    assert f"swarmlab judge {directory}" in said
    kinds = [event.kind for event in Record.load(directory / "events.jsonl")]
    assert kinds[:2] == ["run.started", "exercise.selected"]
    assert kinds[-1] == "run.finished"
    assert cli.main(["judge", str(directory)]) == 0
    assert "state.cluster-ha.managers: 3 managers" in capsys.readouterr().out


@pytest.mark.parametrize("edit", [unseen("services"), hidden("mounts")])
def test_where_something_was_not_seen_the_code_says_so(
    visited: Visit, edit: Callable[[Survey], Survey]
) -> None:
    assert visited(edit(good()))[0] == 1


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The sentence with which the command ends."""
    assert cli.main(["survey", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert not Path("reports").exists()
    return said.err


def test_without_a_cluster_there_is_nothing_to_look_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "name your cluster's file with --inventory" in refused(capsys)


def test_a_file_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "gone.yml can't be read" in refused(capsys, "--inventory", "gone.yml")


@pytest.mark.parametrize(
    ("kept", "asked", "words"),
    [
        ([], (), "no cluster is kept here"),
        (["a"], ("b",), "no cluster 'b' is kept here"),
        (["a", "b"], (), "2 clusters are kept (a, b): name one with --reuse=ID"),
    ],
)
def test_a_kept_cluster_must_be_the_one_that_is_meant(
    kept: list[str],
    asked: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    def make(config: Any, out: Any) -> Any:
        del out
        there = [SimpleNamespace(id=each, kept=True) for each in kept]
        return SimpleNamespace(find=lambda: there if config.provider == "uml" else [])

    monkeypatch.setattr(visit, "make", make)
    assert words in refused(capsys, "--reuse", *asked)


def test_a_kept_cluster_that_is_asked_for_outweighs_the_environments_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWARMLAB_INVENTORY", "gone.yml")
    monkeypatch.setattr(visit, "make", lambda *_: SimpleNamespace(find=list))
    assert "gone.yml can't be read" in refused(capsys)
    assert "no cluster is kept here" in refused(capsys, "--reuse")


SSH = """#!/bin/sh
case "$*" in
*"-G "*) echo "hostname 127.0.0.1"; exit 0 ;;
*" w1 "*|*"{down}"*) echo "ssh: connect to host w1 port 22: Connection refused" >&2; exit 255 ;;
esac
echo 1.44
"""


@pytest.fixture
def half_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """An inventory of a manager, which answers, and a worker, which doesn't."""
    monkeypatch.setattr(InventoryMachines, "open", lambda *_: None)

    def write(down: str = "no node") -> Path:
        ssh = tmp_path / "bin" / "ssh"
        ssh.parent.mkdir()
        ssh.write_text(SSH.replace("{down}", down), encoding="utf-8")
        ssh.chmod(0o755)
        monkeypatch.setenv("PATH", str(ssh.parent), prepend=":")
        path = tmp_path / "theirs.yml"
        path.write_text(
            "nodes: [{name: m1, role: manager}, {name: w1, role: worker}]\n", encoding="utf-8"
        )
        return path

    return write


def test_a_cluster_that_is_half_up_is_looked_at_as_far_as_it_is(
    half_up: Callable[..., Path], tmp_path: Path
) -> None:
    provider = InventoryProvider(half_up(), may_change=False, whole=False)
    machines = provider.attach("", logs=tmp_path)
    assert [node.name for node in machines.topology.nodes] == ["m1"]
    ((away, why),) = provider.away.items()
    assert (away.name, away.membership) == ("w1", Membership.WORKER)
    assert "w1 can't be reached over SSH: nothing listens at its SSH port" in why
    machines.stop()


def test_what_could_not_be_connected_to_is_in_the_record(
    half_up: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = half_up(" m1 ")
    assert cli.main(["survey", "--inventory", str(path), "--reports", "seen"]) == 2
    (record,) = (tmp_path / "seen").rglob("events.jsonl")
    error = Record.load(record).last("error")
    assert error
    assert "m1 can't be reached" in error.data["message"]


def test_a_run_still_needs_all_of_it(half_up: Callable[..., Path], tmp_path: Path) -> None:
    provider = InventoryProvider(half_up(), may_change=False)
    with pytest.raises(ProviderError, match="w1 can't be reached over SSH"):
        provider.attach("", logs=tmp_path)


def test_a_cluster_of_which_nobody_answers_is_told_machine_by_machine(
    half_up: Callable[..., Path], tmp_path: Path
) -> None:
    provider = InventoryProvider(half_up(" m1 "), may_change=False, whole=False)
    with pytest.raises(ProviderError, match=r"m1 can't be reached .*; w1 can't be reached"):
        provider.attach("", logs=tmp_path)


def test_whole_is_what_has_no_gap() -> None:
    assert visit.whole(good())
    assert not visit.whole(replace(good(), errors={"tasks": "no leader"}))
