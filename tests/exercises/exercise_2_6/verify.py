"""What must be true of secrets, judged on the record alone."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pytest_swarmlab import Exercise, failed, passed, unknown
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Request, TasksSample, each
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    judged,
    members_of,
    nodes_of,
    not_asked,
    not_each,
    out_of_order,
    pauses,
)
from pytest_swarmlab.model import Capability, Event, Judgement

CREATED, MOUNTED, PLAINTEXT, REFUSALS = ("created",), ("mounted",), ("plaintext",), ("refusals",)
MULTITIER, CERTIFICATE, ROTATION, ROLLBACK = (
    ("multitier",),
    ("certificate",),
    ("rotation",),
    ("rollback",),
)
UNDER_LOAD = CERTIFICATE + ROTATION + ROLLBACK
TIERS = MULTITIER + UNDER_LOAD

exercise = Exercise(
    "2.6",
    "Gestion avancée des secrets",
    module=__name__,
    titles={
        "created": "Secrets are created in the lab's three ways",
        "mounted": "In the container: place, owner, mode, content",
        "plaintext": "A secret is looked for where it must not be",
        "refusals": "What can't be a secret, or can't be done with one",
        "multitier": "Three tiers with a certificate, a key and a password",
        "certificate": "The certificate is rotated under load",
        "rotation": "The database's password is rotated under load",
        "rollback": "A roll back to a version whose secret is gone",
    },
    # Published ports and a service's address, between the tiers too, are IPVS's; the stack file
    # has health checks with a start interval.
    needs=dict.fromkeys(TIERS, (Capability.CHANGE, Capability.IPVS, Capability.START_INTERVAL)),
)

NAMES = (
    "mysql_root_password", "passwd_file", "db_password", "echoed", "db_password_v2", "binary",
    "unicode", "canary",
)  # fmt: skip
PLACES = {
    "mysql_root_password": ("/run/secrets/mysql_root_password", "444", "0", "0"),
    "passwd_file": ("/run/secrets/passwd", "440", "101", "102"),
    "db_password": ("/run/secrets/db_pass", "400", "0", "0"),
    "echoed": ("/run/secrets/echoed", "444", "0", "0"),
    "binary": ("/run/secrets/binary", "444", "0", "0"),
    "unicode": ("/etc/app/unicode", "444", "0", "0"),
    "canary": ("/run/secrets/canary", "444", "0", "0"),
}
"""Secret → path, mode, uid and gid that the service was created with, or the defaults."""
SEARCHED = (
    "swarm directory", "logs", "container's layer", "container's files and log",
    "what the run wrote",
)  # fmt: skip
TARGET = "/run/secrets/db_pass"

DAEMON = "Error response from daemon: "
GRPC = DAEMON + "rpc error: code = "
SIZE = GRPC + "InvalidArgument desc = secret data must be larger than 0 and less than 512000 bytes"
NAME = (
    GRPC + "InvalidArgument desc = invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and"
    " the start and end character must be [a-zA-Z0-9]"
)
REFUSED = {
    "0 bytes": SIZE,
    "512000 bytes": SIZE,
    "65 characters": NAME,
    "underscore first": NAME,
    "dot last": NAME,
    "a space": NAME,
    "a slash": NAME,
    "an accent": NAME,
    "duplicate": GRPC + "AlreadyExists desc = secret first already exists",
    "immutable": "rpc error: code = InvalidArgument desc = only updates to Labels are allowed",
    "in use by one": GRPC
    + "InvalidArgument desc = secret 'first' is in use by the following service: one",
    "in use by two": GRPC
    + "InvalidArgument desc = secret 'first' is in use by the following services: one, two",
    "unknown": "secret not found: never_created",
    "conflicting targets": "duplicate secret target for second not allowed",
    "conflicting targets, the engine": "rpc error: code = InvalidArgument desc = secret references"
    " 'first' and 'second' have a conflicting target: 't'",
    "undeclared": 'service app: undefined secret "db_password"',
}
"""What was tried → the engine's, or its client's, own words."""
ACCEPTED = ("1 bytes", "511999 bytes", "64 characters", "dot, dash and underscore", "labels")
LEAST_REQUESTS = 30
PAUSE_S = 4.0
"""Longest pause through one node: two of a node's turns, where visitors come most seldom."""
LEAST_RATE = 1.5
"""Requests a second, over all nodes and kinds: less than half of what is sent."""
GONE = (
    "starting container failed: unable to get secret from secret store: secret [a-z0-9]{25}"
    " not found"
)
PAUSED = "update paused due to failure or early termination of task [a-z0-9]{25}"


