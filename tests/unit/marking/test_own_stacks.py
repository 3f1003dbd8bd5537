"""The project's own stacks obey the project's own rubric, as far as a stack file can show it.

No cluster runs here: services are read off the stack files, and the rest of the survey is what was
recorded of the reference. The lab's own file is the counter-example.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.marking import combining, saved
from pytest_swarmlab.marking.mark import Mark
from pytest_swarmlab.marking.roles import Cast
from pytest_swarmlab.marking.state import exercise as state
from pytest_swarmlab.model import Verdict
from pytest_swarmlab.survey import events
from pytest_swarmlab.survey.seen import Service, Survey, TaskRow, Update
from pytest_swarmlab.swarm import stack_files
from tests.marking import known_bad
from tests.marking.assemble import REFERENCE
from tests.marking.furnished import NAMES
from tests.unit.records.defined import Defined, defined
from tests.unit.records.surveys import recorded

SHOP = "ecommerce-stack.yml"
MONITORING = ("monitoring-stack.yml", "monitoring-shop.yml")
ENVIRONMENT = {
    # The version that is in use, as proxy-stack.yml says how to deploy it.
    "NGINX_CONFIG": "nginx_config_v2",
    "APP_CONFIG": "app_config_prod",
    "PORT": "8082",
    "REPLICAS": "2",
}
SCALED = {"wp_wordpress": 3}
"""Services that are scaled once they run, as the head of their stack file says."""

OF_A_FILE = {
    "image", "mode", "wanted", "command", "variables", "attached", "secrets", "configs", "restart",
    "update", "rollback", "constraints", "networks", "aliases", "memory_limit", "processor_limit",
}  # fmt: skip
"""What is the same as when the reference's survey was recorded: since then checks are asked for
less often, and two more services are published."""


def survey() -> Survey:
    return events.read(known_bad.surveyed(None))


def theirs() -> list[Defined]:
    """The reference's stacks."""
    return [defined(name, REFERENCE / "stacks" / file) for file, name in NAMES.items()]


def own() -> list[Defined]:
    """The project's: the lab's deliverables, the shop, what watches both."""
    names = NAMES | {SHOP: "shop", "environments-stack.yml": "prod", "quorum.yml": "quorum"}
    stacks = [defined(name, STACKS / file, env=ENVIRONMENT) for file, name in names.items()]
    return [*stacks, monitoring()]


def monitoring() -> Defined:
    return defined("monitoring", *(STACKS / file for file in MONITORING))


def deployed(stacks: Iterable[Defined]) -> Survey:
    """The recorded survey with these stacks in place of its own: each service has all its tasks."""
    seen = survey()
    stacks = list(stacks)
    services = [
        replace(service, wanted=SCALED.get(service.name, service.wanted))
        for stack in stacks
        for service in stack.services
    ]
    nodes = [row for row in seen.nodes or () if row.takes_tasks]
    tasks = [
        TaskRow(f"{service.id}.{slot}", service.id, slot + 1, node.machine, node.id,
                "running", "running")
        for number, service in enumerate(services)
        for slot in range(len(nodes) if service.wanted is None else service.wanted)
        for node in [nodes[(number + slot) % len(nodes)]]
    ]  # fmt: skip
    networks = [network for stack in stacks for network in stack.networks]
    configs = {c.name: c for c in [*(seen.configs or ()), *(c for s in stacks for c in s.configs)]}
    return replace(seen, services=tuple(services), tasks=tuple(tasks), networks=tuple(networks),
                   configs=tuple(configs.values()))  # fmt: skip


def verdicts(seen: Survey) -> dict[str, str]:
    """Every state check that did not pass, and what it has seen."""
    results = saved.of_record(recorded(seen), [state], ())
    return {r.id: r.observed for r in results.values() if r.verdict is not Verdict.PASS}


def marked(seen: Survey) -> Mark:
    results = {
        **saved.of_record(recorded(seen), [state], ()),
        **known_bad.of_reference().results,
    }
    return saved.marked(combining.load(None), [state], results)


# -- what is read off a file ----------------------------------------------------------------------


def test_what_is_read_off_a_file_is_what_a_survey_of_a_cluster_showed() -> None:
    read = {each.name: each for stack in theirs() for each in stack.services}
    shop = NAMES[SHOP]
    compared = [each for each in survey().services or () if each.stack != shop]
    assert len(compared) == len([each for each in read.values() if each.stack != shop])
    for real in compared:
        mine = read[real.name]
        for part in OF_A_FILE:
            assert _sorted(getattr(mine, part)) == _sorted(getattr(real, part)), (real.name, part)
        assert (mine.health and mine.health.test) == (real.health and real.health.test)


