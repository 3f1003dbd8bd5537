"""The lab's own steps, with its errata mended.

The lab promotes worker1 and joins manager3, which makes three managers on the machines manager1,
worker1 and manager3; its picture shows manager1, manager2 and manager3. Both are reached, in turn.
"""

from pytest_swarmlab.swarm import lifecycle
from pytest_swarmlab.swarm.cluster import Node, Swarm


def promote(swarm: Swarm, node: Node) -> None:
    """`docker node promote`, on the leader."""
    swarm.leader().run("docker", "node", "promote", swarm.known_as(node))


def join_as_manager(swarm: Swarm, node: Node) -> None:
    """`docker swarm join` on the new machine, with the token that a manager gave out.

    The lab runs `join-token` on the new machine itself; only a manager knows the token.
    """
    leader = swarm.leader()
    token = leader.engine.swarm.attrs["JoinTokens"]["Manager"]
    lifecycle.join(node, leader, token)


def reach_the_target_picture(swarm: Swarm) -> None:
    """manager1, manager2 and manager3 manage; worker1 works again."""
    join_as_manager(swarm, swarm.node("manager2"))
    leader = swarm.leader()
    leader.run("docker", "node", "demote", swarm.known_as(swarm.node("worker1")))