# -- created ------------------------------------------------------------------------------------


@exercise.check(
    "listed",
    phases=CREATED,
    title="Each of the ways gives a secret",
    expected="all of them are listed by `docker secret ls`",
    hint="`docker secret ls` on a manager: what did `docker secret create` say?",
)
def listed(record: Record) -> Judgement:
    """From a string, from a file, from a variable, and the contents of other kinds."""
    seen = _inspected(record)
    if missing := [name for name in NAMES if name not in seen]:
        return unknown(f"nobody looked at {', '.join(missing)}")
    absent = [name for name in NAMES if not seen[name]["listed"]]
    return failed(f"not listed: {', '.join(absent)}") if absent else passed(f"{len(NAMES)} listed")


@exercise.check(
    "inspect-shows-no-value",
    phases=CREATED,
    title="Nobody is shown a value, whoever asks",
    expected="inspect has no Data, and neither value nor Base64 of it, in both forms and the API",
    hint="`docker secret inspect NAME`: is it a config? Their content is shown.",
)
def inspect_shows_no_value(record: Record) -> Judgement:
    """What the client prints in both its forms, and what the engine answers."""
    seen = _inspected(record)
    if missing := [name for name in NAMES if name not in seen]:
        return unknown(f"nobody inspected {', '.join(missing)}")
    printed = [c for c in record.of("command") if c.data["argv"][:3] == INSPECT]
    forms = [
        [c for c in printed if ("--pretty" in c.data["argv"]) is pretty] for pretty in (False, True)
    ]
    shown = [n for n in NAMES if seen[n]["shows"] is not False or seen[n]["has_data"] is not False]
    blind = [n for n in NAMES if any(not _names(n, form) for form in forms)]
    missing = [f"in neither form, or one only, was printed: {', '.join(blind)}"] if blind else []
    told = f"{len(NAMES) - len(shown)} without Data"
    return judged(told, wrong=[f"shown: {', '.join(shown)}"] if shown else [], missing=missing)


INSPECT = ["docker", "secret", "inspect"]


def _names(name: str, printed: Sequence[Event]) -> bool:
    """Whether a secret of that name was inspected, and not nothing at all printed."""
    return any(name in str(command.data["stdout"]) for command in printed)


@exercise.check(
    "file-removed",
    phases=CREATED,
    title="The file that a secret was made of is gone",
    expected="no such file on the manager",
    hint="`rm passwd`: what lies beside the swarm is not kept by it.",
)
def file_removed(record: Record) -> Judgement:
    """The lab's `rm passwd`."""
    seen = record.need("file", "nobody looked for the file")
    argv = [*CREATE, "passwd_file", seen.data["path"]]
    made = [command.t for command in record.of("command", code=0, argv=argv)]
    told = f"{seen.data['path']} is {'gone' if seen.data['there'] is False else 'still there'}"
    order = out_of_order(
        ("that a secret was made of it", min(made, default=None)), ("the look for it", seen.t)
    )
    return judged(told, holds=seen.data["there"] is False, missing=order)


CREATE = ["docker", "secret", "create"]


def _inspected(record: Record) -> dict[str, dict[str, Any]]:
    return {e.data["name"]: dict(e.data) for e in record.of("inspected") if "shows" in e.data}


# -- mounted ------------------------------------------------------------------------------------


@exercise.check(
    "place-owner-mode",
    phases=MOUNTED,
    title="Each secret has exactly the place, owner and mode that were asked for",
    expected="by default /run/secrets/<name of the secret>, mode 0444, root's; otherwise as given",
    hint="`docker exec <container> ls -ln /run/secrets`: an absolute target is taken as it is.",
)
def place_owner_mode(record: Record) -> Judgement:
    """The defaults, another name, another directory, another owner."""
    files = _files(record, "first")
    wrong = []
    for name, (path, *expected) in PLACES.items():
        found = files.get(path)
        what = [found["mode"], found["uid"], found["gid"]] if found else None
        if what != expected:
            wrong.append(f"{name}: {what or 'nothing'} at {path}, not {expected}")
    wrong += [
        f"{path} too" for path in files if path not in {place[0] for place in PLACES.values()}
    ]
    return failed("; ".join(wrong)) if wrong else passed(f"{len(PLACES)} files")


