"""What is made by name on a cluster is known from before it is made until it is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.parallel import each_tried
from pytest_swarmlab.swarm.guard import Guard, Undoes, is_refusal, is_theirs, is_there
from pytest_swarmlab.swarm.node import Node
from pytest_swarmlab.waiting.conditions import no_answer


class Made:
    """Services, secrets or configs of ours, each with its timer."""

    def __init__(self, kind: str, undoes: Undoes) -> None:
        """`kind`: as in `docker KIND rm`; `undoes`: when a timer removes one."""
        self._kind = kind
        self._undoes = undoes
        self._guards: dict[str, Guard] = {}

    def names(self) -> list[str]:
        """The latest first. Where the block was interrupted that made it, it may not be there."""
        return list(reversed(self._guards))

    @contextmanager
    def making(self, leader: Node, name: str) -> Iterator[None]:
        """The block has that leader's engine make one of that name.

        It is ours from before, unless the engine refuses it, or its owner has one: the engine
        refuses a second one, and nobody here may remove the first. On somebody's own cluster a
        timer removes it if this process dies.
        """
        if name in self._guards:
            yield
            return
        if is_theirs(leader, self._kind, name):
            yield
            self._guards[name] = Guard(())  # Theirs has gone since.
            return
        remove = ("docker", self._kind, "rm", name)
        guard = Guard.arm([(leader, [remove])], self._kind, self._undoes)
        self._guards[name] = guard
        try:
            with guard.unless_refused():
                yield
        except CommandError as error:
            if is_refusal(error):
                del self._guards[name]
            raise

    def remove(self, leader: Node, names: Sequence[str]) -> None:
        """`docker KIND rm`: each is tried. What is not there need not go.

        Raises CommandError with the engine's words for those that stay; they are still ours.
        """
        argv = ("docker", self._kind, "rm", *names)
        output = leader.run(*argv, check=False)
        left = self._left(leader, names) if output.code else []
        self.forget(name for name in names if name not in left)
        if left:
            raise CommandError(leader.name, argv, output.code, output.stdout, output.stderr)

    def _left(self, leader: Node, names: Sequence[str]) -> list[str]:
        try:
            return [name for name in names if is_there(leader, self._kind, name)]
        except no_answer():
            return list(names)  # Nobody says otherwise.

    def forget(self, names: Iterable[str]) -> None:
        """These are gone: their timers are stopped, each of them is tried."""
        gone = [self._guards.pop(name, None) for name in names]
        each_tried(guard.disarm for guard in gone if guard)
