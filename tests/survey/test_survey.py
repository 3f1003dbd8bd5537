"""One look at a real cluster on which the repository's stacks run: quick, whole and harmless."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pytest_swarmlab.marking.state import exercise
from pytest_swarmlab.marking.state.basis import PHASE
from pytest_swarmlab.model import Verdict
from pytest_swarmlab.survey import look
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.lifecycle import in_parallel
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.waiter import Waiter
from tests.exercises import nfs
from tests.exercises.exercise_2_5 import perform as blog
from tests.exercises.exercise_2_6 import perform as tiers
from tests.exercises.exercise_2_7 import perform as proxy
from tests.exercises.exercise_2_8 import perform as backup
from tests.exercises.exercise_2_9 import application
from tests.exercises.exercise_2_9 import setting as health
from tests.providers.test_no_harm import of_node

STACKS = Path(__file__).parents[2] / "stacks"
READY_S = 240
REPLICAS = {
    "wp_db": 1, "wp_wordpress": 3, "proxy_nginx": 2, "health_web": 3, "health_api": 2,
    "health_redis": 1, "health_database": 1,
}  # fmt: skip


@pytest.fixture
def furnished(
    swarm: Swarm,
    stack: Stacks,
    secret: Secrets,
    configs: Configs,
    wait: Waiter,
    tmp_path: Path,
) -> Iterator[Swarm]:
    """A cluster with all that the lab wants of it, as far as the repository has it."""
    with ExitStack() as there:
        backup.install(*swarm.managers())
        for manager in swarm.managers():
            there.enter_context(enabled(manager))
        taker = next(m for m in swarm.managers() if m not in (swarm.leader(), swarm.nodes[0]))
        backup.backup(taker, "--no-volumes")
        there.callback(taker.run, "rm", "-rf", "--", backup.PLACE)
        wait(swarm.all_nodes_ready(), within=READY_S)
        there.enter_context(nfs.exported(nfs.server_of(swarm)))
        there.enter_context(nfs.mounted(nfs.server_of(swarm), swarm.nodes_except(swarm.nodes[0])))
        there.enter_context(blog.deployed(swarm, stack, secret, wait))
        tiers.deploy(swarm, stack, secret, certificates(swarm, tmp_path), wait)
        proxy.create_later_ones(configs)
        proxy.deploy(stack, title="The proxy", NGINX_CONFIG=proxy.V2)
        secret.create(application.SECRET)
        stack.deploy(moved(tmp_path), name=health.NAME, keep_volumes=False)
        for service, replicas in REPLICAS.items():
            wait(swarm.converged(service, replicas=replicas), within=READY_S)
        yield swarm


def moved(directory: Path) -> Path:
    """The stack of exercise 2.9 at another port: WordPress has 8080."""
    text = (STACKS / application.FILE).read_text(encoding="utf-8")
    (directory / "health").mkdir()
    (directory / "health" / "api.py").write_bytes((STACKS / "health" / "api.py").read_bytes())
    path = directory / application.FILE
    path.write_text(text.replace('"8080:8080"', '"8082:8080"'), encoding="utf-8")
    return path


def certificates(swarm: Swarm, directory: Path) -> tiers.Certificates:
    """Of an authority of the test's own, for every node."""
    return tiers.Certificates([node.address for node in swarm.nodes], directory)


@contextmanager
def enabled(manager: Node) -> Iterator[None]:
    """The timer is on, as the README of the scripts says."""
    manager.run("systemctl", "enable", "--now", backup.TIMER)
    try:
        yield
    finally:
        manager.run("systemctl", "disable", "--now", backup.TIMER)


def test_a_look_shows_all_and_changes_nothing(
    furnished: Swarm,
) -> None:
    asked = [furnished.nodes[0], furnished.nodes[-1]]
    before = in_parallel(of_node, asked)
    with furnished.recorder.phase(PHASE):
        found = look.look(furnished)
    assert in_parallel(of_node, asked) == before
    assert found.errors == {}
    assert [(m.name, m.errors, m.system and m.system.lacks) for m in found.machines] == [
        (node.name, {}, {}) for node in furnished.nodes
    ]
    results = {each.id: each for each in exercise.judge(furnished.recorder.view())}
    for id_, result in results.items():
        # The repository has no stack of exercise 2.10.
        if ".production." not in id_:
            assert result.verdict is Verdict.PASS, result
