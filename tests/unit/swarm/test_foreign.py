"""A cluster that is somebody's own: looked at, announced, mended by itself."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swarmlab.errors import CommandError, ProviderError
from pytest_swarmlab.evidence.capabilities import capabilities
from pytest_swarmlab.faults import Fault, Faults
from pytest_swarmlab.model import Capability
from pytest_swarmlab.swarm import changes
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.guard import Guard
from pytest_swarmlab.swarm.node import _watch
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Service, Stacks
from tests.exercises import nfs, volumes
from tests.unit.fakes import Lab


@pytest.fixture
def theirs(lab: Lab) -> Lab:
    """Somebody's own, and changes are permitted."""
    lab.machines.foreign = True
    return lab


@pytest.fixture
def read_only(theirs: Lab) -> Lab:
    """Somebody's own, only to be looked at."""
    theirs.machines.controls -= {Capability.CHANGE}
    return theirs


def test_a_command_is_not_run_on_what_is_only_looked_at(read_only: Lab) -> None:
    with pytest.raises(ProviderError, match=r"`rm -rf /data` was not done on worker1.*permits"):
        read_only["worker1"].run("rm", "-rf", "/data")
    assert read_only.commands() == []


def test_looking_is_no_change(read_only: Lab) -> None:
    read_only["worker1"].look("docker", "node", "ls")
    assert read_only.commands() == [("worker1", "docker", "node", "ls")]
    assert read_only.recorder.view().of("change") == ()


@pytest.mark.parametrize("make", [Faults.stop_engine, Faults.kill_engine])
def test_a_fault_breaks_nothing_on_what_is_only_looked_at(read_only: Lab, make: Any) -> None:
    fault: Fault = make(Faults(read_only.swarm), read_only["worker1"])
    with pytest.raises(ProviderError, match="was not done"):
        fault.inject()
    assert read_only.commands() == []


def test_a_change_is_announced_before_it_is_made(theirs: Lab) -> None:
    announced: list[int] = []

    def changes() -> list[Any]:
        return [e.data["what"] for e in theirs.recorder.view().of("change", node="worker1")]

    def shell(*_: object) -> tuple[int, str, str]:
        announced.append(len(changes()))
        return 0, "", ""

    theirs.shell = shell
    theirs["worker1"].run("systemctl", "stop", "docker")
    assert changes() == ["systemctl stop docker"]
    assert announced == [1]


def test_the_lab_s_own_machines_are_changed_without_a_word(lab: Lab) -> None:
    lab["worker1"].run("systemctl", "stop", "docker")
    assert lab.recorder.view().of("change") == ()


def test_a_request_that_may_change_something_is_announced_and_one_that_reads_is_not() -> None:
    sent: list[str] = []
    announced: list[str] = []
    api = SimpleNamespace(request=lambda method, url, **_: sent.append(f"{method} {url}"))
    _watch(api, announced.append)
    for method in ("GET", "head", "POST", "delete"):
        api.request(method, "http+docker://localhost/v1.44/swarm/leave?force=1", timeout=3)
    assert len(sent) == 4
    assert announced == ["POST /v1.44/swarm/leave", "DELETE /v1.44/swarm/leave"]


def test_a_request_that_was_refused_is_not_sent() -> None:
    def refuse(what: str) -> None:
        raise ProviderError(what)

    api = SimpleNamespace(request=lambda *_: pytest.fail("it was sent"))
    _watch(api, refuse)
    with pytest.raises(ProviderError, match="POST /x"):
        api.request("POST", "http+docker://localhost/x")


def test_a_timer_that_mends_is_set_before_anything_is_broken_and_goes_when_it_is_mended(
    theirs: Lab,
) -> None:
    with Faults(theirs.swarm).stop_engine(theirs["worker1"]):
        programs = [argv[1:3] for argv in theirs.commands()]
        assert programs[0][0] == "systemd-run"
        assert programs[1] == ("systemctl", "stop")
    timer = theirs.commands("systemd-run")[0]
    assert "systemctl start docker.socket docker.service" in timer[-1]
    unit = next(word for word in timer if word.startswith("--unit=")).removeprefix("--unit=")
    assert theirs.commands()[-1] == ("worker1", "systemctl", "stop", f"{unit}.timer")


@pytest.mark.parametrize(("code", "told"), [(5, False), (1, True)])
def test_a_timer_that_is_gone_already_is_no_matter(theirs: Lab, code: int, told: bool) -> None:
    fault = Faults(theirs.swarm).stop_engine(theirs["worker1"])
    fault.inject()
    theirs.shell = lambda _, argv: (code, "", "not loaded") if "timer" in argv[-1] else (0, "", "")
    if told:
        with pytest.raises(CommandError, match="not loaded"):
            fault.heal()
    else:
        fault.heal()


