"""Checks of the exercises judge drills on somebody's own services, by their names and numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_swarmlab.evidence.events import NotPerformed, Plays
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.model import Event, Verdict
from tests.exercises.exercise_2_2.verify import exercise as exercise_2_2
from tests.exercises.exercise_2_4.verify import exercise as exercise_2_4
from tests.exercises.exercise_2_5.events import NotInstalled
from tests.exercises.exercise_2_5.verify import exercise as exercise_2_5
from tests.exercises.exercise_2_6.somebodys import FILES, USER
from tests.exercises.exercise_2_6.verify import exercise as exercise_2_6
from tests.exercises.exercise_2_7.verify import exercise as exercise_2_7
from tests.exercises.exercise_2_8.events import TheirBackup
from tests.exercises.exercise_2_8.verify import exercise as exercise_2_8
from tests.exercises.exercise_2_9.verify import exercise as exercise_2_9
from tests.exercises.submission.switched import marked
from tests.unit.exercises import (
    test_2_2,
    test_2_4,
    test_2_5,
    test_2_6,
    test_2_7,
    test_2_8,
    test_2_9,
)
from tests.unit.records.editing import LAB, changed, kind, timed, without

Good = Callable[[str], Record]

THEIRS = [
    (exercise_2_2, test_2_2.good, "power-off", "test-service", "test-ha", 5,
     ["replicas-restored", "service-answers", "surviving-replicas-lose-nothing"]),
    (exercise_2_5, test_2_5.good, "node-lost", "wordpress-database", "wp_db", 1,
     ["database-moves", "post", "no-write-lost", "writes-come-back"]),
]  # fmt: skip


def verdicts(exercise: Exercise, run: Record, phase: str) -> dict[str, Verdict]:
    return {r.id.rpartition(".")[2]: r.verdict for r in exercise.judge(run, phase)}


def renamed(run: Record, old: str, new: str) -> Record:
    """The same run with another name of a service."""

    def edit(event: Event) -> Event:
        return replace(event, data=json.loads(json.dumps(event.data).replace(old, new)))

    return Record(tuple(edit(event) for event in run.events))


def noted(run: Record, phase: str, kind: str, **data: Any) -> Record:
    """The run with one more event, the first of its phase."""
    first = next(n for n, e in enumerate(run.events) if e.phase == phase)
    said = replace(run.events[first], kind=kind, data=data)
    return Record((*run.events[:first], said, *run.events[first:]))


@pytest.mark.parametrize(
    ("exercise", "good", "phase", "role", "labs", "replicas", "checks"), THEIRS
)
def test_their_service_is_judged_by_its_own_name(
    exercise: Exercise, good: Good, phase: str, role: str, labs: str, replicas: int,
    checks: list[str],
) -> None:  # fmt: skip
    run = renamed(good(phase), labs, "theirs")
    whole = exercise.phase(phase)
    known = noted(run, whole, Plays.kind, role=role, service="theirs", replicas=replicas)
    found = verdicts(exercise, known, phase)
    assert {found[check] for check in checks} == {Verdict.PASS}
    # Nobody guesses whose they are: without the note nothing was seen of the lab's own.
    assert Verdict.PASS not in {verdicts(exercise, run, phase)[checks[0]]}


def test_fewer_replicas_than_it_has_are_not_all_of_them() -> None:
    long = test_2_2.instead("power-off", heal=200.0, back=210.0, ends=220.0)
    run, phase = long(test_2_2.good("power-off")), "2.2/power-off"
    more = noted(run, phase, Plays.kind, role="test-service", service="test-ha", replicas=6)
    assert verdicts(exercise_2_2, more, "power-off")["replicas-restored"] == Verdict.FAIL


@pytest.mark.parametrize("phase", ["db-recreated", "node-lost"])
def test_a_site_that_can_t_be_installed_keeps_nothing(phase: str) -> None:
    run = test_2_5.good(phase)
    refused = noted(run, f"2.5/{phase}", NotInstalled.kind, why="status 500 all along")
    found = verdicts(exercise_2_5, refused, phase)
    asked = {"post", "picture", "no-write-lost", "writes-come-back"}
    asked |= {"database-moves"} if phase == "node-lost" else set()
    assert {found[check] for check in asked} == {Verdict.FAIL}


def test_a_rotation_that_nobody_may_try_is_not_provable_in_any_of_its_checks() -> None:
    run, phase = test_2_6.good("rotation"), "2.6/rotation"
    theirs = noted(run, phase, Plays.kind, role=USER, service="api", replicas=2)
    spared = noted(theirs, phase, NotPerformed.kind, why="it does not run on new machines")
    assert set(verdicts(exercise_2_6, spared, "rotation").values()) == {Verdict.NOT_PROVABLE}


def test_a_database_that_can_go_nowhere_does_not_take_its_data_along() -> None:
    run = test_2_4.good("nfs-volume")
    stuck = noted(run, "2.4/nfs-volume", "stuck", node="worker1", why="no other is labelled")
    assert verdicts(exercise_2_4, run, "nfs-volume")["data-follow"] == Verdict.PASS
    assert verdicts(exercise_2_4, stuck, "nfs-volume")["data-follow"] == Verdict.FAIL


@pytest.mark.parametrize(
    ("how", "verdict"),
    [
        ({"theirs": True}, Verdict.PASS),
        ({}, Verdict.UNKNOWN),
        ({"theirs": True, "code": 1, "said": "tar: no such file"}, Verdict.FAIL),
        ({"theirs": True, "code": None, "said": "it had not ended after 300 s"}, Verdict.FAIL),
    ],
)
def test_their_restore_need_not_check_a_backup_first_and_must_succeed(
    how: dict[str, Any], verdict: Verdict
) -> None:
    unchecked = without(test_2_8.good("disaster"), lambda e: e.kind == "verified")
    run = changed(unchecked, lambda e: e.kind == "restore", **how)
    assert verdicts(exercise_2_8, run, "disaster")["restored"] == verdict


def test_of_their_site_as_many_tasks_are_made_ill_as_it_has_and_of_the_labs_five() -> None:
    good = test_2_9.good("heal")
    ill = list(good.of("broken"))
    thrice = without(good, lambda e: e in ill[3:])
    theirs = noted(thrice, "2.9/heal", Plays.kind, role="web", service="web", replicas=3)
    twice = without(theirs, lambda e: e == ill[1])
    for check in ("healed-in-its-slot", "detected-as-predicted", "replaced-as-predicted"):
        assert verdicts(exercise_2_9, theirs, "heal")[check] == Verdict.PASS
        assert verdicts(exercise_2_9, thrice, "heal")[check] == Verdict.UNKNOWN
        assert verdicts(exercise_2_9, twice, "heal")[check] == Verdict.UNKNOWN


def test_their_site_must_have_as_many_replicas_at_the_end_as_it_had() -> None:
    good = test_2_9.good("heal")
    four = noted(good, "2.9/heal", Plays.kind, role="web", service="web", replicas=4)
    assert verdicts(exercise_2_9, four, "heal")["healed-in-its-slot"] == Verdict.FAIL


# -- a rotation by their procedure ----------------------------------------------------------------

ROTATED = "2.6/rotation"


def rotated(**said: str) -> Record:
    """A good rotation of somebody's secret; `said`: what the database says, by when_which."""
    words = {"before_old": "let in", "after_old": "Access denied for user 'app'@'%'",
             "after_new": "let in", **said}  # fmt: skip
    good = without(
        test_2_6.good("rotation"), lambda e: e.kind in {"login", "user", "removed", "command"}
    )
    good = changed(good, lambda e: e.kind == "request", url="http://worker1:8084/")
    login = {
        (when, which): {"when": when, "role": "app", "password": which, "said": text}
        for key, text in words.items()
        for when, which in [tuple(key.split("_"))]
    }
    later: list[tuple[float, str, dict[str, Any]]] = [
        (20.5, "their-rotation", {"code": 0, "why": "", "said": "done"}),
        *(
            (21.0 + n, "replica", {"node": f"worker{n}", "container": f"c{n}", "digest": "d2",
                                   "old": False})
            for n in (1, 2)
        ),
        (24.0, "login", login["after", "old"]),
        (24.1, "login", login["after", "new"]),
        (25.0, "removed", {"gone": True}),
    ]  # fmt: skip
    plays = {"role": USER, "service": "shop_api", "replicas": 2}
    run = timed(ROTATED, (0.5, Plays.kind, plays), (1.0, "login", login["before", "old"]), *later)
    events = sorted((*good.events, *run.events), key=lambda e: e.t)
    return Record(tuple(events))