@exercise.check(
    "byte-identical",
    phases=MOUNTED,
    title="Each content is byte for byte what went in",
    expected="the same SHA-256: text, binary of 511,999 bytes, UTF-8, and echo's newline too",
    hint="`echo` adds a newline, and the secret keeps it: use `printf %s`.",
)
def byte_identical(record: Record) -> Judgement:
    """Nothing is added, nothing is taken away."""
    files = _files(record, "first")
    wanted = {e.data["name"]: e.data for e in record.of("content") if "digest" in e.data}
    if missing := [name for name in PLACES if name not in wanted]:
        return unknown(f"it was not noted what went into {', '.join(missing)}")
    other = [
        name
        for name, (path, *_) in PLACES.items()
        if path not in files
        or not files[path]["digest"]
        or files[path]["digest"] != wanted[name]["digest"]
    ]
    told = ", ".join(f"{name} {wanted[name]['bytes']} bytes" for name in PLACES)
    return failed(f"not the same: {', '.join(other)}") if other else passed(told)


@exercise.check(
    "in-memory",
    phases=MOUNTED,
    title="Every one lies in memory, where nobody can write",
    expected="each is a tmpfs mounted read-only; root's attempt to write: Read-only file system",
    hint="`docker exec <container> cat /proc/mounts`.",
)
def in_memory(record: Record) -> Judgement:
    """The container's own table of mounts."""
    seen = record.need("mounts", "nobody looked at the mounts").data
    wrong = []
    for path, *_ in PLACES.values():
        mount = seen["mounts"].get(path)
        if mount != {"type": "tmpfs", "read_only": True}:
            wrong.append(f"{path}: {mount}")
    if seen["written"] or "Read-only file system" not in seen["said"]:
        wrong.append(f"root could write: {seen['said'] or 'nothing was said'}")
    return failed("; ".join(wrong)) if wrong else passed(f"{len(PLACES)} tmpfs, {seen['said']}")


@exercise.check(
    "0400-of-root",
    phases=MOUNTED,
    title="The lab's mode 0400 keeps out a program that is not root; with its uid it is let in",
    expected="Permission denied as long as it is root's; then the new content",
    hint="Give `uid:` and `gid:` beside `mode:`: a secret belongs to root otherwise.",
)
def mode_0400_of_root(record: Record) -> Judgement:
    """The image's user is 1000."""
    root = record.need("reading", "nobody read root's", owner="root's").data
    own = record.need("reading", "nobody read its own", owner="the program's own").data
    wanted = record.need("content", "no second version", name="db_password_v2").data["digest"]
    told = f"root's: {root['said'] or 'it was read'}; its own: {own['said'] or 'it was read'}"
    kept_out = root["code"] != 0 and "Permission denied" in root["said"]
    let_in = own["code"] == 0 and own["digest"] == wanted
    return passed(told) if kept_out and let_in else failed(told)


@exercise.check(
    "literal-rotation-loses-the-path",
    phases=MOUNTED,
    title="The lab's rotation, as it stands, takes the file away from the program",
    expected=f"{TARGET} is gone, the new secret lies at /run/secrets/db_password_v2",
    hint="`--secret-add source=db_password_v2,target=db_pass`: the target is the name by default.",
)
def literal_rotation_loses_the_path(record: Record) -> Judgement:
    """An erratum: without a target the file has the secret's name."""
    before, files = _files(record, "first"), _files(record, "literal")
    if TARGET not in before:
        return unknown(f"{TARGET} was not there before")
    told = ", ".join(sorted(path for path in files if "db_pass" in path)) or "neither"
    lost = TARGET not in files and "/run/secrets/db_password_v2" in files
    return passed(f"there is {told}") if lost else failed(f"there is {told}")


