"""The API of orders."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event
from uuid import UUID

import psycopg
from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from orders import catalogue, intake, metrics, operations, tokens
from orders.database import Database, Item, KeyReused, Order, cause

log = logging.getLogger(__name__)

LARGEST_BODY = 64 * 1024
MOST_LISTED = 100
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

Answer = tuple[Response, int]


def create_app(
    orders: Database, prices: Callable[[list[int]], dict[int, int]], secret: str, leaving: Event
) -> Flask:
    """The API. `prices` as `catalogue.prices`; `leaving` is set when the task was told to stop."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY

    def missing() -> list[str]:
        return [] if orders.ping() else ["database"]

    app.register_blueprint(operations.blueprint(lambda: orders.migrated, missing, leaving))

    def user() -> UUID:
        return tokens.subject(request.headers.get("Authorization", ""), secret)

    @app.post("/orders")
    def take() -> Answer:
        buyer = user()
        key = intake.key_of(request.headers.get("Idempotency-Key", ""))
        wanted = intake.wanted(request.get_data())
        body_hash = intake.fingerprint(wanted)
        kept = orders.by_key(buyer, key, body_hash)
        new = False
        if kept is None:
            priced = prices(list(wanted))
            if unknown := sorted(set(wanted) - set(priced)):
                raise intake.Invalid(f"There is no product {unknown[0]}.")
            items = [Item(product, pieces, priced[product]) for product, pieces in wanted.items()]
            kept, new = orders.take(buyer, key, body_hash, items)
        (metrics.ACCEPTED if new else metrics.REPEATED).inc()
        return jsonify(_shown(kept)), 201 if new else 200

    @app.get("/orders")
    def listed() -> Answer:
        return jsonify(orders=[_shown(each) for each in orders.of_user(user(), MOST_LISTED)]), 200

    @app.get("/orders/<uuid:order>")
    def one(order: UUID) -> Answer:
        found = orders.one(user(), order)
        if found is None:
            return _refused(404, "not_found", "You have no such order.")
        return jsonify(_shown(found)), 200

    _answer_errors(app)
    _observe(app)
    return app


def _shown(order: Order) -> Order:
    return {**order, "created_at": order["created_at"].isoformat()}


def _refused(code: int, word: str, message: str) -> Answer:
    return jsonify(error=word, message=message), code


def _answer_errors(app: Flask) -> None:
    @app.errorhandler(tokens.Forged)
    def forged(_: tokens.Forged) -> Answer:
        answer, code = _refused(401, "unauthorized", "A valid token is needed: log in.")
        answer.headers["WWW-Authenticate"] = 'Bearer realm="shop"'
        return answer, code

    @app.errorhandler(intake.Invalid)
    def invalid(error: intake.Invalid) -> Answer:
        return _refused(422, "invalid", str(error))

    @app.errorhandler(KeyReused)
    def reused(_: KeyReused) -> Answer:
        return _refused(409, "key_reused", "You have sent another order with this Idempotency-Key.")

    @app.errorhandler(psycopg.Error)
    @app.errorhandler(catalogue.Unavailable)
    def unavailable(error: Exception) -> Answer:
        # What became of a commit whose answer was lost is not known; who asks again with the same
        # key learns it.
        log.error("A request could not be served.", extra={"fields": {"reason": cause(error)}})
        answer, code = _refused(
            503, "unavailable", "Orders can't be taken now; please try again with the same key."
        )
        answer.headers["Retry-After"] = "1"
        return answer, code

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Answer:
        words = {
            404: ("not_found", "There is nothing at this address."),
            405: ("method", "This address has no such method."),
            413: ("too_large", "A request may have 64 kB."),
        }
        code = error.code or 500
        return _refused(code, *words.get(code, ("refused", "The request can't be served.")))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Answer:
        log.error("A request failed.", extra={"fields": {"reason": type(error).__name__}})
        return _refused(500, "failed", "The service has made a mistake.")


def _observe(app: Flask) -> None:
    @app.before_request
    def began() -> None:
        g.began = time.monotonic()

    @app.after_request
    def ended(answer: Response) -> Response:
        answer.headers.setdefault("Cache-Control", "no-store")
        if request.blueprint == "operations":
            return answer
        took = time.monotonic() - g.began
        # The route, not the path: who asks for a million addresses makes no million counters.
        route = (
            "/orders/{id}" if request.view_args else "/orders" if request.url_rule else "unmatched"
        )
        method = request.method if request.method in METHODS else "other"
        metrics.REQUESTS.labels(method, route, answer.status_code).inc()
        metrics.DURATIONS.labels(method, route).observe(took)
        fields = {
            "method": method,
            "route": route,
            "code": answer.status_code,
            "ms": round(took * 1000),
            "request_id": request.headers.get("X-Request-Id", "")[:64],
        }
        log.info("request", extra={"fields": fields})
        return answer
