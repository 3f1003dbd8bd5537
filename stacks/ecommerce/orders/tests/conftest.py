"""A shop whose database and catalogue are in memory, and can be away."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import jwt
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from orders import catalogue
from orders.app import create_app
from orders.database import Item, KeyReused

SECRET = "the secret of these tests, " * 3
ANN, BOB = UUID(int=1), UUID(int=2)
PRICES = {1: 1250, 2: 850, 3: 2**31 - 1}


class Memory:
    """What `app.Orders` is, in memory."""

    def __init__(self) -> None:
        self.migrated = True
        self.away = False
        self.kept: list[dict[str, Any]] = []

    def _ask(self) -> None:
        if self.away:
            raise psycopg.OperationalError("connection to hunter2@postgres failed")

    def ping(self) -> bool:
        return self.migrated and not self.away

    def by_key(self, user: UUID, key: str, body_hash: str) -> dict[str, Any] | None:
        self._ask()
        for each in self.kept:
            if (each["user"], each["order"]["key"]) == (user, key):
                if each["hash"] != body_hash:
                    raise KeyReused
                return dict(each["order"])
        return None

    def take(
        self, user: UUID, key: str, body_hash: str, items: list[Item]
    ) -> tuple[dict[str, Any], bool]:
        if found := self.by_key(user, key, body_hash):
            return found, False
        order = {
            "id": str(uuid4()),
            "key": key,
            "status": "accepted",
            "total_cents": sum(item.quantity * item.price_cents for item in items),
            "created_at": datetime.now(UTC),
            "items": [item._asdict() for item in items],
        }
        self.kept.append({"user": user, "hash": body_hash, "order": order})
        return dict(order), True

    def of_user(self, user: UUID, most: int) -> list[dict[str, Any]]:
        self._ask()
        return [dict(each["order"]) for each in self.kept if each["user"] == user][::-1][:most]

    def one(self, user: UUID, order: UUID) -> dict[str, Any] | None:
        return next((o for o in self.of_user(user, 1000) if o["id"] == str(order)), None)


class Shop:
    """A client of the API, as somebody who has logged in."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.leaving = Event()
        self.catalogue_away = False
        self.asked_for_prices = 0
        self.client = create_app(self.memory, self.prices, SECRET, self.leaving).test_client()

    def prices(self, ids: list[int]) -> dict[int, int]:
        self.asked_for_prices += 1
        if self.catalogue_away:
            raise catalogue.Unavailable("The products service can't be asked: hunter2.")
        return {each: PRICES[each] for each in ids if each in PRICES}

    def ask(self, method: str, path: str, user: UUID | None = ANN, **how: Any) -> tuple[int, Any]:
        headers = how.pop("headers", {})
        if user is not None:
            headers = {"Authorization": f"Bearer {token(sub=str(user))}", **headers}
        answer = self.client.open(path, method=method, headers=headers, **how)
        return answer.status_code, answer.json

    def order(self, items: Any, key: str = "k", user: UUID | None = ANN) -> tuple[int, Any]:
        return self.ask(
            "POST", "/orders", user, json={"items": items}, headers={"Idempotency-Key": key}
        )


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """One as the users service makes them, but for what is said."""
    now = datetime.now(UTC)
    usual = {
        "sub": str(ANN),
        "iss": "users",
        "aud": "shop",
        "iat": now,
        "exp": now + timedelta(hours=1),
    }
    given = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return jwt.encode(given, secret, algorithm=algorithm)


@pytest.fixture
def shop() -> Shop:
    return Shop()
