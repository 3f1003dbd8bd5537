"""Secrets reach the swarm on standard input, exactly, and are gone after the test."""

from __future__ import annotations

import pytest

from pytest_swarmlab.errors import ProviderError
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
    with pytest.raises(ProviderError, match="in use by the following service: web"):
        secrets.remove_all()
    # The client tries every one that it is given.
    assert lab.did[-1][4:] == ("two", "one")


def test_a_value_that_is_too_short_to_be_hidden_is_told(lab: Lab) -> None:
    Secrets(lab.swarm).create("pin", "1234")
    (notice,) = lab.recorder.view().of("notice")
    assert notice.data["message"].startswith("the secret pin has fewer than 6 characters and can't")
