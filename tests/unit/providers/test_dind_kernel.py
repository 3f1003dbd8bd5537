"""Whether nodes can share this host's kernel is told from its files, and decides what `auto` is."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_swarmlab import config
from pytest_swarmlab.config import LabConfig
from pytest_swarmlab.errors import HostError
from pytest_swarmlab.model import Capability
from pytest_swarmlab.providers import choice
from pytest_swarmlab.providers.dind import engine, kernel

ALL = (Capability.IPVS, Capability.NFS, Capability.ENCRYPTED_OVERLAY, Capability.POWER_OFF)


def with_modules(root: Path, name: str, *modules: str) -> Path:
    directory = root / "lib/modules" / os.uname().release
    directory.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"kernel/some/where/{module}.ko\n" for module in modules)
    (directory / name).write_text(lines, encoding="utf-8")
    return root


def test_a_kernel_with_nothing_lacks_what_it_is_asked_for_alone(tmp_path: Path) -> None:
    assert kernel.lacks(ALL, tmp_path) == list(ALL[:3])
    assert kernel.lacks([Capability.NFS], tmp_path) == [Capability.NFS]
    assert kernel.lacks([], tmp_path) == []


def test_what_is_there_already_is_seen(tmp_path: Path) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/ip_vs").touch()
    (tmp_path / "proc/filesystems").write_text("nodev\tsysfs\nnodev\tnfsd\n", encoding="ascii")
    assert kernel.lacks(ALL, tmp_path) == [Capability.NFS, Capability.ENCRYPTED_OVERLAY]
    (tmp_path / "proc/filesystems").write_text("nodev\tnfs4\n", encoding="ascii")
    assert kernel.lacks(ALL, tmp_path) == [Capability.ENCRYPTED_OVERLAY]


@pytest.mark.parametrize("name", ["modules.builtin", "modules.dep"])
def test_what_is_built_in_or_can_be_loaded_is_had(tmp_path: Path, name: str) -> None:
    with_modules(tmp_path, name, "ip_vs", "nfs", "nfsv4", "esp4")
    assert kernel.lacks(ALL, tmp_path) == [Capability.ENCRYPTED_OVERLAY]


def test_a_module_with_a_longer_name_is_another(tmp_path: Path) -> None:
    with_modules(tmp_path, "modules.dep", "ip_vs_rr", "nft_ip_vs")
    assert kernel.lacks([Capability.IPVS], tmp_path) == [Capability.IPVS]


@pytest.fixture
def lab(tmp_path: Path) -> LabConfig:
    """A configuration that leaves everything open."""
    return config.read(lambda _: None, lambda _: None, rootdir=tmp_path, environ={})


@pytest.fixture
def docker_host(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A host that has all that containers need, to be made worse."""
    monkeypatch.setattr(kernel, "lacks", lambda _: [])
    monkeypatch.setattr(engine, "connect", lambda: SimpleNamespace(close=lambda: None))
    return monkeypatch


def test_auto_takes_containers_where_they_can_prove_all(
    lab: LabConfig, docker_host: pytest.MonkeyPatch
) -> None:
    del docker_host
    name, why = choice.choose(lab, {Capability.IPVS})
    assert name == "dind"
    assert why.startswith("provider dind: a Docker engine is here")


def test_auto_falls_back_to_uml_and_says_why(
    lab: LabConfig, docker_host: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise HostError("no Docker engine answers at /s: start it")

    docker_host.setattr(engine, "connect", none)
    assert choice.choose(lab, ()) == (
        "uml",
        "provider uml: no inventory was given, and no Docker engine answers at /s",
    )
    docker_host.setattr(kernel, "lacks", lambda _: [Capability.IPVS])
    name, why = choice.choose(lab, {Capability.IPVS})
    assert (name, Capability.IPVS.lack in why) == ("uml", True)
    assert choice.choose(replace(lab, images="registry"), ())[0] == "uml"


def test_what_was_named_is_taken_without_a_look(
    lab: LabConfig, docker_host: pytest.MonkeyPatch
) -> None:
    docker_host.setattr(engine, "connect", None)
    assert choice.choose(replace(lab, provider="dind"), ALL) == ("dind", "")
    assert choice.choose(replace(lab, inventory=Path("lab.yml")), ALL)[0] == "inventory"
