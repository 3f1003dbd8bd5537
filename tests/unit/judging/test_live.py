"""The `evidence` fixture: record first, judge then, and never call a pass what was not shown."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from pytest_swarmlab.errors import ClientError, NotConverged, ProviderError
from pytest_swarmlab.evidence import collectors
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import Exercise, not_provable, passed, unknown
from pytest_swarmlab.judging.exercise import failed as refuted
from pytest_swarmlab.judging.live import Evidence, FindingSeen
from pytest_swarmlab.model import Capability, Judgement, Verdict
from tests.unit.fakes import Lab

NO_LEADER = NotConverged("a leader", node=None, elapsed=45.0, last="manager2 says none")


def exercise_that_finds(*verdicts: Verdict) -> Exercise:
    exercise = Exercise("9.9", "An exercise", module=__name__)
    says = {
        Verdict.PASS: passed,
        Verdict.FAIL: refuted,
        Verdict.UNKNOWN: unknown,
        Verdict.NOT_PROVABLE: not_provable,
    }
    for number, verdict in enumerate(verdicts):

        def judge(record: Record, verdict: Verdict = verdict) -> Judgement:
            return says[verdict](f"{len(record.of('seen'))} seen")

        exercise.check(
            f"claim{number}", phases=["drill"], title="A claim", expected="much", hint="look"
        )(judge)
    return exercise


def recorded(lab: Lab) -> list[tuple[str, str]]:
    return [(e.data["id"], e.data["verdict"]) for e in lab.recorder.view().of("check")]


def test_the_block_s_events_are_what_is_judged_and_the_verdict_is_recorded(lab: Lab) -> None:
    evidence = Evidence(lab.recorder)
    evidence.note("seen")
    with evidence.judged(exercise_that_finds(Verdict.PASS), "drill"):
        evidence.note("seen")
    (check,) = Record.load(lab.recorder.path).of("check")
    assert (check.data["id"], check.data["verdict"]) == ("9.9.drill.claim0", "pass")
    assert (check.data["observed"], check.data["phase"]) == ("1 seen", "9.9/drill")


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.UNKNOWN])
def test_a_check_that_is_not_shown_fails_the_test_and_says_what_helps(
    lab: Lab, verdict: Verdict
) -> None:
    exercise = exercise_that_finds(Verdict.PASS, verdict)
    with (
        pytest.raises(pytest.fail.Exception) as failure,
        Evidence(lab.recorder).judged(exercise, "drill"),
    ):
        pass
    assert str(failure.value).splitlines() == [
        f"{verdict.upper()} 9.9.drill.claim1: A claim",
        "    expected: much",
        "    observed: 0 seen",
        "    hint: look",
    ]
    assert len(recorded(lab)) == 2


def test_what_cannot_be_proven_here_skips_the_test_at_its_end_and_is_no_pass(lab: Lab) -> None:
    exercise = exercise_that_finds(Verdict.PASS, Verdict.NOT_PROVABLE)
    evidence = Evidence(lab.recorder)
    with evidence.judged(exercise, "drill"):
        pass
    assert recorded(lab)[1][1] == "not_provable"
    with pytest.raises(pytest.skip.Exception, match=r"NOT_PROVABLE 9\.9\.drill\.claim1"):
        evidence.say_unproven()


def test_a_test_all_of_which_was_proven_is_not_skipped(lab: Lab) -> None:
    evidence = Evidence(lab.recorder)
    with evidence.judged(exercise_that_finds(Verdict.PASS), "drill"):
        pass
    evidence.say_unproven()


def test_a_phase_that_needs_what_the_machines_can_not_do_is_not_begun(lab: Lab) -> None:
    lab.recorder.record("cluster.ready", capabilities={str(Capability.CHANGE): False})
    begun = False
    with (
        pytest.raises(pytest.skip.Exception, match="allow-destructive"),
        Evidence(lab.recorder).judged(exercise_that_finds(Verdict.PASS), "drill"),
    ):
        begun = True
    assert not begun
    assert recorded(lab) == [("9.9.drill.claim0", "not_provable")]


def test_a_drill_that_can_not_be_performed_says_why_and_skips_the_test(lab: Lab) -> None:
    exercise = exercise_that_finds(Verdict.PASS, Verdict.FAIL)
    with pytest.raises(pytest.skip.Exception, match="observed: no disk is built here"):
        Evidence(lab.recorder).not_performed(exercise, "drill", "no disk is built here")
    assert {verdict for _, verdict in recorded(lab)} == {"not_provable"}


def test_a_condition_that_was_not_met_is_judged_on_what_was_seen_until_then(lab: Lab) -> None:
    with (
        pytest.raises(pytest.fail.Exception) as failure,
        Evidence(lab.recorder).judged(exercise_that_finds(Verdict.FAIL), "drill"),
    ):
        raise NO_LEADER
    assert str(failure.value).startswith(
        "a leader was not met after 45.0 s; last seen: manager2 says none\nFAIL 9.9.drill.claim0"
    )
    assert recorded(lab) == [("9.9.drill.claim0", "fail")]


def test_a_condition_that_was_not_met_fails_the_test_though_every_check_passes(lab: Lab) -> None:
    with (
        pytest.raises(pytest.fail.Exception, match="a leader was not met"),
        Evidence(lab.recorder).judged(exercise_that_finds(Verdict.PASS), "drill"),
    ):
        raise NO_LEADER


@pytest.mark.parametrize("error", [ProviderError("no power"), KeyboardInterrupt(), KeyError("x")])
def test_after_any_other_error_nothing_is_judged(lab: Lab, error: BaseException) -> None:
    with (
        pytest.raises(type(error)),
        Evidence(lab.recorder).judged(exercise_that_finds(Verdict.PASS), "drill"),
    ):
        raise error
    assert recorded(lab) == []


def test_a_ping_tells_whether_a_node_s_engine_is_there(lab: Lab) -> None:
    lab.silent = {"manager3": "connection refused"}
    Evidence(lab.recorder).ping(lab.swarm.node("manager1"), lab.swarm.node("manager3"))
    told = {e.data["node"]: e.data["answers"] for e in lab.recorder.view().of("ping")}
    assert told == {"manager1": True, "manager3": False}


def test_a_state_is_every_machine_s_own_view_and_every_manager_s_list(lab: Lab) -> None:
    manages: dict[str, Any] = {
        "LocalNodeState": "active",
        "ControlAvailable": True,
        "Managers": 3,
        "Nodes": 5,
        "Cluster": {"ID": "c1"},
    }
    lab.info = {
        **{name: {"Swarm": manages} for name in ("manager1", "manager2")},
        **{name: {"Swarm": {"LocalNodeState": "active"}} for name in ("worker1", "worker2")},
    }
    lab.silent = {"manager3": "connection refused"}
    Evidence(lab.recorder).state(lab.swarm)
    seen = {e.data["node"]: e.data for e in lab.recorder.view().of("info")}
    assert len(seen) == 5
    assert (seen["manager1"]["cluster"], seen["manager1"]["managers"]) == ("c1", 3)
    assert seen["manager3"]["error"] == "connection refused"
    assert (seen["worker1"]["control"], seen["worker1"]["cluster"]) == (False, "")
    told_by = [e.data["seen_from"] for e in lab.recorder.view().of("nodes")]
    assert told_by == ["manager1", "manager2"]


def test_a_listing_is_kept_as_it_was_printed(lab: Lab) -> None:
    lab.shell = lambda *_: (0, "ID  HOSTNAME\n", "")
    Evidence(lab.recorder).listing(lab["manager2"], "Before")
    (event,) = lab.recorder.view().of("command", title="Before")
    assert (event.data["argv"], event.data["stdout"]) == (
        ["docker", "node", "ls"],
        "ID  HOSTNAME\n",
    )


def test_roles_in_raft_are_read_from_each_survivor_s_log(lab: Lab, tmp_path: Path) -> None:
    del tmp_path
    log = (
        '1777888999.5 manager2 dockerd[1]: level=info msg="2a1 became candidate at term 4"\n'
        "1777889000.1 manager2 dockerd[1]: something else\n"
        '1777889001.0 manager2 dockerd[1]: level=info msg="2a1 became leader at term 4"\n'
    )
    lab.shell = lambda node, _: (0, log if node == "manager2" else "", "")
    with Evidence(lab.recorder).raft_of([lab["manager2"], lab["manager3"]]):
        assert lab.recorder.view().of("raft") == ()
    assert [e.data for e in lab.recorder.view().of("raft")] == [
        {"node": "manager2", "at": 1777888999.5, "what": "candidate", "term": 4},
        {"node": "manager2", "at": 1777889001.0, "what": "leader", "term": 4},
    ]


def test_what_a_journal_held_before_is_told_from_what_came_after_by_no_clock(lab: Lab) -> None:
    lab.shell = lambda node, argv: (
        (0, f"-- cursor: s={node};i=7\n", "") if "--show-cursor" in argv else (0, "", "")
    )
    with Evidence(lab.recorder).raft_of([lab["manager2"]]):
        pass
    last = lab.commands("journalctl")[-1]
    assert last[-1] == "--after-cursor=s=manager2;i=7"
    assert not [word for word in last if "since" in word]


def test_a_node_s_words_in_another_encoding_are_read_all_the_same(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shell(line: str) -> Any:
        del line
        return SimpleNamespace(rc=0, stdout_bytes="café".encode("latin-1"), stderr_bytes=b"")

    monkeypatch.setattr(lab["manager2"], "_shell", shell)
    assert lab["manager2"].look("cat", "menu").stdout == "caf�"


def told(action: str, **attributes: str) -> dict[str, Any]:
    name = {
        "com.docker.swarm.service.name": "web",
        "com.docker.swarm.task.name": "web.2.t4sk",
    }
    return {
        "Action": action,
        "Actor": {"ID": "c" * 64, "Attributes": {**name, **attributes}},
        "timeNano": 1777888999500000000,
    }


def test_what_engines_tell_of_containers_is_recorded_as_it_comes(lab: Lab) -> None:
    lab.told = {"worker1": [told("health_status: unhealthy"), told("die", exitCode="137")]}
    with Evidence(lab.recorder).containers_of(lab.swarm, "web"):
        pass
    first, second = (e.data for e in lab.recorder.view().of("engine"))
    assert first == {
        "node": "worker1", "what": "health_status: unhealthy", "at": 1777888999.5, "service": "web",
        "slot": 2, "task": "t4sk", "container": "c" * 12, "exit_code": None, "signal": None,
    }  # fmt: skip
    assert (second["what"], second["exit_code"]) == ("die", "137")


def test_a_node_that_cannot_be_listened_to_ends_the_others_streams_too(lab: Lab) -> None:
    lab.silent = {"worker2": "no route"}
    block = Evidence(lab.recorder).containers_of(lab.swarm, "web")
    with pytest.raises(requests.ConnectionError), block:
        pytest.fail("the block was entered")
    assert not [t for t in threading.enumerate() if t.name.startswith("listening")]


def listen(lab: Lab, stream: Iterable[dict[str, Any]], *, over: bool = False) -> None:
    closing = threading.Event()
    if over:
        closing.set()
    collectors._listen("worker1", stream, lab.recorder, closing)


def test_an_engine_that_ceases_to_tell_is_an_error_unless_the_block_is_over(lab: Lab) -> None:
    listen(lab, [], over=True)
    with pytest.raises(ClientError, match="the engine of worker1 has ended its stream of events"):
        listen(lab, [])


def test_an_event_that_can_not_be_read_is_an_error(lab: Lab) -> None:
    with pytest.raises(ProviderError, match="an event of the engine of worker1 has another form"):
        listen(lab, [{"Actor": {"Attributes": 7}}])


def test_an_engine_that_a_fault_holds_may_cease_to_tell(lab: Lab) -> None:
    lab.recorder.record("fault.injected", fault="kill-engine", nodes=["worker1"], seconds=0.1)
    listen(lab, [])


def exercise_with_a_finding() -> Exercise:
    exercise = Exercise("9.9", "An exercise", module=__name__)

    def kept(record: Record) -> Judgement:
        return refuted("taken", finding=record.need("seen", "").data["finding"])

    def other(record: Record) -> Judgement:
        return refuted("bad") if record.of("seen", bad=True) else passed("good")

    for name, judge in (("kept", kept), ("other", other)):
        exercise.check(name, phases=["drill"], title="A claim", expected="e", hint="h")(judge)
    return exercise


def perform(evidence: Evidence, unmet: NotConverged | None, **seen: Any) -> None:
    with evidence.judged(exercise_with_a_finding(), "drill"):
        evidence.note("seen", **seen)
        if unmet:
            raise unmet


GONE = NotConverged("all", node=None, elapsed=0.1, last="taken", fatal=True)


@pytest.mark.parametrize("unmet", [None, GONE], ids=["to the end", "a wait that can't be met"])
def test_a_finding_that_alone_made_the_test_fail_is_told_as_that(
    lab: Lab, unmet: NotConverged | None
) -> None:
    evidence = Evidence(lab.recorder)
    with pytest.raises(FindingSeen, match=r"FAIL 9\.9\.drill\.kept") as failure:
        perform(evidence, unmet, finding="two-identities")
    assert isinstance(failure.value, pytest.fail.Exception)
    assert evidence.findings == ["two-identities"]
    (event,) = lab.recorder.view().of("finding")
    assert event.data == {
        "name": "two-identities",
        "phase": "9.9/drill",
        "check": "9.9.drill.kept",
        "observed": "taken",
        "alone": True,
    }


@pytest.mark.parametrize(
    ("seen", "unmet"),
    [
        ({"finding": "two-identities", "bad": True}, None),
        ({"finding": "two-identities"}, NO_LEADER),
        ({"finding": ""}, None),
    ],
    ids=["another check", "a wait that ran out", "no name"],
)
def test_what_else_failed_is_a_failure_like_any_other(
    lab: Lab, seen: dict[str, Any], unmet: NotConverged | None
) -> None:
    evidence = Evidence(lab.recorder)
    with pytest.raises(pytest.fail.Exception) as failure:
        perform(evidence, unmet, **seen)
    assert not isinstance(failure.value, FindingSeen)
    assert evidence.findings == []
    assert [e.data["alone"] for e in lab.recorder.view().of("finding")] == (
        [False] if seen["finding"] else []
    )


def test_a_drill_that_is_repeated_is_judged_on_its_last_time(lab: Lab) -> None:
    exercise = exercise_with_a_finding()
    with pytest.raises(FindingSeen), Evidence(lab.recorder).judged(exercise, "drill"):
        lab.recorder.record("seen", finding="two-identities", bad=False)
    with (
        pytest.raises(pytest.fail.Exception, match="other"),
        Evidence(lab.recorder).judged(exercise, "drill"),
    ):
        lab.recorder.record("seen", finding="", bad=True)
    # The run as a whole keeps the worst of both.
    assert [r.verdict for r in exercise.judge(lab.recorder.view())] == [Verdict.FAIL] * 2
