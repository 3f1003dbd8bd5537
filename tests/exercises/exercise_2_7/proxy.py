"""The proxy whose config is replaced under load, forward, back, and by one that nginx refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pytest_swarmlab import failed, not_provable, passed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import each, last, need
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
from pytest_swarmlab.model import Judgement

from .. import whose
from .declared import BAD, DAEMON, MESH, NO_BACKEND, exercise
from .events import Answer, Begun, Echo, Failed, Over, Settled

SWITCHES = {
    "switch": ("v1", "v2"),
    "rollback": ("v2", "v1"),
    "one-stop-first": ("v1", "v2"),
    "one-start-first": ("v2", "v1"),
}
"""Phase → the version that answers at its beginning, and the one that does at its end."""
MARK, THEIR_VERSION = "X-Swarmlab-Config", "marked"
"""Somebody's own proxy is given its own configuration with this header, which it has not before."""
UNINTERRUPTED = ("switch", "rollback", "bad-config", "one-start-first")
UNDER_LOAD = (*SWITCHES, "bad-config")
LEAST_REQUESTS = 50
"""Least number of requests, those of two and a half seconds; fewer prove nothing."""
PAUSE_S = 1.0
"""Longest pause through one node, which is asked every 250 ms."""
ECHO = re.compile(r"host=(?P<host>\S+) real_ip=[\d.]+ protocol=HTTP/\S+\n")
NO_UPSTREAM = 'host not found in upstream "backend"'
SYNTAX = 'invalid number of arguments in "proxy_pass" directive'


@exercise.check(
    "nginx-refuses",
    phases=NO_BACKEND,
    title="The lab's proxy does not start, since no service has the name backend",
    expected=f"the task fails with exit code 1, its log says {NO_UPSTREAM!r}",
    hint="`docker service logs proxy_nginx`: nginx looks names up when it starts.",
)
def nginx_refuses(record: Record) -> Judgement:
    """An erratum, pinned."""
    return _failed_with(record, NO_UPSTREAM)


@exercise.check(
    "name-in-a-stack",
    phases=NO_BACKEND,
    title="The lab's `docker service update … nginx` finds no service",
    expected="the client says that there is no service nginx",
    hint="A stack's service has the name <stack>_<service>: `docker service ls`.",
)
def name_in_a_stack(record: Record) -> Judgement:
    """An erratum, pinned."""
    seen = need(record, Answer, "it was not tried", asked="lab-name")
    said = seen.said
    wrong = seen.code not in (0, None) and said == f"{DAEMON}service nginx not found"
    return passed(said) if wrong else failed(said or "it was accepted")


@exercise.check(
    "healed",
    phases=NO_BACKEND,
    title="With a backend both replicas run and forward its answers",
    expected="2 tasks run; the backend gets the host and the visitor's address",
    hint="`docker service ps proxy_nginx`, then curl from within one of the containers.",
    needs=MESH,
)
def healed(record: Record) -> Judgement:
    """The same configuration: only the backend was missing."""
    samples = readings.task_lists(record)
    if not samples:
        return unknown("nobody listed the tasks")
    running = sum(task.running for task in samples[-1].tasks)
    failure = need(record, Failed, "no task was seen to fail without a backend")
    order = [("its failure without a backend", failure.t), ("the list", samples[-1].asked)]
    return _echoed(
        record, "nginx_config", "", order, also=f"{running} tasks run", holds=running == 2
    )


@exercise.check(
    "new-options-used",
    phases=("switch",),
    title="Version 2 sends HTTP/1.1 to the backend, by its new options",
    expected="the backend gets protocol=HTTP/1.1, through every node",
    hint="`docker exec <container> cat /etc/nginx/conf.d/default.conf`.",
    needs=MESH,
)
def new_options_used(record: Record) -> Judgement:
    """Not only the header is new: the lab's own options are in force."""
    if whose.is_somebodys(record, "proxy"):
        return not_provable(
            "somebody's own proxy is given its own configuration with a mark: no option of it is"
            " new, and no backend of theirs need say how it was asked"
        )
    over = need(record, Over, "the update did not end")
    order = [("the end of the update", over.t)]
    return _echoed(record, "nginx_config_v2", "protocol=HTTP/1.1", order)


