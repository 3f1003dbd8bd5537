"""A run: one cluster serves every test that finds it unchanged; at its end collect, then delete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab import config
from pytest_swarmlab.errors import ConfigError, HostError, NotConverged, ProviderError
from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.model import Topology
from pytest_swarmlab.run.run import Run
from pytest_swarmlab.swarm import lifecycle
from pytest_swarmlab.swarm.cluster import Swarm
from tests.unit.fakes import Lab, listed

THREE_TWO = Topology.of(3, 2)


class Provider:
    """Gives one pretended cluster after the other and notes what it was asked."""

    name = "pretended"
    owns = True

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.labs: list[Lab] = []
        self.asked: list[str] = []

    def reap(self) -> list[str]:
        self.asked.append("reap")
        return []

    def make(self, topology: Topology) -> Swarm:
        self.asked.append(f"start {topology.name}")
        directory = self._directory / str(len(self.labs))
        directory.mkdir()
        self.labs.append(Lab(directory, topology).settle())
        if topology.name == "lab1":
            self.labs[-1].rows = [listed("manager1", leader=True)] + [
                listed(f"worker{n}", role="worker") for n in (1, 2)
            ]
        return self.labs[-1].swarm

    def attach(self, cluster: str, *, logs: Path) -> Any:
        del logs
        self.asked.append(f"attach {cluster!r}")
        return self.make(THREE_TWO).machines

    def images(self) -> list[dict[str, Any]]:
        return []


class Desk:
    """Makes runs of a project and a provider for them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.provider = Provider(directory)
        self.runs: list[Run] = []

    def run(self, **options: Any) -> Run:
        asked = {f"swarmlab_{name}": value for name, value in options.items()}
        asked.setdefault("swarmlab_cache", str(self._directory / "cache"))
        lab = config.read(asked.get, lambda _: None, rootdir=self._directory, environ={})
        self.runs.append(Run(lab, version="0"))
        return self.runs[-1]

    def cluster(self, run: Run, topology: Topology = THREE_TWO) -> Swarm:
        make: Callable[[], Any] = lambda: self.provider  # noqa: E731 - typed on the way
        return run.swarm(topology, make)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    monkeypatch.setattr(
        lifecycle, "provision", lambda _, topology, **__: desk.provider.make(topology)
    )
    yield desk
    for run in desk.runs:
        if not run.finished:
            run.finish(0)
        run.recorder.close()
    for lab in desk.provider.labs:
        lab.recorder.close()


def ends(lab: Lab) -> list[str]:
    """What became of a cluster: its logs fetched, then kept or stopped."""
    return [
        "logs" if "journalctl" in act else act[1]
        for act in lab.did
        if "journalctl" in act or act[1] in {"stop", "keep"}
    ]


def test_what_was_left_by_killed_runs_is_removed_before_a_cluster_is_started(desk: Desk) -> None:
    desk.cluster(desk.run())
    assert desk.provider.asked == ["reap", "start 3+2"]


def test_one_cluster_serves_every_test_that_finds_it_unchanged(desk: Desk) -> None:
    run = desk.run()
    assert desk.cluster(run) is desk.cluster(run) is desk.cluster(run)
    assert len(desk.provider.labs) == 1


def test_the_state_that_one_topology_ends_in_serves_another_that_begins_with_it(
    desk: Desk,
) -> None:
    run = desk.run()
    first = desk.cluster(run, Topology.lab1())
    first.recorder.record("cluster.ready", topology={"name": "lab1"}, nodes=[])
    desk.provider.labs[0].rows = [
        listed(node.name, role=str(node.membership), leader=node.name == "manager1")
        for node in THREE_TWO.nodes
    ]
    assert desk.cluster(run, THREE_TWO) is first
    assert first.topology == THREE_TWO
    desk.cluster(run, THREE_TWO)
    ready = first.recorder.view().of("cluster.ready")
    assert [e.data["topology"]["name"] for e in ready] == ["lab1", "3+2"]
    assert {node["membership"] for node in ready[-1].data["nodes"]} == {"manager", "worker"}


def a_service(lab: Lab) -> None:
    lab.services = [{"Spec": {"Name": "web"}}]


def a_demotion(lab: Lab) -> None:
    lab.rows[2] = listed("manager3", role="worker")


def a_departure(lab: Lab) -> None:
    lab.rows.pop()


def a_plugin_that_was_used(lab: Lab) -> None:
    plugins = [{"Type": "Volume", "Name": "local"}, {"Type": "Volume", "Name": "rexray"}]
    lab.row("worker1")["Description"]["Engine"] = {"Plugins": plugins}


