"""Orders in PostgreSQL. What is committed here is kept; nothing else is acknowledged."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

log = logging.getLogger(__name__)

MIGRATION_LOCK = 2103
"""The key of PostgreSQL's advisory lock under which this service alone migrates its tables."""

MIGRATIONS = (
    """
    CREATE TABLE orders (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL,
        key text NOT NULL,
        body_hash text NOT NULL,
        total_cents bigint NOT NULL CHECK (total_cents > 0),
        status text NOT NULL DEFAULT 'accepted' CHECK (status IN ('accepted', 'processed')),
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (user_id, key)
    );
    CREATE INDEX orders_newest ON orders (user_id, created_at DESC);
    CREATE TABLE order_items (
        order_id uuid NOT NULL REFERENCES orders,
        product_id int NOT NULL,
        quantity int NOT NULL CHECK (quantity BETWEEN 1 AND 99),
        price_cents int NOT NULL CHECK (price_cents > 0),
        PRIMARY KEY (order_id, product_id)
    );
    CREATE TABLE outbox (
        id bigserial PRIMARY KEY,
        order_id uuid NOT NULL REFERENCES orders,
        payload jsonb NOT NULL,
        published_at timestamptz
    );
    CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
    CREATE TABLE processed (
        order_id uuid PRIMARY KEY REFERENCES orders,
        processed_at timestamptz NOT NULL DEFAULT now(),
        worker text NOT NULL
    );
    """,
)
"""Version n of the schema is made by the n-th. What has been released is never changed."""


Order = dict[str, Any]


class Item(NamedTuple):
    """Some pieces of one product; the price is of one piece, when it was ordered."""

    product_id: int
    quantity: int
    price_cents: int


class KeyReused(Exception):
    """The user has sent another order with this key before."""


