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
    NotPerformed,
    Ping,
    Seen,
    TasksSample,
)
from pytest_swarmlab.evidence.load import load
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.judging.exercise import Exercise, overall
from pytest_swarmlab.model import CheckResult, Verdict
from pytest_swarmlab.swarm.identities import identities_of
from pytest_swarmlab.swarm.mesh import record_mesh
from pytest_swarmlab.swarm.rows import membership
from pytest_swarmlab.waiting.conditions import brief, no_answer, understood

if TYPE_CHECKING:
    from pytest_swarmlab.swarm.cluster import Node, Swarm


PING_S = 2.0
"""Longest that an engine may take to answer a ping, seconds."""


class FindingSeen(Failed):
    """A test failed, and a named finding about Swarm explains all of it.

    Such a test may be run once more: pytest-rerunfailures has ``--reruns=1
    --only-rerun='^FindingSeen:'`` for that, and the next test has a new cluster. The verdict stays:
    the exercise has failed.
    """


class Evidence:
    """Records and judges for one test.

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
        """Events of the block belong to that phase; at the block's end the phase is judged.

        A condition that is not met ends the block, and the phase is judged all the same: the events
        until then show which checks fail. After any other error the checks are not judged, which
        makes them `unknown`. A phase whose needs this cluster does not meet is not begun: its
        checks are `not_provable` and the test is skipped.
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

    def not_performed(self, exercise: Exercise, phase: str, why: str) -> None:
        """Record why a drill can't be performed here, and skip the test: nothing is provable."""
        with self._recorder.phase(exercise.phase(phase)):
            self._recorder.write(NotPerformed(why))
        self.judge(exercise, phase)
        self.say_unproven()

    def note(self, kind: str, **data: object) -> None:
        """Record an event of that kind, which no type describes: for a suite's own checks."""
        self._recorder.record(kind, **data)

    def write(self, seen: Seen) -> None:
        """Record an event."""
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

        They are started, healthy, unhealthy, killed, ended.
        """
        return collectors.engine_events(swarm.nodes, self._recorder, service)

    def state(self, swarm: Swarm) -> None:
        """Record every machine's own view of the swarm, and the node list of each manager."""
        for node in swarm.nodes:
            try:
                seen = self._view_of(node)
            except no_answer() as error:
                seen = Info(node.name, error=brief(error))
            self._recorder.write(seen)
            if seen.control:
                swarm.rows(node)

    @staticmethod
    def _view_of(node: Node) -> Info:
        info = membership(node.engine.info())
        with understood("what the engine says of itself"):
            return Info(
                node.name,
                state=info.get("LocalNodeState") or "",
                control=bool(info.get("ControlAvailable")),
                managers=info.get("Managers", 0),
                nodes=info.get("Nodes", 0),
                cluster=(info.get("Cluster") or {}).get("ID", ""),
                error=info.get("Error") or None,
            )

    @contextmanager
    def identities_of(self, swarm: Swarm) -> Iterator[None]:
        """Record every machine's identity before and after the block, also of one that fails.

        `identities.kept` compares them: a lost identity may be why it failed.
        """
        self.identities(swarm)
        try:
            yield
        except Exception:
            self.identities(swarm)
            raise
        self.identities(swarm)

    def identities(self, swarm: Swarm) -> None:
        """Record who every machine is by its engine and its certificate, and the nodes' roles."""
        machines = tuple(identities_of(swarm.nodes))
        try:
            roles = {row.id: row.role for row in swarm.look()[1]}
        except no_answer():
            roles = {}  # What the certificates said before must do.
        self._recorder.write(Identities(machines, roles))

    def mesh(self, nodes: Sequence[Node]) -> None:
        """Record what these machines' engines have set up for published ports."""
        record_mesh(nodes, self._recorder)

    def tasks(self, swarm: Swarm, service: str) -> None:
        """Record a service's tasks as the managers list them now."""
        seen_from, _ = swarm.look()
        tasks = swarm.task_rows(seen_from.engine, service)
        swarm.recorder.write(TasksSample(seen_from.name, service, 0.0, tuple(tasks)))

    def ping(self, *nodes: Node) -> None:
        """Record whether each node's engine answers now: a broken one must be away."""
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
        """Judge every check of that phase on what was recorded, and write the verdicts.

        Fails the test when a check failed or is unknown. A check that can't be proven here is
        remembered: the test goes on, and is skipped at its end. `unmet`: the condition that ended
        the phase early; it fails the test in any case. Raises FindingSeen if a named finding about
        Swarm alone explains the failure. If the phase was performed more than once, the last time
        is judged.
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
        """Record the findings among the failures; returns whether there is nothing else.

        A wait that could not be met any more is a finding's consequence; a wait that ran out of
        time is a failure of its own.
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
        """Record the measurements: the writer of the report may not have the exercise installed."""
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
    """Every check that did not pass: its claim, what is expected, what was observed, the hint."""
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
