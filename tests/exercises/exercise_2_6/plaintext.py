"""A secret is looked for where it must not be."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_swarmlab import failed, passed
from pytest_swarmlab.evidence.events import each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, nodes_of
from pytest_swarmlab.model import Judgement

from . import somebodys
from .declared import PLAINTEXT, exercise
from .events import Memory, Search

SEARCHED = (
    "swarm directory", "logs", "container's layer", "container's files and log",
    "what the run wrote",
)  # fmt: skip


@exercise.check(
    "search-works",
    phases=PLAINTEXT,
    title="The search finds a control in each place",
    expected="a hit for the control in each place",
    hint="Without a hit for the control the search proves nothing: is grep on the node?",
)
def search_works(record: Record) -> Judgement:
    """A control for the check that follows."""
    searches = _searches(record)
    blind = _blind(searches)
    told = f"the control was found in {len(searches) - len(blind)} of {len(searches)} searches"
    return judged(told, wrong=[f"not found: {'; '.join(blind)}"] if blind else [])


@exercise.check(
    "nowhere-in-plain",
    phases=PLAINTEXT,
    title="The secret stands nowhere in plain",
    expected="neither in plain nor as Base64: in no node's swarm directory and logs, not in the"
    " container's layer, files and log, and in no file of the run",
    hint="grep for it in the named place: which program wrote it?",
)
def nowhere_in_plain(record: Record) -> Judgement:
    """Of every search, also one that was made twice; a search that finds nothing at all is none."""
    searches = _searches(record)
    found = [f"{_where(seen)}: {seen.found} times" for seen in searches if seen.found != 0]
    missing = [f"no control was found: {'; '.join(blind)}"] if (blind := _blind(searches)) else []
    told = f"{len(searches)} searches, {len(found)} found it"
    return judged(told, wrong=found, missing=missing)


@exercise.check(
    "only-in-memory",
    phases=PLAINTEXT,
    title="The node that runs the task has the secret in memory only",
    expected="the engine's directory of the container's secrets is a tmpfs and has the secret",
    hint="`findmnt /var/lib/docker/containers/<id>/mounts/secrets` on that node.",
)
def only_in_memory(record: Record) -> Judgement:
    """A worker gets the secret over the manager's TLS connection, and keeps it here."""
    seen = need(record, Memory, "the engine's directory was not read")
    told = f"{seen.type}, found {seen.found} times"
    return passed(told) if seen.type == "tmpfs" and seen.found else failed(told)


def _searches(record: Record) -> list[Search]:
    """Every search that was made. Raises Unseen, by `need`, when one of them was not."""
    for what in SEARCHED:
        need(record, Search, f"nobody searched the {what}", what=what)
    besides = (somebodys.FILES,) if somebodys.is_theirs(record) else ()
    for node in nodes_of(record):
        for what in ("swarm directory", "logs", *besides):
            need(record, Search, f"nobody searched the {what} of {node}", what=what, node=node)
    return each(record, Search)


def _blind(searches: Sequence[Search]) -> list[str]:
    """Searches that did not even find the control."""
    return [_where(seen) for seen in searches if not seen.control]


def _where(seen: Search) -> str:
    return f"{seen.what} {seen.node}".strip()
