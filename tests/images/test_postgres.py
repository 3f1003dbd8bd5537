"""The contract of postgres:15-alpine."""

from __future__ import annotations

import pytest

from tests.images.containers import Containers, Running

IMAGE = "postgres:15-alpine"
DATA = "/var/lib/postgresql/data"
READY = ("pg_isready", "--host", "127.0.0.1")
"""Not through the socket: there the server of the first start answers too, before all is done."""


def ask(running: Running, user: str, database: str, statement: str) -> str:
    """An SQL statement through the socket, where no password is asked for."""
    return running.run("psql", "-U", user, "-d", database, "-Atc", statement)


def log_in(running: Running, user: str, password: str, database: str) -> tuple[int, str]:
    """A login over the network, as another container would come."""
    url = f"postgresql://{user}@{running.address}/{database}"
    return running.try_to("psql", url, "-Atc", "SELECT 1", env={"PGPASSWORD": password})


def test_without_a_password_it_refuses(containers: Containers) -> None:
    code, said = containers.refused(IMAGE, {})
    assert code == 1
    assert "Error: Database is uninitialized and superuser password is not specified." in said
    assert "POSTGRES_PASSWORD" in said


def test_a_password_given_twice_is_refused(containers: Containers) -> None:
    code, said = containers.refused(
        IMAGE,
        {"POSTGRES_PASSWORD": "one", "POSTGRES_PASSWORD_FILE": "/run/secrets/password"},
        files={"/run/secrets/password": "two"},
    )
    assert code == 1
    assert "both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set (but are exclusive)" in said


def test_a_secret_that_is_not_there_is_named(containers: Containers) -> None:
    code, said = containers.refused(IMAGE, {"POSTGRES_PASSWORD_FILE": "/run/secrets/nonesuch"})
    assert code == 1
    assert "/run/secrets/nonesuch" in said


def test_a_directory_with_other_files_is_left_alone(containers: Containers) -> None:
    volume = containers.volume()
    other = containers.start(IMAGE, "touch", f"{DATA}/notes.txt", volumes={volume: DATA})
    assert other.end() == 0
    code, said = containers.refused(IMAGE, {"POSTGRES_PASSWORD": "secret"}, volumes={volume: DATA})
    assert code == 1
    assert "exists but is not empty" in said


def test_another_command_runs_as_it_is(containers: Containers) -> None:
    running = containers.start(IMAGE, "postgres", "--version")
    assert running.end() == 0
    assert running.logs.startswith("postgres (PostgreSQL) 15.")


@pytest.fixture(scope="module")
def volume(shared: Containers) -> str:
    """What outlives the containers of this module."""
    return shared.volume()


@pytest.fixture(scope="module")
def server(shared: Containers, volume: str) -> Running:
    """A server whose user, password and database come from files."""
    running = shared.start(
        IMAGE,
        env={
            "POSTGRES_USER_FILE": "/run/secrets/user",
            "POSTGRES_PASSWORD_FILE": "/run/secrets/password",
            "POSTGRES_DB": "shop",
        },
        volumes={volume: DATA},
        files={
            "/run/secrets/user": "keeper\n",
            "/run/secrets/password": 'it\'s a "secret" \\ of $HOME',
            "/docker-entrypoint-initdb.d/10-table.sql": "CREATE TABLE orders (what text);",
            "/docker-entrypoint-initdb.d/20-row.sh": (
                "echo \"INSERT INTO orders VALUES ('tea')\""
                ' | psql -U "$POSTGRES_USER" -d "$POSTGRES_DB"'
            ),
        },
    )
    return shared.ready(running, *READY)


def test_user_password_and_database_come_from_the_environment(server: Running) -> None:
    assert log_in(server, "keeper", 'it\'s a "secret" \\ of $HOME', "shop") == (0, "1")
    code, said = log_in(server, "keeper", "wrong", "shop")
    assert code == 2
    assert "password authentication failed" in said


def test_scripts_of_the_first_start_have_run(server: Running) -> None:
    assert ask(server, "keeper", "shop", "SELECT what FROM orders") == "tea"


def test_the_data_are_in_the_volume_and_the_servers_own(server: Running) -> None:
    assert server.run("stat", "-c", "%u:%g %a", DATA) == "70:70 700"
    assert server.run("cat", f"{DATA}/PG_VERSION") == "15"


def test_it_stops_when_told_and_a_row_outlives_container_and_restart(
    shared: Containers, server: Running, volume: str
) -> None:
    ask(server, "keeper", "shop", "INSERT INTO orders VALUES ('milk')")
    assert server.stop() == 0
    server.container.start()
    shared.ready(server, *READY)
    assert ask(server, "keeper", "shop", "SELECT count(*) FROM orders") == "2"
    shared.remove(server)
    # Another container, that would refuse to make a database: there is one.
    other = shared.ready(shared.start(IMAGE, volumes={volume: DATA}), *READY)
    assert "Skipping initialization" in other.logs
    assert ask(other, "keeper", "shop", "SELECT string_agg(what, ' ') FROM orders") == "tea milk"


def test_trust_needs_no_password(containers: Containers) -> None:
    running = containers.start(IMAGE, env={"POSTGRES_HOST_AUTH_METHOD": "trust"})
    containers.ready(running, *READY)
    assert log_in(running, "postgres", "", "postgres") == (0, "1")
