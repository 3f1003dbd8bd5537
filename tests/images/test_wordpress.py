"""The contract of wordpress:latest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_swarmlab.swarm.cluster import Node
from tests.images.containers import Containers, Running
from tests.images.database import FILES, USER_PASSWORD

IMAGE = "wordpress:latest"
SITE = "/var/www/html"
CONTENT = f"{SITE}/wp-content"
KEYS = ["AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE"]
SALTS = [f"{name}_{kind}" for kind in ("KEY", "SALT") for name in KEYS]
READY = (
    "curl",
    "--silent",
    "--show-error",
    "--output",
    "/dev/null",
    "http://127.0.0.1/readme.html",
)

EFFECTIVE = """
mkdir("/tmp/empty");
touch("/tmp/empty/wp-settings.php");
define("ABSPATH", "/tmp/empty/");
require "/var/www/html/wp-config.php";
$seen = get_defined_constants(true)["user"];
$seen["table_prefix"] = $table_prefix;
echo json_encode($seen);
"""
"""PHP that tells what wp-config.php defines, without starting WordPress."""


def configured(running: Running, **env: str) -> dict[str, Any]:
    """What wp-config.php makes of the container's environment, and of `env` besides."""
    said = running.run("php", "-r", EFFECTIVE, user="www-data", env=env)
    found: dict[str, Any] = json.loads(said)
    running.run("rm", "-r", "/tmp/empty")
    return found


def fetch(node: Node, running: Running, path: str, *options: str) -> str:
    """A page, as a client gets it: headers, then body."""
    url = f"http://{running.address}{path}"
    return node.run("curl", "-sS", "-i", "--max-time", "60", *options, url).stdout


@pytest.fixture(scope="module")
def site(shared: Containers, database: Running) -> Running:
    """A WordPress on the database, with a volume for its content, configured as the lab does."""
    volume = shared.volume()
    running = shared.start(
        IMAGE,
        env={
            "WORDPRESS_DB_HOST": f"{database.address}:3306",
            "WORDPRESS_DB_USER": "wordpress",
            "WORDPRESS_DB_PASSWORD_FILE": "/run/secrets/db_password",
            "WORDPRESS_DB_NAME": "wordpress",
        },
        volumes={volume: CONTENT},
        files={"/run/secrets/db_password": FILES["/run/secrets/db_password"]},
    )
    return shared.ready(running, *READY)


@pytest.fixture(scope="module")
def other(shared: Containers) -> Running:
    """A second one, without a database, two of its keys given, and a volume with content."""
    volume = shared.volume()
    prepared = shared.start(
        IMAGE,
        "sh",
        "-c",
        "mkdir -p themes/mine themes/twentytwentyfive; echo mine > themes/twentytwentyfive/own.css",
        volumes={volume: SITE},
    )
    assert prepared.end() == 0
    shared.remove(prepared)
    running = shared.start(
        IMAGE,
        env={
            "WORDPRESS_AUTH_KEY": "shared key",
            "WORDPRESS_NONCE_SALT_FILE": "/run/secrets/salt",
        },
        volumes={volume: CONTENT},
        files={"/run/secrets/salt": "shared salt\n"},
    )
    return shared.ready(running, *READY)


def test_the_database_comes_from_environment_and_files(site: Running, database: Running) -> None:
    found = configured(site)
    assert found["DB_HOST"] == f"{database.address}:3306"
    assert (found["DB_USER"], found["DB_NAME"]) == ("wordpress", "wordpress")
    assert found["DB_PASSWORD"] == USER_PASSWORD
    assert found["table_prefix"] == "wp_"


def test_what_is_not_set_has_the_official_default(other: Running) -> None:
    found = configured(other)
    assert (found["DB_HOST"], found["DB_NAME"]) == ("mysql", "wordpress")


