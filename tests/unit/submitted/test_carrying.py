"""What of a submission reaches the machines, and what never does."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from pytest_swarmlab.errors import Unusable
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.submitted import carrying
from tests.unit.fakes import Lab

OUTSIDE = "the secret of another student"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "mine"
    for place, content in (
        ("stacks/a.yml", "services: {}\n"),
        ("scripts/x.sh", "#!/bin/bash\n"),
        ("scripts/data", "1\n"),
        ("documents/long.md", "words\n"),
        ("answers.yml", "{}\n"),
    ):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(content, "utf-8")
    (tmp_path / "theirs").write_text(OUTSIDE, "utf-8")
    return root


def packed(root: Path) -> dict[str, tarfile.TarInfo]:
    content = carrying.packed(Submission.read(root))
    assert OUTSIDE.encode() not in content
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {info.name: info for info in tar}


def test_stacks_and_scripts_are_carried_and_what_is_only_read_stays(root: Path) -> None:
    found = packed(root)
    assert set(found) == {"./stacks/a.yml", "./scripts/x.sh", "./scripts/data"}
    assert [info.mode for info in found.values()] == [0o644, 0o755, 0o644]
    assert all(info.isreg() for info in found.values())


def test_nothing_behind_a_link_is_carried(root: Path) -> None:
    (root / "stacks/link.yml").symlink_to("../../theirs")
    (root / "more").symlink_to("..")
    os.link(root / "scripts/data", root / "scripts/again")  # Of its own, and so its own affair.
    assert set(packed(root)) == {
        "./stacks/a.yml", "./scripts/x.sh", "./scripts/data", "./scripts/again"
    }  # fmt: skip


def test_a_file_that_becomes_a_link_meanwhile_is_not_carried(root: Path) -> None:
    submission = Submission.read(root)
    (root / "scripts/data").unlink()
    (root / "scripts/data").symlink_to("../../theirs")
    with pytest.raises(Unusable, match="can't be read"):
        carrying.packed(submission)


def test_more_than_a_cluster_is_to_carry_is_a_sentence(root: Path) -> None:
    for n in range(3):
        with (root / f"scripts/{n}").open("wb") as file:
            file.truncate(15 * 2**20)
    with pytest.raises(Unusable, match="have more than 32 MiB"):
        packed(root)


def test_one_huge_file_is_a_sentence_and_is_not_read(root: Path) -> None:
    with (root / "scripts/huge").open("wb") as file:
        file.truncate(30 * 2**20)
    with pytest.raises(Unusable, match="30 MiB, more than 20 MiB"):
        packed(root)


def test_it_lies_in_one_place_on_every_machine(lab: Lab, root: Path) -> None:
    carrying.carry(Submission.read(root), lab.swarm)
    where = {act[0] for act in lab.commands("tar") if "--directory=/opt/submission" in act}
    assert where == {node.name for node in lab.swarm.nodes}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("services:\n" + "".join(f"  s{n}: {{image: x}}\n" for n in range(61)), "61 services"),
        ("services: {a: {deploy: {replicas: 1000000}}}\n", "wants 1000000 tasks"),
        ("services: {a: {deploy: {replicas: '900'}}}\n", "wants 900 tasks"),
        (BOMB, "more than"),
        ("services: &a {b: *a}\n", "no complete anchor"),
        ("x: " + "[" * 2000 + "]" * 2000, "levels"),
        ("#" * 140_000, "more than 128 KiB"),
        ("- a\n- b\n", "must be a table"),
        ("\xff", "not UTF-8"),
    ],
)
def test_a_stack_that_no_cluster_bears_is_refused(root: Path, content: str, why: str) -> None:
    (root / "stacks/a.yml").write_text(content, "latin-1")
    with pytest.raises(Unusable, match=why):
        carrying.refuse_too_much(Submission.read(root), "stacks/a.yml")


@pytest.mark.parametrize(
    "content", ["services: {}\n", "services: {a: {deploy: {replicas: '${N}'}}}\n"]
)
def test_what_is_wrong_otherwise_is_left_to_the_engine_s_own_words(
    root: Path, content: str
) -> None:
    (root / "stacks/a.yml").write_text(content, "utf-8")
    carrying.refuse_too_much(Submission.read(root), "stacks/a.yml")
