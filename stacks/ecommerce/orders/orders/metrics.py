"""What Prometheus is told."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("http_requests_total", "Requests answered.", ["method", "route", "code"])
DURATIONS = Histogram(
    "http_request_duration_seconds",
    "Time from a request's arrival to its answer.",
    ["method", "route"],
    buckets=[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
)
ACCEPTED = Counter("orders_accepted_total", "Orders kept and acknowledged.")
REPEATED = Counter("orders_repeated_total", "Requests with a key whose order was kept before.")
PUBLISHED = Counter("orders_published_total", "Orders that RabbitMQ has confirmed.")
UNPUBLISHED = Gauge("orders_outbox_unpublished", "Orders that RabbitMQ has not confirmed yet.")
PROCESSED = Counter("orders_processed_total", "Orders worked off, each counted once.")
REDELIVERED = Counter("orders_redelivered_total", "Messages of orders that were worked off before.")
UNREADABLE = Counter("orders_unreadable_total", "Messages that name no order.")
