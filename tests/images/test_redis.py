"""The contract of redis:7-alpine."""

from __future__ import annotations

import pytest

from tests.images.containers import Containers, Running

IMAGE = "redis:7-alpine"
READY = ("redis-cli", "-e", "ping")
PASSWORD = 'it\'s a "secret" of $HOME'  # noqa: S105 - nobody's


@pytest.fixture(scope="module")
def volume(shared: Containers) -> str:
    """What outlives the containers of this module."""
    return shared.volume()


@pytest.fixture(scope="module")
def server(shared: Containers, volume: str) -> Running:
    """A server as the image starts it, with its data in a volume."""
    return shared.ready(shared.start(IMAGE, volumes={volume: "/data"}), *READY)


def test_it_is_a_seven_and_runs_as_its_own_user(server: Running) -> None:
    assert "redis_version:7." in server.run("redis-cli", "info", "server")
    assert server.run("stat", "-c", "%u:%g", "/proc/1") == "999:1000"


def test_another_container_may_ask_it_without_a_password(
    containers: Containers, server: Running
) -> None:
    other = containers.start(IMAGE, "redis-cli", "-e", "-h", server.address, "ping")
    assert (other.end(), other.logs.strip()) == (0, "PONG")


def test_words_are_arguments_of_the_server(containers: Containers) -> None:
    running = containers.start(IMAGE, "--requirepass", PASSWORD, "--port", "7000")
    asked = ("redis-cli", "-e", "-p", "7000", "ping")
    containers.ready(running, "sh", "-c", "redis-cli -p 7000 ping | grep NOAUTH")
    assert running.try_to(*asked)[0] == 1
    assert running.run(*asked, env={"REDISCLI_AUTH": PASSWORD}) == "PONG"


def test_the_client_ends_with_nought_on_noauth_unless_told(containers: Containers) -> None:
    running = containers.start(IMAGE, "redis-server", "--requirepass", PASSWORD)
    containers.ready(running, "sh", "-c", "redis-cli ping | grep NOAUTH")
    assert running.try_to("redis-cli", "ping")[0] == 0
    assert running.try_to("redis-cli", "-e", "ping")[0] == 1


@pytest.mark.parametrize(("line", "protected"), [("", "no"), ("protected-mode yes\n", "yes")])
def test_a_file_configures_it(containers: Containers, line: str, protected: str) -> None:
    path = "/usr/local/etc/redis/redis.conf"
    files = {path: f"{line}maxmemory 8mb\n"}
    running = containers.ready(containers.start(IMAGE, path, files=files), *READY)
    assert running.run("redis-cli", "config", "get", "maxmemory").split()[1] == "8388608"
    assert running.run("redis-cli", "config", "get", "protected-mode").split()[1] == protected


def test_another_command_runs_as_it_is(containers: Containers) -> None:
    running = containers.start(IMAGE, "redis-cli", "--version")
    assert running.end() == 0
    assert running.logs.startswith("redis-cli 7.")


def test_it_saves_when_stopped_and_a_key_outlives_the_container(
    shared: Containers, server: Running, volume: str
) -> None:
    server.run("redis-cli", "set", "tea", "hot")
    assert server.stop() == 0
    shared.remove(server)
    other = shared.ready(shared.start(IMAGE, volumes={volume: "/data"}), *READY)
    assert other.run("redis-cli", "get", "tea") == "hot"
    assert other.run("stat", "-c", "%u:%g", "/data/dump.rdb") == "999:1000"
