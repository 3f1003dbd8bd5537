"""Every check of exercise 2.6 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_swarmlab.evidence.record import Record
from tests.exercises.exercise_2_6.mounted import PLACE, PLACES
from tests.exercises.exercise_2_6.plaintext import SEARCHED
from tests.exercises.exercise_2_6.refusals import ACCEPTED, REFUSED
from tests.exercises.exercise_2_6.rotation import LOGINS
from tests.exercises.exercise_2_6.setting import NAMES
from tests.exercises.exercise_2_6.verify import exercise
from tests.unit.records.breaker import ALONE, LATER, SOONER
from tests.unit.records.editing import (
    LAB,
    Edit,
    Row,
    Timed,
    at,
    changed,
    edited,
    moved,
    none_of,
    none_within,
    timed,
    without,
)
from tests.unit.records.judge import Broken, JudgeContract

NODES = LAB

READ_ONLY = "truncate: cannot open '/run/secrets/x' for writing: Read-only file system"
OLD, NEW = "01d", "0e3"
ID = "mhfaq7n6vyt4az4f51tp5dzic"
GONE = f"starting container failed: unable to get secret from secret store: secret {ID} not found"
PAUSED = f"update paused due to failure or early termination of task {ID}"


def file(mode: str, uid: str, gid: str, digest: str) -> dict[str, Any]:
    return {"mode": mode, "uid": uid, "gid": gid, "bytes": 24, "digest": digest}


def files(step: str, **more: dict[str, Any]) -> Row:
    found = {
        path: file(mode, uid, gid, f"d-{name}")
        for name, (path, mode, uid, gid) in PLACES.items()
        if step == "first" or path != PLACE
    }
    found |= {path.replace("_slash_", "/"): row for path, row in more.items()}
    return "files", {"step": step, "files": found}


def reading(owner: str, code: int, said: str = "", digest: str | None = None) -> Row:
    return "reading", {"owner": owner, "code": code, "said": said, "digest": digest}


def search(what: str, node: str = "worker1") -> Row:
    return "search", {"what": what, "node": node, "places": [], "found": 0, "control": 1}


def command(*argv: str, stdout: str = "", code: int = 0) -> Row:
    return "command", {"node": "manager1", "argv": [*argv], "code": code, "stdout": stdout,
                       "seconds": 0.1}  # fmt: skip


def request(sent: float, node: str, certificate: str = OLD, path: str = "/ready") -> Timed:
    return sent + 0.1, "request", {
        "node": node, "sent": sent, "seconds": 0.1, "status": 200, "error": None,
        "url": f"https://{node}:8443{path}", "port": 8443, "certificate": certificate,
    }  # fmt: skip


def under_load(*within: Timed, new: str = OLD) -> list[Timed]:
    """Two requests a second for half a minute; the change is begun at 10 s, and over at 20 s."""
    return [
        *(
            request(n / 2, NODES[n % 5], new if n > 30 else OLD, "/slow" if n % 2 else "/ready")
            for n in range(60)
        ),
        (10.0, "begun", {}),
        *within,
        (20.0, "ended", {}),
    ]


def handshakes(certificate: str) -> list[Row]:
    row = {"status": 200, "shown": certificate, "expected": certificate}
    return [("handshake", {"node": node, **row}) for node in NODES]


def asked(key: str, status: int, user: str | None = None, items: int | None = None) -> Row:
    return "asked", {"key": key, "status": status, "user": user, "items": items}


def definition(name: str, *env: str) -> Row:
    return "definition", {"service": f"multitier_{name}", "env": list(env), "shows": []}


def users() -> list[Row]:
    return [("user", {"node": node, "status": 200, "user": "app_b", "items": 2}) for node in NODES]


def tasks(*ids: str) -> Row:
    rows = [{"id": id_, "slot": 1, "state": "running", "desired": "running"} for id_ in ids]
    return "tasks", {"service": "multitier_api", "tasks": rows}


def replaced(run: Record) -> Record:
    """Other tasks run when the rollback is paused."""
    paused = run.of("tasks")[1:2]
    return changed(run, lambda event: event in paused, tasks=tasks("a", "c")[1]["tasks"])


def in_the_end(*ids: str) -> Edit:
    """These tasks run at the end."""

    def edit(run: Record) -> Record:
        last = run.of("tasks")[-1:]
        return changed(run, lambda event: event in last, tasks=tasks(*ids)[1]["tasks"])

    return edit


GIVE_NEW = command(
    "docker", "service", "update", "--detach", "--secret-add",
    "source=db_password_v2,target=db_password", "multitier_api",
)  # fmt: skip
SAID = "\n".join(NAMES)

RUNS: dict[str, list[Timed]] = {
    "created": [
        *at(1, command("docker", "secret", "create", "passwd_file", "/root/passwd")),
        *at(
            2,
            command("docker", "secret", "inspect", *NAMES, stdout=SAID),
            command("docker", "secret", "inspect", "--pretty", *NAMES, stdout=SAID),
        ),
        *at(
            3,
            *(
                ("inspected", {"name": name, "listed": True, "has_data": False, "shows": False})
                for name in NAMES
            ),
        ),
        (4, "file", {"path": "/root/passwd", "there": False}),
    ],
    "mounted": at(
        1,
        *(("content", {"name": name, "bytes": 24, "digest": f"d-{name}"}) for name in NAMES),
        files("first"),
        ("mounts", {
            "mounts": {row[0]: {"type": "tmpfs", "read_only": True} for row in PLACES.values()},
            "written": False, "said": READ_ONLY,
        }),
        reading("root's", 1, f"sha256sum: {PLACE}: Permission denied"),
        files("literal", _slash_run_slash_secrets_slash_db_password_v2=file("444", "0", "0", "d")),
        files("mended", _slash_run_slash_secrets_slash_db_pass=file(
            "400", "1000", "1000", "d-db_password_v2")),
        reading("the program's own", 0, digest="d-db_password_v2"),
    ),
    "plaintext": at(
        1,
        *(search(what, node) for node in NODES for what in SEARCHED[:2]),
        *(search(what) for what in SEARCHED[2:]),
        ("memory", {"node": "worker1", "place": "/var", "type": "tmpfs", "found": 1}),
    ),
    "refusals": at(
        1,
        *(("refusal", {"case": c, "code": 1, "said": words}) for c, words in REFUSED.items()),
        *(("refusal", {"case": case, "code": 0, "said": ""}) for case in ACCEPTED),
    ),
    "multitier": at(
        1,
        *handshakes(OLD),
        asked("none", 401), asked("wrong", 401), asked("right", 200, "app_a", 2),
        definition("web"),
        definition("api", "DB_HOST=db", "DB_PASSWORD_FILE=/run/secrets/db_password"),
        definition("db", "POSTGRES_PASSWORD_FILE=/run/secrets/db_admin_password"),
    ),
    "certificate": [
        (1, "certificates", {"old": OLD, "new": NEW}),
        *under_load(new=NEW),
        *at(30, *handshakes(NEW)),
    ],
    "rotation": [
        *at(
            1,
            *(
                ("login", {"when": when, "role": role, "password": password, "said": said})
                for (when, role, password), said in LOGINS.items()
                if when == "before"
            ),
        ),
        *under_load(*at(11, GIVE_NEW), *at(16, *users())),
        *at(
            21,
            *(
                ("login", {"when": when, "role": role, "password": password, "said": said})
                for (when, role, password), said in LOGINS.items()
                if when == "after"
            ),
        ),
        *at(25, command("docker", "secret", "rm", "db_password_v1"), ("removed", {"gone": True})),
    ],
    "rollback": [
        *under_load(
            *at(10.5, tasks("a", "b"), ("rollback", {"code": 0, "said": ""})),
            *at(
                12,
                ("failed-task", {"state": "failed", "error": GONE}),
                ("update", {"when": "rolled back", "state": "rollback_paused", "said": PAUSED}),
                tasks("a", "b"),
            ),
            *at(
                15,
                GIVE_NEW,
                tasks("a", "b"),
                ("update", {"when": "forward again", "state": "completed", "said": "completed"}),
            ),
        ),
        *at(22, *users()),
    ],
}  # fmt: skip


def good(phase: str) -> Record:
    return timed(f"2.6/{phase}", *RUNS[phase])


def with_file(step: str, path: str, **data: Any) -> Edit:
    """In that step's files, one is otherwise; without data it is not there."""

    def edit(run: Record) -> Record:
        seen = run.last("files", step=step)
        found = dict(seen.data["files"]) if seen else {}
        row = found.pop(path, file("400", "0", "0", "another"))
        if data:
            found[path] = {**row, **data}
        return edited("files", {"step": step}, files=found)(run)

    return edit


