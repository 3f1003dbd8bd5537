"""A submission on a throw-away swarm: brought there within limits, and drilled."""
