"""What must be true of configs, judged on the record alone."""

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_swarmlab import Exercise, failed, not_provable, passed, unknown
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Moment,
    Window,
    judged,
    members_of,
    not_asked,
    not_each,
    out_of_order,
)
from pytest_swarmlab.model import Capability, Event, Judgement

from .drill import (
    KINDS,
    KINDS_AT,
    OWNED_AT,
    OWNED_GID,
    OWNED_MODE,
    OWNED_UID,
    PLAIN_AT,
    SIZES,
    TWICE_AT,
)

STACKS = (
    "no-backend", "switch", "rollback", "bad-config", "one-stop-first", "one-start-first",
    "versioning", "environments",
)  # fmt: skip
"""Phases on a service of a stack file."""

exercise = Exercise(
    "2.7",
    "Configurations dynamiques",
    module=__name__,
    titles={
        "mount": "A config as its container sees it",
        "shared": "One config in two services",
        "refusals": "Limits, and what the engine refuses",
        "no-backend": "The lab's proxy, which nobody stands behind",
        "switch": "Version 1 to version 2, two replicas",
        "rollback": "Back to version 1, two replicas",
        "bad-config": "A version 3 that nginx refuses, two replicas",
        "one-stop-first": "One replica, stopped before the next is started",
        "one-start-first": "One replica, the next started before it is stopped",
        "versioning": "Versions named by their content",
        "environments": "One application, two environments",
    },
    # Both stack files have health checks with a start interval.
    needs=dict.fromkeys(STACKS, (Capability.CHANGE, Capability.START_INTERVAL)),
)

MOUNT, SHARED, REFUSALS = ("mount",), ("shared",), ("refusals",)
NO_BACKEND, BAD, VERSIONING = ("no-backend",), ("bad-config",), ("versioning",)
ENVIRONMENTS = ("environments",)
SWITCHES = {
    "switch": ("v1", "v2"),
    "rollback": ("v2", "v1"),
    "one-stop-first": ("v1", "v2"),
    "one-start-first": ("v2", "v1"),
}
"""Phase → the version that answers at its beginning, and the one that does at its end."""
UNINTERRUPTED = ("switch", "rollback", "bad-config", "one-start-first")
UNDER_LOAD = (*SWITCHES, "bad-config")
MESH = (Capability.IPVS,)
LEAST_REQUESTS = 50
"""Of so few requests that none failed says nothing: two and a half seconds' worth."""
PAUSE_S = 1.0
"""Longest pause through one node, which is asked every 250 ms."""

LOST = "starting container failed: unable to get config from config store: config "
ECHO = re.compile(r"host=(?P<host>\S+) real_ip=[\d.]+ protocol=HTTP/\S+\n")
NO_UPSTREAM = 'host not found in upstream "backend"'
SYNTAX = 'invalid number of arguments in "proxy_pass" directive'


# -- mounted -----------------------------------------------------------------------------------


@exercise.check(
    "byte-for-byte",
    phases=MOUNT,
    title="A config is in the container byte for byte as it was given",
    expected=f"the same SHA-256 for {', '.join(KINDS)}",
    hint="`docker exec <container> sha256sum <target>`: did an editor or `echo` change the file?",
)
def byte_for_byte(record: Record) -> Judgement:
    """Line ends, byte order mark, and bytes that are no text are nobody's business."""
    seen = {e.data["target"]: e.data for e in record.of("mounted")}
    kinds = {kind: seen.get(f"{KINDS_AT}/{kind}") for kind in KINDS}
    if missing := [kind for kind, data in kinds.items() if data is None]:
        return unknown(f"nobody looked at {', '.join(missing)}")
    wrong = [kind for kind, data in kinds.items() if data and data["found"] != data["given"]]
    told = ", ".join(f"{kind} {data['size']} bytes" for kind, data in kinds.items() if data)
    return failed(f"changed: {', '.join(wrong)}") if wrong else passed(told)


@exercise.check(
    "default-target",
    phases=MOUNT,
    title="Without a target it lies at the root, under its own name",
    expected=f"{PLAIN_AT}, readable by everybody (444), owned by 0:0",
    hint="`docker service inspect`: the reference's File.Name, as the client filled it in.",
)
def default_target(record: Record) -> Judgement:
    """A secret would be below /run/secrets."""
    return _mode_is(record, PLAIN_AT, "444", 0, 0)


@exercise.check(
    "mode-and-owner",
    phases=MOUNT,
    title="Mode and owner are as the service asks",
    expected=f"{OWNED_MODE} {OWNED_UID}:{OWNED_GID}",
    hint="`--config source=…,target=…,uid=…,gid=…,mode=0400`: the mode is octal, with a zero.",
)
def mode_and_owner(record: Record) -> Judgement:
    """For an application that insists."""
    return _mode_is(record, OWNED_AT, OWNED_MODE, OWNED_UID, OWNED_GID)


