"""Every check of exercise 2.7 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from typing import Any

import yaml

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Verdict
from tests.exercises.exercise_2_7 import perform, setting
from tests.exercises.exercise_2_7.declared import INVALID
from tests.exercises.exercise_2_7.environments import NO_ENVIRONMENT
from tests.exercises.exercise_2_7.mounted import TARGETS
from tests.exercises.exercise_2_7.proxy import SWITCHES, UNDER_LOAD
from tests.exercises.exercise_2_7.refusals import REFUSED
from tests.exercises.exercise_2_7.verify import exercise
from tests.unit.records.breaker import ALONE, ENOUGH, SOONER, UNUSED
from tests.unit.records.editing import (
    LAB,
    Edit,
    Row,
    Timed,
    at,
    edited,
    moved,
    none_of,
    none_within,
    timed,
)
from tests.unit.records.judge import Broken, JudgeContract

FIVE = LAB
NO_UPSTREAM = '[emerg] 1#1: host not found in upstream "backend" in default.conf:16'
SYNTAX = '[emerg] 1#1: invalid number of arguments in "proxy_pass" directive in default.conf:9'
LOST = "starting container failed: unable to get config from config store: config hvu9k not found"
ECHO = "host={} real_ip=10.0.0.2 protocol=HTTP/1.1\n"


def mounted(target: str, mode: str = "444", uid: int = 0, gid: int = 0) -> Row:
    return "mounted", {"target": target, "given": "d1", "found": "d1", "size": 6,
                       "mode": mode, "uid": uid, "gid": gid}  # fmt: skip


def answer(asked: str, said: str, code: int = 1, **more: Any) -> Row:
    return "answer", {"asked": asked, "code": code, "said": said, **more}


def read(step: str, service: str, found: str, container: str) -> Row:
    return "read", {"step": step, "service": service, "node": "worker1", "found": found,
                    "container": container}  # fmt: skip


def running(*ids: str) -> Row:
    rows = [{"id": id_, "node": "worker1", "state": "running", "desired": "running"} for id_ in ids]
    return "tasks", {"service": "proxy_nginx", "seen_from": "manager1", "tasks": rows}


def failed_task(said: str) -> Row:
    return "failed", {"said": said, "exit_code": 1, "error": "task: non-zero exit (1)"}


def echoes(config: str) -> list[Row]:
    return [
        ("echo", {"config": config, "node": node, "said": ECHO.format(node), "error": None})
        for node in FIVE
    ]


def request(sent: float, header: str, status: int | None = 200) -> Timed:
    return sent + 0.02, "request", {
        "node": FIVE[round(sent * 10) % 5], "sent": sent, "seconds": 0.02, "status": status,
        "error": None if status else "refused", "header": header,
        "url": "http://manager1:80/", "port": 80,
    }  # fmt: skip


def under_load(old: str, new: str, state: str = "completed", *, away: int = 0) -> list[Timed]:
    """Ten requests a second: the command after 4 s, the new version after 6, the end after 8.

    The old one answers once more until it has stopped, after 9 s. `away`: how many fail, from
    5 s on.
    """
    moments = [round(n / 10, 1) for n in range(130)]
    late = {8.5}
    return [
        *(
            request(
                t,
                old if t < 6 or t in late else new,
                None if 5 <= t < 5 + away / 10 else 200,
            )
            for t in moments
        ),
        (4.0, "begun", {"what": "switch"}),
        (8.0, "over", {"what": "switch", "state": state, "said": "so it ended"}),
        (9.0, "settled", {"what": "switch"}),
    ]


def version(
    step: str, current: str, previous: str, task: str, served: str | None, **more: Any
) -> Row:
    return "version", {"step": step, "current": current, "previous": previous, "task": task,
                       "served": served, "listed": ["c", "b"], **more}  # fmt: skip


def settings(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(perform.content(f"app-{name}.yml"))
    return found


RUNS: dict[str, list[Timed]] = {
    "mount": at(
        1,
        *(mounted(f"{setting.KINDS_AT}/{kind}") for kind in setting.KINDS),
        mounted(setting.PLAIN_AT),
        mounted(setting.OWNED_AT, "400", 33, 34),
        *(mounted(target, "400", 33, 34) for target in setting.TWICE_AT),
        *(
            ("mount", {"target": target, "filesystem": "tmpfs", "options": ["ro", "relatime"]})
            for target in TARGETS
        ),
        (
            "written",
            {"target": "/x", "code": 2, "said": "sh: cannot create /x: Read-only file system"},
        ),
        ("inspected", {"what": "config", "shows": True, "same": True}),
        ("inspected", {"what": "secret", "shows": False, "same": None}),
    ),
    "shared": at(
        1,
        ("given", {"config": "reader_config", "digest": "d1"}),
        ("given", {"config": "reader_config_v2", "digest": "d2"}),
        read("shared", "reader-one", "d1", "c1"),
        read("shared", "reader-two", "d1", "c2"),
        read("one-updated", "reader-one", "d2", "c3"),
        read("one-updated", "reader-two", "d1", "c2"),
    ),
    "refusals": at(
        1,
        ("engine", {"version": "26.1.5+dfsg1"}),
        *(answer(asked, words[0], 400 if asked == "immutable" else 1)
          for asked, (_, words) in REFUSED.items()),
        answer("size-1", "", 0),
        answer("size-1023999", "", 0),
        answer("name-64", "", 0),
    ),
    "no-backend": at(
        1,
        failed_task(NO_UPSTREAM),
        answer("lab-name", "Error response from daemon: service nginx not found"),
        running("t1", "t2"),
        *echoes("nginx_config"),
    ),
    "switch": [*under_load("v1", "v2"), *at(13, *echoes("nginx_config_v2"))],
    "rollback": under_load("v2", "v1", "rollback_completed"),
    "bad-config": [*under_load("v1", "v1", "rollback_completed"), *at(13, failed_task(SYNTAX))],
    "one-stop-first": under_load("v1", "v2", away=5),
    "one-start-first": under_load("v2", "v1"),
    "versioning": at(
        1,
        version("first", "a", "x", "t1", "v1", deployed="a"),
        version("first-again", "a", "a", "t1", None, deployed="a"),
        version("second", "b", "a", "t2", "v2", deployed="b"),
        version("third", "c", "b", "t3", "v3", deployed="c"),
        version("pruned", "c", "b", "t3", None, removed=["a"]),
        answer("current", f"{INVALID}config 'c' is in use by the following service: proxy_nginx"),
        version("rolled-back", "b", "c", "t4", "v2"),
        answer("previous", "", 0),
        ("lost", {"error": LOST}),
    ),
    "environments": at(
        1,
        *(("given", {"environment": name, "settings": settings(name)}) for name in ("dev", "prod")),
        *(("settings", {"environment": name, "node": node, "found": settings(name), "error": None})
          for name in ("dev", "prod") for node in FIVE),
        answer("no-environment", NO_ENVIRONMENT, made=0),
    ),
}  # fmt: skip


def good(phase: str) -> Record:
    return timed(f"2.7/{phase}", *RUNS[phase])


def said(asked: str, words: str, **more: Any) -> Edit:
    return edited("answer", {"asked": asked}, said=words, **more)


CRLF = f"{setting.KINDS_AT}/crlf"
ONE_UPDATED = {"step": "one-updated", "service": "reader-two"}
ONE_FAILED: Edit = edited("request", {"sent": 5.5}, status=None, error="reset")
ONE = {"node": "worker2"}


def another_header(began: float, ended: float, header: str) -> Edit:
    """All answers of that time were this version's."""

    def edit(run: Record) -> Record:
        for t in {e.data["sent"] for e in run.of("request") if began <= e.data["sent"] <= ended}:
            run = edited("request", {"sent": t}, header=header)(run)
        return run

    return edit


