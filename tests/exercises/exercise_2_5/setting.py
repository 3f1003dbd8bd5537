"""Names and sizes that the drill and the judges of exercise 2.5 share."""

NAME = "wp"
DATABASE, WORDPRESS = f"{NAME}_db", f"{NAME}_wordpress"
"""The stack's services, as Swarm lists them."""

REPLICAS, MORE_REPLICAS = 3, 5
LEDGER = "entries"
