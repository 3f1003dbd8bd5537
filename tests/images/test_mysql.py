"""The contract of mysql:8.0."""

from __future__ import annotations

from tests.images.containers import Containers, Running
from tests.images.database import DATA, IMAGE, READY, ROOT_PASSWORD, USER_PASSWORD


def ask(running: Running, statement: str, *, host: str = "localhost") -> str:
    """An SQL statement of root's."""
    return running.run(
        "mysql", f"--host={host}", "--user=root", f"--password={ROOT_PASSWORD}", "-Ne", statement
    )


def log_in(running: Running, password: str, statement: str = "SELECT 1") -> tuple[int, str]:
    """A statement over the network, as WordPress would send it."""
    return running.try_to(
        "mysql",
        f"--host={running.address}",
        "--user=wordpress",
        f"--password={password}",
        "--database=wordpress",
        "-Ne",
        statement,
    )


def test_without_a_password_it_refuses(containers: Containers) -> None:
    code, said = containers.refused(IMAGE, {})
    assert code == 1
    assert "Database is uninitialized and password option is not specified" in said
    for choice in ("ROOT_PASSWORD", "ALLOW_EMPTY_PASSWORD", "RANDOM_ROOT_PASSWORD"):
        assert f"- MYSQL_{choice}" in said


def test_a_password_given_twice_is_refused(containers: Containers) -> None:
    code, said = containers.refused(
        IMAGE,
        {"MYSQL_ROOT_PASSWORD": "one", "MYSQL_ROOT_PASSWORD_FILE": "/run/secrets/password"},
        files={"/run/secrets/password": "two"},
    )
    assert code == 1
    assert (
        "oth MYSQL_ROOT_PASSWORD and MYSQL_ROOT_PASSWORD_FILE are set (but are exclusive)" in said
    )


def test_root_is_no_ordinary_user(containers: Containers) -> None:
    code, said = containers.refused(
        IMAGE, {"MYSQL_ROOT_PASSWORD": "a", "MYSQL_USER": "root", "MYSQL_PASSWORD": "b"}
    )
    assert code == 1
    assert 'MYSQL_USER="root"' in said


def test_user_password_and_database_come_from_the_environment(database: Running) -> None:
    assert log_in(database, USER_PASSWORD) == (0, "1")
    code, said = log_in(database, "wrong")
    assert code == 1
    assert "Access denied for user 'wordpress'" in said


def test_the_user_owns_the_database_and_no_other(database: Running) -> None:
    code, said = log_in(database, USER_PASSWORD, "CREATE TABLE t (n int); DROP TABLE t; SELECT 2")
    assert (code, said) == (0, "2")
    code, said = log_in(database, USER_PASSWORD, "CREATE DATABASE other")
    assert code == 1
    assert "Access denied" in said


def test_root_may_come_over_the_network(database: Running) -> None:
    assert ask(database, "SELECT 1", host=database.address) == "1"


def test_no_name_is_looked_up(database: Running) -> None:
    assert ask(database, "SELECT @@skip_name_resolve") == "1"


def test_the_data_are_in_the_volume_and_the_servers_own(database: Running) -> None:
    assert database.run("stat", "-c", "%u:%g", DATA) == "999:999"
    assert ask(database, "SELECT @@datadir") == f"{DATA}/"


def test_no_commit_is_less_durable_than_the_official_ones(database: Running) -> None:
    said = ask(database, "SELECT @@innodb_flush_log_at_trx_commit, @@innodb_doublewrite")
    assert said.split() == ["1", "ON"]


def test_it_stops_when_told_and_rows_outlive_restart_and_container(containers: Containers) -> None:
    volume = containers.volume()
    running = containers.start(
        IMAGE,
        env={"MYSQL_RANDOM_ROOT_PASSWORD": "yes"},
        volumes={volume: DATA},
        files={
            "/docker-entrypoint-initdb.d/10-table.sql": (
                "CREATE DATABASE shop; CREATE TABLE shop.orders (what text);"
                f" ALTER USER root@localhost IDENTIFIED BY {quoted(ROOT_PASSWORD)};"
            )
        },
    )
    containers.ready(running, *READY)
    assert "GENERATED ROOT PASSWORD: " in running.logs
    ask(running, "INSERT INTO shop.orders VALUES ('tea')")
    assert running.stop() == 0
    running.container.start()
    containers.ready(running, *READY)
    ask(running, "INSERT INTO shop.orders VALUES ('milk')")
    containers.remove(running)
    # Another container, that would refuse to make a database: there is one.
    other = containers.ready(containers.start(IMAGE, volumes={volume: DATA}), *READY)
    assert ask(other, "SELECT group_concat(what) FROM shop.orders") == "tea,milk"


def quoted(text: str) -> str:
    """As SQL wants a string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
