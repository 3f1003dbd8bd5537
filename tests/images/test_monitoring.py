"""The contract of Prometheus' images, and the rules and ways of stacks/monitoring on them."""

from __future__ import annotations

import pytest

from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.swarm.cluster import Node
from tests.exercises.monitoring.dashboards import queries
from tests.images.containers import Containers, Running

PLACE = STACKS / "monitoring"
TOOLS = "swarmlab/monitoring:trixie"
"""What the images share: all of their programs, and none that runs by itself."""

IMAGES = [
    "prom/prometheus:v2.53.3",
    "prom/alertmanager:v0.28.1",
    "prom/node-exporter:v1.9.0",
    "prom/blackbox-exporter:v0.26.0",
    "prometheuscommunity/postgres-exporter:v0.17.1",
    "oliver006/redis_exporter:v1.69.0",
]

RULES = {f"/m/rules/{p.name}": p.read_text() for p in sorted((PLACE / "rules").glob("*.yml"))}
TESTS = {f"/m/tests/{p.name}": p.read_text() for p in sorted((PLACE / "tests").glob("*.yml"))}


@pytest.mark.parametrize("image", IMAGES)
def test_words_are_its_program_s_which_has_the_version_of_its_tag(node: Node, image: str) -> None:
    said = node.engine.containers.run(image, ["--version"], remove=True, stderr=True).decode()
    assert image.rpartition(":v")[2] in said.splitlines()[0]


def test_rules_do_what_their_tests_say(containers: Containers) -> None:
    running = containers.start(TOOLS, "sleep", "600", files={**RULES, **TESTS})
    said = running.run("sh", "-c", "promtool test rules /m/tests/*.yml 2>&1")
    assert said.count("SUCCESS") == len(TESTS)


def test_dashboards_queries_are_queries(containers: Containers) -> None:
    rules = "groups:\n- name: panels\n  rules:\n" + "".join(
        f"  - record: panel:{number}\n    expr: |\n      {query.expr}\n"
        for number, query in enumerate(queries())
    )
    running = containers.start(TOOLS, "sleep", "600", files={"/m/panels.yml": rules})
    assert "SUCCESS" in running.run("promtool", "check", "rules", "/m/panels.yml")


@pytest.fixture(scope="module")
def way(shared: Containers) -> Running:
    """The read-only way to the engine of the node."""
    files = {"/etc/nginx/nginx.conf": (PLACE / "docker-api.conf").read_text()}
    running = shared.start(
        "nginx:alpine", files=files, volumes={"/run/docker.sock": "/run/docker.sock"}
    )
    return shared.ready(running, "curl", "-fsS", "http://127.0.0.1:2375/healthy")


def status(way: Running, method: str, path: str) -> str:
    return way.run(
        "curl", "-s", "--globoff", "--path-as-is", "-o", "/dev/null", "-w", "%{http_code}",
        "-X", method, f"http://127.0.0.1:2375{path}",
    )  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "/_ping",
        "/version",
        "/v1.44/info",
        "/networks?filters={}",
        "/v1.44/nodes",
        "/services",
        "/tasks",
    ],
)
def test_what_is_let_through(way: Running, path: str) -> None:
    assert status(way, "GET", path) == "200"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/containers/create"),
        ("POST", "/nodes"),
        ("DELETE", "/networks"),
        ("PUT", "/services"),
        ("POST", "/services/create"),
        ("GET", "/swarm"),
        ("GET", "/v1.44/swarm"),
        ("GET", "/swarm/unlockkey"),
        ("GET", "/configs"),
        ("GET", "/secrets"),
        ("GET", "/containers/json"),
        ("GET", "/nodes/../containers/json"),
        ("GET", "/nodes/%2e%2e/configs"),
        ("GET", "/nodes/x"),
        ("GET", "/services/x/logs"),
        ("GET", "//configs"),
        ("GET", "/"),
    ],
)
def test_what_is_refused(way: Running, method: str, path: str) -> None:
    assert status(way, method, path) == "403"
