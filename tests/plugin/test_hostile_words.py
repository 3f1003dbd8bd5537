"""Whatever a failure, its output and its logs hold, every file of a run is whole and inert."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

SUITE = r"""
import logging
import sys

import pytest

EVIL = "<b id=evil>'\"&{{7*7}}[bold]\\"
WORDS = (
    EVIL, "\x1b[2J\x1b]0;title\x07", "\u202egnp.exe", "\x00", "\ud800", "\udfff\ud800", "\u2028",
    "\r\n", "]]>", "<![CDATA[", "-->", "&#0;", "\ufffe\uffff", "</script><script>alert(1)</script>",
    "x" * 300_000, "\u0301" * 50, "\N{GRINNING FACE}", "%s %n %(asctime)s {0}", "\x85\x9b31m",
)


@pytest.mark.parametrize("word", WORDS, ids=range(len(WORDS)))
def test_it(swarmlab_run, word, record_property):
    recorder = swarmlab_run.recorder
    recorder.record(
        "command", node=word, argv=[word, word], code=1, seconds=0.1, stdout=word, stderr=word,
        title=word,
    )
    recorder.record("notice", message=word)
    recorder.record("error", where=word, message=word, infrastructure=True)
    print(word.encode("utf-8", "replace").decode())
    logging.getLogger("lab").warning("%s", word.encode("utf-8", "replace").decode())
    record_property("said", word)
    raise RuntimeError(word)


@pytest.mark.parametrize("word", WORDS, ids=range(len(WORDS)))
def test_a_difference(swarmlab_run, word):
    assert [word, "other"] == ["other", word]
"""

TESTS = 2 * 19


@pytest.mark.parametrize("options", [("-vv", "--showlocals"), ("-n", "2")], ids=str)
def test_a_run_that_meets_hostile_words_leaves_whole_files(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    (pytester.path / "test_it.py").write_text(SUITE, encoding="utf-8")
    result = pytester.runpytest_subprocess("--swarmlab-cache=cache", "-rA", *options)
    result.assert_outcomes(failed=TESTS)
    run = pytester.path / "reports" / "latest"
    tests = ElementTree.parse(run / "junit.xml").getroot().findall(".//testcase")  # noqa: S314 - ours
    assert len(tests) == TESTS
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert results["schema"] == "swarmlab-results/1"
    lines = (run / "events.jsonl").read_text(encoding="utf-8").split("\n")
    assert all(json.loads(line) for line in lines if line)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "<b id=evil>" not in page
    assert "<script>alert(1)</script>" not in page
    said = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in said
    # What moves a cursor, or makes a text read as another one.
    assert not set("\x1b\x00\x07\x85\x9b\u202e\u2028") & set(said)
    assert r"RuntimeError: \x1b[2J\x1b]0;title\x07" in said
