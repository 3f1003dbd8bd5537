"""From the outbox to RabbitMQ, and from there to its effect."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pika.exceptions
import pytest

from orders import relay, worker


class Channel:
    """Remembers what it is told; refuses the messages of some orders."""

    def __init__(self, refused: frozenset[str] = frozenset()) -> None:
        self.refused = refused
        self.published: list[dict[str, Any]] = []
        self.said: list[tuple[Any, ...]] = []

    def basic_publish(self, **what: Any) -> None:
        if what["properties"].message_id in self.refused:
            raise pika.exceptions.NackError([])
        self.published.append(what)

    def basic_ack(self, tag: int) -> None:
        self.said.append(("ack", tag))

    def basic_reject(self, tag: int, requeue: bool) -> None:
        self.said.append(("reject", tag, requeue))


class Outbox:
    """What `Database` is to the relay."""

    def __init__(self, orders: list[str]) -> None:
        self.waiting = dict(enumerate(orders, 1))

    @contextmanager
    def unpublished(self, most: int) -> Iterator[tuple[list[dict[str, Any]], list[int]]]:
        done: list[int] = []
        rows = [
            {"id": number, "order_id": order, "payload": {"order_id": order}}
            for number, order in list(self.waiting.items())[:most]
        ]
        try:
            yield rows, done
        finally:
            for number in done:
                del self.waiting[number]


def test_every_message_is_published_persistent_confirmed_and_to_the_queue() -> None:
    outbox, channel = Outbox(["a", "b"]), Channel()

    assert relay.carry(outbox, channel) == 2  # type: ignore[arg-type]

    assert not outbox.waiting
    assert [json.loads(each["body"])["order_id"] for each in channel.published] == ["a", "b"]
    for each in channel.published:
        assert each["properties"].delivery_mode == 2
        assert (each["exchange"], each["routing_key"], each["mandatory"]) == ("", "orders", True)


def test_what_is_refused_stays_and_what_was_confirmed_before_does_not() -> None:
    outbox, channel = Outbox(["a", "b", "c"]), Channel(refused=frozenset({"b"}))

    with pytest.raises(pika.exceptions.NackError):
        relay.carry(outbox, channel)  # type: ignore[arg-type]

    assert list(outbox.waiting.values()) == ["b", "c"]


class Effects:
    """What `Database` is to the worker."""

    def __init__(self, known: set[UUID], fails: bool = False) -> None:
        self.known = known
        self.fails = fails
        self.processed: list[UUID] = []

    def process(self, order: UUID, _: str) -> bool | None:
        if self.fails:
            raise ConnectionError
        if order not in self.known:
            return None
        if order in self.processed:
            return False
        self.processed.append(order)
        return True


def message(order: UUID) -> bytes:
    return json.dumps({"order_id": str(order)}).encode()


def test_a_message_that_comes_twice_has_its_effect_once() -> None:
    order, channel = uuid4(), Channel()
    effects = Effects({order})

    for tag in (1, 2):
        worker.work_off(effects, channel, tag, message(order), "w")  # type: ignore[arg-type]

    assert effects.processed == [order]
    assert channel.said == [("ack", 1), ("ack", 2)]


def test_nothing_is_acknowledged_whose_effect_is_not_kept() -> None:
    channel = Channel()

    with pytest.raises(ConnectionError):
        worker.work_off(Effects(set(), fails=True), channel, 1, message(uuid4()), "w")  # type: ignore[arg-type]

    assert channel.said == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"order_id": 1}',
        b'{"order_id": "x"}',
        b"\xff",
        b"[" * 10**5,
        message(uuid4()),
    ],
)
def test_what_names_no_order_is_laid_aside(body: bytes) -> None:
    channel = Channel()

    worker.work_off(Effects(set()), channel, 7, body, "w")  # type: ignore[arg-type]

    assert channel.said == [("reject", 7, False)]


class Hung:
    """A database that never answers, until it is told to."""

    def __init__(self) -> None:
        self.asked, self.answer = threading.Event(), threading.Event()

    def ping(self) -> bool:
        self.asked.set()
        return self.answer.wait(30)


def test_who_waits_for_the_database_keeps_no_one_else_waiting() -> None:
    database = Hung()
    state = worker.State(database)  # type: ignore[arg-type]
    state.consuming = state.has_consumed = True

    with worker.operators(state, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def ask(path: str) -> int:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{server.server_port}{path}", timeout=3
            ) as answer:
                return int(answer.status)

        waiting = threading.Thread(target=ask, args=["/ready"])
        waiting.start()
        try:
            assert database.asked.wait(3)
            assert ask("/started") == 200
        finally:
            database.answer.set()
            waiting.join()
            server.shutdown()
