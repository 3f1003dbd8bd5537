"""Requests and writes of the clients beside a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events.kind import Moment, Seconds, Seen


@dataclass(frozen=True)
class Request(Seen, kind="request"):
    """One request of the probe, on a connection of its own."""

    sent: Moment
    seconds: Seconds
    node: Annotated[str, "the node that it was sent to"]
    status: int | None
    error: str | None
    url: str
    port: int | None
    header: Annotated[str | None, "value of the header that the probe records"] = None
    certificate: Annotated[str | None, "over TLS: SHA-256 of the server's certificate"] = None
    late: Annotated[float | None, "seconds that it was sent too late, if more than one"] = None

    @property
    def over(self) -> float:
        """When its answer or its error was known."""
        return self.sent + self.seconds

    @property
    def ok(self) -> bool:
        """Answered with a status below 400 and no error."""
        return self.error is None and self.status is not None and 100 <= self.status < 400


@dataclass(frozen=True)
class Entry(Seen, kind="entry"):
    """One write of a ledger."""

    number: int
    sent: Moment
    seconds: Seconds
    id: Annotated[str | None, "null: it was not acknowledged"]
    error: str | None
    ledger: str

    @property
    def over(self) -> float:
        """When its acknowledgement or its error was known."""
        return self.sent + self.seconds


@dataclass(frozen=True)
class Entries(Seen, kind="entries"):
    """The entries of a ledger that were found at the end."""

    ledger: str
    found: Annotated[tuple[tuple[str, int], ...], "pairs of id and number"]
