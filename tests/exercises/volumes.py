"""Volumes that services of an exercise make on nodes by naming them: they outlive the services."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.swarm.guard import Guard, Undoes


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
    with ExitStack() as removed:
        for node in nodes:
            undo = partial(node.run, *remove)
            removed.enter_context(
                Guard.undone_after([(node, [remove])], "volume", Undoes.USED, undo=undo)
            )
        yield


def _there(node: Node) -> set[str]:
    return {str(volume["Name"]) for volume in node.engine.api.volumes()["Volumes"] or []}
