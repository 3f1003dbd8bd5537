"""From a record to verdicts. Pure: the same record always gives the same verdicts.

An exercise declares its checks beside the code that judges them. Judging reads the record and
nothing else, so that a run can be judged again long after its cluster is gone.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_swarmlab.errors import ConfigError, Unseen
from pytest_swarmlab.evidence.events import CheckDeclared, ExerciseSelected, NotPerformed, last
from pytest_swarmlab.evidence.load import no_idle_time
from pytest_swarmlab.evidence.looking import Looked
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Capability, CheckResult, Judgement, Verdict

Judge = Callable[[Record], Judgement]
Measure = Callable[[Record], Mapping[str, Any]]


def passed(observed: str) -> Judgement:
    """The record shows what was expected."""
    return Judgement(Verdict.PASS, observed)


def failed(observed: str, *, finding: str = "") -> Judgement:
    """The record shows something else.

    `finding`: the name of a known property of Swarm, if it alone explains the failure.
    """
    return Judgement(Verdict.FAIL, observed, finding)


def unknown(observed: str) -> Judgement:
    """The record lacks what is needed to decide."""
    return Judgement(Verdict.UNKNOWN, observed)


def not_provable(observed: str) -> Judgement:
    """These machines can't show it, whatever the cluster does."""
    return Judgement(Verdict.NOT_PROVABLE, observed)


@dataclass(frozen=True)
class Check:
    """One claim: a stable id, what is expected, its judge, and a hint for when it does not hold.

    `phase`: the part of the record that it is judged on, together with the `cluster.ready` before
    it, which lists the cluster's nodes. `needs`: capabilities of the cluster; if one was looked for
    and not found, the check is `not_provable`. `timed`: it has a bound of time, which a machine
    without idle time may exceed: then it is `unknown`, not failed.
    """

    id: str
    phase: str
    title: str
    expected: str
    hint: str
    judge: Judge
    needs: tuple[Capability, ...] = ()
    timed: bool = False

    def result(self, record: Record) -> CheckResult:
        """Judge the record. A judge that crashes gives `unknown`, never a pass.

        Where several clusters went through the phase, each is judged by itself, and the worst
        result counts.
        """
        return worst([self._result(each) for each in record.performances(self.phase)])

    def _result(self, record: Record) -> CheckResult:
        part, before = record.phase(self.phase), record.before_end_of(self.phase)
        looked = Looked((*before.of("cluster.ready")[-1:], *part.events))
        able = before.capabilities()
        lacks = [need.lack for need in self.needs if able.get(need) is False]
        if told := last(part, NotPerformed):
            judgement = not_provable(told.why)
        elif lacks:
            judgement = not_provable("; ".join(lacks))
        elif not part.events:
            judgement = unknown(f"nothing was recorded in phase {self.phase}")
        else:
            try:
                judgement = self.judge(looked)
            except Unseen as missing:
                judgement = unknown(str(missing))
            except Exception as error:  # noqa: BLE001 - any crash of a judge is the finding
                line = traceback.extract_tb(error.__traceback__)[-1]
                judgement = unknown(
                    f"the judge crashed: {type(error).__name__}: {error}"
                    f" ({line.name}:{line.lineno})"
                )
        if (
            self.timed
            and judgement.verdict is Verdict.FAIL
            and (busy := no_idle_time(record, self.phase))
        ):
            judgement = unknown(f"{busy}; {judgement.observed}")
        return CheckResult(
            self.id,
            self.title,
            judgement.verdict,
            self.expected,
            judgement.observed,
            self.hint,
            looked.in_words(),
            judgement.finding,
        )


