"""The monitoring's name, its services, and its scrape jobs."""

from __future__ import annotations

from ..exercise_2_10.setting import REPLICAS as OF_THE_SHOP

NAME = "monitoring"

REPLICAS = {
    "docker-api": 3,
    "prometheus": 1,
    "alertmanager": 1,
    "recorder": 1,
    "swarm-exporter": 1,
    "node-exporter": 5,
    "blackbox-exporter": 1,
}
"""The stack's services, and how many tasks each has on the lab's five nodes."""

EACH_NODE, MANAGERS = ("engine", "node"), ("manager-port",)
"""Jobs with a target on each node, and on each manager."""

ONE_EACH = ("prometheus", "alertmanager", "swarm", "blackbox")

DASHBOARDS = {"nodes": 8, "swarm": 12}
"""Dashboards that have data without the shop, and how many queries each has."""
SHOP_DASHBOARDS = {"shop": 14}

SHOP_REPLICAS = {"postgres-exporter": 1, "redis-exporter": 1}
"""Further services, where the shop runs."""

SHOP_SERVICES = ("products-service", "orders-service", "orders-worker", "users-service")
"""The shop's services whose tasks tell how they do."""

SHOP_JOBS = {
    "postgres": 1,
    "redis": 1,
    "shop": sum(OF_THE_SHOP[name] for name in SHOP_SERVICES),
    "shop-front": 2,
}
"""Jobs that scrape the shop, and how many targets each has: one for each task, and two pages."""
