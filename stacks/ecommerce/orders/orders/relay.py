"""Carries kept orders from the outbox to RabbitMQ, in every replica; each by one of them."""

from __future__ import annotations

import json
import logging
from threading import Event
from typing import Any

import pika
import psycopg
from pika.adapters.blocking_connection import BlockingChannel

from orders import broker, metrics
from orders.database import Database, cause

log = logging.getLogger(__name__)

AT_ONCE = 50
IDLE_S = 0.5
AGAIN_S = 1.0


def publish(channel: BlockingChannel, message: dict[str, Any]) -> None:
    """Return when the broker has confirmed that it keeps the message; raise otherwise."""
    channel.basic_publish(
        exchange="",
        routing_key=broker.QUEUE,
        body=json.dumps(message["payload"]).encode(),
        properties=pika.BasicProperties(
            content_type="application/json",
            delivery_mode=pika.DeliveryMode.Persistent.value,
            message_id=str(message["order_id"]),
        ),
        mandatory=True,
    )


def carry(database: Database, channel: BlockingChannel) -> int:
    """Publish the oldest messages, and remember which; how many there were.

    Who dies between the broker's confirmation and the commit leaves a message that is published
    twice: the worker knows orders that it has worked off.
    """
    with database.unpublished(AT_ONCE) as (messages, done):
        for message in messages:
            publish(channel, message)
            done.append(message["id"])
            metrics.PUBLISHED.inc()
    return len(messages)


def run(database: Database, url: str, stop: Event) -> None:
    """Until told to stop; whatever is away is tried again."""
    while not stop.is_set():
        try:
            if not database.migrated:
                stop.wait(IDLE_S)
                continue
            metrics.UNPUBLISHED.set(database.count_unpublished())
            with broker.channel(url) as channel:
                channel.confirm_delivery()
                log.info("RabbitMQ is there.")
                while not stop.is_set():
                    if carry(database, channel) < AT_ONCE:
                        metrics.UNPUBLISHED.set(database.count_unpublished())
                        # Waits, and answers the broker's heartbeats meanwhile.
                        channel.connection.process_data_events(IDLE_S)
        except (*broker.TROUBLE, psycopg.Error) as error:
            log.warning("Orders can't be published.", extra={"fields": {"reason": cause(error)}})
            stop.wait(AGAIN_S)