@exercise.check(
    "one-owner-for-two-places",
    phases=MOUNT,
    title="One config at two places of a container has one mode and owner, not two",
    expected="different ones are asked for, and both places get those of one of them",
    hint="The engine keeps one file per config: give the second place a config of its own.",
)
def one_owner(record: Record) -> Judgement:
    """A trap that nobody mentions; which of the two wins is left to chance."""
    seen = [record.last("mounted", target=target) for target in TWICE_AT]
    if None in seen:
        return unknown("nobody looked at both")
    if any(e.data["found"] != e.data["given"] for e in seen if e):
        return failed("they do not hold what was given")
    got = [(e.data["mode"], e.data["uid"], e.data["gid"]) for e in seen if e]
    asked = [("444", 0, 0), (OWNED_MODE, OWNED_UID, OWNED_GID)]
    told = "; ".join(f"{e.data['target']}: {e.data['mode']} {e.data['uid']}" for e in seen if e)
    return passed(told) if got[0] == got[1] and got[0] in asked else failed(told)


@exercise.check(
    "in-memory-read-only",
    phases=MOUNT,
    title="It is mounted from memory and read-only",
    expected="every target is a mount of its own: tmpfs, ro; writing to it is refused",
    hint="`docker exec <container> cat /proc/self/mounts`.",
)
def in_memory_read_only(record: Record) -> Judgement:
    """As a secret is; and nobody in the container can change it."""
    mounts = {e.data["target"]: e.data for e in record.of("mount")}
    written = record.need("written", "nobody tried to write").data
    said = str(written["said"])
    wrong = [
        f"{target}: {mount['filesystem'] or 'no mount'}"
        for target, mount in mounts.items()
        if mount["filesystem"] != "tmpfs" or "ro" not in mount["options"]
    ]
    refused = written["code"] != 0 and "Read-only file system" in said
    told = f"{len(mounts)} mounts; writing: {said or 'nothing was said'}"
    missing = not_each(mounts, TARGETS, "looked for the mount of")
    return judged(told, holds=refused, wrong=wrong, missing=missing)


TARGETS = (*(f"{KINDS_AT}/{kind}" for kind in KINDS), PLAIN_AT, OWNED_AT, *TWICE_AT)
"""Where configs are put into the container."""


@exercise.check(
    "inspect-shows-it",
    phases=MOUNT,
    title="Anybody who may ask can read a config, and nobody a secret",
    expected="`docker config inspect` holds the data in Base64, `docker secret inspect` holds none",
    hint="This is the difference: whatever nobody may read belongs in a secret.",
)
def inspect_shows_it(record: Record) -> Judgement:
    """The lab's question: what tells a config from a secret."""
    config, secret = (
        record.last("inspected", what="config"),
        record.last("inspected", what="secret"),
    )
    if config is None or secret is None:
        return unknown("not both were inspected")
    told = f"the config's data are {_shown(config.data)}, the secret's {_shown(secret.data)}"
    good = config.data["shows"] and config.data["same"] and not secret.data["shows"]
    return passed(told) if good else failed(told)


def _shown(data: Mapping[str, Any]) -> str:
    return "shown" if data["shows"] else "not shown"


def _mode_is(record: Record, target: str, mode: str, uid: int, gid: int) -> Judgement:
    seen = record.need("mounted", "nobody looked at it", target=target)
    data = seen.data
    told = f"{data['target']}: {data['mode']} {data['uid']}:{data['gid']}"
    same = data["found"] == data["given"]
    good = same and (data["mode"], data["uid"], data["gid"]) == (mode, uid, gid)
    return passed(told) if good else failed(told if same else f"{told}, with another content")


# -- shared and refused ------------------------------------------------------------------------


@exercise.check(
    "both-read-it",
    phases=SHARED,
    title="Two services read one config",
    expected="the config's own SHA-256 in a container of each",
    hint="`docker service inspect`: both references must name the same config.",
)
def both_read_it(record: Record) -> Judgement:
    """The lab's question: may a config be shared?"""
    given, read = _given(record), _reads(record, "shared")
    missing = not_each(given, ("reader_config",), "noted what is in")
    missing += not_each(read, READERS, "looked into")
    if missing:
        return unknown("; ".join(missing))
    wrong = [name for name, e in read.items() if e.data["found"] != given["reader_config"]]
    told = ", ".join(f"{name} on {e.data['node']}" for name, e in read.items())
    return failed(f"another content: {', '.join(wrong)}") if wrong else passed(told)


