"""Names, sizes and numbers that the drills and the judges of exercise 2.9 share."""

SERVICE, PORT = "test-health", 8080
REPLICAS = 3

REPETITIONS = 5
"""How often one of the replicas is made unhealthy."""

NAME, LABS_NAME = "health", "labs"
"""The stack of the API, and the same API with the lab's health check."""

API, LABS, DATABASE = f"{NAME}_api", f"{LABS_NAME}_api", f"{NAME}_database"
"""Their services, as Swarm lists them."""

API_PORT, LABS_PORT = 8080, 8081
API_REPLICAS = 2
