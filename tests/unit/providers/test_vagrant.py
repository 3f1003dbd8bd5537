"""Machines of a Vagrantfile are given back as they were found, whatever happens to the run."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_swarmlab.errors import HostError, ProviderError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.uml import state as state_module
from pytest_swarmlab.providers.vagrant import VagrantProvider, keeper
from pytest_swarmlab.providers.vagrant.command import Vagrant
from pytest_swarmlab.providers.vagrant.ledger import Ledger, RunState
from pytest_swarmlab.providers.vagrant.machines import VagrantMachines, ssh_config
from pytest_swarmlab.providers.vagrant.provider import project
from pytest_swarmlab.waiting.waiter import Done, Pending, Waiter, done, pending

TWO = Topology.of(1, 1)
ALL_ABSENT = dict.fromkeys(("manager1", "worker1", "worker2"), "not_created")


class Lab:
    """A directory with a Vagrantfile, and the fake that plays its machines."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.consoles = directory / "consoles"
        self.recorder = Recorder(directory / "events.jsonl")
        self.provider = VagrantProvider(directory)
        (directory / "Vagrantfile").touch()
        self.set(**ALL_ABSENT)
        self.tell({n.name: n.address for n in TWO.nodes} | {"in a swarm": ""})

    def set(self, **states: str) -> None:
        """Put machines into these states."""
        now = self.machines() if (self.directory / "machines.json").exists() else {}
        (self.directory / "machines.json").write_text(json.dumps(now | states))

    def tell(self, facts: dict[str, str]) -> None:
        """What the machines answer over SSH."""
        (self.directory / "facts.json").write_text(json.dumps(facts))

    def machines(self) -> dict[str, str]:
        """Machine → state."""
        states: dict[str, str] = json.loads((self.directory / "machines.json").read_text())
        return states

    def calls(self) -> list[str]:
        """What Vagrant was asked to do, questions left out."""
        asked = (self.directory / "calls").read_text().splitlines()
        return [call for call in asked if not call.startswith(("status", "ssh-config"))]

    def start(self) -> VagrantMachines:
        """Take the machines for a run."""
        return self.provider.start(TWO, recorder=self.recorder, consoles=self.consoles)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab of three machines of which none exists."""
    programs = tmp_path / "bin"
    programs.mkdir()
    fake = Path(__file__).parents[1].joinpath("fake_vagrant.py").read_text(encoding="utf-8")
    script = f"#!{sys.executable}\n{fake}"
    for name in ("vagrant", "ssh"):
        (programs / name).write_text(script, encoding="utf-8")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_VAGRANT", str(tmp_path))
    # The keeper is another process: it finds the directory by its path, not through this.
    monkeypatch.setattr(state_module, "Path", lambda _: Path(tmp_path / "s"))
    made = Lab(tmp_path)
    yield made
    made.recorder.close()


def test_what_the_run_created_is_destroyed(lab: Lab) -> None:
    machines = lab.start()
    assert lab.machines() == {**ALL_ABSENT, "manager1": "running", "worker1": "running"}
    assert [found.id for found in lab.provider.find()] == [machines.id]
    machines.await_access("worker1", 10)
    machines.stop()
    assert lab.machines() == ALL_ABSENT
    assert lab.calls() == ["up manager1 worker1", "destroy --force manager1 worker1"]
    assert lab.provider.find() == []
    machines.stop()


def test_what_ran_before_is_neither_destroyed_nor_halted(lab: Lab) -> None:
    lab.set(manager1="running", worker2="shutoff")
    machines = lab.start()
    machines.await_access("manager1", 10)
    machines.stop()
    assert lab.machines() == {**ALL_ABSENT, "manager1": "running", "worker2": "shutoff"}
    up, leave, destroy = (
        next(call for call in lab.calls() if call.startswith(word))
        for word in ("up", "ssh", "destroy")
    )
    assert (up, destroy) == ("up worker1", "destroy --force worker1")
    assert "swarm leave" in leave, "the run's swarm must not be left on it"
    assert len(lab.calls()) == 3


def test_what_was_off_is_off_again(lab: Lab) -> None:
    lab.set(manager1="poweroff", worker1="running")
    machines = lab.start()
    assert lab.machines()["manager1"] == "running"
    machines.stop()
    assert lab.machines() == {**ALL_ABSENT, "manager1": "shutoff", "worker1": "running"}
    assert "halt manager1" in lab.calls()
    assert not any("destroy" in call for call in lab.calls())


def test_what_a_fault_left_without_power_runs_again(lab: Lab) -> None:
    lab.set(manager1="running", worker1="running")
    machines = lab.start()
    machines.power_off("worker1")
    assert lab.calls() == ["halt --force worker1"]
    assert lab.machines()["worker1"] == "shutoff"
    machines.stop()
    assert lab.machines()["worker1"] == "running"


def test_power_comes_back_without_provisioning(lab: Lab) -> None:
    machines = lab.start()
    machines.power_off("worker1")
    machines.power_on("worker1")
    machines.await_access("worker1", 10)
    machines.stop()
    assert lab.calls()[1:3] == ["halt --force worker1", "up --no-provision worker1"]


def test_a_machine_that_is_in_a_swarm_already_is_not_touched(lab: Lab) -> None:
    lab.set(manager1="running", worker1="running")
    lab.tell({n.name: n.address for n in TWO.nodes} | {"in a swarm": "manager1"})
    machines = lab.start()
    with pytest.raises(ProviderError, match=r"manager1 was there before .* in a swarm already"):
        machines.await_access("manager1", 10)
    machines.stop()
    assert lab.calls() == []
    assert lab.machines()["manager1"] == "running"


def test_a_machine_elsewhere_is_refused(lab: Lab) -> None:
    lab.tell({"manager1": "192.168.56.101", "in a swarm": ""})
    machines = lab.start()
    with pytest.raises(ProviderError, match=r"manager1 hasn't the address 192\.168\.56\.10:"):
        machines.await_access("manager1", 10)
    machines.stop()


def test_a_failed_up_leaves_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FAILS", "up")
    lab.set(worker1="running")
    with pytest.raises(ProviderError, match=r"`vagrant up manager1` ended with 1: .*The box is"):
        lab.start()
    assert lab.machines() == {**ALL_ABSENT, "worker1": "running"}
    assert lab.provider.find() == []


def test_a_failed_destroy_is_said_and_can_be_made_up_for(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = lab.start()
    kept.keep()
    monkeypatch.setenv("FAKE_FAILS", "destroy")
    again = lab.provider.attach(kept.id, logs=lab.consoles)
    with pytest.raises(ProviderError, match="`vagrant destroy --force manager1 worker1` ended"):
        again.stop()
    assert [found.id for found in lab.provider.find()] == [kept.id]
    monkeypatch.delenv("FAKE_FAILS")
    lab.provider.attach(kept.id, logs=lab.consoles).stop()
    assert lab.machines() == ALL_ABSENT


def test_a_keeper_tries_again_and_leaves_the_rest_to_the_next_run(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state, lock = RunState.create()
    os.close(lock)
    Ledger(str(lab.directory), created=("manager1",)).write(state.file)
    lab.set(manager1="running")
    monkeypatch.setattr(keeper, "RESTORE_S", 0)
    for fails, code in (("destroy", 1), ("", 0)):
        monkeypatch.setenv("FAKE_FAILS", fails)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        assert keeper.main(state.path) == code
        assert state.path.exists() == bool(code)
    assert "the machines are as they were found was not met" in capsys.readouterr().err
    assert lab.machines() == ALL_ABSENT


OWNER = """
import sys
from pathlib import Path
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.uml import state
from pytest_swarmlab.providers.vagrant import VagrantProvider