def failing(began: float, ended: float) -> Edit:
    """The requests of that time failed, and no others."""

    def edit(run: Record) -> Record:
        run = edited("request", status=200, error=None)(run)
        for t in {e.data["sent"] for e in run.of("request") if began <= e.data["sent"] <= ended}:
            run = edited("request", {"sent": t}, status=None, error="reset")(run)
        return run

    return edit


UNCOVERED = [
    # Nobody came while it was on: at all, through one node, for long; or not before, or after it.
    (none_within(4.0, 8.0), "unknown"),
    (none_within(4.5, 7.0), "unknown"),
    (none_within(4.0, 9.0, **ONE), "unknown"),
    (none_within(0.0, 4.0), "unknown"),
    (none_within(9.0, 13.0), "unknown"),
    (none_within(9.0, 13.0, **ONE), "unknown"),
    (none_of("request", **ONE), "unknown"),
    (moved("over", to=1.0), "unknown"),
]


BROKEN: Broken = {
    ("mount", "byte-for-byte"): [
        (edited("mounted", {"target": CRLF}, found="another"), "fail"),
        (none_of("mounted", target=CRLF), "unknown"),
    ],
    ("mount", "default-target"): [
        (edited("mounted", {"target": setting.PLAIN_AT}, mode="400"), "fail"),
        (edited("mounted", {"target": setting.PLAIN_AT}, found="another"), "fail"),
        (none_of("mounted", target=setting.PLAIN_AT), "unknown"),
    ],
    ("mount", "mode-and-owner"): [
        (edited("mounted", {"target": setting.OWNED_AT}, uid=0), "fail"),
        (edited("mounted", {"target": setting.OWNED_AT}, gid=33), "fail"),
        (none_of("mounted", target=setting.OWNED_AT), "unknown"),
    ],
    ("mount", "one-owner-for-two-places"): [
        (edited("mounted", {"target": setting.TWICE_AT[0]}, mode="444", uid=0, gid=0), "fail"),
        (edited("mounted", {"target": setting.TWICE_AT[0]}, found="another"), "fail"),
        (none_of("mounted", target=setting.TWICE_AT[1]), "unknown"),
    ],
    ("mount", "in-memory-read-only"): [
        (edited("mount", filesystem="ext4"), "fail"),
        (edited("mount", options=["rw"]), "fail"),
        (edited("written", code=0, said=""), "fail"),
        (none_of("mount", target=setting.OWNED_AT), "unknown"),
    ],
    ("mount", "inspect-shows-it"): [
        (edited("inspected", {"what": "config"}, shows=False), "fail"),
        (edited("inspected", {"what": "config"}, same=False), "fail"),
        (edited("inspected", {"what": "secret"}, shows=True), "fail"),
        (none_of("inspected", what="secret"), "unknown"),
    ],
    ("shared", "both-read-it"): [
        (edited("read", {"step": "shared", "service": "reader-two"}, found="d2"), "fail"),
        (none_of("read", step="shared", service="reader-two"), "unknown"),
        (edited("read", {"step": "shared", "service": "reader-two"}, service="third"), "unknown"),
    ],
    ("shared", "other-left-alone"): [
        (edited("read", ONE_UPDATED, found="d2"), "fail"),
        (edited("read", ONE_UPDATED, container="c9"), "fail"),
        (edited("read", {"step": "one-updated", "service": "reader-one"}, found="d1"), "fail"),
        (none_of("read", step="one-updated"), "unknown"),
        (moved("read", {"step": "one-updated"}, to=0.0), "unknown"),
        (edited("read", {"step": "shared", "service": "reader-one"}, found="d2"), "unknown"),
    ],
    ("refusals", "sizes"): [
        (said("size-1023999", "too large", code=1), "fail"),
        (said("size-1024000", "", code=0), "fail"),
        (none_of("answer", asked="size-0"), "unknown"),
        (edited("engine", version="20.10.14"), "not_provable"),
    ],
    ("refusals", "longest-name"): [
        (said("name-64", "invalid name", code=1), "fail"),
        (none_of("answer", asked="name-64"), "unknown"),
    ],
    **{
        ("refusals", asked): [
            (said(asked, "", code=0), "fail"),
            (said(asked, "rpc error"), "fail"),
            (said(asked, f"{words[0]}!"), "fail"),
            (none_of("answer", asked=asked), "unknown"),
        ]
        for asked, (_, words) in REFUSED.items()
    },
    ("no-backend", "nginx-refuses"): [
        (edited("failed", said="ready"), "fail"),
        (edited("failed", exit_code=0), "fail"),
    ],
    ("no-backend", "name-in-a-stack"): [
        (said("lab-name", "nginx", code=0), "fail"),
        (none_of("answer", asked="lab-name"), "unknown"),
    ],
    ("no-backend", "healed"): [
        (edited("tasks", tasks=running("t1")[1]["tasks"]), "fail"),
        (edited("echo", {"node": "worker2"}, said="<h1>502 Bad Gateway</h1>"), "fail"),
        (edited("echo", said="host=worker1 real_ip= protocol=HTTP/1.0\n"), "fail"),
        # One node's answer is not every node's.
        (edited("echo", {"node": "worker2"}, said=ECHO.format("manager1")), "fail"),
        (none_of("echo", **ONE), "unknown"),
        (moved("echo", to=0.0), "unknown"),
        (moved("tasks", to=0.0), "unknown"),
    ],
    ("switch", "new-options-used"): [
        (edited("echo", {"node": "worker1"}, said=ECHO.format("worker1").replace("1.1", "1.0")),
         "fail"),
        (none_of("echo", **ONE), "unknown"),
        (moved("echo", to=5.0), "unknown"),
        (edited("echo", {"node": "worker1"}, said=None, error="timeout"), "fail"),
    ],
    **{
        (phase, "old-then-new"): [
            (edited("request", {"sent": 11.0}, header=old), "fail"),
            (edited("request", {"sent": 3.0}, header=new), "fail"),
            (edited("request", {"sent": 11.0}, header=None), "fail"),
            (another_header(6.0, 7.0, "v9"), "fail"),
            *UNCOVERED,
        ]
        for phase, (old, new) in SWITCHES.items()
    },
    **{
        (phase, "no-request-failed"): [
            (ONE_FAILED, "fail"),
            (edited("request", {"sent": 7.0}, status=502), "fail"),
            *UNCOVERED,
        ]
        for phase in UNDER_LOAD
        if phase != "one-stop-first"
    },
    ("one-stop-first", "interruption-seen"): [
        (edited("request", status=200, error=None), "fail"),
        # What fails only after the end, or before the command too, is no interruption by it.
        (failing(9.5, 10.0), "fail"),
        (failing(3.0, 6.0), "unknown"),
        (none_within(0.0, 4.0, **ONE), "unknown"),
        (none_within(8.0, 13.0, **ONE), "unknown"),
        (none_within(5.5, 7.5, **ONE), "unknown"),
    ],
    ("bad-config", "taken-back"): [
        (edited("over", state="paused"), "fail"),
        (edited("failed", exit_code=0), "fail"),
        (moved("over", to=1.0), "unknown"),
    ],
    ("bad-config", "nginx-says-why"): [(edited("failed", said=NO_UPSTREAM), "fail")],
    ("bad-config", "never-served"): [
        (edited("request", {"sent": 7.0}, header="v3"), "fail"),
        *UNCOVERED,
    ],
    ("versioning", "same-content-same-everything"): [
        (edited("version", {"step": "first-again"}, task="t9"), "fail"),
        (edited("version", {"step": "first-again"}, current="a2"), "fail"),
        (none_of("version", step="first-again"), "unknown"),
        (moved("version", {"step": "first-again"}, to=0.0), "unknown"),
    ],
    ("versioning", "redeployed-loses-the-way-back"): [
        (edited("version", {"step": "first-again"}, previous="x"), "fail"),
        (edited("version", {"step": "first"}, previous="a"), "unknown"),
        (none_of("version", step="first-again"), "unknown"),
    ],
    ("versioning", "new-content-new-task"): [
        (edited("version", {"step": "second"}, served="v1"), "fail"),
        (edited("version", {"step": "third"}, task="t2"), "fail"),
        (edited("version", {"step": "second"}, current="a"), "fail"),
        (none_of("version", step="third"), "unknown"),
        (moved("version", {"step": "third"}, to=0.0), "unknown"),
    ],
    ("versioning", "prune"): [
        (moved("version", {"step": "pruned"}, to=0.0), "unknown"),
        (edited("version", {"step": "pruned"}, removed=[]), "fail"),
        (edited("version", {"step": "pruned"}, removed=["a", "b"], listed=["c"]), "fail"),
        (none_of("version", step="pruned"), "unknown"),
    ],
    ("versioning", "in-use-is-safe"): [
        (said("current", "", code=0), "fail"),
        (said("current", f"{INVALID}config 'b' is in use by the following service: x"), "fail"),
        (none_of("version", step="third"), "unknown"),
        (none_of("answer", asked="current"), "unknown"),
        (moved("answer", {"asked": "current"}, to=0.0), "unknown"),
    ],
    ("versioning", "way-back"): [
        (edited("version", {"step": "rolled-back"}, served="v3"), "fail"),
        (edited("version", {"step": "rolled-back"}, current="c"), "fail"),
        (none_of("version", step="rolled-back"), "unknown"),
        (moved("version", {"step": "rolled-back"}, to=0.0), "unknown"),
        (none_of("version", step="pruned"), "unknown"),
        (edited("version", {"step": "third"}, current="b"), "unknown"),
    ],
    ("versioning", "unsafe-by-hand"): [
        (said("previous", "config 'b' is in use", code=1), "fail"),
        (edited("lost", error="task: non-zero exit (1)"), "fail"),
        (moved("lost", to=0.0), "unknown"),
        (moved("answer", {"asked": "previous"}, to=9.0), "unknown"),
    ],
    ("environments", "each-its-own"): [
        (edited("settings", {"environment": "dev", "node": "worker1"}, found=settings("prod")),
         "fail"),
        (edited("settings", {"node": "worker1"}, found=None, error="timeout"), "fail"),
        (edited("given", settings=settings("dev")), "unknown"),
        (none_of("settings", environment="prod"), "unknown"),
        (none_of("settings", environment="prod", node="worker2"), "unknown"),
    ],
    ("environments", "no-environment-no-stack"): [
        (said("no-environment", "", code=0), "fail"),
        (edited("answer", made=1), "fail"),
    ],
}  # fmt: skip


