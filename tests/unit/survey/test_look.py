"""One look at a pretended cluster: what can't be seen is recorded, and costs nothing else."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import requests

from pytest_swarmlab.model import Membership, NodeSpec
from pytest_swarmlab.survey import events
from pytest_swarmlab.survey.look import look
from tests.unit.fakes import Engine, Lab, task
from tests.unit.survey.test_system import answers

SERVICE = {
    "ID": "s1",
    "Spec": {
        "Name": "wp_db",
        "Labels": {"com.docker.stack.namespace": "wp"},
        "Mode": {"Replicated": {"Replicas": 1}},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": "mysql:8.0@sha256:abc",
                "Env": ["MYSQL_PASSWORD=hunter2-xyz", "MYSQL_DATABASE=wordpress", "ODD"],
                "Args": ["--requirepass", "hunter2-xyz"],
                "Mounts": [
                    {
                        "Type": "volume",
                        "Source": "data",
                        "Target": "/var/lib/mysql",
                        "VolumeOptions": {
                            "DriverConfig": {"Name": "local", "Options": {"type": "nfs"}}
                        },
                    }
                ],
                "Secrets": [{"SecretName": "db", "File": {"Name": "pass", "Mode": 0o400}}],
                "Healthcheck": {"Test": ["CMD", "true"], "StartPeriod": 2_000_000_000},
            },
            "RestartPolicy": {"Condition": "on-failure"},
            "Networks": [{"Target": "n1", "Aliases": ["db"]}],
        },
        "UpdateConfig": {"Order": "start-first", "FailureAction": "rollback"},
        "EndpointSpec": {"Ports": [{"PublishedPort": 8080, "TargetPort": 80}]},
    },
}


class Told(Engine):
    """An engine that tells configs with what they hold."""

    def configs(self, filters: Any = None) -> Any:
        del filters
        raw = base64.b64encode(b"password = hunter2-xyz").decode()
        return self._answer([{"ID": "c1", "Spec": {"Name": "c", "Data": raw}}])


@pytest.fixture
def cluster(lab: Lab) -> Lab:
    """Three managers and two workers of which each knows who it is."""
    for spec in lab.topology.nodes:
        manages = spec.membership is Membership.MANAGER
        lab.info[spec.name] = {
            "Name": spec.name,
            "Swarm": {
                "LocalNodeState": "active",
                "NodeID": f"id-{spec.name}",
                "ControlAvailable": manages,
            },
        }
    lab.shell = answers
    lab.make_engine = Told
    lab.services = [SERVICE]
    lab.tasks = [task(1, "worker1")]
    lab.networks = [{"Id": "n1", "Name": "wp_backend", "Scope": "swarm"}, {"Scope": "local"}]
    lab.containers["worker1"] = [
        {"Id": "c" * 64, "Names": ["/x"], "State": "running", "Status": "Up 2 s (unhealthy)"}
    ]
    lab.volumes["worker1"] = [{"Name": "data", "Driver": "local", "Options": {"type": "nfs"}}]
    return lab


def test_a_look_shows_the_whole_cluster(cluster: Lab) -> None:
    found = look(cluster.swarm)
    assert found.errors == {}
    assert [m.name for m in found.machines] == [n.name for n in cluster.swarm.nodes]
    assert {row.machine for row in found.nodes or ()} == {m.name for m in found.machines}
    (service,) = found.services or ()
    assert (service.name, service.stack, service.repository, service.tag) == (
        "wp_db", "wp", "mysql", "8.0",
    )  # fmt: skip
    assert [v.name for v in service.variables if v.plain_secret] == ["MYSQL_PASSWORD"]
    assert service.command.plain == 1
    assert service.secrets[0].target == "/run/secrets/pass"
    assert (service.networks, service.aliases) == (("wp_backend",), ("db",))
    assert service.health
    assert service.health.start_period_s == 2.0
    worker = found.machine("worker1")
    assert worker
    assert [c.health for c in worker.containers or ()] == ["unhealthy"]
    assert [v.options for v in worker.volumes or ()] == [{"type": "nfs"}]


def test_no_plain_secret_reaches_the_record(cluster: Lab) -> None:
    cluster.volumes["worker1"][0]["Options"] = {"o": "username=me,password=hunter2-xyz"}
    look(cluster.swarm)
    assert "hunter2" not in cluster.recorder.path.read_text(encoding="utf-8")


def test_what_is_written_is_what_is_read(cluster: Lab) -> None:
    found = look(cluster.swarm)
    assert events.read(cluster.recorder.view()) == found


def test_a_machine_that_gives_no_answer_is_an_event_and_not_the_end(cluster: Lab) -> None:
    cluster.silent["manager1"] = "refused"
    found = look(cluster.swarm)
    first, *others = found.machines
    assert first.errors == {
        "engine": "refused",
        "containers": "its engine gave no answer",
        "volumes": "its engine gave no answer",
    }
    assert first.system is not None
    assert all(m.errors == {} for m in others)
    assert found.errors == {}
    assert next(row.machine for row in found.nodes or () if row.id == "id-manager1") == "manager1"


def test_a_machine_that_could_not_even_be_connected_to_is_named(cluster: Lab) -> None:
    away = NodeSpec("worker9", "192.0.2.9", Membership.WORKER)
    found = look(cluster.swarm, {away: "worker9 can't be reached over SSH: it doesn't answer"})
    last = found.machines[-1]
    assert (last.name, last.membership) == ("worker9", "worker")
    assert set(last.errors) == set(events.OF_MACHINE)


def test_machines_of_no_swarm_say_so(cluster: Lab) -> None:
    for info in cluster.info.values():
        info["Swarm"] = {"LocalNodeState": "inactive"}
    found = look(cluster.swarm)
    assert found.nodes is None
    assert set(found.errors.values()) == {
        "none of the machines belongs to a swarm: `docker swarm init` makes one"
    }


def test_an_engine_that_keeps_its_data_elsewhere_is_looked_at_there(cluster: Lab) -> None:
    cluster.info["worker1"]["DockerRootDir"] = "/data/docker"
    look(cluster.swarm)
    for name, root in (("worker1", "/data/docker"), ("worker2", "/var/lib/docker")):
        asked = [act for act in cluster.commands("test", "openssl") if act[0] == name]
        assert asked
        assert all(f"{root}/swarm/certificates/swarm-node.crt" in act for act in asked)


def test_a_manager_that_is_locked_says_so(cluster: Lab) -> None:
    for name in ("manager1", "manager2", "manager3"):
        cluster.info[name]["Swarm"] = {"LocalNodeState": "locked"}
    told = look(cluster.swarm).errors["nodes"]
    assert told.startswith("manager1: its part of the swarm is locked, and `docker swarm unlock`")
    assert "worker1" not in told


def test_workers_alone_can_tell_nothing_of_the_swarm(cluster: Lab) -> None:
    for name in ("manager1", "manager2", "manager3"):
        cluster.silent[name] = "refused"
    assert look(cluster.swarm).errors["nodes"] == (
        "none of the machines that could be asked is a manager"
    )
    for name in ("worker1", "worker2"):
        cluster.silent[name] = "refused"
    assert look(cluster.swarm).errors["nodes"] == "no engine gave an answer"


class NoLeader(Told):
    """A manager without a quorum."""

    def nodes(self) -> Any:
        raise requests.ConnectionError("The swarm does not have a leader.")


def test_managers_without_a_quorum_are_told_in_their_own_words(cluster: Lab) -> None:
    cluster.make_engine = NoLeader
    found = look(cluster.swarm)
    assert found.errors["services"].count("The swarm does not have a leader.") == 3
    assert all(m.errors == {} for m in found.machines)


def test_what_an_engine_says_in_another_form_is_one_part_less(cluster: Lab) -> None:
    cluster.services = [{"ID": "s1"}]
    found = look(cluster.swarm)
    assert found.services is None
    assert "of another kind" in found.errors["services"]
    assert found.tasks is not None


@pytest.mark.parametrize("expiry", [10**400, "soon", [], {}])
def test_a_number_of_another_kind_is_one_part_less(cluster: Lab, expiry: Any) -> None:
    class Odd(Told):
        def inspect_swarm(self) -> Any:
            return {"Spec": {"CAConfig": {"NodeCertExpiry": expiry}}}

    cluster.make_engine = Odd
    found = look(cluster.swarm)
    assert set(found.errors) == {"settings"}
    assert "of another kind" in found.errors["settings"]


def test_a_task_s_age_goes_by_the_manager_s_clock(cluster: Lab) -> None:
    """Whatever this machine's says."""
    cluster.info["manager1"]["SystemTime"] = "2020-01-01T00:01:00.123456789Z"
    cluster.tasks[0]["Status"]["Timestamp"] = "2020-01-01T00:00:00.5Z"
    (found,) = look(cluster.swarm).tasks or ()
    assert found.age_s == pytest.approx(60, abs=5)


def test_a_row_of_a_machine_that_joined_anew_is_known(cluster: Lab) -> None:
    old = {**cluster.row("worker1"), "ID": "old", "Status": {"State": "down"}}
    cluster.rows.append(old)
    found = look(cluster.swarm)
    assert [row.id for row in found.nodes or () if row.leftover] == ["old"]


def test_of_a_million_services_so_many_are_kept_as_can_be_read(
    cluster: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST", 5)
    cluster.services = [SERVICE] * 7
    found = look(cluster.swarm)
    assert len(found.services or ()) == 5
    assert found.more == {"services": 2}


class NoNetworks(Told):
    """A manager that fails at one question."""

    def networks(self, filters: Any = None) -> Any:
        del filters
        raise requests.ReadTimeout("Read timed out. (read timeout=25)")


def test_one_question_that_fails_costs_one_part(cluster: Lab) -> None:
    cluster.make_engine = NoNetworks
    found = look(cluster.swarm)
    assert found.errors == {"networks": "no answer in time"}
    assert [service.networks for service in found.services or ()] == [("n1",)]