@exercise.check(
    "other-left-alone",
    phases=SHARED,
    title="Giving one of them another version leaves the other alone",
    expected="the first reads version 2; the second version 1, in the same container as before",
    hint="`docker service ps reader-two`: nothing there may have been replaced.",
)
def other_left_alone(record: Record) -> Judgement:
    """A config is not changed: one service is pointed at another."""
    given, before, after = _given(record), _reads(record, "shared"), _reads(record, "one-updated")
    if len(given) < 2 or not {*READERS} <= before.keys() & after.keys():
        return unknown("not both were looked at before and after")
    versions = {digest: name for name, digest in given.items()}
    told = ", ".join(f"{n} reads {versions.get(e.data['found'])}" for n, e in sorted(after.items()))
    stayed = before["reader-two"].data["container"] == after["reader-two"].data["container"]
    good = (
        after["reader-one"].data["found"] == given["reader_config_v2"]
        and after["reader-two"].data["found"] == given["reader_config"]
    )
    missing = out_of_order(
        ("the look before", max(e.t for e in before.values())),
        ("the look after", min(e.t for e in after.values())),
    )
    if any(e.data["found"] != given["reader_config"] for e in before.values()):
        missing.append("they did not both read version 1 before")
    wrong = [] if stayed else ["the other one is in another container"]
    return judged(told, holds=good, wrong=wrong, missing=missing)


READERS = ("reader-one", "reader-two")


def _given(record: Record) -> dict[str, str]:
    return {e.data["config"]: e.data["digest"] for e in record.of("given")}


def _reads(record: Record, step: str) -> dict[str, Event]:
    return {e.data["service"]: e for e in record.of("read", step=step)}


LATER_LIMIT = (20, 10, 15)
"""Since this engine a config may hold 1,023,999 bytes, before it 500 KiB."""


@exercise.check(
    "sizes",
    phases=REFUSALS,
    title="A config holds from 1 to 1,023,999 bytes",
    expected="0 and 1,024,000 bytes are refused, 1 and 1,023,999 are accepted",
    hint="The documentation says 500 kb, which was so before engine 20.10.15.",
)
def sizes(record: Record) -> Judgement:
    """The lab's question: how large may a config be?"""
    engine = record.last("engine")
    answers = {size: record.last("answer", asked=f"size-{size}") for size in SIZES}
    if engine is None or None in answers.values():
        return unknown("not every size was tried, or nobody asked which engine this is")
    version = str(engine.data["version"])
    if _version(version) < LATER_LIMIT:
        return not_provable(f"engine {version} still has the limit of 500 KiB")
    accepted = [size for size, answer in answers.items() if answer and answer.data["code"] == 0]
    told = f"engine {version} accepts {', '.join(f'{size:,}' for size in accepted) or 'none'}"
    return passed(told) if accepted == [1, 1_023_999] else failed(told)


def _version(text: str) -> tuple[int, ...]:
    digits = (part for part in text.split("-")[0].split("+")[0].split("."))
    return tuple(int(part) for part in digits if part.isdigit())


NOT_FOUND = "config not found: never_created"
DAEMON = "Error response from daemon: "
RPC = f"{DAEMON}rpc error: code = "
INVALID = f"{RPC}InvalidArgument desc = "
BAD_NAME = (
    f"{INVALID}invalid name, only 64 [a-zA-Z0-9-_.] characters allowed,"
    " and the start and end character must be [a-zA-Z0-9]"
)
IN_USE = f"{INVALID}config 'reader_config' is in use by the following"

REFUSED: dict[str, tuple[str, tuple[str, ...]]] = {
    "size-0": (
        "An empty config is refused",
        (f"{INVALID}config data must be larger than 0 and less than 1024000 bytes",),
    ),
    "size-1024000": (
        "One byte too many is refused",
        (f"{INVALID}config data must be larger than 0 and less than 1024000 bytes",),
    ),
    "name-65": ("A name of 65 characters is refused", (BAD_NAME,)),
    "name-space": ("A name with a space is refused", (BAD_NAME,)),
    "name-accent": ("A name with an accent is refused", (BAD_NAME,)),
    "name-slash": ("A name with a slash is refused", (BAD_NAME,)),
    "name-dot": ("A name that begins with a dot is refused", (BAD_NAME,)),
    "duplicate": (
        "A second config of a name is refused",
        (f"{RPC}AlreadyExists desc = config reader_config already exists",),
    ),
    "immutable": (
        "What a config holds can't be changed",
        ("rpc error: code = InvalidArgument desc = only updates to Labels are allowed",),
    ),
    "in-use-by-one": (
        "A config in use can't be removed, and the service is named",
        (f"{IN_USE} service: reader-two",),
    ),
    "in-use-by-two": (
        "Both services are named where two use it",
        # In no particular order.
        (
            f"{IN_USE} services: reader-one, reader-two",
            f"{IN_USE} services: reader-two, reader-one",
        ),
    ),
    "same-target": (
        "Two configs at one place are refused",
        ("duplicate config target for reader_config_v2 not allowed",),
    ),
    "unknown": ("A service can't be given a config that is not there", (NOT_FOUND,)),
    "missing-config": (
        "Nor can a stack that says that it is there",
        (f"service web: {NOT_FOUND}",),
    ),
    "undefined-config": (
        "A stack must say at its end which configs its services mean",
        ('service web: undefined config "nginx_config"',),
    ),
}
"""What is asked → the check's title, and what is said, word for word."""


