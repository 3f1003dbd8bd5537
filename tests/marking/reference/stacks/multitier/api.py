"""The API of the multi-tier application: its key and its login at the database lie in files.

They are read once, when it starts: what is in a secret or a config can't change while a container
lives.
"""

import hmac
import os
import time
from contextlib import closing
from pathlib import Path

import psycopg2
from flask import Flask, abort, jsonify, request

app = Flask(__name__)
KEY = Path(os.environ["API_KEY_FILE"]).read_bytes()
USER = Path(os.environ["DB_USER_FILE"]).read_text().strip()
PASSWORD = Path(os.environ["DB_PASSWORD_FILE"]).read_text()
SLOW_S = 1.0


def asked(statement):
    """The first row that the database answers; every call logs in anew."""
    with (
        closing(
            psycopg2.connect(
                host=os.environ["DB_HOST"],
                dbname=os.environ["DB_NAME"],
                user=USER,
                password=PASSWORD,
                connect_timeout=8,
            )
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
        return cursor.fetchone()


@app.get("/health")
def health():
    """Liveness: this process answers. A database that is away is no reason to replace it."""
    return "alive\n"


@app.get("/ready")
def ready():
    """Whether the database lets it in, now."""
    try:
        asked("SELECT 1")
    except psycopg2.Error:
        return "the database does not let me in\n", 503
    return "ready\n"


@app.get("/slow")
def slow():
    """An answer that takes a second: one that is under way while a container is replaced."""
    time.sleep(SLOW_S)
    return "at last\n"


@app.get("/items")
def items():
    """How many items there are, and who asked the database; for those who have the key."""
    # In constant time: how long a refusal takes tells nothing of the key.
    if not hmac.compare_digest(request.headers.get("X-API-Key", "").encode(), KEY):
        abort(401)
    user, count = asked("SELECT session_user, count(*) FROM item")
    return jsonify(user=user, items=count)
