"""What gunicorn serves: `gunicorn orders.wsgi:app`, with gunicorn.conf.py beside the package."""

from __future__ import annotations

import os
from functools import partial
from threading import Event, Thread

from orders import catalogue, relay
from orders.app import create_app
from orders.database import Database
from orders.settings import secret

leaving = Event()
"""The task was told to stop: it says so, and serves those who have not heard of it."""

stop = Event()
"""The process ends: nothing more is published."""

database = Database(secret("DATABASE_URL"), size=6, name="orders")
prices = partial(catalogue.prices, os.environ.get("PRODUCTS_URL", "http://products-service:3000"))
app = create_app(database, prices, secret("JWT_SECRET"), leaving)
threads = [
    Thread(target=database.migrate_until_done, args=[stop], daemon=True),
    Thread(target=relay.run, args=[database, secret("RABBITMQ_URL"), stop], daemon=True),
]


def start() -> None:
    """In the process that serves, not in the one that watches it."""
    for thread in threads:
        thread.start()


def end() -> None:
    """Let a batch that is being published be finished and remembered."""
    stop.set()
    for thread in threads:
        thread.join(3)
    database.close()
