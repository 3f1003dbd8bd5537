"""Every fault breaks what it says, in order, and is mended whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_swarmlab.errors import CommandError, ConfigError, NotConverged, ProviderError
from pytest_swarmlab.faults import Fault, Faults, disk
from pytest_swarmlab.faults.disk import FILLER
from pytest_swarmlab.faults.network import CHAIN
from pytest_swarmlab.faults.process import UNITS
from pytest_swarmlab.swarm.node import Node
from tests.unit.fakes import Lab

Make = Callable[[Faults, Node], Fault]

ON_ONE_NODE: dict[str, Make] = {
    "stop-engine": Faults.stop_engine,
    "kill-engine": Faults.kill_engine,
    "power-off": Faults.power_off,
    "destroy": Faults.destroy,
    "pause": Faults.pause,
    "link-down": Faults.link_down,
}
ON_THE_MACHINE = {
    "power-off": ("power_off", "power_on"),
    "destroy": ("power_off", "replace"),
    "pause": ("pause", "resume"),
    "link-down": ("link_down", "link_up"),
}


DISK = "/srv/nfs/swarm-data/postgres"


def pid_4711(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
    """An engine of that number; a disk of 100 blocks at DISK."""
    del node
    if argv[0] == "stat":
        return (0, f"{DISK}\n" if argv[1] == "--format=%m" else "100 4096\n", "")
    return (0, "4711\n" if argv[:2] == ("systemctl", "show") else "", "")


@pytest.fixture
def faults(lab: Lab) -> Faults:
    lab.shell = pid_4711
    return Faults(lab.swarm)


def every_fault(lab: Lab, faults: Faults) -> Iterator[Fault]:
    for make in ON_ONE_NODE.values():
        yield make(faults, lab["manager1"])
    yield faults.stop_units(lab["manager1"], "nfs-server")
    yield faults.fill_disk(lab["manager1"], DISK)
    yield faults.demote(lab["manager1"], via=lab["manager2"])
    yield faults.partition([lab["manager1"]], [lab["manager2"], lab["manager3"]])


def kinds(lab: Lab) -> list[str]:
    return [e.kind for e in lab.recorder.view() if e.kind.startswith("fault.")]


def test_another_server_is_stopped_and_started_again(lab: Lab, faults: Faults) -> None:
    with faults.stop_units(lab["manager1"], "nfs-server"):
        assert lab.did == [("manager1", "systemctl", "stop", "nfs-server")]
    assert lab.did[1:] == [("manager1", "systemctl", "start", "nfs-server")]


def test_a_graceful_stop_stops_the_socket_too_or_a_connection_would_start_the_engine_again(
    lab: Lab, faults: Faults
) -> None:
    with faults.stop_engine(lab["manager1"]):
        assert lab.did == [("manager1", "systemctl", "stop", *UNITS)]
    assert lab.did[1:] == [("manager1", "systemctl", "start", *UNITS)]
    assert set(UNITS) == {"docker.socket", "docker.service"}


def test_a_killed_engine_is_kept_from_coming_back_before_it_is_killed(
    lab: Lab, faults: Faults
) -> None:
    with faults.kill_engine(lab["manager1"]):
        steps = [act[1:] for act in lab.did]
        assert steps[0] == ("systemctl", "mask", "--runtime", "docker.service")
        assert steps[-1] == ("kill", "-9", "4711")
    healing = [act[1:3] for act in lab.did[len(steps) :]]
    assert healing == [
        ("systemctl", "unmask"),
        ("systemctl", "reset-failed"),
        ("systemctl", "start"),
    ]


def test_what_only_prepares_a_kill_does_not_count_as_the_fault(lab: Lab, faults: Faults) -> None:
    faults.kill_engine(lab["manager1"]).inject()
    story = [(e.kind, e.data.get("argv", [""])[0]) for e in lab.recorder.view()]
    assert story[-3:] == [("fault.injecting", ""), ("command", "kill"), ("fault.injected", "")]


@pytest.mark.parametrize("pid", ["0\n", "\n"])
def test_an_engine_that_does_not_run_is_not_killed(lab: Lab, faults: Faults, pid: str) -> None:
    lab.shell = lambda *_: (0, pid, "")
    with pytest.raises(ProviderError, match="engine of manager1 can't be killed: it doesn't run"):
        faults.kill_engine(lab["manager1"]).inject()
    assert lab.commands("kill") == []
    faults.heal()
    assert lab.commands("systemctl")[-1] == ("manager1", "systemctl", "start", *UNITS)


@pytest.mark.parametrize("kind", ON_THE_MACHINE)
def test_a_machine_is_broken_and_mended_by_its_provider_and_awaited(
    lab: Lab, faults: Faults, kind: str
) -> None:
    breaking, mending = ON_THE_MACHINE[kind]
    with ON_ONE_NODE[kind](faults, lab["worker1"]):
        assert lab.did == [("machines", breaking, "worker1")]
    assert lab.did[1:] == [
        ("machines", mending, "worker1"),
        ("machines", "await_access", "worker1"),
    ]


@pytest.mark.parametrize("kind", ON_THE_MACHINE)
def test_what_a_provider_cannot_do_is_refused_before_anything_is_broken(
    lab: Lab, faults: Faults, kind: str
) -> None:
    lab.machines.controls = frozenset()
    with pytest.raises(ProviderError, match="the provider of these machines can't do this"):
        ON_ONE_NODE[kind](faults, lab["worker1"])
    assert lab.did == []


def test_destroyed_machines_are_replaced_at_once_and_then_awaited(lab: Lab, faults: Faults) -> None:
    with faults.destroy(lab["manager1"], lab["worker1"]):
        assert {act[1] for act in lab.did} == {"power_off"}
        lab.did.clear()
    assert [act[1:] for act in lab.did] == [
        ("replace", "manager1"),
        ("replace", "worker1"),
        ("await_access", "manager1"),
        ("await_access", "worker1"),
    ]


def test_a_demotion_is_asked_of_another_manager_and_so_is_its_end(lab: Lab, faults: Faults) -> None:
    with faults.demote(lab["manager1"], via=lab["manager2"]):
        pass
    assert lab.did == [
        ("manager2", "docker", "node", "demote", "manager1"),
        ("manager2", "docker", "node", "promote", "manager1"),
    ]


def test_a_disk_is_filled_at_once_and_kept_full_and_emptied_again(lab: Lab, faults: Faults) -> None:
    with faults.fill_disk(lab["manager1"], DISK):
        (full,) = lab.commands("fallocate")
        (kept,) = lab.commands("systemd-run")
        assert full[1:] == ("fallocate", "--length=409600", f"{DISK}/{FILLER}")
        assert f"of={DISK}/{FILLER} " in kept[-1]
        assert "oflag=append" in kept[-1]
        lab.did.clear()
    unit = kept[2].removeprefix("--unit=")
    assert [act[1:] for act in lab.did] == [
        ("systemctl", "stop", unit),
        ("rm", "-f", "--", f"{DISK}/{FILLER}"),
    ]


def test_a_disk_on_which_others_have_data_is_not_filled(lab: Lab, faults: Faults) -> None:
    fault = faults.fill_disk(lab["manager1"], f"{DISK}/pgdata")
    with pytest.raises(
        ProviderError, match=f"pgdata on manager1 was not filled.* of {DISK}: mount"
    ):
        fault.inject()
    assert lab.commands("fallocate", "systemd-run") == []


def test_a_disk_that_does_not_get_full_is_no_fault(
    lab: Lab, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "FULL_S", 0.05)
    fault = faults.fill_disk(lab["manager1"], DISK)
    lab.shell = lambda node, argv: (1, "", "") if argv[0] == "sh" else pid_4711(node, argv)
    with pytest.raises(NotConverged):
        fault.inject()
    fault.heal()
    assert lab.commands("rm") == [("manager1", "rm", "-f", "--", f"{DISK}/{FILLER}")]


def dropped(lab: Lab) -> set[tuple[str, str, str]]:
    """Node, direction and other's address of every rule that drops packets."""
    return {(a[0], a[5], a[6]) for a in lab.commands("iptables") if a[3] == "-A"}


