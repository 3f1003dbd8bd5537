"""The service that the drill and the judges of exercise 2.2 share."""

SERVICE, PORT = "test-ha", 8080
REPLICAS = 5
