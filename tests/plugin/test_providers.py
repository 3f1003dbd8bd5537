"""A provider may come from anybody: a name is refused only when nobody has it."""

from __future__ import annotations

import pytest

WITH_CLUSTER = "def test_it(swarm): pass\n"
PLAIN = "def test_plain(): pass\n"

LXD = """
from pytest_swarmlab.errors import HostError

asked = []

class Lxd:
    name = "lxd"
    owns = True
    def reap(self): return []
    def start(self, topology, **_):
        raise HostError("lxd was asked for " + topology.name)

def pytest_swarmlab_make_provider(config, out):
    asked.append(config.provider)
    return Lxd() if config.provider == "lxd" else None

def pytest_unconfigure():
    print("asked for", *asked)
"""

UNKNOWN = (
    "unknown provider 'kvm': use auto, uml, dind, vagrant or inventory, or install the plugin that"
    " has it"
)


@pytest.mark.parametrize("below", ["", "tests/"])
def test_a_conftest_may_have_one(pytester: pytest.Pytester, below: str) -> None:
    suite = pytester.path / below
    suite.mkdir(exist_ok=True)
    (suite / "conftest.py").write_text(LXD, encoding="utf-8")
    (suite / "test_it.py").write_text(WITH_CLUSTER, encoding="utf-8")
    result = pytester.runpytest_subprocess(
        "--swarmlab-provider=lxd", "--swarmlab-cache=cache", "-s"
    )
    assert result.ret == 6
    result.stdout.fnmatch_lines(["*no cluster: lxd was asked for 3+2*", "asked for lxd"])


def test_a_name_that_nobody_has_is_refused_once_all_were_asked(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(LXD)
    pytester.makepyfile(WITH_CLUSTER + PLAIN)
    result = pytester.runpytest_subprocess("--swarmlab-provider=kvm", "-s")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {UNKNOWN}" in result.errlines
    assert "asked for kvm" in result.outlines
    assert not (pytester.path / "reports").exists()
    result.assert_outcomes()


def test_it_is_refused_without_any_other_plugin_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(WITH_CLUSTER)
    result = pytester.runpytest("--swarmlab-provider=kvm")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {UNKNOWN}" in result.errlines


def test_workers_refuse_it_with_one_mouth(suite: pytest.Pytester) -> None:
    suite.makeconftest(LXD)
    suite.makepyfile(test_a=WITH_CLUSTER, test_b=WITH_CLUSTER)
    result = suite.runpytest_subprocess("-n2", "--swarmlab-provider=kvm")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line.startswith("ERROR: ")] == [f"ERROR: {UNKNOWN}"]


def test_what_asks_for_a_cluster_while_it_runs_is_told_then(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(request): request.getfixturevalue('swarm')\n")
    result = pytester.runpytest_subprocess("--swarmlab-provider=kvm", "--swarmlab-cache=cache")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"*no cluster: {UNKNOWN}*"])


def test_who_needs_no_cluster_needs_no_provider(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PLAIN)
    pytester.runpytest("--swarmlab-provider=kvm").assert_outcomes(passed=1)
