"""What operators ask of the API and the worker: /health, /started, /ready, /metrics."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


def blueprint(
    started: Callable[[], bool], missing: Callable[[], list[str]], leaving: Event
) -> Blueprint:
    """`missing` names what the process lacks now; `started` says whether it has once had it all."""
    operations = Blueprint("operations", __name__)

    @operations.get("/health")
    def health() -> Response:
        """Alive. It asks nobody: a database that is away is no reason to replace this task."""
        return jsonify(status="alive")

    @operations.get("/started")
    def has_started() -> tuple[Response, int]:
        """For Swarm's health check: 200 from when the process could first do its work."""
        if started():
            return jsonify(status="started"), 200
        return _not_ready(missing())

    @operations.get("/ready")
    def ready() -> tuple[Response, int]:
        """Whether the process can do its work now."""
        lacking = ["service"] if leaving.is_set() else missing()
        return _not_ready(lacking) if lacking else (jsonify(status="ready"), 200)

    @operations.get("/metrics")
    def metrics() -> Response:
        """Everything counted, as text."""
        return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)

    return operations


def _not_ready(lacking: list[str]) -> tuple[Response, int]:
    message = f"Not there: {', '.join(lacking)}."
    return jsonify(error="not_ready", message=message, missing=lacking), 503