@exercise.check(
    "rotation-keeps-the-path",
    phases=MOUNTED,
    title="With source and target the new content lies where the old one was",
    expected=f"{TARGET} has the second version's content and its own user's mode 0400",
    hint="`docker service inspect vault`: source, target, uid, gid and mode of each secret.",
)
def rotation_keeps_the_path(record: Record) -> Judgement:
    """The rotation as it must be."""
    before, files = _files(record, "first"), _files(record, "mended")
    wanted = record.need("content", "no second version", name="db_password_v2").data["digest"]
    found = files.get(TARGET, {})
    if TARGET not in before or before[TARGET]["digest"] == wanted:
        return unknown(f"{TARGET} did not have another content before")
    told = f"{TARGET}: {found or 'nothing'}"
    meant = {"mode": "400", "uid": "1000", "gid": "1000", "digest": wanted}
    same = all(found.get(key) == value for key, value in meant.items())
    return passed(f"mode 400, uid 1000, {found['bytes']} bytes") if same else failed(told)


STEPS = ("first", "literal", "mended")


def _files(record: Record, step: str) -> dict[str, dict[str, Any]]:
    """The files as they were in that step, which must have come when its name says."""
    seen = {each: record.last("files", step=each) for each in STEPS[: STEPS.index(step) + 1]}
    moments = [(f"the look at the files ({s})", e.t if e else None) for s, e in seen.items()]
    if missing := out_of_order(*moments):
        raise Unseen("; ".join(missing))
    found: dict[str, dict[str, Any]] = record.need("files", "", step=step).data["files"]
    return found


# -- plaintext ----------------------------------------------------------------------------------


@exercise.check(
    "search-works",
    phases=PLAINTEXT,
    title="The search itself works",
    expected="in each place it finds the control that was put there",
    hint="Nothing found where nothing can be found says nothing: is grep on the node?",
)
def search_works(record: Record) -> Judgement:
    """What makes the next check worth something."""
    searches = _searches(record)
    blind = _blind(searches)
    told = f"the control was found in {len(searches) - len(blind)} of {len(searches)} searches"
    return judged(told, wrong=[f"not found: {'; '.join(blind)}"] if blind else [])


@exercise.check(
    "nowhere-in-plain",
    phases=PLAINTEXT,
    title="The secret is nowhere in plain",
    expected="not in any node's swarm directory and logs, not in the container's layer, files and"
    " log, not in anything that the run wrote; nor as Base64",
    hint="grep for it in the place that is named: who wrote it there?",
)
def nowhere_in_plain(record: Record) -> Judgement:
    """Of every search, also one that was made twice; a search that finds nothing at all is none."""
    searches = _searches(record)
    found = [f"{_where(seen)}: {seen['found']} times" for seen in searches if seen["found"]]
    missing = [f"the search was blind: {'; '.join(blind)}"] if (blind := _blind(searches)) else []
    told = f"{len(searches)} searches, {len(found)} found it"
    return judged(told, wrong=found, missing=missing)


@exercise.check(
    "only-in-memory",
    phases=PLAINTEXT,
    title="On the node that runs the task it lies in memory alone",
    expected="the engine's directory for the container's secrets is a tmpfs and holds it",
    hint="`findmnt /var/lib/docker/containers/<id>/mounts/secrets` on that node.",
)
def only_in_memory(record: Record) -> Judgement:
    """Where a worker has it from is the manager's TLS connection; where it keeps it is here."""
    seen = record.need("memory", "nobody looked at the engine's directory").data
    told = f"{seen['type']}, found {seen['found']} times"
    return passed(told) if seen["type"] == "tmpfs" and seen["found"] else failed(told)


def _searches(record: Record) -> list[dict[str, Any]]:
    """Every search that was made. Raises Unseen, by `need`, when one of them was not."""
    for what in SEARCHED:
        record.need("search", f"nobody searched the {what}", what=what)
    for node in nodes_of(record):
        for what in ("swarm directory", "logs"):
            record.need("search", f"nobody searched the {what} of {node}", what=what, node=node)
    return [dict(e.data) for e in record.of("search") if "what" in e.data]


def _blind(searches: Sequence[dict[str, Any]]) -> list[str]:
    """Searches that did not even find the control."""
    return [_where(seen) for seen in searches if not seen["control"]]


def _where(seen: dict[str, Any]) -> str:
    return f"{seen['what']} {seen['node']}".strip()


# -- refusals -----------------------------------------------------------------------------------


def _declare_refusals() -> None:
    for case, words in REFUSED.items():
        _declare_refusal(case, words)
    for case in ACCEPTED:
        _declare_acceptance(case)


