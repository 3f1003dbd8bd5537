"""What the exercises rely on of the lab's myapi:latest: a runtime whose application is a file."""

from __future__ import annotations

import json

import pytest

from tests.images.containers import Containers, Running

IMAGE = "myapi:latest"
PLACE = "/app/app.py"
APPLICATION = """
import flask, os, psycopg2, redis, yaml

app = flask.Flask(__name__)

@app.route("/")
def about():
    return {"user": os.getuid(), "peer": flask.request.remote_addr}
"""
READY = ("curl", "-fs", "http://127.0.0.1:8080/")


@pytest.fixture(scope="module")
def api(shared: Containers) -> Running:
    """A small application, served."""
    return shared.ready(shared.start(IMAGE, files={PLACE: APPLICATION}), *READY)


def test_an_application_is_served_to_other_containers(containers: Containers, api: Running) -> None:
    other = containers.start(IMAGE, "curl", "-fs", f"http://{api.address}:8080/")
    assert other.end() == 0
    assert json.loads(other.logs)["user"] == 1000


def test_without_an_application_it_ends_and_says_why(containers: Containers) -> None:
    code, said = containers.refused(IMAGE, {})
    assert code != 0
    assert "No module named 'app'" in said


def test_another_command_runs_as_it_is(containers: Containers) -> None:
    running = containers.start(IMAGE, "python3", "-c", "import ssl; print(ssl.OPENSSL_VERSION)")
    assert running.end() == 0
    assert running.logs.startswith("OpenSSL 3.")


def test_it_stops_when_told(api: Running) -> None:
    assert api.stop() == 0