def _declare_refusals() -> None:
    for asked, (title, words) in REFUSED.items():
        exercise.check(
            asked,
            phases=REFUSALS,
            title=title,
            expected=f"it is said: {words[0]}",
            hint="Try it by hand and read what it says: has this engine another wording?",
        )(functools.partial(_refused, asked=asked, words=words))


def _refused(record: Record, asked: str, words: tuple[str, ...]) -> Judgement:
    seen = record.need("answer", "it was not tried", asked=asked)
    # What goes before is the client's notice that it doesn't wait.
    said = str(seen.data["said"]).strip().rpartition("\n")[2]
    if seen.data["code"] in (0, 200):
        return failed("it was accepted")
    return passed(said) if said in words else failed(said or "nothing was said")


_declare_refusals()


@exercise.check(
    "longest-name",
    phases=REFUSALS,
    title="A name may have 64 characters",
    expected="it is accepted",
    hint="`docker config create`: which characters are in the name?",
)
def longest_name(record: Record) -> Judgement:
    """One more is refused."""
    seen = record.need("answer", "it was not tried", asked="name-64")
    return passed("accepted") if seen.data["code"] == 0 else failed(str(seen.data["said"]))


# -- the proxy ---------------------------------------------------------------------------------


@exercise.check(
    "nginx-refuses",
    phases=NO_BACKEND,
    title="The lab's proxy does not start: nobody is called backend",
    expected=f"the task fails with exit code 1, its log says {NO_UPSTREAM!r}",
    hint="`docker service logs proxy_nginx`: nginx looks names up when it starts.",
)
def nginx_refuses(record: Record) -> Judgement:
    """An erratum, pinned."""
    return _failed_with(record, NO_UPSTREAM)


@exercise.check(
    "name-in-a-stack",
    phases=NO_BACKEND,
    title="The lab's `docker service update … nginx` finds no such service",
    expected="the client says that there is no service nginx",
    hint="A stack's service is called <stack>_<service>: `docker service ls`.",
)
def name_in_a_stack(record: Record) -> Judgement:
    """An erratum, pinned."""
    seen = record.need("answer", "it was not tried", asked="lab-name")
    said = str(seen.data["said"])
    wrong = seen.data["code"] != 0 and said == f"{DAEMON}service nginx not found"
    return passed(said) if wrong else failed(said or "it was accepted")


@exercise.check(
    "healed",
    phases=NO_BACKEND,
    title="With a backend both replicas run and pass on what it says",
    expected="2 tasks run; the backend is told the host and the visitor's address",
    hint="`docker service ps proxy_nginx`, then curl from within one of the containers.",
    needs=MESH,
)
def healed(record: Record) -> Judgement:
    """The same configuration: only the backend was missing."""
    samples = [s for s in readings.task_samples(record) if s.error is None]
    if not samples:
        return unknown("nobody listed the tasks")
    running = sum(task.running for task in samples[-1].tasks)
    failure = record.need("failed", "no task was seen to fail without a backend")
    order = [("its failure without a backend", failure.t), ("the list", samples[-1].asked)]
    return _echoed(
        record, "nginx_config", "", order, also=f"{running} tasks run", holds=running == 2
    )


@exercise.check(
    "new-options-used",
    phases=("switch",),
    title="Version 2 talks HTTP/1.1 to the backend, as its new options say",
    expected="the backend was asked with protocol=HTTP/1.1, whichever node the visitor asked",
    hint="`docker exec <container> cat /etc/nginx/conf.d/default.conf`.",
    needs=MESH,
)
def new_options_used(record: Record) -> Judgement:
    """Not only the header is new: the lab's own options are in force."""
    over = record.need("over", "the update did not come to an end")
    order = [("the end of the update", over.t)]
    return _echoed(record, "nginx_config_v2", "protocol=HTTP/1.1", order)


