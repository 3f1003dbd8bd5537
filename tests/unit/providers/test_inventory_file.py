"""What stands in an inventory is used as it stands, or refused in one sentence."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.model import Membership
from pytest_swarmlab.providers.inventory.file import Power, load, ssh_config

MANAGER = "{name: manager1, role: manager, address: 192.0.2.10}"


def written(directory: Path, *nodes: str, head: str = "") -> Path:
    path = directory / "cluster.yml"
    path.write_text(f"{head}\nnodes:\n" + "".join(f"  - {node}\n" for node in nodes))
    return path


def test_managers_come_first_whatever_the_order(tmp_path: Path) -> None:
    inventory = load(written(tmp_path, "{name: worker1, role: worker}", MANAGER))
    assert [(h.name, h.role) for h in inventory.hosts] == [
        ("manager1", Membership.MANAGER),
        ("worker1", Membership.WORKER),
    ]


def test_everything_about_a_node_is_read(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    (host,) = load(
        written(
            tmp_path,
            "{name: a, role: manager, address: '2001:db8::1', user: debian, port: 2222,"
            " key: key, jump: 'me@bastion.example.org:22', sudo: true}",
        )
    ).hosts
    assert (host.address, host.user, host.port, host.jump, host.sudo) == (
        "2001:db8::1",
        "debian",
        2222,
        "me@bastion.example.org:22",
        True,
    )
    assert host.key == str(tmp_path / "key")


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (["{role: manager}"], r"nodes\[0\]: 'name' is missing"),
        (["{name: manager1}"], "manager1 has no role: use manager, worker, outside"),
        (
            ["{name: m, role: boss}"],
            "role 'boss' of m does not exist: use manager, worker, outside",
        ),
        (["{name: -oProxyCommand, role: manager}"], "is no host name"),
        (["{name: 'a b', role: manager}"], "'a b' is no host name"),
        (["{name: '*', role: manager}"], "is no host name"),
        (["{name: m, role: manager, address: '-oX'}"], "address '-oX' of m has characters"),
        (['{name: m, role: manager, user: "a\\n b"}'], "user .* of m has characters"),
        (["{name: m, role: manager, port: 70000}"], "port 70000 of m is no port"),
        (["{name: m, role: manager, port: 0}"], "'port' must be more than 0"),
        (["{name: m, role: manager, sudo: please}"], "'sudo' must be true or false"),
        (["{name: m, role: manager, key: nowhere}"], "key of m is no readable file: .*nowhere"),
        (
            ["{name: m, role: manager, colour: red}"],
            "unknown key 'colour': there are address, .*user$",
        ),
        (["{name: m, rool: manager}"], "m has no role: use manager, worker"),
        ([MANAGER, MANAGER], "two nodes have the name manager1: give each its own"),
        (
            [MANAGER, "{name: m2, role: manager, address: 192.0.2.10}"],
            "two nodes have the address 192.0.2.10",
        ),
        (["{name: w, role: worker}"], "has no manager"),
    ],
)
def test_what_can_not_be_used_is_said_in_one_sentence(
    tmp_path: Path, nodes: list[str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load(written(tmp_path, *nodes))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nodes:\n- [", r"is not valid YAML \(line 2: expected the node content"),
        ("- a\n", "must be a table with a list of nodes"),
        ("", "must be a table"),
        ("nodes: []", "'nodes' must be a list of tables"),
        ("nodes: 5", "'nodes' must be a list"),
        ("servers: []", "'nodes' is missing"),
        ("\x00", "is not valid YAML"),
    ],
)
def test_what_is_no_inventory_is_said_so(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cluster.yml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yml can't be read \(No such file"):
        load(tmp_path / "nowhere.yml")


@pytest.mark.skipif(shutil.which("ssh") is None, reason="install openssh-client")
def test_ssh_takes_the_inventory_s_word_before_that_of_the_configuration_it_refers_to(
    tmp_path: Path,
) -> None:
    theirs = tmp_path / "config"
    theirs.write_text("Host *\n  User somebody\n  Port 2200\n  StrictHostKeyChecking no\n")
    inventory = load(
        written(
            tmp_path,
            "{name: manager1, role: manager, address: 192.0.2.10, user: root}",
            head="ssh_config: config",
        )
    )
    ours = tmp_path / "ours"
    ours.write_text(ssh_config(inventory, tmp_path / "sockets"))
    shown = subprocess.run(
        ["ssh", "-G", "-F", str(ours), "manager1"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    words = dict(line.split(" ", 1) for line in shown if " " in line)
    assert words["hostname"] == "192.0.2.10"
    assert words["user"] == "root"
    assert words["port"] == "2200"
    assert words["stricthostkeychecking"] == "true"
    assert words["controlpath"] == f"{tmp_path}/sockets/manager1.mux"


def resolved(tmp_path: Path, theirs: str, node: str) -> dict[str, str]:
    """What ssh makes of an inventory's configuration that refers to this one."""
    (tmp_path / "theirs").write_text(theirs, encoding="utf-8")
    inventory = load(written(tmp_path, node, head="ssh_config: theirs"))
    (tmp_path / "ours").write_text(ssh_config(inventory, tmp_path), encoding="utf-8")
    argv = ["ssh", "-G", "-F", str(tmp_path / "ours"), inventory.hosts[0].name]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh here")
