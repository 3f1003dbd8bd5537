"""Which tests `--swarmlab-submission` selects: drills on somebody's work, or all others."""

from __future__ import annotations

import pytest

from pytest_swarmlab.evidence.record import Record
from tests.marking.assemble import REFERENCE

TESTS = """
import pytest

@pytest.mark.submission
@pytest.mark.exercise_2_5
def test_theirs(swarm): pass

@pytest.mark.exercise_2_5
def test_labs(swarm): pass

def test_plain(): pass
"""


@pytest.mark.parametrize(
    ("words", "run"),
    [
        ((), {"test_labs", "test_plain"}),
        (("--swarmlab-submission=mine",), {"test_theirs", "test_plain"}),
        (("--swarmlab-submission=",), {"test_theirs", "test_plain"}),
        (("-m", "exercise_2_5", "--swarmlab-submission=mine"), {"test_theirs"}),
        (("-m", "exercise_2_5"), {"test_labs"}),
    ],
)
def test_drills_on_somebodys_work_are_run_for_it_and_no_others(
    suite: pytest.Pytester, words: tuple[str, ...], run: set[str]
) -> None:
    suite.makepyfile(TESTS)
    result = suite.runpytest_inprocess("-v", *words)
    result.assert_outcomes(passed=len(run), deselected=3 - len(run))
    for name in run:
        result.stdout.fnmatch_lines([f"*::{name} PASSED*"])


FOR_THEM = "import pytest\npytestmark = pytest.mark.submission\n"

INVENTORY = """
from types import SimpleNamespace
from tests.exercises.submission import conftest as theirs
from tests.exercises.submission.conftest import submitted, throw_away
from tests.plugin import pretended
from pytest_swarmlab.model import Topology

ended = []

class Inventory:
    name = "inventory"
    def __init__(self, path, *, may_change, whole):
        assert not whole
        self.away = {}
    def attach(self, cluster, *, logs):
        return SimpleNamespace(keep=lambda: ended.append("kept"))

def swarm(machines, recorder):
    lab = pretended.provision(
        None, Topology.of(managers=2, workers=1), recorder=recorder, consoles=theirs.CONSOLES
    )
    lab.machines.foreign = True
    return lab

theirs.InventoryProvider = Inventory
theirs.Swarm = swarm
theirs.collectors = SimpleNamespace(describe=lambda *_, **__: None)
"""

AS_IT_IS = """
import pytest
from pathlib import Path

pytestmark = pytest.mark.submission

def test_it_is_looked_at_as_it_is(submitted):
    assert submitted.submission is None
    assert len(submitted.swarm.nodes) == 3
    assert {machine.name for machine in submitted.survey.machines} >= {"manager1", "worker1"}

def test_drills_have_the_same_cluster(submitted, swarm):
    assert swarm is submitted.swarm
"""


def over_an_inventory(suite: pytest.Pytester, *words: str, more: str = "") -> pytest.RunResult:
    """Run the suite's tests on somebody's own cluster, which is pretended.

    `more`: what the conftest has besides.
    """
    consoles = "from pathlib import Path\ntheirs.CONSOLES = Path.cwd() / 'consoles'\n"
    suite.makeconftest(INVENTORY + more + consoles)
    (suite.path / "x.yml").write_text("nodes: [{name: m, role: manager}]\n", encoding="utf-8")
    return suite.runpytest_subprocess(
        "--swarmlab-provider=inventory", "--swarmlab-inventory=x.yml", *words
    )


def test_a_cluster_of_another_size_is_marked_as_it_is(suite: pytest.Pytester) -> None:
    suite.makepyfile(AS_IT_IS)
    over_an_inventory(suite, "--swarmlab-submission=").assert_outcomes(passed=2)


RESTORED = (
    FOR_THEM
    + "from tests.exercises.submission.test_submission import ("
    + "    test_their_backup_brings_everything_back)\n"
)


@pytest.mark.parametrize(
    ("submission", "why"),
    [
        ("", "nobody says where backups are and how one is restored"),
        # The pretended engines tell too little.
        (str(REFERENCE), "the swarm's settings were not seen"),
    ],
    ids=["nothing handed in", "the reference"],
)
def test_why_no_backup_of_a_cluster_is_restored_stands_in_each_verdict(
    suite: pytest.Pytester, submission: str, why: str
) -> None:
    suite.makepyfile(RESTORED)
    result = over_an_inventory(
        suite, f"--swarmlab-submission={submission}", "--swarmlab-allow-destructive"
    )
    result.assert_outcomes(skipped=1)
    record = Record.load(suite.path / "reports/latest/events.jsonl")
    verdicts = {e.data["id"]: e.data for e in record.of("check")}
    assert {told["verdict"] for told in verdicts.values()} == {"not_provable"}
    assert why in verdicts["2.8.disaster.restored"]["observed"]
    assert record.of("change") == ()


ONLY_LOOKED_AT = """
def describe(swarm, provider, *, seconds):
    ready = swarm.recorder.view().last("cluster.ready").data
    able = {**ready["capabilities"], "change": False}
    swarm.recorder.record("cluster.ready", **{**ready, "capabilities": able})
    swarm.capabilities = frozenset()

theirs.collectors = SimpleNamespace(describe=describe)
"""

WITHOUT_LEAVE = """
import pytest
from tests.exercises.exercise_2_5.verify import exercise
from tests.exercises.submission import theirs
from tests.exercises.submission.test_submission import SURVIVED

@pytest.mark.submission
@pytest.mark.exercise(exercise, phases=SURVIVED)
def test_what_was_written_survives(submitted, swarm, evidence):
    theirs.without_leave(submitted, exercise, SURVIVED, evidence)
    pytest.fail("something was written")
"""


def test_what_needs_a_change_is_not_provable_in_any_phase_on_what_is_only_looked_at(
    suite: pytest.Pytester,
) -> None:
    suite.makepyfile(WITHOUT_LEAVE)
    result = over_an_inventory(suite, "--swarmlab-submission=", more=ONLY_LOOKED_AT)
    result.assert_outcomes(skipped=1)
    record = Record.load(next(suite.path.glob("reports/*/events.jsonl")))
    seen = {(e.data["phase"], e.data["verdict"]) for e in record.of("check")}
    assert seen == {
        (f"2.5/{phase}", "not_provable") for phase in ("db-recreated", "scaled", "node-lost")
    }
