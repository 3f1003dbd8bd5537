"""Limits of configs, and what the engine refuses."""

from __future__ import annotations

import functools

from pytest_swarmlab import failed, not_provable, passed, unknown
from pytest_swarmlab.evidence.events import last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Judgement

from .declared import INVALID, REFUSALS, RPC, exercise
from .events import Answer, Engine
from .setting import SIZES

LATER_LIMIT = (20, 10, 15)
"""Since this engine a config may hold 1,023,999 bytes, before it 500 KiB."""


@exercise.check(
    "sizes",
    phases=REFUSALS,
    title="A config holds from 1 to 1,023,999 bytes",
    expected="0 and 1,024,000 bytes are refused, 1 and 1,023,999 are accepted",
    hint="The documentation says 500 kb, the limit before engine 20.10.15.",
)
def sizes(record: Record) -> Judgement:
    """The lab's question: how large may a config be?"""
    engine = last(record, Engine)
    answers = {size: last(record, Answer, asked=f"size-{size}") for size in SIZES}
    if engine is None or None in answers.values():
        return unknown("not every size was tried, or nobody asked which engine this is")
    version = engine.version
    if _version(version) < LATER_LIMIT:
        return not_provable(f"engine {version} still has the limit of 500 KiB")
    accepted = [size for size, answer in answers.items() if answer and answer.code == 0]
    told = f"engine {version} accepts {', '.join(f'{size:,}' for size in accepted) or 'none'}"
    return passed(told) if accepted == [1, 1_023_999] else failed(told)


def _version(text: str) -> tuple[int, ...]:
    digits = (part for part in text.split("-")[0].split("+")[0].split("."))
    return tuple(int(part) for part in digits if part.isdigit())


NOT_FOUND = "config not found: never_created"
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
        "A config of 1,024,000 bytes is refused",
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
        "A config's content can't be changed",
        ("rpc error: code = InvalidArgument desc = only updates to Labels are allowed",),
    ),
    "in-use-by-one": (
        "A config in use can't be removed, and the service is named",
        (f"{IN_USE} service: reader-two",),
    ),
    "in-use-by-two": (
        "If two services use a config, both are named",
        # In no particular order.
        (
            f"{IN_USE} services: reader-one, reader-two",
            f"{IN_USE} services: reader-two, reader-one",
        ),
    ),
    "same-target": (
        "Two configs with one target are refused",
        ("duplicate config target for reader_config_v2 not allowed",),
    ),
    "unknown": ("A service with a missing config is refused", (NOT_FOUND,)),
    "missing-config": (
        "A stack with a missing external config is refused",
        (f"service web: {NOT_FOUND}",),
    ),
    "undefined-config": (
        "A stack without a top-level entry for its config is refused",
        ('service web: undefined config "nginx_config"',),
    ),
}
"""Case → the check's title, and the message, word for word."""


def _declare_refusals() -> None:
    for asked, (title, words) in REFUSED.items():
        exercise.check(
            asked,
            phases=REFUSALS,
            title=title,
            expected=f"the message: {words[0]}",
            hint="Run the command by hand: does this engine use another message?",
        )(functools.partial(_refused, asked=asked, words=words))


def _refused(record: Record, asked: str, words: tuple[str, ...]) -> Judgement:
    seen = need(record, Answer, "it was not tried", asked=asked)
    # What goes before is the client's notice that it doesn't wait.
    said = seen.said.strip().rpartition("\n")[2]
    if seen.code in (0, 200, None):
        return failed("it was accepted")
    return passed(said) if said in words else failed(said or "nothing was said")


_declare_refusals()


@exercise.check(
    "longest-name",
    phases=REFUSALS,
    title="A config's name may have 64 characters",
    expected="it is accepted",
    hint="`docker config create`: which characters has the name?",
)
def longest_name(record: Record) -> Judgement:
    """One more is refused."""
    seen = need(record, Answer, "it was not tried", asked="name-64")
    return passed("accepted") if seen.code == 0 else failed(seen.said)
