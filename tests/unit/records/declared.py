"""What a claim says that it is about, and which breaks are therefore none of it.

Each call of `not_asked`, `not_sampled` and the others, on a run on which the claim passes, names a
stretch of the run, a pause that is borne, and the nodes or managers of whom it must be seen. A
break that takes nothing of that away is none of that claim's: `Claim.bears` has the rules, each of
which holds for a whole kind of break.
"""

from __future__ import annotations

import functools
import inspect
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from unittest.mock import patch

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging import claims
from pytest_swarmlab.judging.claims import Window
from pytest_swarmlab.judging.exercise import Check
from pytest_swarmlab.model import Event, Verdict
from tests.unit.records.breaker import Break

VOCABULARY = (
    "not_asked",
    "not_sampled",
    "not_written",
    "not_while",
    "out_of_order",
    "not_each",
    "not_away",
    "not_the_leader",
)

STREAMS = {"request", "entry", "nodes", "tasks", "ping", "engine", "write", "raft", "info"}
"""What clients, observers and ledgers see, whose moments are what is claimed.

All else that an exercise notes is a single look, which says by itself what it is of, or a cause."""

CAUSES = {
    "fault.injected",
    "begun",
    "struck",
    "broken",
    "frozen",
    "labelled",
    "secret",
    "backup",
    "ready",
    "ordered",
    "acknowledged",
    "removed",
    "deployed",
    "provoked",
    "mending",
}
"""What begins a stretch that something is claimed of: it must come before that."""

LISTS = {"nodes", "tasks"}
"""The swarm's own lists, of which one manager's is as good as another's."""


@dataclass
class Claim:
    """What one claim says, and what it reads.

    `read`: numbers of the events that its judge is given; `kinds`: theirs. `causes`: when what it
    reads was broken or begun. `windows`: the stretches in which somebody must have asked, written
    or listed all along; `moments`: those between looks in their order.
    `pause`: the longest that it bears, seconds. `called`: which words of the vocabulary it uses.
    `asked`, `sampled`: through which nodes, and which managers, it must be seen.
    """

    read: set[int] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    causes: list[float] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    moments: list[Window] = field(default_factory=list)
    pause: float = 0.0
    called: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    sampled: set[str] = field(default_factory=set)

    def stretch(self, kind: str) -> Window | None:
        """From the first moment that it names of events of a kind to the last; None: of none.

        Where clients stopped before the last of what was broken, or others before the first, their
        stretch excuses nothing.
        """
        named = [*self.windows, *self.moments]
        if kind in STREAMS and self.windows:
            named = self.windows
        if not named:
            return None
        found = Window(min(each.began for each in named), max(each.ended for each in named))
        if kind not in STREAMS or not self.windows or not self.causes:
            return found
        reached = max(self.causes) if kind in {"request", "entry"} else min(self.causes)
        return found if found.ended > reached else None

    def note(self, name: str, said: dict[str, Any]) -> None:
        """Keep what a call says."""
        self.called.add(name)
        if name in {"not_asked", "not_sampled", "not_written", "not_while"}:
            self.windows.append(said["window"])
            self.pause = max(self.pause, said.get("pause", 0.0))
        elif name == "out_of_order":
            known = [t for _, t in said["moments"] if t is not None and math.isfinite(t)]
            self.moments += [Window(min(known), max(known))] if known else []
        elif name == "not_away":
            fault = said["fault"]
            until = math.inf if fault.heal_began is None else fault.heal_began
            self.windows.append(Window(fault.began, min(said["until"], until)))
        elif name == "not_the_leader":
            began = said["fault"].began
            self.windows.append(Window(began - said["within"], began))
        if name == "not_asked":
            self.asked |= set(said["through"])
        if name == "not_sampled":
            self.sampled |= set(said["by"])

    def bears(self, each: Break, run: Record) -> str:
        """Why that break takes nothing away of what the claim says; "" where it does."""
        touched = each.touched & self.read
        mine = [event for event in run if event.seq in touched]
        return (
            self._not_mended_yet(each, mine)
            or self._outside(each, mine)
            or self._of_nobody(each)
            or self._in_time(each, mine, run)
            or _names_alike(each, self.kinds)
        )

    def _not_mended_yet(self, each: Break, mine: list[Event]) -> str:
        """What was never mended was on until the end: of all that is claimed it was on anyway."""
        stretch = self.stretch("fault.healed")
        if each.kind != "fault.healed" or stretch is None or stretch.ended == math.inf:
            return ""
        later = all(event.t > stretch.ended for event in mine)
        return "it was mended only after what is claimed" if later else ""

    def _outside(self, each: Break, mine: list[Event]) -> str:
        """Of what is gone nothing is of the stretch, or no more than a pause that it bears."""
        if each.how == "none":
            return ""
        stretches = {kind: self.stretch(kind) for kind in {event.kind for event in mine}}
        within = [
            event.t
            for event in mine
            if (stretch := stretches[event.kind]) is None or event.t in stretch
        ]
        if not within:
            return "it is not of the stretch that is claimed"
        in_windows = ("none after", "none before", "none from", "cut")
        if each.how.startswith(in_windows) and max(within) - min(within) <= self.pause:
            return "it is no longer than a pause that is borne"
        return ""

    def _of_nobody(self, each: Break) -> str:
        """Of whom it is, nobody is claimed to have been asked."""
        by_node, one = each.how.startswith("none of "), each.how.startswith("not the one")
        node = each.how.removeprefix("none of ")
        if each.kind == "request" and by_node and self.asked and node not in self.asked:
            return "through that node nobody needs to ask"
        if each.kind in LISTS and "not_each" not in self.called:
            if by_node and node not in self.sampled:
                return "one manager's list is as good as another's"
            if one and not self.sampled:
                return "one list is as good as another"
        return ""

    def _in_time(self, each: Break, mine: list[Event], run: Record) -> str:
        """What is only seen sooner or later than it was, where that is no matter."""
        if each.kind in CAUSES:
            sooner = each.how == "all seen at the phase's beginning"
            return "what must come first may have come sooner" if sooner else ""
        look = each.kind not in STREAMS or (each.kind in LISTS and not self.sampled)
        if look and each.how == "all seen at the phase's end":
            return "what is looked at later than it must be is looked at late enough"
        causes = [event.t for event in run if event.kind in CAUSES]
        if each.kind in {"request", "entry"}:
            alike = each.how == "moments shuffled" and len({_told(event) for event in mine}) == 1
            return "all of them say the same, in any order" if alike else ""
        if not causes and each.how.startswith(("all seen", "moments")):
            return "nothing was broken or begun, before or after which it must come"
        if look and each.how == "moments shuffled":
            moved = {event.seq: event.t for event in each.edit(run)}
            if all(_side(e.t, causes) == _side(moved[e.seq], causes) for e in mine):
                return "several looks on one side of what was broken, of which none comes first"
        return ""


