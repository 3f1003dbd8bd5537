"""Somebody's own cluster is, after a run and after one that was killed, what it was before."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pytest_swarmlab.errors import NotConverged, ProviderError
from pytest_swarmlab.evidence import collectors
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.providers.inventory import InventoryProvider
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Service, Stacks
from pytest_swarmlab.waiting.conditions import brief, no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, pending

MENDED_S = 300.0
"""Longest until the timers of a killed run, set to 20, 90 and 130 s, have undone all of it."""

CHURN = ("/var/lib/docker", "/var/lib/containerd", "/var/lib/systemd/random-seed",
         "/var/lib/systemd/timers", "/run/systemd/journal", "/run/systemd/sessions",
         "/run/systemd/users", "/run/systemd/units", "/run/systemd/transient",
         "/run/systemd/propagate", "/run/systemd/inaccessible", "/run/systemd/netif",
         "/run/systemd/timesync", "/var/lib/nfs", "/tmp/systemd-private-*")  # fmt: skip
"""What an engine, systemd and an NFS server write while they run."""

PLACES = ("/etc", "/root", "/var/lib", "/var/backups", "/run/systemd", "/usr/local", "/srv",
          "/mnt", "/opt", "/home", "/tmp")  # fmt: skip
"""Where an owner's files are, or ours could be left."""

STACK = """
services:
  web:
    image: nginx:alpine
    ports: ["8999:80"]
    secrets: [key]
    configs: [{source: site, target: /site}]
secrets: {key: {file: site.key}}
configs: {site: {file: /etc/hosts}}
"""


def of_node(node: Node) -> dict[str, set[str]]:
    """What a node holds that its owner would miss, or find."""
    pruned = [word for place in CHURN for word in ("-path", place, "-prune", "-o")]
    find = shlex.join(["find", *PLACES, "/run/swarmlab*", *pruned, "-printf",
                       r"%p %m %U %y %l\n"])  # fmt: skip
    sums = "find /etc /root -type f -exec sha256sum {} +"
    units = "systemctl list-units --all --plain --no-legend --no-pager --type=service,timer,socket"
    states = "systemctl list-unit-files --no-legend --no-pager --state=masked,masked-runtime"
    shown = {
        "files": find.replace("'/run/swarmlab*'", "$(ls -d /run/swarmlab* 2>/dev/null)"),
        "sums": sums,
        # One that is listed as inactive has only been asked for.
        "units": f"{units} | awk '!/^user|^session|^ssh/ && $3 != \"inactive\" {{print $1, $3}}'",
        "masked": states,
        "rules": "iptables-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'",
        "marks": "docker volume ls -q; docker ps -aq",
    }
    return {  # Of what a dead engine can't tell, what it says instead.
        what: set(node.look("sh", "-c", f"{line} 2>&1", check=False).stdout.splitlines())
        for what, line in shown.items()
    }


def state(swarm: Swarm) -> dict[str, set[str]]:
    """What the whole cluster holds."""
    found = {
        f"{node}: {what}": lines for node in swarm.nodes for what, lines in of_node(node).items()
    }
    api = swarm.leader().engine.api
    for what, listed in (("services", api.services), ("secrets", api.secrets),
                         ("configs", api.configs)):  # fmt: skip
        found[what] = {each["Spec"]["Name"] for each in listed()}
    found["networks"] = {network["Name"] for network in api.networks()}
    found["nodes"] = {
        f"{node['ID']} {node['Spec']} {node['Status']['State']}" for node in api.nodes()
    }
    return found


def differences(before: dict[str, set[str]], after: dict[str, set[str]]) -> list[str]:
    return [
        f"{what}: {sign}{line}"
        for what in before
        for sign, lines in (("+", after[what] - before[what]), ("-", before[what] - after[what]))
        for line in sorted(lines)
    ]


class AsBefore:
    """Nothing of the cluster differs from what it was."""

    name = "the cluster is as it was"
    node = None

    def __init__(
        self,
        swarm: Swarm,
        before: dict[str, set[str]],
        look: Callable[[Swarm], dict[str, set[str]]] = state,
    ) -> None:
        """`look`: as `before` was seen."""
        self._swarm = swarm
        self._before = before
        self._look = look

    def __call__(self) -> Done[None] | Pending | Fatal:
        try:
            left = differences(self._before, self._look(self._swarm))
        except no_answer() as error:
            return pending(brief(error))
        except (ProviderError, NotConverged) as error:  # One of them has no power yet.
            return pending(str(error))
        return pending("; ".join(left)[:2000]) if left else done(None)


def attached(inventory: Path, directory: Path, recorder: Recorder) -> Swarm:
    provider = InventoryProvider(inventory, may_change=True)
    swarm = Swarm(provider.attach("", logs=directory / "logs"), recorder)
    collectors.describe(swarm, provider, seconds=0)
    return swarm


