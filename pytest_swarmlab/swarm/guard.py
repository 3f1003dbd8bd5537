"""On an inventory's cluster a timer on the node heals a fault if the run does not."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.swarm.node import Node

MENDED_AFTER_S = 600
"""When the timer mends what this process did not: longer than any drill of the lab takes."""

ABANDONED_AFTER_S = 4 * 3600
"""Seconds until the timer removes a test's deployments: longer than all exercises together."""


NOT_LOADED = 5
"""How `systemctl stop` ends when there is no such unit: the timer has run, or its machine was
started anew (systemctl(1), exit status)."""


class Guard:
    """Timers that were set on nodes, each under the name of a systemd unit."""

    def __init__(self, timers: Sequence[tuple[Node, str]]) -> None:
        self._timers = list(timers)

    @classmethod
    def arm(
        cls,
        mending: Sequence[tuple[Node, Sequence[Sequence[str]]]],
        kind: str,
        *,
        after: float | None = None,
    ) -> Self:
        """Set a timer on each of these nodes of an inventory, before a fault.

        `after`: seconds, MENDED_AFTER_S by default. Raises CommandError if a timer can't be set;
        then no fault may follow.
        """
        guard = cls(())
        for node, commands in mending:
            if not node.foreign:
                continue
            unit = f"swarmlab-mend-{kind}-{secrets.token_hex(4)}"
            # Each whether or not the one before it succeeded.
            script = "; ".join(shlex.join(argv) for argv in commands)
            argv = (
                "systemd-run",
                f"--unit={unit}",
                f"--on-active={after or MENDED_AFTER_S}",
                "--timer-property=AccuracySec=1s",
                "--collect",
                "sh",
                "-c",
                script,
            )
            node.run(*argv)
            guard._timers.append((node, unit))
            there = shlex.join(("systemctl", "is-active", "--quiet", f"{unit}.timer"))
            node.timers[unit] = ("sh", "-c", f"{there} || {shlex.join(argv)}")
        return guard

    def disarm(self) -> None:
        """Stop the timers, since the fault is mended. One that has ended already is ignored."""
        while self._timers:
            node, unit = self._timers.pop()
            node.timers.pop(unit, None)
            argv = ("systemctl", "stop", f"{unit}.timer")
            output = node.run(*argv, check=False)
            if output.code not in (0, NOT_LOADED):
                raise CommandError(node.name, argv, output.code, output.stdout, output.stderr)


@contextmanager
def abandoned(
    node: Node, *commands: Sequence[str], kind: str, after: float | None = None
) -> Iterator[None]:
    """A timer on an inventory's node runs these commands if this process dies within the block.

    The block itself undoes its changes. `after`: seconds, ABANDONED_AFTER_S by default.
    """
    guard = Guard.arm([(node, commands)], kind, after=after or ABANDONED_AFTER_S)
    try:
        yield
    finally:
        guard.disarm()
