"""Exercise 2.9: healthchecks, and how Swarm heals."""