def a_return_under_a_new_identity(lab: Lab) -> None:
    lab.rows.append({**listed("worker2", role="worker"), "ID": "another"})


def a_drained_node(lab: Lab) -> None:
    lab.row("worker1")["Spec"]["Availability"] = "drain"


def a_label(lab: Lab) -> None:
    lab.row("worker1")["Spec"]["Labels"] = {"storage": "nfs"}


def a_network(lab: Lab) -> None:
    lab.networks = [
        {"Name": "ingress", "Scope": "swarm", "Ingress": True},
        {"Name": "bridge", "Scope": "local"},
        {"Name": "backend", "Scope": "swarm", "Ingress": False},
    ]


def a_secret(lab: Lab) -> None:
    lab.secrets = [{"Spec": {"Name": "db_password"}}]


def a_config(lab: Lab) -> None:
    lab.configs = ["site"]


def a_lock(lab: Lab) -> None:
    lab.locks = True


def a_clock(lab: Lab) -> None:
    then = datetime.now(UTC) - timedelta(hours=1)
    lab.info["worker2"] = {"SystemTime": then.isoformat().replace("+00:00", "123Z")}


def a_container(lab: Lab) -> None:
    lab.containers["worker2"] = [{"Id": "c"}]


def a_volume(lab: Lab) -> None:
    lab.volumes["worker2"] = [{"Name": "mydata", "Labels": None}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (a_drained_node, "worker1 is set to drain"),
        (a_label, "worker1 has the label storage"),
        (a_network, "there is the network backend"),
        (a_secret, "there is the secret db_password"),
        (a_config, "there is the config site"),
        (a_lock, "its managers lock themselves"),
        (a_clock, "the clock of worker2 is 3600 s slow"),
        (a_container, "worker2 has 1 containers"),
        (a_volume, "worker2 has the volume mydata"),
        (
            a_plugin_that_was_used,
            "its engines look for the volume plugin rexray that they once used",
        ),
        (a_service, "it still runs web"),
        (a_demotion, "manager3 is worker, not manager"),
        (a_departure, "worker2 is outside, not worker"),
        (a_return_under_a_new_identity, "a node is listed twice"),
    ],
)
def test_a_cluster_that_a_test_has_changed_is_replaced_and_the_record_says_why(
    desk: Desk, change: Callable[[Lab], None], said: str
) -> None:
    run = desk.run()
    before = desk.cluster(run)
    change(desk.provider.labs[0])
    assert desk.cluster(run) is not before
    (notice,) = [e.data["message"] for e in run.recorder.view().of("notice")]
    assert notice == f"a new cluster is needed: {said}"
    assert ends(desk.provider.labs[0])[-1] == "stop"


@pytest.mark.parametrize("minutes", [0, 345, -210])
def test_a_node_in_another_time_zone_has_no_clock_that_is_off(desk: Desk, minutes: int) -> None:
    run = desk.run()
    cluster = desk.cluster(run)
    there = datetime.now(timezone(timedelta(minutes=minutes)))
    desk.provider.labs[0].info["worker2"] = {
        "SystemTime": there.isoformat().replace("+", "123+") if minutes >= 0 else there.isoformat()
    }
    assert desk.cluster(run) is cluster


def test_another_size_needs_another_cluster_and_the_first_goes_before_it_comes(desk: Desk) -> None:
    run = desk.run()
    desk.cluster(run)
    desk.cluster(run, Topology.of(5, 2))
    assert ends(desk.provider.labs[0])[-1] == "stop"
    assert run.logs().name == "cluster2"


def test_logs_are_collected_before_the_cluster_is_removed(desk: Desk) -> None:
    run = desk.run()
    desk.cluster(run)
    told: list[list[str]] = []
    run.collect = lambda _, directory: told.append([directory.name, *ends(desk.provider.labs[0])])
    run.finish(0)
    assert told == [["cluster1"]]
    assert ends(desk.provider.labs[0]) == ["logs"] * 5 + ["stop"]
    assert {p.name for p in run.logs().iterdir()} == {
        f"{node.name}.engine.log" for node in THREE_TWO.nodes
    }