def _slug(case: str) -> str:
    return case.replace(",", "").replace(" ", "-")


def _declare_refusal(case: str, words: str) -> None:
    @exercise.check(
        "refused-" + _slug(case),
        phases=REFUSALS,
        title=f"Refused: {case}",
        expected=words,
        hint="Another version of the engine may say it in other words: then these are to be noted.",
    )
    def refused(record: Record) -> Judgement:
        """The engine's own words, all of them; services stand in the order of their random ids."""
        seen = record.need("refusal", "it was not tried", case=case).data
        said = str(seen["said"])
        same = said in (words, words.replace("one, two", "two, one"))
        return passed(said) if seen["code"] and same else failed(said or "accepted")


def _declare_acceptance(case: str) -> None:
    @exercise.check(
        "accepted-" + _slug(case),
        phases=REFUSALS,
        title=f"Accepted: {case}",
        expected="no refusal",
        hint="`docker secret create`: what does the engine say?",
    )
    def accepted(record: Record) -> Judgement:
        """What lies just within the limits."""
        seen = record.need("refusal", "it was not tried", case=case).data
        return passed("accepted") if seen["code"] == 0 else failed(str(seen["said"]))


_declare_refusals()


# -- three tiers --------------------------------------------------------------------------------


@exercise.check(
    "https-with-the-secret",
    phases=MULTITIER + CERTIFICATE,
    title="HTTPS is served with exactly the certificate of the secret, through every node",
    expected="a handshake that our own authority vouches for, and the secret's fingerprint",
    hint="`docker service logs multitier_web`: can nginx read certificate and key?",
)
def https_with_the_secret(record: Record) -> Judgement:
    """The fingerprint over the wire against that of what went into the secret."""
    seen = [e for e in record.of("handshake") if "node" in e.data]
    meant = {e.data["expected"] for e in seen}
    if len(meant) != 1 or not all(meant):
        return unknown("it was not noted which certificate it should be")
    wrong = [
        f"{e.data['node']}: status {e.data['status']}, certificate {str(e.data['shown'])[:16]}"
        for e in seen
        if e.data["shown"] != e.data["expected"] or e.data["status"] != 200
    ]
    nodes = {str(e.data["node"]) for e in seen}
    missing = not_each(nodes, members_of(record), "shook hands through")
    if record.events[-1].phase == exercise.phase(*CERTIFICATE):
        rotated = record.need("certificates", "it was not noted which certificates they are")
        ended = record.last("ended")
        missing += out_of_order(
            ("the end of the rotation", ended.t if ended else None),
            ("the handshakes", min(e.t for e in seen)),
        )
        if meant != {rotated.data["new"]}:
            missing.append("the handshakes were not to show the new certificate")
    told = f"{str(seen[0].data['shown'])[:16]}… through {len(nodes)} nodes"
    return judged(told, wrong=wrong, missing=missing)


@exercise.check(
    "api-key",
    phases=MULTITIER,
    title="The API refuses without its key, and with a wrong one",
    expected="401 without a key, 401 with a wrong one, 200 with the one of the secret",
    hint="`docker service logs multitier_api`: can it read /run/secrets/api_key?",
)
def api_key(record: Record) -> Judgement:
    """The key comes from a secret, and from nowhere else."""
    found = {
        key: record.need("asked", f"nobody asked with key: {key}", key=key).data["status"]
        for key in ("none", "wrong", "right")
    }
    told = ", ".join(f"{key} {status}" for key, status in found.items())
    return (passed if found == {"none": 401, "wrong": 401, "right": 200} else failed)(told)


@exercise.check(
    "database-login",
    phases=MULTITIER,
    title="The API logs in at the database with the password of the secret",
    expected="as app_a, and reads the two items",
    hint="`docker service logs multitier_db`: password authentication failed?",
)
def database_login(record: Record) -> Judgement:
    """The session's user, as the database names it."""
    seen = record.need("asked", "nobody asked with the key", key="right").data
    told = f"user {seen['user']}, {seen['items']} items"
    return (passed if (seen["user"], seen["items"]) == ("app_a", 2) else failed)(told)


