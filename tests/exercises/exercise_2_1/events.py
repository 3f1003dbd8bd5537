"""What exercise 2.1 notes: its own kinds of event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen


@dataclass(frozen=True)
class Refusal(Seen, kind="refusal", of="2.1"):
    """What was asked for that the managers must refuse."""

    asked: str
    code: Annotated[int | None, "the engine's status"]
    said: str
