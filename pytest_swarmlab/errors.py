"""Everything that can go wrong, one line of meaning each.

A message is one sentence for a person: what was wrong, which value, what to do.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence


class SwarmlabError(Exception):
    """Root of every error that pytest-swarmlab raises itself."""


class ConfigError(SwarmlabError):
    """An option, marker or file holds a value that cannot be used."""


class Unusable(SwarmlabError):
    """A file of a submission can't be read as what it should be, or is empty."""


class HostError(SwarmlabError):
    """This machine lacks or forbids something that the run needs."""


class Unfit(SwarmlabError):
    """An inventory's cluster does not fit one test; it may fit another."""


class Disturbed(SwarmlabError):
    """A cluster that several tests share is no longer as the first of them found it."""


class BuildError(SwarmlabError):
    """The node disk or an image could not be built."""


class ProviderError(SwarmlabError):
    """A machine could not be brought up, reached or controlled: not the student's fault."""


class ClientError(SwarmlabError):
    """A client or an observer of ours failed: what it saw proves nothing."""


class CommandError(SwarmlabError):
    """A command on a node ended with a code other than zero.

    Carries the node's name, the argument list, the exit code and both streams;
    prints the command so that it can be pasted.
    """

    def __init__(self, node: str, argv: Sequence[str], code: int, stdout: str, stderr: str) -> None:
        self.node = node
        self.argv = tuple(argv)
        self.code = code
        self.stdout = stdout
        self.stderr = stderr
        said = (stderr.strip() or stdout.strip() or "nothing was printed")[-800:]
        super().__init__(f"on {node}, `{shlex.join(self.argv)}` ended with {code}: {said}")


class Unseen(SwarmlabError):
    """The record lacks what a judge needs: the verdict is `unknown`."""


class NotConverged(SwarmlabError):
    """A condition was not met in time, or can never be met any more.

    Carries condition, node, elapsed seconds and the last state seen.
    """

    def __init__(
        self, condition: str, *, node: str | None, elapsed: float, last: str, fatal: bool = False
    ) -> None:
        self.condition = condition
        self.node = node
        self.elapsed = elapsed
        self.last = last
        self.fatal = fatal
        place = f" on {node}" if node else ""
        verb = "can no longer be met" if fatal else "was not met"
        super().__init__(f"{condition}{place} {verb} after {elapsed:.1f} s; last seen: {last}")


INFRASTRUCTURE = (HostError, BuildError, ProviderError, ClientError)
"""Errors that say nothing about the cluster under test: they make a verdict `unknown`."""
