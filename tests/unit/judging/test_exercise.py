"""Only what was shown counts as a pass."""

from __future__ import annotations

import pytest

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import Exercise, failed, not_provable, overall, passed
from pytest_swarmlab.model import Capability, Judgement, Verdict
from tests.unit.records.editing import events

PASS, FAIL, UNKNOWN, NOT_PROVABLE = (
    Verdict.PASS,
    Verdict.FAIL,
    Verdict.UNKNOWN,
    Verdict.NOT_PROVABLE,
)


def exercise_with(judge: object) -> Exercise:
    exercise = Exercise("9.9", "An exercise", module=__name__)
    declare = exercise.check("claim", phases=["drill"], title="t", expected="e", hint="h")
    declare(judge)  # type: ignore[arg-type]
    return exercise


def test_a_check_sees_only_its_own_phase() -> None:
    seen: list[str] = []

    def judge(record: Record) -> Judgement:
        seen.extend(event.phase for event in record)
        return passed("well")

    both = Record((*events("9.9/drill", ("a", {})), *events("9.9/other", ("b", {}))))
    (result,) = exercise_with(judge).judge(both)
    # And which cluster it was.
    assert (result.id, result.verdict, seen) == ("9.9.drill.claim", PASS, ["", "9.9/drill"])


def test_a_judge_that_crashes_gives_unknown_and_says_where() -> None:
    def judge(record: Record) -> Judgement:
        return passed(record.events[0].data["missing"])

    (result,) = exercise_with(judge).judge(events("9.9/drill", ("a", {})))
    assert result.verdict is UNKNOWN
    assert "the judge crashed: KeyError" in result.observed


def test_a_judge_that_lacks_what_it_needs_gives_unknown_in_its_own_words() -> None:
    def judge(record: Record) -> Judgement:
        return passed(record.need("b", "b was never seen").kind)

    (result,) = exercise_with(judge).judge(events("9.9/drill", ("a", {})))
    assert (result.verdict, result.observed) == (UNKNOWN, "b was never seen")


def needing(*needs: Capability) -> Exercise:
    exercise = Exercise(
        "9.9", "An exercise", module=__name__, needs={"drill": (Capability.CHANGE,)}
    )
    exercise.check("claim", phases=["drill"], title="t", expected="e", hint="h", needs=needs)(
        lambda _: passed("well")
    )
    return exercise


def ready(able: bool) -> Record:
    able_to = {str(c): able for c in Capability}
    return Record(
        (
            *events("", ("cluster.ready", {"capabilities": able_to})),
            *events("9.9/drill", ("a", {})).phase("9.9/drill"),
        )
    )


def test_what_the_machines_can_not_do_is_not_provable_whatever_the_judge_says() -> None:
    (result,) = needing(Capability.IPVS).judge(ready(able=False))
    assert result.verdict is NOT_PROVABLE
    assert "somebody's own" in result.observed
    assert "no IPVS" in result.observed


@pytest.mark.parametrize("able", [True, False])
def test_a_drill_that_could_not_be_performed_is_not_provable_for_its_own_reason(
    able: bool,
) -> None:
    told = events("9.9/drill", ("a", {}), ("not-performed", {"why": "no disk"})).phase("9.9/drill")
    run = Record((*ready(able).of("cluster.ready"), *told))
    (result,) = needing(Capability.IPVS).judge(run)
    assert (result.verdict, result.observed) == (NOT_PROVABLE, "no disk")


def test_that_another_drill_could_not_be_performed_excuses_nothing() -> None:
    other = events("9.9/other", ("not-performed", {"why": "no disk"})).phase("9.9/other")
    (result,) = needing(Capability.IPVS).judge(Record((*ready(able=True), *other)))
    assert result.verdict is PASS


def test_what_the_machines_can_do_is_judged() -> None:
    (result,) = needing(Capability.IPVS).judge(ready(able=True))
    assert result.verdict is PASS


def test_a_capability_that_nobody_looked_for_excuses_nothing() -> None:
    (result,) = needing(Capability.IPVS).judge(events("9.9/drill", ("a", {})))
    assert result.verdict is PASS


def test_a_later_cluster_says_nothing_about_an_earlier_drill() -> None:
    later = events("", ("cluster.ready", {"capabilities": {str(Capability.IPVS): False}}))
    (result,) = needing(Capability.IPVS).judge(Record((*ready(able=True), *later)))
    assert result.verdict is PASS


def test_a_phase_that_never_was_gives_unknown() -> None:
    (result,) = exercise_with(lambda _: passed("")).judge(Record(()))
    assert result.verdict is UNKNOWN


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], UNKNOWN),
        ([PASS, PASS], PASS),
        ([PASS, NOT_PROVABLE], NOT_PROVABLE),
        ([PASS, NOT_PROVABLE, UNKNOWN], UNKNOWN),
        ([PASS, UNKNOWN, NOT_PROVABLE, FAIL], FAIL),
    ],
)
def test_the_worst_verdict_counts(verdicts: list[Verdict], expected: Verdict) -> None:
    assert overall(verdicts) is expected


def test_an_id_stands_for_one_check() -> None:
    exercise = exercise_with(lambda _: failed(""))
    with pytest.raises(ConfigError, match=r"check 9.9.drill.claim is declared twice"):
        exercise.check("claim", phases=["drill"], title="", expected="", hint="")(
            lambda _: not_provable("")
        )


def test_the_same_record_gives_the_same_verdicts() -> None:
    exercise = exercise_with(lambda record: passed(str(len(record.events))))
    record = events("9.9/drill", ("a", {}), ("b", {}))
    assert exercise.judge(record) == exercise.judge(record)


def timed(*, judge: object = lambda _: failed("31.0 s")) -> Exercise:
    exercise = Exercise("9.9", "An exercise", module=__name__)
    declare = exercise.check(
        "claim", phases=["drill"], title="t", expected="e", hint="h", timed=True
    )
    declare(judge)  # type: ignore[arg-type]
    exercise.measure(phases=["drill"])(lambda _: {"election_s": 31.0})
    return exercise


def on_a_machine(idle: float, *, during: str = "9.9/drill") -> Record:
    load = {"during": during, "seconds": 40.0, "idle": idle, "beside": 2}
    return Record((*events("9.9/drill", ("a", {})), *events("", ("machine.load", load))))


def test_a_bound_of_time_that_a_busy_machine_exceeded_is_unknown() -> None:
    (result,) = timed().judge(on_a_machine(0.004))
    assert result.verdict is UNKNOWN
    assert result.observed == (
        "the machine was too busy to measure: its processors were idle for 0.4% of the time,"
        " with 2 other clusters beside; 31.0 s"
    )


def test_a_bound_that_was_exceeded_with_idle_time_is_a_failure() -> None:
    assert [r.verdict for r in timed().judge(on_a_machine(0.2))] == [FAIL]
    other = on_a_machine(0.004, during="9.9/other")
    assert [r.verdict for r in timed().judge(other)] == [FAIL]


def test_a_busy_machine_takes_no_pass_away_and_excuses_nothing_but_time() -> None:
    passes = timed(judge=lambda _: passed("12.0 s"))
    assert [r.verdict for r in passes.judge(on_a_machine(0.004))] == [PASS]
    untimed = exercise_with(lambda _: failed("lost"))
    assert [r.verdict for r in untimed.judge(on_a_machine(0.004))] == [FAIL]


def test_nothing_is_measured_on_a_machine_without_idle_time() -> None:
    assert timed().measurements(on_a_machine(0.2)) == {"drill": {"election_s": 31.0}}
    assert timed().measurements(on_a_machine(0.004)) == {}
