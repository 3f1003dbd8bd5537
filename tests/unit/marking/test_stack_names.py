"""The files that a stack file names must have been handed in with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swarmlab.marking import completeness, handed_in
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.model import CheckResult, Verdict
from tests.unit.marking.submissions import complete

HEAD = "services: {web: {image: 'nginx:1.27'}}\n"
STACK = "stacks/health-stack.yml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = complete(tmp_path / "mine")
    (root / "stacks/nginx.conf").write_text("server {}\n")
    (root / "env").write_text("A=b\n")
    return root


@pytest.mark.parametrize(
    "content",
    [
        HEAD + "configs: {site: {file: ./nginx.conf}}",
        HEAD + "configs: {site: {file: nginx.conf}}",
        HEAD + "secrets: {key: {file: ../env}}",
        HEAD + "configs: {site: {external: true}}",
        HEAD + "configs: {site: {file: '${DIR}/other.conf'}}",
        "services: {web: {image: x, env_file: ../env}}",
        "services: {web: {image: x, env_file: [../env, ../env]}}",
        HEAD + "configs: [site]",
        HEAD + "configs: {site: nginx.conf}",
        HEAD + "secrets:",
    ],
)
def test_what_is_there_is_well(root: Path, content: str) -> None:
    (root / STACK).write_text(content)
    assert judged(root).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEAD + "configs: {site: {file: other.conf}}",
         "config site names other.conf, which does not exist"),
        (HEAD + "secrets: {key: {file: ../../outside}}",
         "secret key names ../../outside, which leads out of the submission"),
        (HEAD + "secrets: {key: {file: /etc/shadow}}",
         "secret key names /etc/shadow, which leads out of the submission"),
        (HEAD + "secrets: {key: {file: ~/.ssh/id_rsa}}",
         "secret key names ~/.ssh/id_rsa, which leads out of the submission"),
        (HEAD + "secrets: {key: {file: link}}", "secret key names link, which is a symbolic link"),
        ("services: {web: {image: x, env_file: [../env, gone]}}",
         "service web names gone, which does not exist"),
        (HEAD + 'secrets: {"\\e[2J": {file: "a\\nb"}}', "names a b, which does not exist"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told(root: Path, content: str, said: str) -> None:
    (root / "stacks/link").symlink_to("/etc/shadow")
    (root / STACK).write_text(content)
    found = judged(root)
    assert found.verdict is Verdict.FAIL
    assert said in found.observed
    assert "\x1b" not in found.observed
    assert any(said in lack.why for lack in completeness.look(root).lacks)


def judged(root: Path) -> CheckResult:
    results = {r.id: r for r in handed_in.judge(Submission.read(root))}
    return results["document.2.9.stack"]
