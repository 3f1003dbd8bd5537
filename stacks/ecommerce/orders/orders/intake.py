"""What an order looks like that may be taken: pure functions of what a visitor has sent."""

from __future__ import annotations

import hashlib
import json
import re

MOST_ITEMS = 50
MOST_PIECES = 99
LARGEST_ID = 2**31 - 1  # PostgreSQL's int
KEY = re.compile(r"[!-~]{1,64}")


class Invalid(Exception):
    """The message says what is wrong."""


def key_of(header: str) -> str:
    """The idempotency key: by it a repeated request is known for what it is."""
    if not KEY.fullmatch(header):
        raise Invalid("The header Idempotency-Key must have 1 to 64 visible ASCII characters.")
    return header


def wanted(body: bytes) -> dict[int, int]:
    """How many pieces of which product are ordered, by product id."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise Invalid("The body must be JSON.") from None
    if not isinstance(content, dict) or set(content) != {"items"}:
        raise Invalid("The body must be one object with items and nothing else.")
    items = content["items"]
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_ITEMS:
        raise Invalid(f"items must be a list of 1 to {MOST_ITEMS}.")
    found: dict[int, int] = {}
    for item in items:
        if not isinstance(item, dict) or set(item) != {"product_id", "quantity"}:
            raise Invalid("Each item must have product_id and quantity and nothing else.")
        product = _whole(item["product_id"], "product_id", LARGEST_ID)
        if product in found:
            raise Invalid(f"items names product {product} twice.")
        found[product] = _whole(item["quantity"], "quantity", MOST_PIECES)
    return found


def _whole(value: object, what: str, largest: int) -> int:
    # In Python true is 1, and 1.0 equals it: neither is a number of pieces.
    if type(value) is not int or not 1 <= value <= largest:
        raise Invalid(f"{what} must be a whole number from 1 to {largest}.")
    return value


def fingerprint(items: dict[int, int]) -> str:
    """The same for the same order, however it was spaced or sorted."""
    return hashlib.sha256(json.dumps(sorted(items.items())).encode()).hexdigest()
