"""Verifies the tokens that the users service makes."""

from __future__ import annotations

from uuid import UUID

import jwt


class Forged(Exception):
    """The token is missing, not ours, not for this shop, or at its end."""


def subject(header: str, secret: str) -> UUID:
    """The id of the user to whom the token in an Authorization header was given.

    HS256 and nothing else: what a token says of its own algorithm is not believed.
    """
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Forged
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            issuer="users",
            audience="shop",
            # The clock of the node that issued it may be ahead of this one's.
            options={"require": ["sub", "iss", "aud", "exp"], "verify_iat": False},
        )
        return UUID(claims["sub"])
    except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError):
        raise Forged from None