def test_no_timer_no_fault(theirs: Lab) -> None:
    theirs.shell = lambda _, argv: (
        (1, "", "no systemd here") if argv[0] == "systemd-run" else (0, "", "")
    )
    with pytest.raises(Exception, match="no systemd here"):
        Faults(theirs.swarm).stop_engine(theirs["worker1"]).inject()
    assert theirs.commands("systemctl") == []


def test_the_lab_s_own_machines_get_no_timer(lab: Lab) -> None:
    with Faults(lab.swarm).stop_engine(lab["worker1"]):
        pass
    assert lab.commands("systemd-run") == []


def test_whoever_cuts_a_machine_s_power_knows_the_timers_that_are_set_on_it(theirs: Lab) -> None:
    faults = Faults(theirs.swarm)
    mended = faults.stop_units(theirs["worker1"], "chrony")
    with mended:
        pass
    left = faults.stop_units(theirs["worker1"], "nfs-server")
    left.inject()
    faults.stop_units(theirs["worker2"], "nfs-server").inject()
    with faults.power_off(theirs["worker1"]):
        ((shell, _, line),) = theirs.machines.timers["worker1"].values()
    (set_,) = [act for act in theirs.commands("systemd-run")
               if act[0] == "worker1" and "nfs-server" in act[-1]]  # fmt: skip
    unit = set_[2].removeprefix("--unit=")
    asked, _, again = line.partition(" || ")
    assert (shell, asked) == ("sh", f"systemctl is-active --quiet {unit}.timer")
    assert tuple(shlex.split(again)) == set_[1:]
    left.heal()
    with faults.power_off(theirs["worker1"]):
        assert theirs.machines.timers["worker1"] == {}


def test_the_loss_of_power_is_announced_and_refused_like_every_change(
    theirs: Lab,
) -> None:
    with Faults(theirs.swarm).power_off(theirs["worker1"]):
        told = theirs.recorder.view().of("change")[-1].data
        assert (told["what"], told["undone"]) == ("power off worker1", changes.POWER)
    assert theirs.recorder.view().of("change")[-1].data["undone"] == changes.UNDOES
    theirs.machines.controls -= {Capability.CHANGE}
    theirs.did.clear()
    with pytest.raises(ProviderError, match="`power off worker1` was not done"):
        theirs["worker1"].power_off()
    assert theirs.did == []


def test_a_partition_and_a_demotion_are_mended_by_timers_too(theirs: Lab) -> None:
    faults = Faults(theirs.swarm)
    faults.partition([theirs["manager1"]], [theirs["worker1"]]).inject()
    faults.demote(theirs["manager1"], via=theirs["manager2"]).inject()
    timers = theirs.commands("systemd-run")
    assert [timer[0] for timer in timers] == ["manager1", "worker1", "manager2"]
    assert timers[-1][-1] == "docker node promote manager1"


