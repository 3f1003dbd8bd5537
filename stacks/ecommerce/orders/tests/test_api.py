"""What becomes of an order, as a visitor sees it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from conftest import ANN, BOB, Shop, token

ONE = [{"product_id": 1, "quantity": 2}]


def test_an_order_is_taken_shown_and_listed(shop: Shop) -> None:
    code, taken = shop.order([*ONE, {"product_id": 2, "quantity": 1}])

    assert code == 201
    assert (taken["status"], taken["total_cents"], taken["key"]) == ("accepted", 3350, "k")
    assert {"product_id": 1, "quantity": 2, "price_cents": 1250} in taken["items"]
    assert shop.ask("GET", f"/orders/{taken['id']}") == (200, taken)
    second = shop.order(ONE, key="l")[1]
    assert shop.ask("GET", "/orders") == (200, {"orders": [second, taken]})


def test_the_same_order_with_the_same_key_is_one_order(shop: Shop) -> None:
    first = shop.order([*ONE, {"product_id": 2, "quantity": 1}])[1]
    shop.catalogue_away = True

    # Also in another order of its items, and while nobody could be asked for a price.
    assert shop.order([{"product_id": 2, "quantity": 1}, *ONE]) == (200, first)
    assert len(shop.memory.kept) == 1


def test_another_order_with_a_used_key_is_refused(shop: Shop) -> None:
    shop.order(ONE)

    code, content = shop.order([{"product_id": 1, "quantity": 3}])

    assert (code, content["error"]) == (409, "key_reused")
    assert len(shop.memory.kept) == 1


def test_keys_are_each_users_own(shop: Shop) -> None:
    anns = shop.order(ONE)[1]

    assert shop.order(ONE, user=BOB)[0] == 201
    assert shop.ask("GET", f"/orders/{anns['id']}", BOB)[0] == 404
    assert len(shop.ask("GET", "/orders", BOB)[1]["orders"]) == 1


WRONG_ITEMS = {
    "nothing": None,
    "none": [],
    "an object": {"product_id": 1, "quantity": 1},
    "51": [{"product_id": n, "quantity": 1} for n in range(1, 52)],
    "null": [None],
    "a list": [[1, 1]],
    "no quantity": [{"product_id": 1}],
    "a price of one's own": [{"product_id": 1, "quantity": 1, "price_cents": 1}],
    "a quantity of none": [{"product_id": 1, "quantity": 0}],
    "a negative one": [{"product_id": 1, "quantity": -1}],
    "100 pieces": [{"product_id": 1, "quantity": 100}],
    "beyond any number": [{"product_id": 1, "quantity": 10**400}],
    "half a piece": [{"product_id": 1, "quantity": 0.5}],
    "one, as a float": [{"product_id": 1, "quantity": 1.0}],
    "true": [{"product_id": 1, "quantity": True}],
    "digits as text": [{"product_id": "1", "quantity": 1}],
    "injected": [{"product_id": "1; DROP TABLE orders", "quantity": 1}],
    "an id that no table has": [{"product_id": 2**31, "quantity": 1}],
    "no product of the shop": [{"product_id": 4711, "quantity": 1}],
    "twice the same": [*ONE, *ONE],
}


@pytest.mark.parametrize("items", WRONG_ITEMS.values(), ids=WRONG_ITEMS)
def test_what_is_no_order_is_refused_and_not_stored(shop: Shop, items: Any) -> None:
    code, content = shop.order(items)

    assert (code, content["error"]) == (422, "invalid")
    assert content["message"].endswith(".")
    assert not shop.memory.kept


WRONG_BODIES = {
    "empty": b"",
    "no JSON": b"{'items': []}",
    "a list": b"[]",
    "text": b'"items"',
    "more than items": json.dumps({"items": ONE, "user_id": str(BOB)}).encode(),
    "no UTF-8": b'{"items": "\xff"}',
    "deep": b"[" * 60_000,
    "more digits than Python reads": b'{"items": [{"product_id": 1, "quantity": '
    + b"9" * 5000
    + b"}]}",
    "no number": b'{"items": [{"product_id": 1, "quantity": NaN}]}',
}


@pytest.mark.parametrize("body", WRONG_BODIES.values(), ids=WRONG_BODIES)
def test_a_body_that_can_not_be_read(shop: Shop, body: bytes) -> None:
    code, content = shop.ask("POST", "/orders", data=body, headers={"Idempotency-Key": "k"})

    assert (code, content["error"]) == (422, "invalid")


def test_a_body_that_is_too_large(shop: Shop) -> None:
    body = b'{"items": [' + b" " * 65_536 + b"]}"

    code, content = shop.ask("POST", "/orders", data=body, headers={"Idempotency-Key": "k"})

    assert (code, content["error"]) == (413, "too_large")
    assert not shop.memory.kept


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 65, "\u00e9", "a\tb"])
def test_a_key_that_is_none(shop: Shop, key: str) -> None:
    assert shop.order(ONE, key=key)[0] == 422
    assert shop.ask("POST", "/orders", json={"items": ONE})[0] == 422
    assert not shop.memory.kept


def test_keys_that_may_be(shop: Shop) -> None:
    for key in ("k" * 64, "'; DROP TABLE orders; --".replace(" ", "_"), "%00"):
        assert shop.order(ONE, key=key)[0] == 201


NOW = datetime.now(UTC)
UNBELIEVED = {
    "nothing": "",
    "no scheme": token(),
    "another scheme": f"Basic {token()}",
    "no token": "Bearer x.y.z",
    "another secret": f"Bearer {token('another secret of these tests, ' * 3)}",
    "another algorithm": f"Bearer {token(algorithm='HS512')}",
    "no algorithm": f"Bearer {token('', algorithm='none')}",
    "at its end": f"Bearer {token(exp=NOW - timedelta(seconds=1))}",
    "without an end": f"Bearer {token(exp=None)}",
    "another's": f"Bearer {token(iss='somebody')}",
    "for another shop": f"Bearer {token(aud='bank')}",
    "for nobody": f"Bearer {token(sub=None)}",
    "for no id": f"Bearer {token(sub='1 OR 1=1')}",
}


@pytest.mark.parametrize("header", UNBELIEVED.values(), ids=UNBELIEVED)
def test_who_is_not_believed(shop: Shop, header: str) -> None:
    headers = {"Authorization": header, "Idempotency-Key": "k"}

    for method, path in (("POST", "/orders"), ("GET", "/orders"), ("GET", f"/orders/{uuid4()}")):
        code, content = shop.ask(method, path, None, json={"items": ONE}, headers=headers)
        assert (code, content["error"]) == (401, "unauthorized")
    assert not shop.memory.kept


def test_a_token_from_a_clock_that_is_ahead_is_believed(shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {token(iat=NOW + timedelta(seconds=30))}"}

    assert shop.ask("GET", "/orders", None, headers=headers)[0] == 200


def test_nothing_is_acknowledged_that_can_not_be_kept_or_priced(shop: Shop) -> None:
    shop.catalogue_away = True
    refused = [shop.order(ONE)]
    shop.catalogue_away, shop.memory.away = False, True
    refused += [shop.order(ONE), shop.ask("GET", "/orders")]

    for code, content in refused:
        assert (code, content["error"]) == (503, "unavailable")
        assert "hunter2" not in json.dumps(content)
    assert not shop.memory.kept
    shop.memory.away = False
    assert shop.order(ONE)[0] == 201


def test_what_is_not_there(shop: Shop) -> None:
    for path in ("/", "/orders/", "/orders/1", "/orders/%00", f"/orders/{uuid4()}/items"):
        assert shop.ask("GET", path)[0] == 404, path
    assert shop.ask("GET", f"/orders/{uuid4()}")[0] == 404
    code, content = shop.ask("DELETE", "/orders")
    assert (code, content["error"]) == (405, "method")


def test_a_mistake_of_ours_is_told_without_its_words(shop: Shop) -> None:
    shop.memory.kept.append({"user": ANN})

    code, content = shop.ask("GET", "/orders")

    assert (code, content) == (
        500,
        {"error": "failed", "message": "The service has made a mistake."},
    )


def test_what_operators_ask(shop: Shop) -> None:
    assert [shop.ask("GET", f"/{path}", None)[0] for path in ("health", "started", "ready")] == [
        200
    ] * 3
    shop.memory.away = True
    assert [shop.ask("GET", f"/{path}", None)[0] for path in ("health", "started", "ready")] == [
        *(200, 200, 503)
    ]
    assert shop.ask("GET", "/ready", None)[1]["missing"] == ["database"]
    shop.memory.migrated = False
    assert shop.ask("GET", "/started", None)[0] == 503
    shop.memory.away, shop.memory.migrated = False, True
    shop.leaving.set()
    assert shop.ask("GET", "/ready", None)[1]["missing"] == ["service"]
    assert shop.order(ONE)[0] == 201


def test_metrics_name_routes_not_paths(shop: Shop) -> None:
    shop.ask("GET", f"/orders/{uuid4()}")
    shop.ask("GET", "/no/such/address")

    text = shop.client.get("/metrics").text

    assert 'http_requests_total{code="404",method="GET",route="/orders/{id}"}' in text
    assert 'http_requests_total{code="404",method="GET",route="unmatched"}' in text
    assert "no/such" not in text