@exercise.check(
    "old-then-new",
    phases=tuple(SWITCHES),
    title="The version changes while visitors come",
    expected="only the old one answers before the command, only the new one once that has stopped",
    hint="`docker service ps`: which container still has the old config?",
    needs=MESH,
)
def old_then_new(record: Record) -> Judgement:
    """Seen from outside, request by request, through every node."""
    span, answers, nodes = _span(record), readings.answered(record), members_of(record)
    if span is None or not answers:
        return unknown("it did not come to an end, or nobody was answered")
    settled = record.need("settled", "nobody waited until the old one had stopped")
    old, new = SWITCHES[answers_phase(record)]
    before = [r for r in answers if r.over < span[0]]
    after = [r for r in answers if r.sent > settled.t]
    shown = [{r.header for r in part} for part in (before, after, answers)]
    wrong = [
        f"{when}: {_listed(seen)}"
        for when, seen, meant in zip(
            ("before", "after", "all along"), shown, ({old}, {new}, {old, new}), strict=True
        )
        if not seen <= meant
    ]
    missing = not_each({r.node for r in before}, nodes, "was answered, before it, through")
    missing += not_each({r.node for r in after}, nodes, "was answered, after it, through")
    missing += _uncovered(record, Window(span[0], settled.t))
    missing += out_of_order(
        ("the command", span[0]),
        ("the end", span[1]),
        ("that the old one had stopped", settled.t),
    )
    return judged(_versions_told(record, old, new), wrong=wrong, missing=missing)


def answers_phase(record: Record) -> str:
    """The phase's own name: these records hold one phase."""
    return record.events[-1].phase.split("/")[1]


@exercise.check(
    "no-request-failed",
    phases=UNINTERRUPTED,
    title="No visitor is turned away",
    expected="not one request fails, through any node",
    hint="Which node, and when? Requests that fail while the old task stops: `order`, `replicas`.",
    needs=MESH,
)
def no_request_failed(record: Record) -> Judgement:
    """The lab's "sans interruption", counted."""
    asked, errors = readings.requests(record), readings.request_errors(record)
    told = f"{len(errors)} of {len(asked)} requests failed"
    wrong = [str(errors[0].error or errors[0].status)] if errors else []
    return judged(told, wrong=wrong, missing=_unseen(record))


def _unseen(record: Record) -> list[str]:
    """Where, from before the change until the old one had stopped, nobody came; after it, too."""
    span, settled = _span(record), record.last("settled")
    if span is None or settled is None:
        return ["it did not come to an end"]
    asked, nodes = readings.requests(record), members_of(record)
    missing = _uncovered(record, Window(span[0], settled.t))
    missing += not_each(
        {r.node for r in asked if r.over < span[0]}, nodes, "came before it through"
    )
    missing += not_each(
        {r.node for r in asked if r.sent > settled.t}, nodes, "came after it through"
    )
    missing += out_of_order(
        ("the command", span[0]),
        ("the end", span[1]),
        ("that the old one had stopped", settled.t),
    )
    if len(asked) < LEAST_REQUESTS:
        missing.append(f"only {len(asked)} requests were sent")
    return missing


def _uncovered(record: Record, window: Window) -> list[str]:
    """Through which member of the swarm nobody came within the window, for how long."""
    asked, nodes = readings.requests(record), members_of(record)
    return not_asked(asked, through=nodes, window=window, pause=PAUSE_S)


@exercise.check(
    "interruption-seen",
    phases=("one-stop-first",),
    title="One replica, stopped first, turns visitors away, and the probe sees it",
    expected="requests fail between the command and the update's end",
    hint="If none failed here, that none failed elsewhere proves nothing: is the probe asking?",
    needs=MESH,
)
def interruption_seen(record: Record) -> Judgement:
    """The contrast: what two replicas, or `start-first`, are for."""
    span, answers, nodes = _span(record), readings.answered(record), members_of(record)
    if span is None or not answers:
        return unknown("it did not come to an end, or nobody was answered")
    asked, errors = readings.requests(record), readings.request_errors(record)
    within = [r for r in errors if r.over >= span[0] and r.sent <= span[1]]
    gap = readings.longest_gap_s(record)
    told = f"{len(within)} of {len(asked)} requests failed; longest gap {gap} s"
    # Later than that they may fail until every node knows of the next one; sooner they may not.
    early = sum(r.over < span[0] for r in errors)
    missing = [f"{early} requests failed before it began"] if early else []
    before, after = ({r.node for r in answers if r.over < span[0]},
                     {r.node for r in answers if r.sent > span[1]})  # fmt: skip
    missing += not_each(before, nodes, "was answered, before it, through")
    missing += not_each(after, nodes, "was answered, after it, through")
    missing += _uncovered(record, Window(*span))
    return judged(told, holds=bool(within), missing=missing)


