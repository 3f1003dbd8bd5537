"""The configuration is read once, and what can't be used is refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.config import LabConfig, read
from pytest_swarmlab.errors import ConfigError


def config(
    line: dict[str, Any] | None = None,
    environ: dict[str, str] | None = None,
    ini: dict[str, str] | None = None,
) -> LabConfig:
    return read((line or {}).get, (ini or {}).get, rootdir=Path("/project"), environ=environ or {})


def test_defaults() -> None:
    found = config()
    assert (found.provider, found.images, found.memory_mib) == ("uml", "stand-in", 1024)
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


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("provider", "kvm", "unknown provider 'kvm': use uml"),
        ("images", "mine", "unknown images 'mine': use stand-in or registry"),
        ("memory", "100", "memory '100' is not a number of MiB from 512"),
        ("memory", "much", "memory 'much'"),
        ("keep", "perhaps", "keep is 'perhaps': use yes or no"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config(None, {f"SWARMLAB_{name.upper()}": value})
