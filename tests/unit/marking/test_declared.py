"""What swarmlab.yml says of how a submission is brought onto a swarm."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swarmlab.errors import Unusable
from pytest_swarmlab.marking import completeness, declared, new_submission
from pytest_swarmlab.marking.declared import Rotation, Step
from pytest_swarmlab.marking.submission import Submission

USUAL = (
    Step("scripts/prepare.sh"),
    Step("scripts/prepare-node.sh", "all"),
    Step("stacks/wordpress-stack.yml", name="wp"),
    Step("stacks/health-stack.yml", name="health"),
    Step("stacks/ecommerce-stack.yml", name="ecommerce"),
    Step("scripts/backup.sh"),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    new_submission.write(tmp_path / "mine")
    return tmp_path / "mine"


def steps(root: Path, words: str | None = None) -> tuple[Step, ...]:
    if words is not None:
        (root / declared.FILE).write_text(f"lab: lab-02\n{words}", "utf-8")
    return declared.read(Submission.read(root)).steps


def test_the_skeleton_says_the_labs_order(root: Path) -> None:
    assert steps(root) == USUAL


def test_without_a_word_the_labs_order_is_taken_as_far_as_there_are_files(root: Path) -> None:
    (root / "stacks/health-stack.yml").unlink()
    assert steps(root, "") == tuple(s for s in USUAL if s.name != "health")


def test_steps_are_done_as_they_are_said(root: Path) -> None:
    words = "steps:\n- {deploy: stacks/a.yml, name: a}\n- {run: scripts/b.sh, on: workers}\n"
    assert steps(root, words) == (Step("stacks/a.yml", name="a"), Step("scripts/b.sh", "workers"))


def test_a_backup_is_where_it_says_and_restored_by_these_words(root: Path) -> None:
    steps(root, "backup: /backup/swarm-*\nrestore: [scripts/restore.sh, --yes, '{}']\n")
    said = declared.read(Submission.read(root))
    assert (said.backup, said.restore) == (
        "/backup/swarm-*", ("scripts/restore.sh", "--yes", "{}")
    )  # fmt: skip


def test_a_rotation_is_a_script_a_secret_and_a_page(root: Path) -> None:
    words = "rotation: {run: [scripts/rotation.sh, '2'], secret: key_v1, path: /ready}\n"
    steps(root, words)
    said = declared.read(Submission.read(root)).rotation
    assert said == Rotation(("scripts/rotation.sh", "2"), "key_v1", "/ready")
    steps(root, "rotation: {run: [scripts/rotation.sh], secret: key_v1}\n")
    said = declared.read(Submission.read(root)).rotation
    assert said
    assert said.path == "/"
    steps(root, "")
    assert declared.read(Submission.read(root)).rotation is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("rotation: {secret: key}\n", "'run' must name a script"),
        ("rotation: {run: [/bin/sh], secret: key}\n", "must be a path inside the root"),
        ("rotation: {run: [x.sh]}\n", "'secret' is missing"),
        ("rotation: {run: [x.sh], secret: k, path: 'http://x/'}\n", "use a page of the service"),
        ('rotation: {run: [x.sh], secret: k, path: "/a\\nHost: b"}\n', "use a page"),
        ("rotation: {run: [x.sh], secret: k, to: x}\n", "unknown key 'to'"),
        ("steps: []\n", "'steps' must be a list of tables"),
        ("steps: [{run: ../x.sh}]\n", "'../x.sh' must be a path inside the root"),
        ("steps: [{run: /bin/sh}]\n", "'/bin/sh' must be a path inside the root"),
        ("steps: [{run: x.sh, on: localhost}]\n", "'on' is 'localhost': use a machine's name"),
        ("steps: [{deploy: x.yml}]\n", "'name' is missing"),
        ("steps: [{deploy: x.yml, name: '-c'}]\n", "'-c' is no name for a stack"),
        ("steps: [{deploy: x.yml, name: a, on: worker1}]\n", "unknown key 'on'"),
        ("steps: [{on: all}]\n", "'run' is missing"),
        (
            "steps: [{deploy: x.yml, name: a}, {deploy: y.yml, name: a}]\n",
            "two stacks have the name 'a'",
        ),
        ("backup: /backup/x-*\n", "'backup' and 'restore' need each other"),
        ("restore: [x.sh, '{}']\n", "'backup' and 'restore' need each other"),
        ("backup: x-*\nrestore: [x.sh, '{}']\n", "use a whole path"),
        ("backup: /a/../b/x\nrestore: [x.sh, '{}']\n", "use a whole path"),
        ("backup: /a/*/x\nrestore: [x.sh, '{}']\n", "in its last part only"),
        ("backup: /a/x-*\nrestore: [x.sh]\n", "has no '{}'"),
        ("backup: /a/x-*\nrestore: [/bin/sh, '{}']\n", "must be a path inside the root"),
        (f"steps: [{', '.join(['{run: x.sh}'] * 31)}]\n", "there are 31 steps, more than 30"),
    ],
)
def test_what_can_t_be_done_is_told(root: Path, words: str, why: str) -> None:
    with pytest.raises(Unusable, match=r"swarmlab\.yml") as told:
        steps(root, words)
    assert why in str(told.value)


def test_a_step_with_a_file_that_is_not_there_is_told_before_a_cluster_is_started(
    root: Path,
) -> None:
    steps(
        root, "students: [Ada]\nsteps: [{run: scripts/backup.sh}, {run: scripts/x.sh, on: all}]\n"
    )
    told = [lack.why for lack in completeness.look(root).lacks if lack.where == declared.FILE]
    assert told == ["step 2 (run scripts/x.sh on all) names a file that does not exist"]
