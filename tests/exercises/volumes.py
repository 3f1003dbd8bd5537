"""Volumes that services of an exercise make on nodes by naming them: they outlive the services."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.swarm.guard import Undoes, abandoned


@contextmanager
def named(name: str, nodes: Sequence[Node]) -> Iterator[None]:
    """Volumes of that name are removed from these nodes at the block's end.

    Raises ProviderError where somebody's own node has one already: it holds somebody's data.
    """
    for node in nodes:
        if node.foreign and name in _there(node):
            raise ProviderError(
                f"{node} has a volume {name} already, which is its owner's and would be used and"
                f" removed: rename or remove it (`docker volume rm {name}`), or use another cluster"
            )
    remove = ("docker", "volume", "rm", "--force", name)
    with ExitStack() as guarded:
        for node in nodes:
            guarded.enter_context(abandoned(node, remove, kind="volume", undoes=Undoes.USED))
        try:
            yield
        finally:
            for node in nodes:
                node.run(*remove)


def _there(node: Node) -> set[str]:
    return {str(volume["Name"]) for volume in node.engine.api.volumes()["Volumes"] or []}