STILL_PASSES = {
    # Four are mounted at a second target.
    ("2.7.mount.byte-for-byte", "mounted: not the one of number [6-9]"): ENOUGH,
    ("2.7.switch.new-options-used", "over: all seen at the phase's beginning"): SOONER,
    ("2.7.bad-config.nginx-says-why", "failed: all seen *"): ALONE,
    ("2.7.shared.both-read-it", "given: not the one of number 2"): ENOUGH,
    # A config's name is its version, also elsewhere; only tasks are told by their ids.
    ("2.7.versioning.*", "version: the later half of another cluster"): UNUSED,
}
"""What passes on a broken record of a real run, and why that is right."""


class TestJudge(JudgeContract):
    exercise = exercise
    phases = RUNS
    good = staticmethod(good)
    broken = BROKEN


def test_every_bad_stack_is_deployed_and_judged() -> None:
    assert {path.stem for path in perform.BAD.glob("*.yml")} == {
        asked for asked in REFUSED if asked.endswith("-config")
    }


def test_two_services_may_be_named_in_any_order() -> None:
    one, two = REFUSED["in-use-by-two"][1]
    assert one != two
    run = said("in-use-by-two", two)(good("refusals"))
    found = {r.id: r.verdict for r in exercise.judge(run, "refusals")}
    assert found["2.7.refusals.in-use-by-two"] is Verdict.PASS


def test_the_change_is_measured_from_its_command() -> None:
    assert exercise.measurements(good("one-stop-first"))["one-stop-first"] == {
        "update_s": 4.0,
        "probes": 130,
        "probe_errors": 5,
        "longest_gap_s": 0.6,
        "first_new_s": 2.02,
        "last_old_s": 4.52,
    }


def test_the_two_versions_of_the_lab_differ_in_what_a_visitor_sees() -> None:
    for name, header in (("nginx.conf", b"v1"), ("nginx-v2.conf", b"v2")):
        assert b"add_header X-Config " + header + b" always;" in perform.content(name)
