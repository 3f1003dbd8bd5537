"""What somebody handed in, brought onto a throw-away swarm within limits, and its drills."""