def _sorted(value: object) -> object:
    return sorted(value, key=repr) if isinstance(value, tuple) else value


@pytest.mark.parametrize("file", sorted(path.name for path in STACKS.glob("*.yml")))
def test_the_projects_own_loader_takes_each_stack_file(file: str) -> None:
    paths = [STACKS / name for name in (MONITORING if file in MONITORING else (file,))]
    bundle = stack_files.load(paths, stack="own", env=ENVIRONMENT)
    read = defined("own", *paths, env=ENVIRONMENT)
    assert {config.name for config in read.configs} == set(bundle.configs)
    assert bundle.stack_files


# -- points ---------------------------------------------------------------------------------------


def test_the_reference_loses_no_point_with_the_services_of_its_stack_files() -> None:
    seen = deployed(theirs())
    assert verdicts(seen) == {}
    before, now = marked(survey()), marked(seen)
    assert (now.lost, now.earned, now.ungraded) == (0, before.earned, before.ungraded)


def test_the_projects_own_stacks_lose_no_point_and_nobody_s_role_is_in_doubt() -> None:
    seen = deployed(own())
    assert verdicts(seen) == {}
    assert marked(seen).lost == 0
    assert [str(part) for part in Cast(seen).parts.values() if part.several] == []


def test_what_watches_the_shop_is_held_to_what_the_shop_is_held_to() -> None:
    as_the_shop_s = tuple(
        replace(each, stack="shop", update=_none_at_once(each)) for each in monitoring().services
    )
    stacks = [stack for stack in own() if stack.services[0].stack != "monitoring"]
    seen = deployed([*stacks, Defined(as_the_shop_s, monitoring().networks)])
    assert len(as_the_shop_s) > len(MONITORING)
    assert verdicts(seen) == {}


def _none_at_once(service: Service) -> Update:
    """Of one task on each node no other takes over: its update has no order to keep."""
    rolling = replace(service.update, order="start-first", failure="rollback")
    return rolling if service.wanted is None else service.update


LITERAL = {
    "state.healthchecks.loopback",
    "state.healthchecks.restart",
    "state.healthchecks.start-period",
    "state.production.health",
    "state.production.limits",
    "state.production.pinned",
    "state.production.updates",
    "state.secrets-configs.modes",
    "state.storage.volume-as-defined",
    "state.storage.volume-options",
}
"""What the lab's own file loses, of what a file can show."""


def test_the_labs_own_file_loses_them() -> None:
    others = [stack for stack in theirs() if stack.services[0].stack != NAMES[SHOP]]
    literal = defined(NAMES[SHOP], STACKS / "ecommerce-literal.yml")
    assert set(verdicts(deployed([*others, literal]))) == LITERAL


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("ecommerce/users:1.0.0", "ecommerce/users:latest", "production.pinned"),
        ('uid: "0", gid: "0", mode: 0400', 'uid: "0", gid: "0"', "secrets-configs.modes"),
        ("  limits: {cpus: \"0.80\", memory: 96M}\n", "", "production.limits"),
        ("    healthcheck:\n      test: [CMD, users, check]", "    x-health:\n      test: []",
         "production.health"),
        ("  order: start-first\n  failure_action: rollback\n", "", "production.updates"),
        ("REDIS_PASSWORD_FILE: /run/secrets/redis_password", "REDIS_PASSWORD: SecureRedis456",
         "secrets-configs.variables"),
        ('      encrypted: "true"\n', '      mtu: "1400"\n', "production.encrypted"),
    ],
)  # fmt: skip
def test_a_fault_that_comes_back_loses_its_point(
    tmp_path: Path, old: str, new: str, lost: str
) -> None:
    text = (STACKS / SHOP).read_text("utf-8")
    assert text.count(old) == 1
    file = tmp_path / SHOP
    file.write_text(text.replace(old, new), "utf-8")
    (tmp_path / "ecommerce").symlink_to(STACKS / "ecommerce")
    others = [stack for stack in own() if stack.services[0].stack != "shop"]
    assert set(verdicts(deployed([*others, defined("shop", file)]))) == {f"state.{lost}"}