@pytest.mark.parametrize(
    ("kept", "cut"),
    [
        ((0, '{"AdvertiseAddr": "192.168.56.11:2377", "DataPathAddr": "10.7.0.11"}', ""),
         {"192.168.56.11", "10.7.0.11"}),
        ((0, '{"DataPathAddr": "2001:db8::11"}', ""), {"192.168.56.11", "2001:db8::11"}),
        ((0, '{"DataPathAddr": ""}', ""), {"192.168.56.11"}),
        ((1, "", "cat: No such file or directory"), {"192.168.56.11"}),
    ],
)  # fmt: skip
def test_a_node_with_an_address_of_its_own_for_overlay_networks_is_parted_by_both(
    theirs: Lab, kept: tuple[int, str, str], cut: set[str]
) -> None:
    theirs.info["worker1"] = {"DockerRootDir": "/data/docker"}

    def shell(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        mine = (node, argv[-1]) == ("worker1", "/data/docker/swarm/docker-state.json")
        return kept if mine else (0, "{}" if argv[0] == "cat" else "", "")

    theirs.shell = shell
    Faults(theirs.swarm).partition([theirs["manager1"]], [theirs["worker1"]]).inject()
    rules = theirs.commands("iptables", "ip6tables")
    dropped = [rule for rule in rules if rule[0] == "manager1" and rule[3] == "-A"]
    assert {rule[6] for rule in dropped} == cut
    for rule in dropped:
        assert rule[1] == ("ip6tables" if ":" in rule[6] else "iptables")


def test_a_state_that_is_no_engine_s_is_told_before_anything_is_parted(theirs: Lab) -> None:
    theirs.shell = lambda _, argv: (0, "{cut" if argv[0] == "cat" else "", "")
    with pytest.raises(
        ProviderError, match=r"swarm/docker-state.json of manager1 has another form"
    ):
        Faults(theirs.swarm).partition([theirs["manager1"]], [theirs["worker1"]]).inject()
    assert theirs.commands("iptables") == []


def refusing(*programs: str) -> Callable[[str, tuple[str, ...]], tuple[int, str, str]]:
    """A shell in which these programs end with 1."""
    return lambda _, argv: (int(argv[0] in programs), "", "")


def test_what_could_load_a_module_is_not_tried_on_somebody_s_machine(theirs: Lab) -> None:
    theirs.shell = refusing("modprobe")
    found = capabilities(theirs.swarm, theirs["manager1"])
    assert theirs.commands("unshare") == []
    assert not found[Capability.NETEM]
    assert not found[Capability.ENCRYPTED_OVERLAY]


def test_a_kernel_that_has_no_modules_can_be_tried_anywhere(theirs: Lab) -> None:
    theirs.shell = refusing("modprobe", "test")
    found = capabilities(theirs.swarm, theirs["manager1"])
    assert found[Capability.NETEM]
    assert found[Capability.ENCRYPTED_OVERLAY]


def test_no_module_is_loaded_on_somebody_s_machine_by_a_shell_neither(theirs: Lab) -> None:
    capabilities(theirs.swarm, theirs["manager1"])
    lines = [" ".join(argv) for argv in theirs.commands()]
    asked = [line for line in lines if "modprobe" in line]
    assert len(asked) >= 3
    assert all(line.count("modprobe") == line.count("modprobe --dry-run") for line in asked)


def test_on_the_lab_s_own_machines_modules_are_loaded(lab: Lab) -> None:
    capabilities(lab.swarm, lab["manager1"])
    assert not [argv for argv in lab.commands() if "--dry-run" in " ".join(argv)]


@pytest.mark.parametrize(
    ("address", "program"), [("192.0.2.1", "iptables"), ("2001:db8::1", "ip6tables")]
)
def test_who_can_be_parted_is_seen_by_the_rules_of_their_kind_of_address(
    theirs: Lab, address: str, program: str
) -> None:
    theirs["manager1"].address = address
    assert capabilities(theirs.swarm, theirs["manager1"])[Capability.PARTITION]
    theirs.shell = refusing(program)
    assert not capabilities(theirs.swarm, theirs["manager1"])[Capability.PARTITION]


@pytest.mark.parametrize(
    ("apis", "able"),
    [
        ({}, True),
        ({"worker2": "1.44"}, True),
        ({"worker2": "1.41"}, False),
        ({"worker2": ""}, True),
    ],
)
def test_every_engine_must_know_what_a_check_needs(
    theirs: Lab, apis: dict[str, str], able: bool
) -> None:
    theirs.apis = apis
    theirs.silent = {"worker1": "it is off"}
    assert capabilities(theirs.swarm, theirs["manager1"])[Capability.START_INTERVAL] is able


def started(lab: Lab) -> set[str]:
    """Timers that were set and not stopped."""
    units = {w.partition("=")[2] for act in lab.commands("systemd-run") for w in act
             if w.startswith("--unit=")}  # fmt: skip
    stopped = {act[-1].removesuffix(".timer") for act in lab.commands("systemctl")}
    return units - stopped


def everything(lab: Lab, directory: Path) -> None:
    """All that fixtures and faults do to a cluster, done and undone."""
    (directory / "a.yml").write_text("secrets: {s: {file: s.key}}\n", encoding="utf-8")
    (directory / "s.key").write_text("open sesame", encoding="utf-8")
    lab.shell = lambda _, argv: (0, "4711" if "show" in argv else "", "")
    swarm = lab.swarm
    secrets, configs, stacks = Secrets(swarm), Configs(swarm), Stacks(swarm, directory)
    secrets.create("one", "value of a secret")
    configs.create("two", "a config")
    stacks.deploy("a.yml", env={"A": "1"})
    with Service.created(swarm, "web", "nginx") as web:
        web.update("--force")
        web.scale(2)
        web.rollback()
        web.move(to=swarm.node("worker1"))
    faults = Faults(swarm)
    for fault in (
        faults.stop_engine(lab["worker1"]),
        faults.stop_units(lab["worker1"], "nfs-server"),
        faults.kill_engine(lab["worker1"]),
        faults.partition([lab["worker1"]], [lab["worker2"]]),
        faults.demote(lab["manager2"], via=lab["manager1"]),
        faults.power_off(lab["worker1"]),
    ):
        with fault:
            pass
    stacks.remove_all()
    configs.remove_all()
    secrets.remove_all()


def test_every_change_of_fixtures_and_faults_is_in_the_list_and_says_what_undoes_it(
    theirs: Lab, tmp_path: Path
) -> None:
    everything(theirs, tmp_path)
    changes_made = [event.data for event in theirs.recorder.view().of("change")]
    assert len(changes_made) > 50
    assert {data["what"] for data in changes_made if data["undone"] == changes.BY_TEST} == set()


def test_whoever_dies_leaves_timers_that_undo_it_and_whoever_ends_leaves_none(
    theirs: Lab, tmp_path: Path
) -> None:
    everything(theirs, tmp_path)
    scripts = [act[-1] for act in theirs.commands("systemd-run")]
    for undoes in ("docker secret rm one", "docker config rm two", "docker stack rm a",
                   "docker service rm web", "systemctl start nfs-server"):  # fmt: skip
        assert undoes in scripts
    assert started(theirs) == set()


def test_timers_undo_faults_first_and_then_each_thing_after_what_uses_it(
    theirs: Lab, tmp_path: Path
) -> None:
    everything(theirs, tmp_path)
    with nfs.directory(theirs["manager1"], "/srv/d"), volumes.named("d", [theirs["worker1"]]):
        pass
    seconds = {
        act[1].partition("swarmlab-mend-")[2].rpartition("-")[0]: float(act[2].partition("=")[2])
        for act in (act[1:] for act in theirs.commands("systemd-run"))
    }
    order = ["stop-units", "stack", "secret", "directory"]
    assert sorted(order, key=seconds.__getitem__) == order
    assert len({seconds[kind] for kind in order}) == len(order)
    assert seconds["stack"] == seconds["service"]
    assert seconds["secret"] == seconds["config"] == seconds["volume"]


def test_where_one_machine_takes_no_timer_the_others_have_none(theirs: Lab) -> None:
    theirs.shell = lambda node, argv: (
        (1, "", "no systemd here") if (node, argv[0]) == ("worker2", "systemd-run") else (0, "", "")
    )
    with pytest.raises(CommandError, match="no systemd here"):
        Guard.arm([(theirs[name], [("true",)]) for name in ("worker1", "worker2")], "test")
    assert len(theirs.commands("systemd-run")) == 2
    assert [act[:3] for act in theirs.commands("systemctl")] == [("worker1", "systemctl", "stop")]


def test_a_timer_that_cannot_be_stopped_keeps_no_other(theirs: Lab) -> None:
    theirs.shell = lambda node, argv: (
        (1, "", "no bus") if (node, argv[0]) == ("worker2", "systemctl") else (0, "", "")
    )
    timers = Guard.arm([(theirs[name], [("true",)]) for name in ("worker1", "worker2")], "test")
    with pytest.raises(CommandError, match="no bus"):
        timers.disarm()
    assert {act[0] for act in theirs.commands("systemctl")} == {"worker1", "worker2"}


def test_what_is_undone_has_no_timer_also_where_its_block_has_failed(theirs: Lab) -> None:
    with (
        pytest.raises(RuntimeError, match="a drill's"),
        nfs.directory(theirs["manager1"], "/srv/d"),
        volumes.named("d", [theirs["worker1"]]),
    ):
        raise RuntimeError("a drill's")
    assert len(theirs.commands("systemd-run")) == 2
    assert started(theirs) == set()


@pytest.mark.parametrize("what", [Secrets.create, Configs.create])
def test_what_could_not_be_made_is_no_matter_of_ours(theirs: Lab, what: Any) -> None:
    theirs.shell = lambda _, argv: (1, "", "already exists") if "create" in argv else (0, "", "")
    made: Any = (Secrets if what is Secrets.create else Configs)(theirs.swarm)
    with pytest.raises(CommandError, match="already exists"):
        made.create("theirs", "some value")
    assert started(theirs) == set()


@pytest.mark.parametrize(
    ("what", "undone"),
    [
        ("POST /v1.44/configs/create", "the config is removed at once"),
        ("DELETE /v1.41/configs/abc", changes.UNDOES),
        ("POST /v1.44/swarm/leave", changes.BY_TEST),
        ("write /run/swarmlab-0123/1-web.yml", changes.PLACE),
        ("write /etc/fstab", changes.BY_TEST),
        ("rm -rf -- /run/swarmlab-0123", changes.UNDOES),
        ("rm -rf -- /var/lib", changes.BY_TEST),
        ("docker swarm leave", changes.BY_TEST),
        ("systemctl", changes.BY_TEST),
        ("systemctl start --no-block swarm-backup.service", changes.BACKUP),
        ("systemctl start docker.socket docker.service", changes.UNDOES),
        ("docker volume create swarmlab-numbers", changes.NUMBERS),
        ("docker volume create data", changes.BY_TEST),
        ("tee --append -- /var/lib/docker/volumes/swarmlab-numbers/_data/x", changes.NUMBERS),
        ("tee --append -- /etc/fstab", changes.BY_TEST),
    ],
)
def test_a_change_is_known_by_how_it_begins(what: str, undone: str) -> None:
    assert changes.undone(what) == undone
