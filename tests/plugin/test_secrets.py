"""Canaries: secrets that a run has seen are in nothing that it wrote or printed."""

from __future__ import annotations

import base64
import html
import json
import shlex
from urllib.parse import quote

import pytest

CANARY = "canary-" + "7f3a9c1e" * 4
ODD = """it's a "canary" & 100% $odd \\ <one>"""

SUITE = '''
import base64
import json
import logging
import shlex
import sys
import warnings
from urllib.parse import quote

import pytest
from docker.errors import APIError

from pytest_swarmlab.errors import CommandError

CANARY = "canary-" + "7f3a9c1e" * 4
ODD = """it's a "canary" & 100% $odd \\\\ <one>"""
FORMS = [
    CANARY, ODD, quote(ODD), json.dumps(ODD), repr(ODD), shlex.join(["x", f"--p={ODD}"]),
    base64.b64encode(f"root:{ODD}".encode()).decode(), base64.b64encode(CANARY.encode()).decode(),
    CANARY.encode().hex(),
]


@pytest.fixture(autouse=True)
def known(swarmlab_run):
    for name, value in (("db_password", CANARY), ("odd", ODD)):
        swarmlab_run.recorder.redactor.hide(name, value)
    return swarmlab_run.recorder


def test_it(known):
    known.record(
        "command", node="worker1", argv=["mysql", f"--password={CANARY}"], code=1, seconds=0.1,
        stdout=f"Env: {CANARY}", stderr=f"denied: {CANARY}", title=f"A screenshot with {CANARY}",
    )
    known.record("notice", message=f"it is {CANARY}")
    print("to standard output", CANARY)
    print("to standard error", CANARY, file=sys.stderr)
    logging.getLogger("lab").warning("to the log: %s", CANARY)
    said = f"the password is {CANARY}"
    assert said == "nothing"


def test_every_form(known, record_property):
    for form in FORMS:
        print(form)
        logging.getLogger("lab").warning("%s", form)
        warnings.warn(form)
        record_property("form", form)
        known.record("notice", message=form)
    pytest.fail(" ".join(FORMS))


def test_locals_and_differences(known):
    """Values that pytest cuts: what is alike at the beginning is skipped, what is long is cut."""
    long = CANARY * 20
    table = {"password": CANARY, "other": [ODD, {"deep": (CANARY, ODD)}]}
    cut = CANARY[:19]
    assert f"{'x' * 60}{CANARY}" == f"{'x' * 60}{CANARY[:-1]}?"


def test_two_events(known):
    """Half of it stands in one, half in the other."""
    known.record("notice", message=f"first {CANARY[:20]}")
    known.record("notice", message=f"{CANARY[20:]} second")


def test_the_engine_s_words(known):
    raise APIError("500", explanation=f"bad value {ODD}: {CANARY}")


def test_a_command_s_words(known):
    raise CommandError("worker1", ["mysql", f"--password={ODD}"], 1, "", f"{CANARY} {'x' * 790}")


@pytest.mark.parametrize("password", [CANARY])
def test_an_id(known, password):
    assert password == "nothing"


@pytest.mark.xfail(reason=f"a reason that holds {CANARY}", strict=False)
def test_expected(known):
    assert CANARY == "nothing"


def test_skipped(known):
    pytest.skip(f"skipped for {CANARY}")
'''

OPTIONS = ("--swarmlab-cache=cache", "-rA", "-vv", "--showlocals", "-o", "log_cli=true",
           "--log-file=lab.log", "-p", "no:cacheprovider", "-W", "default")  # fmt: skip

FORMS = {
    CANARY,
    ODD,
    quote(ODD),
    quote(ODD, safe=""),
    json.dumps(ODD)[1:-1],
    repr(ODD)[1:-1],
    shlex.quote(ODD)[1:-1],
    html.escape(ODD),
    html.escape(json.dumps(ODD)[1:-1]),
    base64.b64encode(CANARY.encode()).decode(),
    base64.b64encode(b"root:" + ODD.encode()).decode()[8:-4],
    CANARY.encode().hex(),
}
PIECES = {CANARY[at : at + 12] for at in range(len(CANARY) - 11)} - {"canary-7f3a9"}


@pytest.fixture
def result(pytester: pytest.Pytester) -> pytest.RunResult:
    """A run in which secrets turn up everywhere, and whose tests fail on them."""
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess(*OPTIONS)
    result.assert_outcomes(failed=6, passed=1, xfailed=1, skipped=1, warnings=None)
    return result


def test_no_file_of_a_run_holds_a_canary(
    pytester: pytest.Pytester, result: pytest.RunResult
) -> None:
    del result
    files = [file for file in (pytester.path / "reports").rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {"report.html", "junit.xml", "events.jsonl"}
    for file in (*files, pytester.path / "lab.log"):
        text = file.read_text(encoding="utf-8")
        assert sorted(form for form in FORMS | PIECES if form in text) == [], file.name
    page = (pytester.path / "reports" / "latest" / "report.html").read_text(encoding="utf-8")
    assert "‹secret db_password›" in page


def test_nothing_that_was_printed_holds_a_canary(result: pytest.RunResult) -> None:
    # Ids are printed before anybody knows of a secret.
    said = result.stdout.str() + result.stderr.str()
    said = said.replace(f"test_an_id[{CANARY}]", "").replace(f"_ test_an_id[{CANARY}] _", "")
    assert sorted(form for form in FORMS | PIECES if form in said) == []
    # The message of the assertion is told all the same.
    assert "the password is ‹secret db_password›" in said
    assert "the id of " in said
    assert "holds a secret, which pytest shows: give that parameter an id=" in said