def test_a_partition_cuts_both_directions_between_sides_and_none_within_one(
    lab: Lab, faults: Faults
) -> None:
    left, right = [lab["manager1"]], [lab["manager2"], lab["worker1"]]
    faults.partition(left, right).inject()
    between = {(one, other) for one in left for other in right}
    assert dropped(lab) == {
        (here.name, direction, there.address)
        for pair in between
        for here, there in (pair, pair[::-1])
        for direction in ("-s", "-d")
    }
    assert {act[-2:] for act in lab.commands("iptables") if act[3] == "-A"} == {("-j", "DROP")}


def test_three_sides_are_all_cut_from_each_other(lab: Lab, faults: Faults) -> None:
    nodes = [lab[name] for name in ("manager1", "manager2", "manager3")]
    faults.partition(*([node] for node in nodes)).inject()
    assert len(dropped(lab)) == 3 * 2 * 2


def test_a_partition_s_rules_are_whole_on_every_node_before_the_first_takes_effect(
    lab: Lab, faults: Faults
) -> None:
    faults.partition([lab["manager1"]], [lab["manager2"]]).inject()
    flags = [act[3] for act in lab.commands("iptables")]
    assert max(i for i, f in enumerate(flags) if f == "-A") < flags.index("-I")
    hooked = {(act[0], act[4]) for act in lab.commands("iptables") if act[3] == "-I"}
    assert hooked == {(n, hook) for n in ("manager1", "manager2") for hook in ("INPUT", "OUTPUT")}