def _told(event: Event) -> str:
    """What came of a request or a write; through whom, when, and which of many it was is left out.

    So an acknowledgement counts, and not the id that it gives.
    """
    data = event.data
    left_out = {"node", "url", "port", "number", "sent", "seconds", "ledger"}
    said = {key: value for key, value in data.items() if key not in left_out}
    return repr({**said, "id": said.get("id") is not None})


def _side(t: float, causes: list[float]) -> int:
    return sum(t > cause for cause in causes)


def _names_alike(each: Break, kinds: set[str]) -> str:
    """What a machine is called matters to who must know which one was broken."""
    if each.how == "nodes exchanged" and not kinds & {"fault.injected", "struck"}:
        return "all are looked at alike, and what a machine is called is not what is claimed"
    return ""


def claim_of(check: Check, run: Record) -> Claim:
    """What that claim says on a run on which it passes."""
    found = Claim()
    with _events_read(found.read), _heard(found):
        assert check.judge(run).verdict is Verdict.PASS, check.result(run)
    mine = [event for event in run if event.seq in found.read]
    found.kinds = {event.kind for event in mine}
    found.causes = [event.t for event in mine if event.kind in CAUSES]
    return found


def kinds_read(check: Check, run: Record) -> set[str]:
    """The kinds of event that its judge asks for on that run."""
    read: set[int] = set()
    with _events_read(read):
        check.judge(run)
    return {event.kind for event in run if event.seq in read}


@contextmanager
def _events_read(read: set[int]) -> Iterator[None]:
    ask = Record.of

    def of(record: Record, *kinds: str, **match: Any) -> Any:
        found = ask(record, *kinds, **match)
        read.update(event.seq for event in found)
        return found

    with patch.object(Record, "of", of):
        yield


@contextmanager
def _heard(found: Claim) -> Iterator[None]:
    """Within the block every module's own name of a word of the vocabulary tells what is asked."""
    with ExitStack() as stack:
        for module, name in _names():
            word = getattr(claims, name)
            stack.enter_context(patch.object(module, name, _telling(word, found)))
        yield


@functools.cache
def _names() -> tuple[tuple[ModuleType, str], ...]:
    """Which modules have a word of the vocabulary as a name of their own."""
    return tuple(
        (module, name)
        for name in VOCABULARY
        for module in sys.modules.values()
        if module is not claims and vars(module).get(name) is getattr(claims, name)
    )


def _telling(word: Callable[..., list[str]], found: Claim) -> Callable[..., list[str]]:
    signature = inspect.signature(word)

    @functools.wraps(word)
    def told(*args: Any, **more: Any) -> list[str]:
        bound = signature.bind(*args, **more)
        bound.apply_defaults()
        for name in ("through", "by", "wanted", "moments"):
            if name in bound.arguments:
                bound.arguments[name] = list(bound.arguments[name])
        found.note(word.__name__, dict(bound.arguments))
        return word(*bound.args, **bound.kwargs)

    return told