PASSWD, ROOT = "/run/secrets/passwd", "/run/secrets/mysql_root_password"
LITERAL = "/run/secrets/db_password_v2"
ONE = {"node": "worker2"}


def no_slow_ones(run: Record) -> Record:
    slow = [e for e in run.of("request") if e.data["url"].endswith("/slow")]
    return without(run, lambda e: e in slow and 10 <= e.t <= 20)


def without_form(option: str) -> Edit:
    """No command with that option was given."""
    return lambda run: without(run, lambda e: e.kind == "command" and option in e.data["argv"])


def nobody_read_it(run: Record) -> Record:
    """Neither what went in has a digest, nor what is there."""
    run = with_file("first", ROOT, digest=None)(run)
    return edited("content", {"name": "mysql_root_password"}, digest=None)(run)


def without_the(name: str, number: int) -> Edit:
    """One of that kind was never seen."""

    def edit(run: Record) -> Record:
        event = run.of(name)[number]
        return without(run, lambda e: e is event)

    return edit


def searched_twice(run: Record) -> Record:
    """A place was searched before, too, and then it was there."""
    event = run.first("search")
    if event is None:
        return run
    found = replace(event, data={**event.data, "found": 1})
    return Record((run.events[0], found, *run.events[1:]))


BROKEN: Broken = {
    ("created", "listed"): [
        (edited("inspected", {"name": "binary"}, listed=False), "fail"),
        (none_of("inspected", name="passwd_file"), "unknown"),
    ],
    ("created", "inspect-shows-no-value"): [
        (edited("inspected", {"name": "binary"}, shows=True), "fail"),
        (edited("inspected", {"name": "canary"}, has_data=True), "fail"),
        # Nothing is shown where nothing is printed.
        (edited("command", stdout=""), "unknown"),
        (without_form("--pretty"), "unknown"),
    ],
    ("created", "file-removed"): [
        (edited("file", there=True), "fail"),
        (moved("file", to=0.5), "unknown"),
    ],
    ("mounted", "place-owner-mode"): [
        (with_file("first", PASSWD, mode="444"), "fail"),
        (with_file("first", ROOT, uid="1000"), "fail"),
        (with_file("first", ROOT), "fail"),
        (with_file("first", "/run/secrets/more", mode="444"), "fail"),
    ],
    ("mounted", "byte-identical"): [
        (with_file("first", PASSWD, digest="another"), "fail"),
        (with_file("first", ROOT), "fail"),
        (none_of("content", name="echoed"), "unknown"),
        (nobody_read_it, "fail"),
    ],
    ("mounted", "in-memory"): [
        (edited("mounts", written=True, said=""), "fail"),
        (edited("mounts", mounts={}), "fail"),
        (edited("mounts", mounts={ROOT: {"type": "ext4", "read_only": True}}), "fail"),
    ],
    ("mounted", "0400-of-root"): [
        (edited("reading", {"owner": "root's"}, code=0, said=""), "fail"),
        (edited("reading", {"owner": "the program's own"}, digest="d-db_password"), "fail"),
        (edited("reading", {"owner": "the program's own"}, code=1, said="denied"), "fail"),
        (none_of("reading", owner="root's"), "unknown"),
    ],
    ("mounted", "literal-rotation-loses-the-path"): [
        (with_file("literal", PLACE, mode="400"), "fail"),
        (with_file("literal", LITERAL), "fail"),
        (none_of("files", step="literal"), "unknown"),
        (with_file("first", PLACE), "unknown"),
        (none_of("files", step="first"), "unknown"),
        (moved("files", {"step": "literal"}, to=0.0), "unknown"),
    ],
    ("mounted", "rotation-keeps-the-path"): [
        (with_file("mended", PLACE, digest="d-db_password"), "fail"),
        (with_file("mended", PLACE, uid="0"), "fail"),
        (with_file("mended", PLACE), "fail"),
        (none_of("files", step="mended"), "unknown"),
        (with_file("first", PLACE, digest="d-db_password_v2"), "unknown"),
        (moved("files", {"step": "mended"}, to=0.0), "unknown"),
    ],
    ("plaintext", "search-works"): [
        (edited("search", {"node": "manager2", "what": "logs"}, control=0), "fail"),
        (none_of("search", what="container's layer"), "unknown"),
        (none_of("search", node="manager3"), "unknown"),
    ],
    ("plaintext", "nowhere-in-plain"): [
        (edited("search", {"node": "manager2", "what": "swarm directory"}, found=1), "fail"),
        (edited("search", {"what": "what the run wrote"}, found=3), "fail"),
        (none_of("search", what="what the run wrote"), "unknown"),
        # A search that does not even find the control; one that was hidden by a later one.
        (edited("search", {"node": "manager2", "what": "logs"}, control=0), "unknown"),
        (searched_twice, "fail"),
    ],
    ("plaintext", "only-in-memory"): [
        (edited("memory", type="ext4"), "fail"),
        (edited("memory", found=0), "fail"),
    ],
    **{
        (phase, "https-with-the-secret"): [
            (edited("handshake", ONE, shown="another"), "fail"),
            (edited("handshake", ONE, shown=None, expected=None), "unknown"),
            (edited("handshake", ONE, status=503), "fail"),
            (none_of("handshake", **ONE), "unknown"),
            (edited("handshake", ONE, shown="another", expected="another"), "unknown"),
        ]
        for phase in ("multitier", "certificate")
    },
    ("multitier", "api-key"): [
        (edited("asked", {"key": "none"}, status=200), "fail"),
        (edited("asked", {"key": "wrong"}, status=200), "fail"),
        (edited("asked", {"key": "right"}, status=401), "fail"),
        (none_of("asked", key="wrong"), "unknown"),
    ],
    ("multitier", "database-login"): [(edited("asked", {"key": "right"}, user="postgres"), "fail")],
    ("multitier", "no-value-in-a-definition"): [
        (edited("definition", {"service": "multitier_db"}, shows=["db_password_v1"]), "fail"),
        (edited("definition", {"service": "multitier_db"}, env=["POSTGRES_PASSWORD=x"]), "fail"),
        (edited("definition", env=[]), "unknown"),
        (edited("definition", {"service": "multitier_api"}, env=["DB_HOST=db"]), "unknown"),
        (none_of("definition", service="multitier_web"), "unknown"),
    ],
    **{
        (phase, "no-request-failed"): [
            (edited("request", {"sent": 2.0}, status=None, error="refused"), "fail"),
            (edited("request", {"sent": 2.0}, status=503), "fail"),
            (none_of("request", **ONE), "unknown"),
            # Nobody asked while it was on: through any node, through one, for long.
            (none_within(10.0, 20.0), "unknown"),
            (none_within(11.0, 19.0), "unknown"),
            (none_within(10.0, 20.0, **ONE), "unknown"),
            (no_slow_ones, "unknown"),
            (none_within(0.0, 10.0), "unknown"),
            (none_within(20.0, 30.0), "unknown"),
            (none_within(20.0, 30.0, **ONE), "unknown"),
            (moved("begun", to=29.0), "unknown"),
        ]
        for phase in ("certificate", "rotation", "rollback")
    },
    ("certificate", "old-before-new-after"): [
        (edited("request", {"sent": 25.0}, certificate=OLD), "fail"),
        (edited("request", {"sent": 15.0}, certificate="another"), "fail"),
        (none_within(0.0, 10.0, **ONE), "unknown"),
        (none_within(20.0, 30.0, **ONE), "unknown"),
        (none_within(10.0, 20.0), "unknown"),
        (edited("request", {"sent": 2.0}, certificate=NEW), "fail"),
        (edited("request", {"sent": 2.0}, certificate=None), "fail"),
    ],
    ("rotation", "new-login-only"): [
        (edited("login", {"role": "app_a", "when": "after"}, said="let in"), "fail"),
        (edited("login", {"password": "new"}, said="FATAL"), "fail"),
        (edited("login", {"when": "before"}, said="FATAL"), "fail"),
        (none_of("login", password="new"), "unknown"),  # noqa: S106 - which one it was
        (moved("login", {"when": "after"}, to=1.0), "unknown"),
        (moved("login", {"when": "before"}, to=12.0), "unknown"),
    ],
    **{
        (phase, "every-replica-has-the-new-one"): [
            (edited("user", ONE, user="app_a"), "fail"),
            (edited("user", ONE, items=0), "fail"),
            (none_of("user", **ONE), "unknown"),
            (moved("user", to=1.0), "unknown"),
        ]
        for phase in ("rotation", "rollback")
    },
    ("rollback", "rollback-is-taken"): [
        (edited("rollback", code=1, said="secret not found: db_password_v1"), "fail"),
        (moved("rollback", to=1.0), "unknown"),
    ],
    ("rollback", "its-task-fails"): [
        (edited("failed-task", error="task: non-zero exit (1)"), "fail"),
        (edited("update", {"when": "rolled back"}, state="rollback_completed"), "fail"),
        (moved("failed-task", to=1.0), "unknown"),
        (moved("update", {"when": "rolled back"}, to=1.0), "unknown"),
    ],
    ("rollback", "replicas-untouched"): [
        (replaced, "fail"),
        (in_the_end("a"), "fail"),
        (in_the_end("c", "d"), "fail"),
        (edited("tasks", tasks=[]), "fail"),
        (edited("update", {"when": "forward again"}, state="paused"), "fail"),
        # Three lists of one moment are no three moments.
        (moved("tasks", to=1.0), "unknown"),
        (moved("tasks", to=29.0), "unknown"),
        (without_the("tasks", 1), "unknown"),
    ],
    ("rotation", "old-secret-removed"): [
        (edited("removed", gone=False), "fail"),
        (moved("removed", to=1.0), "unknown"),
    ],
}  # fmt: skip