@exercise.check(
    "no-value-in-a-definition",
    phases=MULTITIER,
    title="No secret's value stands in a service's definition",
    expected="each password and key is given as a file below /run/secrets",
    hint="`docker service inspect multitier_api`: Env is readable for whoever may ask a manager.",
)
def no_value_in_a_definition(record: Record) -> Judgement:
    """All that `docker service inspect` shows, of the three services."""
    seen = {e.data["service"]: e.data for e in record.of("definition") if "service" in e.data}
    services = [f"multitier_{name}" for name in ("web", "api", "db")]
    if missing := [name for name in services if name not in seen]:
        return unknown(f"nobody looked at {', '.join(missing)}")
    shown = [f"{name} shows {value}" for name in services for value in seen[name]["shows"]]
    secret = [word for name in services for word in seen[name]["env"] if _is_secret(word)]
    bare = [n for n in services[1:] if not any(_is_secret(word) for word in seen[n]["env"])]
    shown += [word for word in secret if not word.partition("=")[2].startswith("/run/secrets/")]
    missing = [f"no variable of {', '.join(bare)} names a secret's file"] if bare else []
    return judged("; ".join(secret), wrong=shown, missing=missing)


def _is_secret(word: str) -> bool:
    return any(part in word.partition("=")[0] for part in ("PASSWORD", "KEY"))


@exercise.check(
    "no-request-failed",
    phases=UNDER_LOAD,
    title="No request fails, those of a second's length neither",
    expected=f"at least {LEAST_REQUESTS} requests, through every node before it, all along and"
    " after it; none without a good answer",
    hint="Which requests, through which node? start-first, a health check, and a time of grace"
    " that is longer than the longest request.",
)
def no_request_failed(record: Record) -> Judgement:
    """Every request is a connection and a handshake of its own, and a login at the database."""
    asked, nodes = readings.requests(record), members_of(record)
    slow = [request for request in asked if request.url.endswith("/slow")]
    bad = readings.request_errors(record)
    told = f"{len(asked)} requests, {len(slow)} of them slow, {len(bad)} failed"
    why = Counter(request.error or f"status {request.status}" for request in bad)
    wrong = [f"{count} × {what}" for what, count in why.items()]
    began, ended = _span(record)
    window = Window(began, ended)
    missing = not_asked(asked, through=nodes, window=window, pause=PAUSE_S, rate=LEAST_RATE)
    if none := pauses((request.sent for request in slow), window, PAUSE_S):
        missing.append(f"nobody sent a slow one {none[0]}")
    before = {request.node for request in asked if request.over < began}
    missing += not_each(before, nodes, "was answered, before it began, through")
    after = {request.node for request in asked if request.sent > ended}
    missing += not_each(after, nodes, "was answered, after it was over, through")
    if len(asked) < LEAST_REQUESTS:
        missing.append(f"fewer than {LEAST_REQUESTS} requests")
    return judged(told, wrong=wrong, missing=missing)


@exercise.check(
    "old-before-new-after",
    phases=CERTIFICATE,
    title="Visitors see the old certificate before, the new one after, and no other",
    expected="the old one alone until the rotation begins, the new one alone once it is over",
    hint="`docker service ps multitier_web`: are all replicas replaced? A replica reads its"
    " certificate when it starts.",
)
def old_before_new_after(record: Record) -> Judgement:
    """Of every handshake of the probe; while the rotation is on, both may be seen."""
    names = record.need("certificates", "it was not noted which certificates they are").data
    began, ended = _span(record)
    old, new = names["old"], names["new"]
    shown: dict[str, set[str | None]] = {"before": set(), "meanwhile": set(), "after": set()}
    through: dict[str, set[str]] = {when: set() for when in shown}
    for request in each(record, Request):
        late = request.sent > ended
        when = "before" if request.over < began else "after" if late else "meanwhile"
        shown[when].add(request.certificate)
        through[when].add(request.node)
    called = {old: "old", new: "new"}
    told = "; ".join(
        f"{when}: {', '.join(sorted(called.get(each, 'another') for each in seen)) or 'nothing'}"
        for when, seen in shown.items()
    )
    good = shown["before"] <= {old} and shown["after"] <= {new}
    missing = [] if old != new else ["both are one certificate"]
    nodes = members_of(record)
    for when in ("before", "after"):
        missing += not_each(through[when], nodes, f"was shown one, {when} it, through")
    window = Window(began, ended)
    missing += not_asked(readings.requests(record), through=nodes, window=window, pause=PAUSE_S)
    return judged(told, holds=good and shown["meanwhile"] <= {old, new}, missing=missing)