@exercise.check(
    "taken-back",
    phases=BAD,
    title="The update takes itself back",
    expected="state rollback_completed, because a task failed",
    hint="`docker service inspect --pretty`: is `--update-failure-action rollback` set?",
)
def taken_back(record: Record) -> Judgement:
    """Nobody has to be awake."""
    over = record.need("over", "the update did not come to an end")
    task = record.need("failed", "no task was seen to fail").data
    told = f"{over.data['state']}: {over.data['said']}; a task: exit code {task['exit_code']}"
    began = record.need("begun", "it was not noted when it began").t
    good = over.data["state"] == "rollback_completed" and task["exit_code"] != 0
    order = out_of_order(("the command", began), ("the end", over.t))
    return judged(told, holds=good, missing=order)


@exercise.check(
    "nginx-says-why",
    phases=BAD,
    title="The failed task's log says what is wrong with the file",
    expected=f"exit code 1 and {SYNTAX!r}",
    hint="`docker service ps proxy_nginx` and `docker logs` on that task's node.",
)
def nginx_says_why(record: Record) -> Judgement:
    """Before it is deployed `nginx -t` would have said the same."""
    return _failed_with(record, SYNTAX)


@exercise.check(
    "never-served",
    phases=BAD,
    title="Version 3 answers nobody, version 1 goes on",
    expected="every answer is version 1's",
    hint="Which node gave the other one?",
    needs=MESH,
)
def never_served(record: Record) -> Judgement:
    """A replica with the old configuration stays all the time."""
    answers = readings.answered(record)
    if not answers:
        return unknown("nobody was answered")
    seen = {r.header for r in answers}
    told = f"{len(answers)} answers, by {_listed(seen)}"
    return judged(told, holds=seen == {"v1"}, missing=_unseen(record))


def _failed_with(record: Record, words: str) -> Judgement:
    seen = record.need("failed", "no task was seen to fail")
    code, said = seen.data["exit_code"], str(seen.data["said"])
    line = next((line for line in said.splitlines() if words in line), None)
    told = f"exit code {code}; {line or 'its log does not say so'}"
    return passed(told) if code == 1 and line else failed(told)


def _echoed(
    record: Record,
    config: str,
    words: str,
    after: Sequence[Moment],
    *,
    also: str = "",
    holds: bool = True,
) -> Judgement:
    """Whether the backend was told host and address, and answers with these words, by each node."""
    seen = [e for e in record.of("echo", config=config) if e.data.get("node")]
    wrong = [
        f"{e.data['node']}: {e.data['error'] or e.data['said']}"
        for e in seen
        if not (told := ECHO.fullmatch(str(e.data["said"])))
        or words not in told[0]
        or told["host"] != e.data["node"]
    ]
    nodes = {str(e.data["node"]) for e in seen}
    missing = not_each(nodes, members_of(record), "asked the proxy through")
    first = ("the questions to the proxy", min((e.t for e in seen), default=None))
    missing += out_of_order(*after, first)
    said = str(seen[0].data["said"]).strip() if seen else "nothing"
    told_of = f"{len(nodes)} nodes; {said}"
    return judged(
        f"{also}; {told_of}" if also else told_of, holds=holds, wrong=wrong, missing=missing
    )


def _span(record: Record) -> tuple[float, float] | None:
    """When the change began and when it was over."""
    began, over = record.last("begun"), record.last("over")
    return (began.t, over.t) if began and over else None


def _versions_told(record: Record, old: str, new: str) -> str:
    seconds = _switched(record, old, new)
    return (
        f"first answer of {new} after {seconds['first_new_s']} s,"
        f" last of {old} after {seconds['last_old_s']} s"
    )


def _switched(record: Record, old: str, new: str) -> dict[str, float | None]:
    """Seconds from the command to the first answer of the new and the last of the old version."""
    began, answers = record.last("begun"), readings.answered(record)
    first = min((r.over for r in answers if r.header == new), default=None)
    last = max((r.over for r in answers if r.header == old), default=None)
    since = None if began is None else began.t
    return {"first_new_s": _since(since, first), "last_old_s": _since(since, last)}


def _since(began: float | None, t: float | None) -> float | None:
    return None if began is None or t is None else round(t - began, 2)


def _listed(values: set[str | None]) -> str:
    return ", ".join(sorted(str(value) for value in values))


