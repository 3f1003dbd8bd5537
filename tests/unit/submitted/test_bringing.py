"""Steps are done in their order; one that fails is told, and costs none of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.marking.declared import Step
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.model import Verdict
from pytest_swarmlab.submitted import bringing, steps
from tests.unit.fakes import Engine, Lab
from tests.unit.submitted.test_limits import node, state

STEPS = (
    Step("scripts/prepare.sh"),
    Step("scripts/node.py", "workers"),
    Step("stacks/a.yml", name="a"),
)


class Counting(Engine):
    """An engine that counts the tasks of its services."""

    def services(self, filters: Any = None, status: bool = False) -> Any:
        assert status
        return super().services(filters)


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.make_engine = Counting
    lab.shell = node(state("exited"))
    lab.services = [service("a_web", 2, 2)]
    return lab


def service(name: str, running: int, wanted: int) -> dict[str, Any]:
    status = {"RunningTasks": running, "DesiredTasks": wanted}
    return {"Spec": {"Name": name}, "ServiceStatus": status}


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    root = tmp_path / "mine"
    for place, content in (
        ("scripts/prepare.sh", "mkdir x\n"),
        ("scripts/node.py", "#!/usr/bin/env python3\n"),
        ("stacks/a.yml", "services: {web: {image: nginx}}\n"),
    ):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(content, "utf-8")
    return Submission.read(root)


def brought(lab: Lab, submission: Submission, *which: Step) -> dict[str, str]:
    """Bring it, and judge what became of it: check → verdict and what was observed."""
    with lab.recorder.phase("submission/brought-up"):
        bringing.bring(submission, which or STEPS, lab.swarm)
    judged = steps.exercise.judge(lab.recorder.view())
    return {r.id.rpartition(".")[2]: f"{r.verdict}: {r.observed}" for r in judged}


def started(lab: Lab) -> list[tuple[str, tuple[str, ...]]]:
    return [(act[0], act[act.index("--") + 1 :]) for act in lab.commands("systemd-run")]


def test_each_is_done_where_it_says_in_its_order(lab: Lab, submission: Submission) -> None:
    assert brought(lab, submission) == {
        "steps": f"{Verdict.PASS}: 4 of 4 done",
        "settled": f"{Verdict.PASS}: all run",
    }
    assert started(lab) == [
        ("manager1", ("/bin/bash", "/opt/submission/scripts/prepare.sh")),
        ("worker1", ("/opt/submission/scripts/node.py",)),
        ("worker2", ("/opt/submission/scripts/node.py",)),
        ("manager1", ("/usr/bin/docker", "stack", "deploy", "--resolve-image", "never",
                      "-c", "/opt/submission/stacks/a.yml", "a")),
    ]  # fmt: skip


def test_one_that_fails_is_told_and_the_next_is_done(lab: Lab, submission: Submission) -> None:
    lab.shell = node(state("failed", "exit-code", 7), state("exited"), says="x\nno such host\n")
    found = brought(lab, submission)
    assert found["steps"].startswith(
        f"{Verdict.FAIL}: 3 of 4 done; step 1 (run scripts/prepare.sh on manager1) on manager1:"
        " exit code 7 (no such host)"
    )
    assert len(started(lab)) == 4


def test_a_file_that_is_not_there_or_is_a_link_is_told(lab: Lab, submission: Submission) -> None:
    (submission.root / "scripts/link.sh").symlink_to("/bin/sh")
    again = Submission.read(submission.root)
    found = brought(lab, again, Step("scripts/x.sh"), Step("scripts/link.sh"))
    assert "scripts/x.sh is not there" in found["steps"]
    assert "scripts/link.sh is a symbolic link" in found["steps"]
    assert not started(lab)


def test_a_stack_that_no_cluster_bears_is_not_deployed(lab: Lab, submission: Submission) -> None:
    (submission.root / "stacks/a.yml").write_text("services: {a: {deploy: {replicas: 1000000}}}")
    found = brought(lab, Submission.read(submission.root))
    assert "wants 1000000 tasks" in found["steps"]
    assert len(started(lab)) == 3


def test_what_does_not_run_at_the_end_is_told(
    lab: Lab, submission: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bringing, "SETTLED_S", 0.0)
    lab.services.append(service("a_db", 0, 1))
    found = brought(lab, submission)
    assert found["settled"] == f"{Verdict.FAIL}: 1 services do not; a_db: 0 of 1 tasks run"


def test_a_machine_that_is_away_is_told_and_the_grader_lives(
    lab: Lab, submission: Submission
) -> None:
    works = lab.shell

    def choked(name: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if name == "worker1" and argv[0] == "df":
            return 1, "", "fork: retry: Resource temporarily unavailable"
        return works(name, argv)

    lab.shell = choked
    found = brought(lab, submission)
    assert (
        "step 2 (run scripts/node.py on workers) on worker1: worker1 could not be asked"
        in (found["steps"])
    )
    assert len(started(lab)) == 3


def test_nothing_is_ever_brought_onto_somebody_s_own_cluster(
    lab: Lab, submission: Submission
) -> None:
    lab.machines.foreign = True
    with pytest.raises(ProviderError, match="throw-away machines only"):
        bringing.bring(submission, STEPS, lab.swarm)
    assert not lab.did


def test_where_no_step_was_done_nothing_is_known(lab: Lab) -> None:
    with lab.recorder.phase("submission/brought-up"):
        lab.recorder.record("notice", message="nothing else")
    verdicts = {r.verdict for r in steps.exercise.judge(lab.recorder.view())}
    assert verdicts == {Verdict.UNKNOWN}


def test_when_no_time_is_left_the_rest_is_told_and_not_begun(
    lab: Lab, submission: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bringing, "ALTOGETHER_S", -1.0)
    found = brought(lab, submission)
    assert "no time was left" in found["steps"]
    assert not started(lab)


def test_a_swarm_that_a_script_has_destroyed_costs_its_steps_and_no_more(
    lab: Lab, submission: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bringing, "WHOLE_S", 0.0)
    monkeypatch.setattr(bringing, "SETTLED_S", 0.0)
    for name in ("manager1", "manager2", "manager3"):
        lab.silent[name] = "the swarm does not have a leader"
    found = brought(lab, submission, Step("stacks/a.yml", name="a"))
    assert [where for where, _ in started(lab)] == ["manager1"]
    assert found["settled"] == f"{Verdict.UNKNOWN}: no manager listed the tasks"
