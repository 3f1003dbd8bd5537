"""The narration at the terminal, made from the events alone while they happen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TextIO, TypeVar

from pytest_swarmlab.evidence.events import (
    Change,
    Checked,
    ClusterKept,
    ClusterReady,
    FaultHealed,
    FaultHealing,
    FaultInjected,
    FaultInjecting,
    FindingMet,
    NodeJoined,
    NodeSeen,
    NodesSample,
    NodeUp,
    Notice,
    PhaseFinished,
    PhaseStarted,
    Request,
    Seen,
    StageDone,
    StageFailed,
    StageStarted,
    Waited,
    Write,
    kind_of_fault,
    read,
)
from pytest_swarmlab.model import FINDINGS, Event
from pytest_swarmlab.text import SHORT, clock, count, duration, line

if TYPE_CHECKING:
    from rich.console import Console

VERDICTS = {
    "pass": "[green]✓ pass[/]",
    "fail": "[bold red]✗ fail[/]",
    "unknown": "[bold magenta]? unknown[/]",
    "not_provable": "[bold yellow]– not provable[/]",
}
ENDED = {"timeout": "not met after", "fatal": "can no longer be met, after"}
"""How a wait ended; otherwise by an error or Ctrl-C."""

PROGRESS_S = 10.0
"""Between two lines about a probe that goes on."""

S = TypeVar("S", bound=Seen)

Teller = Callable[[Event], str | None]
"""The event's meaning for a person, in rich's markup; None for nothing."""


def plain(value: object, limit: int = SHORT) -> str:
    """One line of a cluster's text that can't be taken for markup."""
    from rich.markup import escape

    # A backslash before a bracket, or at the end, would undo the escaping or eat our own tag.
    return escape(line(value, limit).replace("\\", "\N{REVERSE SOLIDUS OPERATOR}"))


ASKED_FOR = {"cluster.kept"}
"""Events that are printed even with -q, since the user needs them."""


class Narration:
    """Narrates each worker's events by themselves: those of two clusters are no single story."""

    def __init__(self, out: TextIO, *, quiet: bool = False) -> None:
        self._out = out
        self._quiet = quiet
        self._narrators: dict[str, Narrator] = {}

    def hear(self, event: Event) -> None:
        """Pass the event on to its worker's narrator."""
        if self._quiet and event.kind not in ASKED_FOR:
            return
        if event.worker not in self._narrators:
            self._narrators[event.worker] = Narrator(self._out, event.worker)
        self._narrators[event.worker].hear(event)


