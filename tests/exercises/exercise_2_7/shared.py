"""One config in two services."""

from __future__ import annotations

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence.events import each
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, not_each, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import SHARED, exercise
from .events import Given, Read
from .setting import READERS


@exercise.check(
    "both-read-it",
    phases=SHARED,
    title="Two services read one config",
    expected="the config's SHA-256 in a container of each",
    hint="`docker service inspect`: both references must name the same config.",
)
def both_read_it(record: Record) -> Judgement:
    """The lab's question: may a config be shared?"""
    given, read = _given(record), _reads(record, "shared")
    missing = not_each(given, ("reader_config",), "noted what is in")
    missing += not_each(read, READERS, "looked into")
    if missing:
        return unknown("; ".join(missing))
    wrong = [name for name, e in read.items() if e.found != given["reader_config"]]
    told = ", ".join(f"{name} on {e.node}" for name, e in read.items())
    return failed(f"another content: {', '.join(wrong)}") if wrong else passed(told)


@exercise.check(
    "other-left-alone",
    phases=SHARED,
    title="A new version for one service does not change the other",
    expected="the first reads version 2; the second reads version 1, in the same container as"
    " before",
    hint="`docker service ps reader-two`: no task may have been replaced.",
)
def other_left_alone(record: Record) -> Judgement:
    """A config is not changed: one service is pointed at another."""
    given, before, after = _given(record), _reads(record, "shared"), _reads(record, "one-updated")
    if len(given) < 2 or not {*READERS} <= before.keys() & after.keys():
        return unknown("not both were looked at before and after")
    versions = {digest: name for name, digest in given.items()}
    told = ", ".join(f"{n} reads {versions.get(str(e.found))}" for n, e in sorted(after.items()))
    stayed = before["reader-two"].container == after["reader-two"].container
    good = (
        after["reader-one"].found == given["reader_config_v2"]
        and after["reader-two"].found == given["reader_config"]
    )
    missing = out_of_order(
        ("the look before", max(e.t for e in before.values())),
        ("the look after", min(e.t for e in after.values())),
    )
    if any(e.found != given["reader_config"] for e in before.values()):
        missing.append("they did not both read version 1 before")
    wrong = [] if stayed else ["the other one is in another container"]
    return judged(told, holds=good, wrong=wrong, missing=missing)


def _given(record: Record) -> dict[str, str]:
    return {e.config: e.digest for e in each(record, Given) if e.config and e.digest}


def _reads(record: Record, step: str) -> dict[str, Read]:
    return {e.service: e for e in each(record, Read, step=step)}