@contextmanager
def seen(inventory: Path, directory: Path) -> Iterator[Swarm]:
    """Somebody's cluster as its owner sees it, recorded there; changes are permitted."""
    with closing(Recorder(directory / "events.jsonl")) as recorder:
        swarm = attached(inventory, directory, recorder)
        yield swarm
        for node in swarm.nodes:
            node.forget_connections()
        swarm.machines.stop()


@pytest.fixture
def theirs(somebodys_inventory: Path, tmp_path: Path) -> Iterator[Swarm]:
    """Somebody's cluster, for a test."""
    with seen(somebodys_inventory, tmp_path) as swarm:
        yield swarm


def written(directory: Path) -> Path:
    """A directory with a stack file and what it names."""
    (directory / "site.yml").write_text(STACK, encoding="utf-8")
    (directory / "site.key").write_text("open sesame, said nobody", encoding="utf-8")
    return directory


@pytest.fixture
def before(theirs: Swarm, tmp_path: Path) -> dict[str, set[str]]:
    """What the cluster holds once its engines have been restarted and have had a network."""
    warmed(theirs, tmp_path)
    return state(theirs)


def warmed(theirs: Swarm, directory: Path) -> None:
    """Have every engine make what it makes once: at a restart, for a network, a service, a port."""
    wait, faults = Waiter(), Faults(theirs)
    wait(theirs.all_nodes_ready(), within=120)
    for node in theirs.nodes[1:]:
        with faults.stop_engine(node):
            pass
        wait(theirs.all_nodes_ready(), within=120)
    stacks = Stacks(theirs, written(directory))
    web = stacks.deploy("site.yml", name="warm").service("web")
    web.scale(len(theirs.nodes))
    wait(web.converged(replicas=len(theirs.nodes)), within=120)
    stacks.remove_all()
    wait(theirs.all_nodes_ready(), within=120)


def test_nothing_is_left_of_all_that_fixtures_and_faults_do(
    theirs: Swarm, before: dict[str, set[str]], tmp_path: Path
) -> None:
    worker, manager = theirs.node("worker1"), theirs.node("manager1")
    wait, faults = Waiter(), Faults(theirs)
    secrets, configs, stacks = Secrets(theirs), Configs(theirs), Stacks(theirs, tmp_path)
    secrets.create("one")
    configs.version("two", "a config")
    wait(stacks.deploy("site.yml").service("web").converged(replicas=1), within=120)
    with Service.created(theirs, "db", "--replicas", "2", "nginx:alpine") as service:
        wait(service.converged(replicas=2), within=120)
        for fault in (
            faults.stop_engine(worker),
            faults.kill_engine(worker),
            faults.partition([manager], [worker]),
        ):
            with fault:
                pass
        wait(theirs.all_nodes_ready(), within=120)
        wait(theirs.accepts_changes(manager), within=60)
    # An engine that starts drops docker_gwbridge's MASQUERADE, and adds it again once it has heard
    # of a published port: no later than the mesh lists it.
    wait(theirs.mesh_lists(1), within=60)
    stacks.remove_all()
    configs.remove_all()
    secrets.remove_all()
    wait(AsBefore(theirs, before), within=90)


KILLED = """
import sys
from pathlib import Path
from pytest_swarmlab.swarm import guard, services, stacks
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.swarm.secrets import Secrets
from tests.providers.test_no_harm import attached, written

# In this order, as outside of tests: faults are mended long before services are removed. An engine
# that was killed keeps the rules of a port that is no longer published until it publishes another.
guard.MENDED_AFTER_S = guard.LASTS_S = guard.APART_S = 20
guard.ABANDONED_AFTER_S = 90
directory = Path(sys.argv[2])
swarm = attached(Path(sys.argv[1]), directory, Recorder(directory / "killed.jsonl"))
Secrets(swarm).create("one")
stacks.Stacks(swarm, written(directory)).deploy("site.yml")
services.Services(swarm).create("db", "nginx:alpine")
worker, manager = swarm.node("worker1"), swarm.node("manager1")
faults = Faults(swarm)
faults.partition([manager], [worker]).inject()
faults.kill_engine(worker).inject()
with stacks._place_for(manager, {"half": b"carried"}):
    print("in the middle", flush=True)
    sys.stdin.read()
"""
"""A run that is killed while it has deployed, broken and half carried things."""


def test_nothing_is_left_of_a_run_that_was_killed_in_the_middle(
    theirs: Swarm, before: dict[str, set[str]], somebodys_inventory: Path, tmp_path: Path
) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(somebodys_inventory), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with run:
        assert run.stdout is not None
        assert run.stdout.readline() == "in the middle\n"
        run.kill()
    assert differences(before, state(theirs))
    Waiter(every=3)(AsBefore(theirs, before), within=MENDED_S)
