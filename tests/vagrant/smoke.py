"""Brings manager1 and worker1 of the Vagrantfile up for real, without virtualisation.

    make vagrant-smoke

Builds a box, starts a libvirtd of its own, and has QEMU compute the machines' processors. All
of it lives in network, mount and process namespaces that end with this process: the lab's
addresses exist on a bridge inside only, no libvirt of the host is touched, and nothing is
left, even after `kill -9` (but for a directory, which the next run removes).
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_swarmlab.errors import HostError, SwarmlabError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.images.commands import search_path, started
from pytest_swarmlab.images.progress import LoggedReport, RichReport
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.vagrant import VagrantProvider
from pytest_swarmlab.swarm.lifecycle import provision
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, fatal, pending
from tests.vagrant import box

PROJECT = Path(__file__).parents[2]
PLACE = Path("/var/tmp")
KVM = Path("/dev/kvm")
PREFIX = "swarmlab-vagrant-"

COMMANDS = {
    "vagrant": "vagrant vagrant-libvirt",
    "libvirtd": "libvirt-daemon-system",
    "virsh": "libvirt-clients",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "dnsmasq": "dnsmasq-base",
    "mmdebstrap": "mmdebstrap",
}
"""Commands that the smoke test needs, and the Debian packages of each."""

PRIVATE = {
    "etc": "/etc/libvirt",
    "lib": "/var/lib/libvirt",
    "cache": "/var/cache/libvirt",
    "log": "/var/log/libvirt",
}
"""What libvirt keeps on disk: each is a directory of this run's own inside the namespace."""

# As root and without the guards that need a whole host behind them: the namespace is the guard.
QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"""

# What is special about this host, kept out of the project's Vagrantfile: its processors are
# computed (where /dev/kvm exists it need not work), so everything takes its time.
HOME_VAGRANTFILE = """\
Vagrant.configure("2") do |config|
  config.vm.boot_timeout = 900
  config.vm.provider :libvirt do |libvirt|
    libvirt.driver = "qemu"
    libvirt.cpu_mode = "custom"
    libvirt.cpu_model = "qemu64"
    # QEMU 7.2 computes the flags of cmpxchg16b wrongly: the guest's kernel dies of it within
    # half a minute. Without the instruction it does otherwise.
    libvirt.cpu_feature name: "cx16", policy: "disable"
    libvirt.graphics_type = "none"
    libvirt.management_network_mode = "none"
    libvirt.memballoon_enabled = false
  end
end
"""

MACHINES = ("manager1", "worker1")
MANAGER_ADDRESS = "192.168.56.10"
DAEMON_S = 30.0
"""Longest libvirtd may take to answer, seconds; it takes about one."""

DOWN_S = 120.0
"""Longest the manager may take to miss the worker, seconds: swarm-facts say 8 to 17, on a
processor that isn't computed."""

CLOCK = time.monotonic()


def main() -> int:
    """Outside: make the place and the box, then go inside and clean up after."""
    if os.geteuid() != 0:
        return complain("the smoke test makes namespaces and starts libvirtd: run it as root")
    missing = [p for c, p in COMMANDS.items() if shutil.which(c, path=search_path()) is None]
    if missing:
        return complain(f"missing: apt-get install {' '.join(missing)}")
    sweep()
    with a_place() as work:
        say(f"building a box from Debian packages in {work}")
        with RichReport() as shown, LoggedReport(shown, work / "box.log") as report:
            box.build(work / "box", box.vagrant_key(), report)
        # The process namespace ends with its first process, and all in it ends then.
        inside = [sys.executable, "-m", "tests.vagrant.smoke", str(work)]
        with started(inside, stdout=1, stderr=2, namespaces=("--net",)) as process:
            code = process.wait()
    say(f"{work} is removed: {not work.exists()}")
    return code


