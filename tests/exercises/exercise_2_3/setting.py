"""Names and times that the drill and the judges of exercise 2.3 share."""

SERVICE = "db-local"
VOLUME = "mydata"
DATABASE = "testdb"

STAYS_S = 15
"""Seconds for which a task must stay: one that is to move does so within a few seconds."""
