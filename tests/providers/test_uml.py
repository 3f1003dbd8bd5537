"""What can go wrong with embedded machines, each with one sentence that says what to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_swarmlab.config import default_cache
from pytest_swarmlab.errors import HostError, ProviderError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.uml import UmlProvider, trial
from pytest_swarmlab.providers.uml import provider as uml
from pytest_swarmlab.providers.uml.keeper import hardware_address, processors
from pytest_swarmlab.providers.uml.machines import UmlMachines
from pytest_swarmlab.providers.uml.state import State
from pytest_swarmlab.swarm.lifecycle import provision

ONE = Topology.of(1, 0, memory_mib=768)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """A record of its own."""
    recorder = Recorder(tmp_path / "events.jsonl")
    yield recorder
    recorder.close()


@pytest.fixture
def provider() -> UmlProvider:
    """The provider, on the node disk that is there."""
    return UmlProvider(cache=default_cache(), origin="stand-in")


def test_a_refused_key_is_named_and_nothing_is_left(
    provider: UmlProvider, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_access = State.write_access

    def with_another_key(state: State, topology: Topology) -> None:
        write_access(state, topology)
        for name in ("key", "key.pub"):
            (state.path / name).unlink()
        state._key("key")

    monkeypatch.setattr(State, "write_access", with_another_key)
    monkeypatch.setattr("pytest_swarmlab.swarm.lifecycle.BOOT_S", 25.0)
    before = {found.id for found in provider.find()}
    with pytest.raises(ProviderError, match=r"on manager1 was not met.*Permission denied"):
        provision(provider, ONE, recorder=recorder, consoles=tmp_path / "consoles")
    assert {found.id for found in provider.find()} == before


def test_a_node_that_dies_at_boot_is_named_and_nothing_is_left(
    provider: UmlProvider, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await_access = UmlMachines.await_access

    def after_its_kernel_died(machines: UmlMachines, node: str, timeout: float) -> None:
        machines.power_off(node)
        await_access(machines, node, timeout)

    monkeypatch.setattr(UmlMachines, "await_access", after_its_kernel_died)
    before = {found.id for found in provider.find()}
    with pytest.raises(ProviderError, match=r"on manager1 can no longer be met.*its kernel ended"):
        provision(provider, ONE, recorder=recorder, consoles=tmp_path / "consoles")
    assert {found.id for found in provider.find()} == before


def test_a_kernel_that_panics_is_told_by_the_line_that_matters(
    recorder: Recorder, tmp_path: Path
) -> None:
    ill = UmlProvider(cache=default_cache(), origin="stand-in", words=("init=/no/such",))
    with pytest.raises(ProviderError) as error:
        provision(ill, ONE, recorder=recorder, consoles=tmp_path / "consoles")
    said = str(error.value)
    assert "on manager1 can no longer be met" in said
    assert "its kernel ended" in said
    assert "init /no/such failed" in said
    assert f"(all of it: {tmp_path}/consoles/manager1.log)" in said
    assert "Call Trace" not in said
    assert "\n" not in said


def test_a_host_on_which_no_kernel_starts_begins_nothing(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With so little memory a kernel gets no further than on a host that forbids what it needs.
    monkeypatch.setattr(trial, "MEMORY_MIB", 1)
    provider = UmlProvider(cache=default_cache(), origin="stand-in")
    before = {found.id for found in provider.find()}
    with pytest.raises(HostError, match="no embedded machine starts on this host"):
        provision(provider, ONE, recorder=recorder, consoles=tmp_path / "consoles")
    assert {found.id for found in provider.find()} == before
    assert not (tmp_path / "consoles").exists()


def test_each_kernel_says_which_it_is(recorder: Recorder, tmp_path: Path) -> None:
    provider = UmlProvider(cache=default_cache(), origin="stand-in", kernel="debian")
    machines = provider.start(ONE, recorder=recorder, consoles=tmp_path / "consoles")
    try:
        assert machines.kernel == "Debian's user-mode-linux; programs under ptrace"
        machines.keep()
        again = provider.attach(machines.id, logs=tmp_path)
        assert again.kernel == machines.kernel
    finally:
        machines.stop()


def test_a_missing_command_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, **_: None if name == "ip" else f"/bin/{name}")
    with pytest.raises(HostError, match="the command ip is missing: install iproute2"):
        uml.preflight(ONE)


def test_every_processor_gets_its_share_and_the_first_manager_the_smaller_one() -> None:
    chosen = processors(5, [0, 1])
    assert sorted(map(chosen.count, (0, 1))) == [2, 3]
    assert chosen.count(chosen[0]) == 2
    assert processors(3, [7]) == [7, 7, 7]


def test_a_machine_keeps_its_network_card_and_shares_it_with_none() -> None:
    assert hardware_address("192.168.56.10") == "02:53:c0:a8:38:0a"
    assert hardware_address("192.168.56.11") != hardware_address("192.168.56.10")
