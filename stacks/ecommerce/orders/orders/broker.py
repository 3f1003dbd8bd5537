"""RabbitMQ: how to reach it, and the queue of orders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pika
from pika.adapters.blocking_connection import BlockingChannel

QUEUE = "orders"
ARGUMENTS = {"x-queue-type": "quorum"}
"""Of a quorum queue a message is confirmed when it is written to the disks of most members."""


@contextmanager
def channel(url: str) -> Iterator[BlockingChannel]:
    """A channel on a connection of its own, with the queue there; closed at the block's end.

    Raises what `trouble` lists.
    """
    parameters = pika.URLParameters(url)
    # A broker whose node lost power, or that has no disk left, is given up after some seconds.
    parameters.heartbeat = 6
    parameters.blocked_connection_timeout = 5
    parameters.socket_timeout = 3
    parameters.stack_timeout = 6
    parameters.connection_attempts = 1
    connection = pika.BlockingConnection(parameters)
    try:
        found = connection.channel()
        found.queue_declare(QUEUE, durable=True, arguments=ARGUMENTS)
        yield found
    finally:
        if connection.is_open:
            connection.close()


TROUBLE = (pika.exceptions.AMQPError, OSError)
"""What goes wrong with a broker; `gaierror`, for its name, is an OSError."""
