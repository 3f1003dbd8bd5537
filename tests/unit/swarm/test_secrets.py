"""Secrets reach the swarm on standard input, exactly, and are gone after the test."""

from __future__ import annotations

import pytest

from pytest_swarmlab.errors import CommandError, ProviderError
from pytest_swarmlab.swarm.secrets import Secrets
from tests.unit.fakes import Lab


def test_the_value_goes_in_on_standard_input_and_nowhere_else(lab: Lab) -> None:
    value = Secrets(lab.swarm).create("db_password", "MyWordPressPassword123!")
    assert value == b"MyWordPressPassword123!"
    assert lab.did == [("manager1", "docker", "secret", "create", "db_password", "-")]
    assert lab.fed == [value]
    (event,) = lab.recorder.view().of("command")
    assert b"MyWordPress" not in str(event.data).encode()


def test_without_a_value_each_secret_is_another_and_hidden(lab: Lab) -> None:
    secrets = Secrets(lab.swarm)
    one, two = secrets.create("one"), secrets.create("two")
    assert one != two
    lab.recorder.record("said", text=f"{one.decode()} {two.decode()}")
    (event,) = lab.recorder.view().of("said")
    assert event.data["text"] == "‹secret one› ‹secret two›"


def test_all_that_was_created_is_removed_the_latest_first(lab: Lab) -> None:
    secrets = Secrets(lab.swarm)
    for name in ("one", "two", "three"):
        secrets.create(name)
    secrets.remove("two")
    secrets.remove_all()
    secrets.remove_all()
    assert [act[4:] for act in lab.did if act[3] == "rm"] == [("two",), ("three", "one")]


def test_one_that_is_in_use_is_told_in_the_engine_s_words(lab: Lab) -> None:
    secrets = Secrets(lab.swarm)
    for name in ("one", "two"):
        secrets.create(name)
    used = "secret 'two' is in use by the following service: web"
    lab.shell = lambda _, argv: (1, "", used) if "two" in argv else (0, "", "")
    lab.secrets = [{"Spec": {"Name": "two"}}]
    with pytest.raises(ProviderError, match="in use by the following service: web"):
        secrets.remove_all()
    # The client tries every one that it is given.
    assert lab.did[-1][4:] == ("two", "one")
    lab.shell = lambda *_: (0, "", "")
    secrets.remove_all()
    assert lab.did[-1][4:] == ("two",), "what stayed is tried again"


def test_what_stays_is_told_where_nobody_can_list_it(lab: Lab) -> None:
    secrets = Secrets(lab.swarm)
    secrets.create("one")

    def shell(*_: object) -> tuple[int, str, str]:
        lab.silent = {node.name: "connection refused" for node in lab.swarm.nodes}
        return 1, "", "Cannot connect to the Docker daemon"

    lab.shell = shell
    with pytest.raises(ProviderError, match="Cannot connect to the Docker daemon"):
        secrets.remove_all()


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("foreign", [True, False])
def test_one_whose_making_was_interrupted_is_removed_if_it_is_there(
    lab: Lab, foreign: bool, there: bool
) -> None:
    lab.machines.foreign = foreign
    secrets = Secrets(lab.swarm)

    def shell(_: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if "create" in argv:
            raise KeyboardInterrupt
        absent = argv[:3] == ("docker", "secret", "rm") and not there
        return (1, "", "secret one not found") if absent else (0, "", "")

    lab.shell = shell
    with pytest.raises(KeyboardInterrupt):
        secrets.create("one")
    secrets.remove_all()
    assert ("manager1", "docker", "secret", "rm", "one") in lab.did
    assert lab["manager1"].timers == {}
    lab.did.clear()
    secrets.remove_all()
    assert lab.did == []


def test_one_that_its_owner_has_is_left_wherever_ctrl_c_comes(lab: Lab) -> None:
    lab.machines.foreign = True
    lab.secrets = [{"Spec": {"Name": "theirs"}}]
    secrets = Secrets(lab.swarm)

    def shell(_: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if "create" in argv:
            raise KeyboardInterrupt
        return 0, "", ""

    lab.shell = shell
    with pytest.raises(KeyboardInterrupt):
        secrets.create("theirs")
    secrets.remove_all()
    assert [act[3] for act in lab.commands("docker")] == ["create"]


def test_one_that_is_refused_a_second_time_is_still_the_first_ones(lab: Lab) -> None:
    secrets = Secrets(lab.swarm)
    secrets.create("one")
    lab.shell = lambda *_: (1, "", "already exists")
    with pytest.raises(CommandError, match="already exists"):
        secrets.create("one")
    with pytest.raises(CommandError, match="already exists"):
        secrets.create("two")
    lab.shell = lambda *_: (0, "", "")
    secrets.remove_all()
    assert lab.did[-1][4:] == ("one",)


def test_a_value_that_is_too_short_to_be_hidden_is_told(lab: Lab) -> None:
    Secrets(lab.swarm).create("pin", "1234")
    (notice,) = lab.recorder.view().of("notice")
    assert notice.data["message"].startswith("the secret pin has fewer than 6 characters and can't")
