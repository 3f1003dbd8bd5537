"""A cluster that fixtures of any scope share with several tests, and what happens to it then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.plugin.pretended import record

SITE = """
import pytest

@pytest.fixture(scope="{scope}")
def site(shared_swarm, wait, probe, ledger):
    with shared_swarm({asked}) as shared:
        lab = shared.swarm.lab
        lab.services.append({{"Spec": {{"Name": "site_web"}}}})
        yield shared
        lab.services.clear()
"""

TWICE = """
def test_1(site, swarm): assert swarm is site.swarm
def test_2(site, swarm): assert swarm is site.swarm
"""


def site(scope: str = "module", asked: str = "") -> str:
    return SITE.format(scope=scope, asked=asked)


def outcomes(suite: pytest.Pytester) -> dict[str, str]:
    """Test → how it ended, and in which words."""
    return {
        str(e.data["nodeid"]).partition("::")[2]: f"{e.data['outcome']} {e.data['message']}".strip()
        for e in record(suite).of("test.finished")
    }


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_tests_share_what_was_set_up_once(suite: pytest.Pytester, scope: str) -> None:
    suite.makepyfile(site(scope) + TWICE)
    suite.runpytest_subprocess().assert_outcomes(passed=2)
    assert len(record(suite).of("cluster.ready")) == 1
    assert list(suite.path.glob("cluster-*")) == []


def test_after_the_block_a_test_has_a_clean_one_again(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_a=site() + TWICE,
        test_b="def test_3(swarm): assert swarm.lab.services == []\n",
    )
    suite.runpytest_subprocess().assert_outcomes(passed=3)
    assert len(record(suite).of("cluster.ready")) == 1


def test_a_test_that_leaves_it_otherwise_is_named_to_those_that_share(
    suite: pytest.Pytester,
) -> None:
    suite.makepyfile(
        test_a=site()
        + """
def test_1(site, swarm): pass
def test_2(site, swarm): swarm.lab.services.clear()
def test_3(site, swarm): pass
def test_4(site): pass
def test_5(site, swarm): pass
""",
        test_b="def test_6(swarm): assert swarm.lab.services == []\n",
    )
    result = suite.runpytest_subprocess()
    result.assert_outcomes(passed=4, errors=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    said = (
        "the cluster that shared_swarm shares is no longer as it was set up since"
        " test_a.py::test_2: it no longer has the service site_web"
    )
    assert said in outcomes(suite)["test_3"]
    assert said in outcomes(suite)["test_5"]
    assert "Traceback" not in result.stdout.str()
    # What is left of it goes with the block.
    assert len(record(suite).of("cluster.ready")) == 2


def test_what_a_test_adds_takes_nothing_from_others(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        site()
        + """
def test_1(site, swarm): swarm.lab.services.append({"Spec": {"Name": "mine"}})
def test_2(site, swarm): pass
"""
    )
    suite.runpytest_subprocess().assert_outcomes(passed=2)


def test_a_node_that_is_not_ready_any_more_is_a_loss(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        site()
        + """
def test_1(site, swarm): pass
def test_2(site, swarm): swarm.lab.row("worker1")["Spec"]["Role"] = "manager"
def test_3(site, swarm): pass
"""
    )
    suite.runpytest_subprocess().assert_outcomes(passed=2, errors=1)
    assert "::test_2: worker1 is manager, not worker" in outcomes(suite)["test_3"]


def test_another_size_inside_is_refused(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        site(asked="managers=1, workers=1")
        + """
def test_1(site, swarm): assert len(swarm.nodes) == 2

@pytest.mark.swarm(managers=5)
def test_2(site, swarm): pass
"""
    )
    suite.runpytest_subprocess().assert_outcomes(passed=1, errors=1)
    said = outcomes(suite)["test_2"]
    assert "::test_2 asks for a cluster of 5+2, and a fixture that it uses" in said
    assert "shares one of 1+1" in said


def test_blocks_within_a_block_have_the_same_cluster(suite: pytest.Pytester) -> None:
    inner = site().replace("def site(", "def inner(site, ").replace("site_web", "inner_web")
    suite.makepyfile(
        inner.replace("lab.services.clear()", "lab.services.pop()")
        + """
def test_1(inner, site, swarm): assert swarm is inner.swarm is site.swarm
def test_2(inner, swarm): assert len(swarm.lab.services) == 2
""",
        test_z="def test_3(site, swarm): assert len(swarm.lab.services) == 1\n",
    )
    conftest = suite.path / "conftest.py"
    conftest.write_text(conftest.read_text(encoding="utf-8") + site("session"), encoding="utf-8")
    suite.runpytest_subprocess().assert_outcomes(passed=3)
    assert len(record(suite).of("cluster.ready")) == 1


def test_stack_secrets_and_configs_of_the_block_go_with_it(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_a="""
        import pytest

        @pytest.fixture(scope="module")
        def site(shared_swarm):
            with shared_swarm() as shared:
                shared.secret.create("password", "a-password-of-mine")
                yield shared

        def test_1(site, swarm): print("it is a-password-of-mine"); assert not swarm
        """,
        test_z="def test_2(swarm): pass",
    )
    result = suite.runpytest_subprocess()
    result.assert_outcomes(failed=1, passed=1)
    assert "a-password-of-mine" not in result.stdout.str()
    commands = [e.data["argv"][:3] for e in record(suite).of("command")]
    assert commands.index(["docker", "secret", "create"]) < commands.index(
        ["docker", "secret", "rm"]
    )


def test_a_swarm_in_a_fixture_of_a_wider_scope_is_told_of_the_other_one(
    suite: pytest.Pytester,
) -> None:
    suite.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="module")
        def site(swarm): pass

        def test_1(site): pass
        """
    )
    result = suite.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ScopeMismatch*", "*shared_swarm*"])


def test_the_waiting_of_a_module_can_be_done_by_its_fixture(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="module")
        def site(shared_swarm, wait):
            with shared_swarm() as shared:
                wait(shared.swarm.all_nodes_ready(), within=5)
                yield shared

        def test_1(site): pass
        """
    )
    suite.runpytest_subprocess().assert_outcomes(passed=1)


def test_reports_of_it_are_whole(suite: pytest.Pytester) -> None:
    suite.makepyfile(site() + TWICE)
    suite.runpytest_subprocess()
    latest: Path = suite.path / "reports" / "latest"
    assert json.loads((latest / "results.json").read_text(encoding="utf-8"))["finished_at"]
    assert (latest / "report.html").is_file()
