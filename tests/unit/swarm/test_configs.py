"""Configs get names that say what is in them, and what a rollback needs is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.swarm.configs import DIGITS, LABEL, Configs
from tests.unit.fakes import Engine, Lab


class Store(Engine):
    """An engine that lists the configs which the lab's shell created."""

    def configs(self, filters: Any = None) -> Any:
        del filters
        return [
            {"Spec": {"Name": name, "Labels": labels}, "CreatedAt": f"2026-05-04T10:00:{n:02}Z"}
            for n, (name, labels) in enumerate(stored(self._lab))
        ]


def stored(lab: Lab) -> list[tuple[str, dict[str, str]]]:
    """Name and labels of what was created and not removed, in that order."""
    there: list[tuple[str, dict[str, str]]] = []
    for _, *argv in lab.commands("docker"):
        if argv[:3] == ["docker", "config", "create"]:
            labels = [argv[n + 1] for n, word in enumerate(argv) if word == "--label"]
            there.append((argv[-2], dict(label.split("=", 1) for label in labels)))
        elif argv[:3] == ["docker", "config", "rm"]:
            there = [each for each in there if each[0] not in argv[3:]]
    return there


@pytest.fixture
def configs(lab: Lab) -> Configs:
    lab.make_engine = Store
    return Configs(lab.swarm)


def uses(*names: str) -> dict[str, Any]:
    return {"TaskTemplate": {"ContainerSpec": {"Configs": [{"ConfigName": n} for n in names]}}}


def test_a_config_goes_in_on_standard_input_exactly(lab: Lab, configs: Configs) -> None:
    configs.create("nginx_config", b"a = 1\r\n")
    assert lab.did == [("manager1", "docker", "config", "create", "nginx_config", "-")]
    assert lab.fed == [b"a = 1\r\n"]


def test_a_version_is_named_by_its_content_and_labelled(lab: Lab, configs: Configs) -> None:
    assert [configs.version("nginx", text) for text in "012"] == [
        "nginx-5feceb66ffc8",
        "nginx-6b86b273ff34",
        "nginx-d4735e3a265e",
    ]
    assert stored(lab)[0] == ("nginx-5feceb66ffc8", {LABEL: "nginx"})
    assert len("nginx-5feceb66ffc8") == len("nginx-") + DIGITS


def test_the_same_content_is_the_same_version_and_is_not_created_again(
    lab: Lab, configs: Configs
) -> None:
    assert configs.version("nginx", b"same") == configs.version("nginx", "same")
    assert len(stored(lab)) == 1


def test_versions_are_listed_the_newest_first_each_name_for_itself(configs: Configs) -> None:
    first, second = configs.version("nginx", "0"), configs.version("nginx", "1")
    configs.version("nginx-old", "0")
    configs.create("nginx", "no version")
    assert configs.versions("nginx") == [second, first]


def test_what_no_service_uses_or_would_go_back_to_is_pruned(lab: Lab, configs: Configs) -> None:
    first, second, third = (configs.version("nginx", text) for text in "012")
    other = configs.version("backend", "0")
    lab.services = [
        {"Spec": uses(third), "PreviousSpec": uses(second)},
        {"Spec": {"TaskTemplate": {"ContainerSpec": {"Configs": None}}}},
    ]
    assert configs.prune("nginx") == [first]
    assert [name for name, _ in stored(lab)] == [second, third, other]
    assert configs.prune("nginx") == []


def test_a_pruned_version_is_not_removed_a_second_time(lab: Lab, configs: Configs) -> None:
    first = configs.version("nginx", "0")
    configs.create("backend", "1")
    configs.prune("nginx")
    configs.remove_all()
    configs.remove_all()
    removed = [act[4:] for act in lab.commands("docker") if act[3] == "rm"]
    assert removed == [(first,), ("backend",)]


def test_all_are_tried_and_one_that_is_in_use_is_told(lab: Lab, configs: Configs) -> None:
    lab.make_engine, lab.configs = Engine, ["two"]
    for name in ("one", "two"):
        configs.create(name, name)
    used = "config 'two' is in use by the following service: web"
    lab.shell = lambda *_: (1, "one", used)
    with pytest.raises(ProviderError, match="in use by the following service: web"):
        configs.remove_all()
    assert lab.did[-1][2:] == ("config", "rm", "two", "one")
