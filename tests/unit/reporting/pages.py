"""What a report is made of besides a record, for tests of one part of it."""

from __future__ import annotations

from typing import Any


def results_of(exercise: dict[str, Any]) -> dict[str, Any]:
    """The results of a run with this exercise alone, of which nothing else is known."""
    return {
        "run_id": "r", "started_at": "", "finished_at": None, "topology": None, "images": [],
        "provider": "uml", "engine_version": None, "kernel": None, "exercises": [exercise],
    }  # fmt: skip