def test_a_log_that_cannot_be_had_hinders_nothing_and_is_noted(desk: Desk) -> None:
    run = desk.run()
    desk.cluster(run)

    def cut_off(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if node == "manager2":
            raise RuntimeError(f"no way to run {argv[0]}")
        return 0, "log\n", ""

    desk.provider.labs[0].shell = cut_off
    run.finish(0)
    (notice,) = run.recorder.view().of("notice")
    assert notice.data["message"] == "no engine log of manager2: no way to run journalctl"
    assert len(list(run.logs().iterdir())) == 4


def test_no_secret_stays_in_the_logs_of_a_cluster_that_could_not_be_removed(desk: Desk) -> None:
    run = desk.run()
    desk.cluster(run)
    run.recorder.redactor.hide("key", "open sesame, said nobody")
    lab = desk.provider.labs[0]
    lab.shell = lambda *_: (0, "open sesame, said nobody\n", "")
    lab.machines.refuses = {"stop": "the keeper is gone"}
    run.finish(0)
    logs = list(run.logs().iterdir())
    assert len(logs) == 5
    assert not any("open sesame" in log.read_text("utf-8") for log in logs)


@pytest.mark.parametrize("error", [ProviderError("the keeper is gone"), OSError("disk full")])
def test_an_error_of_the_clean_up_is_noted_beside_the_verdict_and_the_cluster_goes(
    desk: Desk, error: Exception
) -> None:
    run = desk.run()
    desk.cluster(run)

    def fail(*_: object) -> None:
        raise error

    run.collect = fail
    run.finish(1)
    assert ends(desk.provider.labs[0])[-1] == "stop"
    record = run.recorder.view()
    (told,) = record.of("error")
    assert (told.data["where"], told.data["infrastructure"]) == ("clean-up", True)
    assert str(error) in told.data["message"]
    assert record.events[-1].kind == "run.finished"
    assert record.events[-1].data["exit_status"] == 1


def test_a_cluster_that_is_to_be_kept_is_left_and_said_how_to_be_reached(desk: Desk) -> None:
    run = desk.run(keep=True)
    desk.cluster(run)
    run.finish(0)
    assert ends(desk.provider.labs[0])[-1] == "keep"
    (kept,) = run.recorder.view().of("cluster.kept")
    assert kept.data["cluster"] == "feedf00d"
    assert kept.data["shell"] == "shell-on manager1"
    assert kept.data["engine"] == "DOCKER_HOST=unix:///nowhere/manager1.engine"


def cleaned(run: Run) -> bool:
    done: list[bool] = []
    run.clean(lambda: done.append(True))
    return bool(done)


def test_what_a_test_has_made_is_removed_unless_all_of_the_cluster_goes_now(desk: Desk) -> None:
    run = desk.run()
    desk.cluster(run)
    assert cleaned(run)
    run.last_test = True
    assert not cleaned(run)


def test_a_cluster_that_stays_is_cleaned_after_the_last_test_too(desk: Desk) -> None:
    run = desk.run(keep=True)
    assert not desk.cluster(run).goes_at_end
    run.last_test = True
    assert cleaned(run)


def test_nothing_is_left_to_a_cluster_of_which_nobody_said_that_it_goes(lab: Lab) -> None:
    assert not Swarm(lab.machines, lab.recorder).goes_at_end


def test_so_is_one_that_would_leave_something_to_a_kernel_that_stays(desk: Desk) -> None:
    run = desk.run()
    desk.cluster(run)
    desk.provider.labs[0].machines.whole = False
    run.last_test = True
    assert cleaned(run)
    run.interrupt()
    assert cleaned(run)
    (notice,) = run.recorder.view().of("notice")
    assert "interrupted: the cluster is tidied up" in notice.data["message"]


def test_after_ctrl_c_nothing_is_undone_on_a_cluster_that_goes(desk: Desk) -> None:
    run = desk.run()
    desk.cluster(run)
    undone: list[str] = []
    run.mend(lambda: undone.append("a fault"))
    run.interrupt()
    run.mend(lambda: undone.append("another"))
    run.clean(lambda: undone.append("a stack"))
    assert undone == ["a fault"]
    (notice,) = run.recorder.view().of("notice")
    assert "interrupted: the cluster goes as it is" in notice.data["message"]


def test_on_one_that_stays_all_is_undone_and_what_can_not_be_is_told(desk: Desk) -> None:
    run = desk.run(keep=True)
    desk.cluster(run)

    def fail() -> None:
        raise ProviderError("no manager knows a leader")

    with pytest.raises(ProviderError):
        run.clean(fail)
    run.interrupt()
    assert cleaned(run)
    run.clean(fail)
    told = [notice.data["message"] for notice in run.recorder.view().of("notice")]
    assert told == [
        "interrupted: the cluster is tidied up, in a moment",
        "not undone: no manager knows a leader",
    ]
    (problem,) = run.recorder.view().of("error")
    assert problem.data["infrastructure"]


def test_a_run_that_never_got_a_cluster_ends_as_well(desk: Desk) -> None:
    run = desk.run()
    run.finish(0)
    assert [e.kind for e in run.recorder.view()] == ["run.started", "run.finished"]


@pytest.mark.parametrize(
    ("error", "the_lab"),
    [
        (HostError("no"), True),
        (ProviderError("no"), True),
        (AssertionError("5 != 4"), False),
        (NotConverged("a leader", node=None, elapsed=1, last="none"), False),
        (KeyError("a bug of the test"), False),
    ],
)
def test_a_failure_of_the_lab_is_told_from_one_of_the_cluster(
    desk: Desk, error: Exception, the_lab: bool
) -> None:
    run = desk.run()
    assert run.failed("a test", error, judged=False) is the_lab
    (told,) = run.recorder.view().of("error")
    assert told.data["infrastructure"] is the_lab


def test_a_verdict_is_not_recorded_again_as_an_error(desk: Desk) -> None:
    run = desk.run()
    run.failed("a test", AssertionError("FAIL 2.2.kill-9.node-down"), judged=True)
    assert run.recorder.view().of("error") == ()


def test_a_cache_that_cannot_be_written_is_said_so_before_anything_starts(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "a file").write_text("", encoding="utf-8")
    run = desk.run(cache=str(tmp_path / "a file"))
    with pytest.raises(HostError, match=r"cache .*a file can't be written .*--swarmlab-cache"):
        desk.cluster(run)
    assert desk.provider.asked == []


def test_what_is_to_be_judged_is_recorded_once_before_anything_happens(desk: Desk) -> None:
    exercise = Exercise("9.9", "An exercise", module="somewhere")
    exercise.check("claim", phases=["a", "b"], title="t", expected="e", hint="h")(lambda _: _)  # type: ignore[arg-type,return-value]
    run = desk.run()
    run.select({exercise: None})
    run.select({exercise: None})
    (selected,) = run.recorder.view().of("exercise.selected")
    assert (selected.data["id"], selected.data["module"]) == ("9.9", "somewhere")
    assert [c["id"] for c in selected.data["checks"]] == ["9.9.a.claim", "9.9.b.claim"]


def test_of_an_exercise_that_is_performed_in_part_no_other_phase_is_to_be_judged(
    desk: Desk,
) -> None:
    exercise = Exercise("9.9", "An exercise", module="somewhere")
    exercise.check("claim", phases=["a", "b"], title="t", expected="e", hint="h")(lambda _: _)  # type: ignore[arg-type,return-value]
    run = desk.run()
    run.select({exercise: {"b"}})
    (selected,) = run.recorder.view().of("exercise.selected")
    assert [c["id"] for c in selected.data["checks"]] == ["9.9.b.claim"]
    with pytest.raises(ConfigError, match=r"exercise 9\.9 has no phase c: there are a, b"):
        desk.run().select({exercise: {"b", "c"}})


def test_two_runs_never_share_a_directory(desk: Desk) -> None:
    assert len({desk.run().directory for _ in range(5)}) == 5


def test_what_can_stand_in_no_test_s_way_costs_no_new_cluster(desk: Desk) -> None:
    run = desk.run()
    before = desk.cluster(run)
    desk.provider.labs[0].volumes["worker2"] = [{"Name": "0a" * 32, "Labels": None}]
    assert desk.cluster(run) is before


def test_on_a_cluster_that_is_used_again_volumes_may_be_there(desk: Desk) -> None:
    run = desk.run()
    before = desk.cluster(run)
    a_volume(desk.provider.labs[0])
    run.config = replace(run.config, reuse="feedf00d")
    assert desk.cluster(run) is before


def test_nothing_is_tidied_up_on_a_cluster_that_has_lost_a_machine_for_good(desk: Desk) -> None:
    run = desk.run()
    swarm = desk.cluster(run)
    swarm.places.lost = {swarm.node("worker2"): "it has another's identity"}
    removed: list[str] = []
    run.clean(lambda: removed.append("stack"))
    assert removed == []
    swarm.places.lost = {}
    run.clean(lambda: removed.append("stack"))
    assert removed == ["stack"]


def test_a_cluster_on_which_a_finding_was_seen_serves_no_other_test(desk: Desk) -> None:
    run = desk.run()
    first = desk.cluster(run)
    run.replace_cluster("two-identities was seen on this one")
    second = desk.cluster(run)
    assert second is not first
    assert desk.cluster(run) is second
    (told,) = run.recorder.view().of("notice")
    assert told.data["message"].endswith("two-identities was seen on this one")
