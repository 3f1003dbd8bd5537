"""On an inventory's cluster timers on the nodes undo what a run leaves behind that dies."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from functools import partial
from typing import Any, Self

from pytest_swarmlab.errors import CommandError, SwarmlabError
from pytest_swarmlab.parallel import each_tried
from pytest_swarmlab.swarm.node import Node

STARTED_AFTER_S = 45
"""Seconds until a timer starts a server that others wait for: longer than a drill's stop of
6 s takes, shorter than three failed health checks of the lab's take (30 s each)."""

MENDED_AFTER_S = 600
"""Seconds until a timer mends a fault: longer than any drill of the lab takes."""

ABANDONED_AFTER_S = 4 * 3600
"""Seconds until a timer removes a test's deployments: longer than all exercises together."""

LASTS_S = 4 * 3600
"""Seconds from a run's first change to its last, at most: what uses a thing may be deployed so long
after it, and has the timer of its own time."""

APART_S = 120
"""Seconds from the removal of a deployment to that of what it uses: its containers have stopped."""

NOT_LOADED = 5
"""How `systemctl stop` ends when there is no such unit: the timer has run, or its machine was
started anew (systemctl(1), exit status)."""

UNREACHED = 255
"""How `ssh` ends when it has lost its machine: nobody knows what was done there (ssh(1), exit
status)."""


class Undoes(Enum):
    """What a timer undoes. The order is that in which the timers of one moment go off."""

    OUTAGE = auto()
    """A stopped server that serves others too: they wait for it."""

    FAULT = auto()
    """A fault: what it has broken is needed for every removal below."""

    DEPLOYMENT = auto()
    """A service, a stack, or a file: nothing else uses it."""

    USED = auto()
    """A secret, config or volume: the engine refuses to remove it while it is in use, also by what
    was deployed long after it."""

    EXPORT = auto()
    """An NFS export, its directory or its mount: a container whose server is away can't be stopped,
    and a volume on it can't be unmounted. An engine's settings: its restart disturbs removals."""

    def after(self) -> float:
        """Seconds from setting the timer until it goes off."""
        return {
            Undoes.OUTAGE: STARTED_AFTER_S,
            Undoes.FAULT: MENDED_AFTER_S,
            Undoes.DEPLOYMENT: ABANDONED_AFTER_S,
            Undoes.USED: LASTS_S + ABANDONED_AFTER_S + APART_S,
            Undoes.EXPORT: LASTS_S + ABANDONED_AFTER_S + 2 * APART_S,
        }[self]


class Guard:
    """Timers that were set on nodes, each under the name of a systemd unit.

    Whoever sets them undoes his change himself and then disarms them. Where he could not undo it,
    they stay and do so.
    """

    def __init__(self, timers: Sequence[tuple[Node, str]]) -> None:
        self._timers = list(timers)

    @classmethod
    def arm(
        cls,
        mending: Sequence[tuple[Node, Sequence[Sequence[str]]]],
        kind: str,
        undoes: Undoes = Undoes.FAULT,
    ) -> Self:
        """Set a timer on each of these nodes of an inventory, before the change that it undoes.

        `kind`: a word for the unit's name. Raises CommandError if a timer can't be set; then none
        is, and the change may not follow.
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
                f"--on-active={undoes.after()}",
                "--timer-property=AccuracySec=1s",
                "--collect",
                "sh",
                "-c",
                script,
            )
            guard._timers.append((node, unit))
            try:
                node.run(*argv)
            except BaseException as error:
                if is_refusal(error):
                    guard._timers.pop()  # The node has none. Otherwise it may have set it.
                try:
                    guard.disarm()
                except SwarmlabError as left:
                    error.add_note(f"A timer may be left: {left}")
                raise
            there = shlex.join(("systemctl", "is-active", "--quiet", f"{unit}.timer"))
            node.timers[unit] = ("sh", "-c", f"{there} || {shlex.join(argv)}")
        return guard

    @classmethod
    @contextmanager
    def undone_after(
        cls,
        mending: Sequence[tuple[Node, Sequence[Sequence[str]]]],
        kind: str,
        undoes: Undoes = Undoes.FAULT,
        *,
        make: Callable[[], object] = lambda: None,
        undo: Callable[[], object],
    ) -> Iterator[None]:
        """Timers are set, the block makes its change, `undo` undoes it, and they are stopped.

        `mending`, `kind`, `undoes`: as for `arm`; where that fails, nothing else happens. `make`:
        makes the change where the machine may refuse that; then nothing is undone, and the block is
        not entered. `undo`: is called however the block ends, also half way through the change.
        Where `undo` fails or is interrupted, the timers stay. An interrupt between two steps may
        leave a timer without a change, but no change without a timer.
        """
        guard = cls.arm(mending, kind, undoes)
        to_undo = True
        try:
            try:
                with guard.unless_refused():
                    make()
            except SwarmlabError:
                to_undo = False  # Refused; or there was no answer, and the timers undo it.
                raise
            yield
        finally:
            if to_undo:
                undo()
                guard.disarm()

    @contextmanager
    def unless_refused(self) -> Iterator[None]:
        """Disarm it where the machine refuses the change within the block: nothing need be undone.

        What is there is somebody else's then. Where the machine gives no answer, it may have made
        the change.
        """
        try:
            yield
        except CommandError as error:
            if is_refusal(error):
                self.disarm()
            raise

    def disarm(self) -> None:
        """Stop the timers, since the change is undone. One that has ended already is ignored.

        Each is tried; raises CommandError for one that can't be stopped.
        """
        timers = self._timers[::-1]
        self._timers.clear()
        each_tried(partial(_stop, node, unit) for node, unit in timers)


def _stop(node: Node, unit: str) -> None:
    node.timers.pop(unit, None)
    argv = ("systemctl", "stop", f"{unit}.timer")
    output = node.run(*argv, check=False)
    if output.code not in (0, NOT_LOADED):
        raise CommandError(node.name, argv, output.code, output.stdout, output.stderr)


def is_refusal(error: BaseException) -> bool:
    """Whether a machine answered that it does not do it, and so did not."""
    return isinstance(error, CommandError) and error.code != UNREACHED


def is_there(leader: Node, kind: str, name: str) -> bool:
    """Whether the swarm has a service, secret or config of that name."""
    api: Any = leader.engine.api
    listed = {"service": api.services, "secret": api.secrets, "config": api.configs}[kind]
    return any(each["Spec"]["Name"] == name for each in listed(filters={"name": name}))


def is_theirs(leader: Node, kind: str, name: str) -> bool:
    """Whether somebody's own cluster has a service, secret or config of that name.

    The engine refuses a second one, and no timer may remove the first.
    """
    return leader.foreign and is_there(leader, kind, name)
