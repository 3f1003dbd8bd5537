"""Reports come late, and only to a session that needs a cluster."""

from __future__ import annotations

import re

import pytest

from tests.plugin.pretended import latest
from tests.plugin.test_plugin import BROKEN_LAB, EXERCISE, NO_CLUSTER
from tests.plugin.test_xdist import EXERCISE as THING


@pytest.fixture
def lab(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite with one exercise, whose lab has no machines."""
    pytester.makeconftest(BROKEN_LAB)
    pytester.makepyfile(EXERCISE)
    return pytester


def test_own_reports_stay_where_they_are_wanted_and_are_copied(lab: pytest.Pytester) -> None:
    own = lab.path / "own"
    result = lab.runpytest_subprocess(
        "--swarmlab-cache=cache",
        f"--html={own}/mine.html",
        "--self-contained-html",
        f"--junitxml={own}/mine.xml",
    )
    assert result.ret == 6
    latest = lab.path / "reports" / "latest"
    for mine, copy in (("mine.html", "report.html"), ("mine.xml", "junit.xml")):
        assert (own / mine).read_bytes() == (latest / copy).read_bytes()
    assert 'class="swarm"' in (own / "mine.html").read_text(encoding="utf-8")


def test_own_reports_of_a_session_without_clusters_are_left_alone(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(NO_CLUSTER)
    pytester.runpytest_subprocess("--html=mine.html", "--self-contained-html").assert_outcomes(
        passed=1
    )
    assert 'class="swarm"' not in (pytester.path / "mine.html").read_text(encoding="utf-8")
    assert not (pytester.path / "reports").exists()


def test_the_file_loads_nothing(lab: pytest.Pytester) -> None:
    lab.runpytest_subprocess("--swarmlab-cache=cache")
    page = (lab.path / "reports" / "latest" / "report.html").read_text(encoding="utf-8")
    loads = re.findall(r"<(?:script|img|link|iframe|source)[^>]*?(?:src|href)=\"([^\"]*)\"", page)
    assert [each for each in loads if each and not each.startswith("data:")] == []


def test_junit_holds_what_ran(lab: pytest.Pytester) -> None:
    lab.makepyfile(test_other=NO_CLUSTER)
    lab.runpytest_subprocess("--swarmlab-cache=cache")
    junit = (lab.path / "reports" / "latest" / "junit.xml").read_text(encoding="utf-8")
    assert 'name="test_plain"' in junit


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_pictures_are_in_the_page_and_beside_it_whoever_took_them(
    suite: pytest.Pytester, workers: str
) -> None:
    thing = THING.format(number=1)
    noted = 'evidence.note("thing", what="1")'
    attached = noted + '; evidence.attach("The shop", bytes.fromhex("ffd8ffe0"))'
    suite.makepyfile(thing.replace(noted, attached))
    suite.runpytest_subprocess(workers).assert_outcomes(passed=2)
    page = (latest(suite) / "report.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/jpeg;base64,/9j/4A==" alt="The shop">') == 3
    files = {file.name: file.read_bytes() for file in (latest(suite) / "attachments").iterdir()}
    picture = bytes.fromhex("ffd8ffe0")
    assert files == {f"00{number}-the-shop.jpg": picture for number in (1, 2, 3)}
