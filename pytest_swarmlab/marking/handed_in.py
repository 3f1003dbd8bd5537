"""Judges whether each deliverable exists and has more content than the skeleton.

The teacher judges whether a text is good. A file that can't be read here (a PDF, a text in another
encoding) is `unknown`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from pytest_swarmlab.errors import Unusable
from pytest_swarmlab.marking import bounded_yaml, skeleton, stack_names
from pytest_swarmlab.marking.asked import Deliverable, deliverables
from pytest_swarmlab.marking.rubric import IN_TIME
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.model import CheckResult, Judgement, Verdict
from pytest_swarmlab.text import line

TEXTS = (".md", ".txt", ".rst", ".html", ".adoc")
UNREAD = (".pdf", ".odt", ".docx")
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")

MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")
"""First bytes of PNG, JPEG, GIF and WebP."""

LEAST_PICTURE = 1024
"""Bytes; the smallest screenshot of a terminal has ten times more."""

LEAST_LINES = 4
"""Lines of `docker node ls` with its heading and three managers; also of a script, without comments
and the skeleton's lines."""

WORD = re.compile(r"\w[\w'’-]*")


def judge(submission: Submission) -> list[CheckResult]:
    """A result for each deliverable."""
    return [_result(each, _judge(each, submission)) for each in deliverables()]


def in_time(deadline: datetime, handed_in: datetime | None) -> CheckResult:
    """Whether the submission was in time; `handed_in`: the time that the teacher gives, or None.

    Times of files don't count: a student can set them, and a copy changes them.
    """
    if handed_in is None:
        verdict, observed = Verdict.UNKNOWN, "no time of submission was given (--handed-in)"
    else:
        verdict = Verdict.PASS if handed_in <= deadline else Verdict.FAIL
        observed = f"handed in {_moment(handed_in)}"
    return CheckResult(
        IN_TIME,
        "Handed in in time",
        verdict,
        f"by {_moment(deadline)}",
        observed,
        "Ask your teacher for more time before the deadline.",
    )


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _result(asked: Deliverable, judgement: Judgement) -> CheckResult:
    return CheckResult(
        asked.check,
        asked.text,
        judgement.verdict,
        _expected(asked),
        judgement.observed,
        f"Exercise {asked.exercise} asks for it: {asked.text}.",
        f"{shown_place(asked)} of the submission",
    )


def shown_place(asked: Deliverable) -> str:
    """The path of a deliverable, for people."""
    return asked.place if asked.kind in ("stack", "script") else f"{asked.place}.*"


def _expected(asked: Deliverable) -> str:
    return {
        "picture": f"a picture ({', '.join(PICTURES)}), or the command's output as text",
        "document": f"a text of {asked.words} words besides the skeleton's",
        "stack": "a stack file whose services have images, with the files that it names",
        "script": f"a script with {LEAST_LINES} commands besides the skeleton's",
    }[asked.kind]


def _judge(asked: Deliverable, submission: Submission) -> Judgement:
    """The best of several files at its place counts: the skeleton's may still be beside it."""
    suffixes = {"picture": PICTURES + TEXTS, "document": TEXTS + UNREAD}.get(asked.kind, ("",))
    found = [_file(asked, submission, place) for place in submission.under(asked.place, suffixes)]
    for verdict in (Verdict.PASS, Verdict.UNKNOWN, Verdict.FAIL):
        for judgement in found:
            if judgement.verdict is verdict:
                return judgement
    return Judgement(Verdict.FAIL, f"{shown_place(asked)} does not exist")


def _file(asked: Deliverable, submission: Submission, place: str) -> Judgement:
    if place in submission.odd:
        return Judgement(Verdict.FAIL, f"{line(place)} is {submission.odd[place]}, not a file")
    if not submission.files[place]:
        return Judgement(Verdict.FAIL, f"{line(place)} is empty")
    look = {"picture": _picture, "document": _document, "stack": _stack, "script": _script}
    try:
        return look[asked.kind](asked, submission, place)
    except Unusable as error:
        return Judgement(Verdict.UNKNOWN, f"{error}; the teacher reads it")


def _picture(asked: Deliverable, submission: Submission, place: str) -> Judgement:
    if place.lower().endswith(TEXTS):
        own = _own_lines(asked, submission.text(place))
        if len(own) < LEAST_LINES:
            return Judgement(Verdict.FAIL, f"{place} has {len(own)} lines besides the skeleton's")
        return Judgement(Verdict.PASS, f"{place} has {len(own)} lines")
    if not submission.content(place, 16).startswith(MAGIC):
        return Judgement(Verdict.FAIL, f"the content of {place} is no picture")
    size = submission.files[place]
    verdict = Verdict.PASS if size >= LEAST_PICTURE else Verdict.FAIL
    return Judgement(verdict, f"{place} is a picture of {size} bytes")


def _document(asked: Deliverable, submission: Submission, place: str) -> Judgement:
    if place.lower().endswith(UNREAD):
        submission.content(place, 16)
        return Judgement(Verdict.UNKNOWN, f"{place} exists; only the teacher can read it")
    words = sum(len(WORD.findall(each)) for each in _own_lines(asked, submission.text(place)))
    verdict = Verdict.PASS if words >= asked.words else Verdict.FAIL
    return Judgement(verdict, f"{place} has {words} words besides the skeleton's")


def _stack(asked: Deliverable, submission: Submission, place: str) -> Judgement:
    del asked
    content = submission.content(place, bounded_yaml.MOST_BYTES + 1)
    table = bounded_yaml.load(content, place, texts=True)
    services = table.get("services")
    if not isinstance(services, dict) or not services:
        return Judgement(Verdict.FAIL, f"{place} has no services")
    # A merged table (<<) may have the image.
    bare = [
        name
        for name, service in services.items()
        if not isinstance(service, dict) or not ({"image", "<<"} & service.keys())
    ]
    if bare:
        return Judgement(Verdict.FAIL, f"{place}: {line(', '.join(map(str, bare)))} has no image")
    if lacks := stack_names.lacking(submission, place, table):
        return Judgement(Verdict.FAIL, "; ".join(lacks))
    return Judgement(Verdict.PASS, f"{place} has {len(services)} services")


def _script(asked: Deliverable, submission: Submission, place: str) -> Judgement:
    own = [each for each in _own_lines(asked, submission.text(place)) if not each.startswith("#")]
    verdict = Verdict.PASS if len(own) >= LEAST_LINES else Verdict.FAIL
    return Judgement(verdict, f"{place} has {len(own)} lines besides comments and the skeleton's")


def _own_lines(asked: Deliverable, text: str) -> list[str]:
    """The lines without blank ones and the skeleton's."""
    given = {each.strip() for each in skeleton.content(asked).splitlines()}
    return [each for line in text.splitlines() if (each := line.strip()) and each not in given]
