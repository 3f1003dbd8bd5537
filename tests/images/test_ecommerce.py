"""What exercise 2.10 relies on of the images of the shop, each for itself: nothing else runs.

How they work together, the exercise shows.
"""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_swarmlab.swarm.cluster import Node
from tests.images.containers import Containers, Running

NOWHERE = {
    "/run/secrets/db_url": "postgresql://shop:secret@192.0.2.1:5432/ecommerce?connect_timeout=1\n",
    "/run/secrets/jwt_secret": "a secret of some length, as everybody should have one\n",
    "/run/secrets/rabbitmq_url": "amqp://shop:secret@192.0.2.1:5672/\n",
}
"""Secrets that lead to machines that aren't there."""

DATABASE = {"DATABASE_URL_FILE": "/run/secrets/db_url"}
TOKENS = {"JWT_SECRET_FILE": "/run/secrets/jwt_secret"}
BROKER = {"RABBITMQ_URL_FILE": "/run/secrets/rabbitmq_url"}
AT_ONCE = {"DRAIN_SECONDS": "0"}

COMPILERS = {"corepack", "go", "npm", "npx", "vite", "yarn"}


@dataclass(frozen=True)
class Service:
    """A service of the shop: its image, what it is started with, where it answers."""

    image: str
    port: int
    env: dict[str, str]
    command: tuple[str, ...] = ()


SERVICES = {
    "orders": Service("ecommerce/orders:latest", 5000, DATABASE | TOKENS | BROKER),
    "orders-worker": Service(
        "ecommerce/orders:latest", 5000, DATABASE | BROKER, ("python3", "-m", "orders.worker")
    ),
    "products": Service("ecommerce/products:latest", 3000, DATABASE),
    "users": Service("ecommerce/users:latest", 4000, DATABASE | TOKENS),
}


@pytest.fixture(scope="module")
def client(shared: Containers) -> Running:
    """Another container, that asks over the network."""
    return shared.start("myapi:latest", "sleep", "infinity")


def ask(client: Running, running: Running, port: int, place: str) -> tuple[int, Any]:
    """Code and JSON with which a service answers."""
    said = client.run(
        "curl", "-sS", "--write-out", "\n%{http_code}", f"http://{running.address}:{port}{place}"
    )
    body, _, code = said.rpartition("\n")
    return int(code), json.loads(body)


def files(node: Node, image: str) -> set[str]:
    """Paths of the files in a container of an image."""
    container: Any = node.engine.containers.create(image)
    try:
        content = b"".join(container.export())
    finally:
        container.remove()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {member.name for member in tar if not member.isdir()}


@pytest.mark.parametrize("name", SERVICES)
def test_alone_it_lives_and_says_that_it_is_not_ready_and_ends_when_told(
    containers: Containers, client: Running, name: str
) -> None:
    service = SERVICES[name]
    running = containers.start(
        service.image, *service.command, env=service.env | AT_ONCE, files=NOWHERE
    )
    url = f"http://{running.address}:{service.port}/health"
    asking = ("curl", "-fsS", "--retry", "60", "--retry-delay", "1", "--retry-connrefused", url)
    client.run(*asking)
    code, said = ask(client, running, service.port, "/ready")
    assert code == 503
    assert said["error"] == "not_ready"
    assert running.stop() == 0
    assert "secret" not in running.logs


@pytest.mark.parametrize("name", SERVICES)
def test_without_its_secrets_it_ends_and_names_one(containers: Containers, name: str) -> None:
    service = SERVICES[name]
    code, said = containers.refused(service.image, {}, *service.command)
    assert code not in (0, 137)
    assert "_FILE" in said


@pytest.mark.parametrize("name", ["orders", "products", "users"])
def test_it_is_not_root(node: Node, name: str) -> None:
    config = node.engine.images.get(SERVICES[name].image).attrs["Config"]
    assert config["User"] in ("1000:1000", "app", "node")


def test_the_pages_are_served(containers: Containers, client: Running) -> None:
    running = containers.start("ecommerce/frontend:latest")
    said = client.run(
        "curl", "-fsS", "--retry", "30", "--retry-connrefused", f"http://{running.address}/"
    )
    assert 'id="root"' in said
    script = said.partition('src="')[2].partition('"')[0]
    assert script.startswith("/assets/")
    assert "react" in client.run("curl", "-fsS", f"http://{running.address}{script}").lower()
    assert running.stop() == 0


@pytest.mark.parametrize("image", sorted({service.image for service in SERVICES.values()}))
def test_what_built_it_is_not_in_it(node: Node, image: str) -> None:
    names = {path.rpartition("/")[2] for path in files(node, image)}
    assert not names & COMPILERS


def test_the_accounts_image_holds_one_program(node: Node) -> None:
    # The engine gives every container devices, and files for its network.
    of_the_engine = ("dev/", "etc/", "proc", "sys", ".dockerenv")
    inside = files(node, "ecommerce/users:latest")
    assert {path for path in inside if not path.startswith(of_the_engine)} == {"usr/bin/users"}


def test_images_share_the_layers_of_their_base(node: Node) -> None:
    def layers(image: str) -> list[str]:
        found: list[str] = node.engine.images.get(image).attrs["RootFS"]["Layers"]
        return found

    assert layers("ecommerce/orders:latest")[:-1] == layers("myapi:latest")
    assert layers("ecommerce/frontend:latest")[:-1] == layers("nginx:alpine")
