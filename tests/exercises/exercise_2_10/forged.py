"""Tokens that the shop must refuse, as a stranger would make them, and a valid one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

HOUR_S = 3600


def tokens(secret: str, user: str) -> dict[str, str]:
    """Defect → token. `good` is as the users' service makes them."""
    now = int(time.time())
    claims = {"sub": user, "iss": "users", "aud": "shop", "iat": now, "exp": now + HOUR_S}
    old = {**claims, "iat": now - 2 * HOUR_S, "exp": now - HOUR_S}
    good = signed(claims, secret)
    head, _, signature = good.split(".")
    changed = _part({**claims, "sub": "00000000-0000-4000-8000-000000000000"})
    return {
        "good": good,
        "expired": signed(old, secret),
        "forged": signed(claims, f"{secret[:-1]}!"),
        "changed": f"{head}.{changed}.{signature}",
        "unsigned": signed(claims, secret, "none"),
        "for another": signed({**claims, "aud": "elsewhere"}, secret),
        "of another": signed({**claims, "iss": "elsewhere"}, secret),
        "endless": signed({k: v for k, v in claims.items() if k != "exp"}, secret),
        "no token": "no token",
    }


def signed(claims: Mapping[str, Any], secret: str, algorithm: str = "HS256") -> str:
    """A JSON Web Token (RFC 7519) with these claims; `none` signs nothing."""
    words = f"{_part({'alg': algorithm, 'typ': 'JWT'})}.{_part(claims)}"
    if algorithm == "none":
        return f"{words}."
    made = hmac.new(secret.encode(), words.encode(), hashlib.sha256).digest()
    return f"{words}.{_encoded(made)}"


def _part(content: Mapping[str, Any]) -> str:
    return _encoded(json.dumps(content, separators=(",", ":")).encode())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