def test_prefix_debugging_and_extra_settings_are_taken(other: Running) -> None:
    assert configured(other)["WP_DEBUG"] is False
    found = configured(
        other,
        WORDPRESS_TABLE_PREFIX="lab_",
        WORDPRESS_DEBUG="1",
        WORDPRESS_CONFIG_EXTRA="define('WP_POST_REVISIONS', 7);",
    )
    assert found["table_prefix"] == "lab_"
    assert found["WP_DEBUG"] is True
    assert found["WP_POST_REVISIONS"] == 7


def test_salts_are_each_containers_own_unless_set(site: Running, other: Running) -> None:
    one, two = configured(site), configured(other)
    assert two["AUTH_KEY"] == "shared key"
    assert two["NONCE_SALT"] == "shared salt"
    left = [name for name in SALTS if name not in {"AUTH_KEY", "NONCE_SALT"}]
    made_up = [one[name] for name in SALTS] + [two[name] for name in left]
    assert len(set(made_up)) == len(made_up)
    assert all(len(salt) >= 40 for salt in made_up)


def test_an_empty_volume_is_populated(site: Running) -> None:
    owners = site.run("stat", "-c", "%u:%g", SITE, CONTENT, f"{CONTENT}/themes").split()
    assert owners == ["33:33"] * 3
    site.run("test", "-s", f"{CONTENT}/index.php")
    site.run("sh", "-c", f"test -s {CONTENT}/themes/*/style.css", user="www-data")


def test_content_that_is_there_already_is_kept(other: Running) -> None:
    assert other.run("cat", f"{CONTENT}/themes/twentytwentyfive/own.css") == "mine"
    other.run("test", "!", "-e", f"{CONTENT}/themes/twentytwentyfive/style.css")
    other.run("test", "-d", f"{CONTENT}/themes/mine")
    other.run("test", "-s", f"{CONTENT}/index.php")


def test_it_is_installed_over_http_and_serves_pages(node: Node, site: Running) -> None:
    assert "/wp-admin/install.php" in fetch(node, site, "/")
    fields = {
        "weblog_title": "Stand-in",
        "user_name": "admin",
        "admin_password": "correct horse",
        "admin_password2": "correct horse",
        "pw_weak": "1",
        "admin_email": "admin@example.org",
        "Submit": "Install",
    }
    form = [
        word for name, value in fields.items() for word in ("--data-urlencode", f"{name}={value}")
    ]
    assert "Success!" in fetch(node, site, "/wp-admin/install.php?step=2", *form)
    front = fetch(node, site, "/")
    assert front.startswith("HTTP/1.1 200")
    assert "<title>Stand-in</title>" in front
    assert "Hello world!" in fetch(node, site, "/?p=1", "--location")


def test_a_picture_can_be_written_and_is_served(node: Node, site: Running) -> None:
    uploads = f"{CONTENT}/uploads"
    site.run("mkdir", "-p", uploads, user="www-data")
    site.run(
        "php",
        "-r",
        "$image = imagecreatetruecolor(8, 8);"
        f'imagejpeg($image, "{uploads}/a.jpg"); imagepng($image, "{uploads}/a.png");',
        user="www-data",
    )
    for name, kind in (("a.jpg", "image/jpeg"), ("a.png", "image/png")):
        assert f"Content-Type: {kind}" in fetch(node, site, f"/wp-content/uploads/{name}", "--head")


def test_without_its_database_it_says_so(node: Node, other: Running) -> None:
    answer = fetch(node, other, "/")
    assert answer.startswith("HTTP/1.1 500")
    assert "database connection" in answer


def test_it_stops_when_told_and_its_keys_outlive_a_restart(
    shared: Containers, site: Running
) -> None:
    before = configured(site)
    assert site.stop() == 0
    site.container.start()
    shared.ready(site, *READY)
    assert {name: configured(site)[name] for name in SALTS} == {n: before[n] for n in SALTS}
    assert site.logs.count("has been successfully copied") == 1


def test_another_command_runs_as_it_is(containers: Containers) -> None:
    running = containers.start(IMAGE, "sh", "-c", "ls | wc -l")
    assert running.end() == 0
    assert running.logs.strip() == "0"