CLAIMS = ("new-login-only", "no-request-failed", "every-replica-has-the-new-one",
          "old-secret-removed")  # fmt: skip


def test_their_own_rotation_passes_without_the_labs_names_and_pages() -> None:
    found = verdicts(exercise_2_6, rotated(), "rotation")
    assert {found[claim] for claim in CLAIMS} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        # The secret alone was replaced, and not the database's own password.
        ({"after_old": "let in", "after_new": "Access denied for user"}, Verdict.FAIL),
        ({"after_old": "let in"}, Verdict.FAIL),
        ({"after_new": "Access denied for user"}, Verdict.FAIL),
        ({"before_old": "Access denied for user"}, Verdict.UNKNOWN),
        ({"after_old": "could not connect to server"}, Verdict.UNKNOWN),
    ],
)
def test_a_login_says_whether_the_database_has_the_new_password(
    said: dict[str, str], verdict: Verdict
) -> None:
    assert verdicts(exercise_2_6, rotated(**said), "rotation")["new-login-only"] == verdict


def test_each_replica_of_theirs_reads_the_new_one() -> None:
    name = "every-replica-has-the-new-one"
    run = rotated()
    one = run.of("replica")[0]
    assert verdicts(exercise_2_6, without(run, lambda e: e is one), "rotation")[name] == "unknown"
    for wrong in ({"old": True}, {"digest": "d3"}):
        stale = changed(run, lambda e: e is one, **wrong)
        assert verdicts(exercise_2_6, stale, "rotation")[name] == Verdict.FAIL
    for nothing in ("", hashlib.sha256(b"").hexdigest()):
        lost = changed(run, lambda e: e.kind == "replica", digest=nothing)
        assert verdicts(exercise_2_6, lost, "rotation")[name] == Verdict.FAIL
    none = without(run, lambda e: e.kind == "replica")
    assert verdicts(exercise_2_6, none, "rotation")[name] == Verdict.UNKNOWN