@exercise.check(
    "old-then-new",
    phases=tuple(SWITCHES),
    title="Visitors get the old version before the change, and the new one after",
    expected="only old answers before the command, only new ones after the last old task has ended",
    hint="`docker service ps`: which container still has the old config?",
    needs=MESH,
)
def old_then_new(record: Record) -> Judgement:
    """Seen from outside, request by request, through every node."""
    span, answers, nodes = _span(record), readings.answered(record), members_of(record)
    if span is None or not answers:
        return unknown("the update did not end, or no request was answered")
    settled = need(record, Settled, "the old tasks' end was not awaited")
    old, new = _versions(record)
    meant: tuple[set[str | None], ...] = ({old}, {new}, {old, new})
    before = [r for r in answers if r.over < span[0]]
    after = [r for r in answers if r.sent > settled.t]
    shown = [{r.header for r in part} for part in (before, after, answers)]
    wrong = [
        f"{when}: {_listed(seen)}"
        for when, seen, wanted in zip(("before", "after", "all along"), shown, meant, strict=True)
        if not seen <= wanted
    ]
    missing = not_each({r.node for r in before}, nodes, "was answered, before it, through")
    missing += not_each({r.node for r in after}, nodes, "was answered, after it, through")
    missing += _uncovered(record, Window(span[0], settled.t))
    missing += out_of_order(
        ("the command", span[0]),
        ("the end", span[1]),
        ("the old tasks' end", settled.t),
    )
    return judged(_versions_told(record, old, new), wrong=wrong, missing=missing)


def _versions(record: Record) -> tuple[str | None, str]:
    """The versions in the first and in the last answers."""
    if whose.is_somebodys(record, "proxy"):
        return None, THEIR_VERSION
    return SWITCHES[answers_phase(record)]


def answers_phase(record: Record) -> str:
    """The phase's own name: these records hold one phase."""
    return record.events[-1].phase.split("/")[1]


@exercise.check(
    "no-request-failed",
    phases=UNINTERRUPTED,
    title="No request fails during the change",
    expected="no failed request through any node",
    hint="Which node, and when? Requests that fail while the old task stops: `order`, `replicas`.",
    needs=MESH,
    # A request has so many seconds, and a machine without idle time takes them.
    timed=True,
)
def no_request_failed(record: Record) -> Judgement:
    """The lab's "sans interruption", counted."""
    asked, errors = readings.requests(record), readings.request_errors(record)
    told = f"{len(errors)} of {len(asked)} requests failed"
    wrong = [str(errors[0].error or errors[0].status)] if errors else []
    return judged(told, wrong=wrong, missing=_unseen(record))


def _unseen(record: Record) -> list[str]:
    """Gaps of requests from before the change until after the old tasks had stopped."""
    span, settled = _span(record), last(record, Settled)
    if span is None or settled is None:
        return ["the update did not end"]
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
        ("the old tasks' end", settled.t),
    )
    if len(asked) < LEAST_REQUESTS:
        missing.append(f"only {len(asked)} requests were sent")
    return missing


def _uncovered(record: Record, window: Window) -> list[str]:
    """Members of the swarm without a request within the window, and how long."""
    asked, nodes = readings.requests(record), members_of(record)
    return not_asked(asked, through=nodes, window=window, pause=PAUSE_S)


@exercise.check(
    "interruption-seen",
    phases=("one-stop-first",),
    title="With one replica and stop-first requests fail, and the probe records them",
    expected="requests fail between the command and the update's end",
    hint="If no request fails here, the probe can't find failures elsewhere: does it send"
    " requests?",
    needs=MESH,
)
def interruption_seen(record: Record) -> Judgement:
    """The contrast: what two replicas, or `start-first`, are for."""
    span, answers, nodes = _span(record), readings.answered(record), members_of(record)
    if span is None or not answers:
        return unknown("the update did not end, or no request was answered")
    asked, errors = readings.requests(record), readings.request_errors(record)
    within = [r for r in errors if r.over >= span[0] and r.sent <= span[1]]
    gap = readings.longest_gap_s(record)
    told = f"{len(within)} of {len(asked)} requests failed; longest gap {gap} s"
    # Later than that they may fail until every node knows of the next one; sooner they may not.
    early = sum(r.over < span[0] for r in errors)
    missing = [f"{early} requests failed before the update began"] if early else []
    before, after = ({r.node for r in answers if r.over < span[0]},
                     {r.node for r in answers if r.sent > span[1]})  # fmt: skip
    missing += not_each(before, nodes, "was answered, before it, through")
    missing += not_each(after, nodes, "was answered, after it, through")
    missing += _uncovered(record, Window(*span))
    return judged(told, holds=bool(within), missing=missing)