@exercise.measure(phases=UNDER_LOAD)
def visitors(record: Record) -> Mapping[str, float | int | None]:
    """What visitors missed, and how long it took."""
    span = _span(record)
    return {
        "update_s": None if span is None else round(span[1] - span[0], 2),
        "probes": len(readings.requests(record)),
        "probe_errors": len(readings.request_errors(record)),
        "longest_gap_s": readings.longest_gap_s(record),
    }


@exercise.measure(phases=tuple(SWITCHES))
def switched(record: Record) -> Mapping[str, float | None]:
    """When the new version was first seen from outside, and when the old one last."""
    if not readings.requests(record):
        return {"first_new_s": None, "last_old_s": None}
    return _switched(record, *SWITCHES[answers_phase(record)])


exercise.compare(
    phases=("switch", "one-stop-first", "one-start-first"),
    measures={
        "probe_errors": "requests that failed",
        "longest_gap_s": "longest time without an answer (s)",
        "update_s": "update (s)",
    },
)


# -- versions ----------------------------------------------------------------------------------


@exercise.check(
    "same-content-same-everything",
    phases=VERSIONING,
    title="Deploying the same content again changes nothing",
    expected="the same config name and the same task",
    hint="Is something else in the name than the content: a date, a number?",
)
def same_content(record: Record) -> Judgement:
    """So it may be deployed as often as one likes."""
    steps = _steps(record, "first", "first-again")
    first, again = steps["first"], steps["first-again"]
    told = f"{again['current']}, task {again['task'][:8]}; before {first['task'][:8]}"
    same = all(first[key] == again[key] for key in ("current", "task", "listed"))
    return passed(told) if same else failed(told)


@exercise.check(
    "new-content-new-task",
    phases=VERSIONING,
    title="Another content has another name, and only that replaces the task",
    expected="another name, another task, and the container answers with the new version",
    hint="`docker config ls`: is the new version there? `docker service ps proxy_nginx`.",
)
def new_content(record: Record) -> Judgement:
    """The name is the version."""
    wanted = {"first": "v1", "second": "v2", "third": "v3"}
    steps = _steps(record, *wanted)
    seen = [steps[step] for step in wanted]
    told = "; ".join(f"{data['current']} serves {data['served']}" for data in seen)
    served = [data["served"] for data in seen] == list(wanted.values())
    deployed = all(data["current"] == data["deployed"] for data in seen)
    distinct = all(len({data[key] for data in seen}) == 3 for key in ("current", "task"))
    return passed(told) if served and deployed and distinct else failed(told)


@exercise.check(
    "prune",
    phases=VERSIONING,
    title="The clean-up takes what nothing needs, and leaves the way back",
    expected="the first of three versions goes; the current one and the one before it stay",
    hint="`docker service inspect`: Spec and PreviousSpec name what must stay.",
)
def prune(record: Record) -> Judgement:
    """Three were made; one is in use and one would be, after a rollback."""
    steps = _steps(record, "first", "second", "third", "pruned")
    first, second, third = (steps[step]["current"] for step in ("first", "second", "third"))
    removed, listed = steps["pruned"]["removed"], steps["pruned"]["listed"]
    told = f"removed {', '.join(removed) or 'none'}; left {', '.join(listed) or 'none'}"
    good = removed == [first] and sorted(listed) == sorted([second, third])
    return passed(told) if good else failed(told)


@exercise.check(
    "in-use-is-safe",
    phases=VERSIONING,
    title="The engine itself protects the version in use",
    expected="`docker config rm` is refused, naming the service",
    hint="`docker service inspect`: is it really the current one?",
)
def in_use_is_safe(record: Record) -> Judgement:
    """Whatever a clean-up gets wrong."""
    seen = record.need("answer", "nobody tried to remove it", asked="current")
    said = str(seen.data["said"])
    deployed = record.need("version", "no third version was deployed", step="third")
    if missing := out_of_order(("its deployment", deployed.t), ("its removal", seen.t)):
        return unknown("; ".join(missing))
    name = deployed.data["current"]
    words = f"{INVALID}config '{name}' is in use by the following service: proxy_nginx"
    refused = seen.data["code"] != 0 and said == words
    return passed(said) if refused else failed(said or "it was removed")


@exercise.check(
    "way-back",
    phases=VERSIONING,
    title="After the clean-up a rollback still works",
    expected="the second version is in force again and answers",
    hint="`docker service ps proxy_nginx`: does a task say that its config is missing?",
)
def way_back(record: Record) -> Judgement:
    """What a clean-up by the engine's word alone would have taken."""
    steps = _steps(record, "second", "third", "pruned", "rolled-back")
    back = steps["rolled-back"]
    told = f"{back['current']} serves {back['served']}"
    good = back["current"] == steps["second"]["current"] and back["served"] == "v2"
    if steps["third"]["current"] == steps["second"]["current"]:
        return unknown(f"{told}; it was in force before")
    return passed(told) if good else failed(told)