lab = Path(sys.argv[1])
state.Path = lambda _: lab / "s"
recorder = Recorder(lab / "owner.jsonl")
machines = VagrantProvider(lab).start(Topology.of(1, 1), recorder=recorder, consoles=lab / "c")
print("up", flush=True)
sys.stdin.read()
"""


class AsBefore:
    """The machines are as they were, and nobody answers for them any more."""

    name = "a killed run's machines are as they were"
    node = None

    def __init__(self, lab: Lab, before: dict[str, str]) -> None:
        self._lab = lab
        self._before = before

    def __call__(self) -> Done[None] | Pending:
        """Look once."""
        now, found = self._lab.machines(), self._lab.provider.find()
        return pending(f"{now}, {found}") if now != self._before or found else done(None)


def test_a_killed_run_is_cleaned_up_after(lab: Lab) -> None:
    lab.set(manager1="running")
    before = lab.machines()
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(lab.directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        assert lab.machines()["worker1"] == "running"
        assert lab.provider.reap() == [], "it is alive"
        owner.send_signal(signal.SIGKILL)
    Waiter(every=0.1)(AsBefore(lab, before), within=30)


def test_what_a_keeper_removes_while_it_is_looked_at_is_not_there(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, lock = RunState.create()
    os.close(lock)
    Ledger(str(lab.directory)).write(state.file)  # and no label any more
    assert lab.provider.find() == []
    monkeypatch.setattr(RunState, "file", property(lambda self: self.path / "gone"))
    assert lab.provider.find() == []
    assert lab.provider.reap() == []


def test_what_its_keeper_could_not_undo_the_next_run_does(lab: Lab) -> None:
    state, lock = RunState.create()
    os.close(lock)
    state.write_label(TWO, "")
    Ledger(str(lab.directory), created=("manager1",), running=("worker1",)).write(state.file)
    lab.set(manager1="running", worker1="running")
    assert lab.provider.reap() == [state.path.name]
    assert lab.machines() == {**ALL_ABSENT, "worker1": "running"}
    assert lab.provider.reap() == []


def test_kept_machines_stay_until_they_are_asked_for(lab: Lab) -> None:
    machines = lab.start()
    machines.keep()
    assert lab.machines()["worker1"] == "running"
    assert [found.kept for found in lab.provider.find()] == [True]
    assert lab.provider.reap() == []
    with pytest.raises(HostError, match="serve another run or were kept"):
        lab.start()
    again = lab.provider.attach("", logs=lab.consoles)
    assert again.topology == TWO
    again.await_access("worker1", 10)
    again.stop()
    assert lab.machines() == ALL_ABSENT


def test_kept_machines_that_somebody_halted_can_still_be_given_back(lab: Lab) -> None:
    kept = lab.start()
    kept.keep()
    lab.set(manager1="not_created", worker1="shutoff")
    again = lab.provider.attach(kept.id, logs=lab.consoles)
    config = (lab.directory / "s" / kept.id / "ssh_config").read_text(encoding="utf-8")
    assert "ProxyCommand sh -c 'echo \"it does not run: vagrant up worker1" in config
    again.stop()
    assert lab.machines() == ALL_ABSENT
    assert lab.provider.find() == []


def test_what_was_not_kept_can_not_be_taken_over(lab: Lab) -> None:
    with pytest.raises(ProviderError, match="no cluster is kept on this host"):
        lab.provider.attach("", logs=lab.consoles)
    machines = lab.start()
    with pytest.raises(ProviderError, match=f"no kept cluster {machines.id}"):
        lab.provider.attach(machines.id, logs=lab.consoles)
    machines.stop()


def test_one_vagrantfile_serves_one_run(lab: Lab) -> None:
    machines = lab.start()
    with pytest.raises(HostError, match=f"serve another run .*{machines.id}"):
        lab.start()
    assert [found.id for found in lab.provider.find()] == [machines.id]
    machines.stop()
    assert lab.machines() == ALL_ABSENT


@pytest.mark.parametrize("state", ["saved", "paused", "inaccessible", "preparing"])
def test_an_odd_state_is_refused_before_anything_is_done(lab: Lab, state: str) -> None:
    lab.set(worker1=state)
    with pytest.raises(HostError, match=rf"worker1 is {state}: .*`vagrant resume`"):
        lab.start()
    assert lab.calls() == []
    assert lab.provider.find() == []


def test_a_machine_that_the_vagrantfile_has_not_is_named(lab: Lab) -> None:
    with pytest.raises(HostError, match=r"has no machine manager2, manager3: it has manager1, w"):
        lab.provider.start(Topology.of(3, 1), recorder=lab.recorder, consoles=lab.consoles)


def test_a_directory_without_a_vagrantfile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=f"no Vagrantfile in {tmp_path} or above it"):
        project(tmp_path)


def test_a_vagrantfile_is_found_from_below(lab: Lab) -> None:
    below = lab.directory / "a" / "b"
    below.mkdir(parents=True)
    assert project(below) == lab.directory


def test_a_missing_vagrant_is_said_with_what_to_install(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(lab.consoles))
    with pytest.raises(HostError, match=r"vagrant is missing: .*apt-get install vagrant"):
        lab.start()


def test_vagrants_own_complaint_is_passed_on_without_control_characters(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_FAILS", "status")
    with pytest.raises(HostError, match=r"`vagrant status` failed: .*The box is \[31mbroken\."):
        Vagrant(lab.directory).states()


def test_how_a_machine_is_reached_is_only_told_while_it_runs(lab: Lab) -> None:
    with pytest.raises(ProviderError, match="doesn't say how worker1 is reached"):
        Vagrant(lab.directory).ssh_config("worker1")


def test_what_cannot_be_done_is_refused_by_name(lab: Lab) -> None:
    machines = lab.start()
    for act in (
        machines.pause,
        machines.resume,
        machines.link_down,
        machines.link_up,
        machines.replace,
    ):
        with pytest.raises(ProviderError, match="worker1: nobody here can"):
            act("worker1")
    machines.stop()


def test_host_keys_are_pinned_though_vagrant_would_not() -> None:
    block = (
        "Host manager1\n  Port 2222\n  UserKnownHostsFile /dev/null\n  StrictHostKeyChecking no\n"
    )
    text = ssh_config(Path("/somewhere"), {"manager1": block})
    # OpenSSH takes the first value that it finds for a host.
    assert text.index("StrictHostKeyChecking accept-new") < text.index("StrictHostKeyChecking no")
    assert text.index("/somewhere/known_hosts") < text.index("UserKnownHostsFile /dev/null")
    assert "HostKeyAlias manager1" in text
