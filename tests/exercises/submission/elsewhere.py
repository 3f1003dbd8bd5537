"""The backup of somebody's own cluster is restored on new machines of ours, and is that cluster.

What is installed there takes the backup: the unit is started that its timer starts, on a manager
that does not lead. It is brought onto a machine of a throw-away cluster, with the manager's name
and address, and restored there by the submission's procedure. The owner's machines run on, and the
new ones can't reach them: an embedded cluster's network is a bridge in a namespace of its own.

The backup holds the swarm's keys. It passes through this process, and lies nowhere but on the disk
of the new machine, which goes with it. Of the owner's secrets and definitions the record has keyed
digests; the key is in this process alone.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, TypeVar

from pytest_swarmlab.errors import INFRASTRUCTURE, CommandError, NotConverged, ProviderError
from pytest_swarmlab.evidence.events import NotPerformed
from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.marking.declared import BACKUP
from pytest_swarmlab.model import Capability, Topology
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.text import line
from pytest_swarmlab.waiting.conditions import no_answer, understood
from pytest_swarmlab.waiting.waiter import Waiter

from ..exercise_2_8 import events, perform
from ..exercise_2_8.lost import AFTER, BEFORE, rejoin
from ..exercise_2_8.verify import exercise
from .installed import ASK_S, NotShown, Plan, engine_of, have_it_taken, numbered_volume, planned
from .restored import MOST_MIB, READER, append, newest, reader_of

T = TypeVar("T")

ThrowAway = Callable[[Topology], AbstractContextManager[Swarm]]

PHASE = "disaster"

CARRY_S = 300.0
"""Longest that a backup may be on its way."""

MOST_TRIED = 20
"""Files of secrets that are tried, until one can be read."""

MOST_NUMBERS = 1 << 16
"""Bytes of a file that is to hold 200 numbers."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""Names of secrets, as the engine permits them."""

DIGEST = re.compile(r"[0-9a-f]{64}")

UNSAID = "what it printed is not kept, since it may be of what the backup holds"


def is_meant(work: Work) -> bool:
    """Whether the cluster is somebody's own, and its owner permits changes."""
    machines = work.swarm.machines
    return machines.foreign and Capability.CHANGE in machines.controls


def restore_on_new_machines(
    work: Work, throw_away: ThrowAway, *, wait: Waiter, evidence: Evidence
) -> None:
    """Take their backup, restore it elsewhere, and compare. Skips the test where that can't be."""

    def start(within: ExitStack) -> _Drill:
        # The machines first: without them no engine need be stopped.
        plan = planned(work)
        new = within.enter_context(throw_away(plan.topology))
        return _Drill(work, plan, new, wait, evidence)

    perform_on_new_machines(exercise, PHASE, start, _Drill.restore_and_compare, evidence=evidence)


def perform_on_new_machines(
    exercise: Exercise,
    phase: str,
    start: Callable[[ExitStack], T],
    perform: Callable[[T], None],
    *,
    evidence: Evidence,
) -> None:
    """Perform and judge a drill on machines of ours, which are there until it is judged.

    `start`: enters their block, and finds what `perform` needs. Where it fails, nothing is
    performed, and the test is skipped. Where either raises NotShown, nothing is provable.
    """
    with ExitStack() as within:
        why = ""
        try:
            there = start(within)
        except (NotShown, *INFRASTRUCTURE) as error:
            why = line(error)
        if why:
            evidence.not_performed(exercise, phase, why)
            return
        with evidence.judged(exercise, phase):
            try:
                perform(there)
            except NotShown as error:
                evidence.write(NotPerformed(line(error)))


# -- the drill ----------------------------------------------------------------------------------


