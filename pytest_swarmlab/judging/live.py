"""The `evidence` fixture: record a state, then have an exercise's checks judge the record."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from _pytest.outcomes import Failed

from pytest_swarmlab.errors import NotConverged
from pytest_swarmlab.evidence import collectors
from pytest_swarmlab.evidence.attachments import attachment
from pytest_swarmlab.evidence.events import (
    Checked,
    FindingMet,
    Identities,
    Info,
    Measured,
    Milestone,
    Notice,
    Ping,
    Seen,
    TasksSample,
)
from pytest_swarmlab.evidence.load import load
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.judging.exercise import Exercise, overall
from pytest_swarmlab.model import CheckResult, Verdict
from pytest_swarmlab.swarm.identities import identities_of
from pytest_swarmlab.waiting.conditions import brief, no_answer

if TYPE_CHECKING:
    from pytest_swarmlab.swarm.cluster import Node, Swarm


PING_S = 2.0
"""Longest that an engine may take to say that it is there."""


class FindingSeen(Failed):
    """A test failed, and all that failed in it is a named finding about Swarm.

    Such a test may be run once more: pytest-rerunfailures has
    ``--reruns=1 --only-rerun='^FindingSeen:'`` for it, and the next test has a new cluster. What
    was judged stays: the exercise has failed.
    """


class Evidence:
    """Bound to the run's recorder.

    `beside`: how many other clusters are under test on this machine now.
    """

    def __init__(self, recorder: Recorder, beside: Callable[[], int] = lambda: 0) -> None:
        self._recorder = recorder
        self._beside = beside
        self._unproven: list[CheckResult] = []
        self.findings: list[str] = []
        """Names of the findings about Swarm that alone made the test fail."""

    @contextmanager
    def judged(self, exercise: Exercise, phase: str) -> Iterator[None]:
        """All that is recorded in the block belongs to that phase; at its end the phase is judged.

        A condition that is not met ends the block and is judged all the same: what
        was recorded until then tells which checks fail. Any other error leaves the
        checks unjudged, which makes them `unknown`. A phase that needs what this
        cluster hasn't is not begun: its checks are `not_provable` and the test is skipped.
        """
        able = self._recorder.view().capabilities()
        if any(able.get(need) is False for need in exercise.needs(phase)):
            self.judge(exercise, phase)
            self.say_unproven()
        unmet: NotConverged | None = None
        name = exercise.phase(phase)
        with load(self._recorder, name, self._beside), self._recorder.phase(name):
            try:
                yield
            except NotConverged as error:
                unmet = error
        self.judge(exercise, phase, unmet)

    def note(self, kind: str, **data: object) -> None:
        """Record an observation of the exercise's own, of a kind without a type."""
        self._recorder.record(kind, **data)

    def write(self, seen: Seen) -> None:
        """Record an observation of the exercise's own."""
        self._recorder.write(seen)

    def now(self) -> float:
        """This moment, in seconds of the run."""
        return self._recorder.now()

    def milestone(self, text: str) -> None:
        """Name this moment in the report's picture and chronology."""
        self._recorder.write(Milestone(text))

    def attach(self, title: str, picture: bytes) -> None:
        """Keep a picture, JPEG or PNG of 200 kB at most, and show it in the phase's report."""
        self._recorder.write(attachment(title, picture))

    def listing(self, node: Node, title: str) -> None:
        """`docker node ls` on that node, kept as one of the lab's screenshots, whatever it says."""
        node.look("docker", "node", "ls", title=title, check=False)

    @contextmanager
    def raft_of(self, nodes: Sequence[Node]) -> Iterator[None]:
        """Record, at the block's end, how these nodes' roles in Raft changed within it."""
        began = collectors.journal_ends(nodes)
        yield
        collectors.raft_log(nodes, self._recorder, since=began)

    def containers_of(self, swarm: Swarm, service: str) -> AbstractContextManager[None]:
        """Record, within the block, what every engine tells of the service's containers.

        Started, healthy, unhealthy, killed, ended: as it comes.
        """
        return collectors.engine_events(swarm.nodes, self._recorder, service)

    def state(self, swarm: Swarm) -> None:
        """Record what every machine says of the swarm: its own view, and a manager's node list."""
        for node in swarm.nodes:
            try:
                info = node.engine.info()["Swarm"]
            except no_answer() as error:
                self._recorder.write(Info(node.name, error=brief(error)))
                continue
            self._recorder.write(
                Info(
                    node.name,
                    state=info.get("LocalNodeState", ""),
                    control=bool(info.get("ControlAvailable")),
                    managers=info.get("Managers", 0),
                    nodes=info.get("Nodes", 0),
                    cluster=(info.get("Cluster") or {}).get("ID", ""),
                    error=info.get("Error") or None,
                )
            )
            if info.get("ControlAvailable"):
                swarm.rows(node)

    @contextmanager
    def identities_of(self, swarm: Swarm) -> Iterator[None]:
        """Record, before and after the block, who each machine is: `identities.kept` compares.

        After it also where it fails: an identity that was lost may be why.
        """
        self.identities(swarm)
        try:
            yield
        except Exception:
            self.identities(swarm)
            raise
        self.identities(swarm)

    def identities(self, swarm: Swarm) -> None:
        """Record who each machine is by its engine and its certificate, and the roles given."""
        machines = tuple(identities_of(swarm.nodes))
        try:
            roles = {row.id: row.role for row in swarm.look()[1]}
        except no_answer():
            roles = {}  # What the certificates said before must do.
        self._recorder.write(Identities(machines, roles))

    def tasks(self, swarm: Swarm, service: str) -> None:
        """Record a service's tasks as the managers list them now."""
        seen_from, _ = swarm.look()
        tasks = swarm.task_rows(seen_from.engine, service)
        swarm.recorder.write(TasksSample(seen_from.name, service, 0.0, tuple(tasks)))

    def ping(self, *nodes: Node) -> None:
        """Record whether each node's engine answers now: what was broken is to be away."""
        for node in nodes:
            try:
                with contextlib.closing(node.new_engine(PING_S)) as engine:
                    engine.ping()
                answers = True
            except no_answer():
                answers = False
            self._recorder.write(Ping(node.name, answers))

    def judge(
        self, exercise: Exercise, phase: str, unmet: NotConverged | None = None
    ) -> list[CheckResult]:
        """Judge every check of that phase on what was recorded, write the verdicts, then say them.

        Fails the test when a check failed or is unknown. Checks that can't be proven here
        are remembered: the test goes on, and is skipped at its end. `unmet`: the condition
        that ended the phase early; it fails the test in any case. Raises FindingSeen where
        nothing failed but what a named finding about Swarm explains. Where the phase was performed
        more than once, this is about the last time.
        """
        last = self._recorder.view().performances(exercise.phase(phase))[-1]
        results = exercise.judge(last, phase)
        for result in results:
            self._recorder.write(
                Checked(exercise=exercise.id, phase=exercise.phase(phase), **asdict(result))
            )
        self._measure(exercise, phase)
        verdict = overall(result.verdict for result in results)
        said = f"{unmet or ''}\n{complaint(results)}".strip()
        if self._only_findings(exercise.phase(phase), results, unmet):
            raise FindingSeen(said, pytrace=False)
        if unmet:
            pytest.fail(said, pytrace=False)
        if verdict not in (Verdict.PASS, Verdict.NOT_PROVABLE):
            pytest.fail(said, pytrace=False)
        self._unproven += [r for r in results if r.verdict is Verdict.NOT_PROVABLE]
        return results

    def _only_findings(
        self, phase: str, results: Sequence[CheckResult], unmet: NotConverged | None
    ) -> bool:
        """Record the findings among the failures, and tell whether there is nothing else.

        A wait that could not be met any more is a finding's consequence; one that ran out of time
        is a failure of its own.
        """
        bad = [r for r in results if r.verdict in (Verdict.FAIL, Verdict.UNKNOWN)]
        named = [r for r in bad if r.finding and r.verdict is Verdict.FAIL]
        alone = bool(named) and named == bad and (unmet is None or unmet.fatal)
        for result in named:
            self._recorder.write(
                FindingMet(result.finding, phase, result.id, result.observed, alone=alone)
            )
        if alone:
            self.findings = list(dict.fromkeys(result.finding for result in named))
        return alone

    def _measure(self, exercise: Exercise, phase: str) -> None:
        """Record what was measured: who writes the report may not have the exercise at hand."""
        try:
            measured = exercise.measurements(self._recorder.view(), phase)
        except Exception as error:  # noqa: BLE001 - figures less must not cost the verdict
            why = f"{type(error).__name__}: {error}"
            self._recorder.write(Notice(f"{phase} could not be measured: {why}"))
            return
        for values in measured.values():
            self._recorder.write(Measured(exercise.id, phase, values))

    def say_unproven(self) -> None:
        """Skip the test if checks of it could not be proven here: it has not passed."""
        if self._unproven:
            pytest.skip(complaint(self._unproven))


def complaint(results: list[CheckResult]) -> str:
    """Every check that did not pass: its claim, what was expected, what was seen, what helps."""
    lines = []
    for r in results:
        if r.verdict is not Verdict.PASS:
            lines += [
                f"{r.verdict.value.upper()} {r.id}: {r.title}",
                f"    expected: {r.expected}",
                f"    observed: {r.observed}",
                f"    hint: {r.hint}",
            ]
    return "\n".join(lines)