def _span(record: Record) -> tuple[float, float]:
    """When the change began and when it was over."""
    began = record.need("begun", "it was not noted when the change began").t
    ended = record.need("ended", "it was not noted when the change was over").t
    if missing := out_of_order(("the beginning", began), ("the end", ended)):
        raise Unseen("; ".join(missing))
    return began, ended


LOGINS = {
    ("before", "app_a", "old"): "let in",
    ("after", "app_a", "old"): 'FATAL:  password authentication failed for user "app_a"',
    ("after", "app_b", "old"): 'FATAL:  password authentication failed for user "app_b"',
    ("after", "app_b", "new"): "let in",
}
"""When, as which role, with which password → what the database says."""


@exercise.check(
    "new-login-only",
    phases=ROTATION,
    title="The database's password is rotated with the secret",
    expected="the old one was let in before and is refused after, the new one is let in",
    hint="A new secret changes nothing in the database: `ALTER ROLE … PASSWORD …`.",
)
def new_login_only(record: Record) -> Judgement:
    """Logins over the network, from a container of the API."""
    told, wrong, missing = [], [], []
    began, ended = _span(record)
    for (when, role, password), words in LOGINS.items():
        case = f"{role} with the {password} password {when}"
        tried = record.need("login", f"not tried: {case}", when=when, role=role, password=password)
        said = tried.data["said"]
        told.append(f"{case}: {said}")
        if said != words and not said.endswith(words):
            wrong.append(told[-1])
        login = (case, tried.t)
        if when == "before":
            missing += out_of_order(login, ("the beginning of the rotation", began))
        else:
            missing += out_of_order(("the end of the rotation", ended), login)
    return judged("; ".join(told), wrong=wrong, missing=missing)


@exercise.check(
    "every-replica-has-the-new-one",
    phases=ROTATION + ROLLBACK,
    title="The application goes on with the new password, through every node",
    expected="it comes to the database as app_b and reads the same two items",
    hint="`docker service ps multitier_api`: is a replica of before the rotation left?",
)
def every_replica_has_the_new_one(record: Record) -> Judgement:
    """In the rotation asked before the old role is retired: nobody may need it any more."""
    seen = [e for e in record.of("user") if "node" in e.data]
    wrong = [
        f"{e.data['node']}: {e.data['user']}, {e.data['items']} items"
        for e in seen
        if (e.data["user"], e.data["items"]) != ("app_b", 2)
    ]
    nodes = {str(e.data["node"]) for e in seen}
    missing = not_each(nodes, members_of(record), "asked through")
    rolled = [e.t for e in record.of("command", code=0) if _gives_the_new_one(e.data["argv"])]
    missing += out_of_order(
        ("the update", max(rolled, default=None)),
        ("the questions", min((e.t for e in seen), default=None)),
    )
    return judged(f"app_b through {len(nodes)} nodes", wrong=wrong, missing=missing)


def _gives_the_new_one(argv: Sequence[str]) -> bool:
    """Whether a command updates the API to the second password."""
    return [*argv[:3]] == UPDATE and any("source=db_password_v2" in word for word in argv)


UPDATE = ["docker", "service", "update"]


@exercise.check(
    "old-secret-removed",
    phases=ROTATION,
    title="The old secret is removed",
    expected="`docker secret ls` does not list it any more",
    hint="`docker secret rm` says which service still uses it.",
)
def old_secret_removed(record: Record) -> Judgement:
    """Possible only when no service's definition names it."""
    seen = record.need("removed", "nobody looked whether it is gone")
    argv = ["docker", "secret", "rm", "db_password_v1"]
    gone = [command.t for command in record.of("command", code=0, argv=argv)]
    missing = out_of_order(
        ("that it was removed", max(gone, default=None)), ("the look for it", seen.t)
    )
    told = f"db_password_v1 is {'gone' if seen.data['gone'] is True else 'there'}"
    return judged(told, holds=seen.data["gone"] is True, missing=missing)


