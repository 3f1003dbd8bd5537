"""The shop's name, its services' replicas, and the predicted outages."""

from __future__ import annotations

NAME, PORT = "shop", 8080

REPLICAS = {
    "frontend": 3,
    "api-gateway": 2,
    "products-service": 3,
    "orders-service": 3,
    "orders-worker": 2,
    "users-service": 2,
    "postgres": 1,
    "redis": 1,
    "rabbitmq": 1,
}
"""The stack file's services, and how many tasks each has."""

PUBLISHED = ("api-gateway",)
"""Services with published ports, whose tasks each node's mesh lists."""

ROLLED = (
    "frontend",
    "api-gateway",
    "users-service",
    "products-service",
    "orders-service",
    "orders-worker",
)
"""Services with several replicas; the others have one task each."""
ROLLED_AFTER = {
    "api-gateway": "frontend",
    "users-service": "products-service",
    "orders-worker": "orders-service",
}
"""Service → the one whose tasks are all new before its own update begins. Three updates run at the
same time, those with most tasks first; Swarm monitors a last task for ten seconds more."""

DATABASE, CACHE, BROKER, WORKER = "postgres", "redis", "rabbitmq", "orders-worker"
ORDERS, GATEWAY = "orders-service", "api-gateway"

KILLED_TOGETHER = (
    ("frontend", "users-service", ORDERS),
    ("api-gateway",),
    ("products-service",),
    (DATABASE,),
    (BROKER, CACHE, WORKER),
)
"""Of each group a task of every service is killed at the same time, group after group. No endpoint
may fail for two services of a group, so none hides another's outage."""

CUSTOMERS = 12
"""Customers who order at the same time, each one order after the other.

One whose request goes to a lost replica waits five seconds for it. So many that not all of them
wait at once: of four, all did in a run, and nobody was left to see that the shop served.
"""
CUSTOMER = "orders-{}"
"""Name of the ledger of a customer's orders; customers are numbered from 1."""
ACCOUNTS = "accounts"
"""Name of the ledger of opened accounts."""
LEDGERS = (*(CUSTOMER.format(number) for number in range(1, CUSTOMERS + 1)), ACCOUNTS)

RETURN = "node-back"
"""The name of the second part of a node's loss: its return."""

ENOUGH_ORDERS = 1000
"""Acknowledged orders in a whole run, at least."""
PENDING = 5
"""Fewest orders that wait for a worker when the whole stack is removed."""

PAGES, CATALOGUE, ACCOUNT, ORDER = "pages", "catalogue", "accounts", "orders"
ENDPOINTS = (PAGES, CATALOGUE, ACCOUNT, ORDER)

PATHS = {
    PAGES: ("/",),
    CATALOGUE: ("/api/products",),
    ACCOUNT: ("/api/users", "/api/sessions", "/api/me"),
    ORDER: ("/api/orders",),
}
"""Endpoint → prefixes of its paths; for the pages `/` alone."""

TAKEN_OVER_S = 5.0
"""One of several replicas is lost: requests in flight to it fail; later ones go to another."""

GIVEN_UP_S = 30.0
"""Swarm declares a node down after 15 to 20 s. Until then every node sends half of its requests to
the lost gateway, where each waits for its time limit, 5 s. Several clients read and order, and one
of them succeeds; a single client opens accounts, and all its requests may go there."""

RETURNED_S = 10.0
"""A node that returns still runs tasks that were replaced elsewhere, until a manager stops them.
Their names resolve again, but they have lost the database. The gateway repeats requests for the
catalogue and orders at another replica. It does not repeat a sign-up, which may have been stored:
one of three tasks refuses it, and the next sign-up comes a second and a half later."""

RECOVERED_S = 60.0
"""The only task of a service is killed: Swarm notices at once and restarts it after the restart
delay; it is healthy at its first checks; then other nodes resolve its name."""

MOVED_S = 60.0
"""A database that moves stops cleanly, and starts on another node from its files on NFS."""

FULL_S = 45.0
"""Longest time with a full disk: each replica is asked through every node once or twice, and needs
three seconds to refuse."""

ALL = dict.fromkeys(ENDPOINTS, TAKEN_OVER_S)
NODE_LOST = {**ALL, ACCOUNT: GIVEN_UP_S}
NODE_BACK = {**ALL, ACCOUNT: RETURNED_S}
BEHIND_DATABASE = (CATALOGUE, ACCOUNT, ORDER)

PREDICTED: dict[str, dict[str, float]] = {
    "frontend": {PAGES: TAKEN_OVER_S},
    "api-gateway": ALL,
    # An order asks for its products' prices.
    "products-service": {CATALOGUE: TAKEN_OVER_S, ORDER: TAKEN_OVER_S},
    "users-service": {ACCOUNT: TAKEN_OVER_S},
    "orders-service": {ORDER: TAKEN_OVER_S},
    "orders-worker": {},
    "redis": {},
    "rabbitmq": {},
    "postgres": dict.fromkeys(BEHIND_DATABASE, RECOVERED_S),
    "redis-away": {},
    "rabbitmq-away": {},
    "database-moved": dict.fromkeys(BEHIND_DATABASE, MOVED_S),
    "disk-full": dict.fromkeys(BEHIND_DATABASE, FULL_S + RECOVERED_S),
    "power-off": NODE_LOST,
    "cut-off": NODE_LOST,
    "leader-lost": NODE_LOST,
    RETURN: NODE_BACK,
    "rolled": {},
    "bad-update": {},
}
"""Fault → endpoint → longest time, in seconds, without a successful request. No request to an
endpoint that is not named may fail."""

CLOSED = (5432, 6379, 5672, 15672)
"""Ports of PostgreSQL, Redis and RabbitMQ, which only the backend network may reach."""

STEPS = (1, 2, 4, 8, 16)
"""Visitors at once, step by step, on every machine."""
MORE_STEPS = (32, 64, 128)
"""Further steps while the throughput still grows. On two cores the knee was at 4 and
at 8 visitors; a third run still grew at 16 (105 a second after 83), one over an inventory
at 64 (149 after 122)."""
