"""A Swarm as tests see it: forming one, its nodes, stacks, secrets and configs."""