@exercise.check(
    "rollback-is-taken",
    phases=ROLLBACK,
    title="The engine takes the rollback and says nothing of the secret that is gone",
    expected="`docker service rollback` ends with 0 and no complaint",
    hint="An engine that refuses it does better: then its words are to be noted.",
)
def rollback_is_taken(record: Record) -> Judgement:
    """Only what is given with a change is looked for, not what a rollback brings back."""
    rollback = record.need("rollback", "nobody rolled back")
    began, _ = _span(record)
    if missing := out_of_order(("the beginning", began), ("the rollback", rollback.t)):
        return unknown("; ".join(missing))
    seen = rollback.data
    told = f"exit code {seen['code']}; {seen['said'] or 'nothing was said'}"
    return passed(told) if seen["code"] == 0 and not seen["said"] else failed(told)


@exercise.check(
    "its-task-fails",
    phases=ROLLBACK,
    title="The version that is rolled back to can't start, and the rollback is paused",
    expected="starting container failed: unable to get secret from secret store: secret <id> not"
    " found; rollback_paused: update paused due to failure or early termination of task <id>",
    hint="`docker service ps --no-trunc multitier_api`; is the old secret there all the same?",
)
def its_task_fails(record: Record) -> Judgement:
    """The task's error names the secret by its id: its name has gone with it."""
    failed_task = record.need("failed-task", "no task of the version before was seen to fail")
    seen = record.need("update", "nobody looked at the update", when="rolled back")
    task, update = failed_task.data, seen.data
    told = f"{task['state']}: {task['error']}; {update['state']}: {update['said']}"
    good = (
        re.fullmatch(GONE, task["error"])
        and update["state"] == "rollback_paused"
        and re.fullmatch(PAUSED, update["said"])
    )
    missing = out_of_order(
        ("the rollback", record.need("rollback", "nobody rolled back").t),
        ("its task's failure", failed_task.t),
        ("the look at the update", seen.t),
    )
    return judged(told, holds=bool(good), missing=missing)


@exercise.check(
    "replicas-untouched",
    phases=ROLLBACK,
    title="The replicas go on, and suit the version to which the service is brought forward again",
    expected="the same two tasks run before, when the rollback is paused, and at the end",
    hint="start-first: with stop-first each failed start costs a replica.",
)
def replicas_untouched(record: Record) -> Judgement:
    """None is stopped before its successor runs, and in the end none is needed."""
    samples = each(record, TasksSample, service="multitier_api")
    listed = [sample for sample in samples if sample.error is None]
    update = record.need("update", "nobody looked at the update", when="forward again").data
    rollback = record.need("rollback", "nobody rolled back").t
    failed_task = record.need("failed-task", "no task of the version before was seen to fail").t
    forward = [e.t for e in record.of("command") if _gives_the_new_one(e.data["argv"])]
    if not forward or not rollback <= failed_task <= forward[-1]:
        return unknown("it was not rolled back and then brought forward again")
    parts = {
        "before": [e for e in listed if e.t < rollback],
        "paused": [e for e in listed if failed_task < e.t < forward[-1]],
        "after": [e for e in listed if e.t > forward[-1]],
    }
    runs = {when: [_running(sample) for sample in seen] for when, seen in parts.items()}
    told = "; ".join(f"{when} {', '.join(ids[-1]) or 'none'}" for when, ids in runs.items() if ids)
    every = {tuple(ids) for seen in runs.values() for ids in seen}
    good = len(every) == 1 and all(len(ids) == 2 for ids in every)
    missing = [f"nobody listed the tasks {when} it" for when, seen in runs.items() if not seen]
    return judged(
        f"{told}; {update['state']}",
        holds=(good or not every) and update["state"] == "completed",
        missing=missing,
    )


def _running(sample: TasksSample) -> list[str]:
    return sorted(task.id[:12] for task in sample.tasks if task.running)


@exercise.measure(phases=UNDER_LOAD)
def under_load(record: Record) -> dict[str, float | int | None]:
    """How long the change took, from the first command to all replicas balanced; the requests."""
    began, ended = record.last("begun"), record.last("ended")
    asked = readings.requests(record)
    return {
        "changed_s": round(ended.t - began.t, 1) if began and ended else None,
        "requests": len(asked),
        "failed_requests": len(readings.request_errors(record)),
        "slowest_s": round(max(r.seconds for r in asked), 2) if asked else None,
    }
