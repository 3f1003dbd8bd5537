"""The configuration is read once, and what can't be used is refused in one sentence."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.config import OPTIONS, LabConfig, default_cache, read
from pytest_swarmlab.errors import ConfigError


def config(
    line: dict[str, Any] | None = None,
    environ: dict[str, str] | None = None,
    ini: dict[str, str] | None = None,
) -> LabConfig:
    return read((line or {}).get, (ini or {}).get, rootdir=Path("/project"), environ=environ or {})


def test_defaults() -> None:
    found = config()
    assert (found.provider, found.images, found.memory_mib) == ("auto", "stand-in", 1024)
    assert (found.keep, found.reuse) == (False, None)
    assert found.reports == Path("/project/reports")


def test_the_command_line_outweighs_the_environment_and_that_the_ini_file() -> None:
    line = {"swarmlab_memory": "3000"}
    environ = {"SWARMLAB_MEMORY": "2000"}
    ini = {"swarmlab_memory": "1500"}
    assert config(line, environ, ini).memory_mib == 3000
    assert config(None, environ, ini).memory_mib == 2000
    assert config(None, None, ini).memory_mib == 1500


def test_reuse_without_an_id_means_the_one_there_is() -> None:
    assert config({"swarmlab_reuse": ""}).reuse == ""
    assert config({"swarmlab_reuse": "ab12"}).reuse == "ab12"
    assert config(None, None, {"swarmlab_reuse": ""}).reuse is None


def test_a_submission_is_marked_and_without_one_the_cluster_as_it_is() -> None:
    assert not config().marking
    for line, where in (({"swarmlab_submission": "mine"}, Path("/project/mine")),
                        ({"swarmlab_submission": ""}, None)):  # fmt: skip
        assert config(line).marking
        assert config(line).submission == where
    assert not config(None, None, {"swarmlab_submission": ""}).marking


def test_a_submission_is_looked_for_from_where_it_is_typed() -> None:
    line = {"swarmlab_submission": "mine"}
    found = read(
        line.get, lambda _: None, rootdir=Path("/project"), typed_in=Path("/here"), environ={}
    )
    assert found.submission == Path("/here/mine")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("images", "mine", "unknown images 'mine': use stand-in or registry"),
        ("memory", "100", "memory '100' is not a number of MiB from 512"),
        ("memory", "much", "memory 'much'"),
        ("memory", "511", "memory '511' is not a number of MiB from 512: 1024 is the default"),
        ("memory", "-1024", "memory '-1024'"),
        ("memory", "1e3", "memory '1e3'"),
        ("keep", "perhaps", "keep is 'perhaps': use yes or no"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config(None, {f"SWARMLAB_{name.upper()}": value})


@pytest.mark.parametrize(
    ("word", "means"),
    [("1", True), ("yes", True), ("TRUE", True), ("on", True), ("0", False), ("No", False)],
)
def test_a_flag_is_understood_in_words(word: str, means: bool) -> None:
    assert config(None, {"SWARMLAB_KEEP": word}).keep is means
    assert config(None, None, {"swarmlab_keep": word}).keep is means


def test_a_no_in_the_environment_outweighs_a_yes_in_the_ini_file() -> None:
    assert config(None, {"SWARMLAB_KEEP": "no"}, {"swarmlab_keep": "yes"}).keep is False


def test_an_empty_value_of_the_environment_or_the_ini_file_is_not_set() -> None:
    empty = {option.variable: "" for option in OPTIONS}
    assert config(None, empty, {option.ini: "" for option in OPTIONS}) == config()


def test_reports_lie_below_the_project_unless_a_whole_path_is_given() -> None:
    assert config({"swarmlab_reports": "out/r"}).reports == Path("/project/out/r")
    assert config({"swarmlab_reports": "/srv/r"}).reports == Path("/srv/r")


def test_the_cache_is_the_user_s_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWARMLAB_CACHE", raising=False)
    assert config().cache == default_cache()
    assert config().cache.name == "swarmlab"
    assert config(None, {"SWARMLAB_CACHE": "/srv/cache"}).cache == Path("/srv/cache")


def test_every_option_has_the_plugin_s_prefix_in_all_three_places() -> None:
    for option in OPTIONS:
        assert option.switch == f"--swarmlab-{option.name}"
        assert option.variable == option.ini.upper()
        assert option.ini == f"swarmlab_{option.name.replace('-', '_')}"
        assert option.help


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        config().keep = True  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"command_line": "mine.yml"}, "/typed/in/mine.yml"),
        ({"environ": "mine.yml"}, "/typed/in/mine.yml"),
        ({"ini": "mine.yml"}, "/root/dir/mine.yml"),
        ({"ini": "its.yml", "command_line": "mine.yml"}, "/typed/in/mine.yml"),
        ({"command_line": "/abs/mine.yml"}, "/abs/mine.yml"),
    ],
)
def test_an_inventory_is_looked_for_where_it_was_typed(given: dict[str, str], where: str) -> None:
    def asked(source: str, name: str) -> str | None:
        return given.get(source) if name == "swarmlab_inventory" else None

    lab = read(
        lambda name: asked("command_line", name),
        lambda name: asked("ini", name),
        rootdir=Path("/root/dir"),
        typed_in=Path("/typed/in"),
        environ={"SWARMLAB_INVENTORY": given["environ"]} if "environ" in given else {},
    )
    assert lab.inventory == Path(where)
