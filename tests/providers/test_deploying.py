"""What a real client and engine make of stack files, and what is left of them: nothing."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.lifecycle import provision
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.waiter import Waiter
from tests.providers.conftest import PROVIDERS, SMALL
from tests.unit.swarm.test_stack_files import CARRIED

VALUE = b"open sesame, said nobody"
CHANGING = ("/var/lib/docker", "/var/lib/containerd", "/var/lib/systemd", "/run/docker",
            "/run/containerd", "/run/systemd", "/run/udev", "/run/log", "/run/netns")  # fmt: skip
"""What an engine and systemd write while they run."""


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """One manager and one worker with kernels of their own."""
    directory = tmp_path_factory.mktemp("cluster")
    with closing(Recorder(directory / "events.jsonl")) as recorder:
        swarm = provision(
            PROVIDERS["uml"](), SMALL, recorder=recorder, consoles=directory / "consoles"
        )
        yield swarm
        for node in swarm.nodes:
            node.forget_connections()
        swarm.machines.stop()


@pytest.fixture
def stacks(swarm: Swarm, tmp_path: Path) -> Iterator[Stacks]:
    """Stack files of this test, with what they name."""
    for name, content in (("site.conf", b"listen 80"), ("site.key", VALUE), ("web.env", b"A=1\n")):
        (tmp_path / name).write_bytes(content)
    stacks = Stacks(swarm, tmp_path)
    yield stacks
    stacks.remove_all()


def files(node: Node) -> str:
    """Every file of the node that people own, with its time, size, mode and content's sum."""
    pruned = [word for place in CHANGING for word in ("-path", place, "-prune", "-o")]
    find = shlex.join(["find", "/etc", "/root", "/var/lib", "/run", "/tmp", *pruned,
                       "-type", "f", "-printf", r"%p %m %s %T@\n"])  # fmt: skip
    return node.look("sh", "-c", f"{find} | sort").stdout


def config(swarm: Swarm, name: str) -> dict[str, Any]:
    (found,) = swarm.leader().engine.api.configs(filters={"name": name})
    return dict(found["Spec"])


@pytest.mark.parametrize("marked", CARRIED.values(), ids=CARRIED)
def test_each_form_of_a_stack_file_gives_the_config_that_it_names(
    swarm: Swarm, stacks: Stacks, tmp_path: Path, marked: str
) -> None:
    text = marked.replace("«", "").replace("»", "")
    (tmp_path / "form.yml").write_bytes(text.encode())
    stacks.deploy("form.yml", name="form", env={"CONF_DIR": "."})
    (name,) = {c["Spec"]["Name"] for c in swarm.leader().engine.api.configs()} & {"form_c", "c1"}
    assert base64.b64decode(config(swarm, name)["Data"]) == b"listen 80"


EVERYTHING = """
version: "3.8"
services:
  web:
    image: nginx:alpine
    env_file: [web.env]
    environment: {B: "2"}
    secrets: [key]
    configs: [{source: host, target: /host}]
configs:
  host: {file: /etc/hosts}
secrets:
  key: {file: ./site.key, labels: {tier: front}}
"""
OVER = """
version: "3.8"
services:
  web:
    deploy: {replicas: 1, placement: {constraints: [node.role == manager]}}
    environment: {C: "3"}
"""


def test_a_whole_stack_runs_with_all_that_it_names_and_leaves_no_file_on_the_node(
    swarm: Swarm, stacks: Stacks, tmp_path: Path
) -> None:
    (tmp_path / "all.yml").write_text(EVERYTHING, encoding="utf-8")
    (tmp_path / "over.yml").write_text(OVER, encoding="utf-8")
    leader = swarm.leader()
    before = files(leader)
    web = stacks.deploy("all.yml", "over.yml").service("web")
    assert files(leader) == before
    (task,) = Waiter()(web.converged(replicas=1), within=120)
    inside = ("docker", "exec", task.container)
    read = leader.host.run(shlex.join([*inside, "cat", "/run/secrets/key"])).stdout
    assert read.encode() == VALUE
    hosts = leader.host.run(shlex.join([*inside, "cat", "/host"])).stdout
    assert hosts == Path("/etc/hosts").read_text(encoding="utf-8")
    env = leader.host.run(shlex.join([*inside, "env"])).stdout
    assert {"A=1", "B=2", "C=3"} <= set(env.split())
    (secret,) = leader.engine.api.secrets()
    assert secret["Spec"]["Name"] == "all_key"
    assert secret["Spec"]["Labels"] == {"tier": "front", "com.docker.stack.namespace": "all"}
    stacks.deploy("all.yml", "over.yml")  # again, with the same value
    stacks.remove_all()
    assert leader.engine.api.secrets() == leader.engine.api.configs() == []
    assert files(leader) == before


def test_a_service_that_the_file_no_longer_has_goes(
    swarm: Swarm, stacks: Stacks, tmp_path: Path
) -> None:
    one = "services: {a: {image: nginx:alpine, deploy: {replicas: 0}}}\n"
    two = one.replace("}}}", "}}, b: {image: nginx:alpine, deploy: {replicas: 0}}}")
    for text, names in ((two, {"two_a", "two_b"}), (one, {"two_a"})):
        (tmp_path / "two.yml").write_text(text, encoding="utf-8")
        stacks.deploy("two.yml")
        there = {service["Spec"]["Name"] for service in swarm.leader().engine.api.services()}
        assert there == names


@pytest.mark.parametrize("text", ["- a", "configs: {c: {file: '$'}}", "configs: {c: {driver: x}}"])
def test_what_the_client_refuses_is_told_in_its_words_and_leaves_nothing(
    swarm: Swarm, stacks: Stacks, tmp_path: Path, text: str
) -> None:
    (tmp_path / "bad.yml").write_text(text, encoding="utf-8")
    before = files(swarm.leader())
    with pytest.raises(CommandError, match="ended with 1"):
        stacks.deploy("bad.yml")
    assert files(swarm.leader()) == before
