"""The doctor looks at everything, on the barest machine too, and says what helps."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_swarmlab import doctor
from pytest_swarmlab.doctor import Finding, examine
from pytest_swarmlab.errors import HostError
from pytest_swarmlab.model import Capability
from pytest_swarmlab.providers.dind import engine, kernel
from pytest_swarmlab.providers.uml import provider as uml
from pytest_swarmlab.providers.uml import trial

EVERYTHING = {
    "commands to run a cluster",
    "commands to build the node disk",
    "processor, taps and memory for 3 managers and 2 workers",
    "a network of its own for each cluster",
    "nodes as containers",
    "node disk",
    "own kernel",
    "a machine that boots",
    "disk space",
    "cores",
}


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine that lacks nothing, to be made worse; no namespace is really made."""
    monkeypatch.setattr(shutil, "which", lambda name, **_: f"/usr/bin/{name}")
    monkeypatch.setattr(uml, "preflight", lambda _: None)
    monkeypatch.setattr(uml, "namespaces", lambda: ["true"])
    monkeypatch.setattr(engine, "connect", lambda: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(engine, "require", lambda _: {})
    monkeypatch.setattr(doctor, "find_disk", lambda _: SimpleNamespace(key="ab12"))
    monkeypatch.setattr(doctor, "find_kernel", lambda _: "own kernel 7.3")
    monkeypatch.setattr(trial, "choose", lambda *_: ("own kernel 7.3, programs under seccomp", ()))
    monkeypatch.setattr(doctor, "_processor", lambda: "A Processor")
    free = SimpleNamespace(free=50 * 2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    return monkeypatch


def findings(cache: Path) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(cache)}


def test_a_machine_that_lacks_nothing_is_well(healthy: pytest.MonkeyPatch, tmp_path: Path) -> None:
    del healthy
    seen = findings(tmp_path)
    assert set(seen) == EVERYTHING
    assert [f.what for f in seen.values() if not f.well] == []


def test_what_is_missing_is_named_by_the_packages_to_install(
    healthy: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    healthy.setattr(shutil, "which", lambda name, **_: None if name == "ip" else name)
    seen = findings(tmp_path)["commands to run a cluster"]
    assert (seen.well, seen.remedy) == (False, "apt-get install iproute2")


def test_a_refusal_of_the_preflight_is_a_finding(
    healthy: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(_: object) -> None:
        raise HostError("/dev/net/tun can't be opened: load the tun module")

    healthy.setattr(uml, "preflight", refuse)
    seen = findings(tmp_path)["processor, taps and memory for 3 managers and 2 workers"]
    assert (seen.well, seen.seen) == (False, "/dev/net/tun can't be opened: load the tun module")


def test_namespaces_that_are_refused_are_a_finding(
    healthy: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    healthy.setattr(
        uml, "namespaces", lambda: ["sh", "-c", "echo Operation not permitted >&2; exit 1"]
    )
    seen = findings(tmp_path)["a network of its own for each cluster"]
    assert (seen.well, seen.seen) == (False, "Operation not permitted")


def test_a_machine_without_even_unshare_is_examined_to_the_end(
    healthy: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    healthy.setattr(uml, "namespaces", lambda: ["no-such-command-as-unshare"])
    seen = findings(tmp_path)
    assert set(seen) == EVERYTHING
    assert not seen["a network of its own for each cluster"].well


def test_an_engine_is_no_condition_and_what_its_kernel_lacks_is_told(
    healthy: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def none() -> None:
        raise HostError("no Docker engine answers at /s")

    healthy.setattr(kernel, "lacks", lambda _: [Capability.IPVS, Capability.NFS])
    seen = findings(tmp_path)["nodes as containers"]
    assert (seen.well, seen.seen) == (True, "possible, but the kernel lacks ipvs, nfs")
    healthy.setattr(engine, "connect", none)
    seen = findings(tmp_path)["nodes as containers"]
    assert (seen.well, seen.there) == (True, False)
    assert seen.seen == "not here: no Docker engine answers at /s"


def test_too_little_space_is_said_of_the_place_that_is_there(
    healthy: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    healthy.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30))
    seen = findings(tmp_path / "not" / "yet")["disk space"]
    assert (seen.well, seen.seen) == (False, f"1 GiB free at {tmp_path}")


def test_a_cache_without_a_disk_and_a_single_core_are_findings(
    healthy: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    healthy.setattr(doctor, "find_disk", lambda _: None)
    healthy.setattr("os.cpu_count", lambda: 1)
    seen = findings(tmp_path)
    assert not seen["node disk"].well
    assert seen["node disk"].remedy.endswith(" disk")
    machine = seen["a machine that boots"]
    assert (machine.well, machine.seen) == (False, "not tried: it needs the node disk")
    assert not seen["cores"].well


def test_a_machine_is_said_to_boot_only_when_one_did(
    healthy: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = findings(tmp_path)["a machine that boots"]
    assert (machine.well, machine.seen) == (
        True,
        "A Processor: own kernel 7.3, programs under seccomp",
    )

    def none(*_: object) -> None:
        raise HostError("no embedded machine starts on this host: its kernel ended")

    healthy.setattr(trial, "choose", none)
    machine = findings(tmp_path)["a machine that boots"]
    assert (machine.well, machine.seen) == (
        False,
        "on A Processor: no embedded machine starts on this host: its kernel ended",
    )


def test_a_kernel_that_is_not_built_is_no_illness(
    healthy: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    healthy.setattr(doctor, "find_kernel", lambda _: None)
    own = findings(tmp_path)["own kernel"]
    assert own.well
    assert own.seen.startswith("not built, so Debian's kernel is used: `swarmlab kernel`")
