"""The monitoring of stacks/monitoring: its rules, its own programs, and what its stack files say.

The rules' own tests run here where promtool is (Debian's package prometheus has it), and always in
tests/images, with the one that is on every node's disk.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from pytest_swarmlab.images.recipe import load_plan
from pytest_swarmlab.lab import STACKS
from tests.exercises.monitoring.dashboards import queries
from tests.exercises.monitoring.declared import EXPECTED

PLACE = STACKS / "monitoring"
WITHIN_S = 120


def alerts() -> dict[str, dict[str, Any]]:
    rules = (yaml.safe_load(path.read_text()) for path in sorted((PLACE / "rules").glob("*.yml")))
    return {
        rule["alert"]: rule
        for each in rules
        for group in each["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def shown() -> dict[str, set[bool]]:
    """Alert → whether a test wants it to fire, and whether one wants it not to."""
    found: dict[str, set[bool]] = {}
    for path in sorted((PLACE / "tests").glob("*.yml")):
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test["alert_rule_test"]:
                found.setdefault(case["alertname"], set()).add(bool(case.get("exp_alerts")))
    return found


ALERTS = alerts()


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_waits_says_who_is_called_and_what_he_is_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert rule["for"].rstrip("smh").isdigit()
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert len(rule["annotations"]["summary"]) > 20
    assert len(rule["annotations"]["action"]) > 20


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(name: str) -> None:
    assert shown()[name] == {True, False}


def test_every_alert_is_provoked() -> None:
    assert {name for each in EXPECTED.values() for name in each} == {*ALERTS}


@pytest.mark.parametrize("path", sorted((PLACE / "tests").glob("*.yml")), ids=lambda p: p.stem)
def test_rules_do_what_their_tests_say(path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here (Debian's package prometheus): tests/images runs these")
    done = subprocess.run(
        [promtool, "test", "rules", str(path)],
        capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_dashboards_name_no_metric_that_no_run_has_seen() -> None:
    known = set((Path(__file__).with_name("records") / "metrics.txt").read_text().split())
    names = {
        word
        for query in queries()
        if query.dashboard != "shop"
        for word in _words(query.expr)
        if "_" in word or word == "up"
    }
    assert not names - known - GRAMMAR


GRAMMAR = {"histogram_quantile"}


def _words(expr: str) -> set[str]:
    """Names outside of braces, which have labels, and of strings."""
    bare, depth = [], 0
    for letter in expr:
        depth += (letter == "{") - (letter == "}")
        bare.append(" " if depth or not (letter.isalnum() or letter in "_:") else letter)
    return set("".join(bare).split())


# -- stack files -----------------------------------------------------------------------------------


def stack(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((STACKS / name).read_text())
    return found


@pytest.mark.parametrize("file", ["monitoring-stack.yml", "monitoring-shop.yml"])
def test_images_are_on_the_disk_and_configs_are_there(file: str) -> None:
    said = stack(file)
    there = {each for image in load_plan("stand-in").images for each in image.references}
    assert {s["image"] for s in said["services"].values() if "image" in s} <= there
    for config in said["configs"].values():
        assert (STACKS / config["file"]).is_file()


def test_nothing_is_published_and_every_service_has_limits() -> None:
    services = stack("monitoring-stack.yml")["services"]
    assert not any("ports" in service for service in services.values())
    assert all("limits" in service["deploy"]["resources"] for service in services.values())


def test_only_the_read_only_way_has_the_engine_s_socket() -> None:
    services = stack("monitoring-stack.yml")["services"]
    assert [n for n, s in services.items() if "docker.sock" in str(s.get("volumes"))] == [
        "docker-api"
    ]


# -- its own programs ------------------------------------------------------------------------------


def program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"monitoring_{name}", PLACE / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def exporter() -> ModuleType:
    return program("swarm_exporter")


def node(id_: str, state: str = "ready", role: str = "worker", **more: Any) -> dict[str, Any]:
    described = {"Description": {"Hostname": f"host-{id_}"}, "Spec": {"Role": role}}
    return {"ID": id_, "Status": {"State": state}, **described, **more}


def service(id_: str, mode: dict[str, Any]) -> dict[str, Any]:
    return {"ID": id_, "Spec": {"Name": f"name-{id_}", "Mode": mode}}


def task(
    id_: str, of: str, on: str, state: str = "running", desired: str = "running", **more: Any
) -> Any:
    return {
        "ID": id_, "ServiceID": of, "NodeID": on, "DesiredState": desired,
        "Status": {"State": state}, **more,
    }  # fmt: skip


def test_replicas_are_those_that_run_on_nodes_that_answer(exporter: ModuleType) -> None:
    nodes = [node("1"), node("2", "down")]
    services = [
        service("r", {"Replicated": {"Replicas": 3}}),
        service("g", {"Global": {}}),
        service("z", {"Replicated": {"Replicas": 0}}),
        service("j", {"ReplicatedJob": {"MaxConcurrent": 1}}),
    ]
    tasks = [
        task("a", "r", "1"),
        task("b", "r", "2"),
        task("c", "r", "1", "starting"),
        task("d", "r", "1", "running", "shutdown"),
        task("e", "g", "1"),
        task("f", "g", "1", "failed", "running"),
        {"ID": "p", "ServiceID": "r", "DesiredState": "running", "Status": {"State": "pending"}},
    ]
    found = exporter.replicas(services, tasks, nodes)
    assert found == {"name-r": (3, 1), "name-g": (2, 1), "name-z": (0, 0)}


def test_a_failed_task_counts_once_and_stays_counted(exporter: ModuleType) -> None:
    failures, names = exporter.Failures(), {"s": "web"}
    first = [task("a", "s", "1", "failed", "shutdown", Slot=1), task("b", "s", "1", Slot=1)]
    assert failures.count(first, names) == {("web", "1"): 1}
    assert failures.count(first, names) == {("web", "1"): 1}
    later = [task("c", "s", "1", "rejected", "shutdown", Slot=1)]
    assert failures.count(later, names) == {("web", "1"): 2}
    assert failures.count([], names) == {("web", "1"): 2}


def test_failures_of_several_nodes_are_of_several_slots(exporter: ModuleType) -> None:
    failures, names = exporter.Failures(), {"g": "everywhere", "r": "web"}
    tasks = [
        task("a", "g", "n1", "failed", "shutdown"),
        task("b", "g", "n2", "failed", "shutdown"),
        task("c", "r", "n1", "running", Slot=1),
        task("d", "unknown", "n1", "failed", "shutdown", Slot=1),
    ]
    assert failures.count(tasks, names) == {
        ("everywhere", "n1"): 1, ("everywhere", "n2"): 1, ("web", "1"): 0,
    }  # fmt: skip
    assert failures.count(tasks, {"r": "web"}) == {("web", "1"): 0}


def families(exporter: ModuleType, ask: Any) -> dict[str, list[tuple[dict[str, str], float]]]:
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in exporter.Swarm(ask).collect()
    }


def test_a_scrape_tells_all_of_it(exporter: ModuleType) -> None:
    lists: dict[str, list[Any]] = {
        "/nodes": [
            node("1", role="manager", ManagerStatus={"Reachability": "unreachable"}),
            node("2", "down"),
        ],
        "/services": [service("r", {"Replicated": {"Replicas": 2}})],
        "/tasks": [
            task("a", "r", "1", Slot=1),
            task("b", "r", "1", "failed", "shutdown", Slot=1),
        ],
    }
    found = families(exporter, lists.__getitem__)
    web = {"service": "name-r"}
    assert found == {
        "swarm_api_up": [({}, 1)],
        "swarm_node_up": [
            ({"node": "host-1", "role": "manager"}, 1),
            ({"node": "host-2", "role": "worker"}, 0),
        ],
        "swarm_manager_reachable": [({"node": "host-1"}, 0)],
        "swarm_service_replicas_desired": [(web, 2)],
        "swarm_service_replicas_running": [(web, 1)],
        "swarm_task_failures": [({**web, "slot": "1"}, 1)],
    }


@pytest.mark.parametrize("answer", [OSError("refused"), ValueError("no JSON"), KeyError("Spec")])
def test_without_an_answer_there_are_no_old_numbers(
    exporter: ModuleType, answer: Exception
) -> None:
    def ask(_: str) -> list[Any]:
        raise answer

    assert families(exporter, ask) == {"swarm_api_up": [({}, 0)]}


def test_an_answer_of_another_shape_is_none(exporter: ModuleType) -> None:
    assert families(exporter, lambda _: [{"message": "no leader"}]) == {"swarm_api_up": [({}, 0)]}


@pytest.fixture(scope="module")
def heard() -> Iterator[str]:
    """A recorder that listens on this machine; its address."""
    module = program("recorder")
    server = ThreadingHTTPServer(("127.0.0.1", 0), module.Recorder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/alerts"
    server.shutdown()
    thread.join()
    server.server_close()


def post(url: str, body: bytes) -> int:
    try:
        with urllib.request.urlopen(url, body, timeout=10) as answer:  # noqa: S310 - our own
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_each_alert_is_a_line(heard: str, capsys: pytest.CaptureFixture[str]) -> None:
    alert = {
        "status": "firing", "labels": {"alertname": "NodeDown"}, "annotations": {"action": "a\nb"},
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "more": "left out",
    }  # fmt: skip
    assert post(heard, json.dumps({"alerts": [alert, alert]}).encode()) == 200
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 2
    assert lines[0].pop("heard") > 0
    assert lines[0] == {name: alert[name] for name in alert if name != "more"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b'{"alerts": 7}', b'{"alerts": [7]}', b'{"alerts": [{}]}', b"\xff"],
)
def test_what_is_no_message_is_refused(
    heard: str, capsys: pytest.CaptureFixture[str], body: bytes
) -> None:
    assert post(heard, body) == 400
    assert capsys.readouterr().out == ""


# -- facts of a node -------------------------------------------------------------------------------

run = partial(subprocess.run, capture_output=True, text=True, timeout=WITHIN_S, check=True)


@pytest.fixture
def facts(tmp_path: Path) -> Any:
    """Writes the facts with these backups and this certificate; what is written."""

    def write(*backups: str, certificate: Path | None = None) -> dict[str, float]:
        for name in backups:
            (tmp_path / "backups" / name).mkdir(parents=True)
        env = {
            "PATH": "/usr/bin:/bin",
            "SWARM_TEXTFILE_DIR": str(tmp_path / "to"),
            "SWARM_CERTIFICATE": str(certificate or tmp_path / "none"),
            "SWARM_BACKUPS": str(tmp_path / "backups"),
        }
        run([str(PLACE / "swarm-textfile")], env=env)
        assert [path.name for path in (tmp_path / "to").iterdir()] == ["swarm.prom"]
        lines = (tmp_path / "to" / "swarm.prom").read_text().splitlines()
        pairs = (line.split() for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    return write


def test_without_certificate_and_backup_there_is_nothing_to_tell(facts: Any) -> None:
    assert facts() == {}


def test_the_newest_backup_that_is_complete_counts(facts: Any) -> None:
    found = facts(
        "swarm-20260101T000000Z-manager1",
        "swarm-20260102T030405Z-manager2",
        ".partial-swarm-20260103T000000Z-manager1",
    )
    wanted = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    assert found == {"swarm_backup_timestamp_seconds": wanted}


def test_the_certificate_s_end_is_its_own(facts: Any, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here, which swarm-textfile reads the certificate with")
    certificate = tmp_path / "node.crt"
    run([
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-subj", "/CN=node", "-days", "30", "-keyout", str(tmp_path / "key"),
        "-out", str(certificate),
    ])  # fmt: skip
    end = facts(certificate=certificate)["swarm_certificate_end_timestamp_seconds"]
    wanted = datetime.now(UTC) + timedelta(days=30)
    assert abs(end - wanted.timestamp()) < WITHIN_S