def test_a_partition_is_mended_though_half_of_its_rules_were_never_there(
    lab: Lab, faults: Faults
) -> None:
    def bare(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        del node
        if argv[2] == "-S":
            return (0, "-P INPUT ACCEPT\n", "")
        return (1, "", "iptables: No chain/target/match by that name.")

    lab.shell = bare
    fault = faults.partition([lab["manager1"]], [lab["manager2"]])
    with pytest.raises(CommandError):
        fault.inject()
    fault.heal()
    assert kinds(lab)[-1] == "fault.healed"


def test_a_partition_that_cannot_be_taken_away_is_not_called_healed(
    lab: Lab, faults: Faults
) -> None:
    fault = faults.partition([lab["manager1"]], [lab["manager2"]])
    fault.inject()

    def stuck(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        del node
        return (0, f"-N {CHAIN}\n", "") if argv[2] == "-S" else (1, "", "Resource busy")

    lab.shell = stuck
    with pytest.raises(ProviderError, match=r"partition of manager1, manager2: .*Resource busy"):
        faults.heal()
    assert kinds(lab)[-1] == "fault.healing"


def test_a_node_out_of_reach_does_not_leave_the_others_cut_off(lab: Lab, faults: Faults) -> None:
    nodes = [lab[name] for name in ("manager1", "manager2", "manager3")]
    faults.partition(nodes[:1], nodes[1:]).inject()
    lab.did.clear()

    def off(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if node == "manager1":
            raise RuntimeError(f"{argv[0]} was not run")
        return 0, "", ""

    lab.shell = off
    with pytest.raises(ProviderError, match="manager1 can't be reached"):
        faults.heal()
    assert {act[0] for act in lab.commands("iptables") if act[3] == "-X"} == {
        "manager2",
        "manager3",
    }


@pytest.mark.parametrize(
    "sides",
    [[], [["manager1"]], [["manager1"], []], [["manager1"], ["manager2", "manager1"]]],
    ids=["none", "one side", "an empty side", "a node twice"],
)
def test_sides_that_divide_nothing_are_refused(
    lab: Lab, faults: Faults, sides: list[list[str]]
) -> None:
    with pytest.raises(ConfigError, match="needs two or more groups of nodes, and no node in two"):
        faults.partition(*([lab[name] for name in side] for side in sides))


def test_every_fault_is_recorded_when_it_begins_and_when_it_is_done(
    lab: Lab, faults: Faults
) -> None:
    for fault in every_fault(lab, faults):
        with fault:
            pass
        story = [e for e in lab.recorder.view() if e.kind.startswith("fault.")][-4:]
        assert [e.kind for e in story] == [
            "fault.injecting",
            "fault.injected",
            "fault.healing",
            "fault.healed",
        ]
        assert {e.data["fault"] for e in story} == {fault.kind}
        assert {tuple(e.data["nodes"]) for e in story} == {tuple(n.name for n in fault.nodes)}


def test_every_fault_is_healed_once_however_often_it_is_asked(lab: Lab, faults: Faults) -> None:
    for fault in every_fault(lab, faults):
        with fault:
            pass
        done = len(lab.did)
        fault.heal()
        fault.heal()
        assert len(lab.did) == done
    faults.heal()
    assert len(lab.did) == done


def test_a_fault_that_was_never_injected_is_not_healed(lab: Lab, faults: Faults) -> None:
    assert [fault.kind for fault in every_fault(lab, faults)][:2] == ["stop-engine", "kill-engine"]
    faults.heal()
    assert lab.did == []


@pytest.mark.parametrize("error", [AssertionError, KeyboardInterrupt])
def test_every_fault_is_healed_when_its_block_ends_in_an_error(
    lab: Lab, faults: Faults, error: type[BaseException]
) -> None:
    for fault in every_fault(lab, faults):
        with pytest.raises(error), fault:
            raise error
        assert kinds(lab)[-1] == "fault.healed"


def test_a_fault_that_was_injected_in_part_is_healed_at_the_end(lab: Lab, faults: Faults) -> None:
    lab.machines.refuses = {"power_off": "the keeper is gone"}
    with pytest.raises(ProviderError, match="keeper is gone"):
        faults.power_off(lab["manager1"]).inject()
    faults.heal()
    assert lab.did[-2:] == [
        ("machines", "power_on", "manager1"),
        ("machines", "await_access", "manager1"),
    ]


def test_all_is_healed_the_latest_first(lab: Lab, faults: Faults) -> None:
    faults.link_down(lab["manager1"]).inject()
    faults.pause(lab["manager2"]).inject()
    faults.power_off(lab["manager3"]).inject()
    lab.did.clear()
    faults.heal()
    assert [act[1] for act in lab.did if act[1] != "await_access"] == [
        "power_on",
        "resume",
        "link_up",
    ]


def test_one_that_cannot_be_healed_hinders_no_other_and_is_named(lab: Lab, faults: Faults) -> None:
    faults.link_down(lab["manager1"]).inject()
    faults.power_off(lab["manager3"]).inject()
    lab.machines.refuses = {"power_on": "its disk is full"}
    lab.did.clear()
    with pytest.raises(
        ProviderError, match="could not be healed: power-off of manager3: its disk is full"
    ):
        faults.heal()
    assert ("machines", "link_up", "manager1") in lab.did


def test_ctrl_c_while_one_is_healed_hinders_no_other_and_it_is_tried_again(
    lab: Lab, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults.link_down(lab["manager1"]).inject()
    faults.power_off(lab["manager3"]).inject()

    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lab.machines, "power_on", interrupted)
        with pytest.raises(KeyboardInterrupt):
            faults.heal()
    assert ("machines", "link_up", "manager1") in lab.did
    lab.did.clear()
    faults.heal()
    assert [act[1:] for act in lab.did] == [("power_on", "manager3"), ("await_access", "manager3")]


def test_a_fault_whose_healing_failed_is_tried_again_at_the_end(lab: Lab, faults: Faults) -> None:
    fault = faults.pause(lab["manager1"])
    lab.machines.refuses = {"resume": "not now"}
    with pytest.raises(ProviderError, match="not now"), fault:
        pass
    lab.machines.refuses = {}
    faults.heal()
    assert kinds(lab)[-1] == "fault.healed"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.1.1", "::1", "localhost"])
def test_a_node_of_which_only_a_loopback_address_is_known_is_not_parted(
    lab: Lab, address: str
) -> None:
    lab["worker1"].address = address
    with pytest.raises(ConfigError, match=f"worker1 can't be partitioned.* address is {address}"):
        Faults(lab.swarm).partition([lab["manager1"]], [lab["worker1"]])
    assert lab.did == []


def test_a_nodes_name_is_no_node(faults: Faults) -> None:
    named: Any = "worker1"
    with pytest.raises(ConfigError, match=r"'worker1' is no node: write swarm.node\('worker1'\)"):
        faults.power_off(named)
    faults.heal()
