"""What the shop is called, how many of each part run, and what is promised of it."""

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
"""Services with published ports: what every node's mesh lists is their tasks."""

ROLLED = (
    "frontend",
    "api-gateway",
    "users-service",
    "products-service",
    "orders-service",
    "orders-worker",
)
"""Those that have replicas to spare; the rest keep data, or have one task."""
ROLLED_AFTER = {
    "api-gateway": "frontend",
    "users-service": "products-service",
    "orders-worker": "orders-service",
}
"""Service → the one whose tasks are all others before its own are replaced: three are rolled at the
same time, those with most tasks first. Swarm goes on watching the last one's for ten seconds."""

DATABASE, CACHE, BROKER, WORKER = "postgres", "redis", "rabbitmq", "orders-worker"
ORDERS, GATEWAY = "orders-service", "api-gateway"

WHILE_AWAY = {BROKER: (CACHE, WORKER)}
"""Service → those whose tasks are killed while it comes back. RabbitMQ needs half a minute, and
neither for it nor for them may one request fail: so nothing is excused by another's loss."""

CUSTOMERS = 4
"""Who order at the same time, each one order after the other."""
CUSTOMER = "orders-{}"
"""The ledger of the orders of the customer of that number, from 1 on."""
ACCOUNTS = "accounts"
"""The ledger of the accounts that are opened meanwhile."""
LEDGERS = (*(CUSTOMER.format(number) for number in range(1, CUSTOMERS + 1)), ACCOUNTS)

RETURN = "node-back"
"""What is struck when a node that was lost comes back, besides what its loss was."""

ENOUGH_ORDERS = 1000
"""Acknowledged orders in a whole run, at least."""

PAGES, CATALOGUE, ACCOUNT, ORDER = "pages", "catalogue", "accounts", "orders"
ENDPOINTS = (PAGES, CATALOGUE, ACCOUNT, ORDER)

PATHS = {
    PAGES: ("/",),
    CATALOGUE: ("/api/products",),
    ACCOUNT: ("/api/users", "/api/sessions", "/api/me"),
    ORDER: ("/api/orders",),
}
"""Endpoint → where its paths begin; the pages are at the root alone."""

TAKEN_OVER_S = 5.0
"""Of several replicas one goes: those under way to it fail, and the next are given to another."""

GIVEN_UP_S = 30.0
"""Swarm gives a node up after 15 to 20 s. Until then every node sends half of its visitors to the
gateway that was lost with it, where each waits for his time limit, 5 s. Of those who look around
and who order there are several, one of whom comes through; accounts are opened by one, one after
the other, whose turns may all go there."""

RETURNED_S = 10.0
"""A node that comes back still runs what was replaced elsewhere, until a manager tells it to stop.
Those tasks are found by name again, and have lost the database. The catalogue and orders are asked
again at another replica; a sign-up is not, as one that failed may have been kept: of three tasks
one refuses it, and the next one is sent a second and a half later."""

RECOVERED_S = 60.0
"""A task that was killed, and the only one of its service: noticed at once, restarted after the
restart delay, healthy at its first checks, found by name on the other nodes."""

MOVED_S = 60.0
"""A database that is moved stops in order, and starts on another node from its files on NFS."""

FULL_S = 45.0
"""The disk is full at most so long: until each of the shop's replicas was asked through every
node, once or twice, and has refused, which takes each of them three seconds."""

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
"""What is struck → endpoint → the longest time, in seconds, for which none of its requests may
succeed. Of an endpoint that is not named not one request may fail."""

CLOSED = (5432, 6379, 5672, 15672)
"""Ports of PostgreSQL, Redis and RabbitMQ: nobody outside of the backend network may reach them."""

STEPS = (1, 2, 4, 8, 16)
"""How many visitors there are at once, step by step, on every machine."""
MORE_STEPS = (32, 64)
"""Further steps, one by one while the shop still gets more done. On two cores the knee was at 4 and
at 8 visitors; a third run still grew at 16 (105 a second after 83)."""