def test_their_old_secret_is_gone_once_their_script_has_ended() -> None:
    run = rotated()
    left = changed(run, lambda e: e.kind == "removed", gone=False)
    assert verdicts(exercise_2_6, left, "rotation")["old-secret-removed"] == Verdict.FAIL
    never = without(run, lambda e: e.kind == "their-rotation")
    assert verdicts(exercise_2_6, never, "rotation")["old-secret-removed"] == Verdict.UNKNOWN


def test_their_secret_is_looked_for_where_it_may_have_been_left() -> None:
    run = noted(test_2_6.good("plaintext"), "2.6/plaintext", Plays.kind, role=USER, service="x",
                replicas=2)  # fmt: skip
    assert verdicts(exercise_2_6, run, "plaintext")["nowhere-in-plain"] == Verdict.UNKNOWN
    for node in LAB:
        run = noted(run, "2.6/plaintext", "search", what=FILES, node=node, places=[], found=0,
                    control=1)  # fmt: skip
    assert verdicts(exercise_2_6, run, "plaintext")["nowhere-in-plain"] == Verdict.PASS
    left = changed(run, lambda e: e.data.get("what") == FILES, found=1)
    assert verdicts(exercise_2_6, left, "plaintext")["nowhere-in-plain"] == Verdict.FAIL


# -- another configuration of their proxy ---------------------------------------------------------


def switched(old: str | None, new: str | None) -> Record:
    """The lab's switch, with these headers in place of its versions."""
    versions = {"v1": old, "v2": new}
    run = test_2_7.good("switch")
    marked = [
        replace(e, data={**e.data, "header": versions[e.data["header"]]})
        if e.kind == "request"
        else e
        for e in run.events
    ]
    return noted(
        Record(tuple(marked)), "2.7/switch", Plays.kind, role="proxy", service="p", replicas=2
    )


def test_their_proxy_is_told_by_the_mark_that_it_was_given() -> None:
    found = verdicts(exercise_2_7, switched(None, "marked"), "switch")
    assert (found["old-then-new"], found["no-request-failed"]) == (Verdict.PASS, Verdict.PASS)
    for old, new in (("marked", "marked"), (None, None), ("v1", "v2")):
        assert verdicts(exercise_2_7, switched(old, new), "switch")["old-then-new"] == Verdict.FAIL


def test_a_mark_is_in_every_server_and_location_and_nothing_else_is_another() -> None:
    own = b"# server {\nserver {\n  add_header A b;\n  location ~ ^/x {\n return 200; }\n}\n"
    found = marked(own).decode()
    assert found.count("add_header X-Swarmlab-Config marked always;") == 3
    assert found.replace(" add_header X-Swarmlab-Config marked always;", "").encode() == own
    assert found.splitlines()[0].startswith("#")


# -- the rest -------------------------------------------------------------------------------------


def backed_up(run: Record) -> Record:
    """The same drill by somebody's own script, which writes no manifest and is not looked into."""
    unknown_here = {"carried", "leader-after-backup", "verified"}
    mine = without(run, lambda e: e.kind in unknown_here)
    data = TheirBackup("manager2", 0, "").data()
    theirs = (
        replace(e, kind=TheirBackup.kind, data=data) if e.kind == "backup" else e
        for e in mine.events
    )
    return changed(Record(tuple(theirs)), lambda e: e.kind == "restore", theirs=True)


def test_what_their_backup_keeps_is_counted_like_the_labs() -> None:
    theirs = backed_up(test_2_8.good("disaster"))
    assert verdicts(exercise_2_8, theirs, "disaster")["data-complete"] == Verdict.PASS
    lost = changed(theirs, lambda e: e.kind == "found", numbers=[])
    assert verdicts(exercise_2_8, lost, "disaster")["data-complete"] == Verdict.FAIL