class Narrator:
    """Gets every event and prints those that a person waits for, with the run's own clock.

    `worker`: whose events they are, named in each line; "" if there is only one.
    """

    def __init__(self, out: TextIO, worker: str = "") -> None:
        self._out = out
        self._worker = f" [dim]{plain(worker)}[/]" if worker else ""
        self._console: Console | None = None
        self._leader: NodeSeen | None = None
        self._states: dict[str, str] = {}
        self._fault_at: float | None = None
        self._requests = self._errors = 0
        self._told_requests_at = 0.0
        self._tellers: dict[str, Teller] = {
            **_seen(StageStarted, lambda stage: f"[dim]{plain(stage.name)} …[/]"),
            **_seen(StageDone, lambda s: f"{plain(s.name)}: {duration(s.seconds)}"),
            **_seen(StageFailed, lambda stage: f"[red]{plain(stage.name)} failed[/]"),
            **_seen(Notice, lambda notice: f"[yellow]{plain(notice.message)}[/]"),
            **_seen(NodeUp, lambda up: f"[dim]{plain(up.node)} is up[/]"),
            **_seen(NodeJoined, lambda joined: f"[dim]{plain(joined.node)} has joined[/]"),
            **_seen(Change, lambda c: f"[yellow]{plain(c.node)} ←[/] [dim]{plain(c.what)}[/]"),
            **_seen(ClusterReady, self._cluster_ready),
            **_seen(ClusterKept, _cluster_kept),
            **_seen(PhaseStarted, self._phase_started),
            **_seen(PhaseFinished, self._requests_so_far),
            **_seen(FaultInjecting, lambda f: f"[dim]{_all(f.nodes)}: the fault is next …[/]"),
            **_seen(FaultInjected, self._fault_injected),
            **_seen(FaultHealing, lambda f: f"[dim]{_all(f.nodes)}: healing …[/]"),
            **_seen(
                FaultHealed,
                lambda f: f"[green]{_all(f.nodes)}: healed[/] ({duration(f.seconds)})",
            ),
            **_seen(NodesSample, self._nodes),
            **_seen(Request, self._request),
            **_seen(Write, _write),
            **_seen(Waited, _waited),
            **_seen(
                Checked,
                lambda c: f"  {VERDICTS.get(c.verdict, plain(c.verdict))}  {plain(c.title)}",
            ),
            **_seen(
                FindingMet,
                lambda f: f"[bold red]a finding about Swarm: {plain(f.name)}[/] ({FINDINGS})",
            ),
        }

    def hear(self, event: Event) -> None:
        """Print the event's meaning for a person, if it has one."""
        if text := self.tell(event):
            self.say(event, text)

    def tell(self, event: Event) -> str | None:
        """The event's meaning for a person, in rich's markup; None for nothing."""
        tell = self._tellers.get(event.kind)
        return (tell(event) or None) if tell else None

    def say(self, event: Event, text: str) -> None:
        """Print that text of the event's."""
        self._print(f"{self.margin(event.t)}  {text}")

    def margin(self, t: float) -> str:
        """Prefix of each line: the run's clock and the worker."""
        return f"[cyan]{clock(t)}[/]{self._worker}"

    def _print(self, text: str) -> None:
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=self._out, highlight=False, soft_wrap=True)
        self._console.print(text)
        # What is not a terminal would keep it back; a person follows a CI's log too.
        self._out.flush()

    def _cluster_ready(self, ready: ClusterReady) -> str:
        self._leader, self._states = None, {}
        source = f" ({plain(ready.kernel_source)})" if ready.kernel_source else ""
        return (
            f"[bold]Swarm ready[/] after {duration(ready.seconds)}:"
            f" {count(ready.topology.managers, 'manager')}"
            f" and {count(ready.topology.workers, 'worker')},"
            f" Docker {plain(ready.engine_version)}, kernel {plain(ready.kernel)}{source}"
        )

    def _phase_started(self, phase: PhaseStarted) -> str:
        self._fault_at, self._requests, self._errors = None, 0, 0
        return f"[bold]── {plain(phase.name)} ──[/]"

    def _fault_injected(self, fault: FaultInjected) -> str:
        self._fault_at = fault.t - fault.seconds
        what = plain(kind_of_fault(fault.fault).said)
        return f"[bold red]{_all(fault.nodes)}: {what}[/]"

    def _nodes(self, sample: NodesSample) -> str | None:
        said = []
        leader = sample.leading
        if leader and (self._leader is None or leader.identity != self._leader.identity):
            if self._leader:
                before, now = plain(self._leader.name), plain(leader.name)
                said.append(f"[bold]leader: {before} → {now}[/]{self._after(sample)}")
            self._leader = leader
        for row in sample.nodes:
            id_, state = row.identity, row.state
            if "down" in {state, self._states.get(id_)} and self._states.get(id_) != state:
                said.append(f"{plain(row.name)} is {plain(state)}{self._after(sample)}")
            self._states[id_] = state
        return "; ".join(said)

    def _after(self, seen: Seen) -> str:
        if self._fault_at is None:
            return ""
        return f" ({duration(seen.t - self._fault_at)} after the fault)"

    def _request(self, request: Request) -> str | None:
        self._requests += 1
        self._errors += request.status is None or request.status >= 400
        if request.t - self._told_requests_at < PROGRESS_S:
            return None
        return self._requests_so_far(request)

    def _requests_so_far(self, seen: Seen) -> str | None:
        self._told_requests_at = seen.t
        if not self._requests:
            return None
        colour = "red" if self._errors else "green"
        return f"clients: {self._requests} requests, [{colour}]{self._errors} failed[/]"


def _seen(kind: type[S], tell: Callable[[S], str | None]) -> dict[str, Teller]:
    """The method that narrates events of a kind, by its name."""
    return {kind.kind: lambda event: tell(read(kind, event))}


def _all(names: Iterable[str]) -> str:
    return ", ".join(plain(name) for name in names)


def _cluster_kept(kept: ClusterKept) -> str:
    return (
        f"[bold]Cluster {plain(kept.cluster)} is left running.[/] Reach it with\n"
        f"       {plain(kept.shell)}\n       {plain(kept.engine)}\n"
        "       run on it again with --swarmlab-reuse, remove it with: swarmlab gc --kept"
    )


def _write(write: Write) -> str:
    answer = f"refused: {plain(write.error, 80)}" if write.error else "accepted"
    return f"a change through {plain(write.node)}: {answer}"


def _waited(wait: Waited) -> str:
    if wait.outcome == "done":
        return f"[green]✓[/] {plain(wait.condition)} ({duration(wait.elapsed)})"
    ended = ENDED.get(wait.outcome, "given up after")
    place = f" on {plain(wait.node)}" if wait.node else ""
    return (
        f"[red]✗ {plain(wait.condition)}{place}[/]: {ended} {duration(wait.elapsed)};"
        f" last seen: {plain(wait.last)}"
    )