def slug(case: str) -> str:
    return next(
        check.id.rsplit(".", 1)[1]
        for check in exercise.checks
        if check.title in (f"Refused: {case}", f"Accepted: {case}")
    )


BROKEN |= {
    ("refusals", slug(case)): [
        (edited("refusal", {"case": case}, code=0, said=""), "fail"),
        (edited("refusal", {"case": case}, said="something else"), "fail"),
        (none_of("refusal", case=case), "unknown"),
    ]
    for case in REFUSED
}
BROKEN |= {
    ("refusals", slug(case)): [
        (edited("refusal", {"case": case}, code=1, said="no"), "fail"),
        (none_of("refusal", case=case), "unknown"),
    ]
    for case in ACCEPTED
}


BROKEN["certificate", "https-with-the-secret"] += [
    (moved("handshake", to=5.0), "unknown"),
    (edited("handshake", shown=OLD, expected=OLD), "unknown"),
]


STILL_PASSES = {
    ("2.6.certificate.https-*", "ended: all seen at the phase's beginning"): SOONER,
    ("2.6.rotation.old-secret-removed", "removed: all seen at the phase's end"): LATER,
    ("2.6.rollback.its-task-fails", "rollback: all seen at the phase's beginning"): SOONER,
    ("2.6.rollback.replicas-untouched", "update: all seen *"): ALONE,
}
"""What passes on a broken record of a real run, and why that is right."""


class TestJudge(JudgeContract):
    exercise = exercise
    phases = RUNS
    good = staticmethod(good)
    broken = BROKEN


def test_a_change_is_measured_from_its_first_command_to_its_end() -> None:
    assert exercise.measurements(good("certificate")) == {
        "certificate": {
            "changed_s": 10.0, "requests": 60, "failed_requests": 0, "slowest_s": 0.1,
        }
    }  # fmt: skip
