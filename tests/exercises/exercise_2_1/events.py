"""Exercise 2.1's own kinds of event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen


@dataclass(frozen=True)
class Refusal(Seen, kind="refusal", of="2.1"):
    """A request that the managers must refuse, and their answer."""

    asked: str
    code: Annotated[int | None, "the engine's status"]
    said: str