class Exercise:
    """An exercise of the lab: its number, its title, its checks and its measurements.

    `id`: its number, such as "2.2". `module`: where it is declared (``__name__``), for readers of a
    record. A saved run is judged by the exercise that is installed under that id
    (`judging.catalogue`).
    """

    def __init__(
        self,
        number: str,
        title: str,
        *,
        module: str,
        titles: Mapping[str, str] | None = None,
        needs: Mapping[str, Sequence[Capability]] | None = None,
    ) -> None:
        """`titles`: phase → its heading in the report.

        `needs`: phase → capabilities without which its drill can't run; by default CHANGE.
        """
        self.titles = dict(titles or {})
        self._needs = {name: tuple(wanted) for name, wanted in (needs or {}).items()}
        self.id = number
        self.title = title
        self.module = module
        self.checks: list[Check] = []
        self.comparison: Mapping[str, Any] | None = None
        self.distribution: Mapping[str, Any] | None = None
        self._measures: list[tuple[str, Measure]] = []

    def phase(self, name: str) -> str:
        """Full name of one of its phases, as it stands in the record."""
        return f"{self.id}/{name}"

    def needs(self, phase: str) -> tuple[Capability, ...]:
        """Capabilities that a phase's drill needs: without one none of its checks can be proven."""
        return self._needs.get(phase, (Capability.CHANGE,))

    def check(
        self,
        name: str,
        *,
        phases: Sequence[str],
        title: str,
        expected: str,
        hint: str,
        needs: Sequence[Capability] = (),
        timed: bool = False,
    ) -> Callable[[Judge], Judge]:
        """Declare a check, once for each of the phases it is judged on.

        `needs`: what the cluster must be able to do for it, besides what its phase needs.
        `timed`: it has a bound of time, so that on a machine without idle time it can't fail.
        Its id is ``<exercise>.<phase>.<name>``. Raises ConfigError for an id given twice.
        """

        def declare(judge: Judge) -> Judge:
            for phase in phases:
                key = f"{self.id}.{phase}.{name}"
                if any(c.id == key for c in self.checks):
                    raise ConfigError(f"check {key} is declared twice: give it another name")
                self.checks.append(
                    Check(
                        key,
                        self.phase(phase),
                        title,
                        expected,
                        hint,
                        judge,
                        (*self.needs(phase), *needs),
                        timed,
                    )
                )
            return judge

        return declare

    def measure(self, *, phases: Sequence[str]) -> Callable[[Measure], Measure]:
        """Declare measurements (name → number, text or None) taken from each of these phases."""

        def declare(measure: Measure) -> Measure:
            self._measures.extend((phase, measure) for phase in phases)
            return measure

        return declare

    def compare(self, *, phases: Sequence[str], measures: Mapping[str, str]) -> None:
        """Have the report draw these measurements of these phases side by side.

        `measures`: measurement → its heading, with the unit.
        """
        self.comparison = {"phases": list(phases), "measures": dict(measures)}

    def distribute(self, *, phase: str, measures: Mapping[str, tuple[str, str]]) -> None:
        """Have the report draw how a phase's repeated measurements are spread.

        `measures`: measurement → its heading, with the unit, and the measurement that predicts
        it. The first is an object, repetition → number; the second has numbers `from` and `to`.
        """
        self.distribution = {"phase": phase, "measures": {k: list(v) for k, v in measures.items()}}

    def selected(self, phases: Collection[str] | None = None) -> ExerciseSelected:
        """The event that lists its checks before anything happens.

        `phases`: those that are performed, and whose checks are listed; all by default. Raises
        ConfigError for one that has no check.
        """
        names = {check.phase: check.phase.removeprefix(f"{self.id}/") for check in self.checks}
        if unknown := set(phases or ()) - set(names.values()):
            raise ConfigError(
                f"exercise {self.id} has no phase {', '.join(sorted(unknown))}: there are"
                f" {', '.join(dict.fromkeys(names.values()))}"
            )
        return ExerciseSelected(
            id=self.id,
            title=self.title,
            module=self.module,
            titles=self.titles,
            comparison=self.comparison,
            distribution=self.distribution,
            checks=tuple(
                CheckDeclared(c.id, c.phase, c.title, c.expected, c.hint, c.needs)
                for c in self.checks
                if phases is None or names[c.phase] in phases
            ),
        )

    def judge(self, record: Record, phase: str | None = None) -> list[CheckResult]:
        """Judge every check, or those of one phase, on this record."""
        wanted = None if phase is None else self.phase(phase)
        return [c.result(record) for c in self.checks if wanted in (None, c.phase)]

    def measurements(self, record: Record, phase: str | None = None) -> dict[str, dict[str, Any]]:
        """Phase → measurements; phases without events are left out.

        So are phases during which the machine had no idle time. Of several clusters that went
        through a phase, the last in their names' order counts.
        """
        found: dict[str, dict[str, Any]] = {}
        for each, measure in self._measures:
            if phase not in (None, each):
                continue
            performed = record.performances(self.phase(each))[-1]
            part = performed.phase(self.phase(each))
            if part.events and not no_idle_time(performed, self.phase(each)):
                found.setdefault(each, {}).update(measure(part))
        return found


def worst(results: Sequence[CheckResult]) -> CheckResult:
    """Of several results of one check the worst, and of equals the earliest.

    A later result does not take back an earlier one. At least one is given.
    """
    verdict = overall(result.verdict for result in results)
    return next(result for result in results if result.verdict is verdict)


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict over many: a fail outweighs unknown, unknown outweighs not_provable.

    Without any check it is `unknown`: nothing was shown.
    """
    seen = set(verdicts)
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.NOT_PROVABLE):
        if verdict in seen:
            return verdict
    return Verdict.PASS if seen else Verdict.UNKNOWN
