"""What counts as a plain secret in a definition, and that nothing of it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swarmlab.survey.plain import HIDDEN, Hider

STACKS = Path(__file__).parents[3] / "stacks"
VALUE = "hunter2-xyz"


@pytest.mark.parametrize(
    "name",
    ["MYSQL_ROOT_PASSWORD", "POSTGRES_PASSWORD", "DB_PASS", "PGPASSWORD", "API_KEY", "JWT_SECRET",
     "WORDPRESS_AUTH_SALT", "WORDPRESS_LOGGED_IN_KEY", "accessToken", "db.password", "MYSQL_PWD",
     "SECRET_KEY", "password_v2"],
)  # fmt: skip
def test_a_secret_in_a_variable_is_known_by_the_variables_name(name: str) -> None:
    value, digest = Hider().variable(name, VALUE)
    assert value == ""
    assert digest


@pytest.mark.parametrize(
    ("name", "value"),
    [("MYSQL_PASSWORD_FILE", "/run/secrets/db_password"), ("MYSQL_DATABASE", "wordpress"),
     ("MYSQL_ALLOW_EMPTY_PASSWORD", "yes"), ("PASSWORD", ""), ("KEYBOARD", "azerty"),
     ("BYPASS", "10.0.0.0"), ("DB_PASSWORD", "/run/secrets/db_password"), ("COMPASS", "north"),
     ("POSTGRES_HOST_AUTH_METHOD", "trust"), ("DB_PASSWORD", "${DB_PASSWORD}"),
     ("REDIS_URL", "redis://redis:6379"), ("TOKEN_FILE_PATH", "/etc/token")],
)  # fmt: skip
def test_what_is_none_stays_readable(name: str, value: str) -> None:
    assert Hider().variable(name, value) == (value, "")


def test_a_password_in_a_url_is_one_whatever_the_variable_is_called() -> None:
    value, digest = Hider().variable("DATABASE", f"postgresql://shop:{VALUE}@postgres:5432/shop")
    assert (value, bool(digest)) == ("", True)


def test_equal_values_have_equal_digests_in_one_survey_only() -> None:
    one, other = Hider(), Hider()
    assert one.variable("A_PASSWORD", VALUE) == one.variable("B_TOKEN", VALUE)
    assert one.variable("A_PASSWORD", VALUE) != other.variable("A_PASSWORD", VALUE)


@pytest.mark.parametrize(
    "text",
    [f"redis-server --requirepass {VALUE}", f"mysqladmin ping -h 127.0.0.1 -p{VALUE}",
     f"redis-cli -a {VALUE} ping", f"PGPASSWORD={VALUE} pg_isready", f"password: {VALUE}",
     f"password = '{VALUE}'", f'{{"db_password": "{VALUE}"}}', f"api_key={VALUE}",
     f"amqp://admin:{VALUE}@rabbitmq:5672/", f"curl -H x --token={VALUE} http://a/",
     f"-----BEGIN PRIVATE KEY-----\n{VALUE}\n-----END PRIVATE KEY-----"],
)  # fmt: skip
def test_forms_in_which_programs_are_given_passwords(text: str) -> None:
    shown, found = Hider().text(text)
    assert VALUE not in shown
    assert HIDDEN in shown
    assert found == 1


def test_a_secret_may_be_a_word_of_its_own() -> None:
    words, found = Hider().words(["redis-server", "--requirepass", VALUE, "--port", "6379"])
    assert words == ("redis-server", "--requirepass", HIDDEN, "--port", "6379")
    assert found == 1


def test_a_switch_after_such_a_word_is_no_secret() -> None:
    words = ["app", "--token", "--verbose"]
    assert Hider().words(words) == (tuple(words), 0)


def configs() -> list[Path]:
    """What configs are made of: neither documents, nor stacks, nor programs and their packages."""
    others = {"backup", "rexray", "ecommerce"}
    files = [path for path in STACKS.rglob("*") if path.suffix not in {".md", ".yml"}]
    own = [path for path in files if not others & set(path.relative_to(STACKS).parts)]
    return sorted(path for path in [*own, *STACKS.glob("ecommerce/*/*.conf")] if path.is_file())


@pytest.mark.parametrize("path", configs(), ids=lambda path: path.name)
def test_none_of_the_repositorys_configs_shows_a_secret_but_in_comments(path: Path) -> None:
    assert Hider().text(path.read_text(encoding="utf-8"))[1] == 0