OURS_ALONE = {
    "new-options-used": "its own configuration with a mark",
    "backup-complete": "a submission's script took the backup",
    "backup-holds": "a submission's script took the backup",
}
"""Claims about the lab's own configuration and scripts → why nobody else's can show them."""


@pytest.mark.parametrize(
    ("exercise", "run", "phase"),
    [
        (exercise_2_7, without(switched(None, "marked"), kind("echo")), "switch"),
        (exercise_2_8, backed_up(test_2_8.good("disaster")), "disaster"),
    ],
    ids=["switch", "disaster"],
)
def test_a_good_drill_on_their_work_shows_all_but_what_only_the_labs_own_can_show(
    exercise: Exercise, run: Record, phase: str
) -> None:
    found = {r.id.rpartition(".")[2]: r for r in exercise.judge(run, phase)}
    alone = {name for name in found if name in OURS_ALONE}
    assert alone
    for name, result in found.items():
        wanted = Verdict.NOT_PROVABLE if name in alone else Verdict.PASS
        assert result.verdict is wanted, f"{name}: {result.observed}"
    assert all(OURS_ALONE[name] in found[name].observed for name in alone)


def test_what_the_labs_own_did_not_show_stays_unknown() -> None:
    switch = without(test_2_7.good("switch"), kind("echo"))
    assert verdicts(exercise_2_7, switch, "switch")["new-options-used"] == Verdict.UNKNOWN
    ours = without(test_2_8.good("disaster"), kind("backup"))
    found = verdicts(exercise_2_8, without(ours, kind("carried")), "disaster")
    assert {found["backup-complete"], found["backup-holds"]} == {Verdict.UNKNOWN}


@pytest.mark.parametrize("unseen", ["info", "their-backup", "fault.healed"])
def test_that_all_of_theirs_was_lost_could_have_been_shown_and_stays_unknown(unseen: str) -> None:
    theirs = backed_up(test_2_8.good("disaster"))
    found = verdicts(exercise_2_8, without(theirs, kind(unseen)), "disaster")
    assert found["all-was-lost"] == Verdict.UNKNOWN


def test_tasks_that_were_over_before_the_server_went_did_not_fail_to_wait_for_it() -> None:
    run = test_2_4.good("nfs-volume")
    sample = run.of("tasks")[-1]
    (mine,) = sample.data["tasks"]
    before = {**mine, "id": "older", "state": "shutdown", "desired": "shutdown"}
    both = changed(run, lambda e: e is sample, tasks=[mine, before])
    assert verdicts(exercise_2_4, both, "nfs-volume")["waits-for-its-server"] == Verdict.FAIL
    known = noted(both, "2.4/nfs-volume", "tasks", **{**sample.data, "tasks": [mine, before]})
    assert verdicts(exercise_2_4, known, "nfs-volume")["waits-for-its-server"] == Verdict.PASS


def test_what_only_the_loss_of_their_nfs_server_shows_is_not_provable_where_it_stays() -> None:
    written = {"fault.injected", "fault.healed", "entry", "entries"}
    alone = without(test_2_4.good("nfs-volume"), lambda e: e.kind in written)
    needed = ("waits-for-its-server", "no-acknowledged-write-lost")
    unseen = verdicts(exercise_2_4, alone, "nfs-volume")
    assert {unseen[check] for check in needed} == {Verdict.UNKNOWN}
    spared = verdicts(
        exercise_2_4, noted(alone, "2.4/nfs-volume", "spared", node="worker1"), "nfs-volume"
    )
    assert {spared[check] for check in needed} == {Verdict.NOT_PROVABLE}
    assert spared["data-follow"] == Verdict.PASS


def test_why_their_nfs_server_stays_is_told() -> None:
    written = {"fault.injected", "fault.healed", "entry", "entries"}
    alone = without(test_2_4.good("nfs-volume"), lambda e: e.kind in written)
    why = "manager1 also serves 192.0.2.9, no node of this swarm"
    record = noted(alone, "2.4/nfs-volume", "spared", node="worker1", why=why)
    judged = exercise_2_4.judge(record, "nfs-volume")
    seen = {each.id.rpartition(".")[2]: each for each in judged}
    for check in ("waits-for-its-server", "no-acknowledged-write-lost"):
        assert seen[check].verdict is Verdict.NOT_PROVABLE
        assert seen[check].observed.startswith(f"{why}: the NFS server is not taken away")


def test_their_site_is_what_it_was_with_as_many_tasks_as_it_has() -> None:
    run = test_2_9.good("bad-update")
    four = noted(run, "2.9/bad-update", Plays.kind, role="web", service="web", replicas=4)
    assert verdicts(exercise_2_9, run, "bad-update")["old-definition"] == Verdict.PASS
    assert verdicts(exercise_2_9, four, "bad-update")["old-definition"] == Verdict.FAIL