@exercise.check(
    "unsafe-by-hand",
    phases=VERSIONING,
    title="The version before is not protected, and its removal is only noticed by a rollback",
    expected="`docker config rm` removes it; the rollback is accepted and its task fails",
    hint="Keep what a rollback needs: `configs.prune` does, or deploy the old file again.",
)
def unsafe_by_hand(record: Record) -> Judgement:
    """Why a clean-up may not go by what the engine refuses."""
    removal, lost = record.last("answer", asked="previous"), record.last("lost")
    if removal is None or lost is None:
        return unknown("it was not removed, or not rolled back to")
    error = str(lost.data["error"])
    back = record.last("version", step="rolled-back")
    order = out_of_order(
        ("the version in force", back.t if back else None),
        ("the removal of the one before", removal.t),
        ("the rollback's failure", lost.t),
    )
    gone = removal.data["code"] == 0 and error.startswith(LOST) and error.endswith("not found")
    return judged(error or str(removal.data["said"]), holds=gone, missing=order)


@exercise.check(
    "redeployed-loses-the-way-back",
    phases=VERSIONING,
    title="Deploying the same file twice forgets the version before",
    expected="after it the service's previous definition is its current one",
    hint="`docker service inspect`: PreviousSpec. Go back by deploying the old file instead.",
)
def redeployed(record: Record) -> Judgement:
    """A rollback then has nowhere to go: an old content has to be deployed again."""
    steps = _steps(record, "first", "first-again")
    first, again = steps["first"], steps["first-again"]
    told = f"current {again['current']}, previous {again['previous']}"
    if first["previous"] == first["current"]:
        return unknown(f"{told}; it had no other version before either")
    return passed(told) if again["current"] == again["previous"] else failed(told)


def _steps(record: Record, *wanted: str) -> dict[str, Mapping[str, Any]]:
    """What was noted in these steps. Raises Unseen unless each came, and after the one before."""
    seen = {step: record.last("version", step=step) for step in wanted}
    moments = [(f"the step {step!r}", e.t if e else None) for step, e in seen.items()]
    if missing := out_of_order(*moments):
        raise Unseen("; ".join(missing))
    return {step: event.data for step, event in seen.items() if event}


# -- environments ------------------------------------------------------------------------------

NO_ENVIRONMENT = (
    'invalid interpolation format for configs.app_config.name: "required variable APP_CONFIG is'
    ' missing a value: say which configuration"; you may need to escape any $ with another $'
)


@exercise.check(
    "each-its-own",
    phases=ENVIRONMENTS,
    title="Each environment answers with its own configuration, through every node",
    expected="every answer is the content of that environment's file, and of no other's",
    hint="`docker service inspect`: which config does the stack's service name?",
    needs=MESH,
)
def each_its_own(record: Record) -> Judgement:
    """The same image and the same file, and no mixing."""
    given = {e.data["environment"]: e.data["settings"] for e in record.of("given")}
    seen = [e.data for e in record.of("settings")]
    if len(given) < 2:
        return unknown("it was not noted what both environments were given")
    if given["dev"] == given["prod"]:
        return unknown("both environments were given the same")
    wrong = [
        f"{data['environment']} through {data['node']}: {data['error'] or data['found']}"
        for data in seen
        if data["found"] != given[data["environment"]]
    ]
    told = ", ".join(
        f"{name} {sum(data['environment'] == name for data in seen)} times" for name in given
    )
    missing = [
        f"{name}: {lack}"
        for name in given
        for lack in not_each(
            (data["node"] for data in seen if data["environment"] == name),
            members_of(record),
            "asked through",
        )
    ]
    return judged(told, wrong=wrong, missing=missing)


@exercise.check(
    "no-environment-no-stack",
    phases=ENVIRONMENTS,
    title="Without an environment nothing is deployed",
    expected="the client refuses and names the missing variable; no service is made",
    hint="`${APP_CONFIG:?…}` in the stack file makes it so.",
)
def no_environment(record: Record) -> Judgement:
    """Better than a production that starts with nothing."""
    seen = record.need("answer", "it was not tried", asked="no-environment")
    said = str(seen.data["said"])
    told = f"{said}; {seen.data['made']} services"
    refused = seen.data["code"] != 0 and said == NO_ENVIRONMENT and seen.data["made"] == 0
    return passed(told) if refused else failed(told)
