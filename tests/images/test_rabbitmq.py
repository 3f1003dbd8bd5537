"""The contract of rabbitmq:3-management-alpine."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from pytest_swarmlab.lab import STACKS
from tests.images.containers import Containers, Running

IMAGE = "rabbitmq:3-management-alpine"
DATA = "/var/lib/rabbitmq"
READY = ("grep", "-q", ":1628 0*:0000 0A", "/proc/net/tcp6")
"""Something listens on port 5672. A command of RabbitMQ's would make a cookie of root's where there
is none yet, which the server then can't read."""

START_S = 300
"""It takes 24 to 40 s of a node's processor; beside two clusters more than 90 s have gone by."""

CREDENTIALS = "/etc/rabbitmq/conf.d/20-auth.conf"
PASSWORD = "SecureRabbitPass123!"  # noqa: S105 - the lab's
AUTH = f"default_user = shop\ndefault_pass = {PASSWORD}\n"

PROPERTIES = {"delivery_mode": 2}
"""Persistent, in AMQP's own words."""


@pytest.fixture(scope="module")
def client(shared: Containers) -> Running:
    """Another container, that asks over the network."""
    return shared.start("myapi:latest", "sleep", "infinity")


@pytest.fixture(scope="module")
def volume(shared: Containers) -> str:
    """What outlives the containers of this module."""
    return shared.volume()


def start(containers: Containers, volume: str, hostname: str) -> Running:
    """A server whose user and password come from a file among its configuration."""
    return containers.start(
        IMAGE, volumes={volume: DATA}, files={CREDENTIALS: AUTH}, hostname=hostname
    )


@pytest.fixture(scope="module")
def server(shared: Containers, volume: str) -> Running:
    """A server as the lab has it, known as shop1."""
    return shared.ready(start(shared, volume, "shop1"), *READY, within=START_S)


def ask(
    client: Running, server: Running, method: str, place: str, body: dict[str, Any] | None = None
) -> Any:
    """What the management's API answers; None when it says nothing."""
    said = client.run(
        "curl", "-sS", "--fail-with-body", "--user", f"shop:{PASSWORD}", "--request", method,
        "--json", json.dumps(body or {}), f"http://{server.address}:15672/api/{place}",
    )  # fmt: skip
    return json.loads(said) if said else None


def log_in(client: Running, server: Running, user: str, password: str) -> str:
    """The code with which the management's API answers a user."""
    return client.run(
        "curl", "-sS", "--output", "/dev/null", "--write-out", "%{http_code}",
        "--user", f"{user}:{password}", f"http://{server.address}:15672/api/whoami",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["RABBITMQ_DEFAULT_PASS_FILE", "RABBITMQ_DEFAULT_USER_FILE"])
def test_a_secret_by_its_file_is_refused(containers: Containers, name: str) -> None:
    code, said = containers.refused(IMAGE, {name: "/run/secrets/rabbitmq"})
    assert code == 1
    assert said.splitlines()[:2] == [
        f"error: {name} is set but deprecated",
        "error: deprecated environment variables detected",
    ]
    assert "Please use a configuration file instead" in said


def test_another_command_runs_as_it_is(containers: Containers) -> None:
    running = containers.start(IMAGE, "rabbitmqctl", "version")
    assert running.end() == 0
    assert running.logs.startswith("3.")


def test_the_image_holds_no_cookie(containers: Containers) -> None:
    running = containers.start(IMAGE, "find", DATA, "/var/log/rabbitmq", "-type", "f")
    assert (running.end(), running.logs) == (0, "")


def test_user_and_password_come_from_a_file(client: Running, server: Running) -> None:
    assert log_in(client, server, "shop", PASSWORD) == "200"
    assert log_in(client, server, "shop", "wrong") == "401"
    # The user that every server has unless another one is named.
    assert log_in(client, server, "guest", "guest") == "401"


def test_it_runs_as_its_own_user_and_answers_its_own_commands(server: Running) -> None:
    assert server.run("stat", "-c", "%u:%g", "/proc/1") == "100:101"
    assert "Ping succeeded" in server.run("rabbitmq-diagnostics", "ping")
    server.run("rabbitmq-diagnostics", "--quiet", "check_port_listener", "5672")
    assert server.run("stat", "-c", "%u:%g %a", f"{DATA}/.erlang.cookie").startswith("100:101 ")


def test_the_shop_s_health_check_finds_it_and_leaves_no_trace(server: Running) -> None:
    stack = yaml.safe_load((STACKS / "ecommerce-stack.yml").read_text(encoding="utf-8"))
    kind, *argv = stack["services"]["rabbitmq"]["healthcheck"]["test"]
    assert kind == "CMD"
    check = [word.replace("$$", "$") for word in argv]
    before = server.logs
    server.run(*check)
    assert server.logs == before
    code, _ = server.try_to(*(word.replace("/5672", "/5673") for word in check))
    assert code != 0


def test_what_it_says_is_the_containers_log(server: Running) -> None:
    assert "Starting RabbitMQ 3." in server.logs
    assert PASSWORD not in server.logs
    assert server.run("find", "/var/log/rabbitmq", "-name", "rabbit@shop1.log") == ""


def test_its_metrics_are_served(client: Running, server: Running) -> None:
    said = client.run("curl", "-sSf", f"http://{server.address}:15692/metrics")
    assert "rabbitmq_identity_info" in said


def test_the_data_directory_is_named_after_the_host(server: Running) -> None:
    assert server.run("stat", "-c", "%F", f"{DATA}/mnesia/rabbit@shop1") == "directory"


def test_a_persistent_message_in_a_quorum_queue_outlives_the_container(
    shared: Containers, client: Running, server: Running, volume: str
) -> None:
    ask(
        client, server, "PUT", "queues/%2F/orders",
        {"durable": True, "arguments": {"x-queue-type": "quorum"}},
    )  # fmt: skip
    published = ask(
        client, server, "POST", "exchanges/%2F/amq.default/publish",
        {
            "properties": PROPERTIES, "routing_key": "orders",
            "payload": "tea", "payload_encoding": "string",
        },
    )  # fmt: skip
    assert published == {"routed": True}
    assert server.stop() == 0
    shared.remove(server)

    again = shared.ready(start(shared, volume, "shop1"), *READY, within=START_S)
    (queue,) = ask(client, again, "GET", "queues")
    assert (queue["name"], queue["type"]) == ("orders", "quorum")
    got = ask(
        client, again, "POST", "queues/%2F/orders/get",
        {"count": 5, "ackmode": "ack_requeue_false", "encoding": "auto"},
    )  # fmt: skip
    assert [message["payload"] for message in got] == ["tea"]


def test_user_and_password_come_from_the_environment(
    containers: Containers, client: Running
) -> None:
    env = {"RABBITMQ_DEFAULT_USER": "keeper", "RABBITMQ_DEFAULT_PASS": 'it\'s "it"'}
    running = containers.ready(containers.start(IMAGE, env=env), *READY, within=START_S)
    assert log_in(client, running, "keeper", 'it\'s "it"') == "200"
    assert log_in(client, running, "guest", "guest") == "401"