def test_what_a_person_s_configuration_says_for_a_terminal_does_not_count(tmp_path: Path) -> None:
    theirs = (
        "Host *\n  RemoteCommand tmux attach\n  RequestTTY force\n"
        "  PermitLocalCommand yes\n  LocalCommand echo hello\n"
    )
    seen = resolved(tmp_path, theirs, MANAGER)
    assert seen.get("remotecommand", "none") == "none"
    assert seen["requesttty"] == "false"
    assert seen["permitlocalcommand"] == "no"


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh here")
def test_an_address_may_stand_in_brackets(tmp_path: Path) -> None:
    node = "{name: m, role: manager, address: '[2001:db8::1]'}"
    assert resolved(tmp_path, "", node)["hostname"] == "2001:db8::1"


WORKER = "{name: worker1, role: worker, address: '[2001:db8::11]'}"
POWER = "power: {off: [virsh, destroy, '{name}'], on: [virsh, start, '{name}']}"


def test_power_is_the_inventory_s_and_a_node_may_have_its_own(tmp_path: Path) -> None:
    own = "power: {off: [ipmi, -H, '{address}', 623, \"{'Type': 'off'}\"], on: ['{name}.sh', '{}']}"
    worker = WORKER.replace("}", f", {own}}}")
    manager, other = load(written(tmp_path, MANAGER, worker, head=POWER)).hosts
    assert manager.power is not None
    assert other.power is not None
    assert manager.power.of("manager1", "192.0.2.10") == Power(
        ("virsh", "destroy", "manager1"), ("virsh", "start", "manager1")
    )
    assert other.power.of("worker1", "[2001:db8::11]") == Power(
        ("ipmi", "-H", "2001:db8::11", "623", "{'Type': 'off'}"), ("worker1.sh", "{}")
    )
    assert [host.power for host in load(written(tmp_path, MANAGER, WORKER)).hosts] == [None, None]


@pytest.mark.parametrize(
    ("power", "said"),
    [
        ("{off: [a, '{name}']}", r"cluster.yml \[power\]: 'on' names no program: power needs both"),
        ("{on: [a, '{name}']}", "'off' names no program"),
        ("{}", "'off' names no program"),
        ("{off: [], on: [a, '{name}']}", "'off' names no program"),
        ("{off: ['', '{name}'], on: [a, '{name}']}", "'off' names no program"),
        ("{off: virsh destroy, on: [a]}", "'off' must be a list of strings and numbers"),
        ("{off: [a, [b]], on: [a]}", "'off' must hold strings and whole numbers only"),
        ("{off: [a, off], on: [a]}", "'off' must hold .* numbers only: put quotes around words"),
        ("{no: [a, '{name}'], yes: [a, '{name}']}", "unknown key 'no': there are off, on"),
        ("{off: [a, '{name}'], on: [a, '{user}']}", r"'on' has \{user\}: the placeholders are"),
        ("{off: [a, '{{name}}', '{}{0}'], on: [a]}", r"'off' has \{0\}: the placeholders are"),
        ("{off: [a, \"{name}\\0\"], on: [a, '{name}']}", "has a character that no program"),
        ("{off: [a, '{name}'], on: [a, '{name}'], of: [b]}", "unknown key 'of': there are off, on"),
        ("[virsh, destroy]", "'power' must be a table"),
        ("yes", "'power' must be a table"),
        (
            "{off: [a, b], on: [a, '{name}']}",
            "manager1 and worker1 have the same power command 'off'",
        ),
        (
            "{off: [a, '{name}'], on: [a, b]}",
            "worker1 have the same power command 'on': put {name}",
        ),
    ],
)
@pytest.mark.parametrize("place", ["top", "node"])
def test_power_that_can_not_be_used_is_said_in_one_sentence(
    tmp_path: Path, power: str, said: str, place: str
) -> None:
    if place == "top":
        nodes, head = [MANAGER, WORKER], f"power: {power}"
    else:
        nodes = [node.replace("}", f", power: {power}}}") for node in (MANAGER, WORKER)]
        head, said = "", said.replace(r"yml \[", r"yml nodes\[0\] \[")
    with pytest.raises(ConfigError, match=said) as error:
        load(written(tmp_path, *nodes, head=head))
    assert "\n" not in str(error.value)


def test_all_nodes_have_power_or_none(tmp_path: Path) -> None:
    one = MANAGER.replace("}", f", {POWER}}}")
    with pytest.raises(ConfigError, match="worker1 has no power commands and others have"):
        load(written(tmp_path, one, WORKER))