def init(work: Path) -> int:
    """First process of the process namespace: buries the dead, or libvirt takes them for alive."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    child = os.fork()
    if child == 0:
        os._exit(guarded(lambda: inside(work)))
    while True:
        process, status = os.wait()
        if process == child:
            return os.waitstatus_to_exitcode(status)


def inside(work: Path) -> int:
    """In the namespaces: libvirtd, the machines, a swarm, and everything gone again."""
    seclude(work)
    # Of this process too: the provider starts Vagrant by itself.
    os.environ |= {
        "PATH": search_path(),
        "VAGRANT_HOME": str(work / "home"),
        "VAGRANT_DOTFILE_PATH": str(work / "dot"),
        "VAGRANT_DEFAULT_PROVIDER": "libvirt",
        "VAGRANT_NO_COLOR": "1",
        "SWARMLAB_BOX": box.NAME,
        "LIBVIRT_DEFAULT_URI": "qemu:///system",
        # Nothing asks for a newer Vagrant or box: there is no way out.
        "VAGRANT_CHECKPOINT_DISABLE": "1",
    }
    box.write(work / "home/Vagrantfile", HOME_VAGRANTFILE)
    lab = Lab()
    with libvirtd(lab, work):
        try:
            lab.show("vagrant", "--version")
            lab.show("virsh", "version")
            lab.show("vagrant", "validate")
            lab.show("vagrant", "box", "add", "--name", box.NAME, str(work / "box/smoke.box"))
            exercise(lab)
            take_and_give_back(lab, work)
        finally:
            lab.show("vagrant", "destroy", "--force", check=False)
            lab.show("vagrant", "box", "remove", "--all", "--force", box.NAME, check=False)
        lab.show("vagrant", "status")
        lab.show("virsh", "list", "--all")
        lab.show("virsh", "net-list", "--all")
        lab.show("ip", "-brief", "address")
    return 0


def exercise(lab: Lab) -> None:
    """Two machines up, a swarm of them, one loses its power and comes back."""
    lab.show("vagrant", "up", *MACHINES)
    lab.show("vagrant", "status")
    lab.show("ip", "-brief", "address")
    lab.show("vagrant", "ssh-config", *MACHINES)
    lab.on("worker1", "uname -a; ip -brief address; docker version; id; cat /etc/hosts")
    lab.on("manager1", "sudo exportfs -v")
    # Not shown, because of the token in it: `docker swarm init` on one, `join` on the other.
    lab.ask("manager1", f"docker swarm init --advertise-addr {MANAGER_ADDRESS}")
    token = lab.ask("manager1", "docker swarm join-token --quiet worker").strip()
    say(lab.ask("worker1", f"docker swarm join --token {token} {MANAGER_ADDRESS}:2377"))
    wait = Waiter(every=2)
    print(wait(NodeIs(lab, "worker1", "Ready"), within=DOWN_S))
    lab.on("worker1", f"sudo mount {MANAGER_ADDRESS}:/srv/nfs/swarm-data /mnt; findmnt /mnt")
    lab.on("worker1", "sudo umount /mnt")
    say("provisioning once more changes nothing")
    lab.show("vagrant", "provision", "worker1")
    lab.show("vagrant", "halt", "--force", "worker1")
    print(wait(NodeIs(lab, "worker1", "Down"), within=DOWN_S))
    lab.show("vagrant", "up", "worker1")
    print(wait(NodeIs(lab, "worker1", "Ready"), within=DOWN_S))


def take_and_give_back(lab: Lab, work: Path) -> None:
    """A run of the provider on a machine that it finds and one that it has to make."""
    lab.on("manager1", "docker swarm leave --force")
    lab.show("vagrant", "destroy", "--force", "worker1")
    say("a run takes manager1 as it is and makes worker1")
    recorder = Recorder(work / "events.jsonl")
    topology = Topology.of(1, 1)
    provider = VagrantProvider(PROJECT)
    swarm = provision(provider, topology, recorder=recorder, consoles=work / "consoles")
    try:
        say(swarm.node("manager1").run("docker", "node", "ls").stdout)
        worker = swarm.node("worker1")
        with worker.dial(22, 10) as connection:
            say(f"from here, worker1:22 says {connection.recv(40)!r}")
        with Faults(swarm).power_off(worker):
            Waiter(every=2)(swarm.node_is(worker, state="down"), within=DOWN_S)
            say(swarm.node("manager1").run("docker", "node", "ls").stdout)
        Waiter(every=2)(swarm.all_nodes_ready(), within=DOWN_S)
        say(swarm.node("manager1").run("docker", "node", "ls").stdout)
    finally:
        for node in swarm.nodes:
            node.forget_connections()
        swarm.machines.stop()
        recorder.close()
    say(f"given back; clusters left: {provider.find()}")
    lab.show("vagrant", "status")
    lab.on("manager1", "docker info --format '{{.Swarm.LocalNodeState}}'")


class Lab:
    """Runs commands in the project's directory and shows each with its output."""

    def show(self, *argv: str, check: bool = True) -> str:
        """Run and show; returns standard output. HostError when it fails and `check` is set."""
        say(f"$ {shlex.join(argv)}")
        began = time.monotonic()
        said = []
        with subprocess.Popen(
            argv,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            for line in process.stdout or ():
                if "Progress:" not in line:  # meant for a terminal, hundreds of them
                    print(line, end="", flush=True)
                said.append(line)
        say(f"ended with {process.returncode} after {time.monotonic() - began:.0f} s")
        if check and process.returncode:
            raise HostError(f"`{shlex.join(argv)}` ended with {process.returncode}")
        return "".join(said)

    def on(self, machine: str, command: str) -> str:
        """Run a command line on a machine, as a student would."""
        return self.show("vagrant", "ssh", machine, "--command", command)

    def ask(self, machine: str, command: str) -> str:
        """The same, without showing it; HostError with what was said when it fails."""
        answer = subprocess.run(
            ["vagrant", "ssh", machine, "--command", command],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode:
            raise HostError(
                f"on {machine} a command ended with {answer.returncode}: {answer.stderr}"
            )
        return answer.stdout

    def daemon_answers(self) -> bool:
        """Whether libvirtd takes requests."""
        argv = ["virsh", "version"]
        answer = subprocess.run(argv, capture_output=True, check=False)
        return answer.returncode == 0


class NodeIs:
    """The manager lists a node in that state."""

    def __init__(self, lab: Lab, machine: str, state: str) -> None:
        self.name = f"docker node ls shows {machine} {state}"
        self.node = "manager1"
        self._lab = lab
        self._row = (machine, state)

    def __call__(self) -> Done[str] | Pending | Fatal:
        """Look once; the value is the listing as a person sees it."""
        command = "docker node ls --format '{{.Hostname}} {{.Status}}'; docker node ls"
        try:
            answer = self._lab.ask("manager1", command)
        except HostError as error:
            return pending(str(error))
        if self._row not in [tuple(line.split()) for line in answer.splitlines()]:
            return pending(answer)
        listing = answer[answer.index("ID ") :]
        return done(f"{stamp()} {self.name}\n{listing}")


class DaemonAnswers:
    """libvirtd takes requests."""

    name = "libvirtd answers"
    node = None

    def __init__(self, lab: Lab, process: subprocess.Popen[bytes]) -> None:
        self._lab = lab
        self._process = process

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Look once."""
        if self._process.poll() is not None:
            return fatal(f"it ended with {self._process.returncode}")
        return done(None) if self._lab.daemon_answers() else pending("no answer")


def seclude(work: Path) -> None:
    """Give this namespace a loopback, a /sys, a /run and libvirt directories of its own."""
    call("ip", "link", "set", "lo", "up")
    # A fresh /sys shows this namespace's network devices: libvirt sets up bridges there.
    call("mount", "-t", "sysfs", "sysfs", "/sys")
    call("mount", "-t", "tmpfs", "tmpfs", "/run")
    if KVM.exists():
        # libvirt tries it whatever machines are to use, and where it doesn't work that hangs.
        call("mount", "--bind", "/dev/null", str(KVM))
    for name, place in PRIVATE.items():
        (work / name).mkdir()
        Path(place).mkdir(parents=True, exist_ok=True)
        call("mount", "--bind", str(work / name), place)
    box.write(Path("/etc/libvirt/qemu.conf"), QEMU_CONF)
    box.write(Path("/etc/libvirt/libvirtd.conf"), 'auth_unix_rw = "none"\n')


@contextmanager
def libvirtd(lab: Lab, work: Path) -> Iterator[None]:
    """A libvirtd of this run's own, ended at the end."""
    with (work / "libvirtd.log").open("wb") as log:
        daemon = shutil.which("libvirtd", path=search_path()) or "libvirtd"
        process = subprocess.Popen([daemon], stdout=log, stderr=log)
        try:
            Waiter(every=0.2)(DaemonAnswers(lab, process), within=DAEMON_S)
            yield
        except BaseException:
            print((work / "libvirtd.log").read_text(encoding="utf-8", errors="replace")[-4000:])
            raise
        finally:
            process.terminate()
            process.wait()
            say(f"libvirtd (process {process.pid}) has ended")


@contextmanager
def a_place() -> Iterator[Path]:
    """A directory on a disk for everything; locked while in use, removed after."""
    work = Path(tempfile.mkdtemp(prefix=PREFIX, dir=PLACE))
    lock = os.open(work, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield work
    finally:
        shutil.rmtree(work)
        os.close(lock)


def sweep() -> None:
    """Remove the directories of runs that were killed."""
    for left in PLACE.glob(f"{PREFIX}*"):
        lock = os.open(left, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(left)
        finally:
            os.close(lock)


def call(*argv: str) -> None:
    """Run a command of the host; CalledProcessError when it fails."""
    subprocess.run(argv, check=True, env=os.environ | {"PATH": search_path()})


def stamp() -> str:
    """How long this has been going on."""
    return f"[{time.monotonic() - CLOCK:6.1f} s]"


def say(text: str) -> None:
    """One line of our own between the commands' output."""
    print(f"{stamp()} {text}", flush=True)


def complain(text: str) -> int:
    """Say why it can't go on; returns the exit code."""
    print(text, file=sys.stderr)
    return 1


def guarded(act: Callable[[], int]) -> int:
    """Do it; say in a sentence what went wrong and return 1 then."""
    try:
        return act()
    except (SwarmlabError, subprocess.CalledProcessError) as error:
        return complain(str(error))


if __name__ == "__main__":
    # Ended by `kill`, it cleans up as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(init(Path(sys.argv[1])) if sys.argv[1:] else guarded(main))