@exercise.check(
    "taken-back",
    phases=BAD,
    title="The update rolls back by itself",
    expected="state rollback_completed, because a task failed",
    hint="`docker service inspect --pretty`: is `--update-failure-action rollback` set?",
)
def taken_back(record: Record) -> Judgement:
    """The rollback needs no person."""
    over = need(record, Over, "the update did not end")
    task = need(record, Failed, "no task was seen to fail")
    told = f"{over.state}: {over.said}; a task: exit code {task.exit_code}"
    began = need(record, Begun, "the change's beginning was not recorded").t
    good = over.state == "rollback_completed" and task.exit_code not in (0, None)
    order = out_of_order(("the command", began), ("the end", over.t))
    return judged(told, holds=good, missing=order)


@exercise.check(
    "nginx-says-why",
    phases=BAD,
    title="The failed task's log names the error in the file",
    expected=f"exit code 1 and {SYNTAX!r}",
    hint="`docker service ps proxy_nginx` and `docker logs` on that task's node.",
)
def nginx_says_why(record: Record) -> Judgement:
    """Before it is deployed `nginx -t` would have said the same."""
    return _failed_with(record, SYNTAX)


@exercise.check(
    "never-served",
    phases=BAD,
    title="Version 3 answers no request, version 1 keeps answering",
    expected="every answer is from version 1",
    hint="Which node gave another answer?",
    needs=MESH,
)
def never_served(record: Record) -> Judgement:
    """A replica with the old configuration stays all the time."""
    answers = readings.answered(record)
    if not answers:
        return unknown("no request was answered")
    seen = {r.header for r in answers}
    told = f"{len(answers)} answers, by {_listed(seen)}"
    return judged(told, holds=seen == {"v1"}, missing=_unseen(record))


def _failed_with(record: Record, words: str) -> Judgement:
    seen = need(record, Failed, "no task was seen to fail")
    code = seen.exit_code
    line = next((line for line in seen.said.splitlines() if words in line), None)
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
    seen = [e for e in each(record, Echo, config=config) if e.node]
    wrong = [
        f"{e.node}: {e.error or e.said}"
        for e in seen
        if not (told := ECHO.fullmatch(str(e.said)))
        or words not in told[0]
        or told["host"] != e.node
    ]
    nodes = {e.node for e in seen}
    missing = not_each(nodes, members_of(record), "asked the proxy through")
    first = ("the questions to the proxy", min((e.t for e in seen), default=None))
    missing += out_of_order(*after, first)
    said = str(seen[0].said).strip() if seen else "nothing"
    told_of = f"{len(nodes)} nodes; {said}"
    return judged(
        f"{also}; {told_of}" if also else told_of, holds=holds, wrong=wrong, missing=missing
    )


def _span(record: Record) -> tuple[float, float] | None:
    """When the change began and when it was over."""
    began, over = last(record, Begun), last(record, Over)
    return (began.t, over.t) if began and over else None


def _versions_told(record: Record, old: str | None, new: str) -> str:
    seconds = _switched(record, old, new)
    return (
        f"first answer of {new} after {seconds['first_new_s']} s,"
        f" last of {old or 'theirs'} after {seconds['last_old_s']} s"
    )


def _switched(record: Record, old: str | None, new: str) -> dict[str, float | None]:
    """Seconds from the command to the first answer of the new and the last of the old version."""
    began, answers = last(record, Begun), readings.answered(record)
    first_new = min((r.over for r in answers if r.header == new), default=None)
    last_old = max((r.over for r in answers if r.header == old), default=None)
    since = None if began is None else began.t
    return {"first_new_s": _since(since, first_new), "last_old_s": _since(since, last_old)}


def _since(began: float | None, t: float | None) -> float | None:
    return None if began is None or t is None else round(t - began, 2)


def _listed(values: set[str | None]) -> str:
    return ", ".join(sorted(str(value) for value in values))


@exercise.measure(phases=UNDER_LOAD)
def visitors(record: Record) -> Mapping[str, float | int | None]:
    """Failed requests, and the duration."""
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
    return _switched(record, *_versions(record))


exercise.compare(
    phases=("switch", "one-stop-first", "one-start-first"),
    measures={
        "probe_errors": "requests that failed",
        "longest_gap_s": "longest time without an answer (s)",
        "update_s": "update (s)",
    },
)