class _Drill:
    """One restore: `new` are the machines that stand for the owner's."""

    def __init__(
        self, work: Work, plan: Plan, new: Swarm, wait: Waiter, evidence: Evidence
    ) -> None:
        self.work, self.plan, self.new = work, plan, new
        self.wait, self.evidence = wait, evidence
        self.home, self.there = plan.home, new.node(plan.named)
        self._key = secrets.token_bytes(32)
        """Of this drill's digests."""

    def restore_and_compare(self) -> None:
        """All of it. Raises NotShown where something can't be shown."""
        there, evidence = self.there, self.evidence
        perform.hide_tokens(self.work.swarm)
        secret = self._read_theirs()
        with numbered_volume(self.home) as numbers:
            path = self._back_up(numbers)
        if path is None:
            return
        self._restore(path)
        perform.hide_tokens(self.new)
        evidence.write(events.Answers(there.name))
        evidence.milestone(f"restored on a new machine: {there} leads")
        evidence.write(events.Identity("after", **self._identity(there)))
        evidence.listing(there, "Restored: the other rows are of machines that are not here")
        reader = self._reader(secret) if secret else None
        rejoin(self.new, there, wait=self.wait, evidence=evidence, services=())
        kept = there.look(
            "head", f"--bytes={MOST_NUMBERS}", "--", numbers, check=False,
            title=f"On {there}: what of a volume is back",
        )  # fmt: skip
        evidence.write(events.Found(tuple(int(w) for w in kept.stdout.split() if _is_number(w))))
        evidence.state(self.new)
        evidence.listing(there, "After")
        if reader:
            reader()

    # -- on the owner's cluster

    def _back_up(self, numbers: str) -> str | None:
        """Have the backup taken where it is installed, and bring it onto the new machine.

        Returns its path, None if there is none.
        """
        home, swarm, evidence = self.home, self.work.swarm, self.evidence
        unit, pattern = self.plan.unit, self.work.said.backup
        before = self._identity(home)
        evidence.write(events.Identity("before", **before))
        evidence.listing(home, "Before")
        swarm.rows(home)
        append(home, numbers, BEFORE)
        had = newest(home, pattern)
        ended = have_it_taken(home, unit, swarm.recorder, self.wait)
        evidence.write(events.TheirBackup(home.name, ended.code, ended.why))
        self.wait(swarm.all_nodes_ready(), within=perform.SETTLED_S)
        if self._identity(home) != before:
            raise NotShown("somebody has changed the swarm while its backup was taken")
        append(home, numbers, AFTER)
        evidence.write(events.WrittenAfter(tuple(AFTER)))
        has = newest(home, pattern)
        if has is None or has == had:
            told = f"nothing new is at {line(pattern)}"
            if ended.well:
                raise NotShown(f"{unit} has done its work, and {told}, which swarmlab.yml names")
            why = f"{ended.why or f'{unit} ended with {ended.code}'}, and {told}"
            evidence.write(events.Restore(self.there.name, None, why, theirs=True))
            return None
        size = self._carry(has[1])
        names = tuple(node.name for node in self.new.nodes)
        evidence.write(events.Elsewhere(self.there.name, names, size))
        return has[1]

    def _carry(self, path: str) -> int:
        give = ("tar", "--create", "--file=-", "--directory=/", "--", path.lstrip("/"))
        take = ("tar", "--extract", "--file=-", "--directory=/")
        try:
            return self.home.pipe(give, self.there, take, most=MOST_MIB << 20, within=CARRY_S)
        except ProviderError as error:
            raise NotShown(f"the backup could not be carried to a new machine: {error}") from error

    # -- on the new machines

    def _restore(self, path: str) -> None:
        """Restore it by their procedure, until a leader answers.

        Raises NotShown where that fails and the engines differ: it says nothing of their backup.
        """
        there, said = self.there, self.work.said
        theirs = replace(self.work, swarm=self.new, submission=self.work.handed_in)
        theirs.carry_again()
        self.evidence.state(self.new)
        differ = self._versions()
        script, *words = (path if word == BACKUP else word for word in said.restore)
        ran = theirs.run(there, script, *words)
        there.forget_connections()
        if differ and not ran.well:
            raise NotShown(f"{differ}: {script} ended with {ran.code}")
        why = "" if ran.well else ran.why or UNSAID
        self.evidence.write(events.Restore(there.name, ran.code, why, theirs=True))
        try:
            self.wait(self.new.has_leader(seen_by=there), within=perform.SETTLED_S)
        except NotConverged as error:
            if differ:
                raise NotShown(f"{differ}: {error}") from error
            raise

    def _versions(self) -> str:
        """How the engines differ, in words; "" if they don't."""
        theirs = engine_of(self.work, self.home).version
        ours = str(self.there.engine.version().get("Version", ""))
        if _release(theirs) == _release(ours):
            return ""
        return f"the backup is of Docker {line(theirs, 40)}, and new machines have {line(ours, 40)}"

    # -- what is compared

    def _identity(self, manager: Node) -> dict[str, Any]:
        """As the exercise's; of what may hold secrets keyed digests."""
        try:
            with understood(f"what the engine of {manager} says of the swarm"):
                told = perform.identity(manager)
        except no_answer() as error:
            raise NotShown(str(error)) from error
        sealed = {"settings": self._sealed(told["settings"])} | {
            part: {str(name): self._sealed(value) for name, value in told[part].items()}
            for part in ("tokens", "services", "configs")
        }
        return told | sealed

    def _sealed(self, value: Any) -> str:
        content = json.dumps(value, sort_keys=True).encode()
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()[:32]

    def _read_theirs(self) -> str | None:
        """A secret's name, whose value was read in a container of theirs; None if none could be."""
        for name, node, container, path in islice(self._mounted(), MOST_TRIED):
            if digest := self._digest(node, container, path):
                self.evidence.write(events.Secret(digest))
                return name
        self.evidence.write(
            events.SecretUnread("no container there has a secret that `sha256sum` in it can read")
        )
        return None

    def _mounted(self) -> Iterator[tuple[str, Node, str, str]]:
        """Secrets in containers: name, machine, container, path."""
        swarm = self.work.swarm
        nodes = {node.name: node for node in swarm.nodes}
        for service in self.work.survey.services or ():
            fit = [given for given in service.secrets if NAME.fullmatch(given.name)]
            for task in swarm.tasks(service.name) if fit else ():
                if task.running and task.container and task.node in nodes:
                    for given in fit:
                        path = str(PurePosixPath("/run/secrets", given.target))
                        yield given.name, nodes[task.node], task.container, path

    def _digest(self, node: Node, container: str, path: str) -> str | None:
        """A file's keyed digest, as a container reads it; None where it can't be read."""
        try:
            said = node.ask("docker", "exec", container, "sha256sum", "--", path, within=ASK_S)
        except ProviderError:
            return None
        digest = said.stdout.partition(" ")[0].lstrip("\\")
        return self._sealed(digest) if said.code == 0 and DIGEST.fullmatch(digest) else None

    def _reader(self, secret: str) -> Callable[[], None] | None:
        """Have a task read the secret in the restored swarm; what is returned notes its value."""
        takes_tasks = self.home.name in {row.machine for row in self.work.nodes()}
        try:
            reader = reader_of(secret, self.new, at=self.there if takes_tasks else None)
        except CommandError:
            self.evidence.write(events.SecretRead(self.there.name, None))
            return None

        def read() -> None:
            (task,) = self.wait(reader.converged(replicas=1), within=perform.SETTLED_S)
            digest = self._digest(
                self.new.node(task.node), task.container, f"/run/secrets/{READER}"
            )
            self.evidence.write(events.SecretRead(task.node, digest))

        return read


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 10


def _release(version: str) -> str:
    """The part by which engines differ in what they keep: 26 of 26.1.5."""
    return version.partition(".")[0]
