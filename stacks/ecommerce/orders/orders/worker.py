"""Works orders off that come from RabbitMQ: `python3 -m orders.worker`."""

from __future__ import annotations

import json
import logging
import logging.config
import signal
import socket
import sys
from socketserver import ThreadingMixIn
from threading import Event, Thread
from typing import Any
from uuid import UUID
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import psycopg
from flask import Flask
from pika.adapters.blocking_connection import BlockingChannel

from orders import broker, logs, metrics, operations
from orders.database import Database, cause
from orders.settings import Unusable, number, secret

log = logging.getLogger("orders-worker")

PREFETCH = 16
LOOK_UP_S = 0.5
AGAIN_S = 1.0


def order_of(body: bytes) -> UUID | None:
    """The order that a message names; None when it names none."""
    try:
        return UUID(json.loads(body)["order_id"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def work_off(database: Database, channel: BlockingChannel, tag: int, body: bytes, me: str) -> None:
    """Have the effect of a message committed, then acknowledge it; never the other way round."""
    order = order_of(body)
    effect = None if order is None else database.process(order, me)
    if effect is None:
        # Nobody will ever be able to read it, or it is of a database that is no longer there.
        metrics.UNREADABLE.inc()
        log.error("A message names no order.")
        channel.basic_reject(tag, requeue=False)
        return
    (metrics.PROCESSED if effect else metrics.REDELIVERED).inc()
    channel.basic_ack(tag)
    log.info("order", extra={"fields": {"order_id": str(order), "first": effect}})


class State:
    """What this process has."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.leaving = Event()
        self.consuming = False
        self.has_consumed = False

    def missing(self) -> list[str]:
        """What it lacks now."""
        here = {"database": self.database.ping(), "rabbitmq": self.consuming}
        return [name for name, there in here.items() if not there]


def consume(state: State, url: str) -> None:
    """Until told to stop; what is away is tried again, what was not acknowledged comes again."""
    me = socket.gethostname()
    while not state.leaving.is_set():
        try:
            with broker.channel(url) as channel:
                channel.basic_qos(prefetch_count=PREFETCH)
                state.consuming = state.has_consumed = True
                log.info("Waiting for orders.")
                for method, _, body in channel.consume(broker.QUEUE, inactivity_timeout=LOOK_UP_S):
                    if method is not None:
                        work_off(state.database, channel, method.delivery_tag, body, me)
                    if state.leaving.is_set():
                        channel.cancel()  # what was fetched and not begun goes back
                        return
        except (*broker.TROUBLE, psycopg.Error) as error:
            log.warning("Orders can't be worked off.", extra={"fields": {"reason": cause(error)}})
            state.consuming = False
            state.leaving.wait(AGAIN_S)


class Silent(WSGIRequestHandler):
    """Operators' questions are not logged."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Server(ThreadingMixIn, WSGIServer):
    """Swarm's check asks here, too: it does not wait behind a question to a database that hangs."""

    daemon_threads = True


def operators(state: State, port: int) -> Server:
    """What operators ask of this process; port 0 is one that is free."""
    app = Flask(__name__)
    started = lambda: state.has_consumed  # noqa: E731 # a property as a function
    app.register_blueprint(operations.blueprint(started, state.missing, state.leaving))
    return make_server("", port, app, server_class=Server, handler_class=Silent)


def main() -> int:
    """Serve operators, and work until SIGTERM."""
    logging.config.dictConfig(logs.CONFIGURATION)
    try:
        url = secret("RABBITMQ_URL")
        database = Database(secret("DATABASE_URL"), size=2, name="orders-worker")
        port = int(number("PORT", 5000, 65535))
    except Unusable as error:
        log.error("The settings can't be used.", extra={"fields": {"reason": str(error)}})
        return 2
    state = State(database)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: state.leaving.set())

    server = operators(state, port)
    Thread(target=server.serve_forever, daemon=True).start()

    database.migrate_until_done(state.leaving)
    consume(state, url)
    log.info("Stopped.")
    server.shutdown()
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
