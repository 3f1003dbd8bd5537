"""What all images say of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swarmlab.config import LabConfig
from pytest_swarmlab.images.recipe import load_plan
from pytest_swarmlab.providers.base import Provider
from pytest_swarmlab.swarm.cluster import Node

CONTRACT: dict[str, dict[str, Any]] = {
    "ecommerce/frontend:latest": {
        "port": "80/tcp",
        "volume": None,
        "signal": "SIGQUIT",
        "user": None,
    },
    "ecommerce/orders:latest": {
        "port": "5000/tcp",
        "volume": None,
        "signal": "SIGTERM",
        "user": ("app", 1000),
    },
    "ecommerce/products:latest": {
        "port": "3000/tcp",
        "volume": None,
        "signal": "SIGTERM",
        "user": ("node", 1000),
    },
    "ecommerce/users:latest": {
        "port": "4000/tcp",
        "volume": None,
        "signal": "SIGTERM",
        "user": None,
    },
    "myapi:latest": {
        "port": "8080/tcp",
        "volume": None,
        "signal": "SIGTERM",
        "user": ("app", 1000),
    },
    "mysql:8.0": {
        "port": "3306/tcp",
        "volume": "/var/lib/mysql",
        "signal": "SIGTERM",
        "user": ("mysql", 999),
    },
    "nginx:alpine": {"port": "80/tcp", "volume": None, "signal": "SIGQUIT", "user": None},
    "postgres:15-alpine": {
        "port": "5432/tcp",
        "volume": "/var/lib/postgresql/data",
        "signal": "SIGINT",
        "user": ("postgres", 70),
    },
    "prom/prometheus:v2.53.3": {
        "port": "9090/tcp",
        "volume": "/prometheus",
        "signal": "SIGTERM",
        "user": None,
    },
    "prom/alertmanager:v0.28.1": {
        "port": "9093/tcp",
        "volume": "/alertmanager",
        "signal": "SIGTERM",
        "user": None,
    },
    "prom/node-exporter:v1.9.0": {
        "port": "9100/tcp",
        "volume": None,
        "signal": "SIGTERM",
        "user": None,
    },
    "prom/blackbox-exporter:v0.26.0": {
        "port": "9115/tcp",
        "volume": None,
        "signal": "SIGTERM",
        "user": None,
    },
    "prometheuscommunity/postgres-exporter:v0.17.1": {
        "port": "9187/tcp",
        "volume": None,
        "signal": "SIGTERM",
        "user": None,
    },
    "oliver006/redis_exporter:v1.69.0": {
        "port": "9121/tcp",
        "volume": None,
        "signal": "SIGTERM",
        "user": None,
    },
    "rabbitmq:3-management-alpine": {
        "port": "5672/tcp",
        "volume": "/var/lib/rabbitmq",
        "signal": "SIGTERM",
        "user": ("rabbitmq", 100, 101),
    },
    "redis:7-alpine": {
        "port": "6379/tcp",
        "volume": "/data",
        "signal": "SIGTERM",
        "user": ("redis", 999, 1000),
    },
    "wordpress:latest": {
        "port": "80/tcp",
        "volume": "/var/www/html",
        "signal": "SIGWINCH",
        "user": ("www-data", 33),
    },
}
"""What the lab relies on, from the official images' own descriptions; some are the lab's own."""

OWN = {reference for reference in CONTRACT if reference.startswith(("ecommerce/", "myapi:"))}
"""Images that no registry has."""


AGAIN = {
    reference: image.reference
    for image in load_plan("stand-in").images
    for reference in image.references
    if reference != image.reference
}
"""Further reference of an image → its recipe's."""


def inspected(node: Node, reference: str) -> dict[str, Any]:
    config: dict[str, Any] = node.engine.images.get(reference).attrs["Config"]
    return config


@pytest.mark.parametrize("reference", CONTRACT)
def test_ports_volumes_and_stop_signal_are_the_official_ones(node: Node, reference: str) -> None:
    config, wanted = inspected(node, reference), CONTRACT[reference]
    assert wanted["port"] in config["ExposedPorts"]
    assert list(config["Volumes"] or {}) == ([wanted["volume"]] if wanted["volume"] else [])
    # SIGTERM is what the engine sends when an image names none.
    assert (config.get("StopSignal") or "SIGTERM") == wanted["signal"]


@pytest.mark.parametrize("reference", [name for name, it in CONTRACT.items() if it["user"]])
def test_users_have_the_official_numbers(node: Node, reference: str) -> None:
    user, number, *other = CONTRACT[reference]["user"]
    group = other[0] if other else number
    said = node.engine.containers.run(reference, ["id", user], remove=True, entrypoint="")
    assert said.startswith(f"uid={number}({user}) gid={group}({user})".encode())


@pytest.mark.parametrize("reference", AGAIN)
def test_an_image_has_all_its_tags(node: Node, provider: Provider, reference: str) -> None:
    images, first = node.engine.images, AGAIN[reference]
    assert images.get(reference).id == images.get(first).id
    told = {image["reference"]: image["detail"] for image in provider.images()}
    assert told[reference] == told[first]


@pytest.mark.parametrize("reference", CONTRACT)
def test_an_image_says_where_it_comes_from(
    node: Node, provider: Provider, lab: LabConfig, reference: str
) -> None:
    (image,) = [image for image in provider.images() if image["reference"] == reference]
    labels = inspected(node, reference)["Labels"] or {}
    wanted = "own" if reference in OWN else lab.images
    assert image["origin"] == wanted
    assert labels.get("org.swarmlab.origin", "registry") == wanted
    if wanted != "registry":
        assert image["detail"] == labels["org.swarmlab.detail"]
        assert "Debian" in image["detail"]
