"""Answers of a site of the lab: a stranger's text, bounded in time and size."""

import time

import requests

from pytest_swarmlab.errors import SwarmlabError


class Refused(SwarmlabError):
    """A site answered something else than what was asked for."""


def body(response: requests.Response, *, began: float, within: float, most: int) -> bytes:
    """The content of a streamed answer.

    `began`: when the request was sent, by the monotonic clock. Raises Refused when the answer goes
    on for more than `within` seconds since then, or is larger than `most` bytes.
    """
    content = b""
    for chunk in response.iter_content(1 << 16):
        content += chunk
        if len(content) > most or time.monotonic() - began > within:
            raise Refused(f"an answer without end: {len(content)} bytes in {within:.0f} s")
    return content