class Database:
    """A pool of connections; it connects in the background and again after every loss."""

    def __init__(self, url: str, size: int, name: str) -> None:
        self.migrated = False
        self._pool: ConnectionPool[psycopg.Connection[dict[str, Any]]] = ConnectionPool(
            url,
            min_size=1,
            max_size=size,
            timeout=3,
            # One connection at a time, and not given up too soon: those that are, again and again,
            # would keep a database busy that has just come back.
            num_workers=1,
            reconnect_timeout=10,
            # One question more, and no visitor finds a connection to a database that has moved.
            check=ConnectionPool.check_connection,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "application_name": name,
                "connect_timeout": 5,
                # An answer that doesn't come, because the node lost power, ends the connection.
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 2,
                "tcp_user_timeout": 5000,
                "options": "-c statement_timeout=3000 -c synchronous_commit=on"
                " -c idle_in_transaction_session_timeout=15000",
            },
            open=True,
        )

    def close(self) -> None:
        """End all connections."""
        self._pool.close()

    def ping(self) -> bool:
        """Whether the schema is there and the database answers now."""
        try:
            with self._pool.connection(timeout=1) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return self.migrated

    def migrate_until_done(self, stop: Event) -> None:
        """Try every second while the database isn't there."""
        while not self.migrated and not stop.is_set():
            try:
                self.migrate()
            except psycopg.Error as error:
                log.warning(
                    "The database is not ready.", extra={"fields": {"reason": cause(error)}}
                )
                stop.wait(1)

    def migrate(self) -> None:
        """Bring the schema to its newest version, once, however many replicas try.

        Who comes second waits for the lock and finds nothing to do. The table says who did it.
        """
        with self._pool.connection() as connection, connection.transaction():
            connection.execute("SET LOCAL statement_timeout = '30s'")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
            connection.execute(
                "CREATE TABLE IF NOT EXISTS orders_schema (version int PRIMARY KEY,"
                " applied_at timestamptz NOT NULL DEFAULT now(), applied_by text NOT NULL)"
            )
            done = _one(
                connection.execute("SELECT coalesce(max(version), 0) AS n FROM orders_schema")
            )["n"]
            for version, script in enumerate(MIGRATIONS[done:], done + 1):
                connection.execute(script)
                connection.execute(
                    "INSERT INTO orders_schema (version, applied_by) VALUES (%s, %s)",
                    [version, socket.gethostname()],
                )
                log.info("The schema was migrated.", extra={"fields": {"version": version}})
        self.migrated = True

    def by_key(self, user: UUID, key: str, body_hash: str) -> Order | None:
        """The order that the user has sent with this key before; `KeyReused` if it was another."""
        found = self._orders("user_id = %s AND key = %s", [user, key], 1)
        if not found:
            return None
        if found[0]["body_hash"] != body_hash:
            raise KeyReused
        return _without_hash(found[0])

    def take(self, user: UUID, key: str, body_hash: str, items: list[Item]) -> tuple[Order, bool]:
        """The order, and whether it is new, when it is committed: with its message, or not at all.

        Of two requests with one key that come at once, the second waits for the first at the
        unique constraint and gets its order.
        """
        order, total = uuid4(), sum(item.quantity * item.price_cents for item in items)
        with self._pool.connection() as connection:
            # One statement is one transaction, and one way to the database and back.
            new = connection.execute(
                "WITH taken AS ("
                " INSERT INTO orders (id, user_id, key, body_hash, total_cents)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (user_id, key) DO NOTHING"
                " RETURNING id, created_at),"
                "kept AS (INSERT INTO order_items SELECT id, item.* FROM taken,"
                " unnest(%s::int[], %s::int[], %s::int[]) AS item),"
                "told AS (INSERT INTO outbox (order_id, payload) SELECT id, %s FROM taken)"
                "SELECT created_at FROM taken",
                [
                    *(order, user, key, body_hash, total),
                    *([list(column) for column in zip(*items, strict=True)]),
                    Jsonb({"order_id": str(order), "total_cents": total}),
                ],
            ).fetchone()
        if new is None:
            found = self.by_key(user, key, body_hash)
            if found is None:
                raise psycopg.InternalError("an order in whose way another one was is not there")
            return found, False
        listed = [item._asdict() for item in sorted(items)]
        accepted = {"id": str(order), "key": key, "status": "accepted", "total_cents": total}
        return {**accepted, "created_at": new["created_at"], "items": listed}, True

    def of_user(self, user: UUID, most: int) -> list[Order]:
        """The user's orders, newest first."""
        return [_without_hash(each) for each in self._orders("user_id = %s", [user], most)]

    def one(self, user: UUID, order: UUID) -> Order | None:
        """One order of the user's; None also for somebody else's."""
        found = self._orders("user_id = %s AND id = %s", [user, order], 1)
        return _without_hash(found[0]) if found else None

    def _orders(self, condition: str, values: list[Any], most: int) -> list[Order]:
        with self._pool.connection() as connection:
            return connection.execute(
                "SELECT id::text, key, status, total_cents, created_at, body_hash, ("  # noqa: S608
                "  SELECT jsonb_agg(jsonb_build_object('product_id', product_id, 'quantity',"
                "    quantity, 'price_cents', price_cents) ORDER BY product_id)"
                "  FROM order_items WHERE order_id = orders.id) AS items"
                # S608: the condition is one of three in this class.
                f" FROM orders WHERE {condition} ORDER BY created_at DESC, id LIMIT %s",
                [*values, most],
            ).fetchall()

    @contextmanager
    def unpublished(self, most: int) -> Iterator[tuple[list[dict[str, Any]], list[int]]]:
        """The oldest unpublished messages, and a list for the ids of those that get published.

        They are this replica's alone until the block ends; also after an error what is in the list
        is remembered.
        """
        done: list[int] = []
        with self._pool.connection() as connection, connection.transaction():
            rows = connection.execute(
                "SELECT id, order_id, payload FROM outbox WHERE published_at IS NULL"
                " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
                [most],
            ).fetchall()
            failed: Exception | None = None
            try:
                yield rows, done
            except Exception as error:  # noqa: BLE001 # raised again, when what was done is kept
                failed = error
            if done:
                connection.execute(
                    "UPDATE outbox SET published_at = now() WHERE id = ANY(%s)", [done]
                )
        if failed is not None:
            raise failed

    def count_unpublished(self) -> int:
        """How many messages nobody has published yet."""
        with self._pool.connection() as connection:
            row = connection.execute("SELECT count(*) AS n FROM outbox WHERE published_at IS NULL")
            return int(_one(row)["n"])

    def process(self, order: UUID, worker: str) -> bool | None:
        """Work an order off, once, however often its message comes.

        True: done now. False: it was done before. None: there is no such order.
        """
        with self._pool.connection() as connection, connection.transaction():
            known = connection.execute("SELECT 1 FROM orders WHERE id = %s", [order]).fetchone()
            if known is None:
                return None
            first = connection.execute(
                "INSERT INTO processed (order_id, worker) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [order, worker],
            )
            if first.rowcount:
                connection.execute("UPDATE orders SET status = 'processed' WHERE id = %s", [order])
            return bool(first.rowcount)


def _without_hash(order: Order) -> Order:
    return {name: value for name, value in order.items() if name != "body_hash"}


def _one(cursor: Any) -> dict[str, Any]:
    row: dict[str, Any] = cursor.fetchone()
    return row


def cause(error: BaseException) -> str:
    """What may be logged of a database's error: its class, never the values of a statement."""
    return getattr(error, "sqlstate", None) or type(error).__name__
