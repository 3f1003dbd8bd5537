"""The API of exercise 2.9, for `myapi:latest`: it lives on while what it needs is away.

Three questions that are not one:

- ``/health/live``: does this process answer? Swarm asks this, for its only remedy is another
  container, and another container brings no database back.
- ``/health/ready``: is all there that it needs? For people, monitoring and load balancers; Swarm
  has no such question. It answers at once, from what was last seen.
- ``/health``: the lab's own, which asks database and Redis anew each time and for as long as they
  like. It is kept to show what it does as a healthcheck.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import redis
from flask import Flask, jsonify

SECRET = Path("/run/secrets/db_password")

PATIENCE_S = 2
"""Longest a connection may take, seconds; libpq knows nothing shorter."""

PERIOD_S = 1.0
STALE_S = 5.0
"""What was seen longer ago says nothing: the look after it hangs, perhaps in the name server,
whose patience no time limit of a client shortens."""

app = Flask(__name__)


def connect(**how: Any) -> Any:
    """A connection to the database, with the password where Swarm has put it."""
    password = SECRET.read_text()
    return psycopg2.connect(host="database", dbname="mydb", user="api", password=password, **how)


def look_at_database() -> None:
    """Raise whatever is wrong with the database."""
    with closing(connect(connect_timeout=PATIENCE_S)) as connection:
        connection.cursor().execute("SELECT 1")


store = redis.Redis(host="redis", socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S)


class Dependency:
    """Something the API needs, looked at every second beside the requests."""

    def __init__(self, name: str, look: Callable[[], object]) -> None:
        self.name = name
        self._look = look
        self._seen = (float("-inf"), "")
        threading.Thread(target=self._watch, name=name, daemon=True).start()

    def state(self) -> str:
        """`ok`, or what is wrong."""
        at, said = self._seen
        return said if time.monotonic() - at < STALE_S else "no answer in time"

    def _watch(self) -> None:
        while True:
            try:
                self._look()
                said = "ok"
            except Exception as error:  # noqa: BLE001 - whatever it is, it is not there
                said = f"fail: {type(error).__name__}"
            self._seen = (time.monotonic(), said)
            time.sleep(PERIOD_S)


DEPENDENCIES = (Dependency("database", look_at_database), Dependency("redis", store.ping))


@app.get("/")
def main_page() -> Any:
    """What most visitors want, and what needs nothing but this process."""
    return jsonify(api=os.uname().nodename)


@app.get("/visits")
def visits() -> Any:
    """A page that Redis makes better, and that does without."""
    try:
        return jsonify(visits=store.incr("visits"))
    except redis.RedisError:
        return jsonify(visits=None)


@app.get("/health/live")
def live() -> Any:
    """The process answers, or it doesn't."""
    return jsonify(status="alive")


@app.get("/health/ready")
def ready() -> Any:
    """All that is needed is there, or 503 and what is not."""
    checks = {each.name: each.state() for each in DEPENDENCIES}
    whole = all(said == "ok" for said in checks.values())
    return jsonify(status="ready" if whole else "not ready", checks=checks), 200 if whole else 503


@app.get("/health")
def health() -> Any:
    """The lab's own, but for the password, which stood in the program."""
    checks = {}
    try:
        connect().close()
        checks["database"] = "ok"
    except Exception:  # noqa: BLE001 - the lab's
        checks["database"] = "fail"
    try:
        redis.Redis(host="redis", port=6379).ping()
        checks["redis"] = "ok"
    except Exception:  # noqa: BLE001 - the lab's
        checks["redis"] = "fail"
    whole = all(said == "ok" for said in checks.values())
    status = "healthy" if whole else "unhealthy"
    return jsonify(status=status, checks=checks), 200 if whole else 503
