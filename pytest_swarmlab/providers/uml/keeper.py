"""Keeps one cluster of User-mode Linux nodes: the only process that lives with them.

It is started inside network, mount and PID namespaces of its own and builds the
lab network there. Everything the cluster needs is its descendant, so when it
ends, for whatever reason, the kernel removes the nodes, the taps, the bridge
and the mounts with the namespaces.

It ends when its owner closes the pipe on its standard input (which the kernel
does for a killed owner too), unless the cluster was kept.

Stands alone on the standard library: it is run by path, as
``python -I keeper.py PLAN``, with none of the package on its path.

The gate, a Unix socket, takes one JSON object a connection and answers with
one: ``{"do": "power-off", "node": "manager1"}`` → ``{"ok": true}`` or
``{"ok": false, "error": …}``. ``dial`` answers with a connected socket as
ancillary data, so that its caller can talk to a node from outside the namespace.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BRIDGE = "lab"
LINK_RETRY_S = 0.2
"""Pause between two tries to open a node's SSH port while it boots."""


class Node:
    """One machine: its process, its console, and the SSH master connection to it."""

    def __init__(self, spec: dict[str, Any], plan: dict[str, Any], cpu: int) -> None:
        """Prepare a machine of the plan for one processor; it gets no power yet."""
        self._cpu = cpu
        self.name: str = spec["name"]
        self.tap: str = spec["tap"]
        self.address: str = spec["address"]
        self._spec = spec
        self._plan = plan
        self._process: subprocess.Popen[bytes] | None = None
        self._ssh: subprocess.Popen[bytes] | None = None
        self._powered = threading.Event()
        self._ended = threading.Event()
        self.boots = 0
        threading.Thread(target=self._stay_linked, name=f"link-{self.name}", daemon=True).start()

    def power_on(self) -> None:
        """Start the machine on the disk it has."""
        if self.running():
            return
        plan, name = self._plan, self.name
        self.boots += 1
        argv = [
            plan["kernel"],
            f"ubd0={plan['state']}/{name}.cow,{plan['base']}",
            f"ubd1r={self._spec['seed']}",
            "root=/dev/ubda",
            "rw",
            f"mem={self._spec['memory_mib']}M",
            network_card(plan["card"], self.tap, hardware_address(self.address)),
            "con0=null,fd:1",
            "con=null",
            f"umid={name}-{self.boots}",
            f"uml_dir={plan['state']}/uml/",
            *plan["kernel_words"],
        ]
        with Path(plan["consoles"], f"{name}.log").open("ab") as console, _on_processor(self._cpu):
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={
                    "TMPDIR": f"{plan['state']}/mem",
                    "PATH": os.environ.get("PATH", ""),
                    plan["preload_variable"]: plan["preload"],
                },
                start_new_session=True,
            )
        self._powered.set()

    def power_off(self) -> None:
        """Cut the power: nothing of the machine may live on, nothing is flushed."""
        self._powered.clear()
        if self._process:
            # The node's processes share one session: none may outlive the machine.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        if self._ssh:
            self._ssh.kill()
        Path(self._plan["state"], f"{self.name}.engine").unlink(missing_ok=True)

    def replace(self) -> None:
        """Throw the machine away with all that it wrote; another boots in its place."""
        self.power_off()
        Path(self._plan["state"], f"{self.name}.cow").unlink(missing_ok=True)
        self.power_on()

    def running(self) -> bool:
        """Whether the machine's kernel is alive."""
        return self._process is not None and self._process.poll() is None

    def pause(self) -> None:
        """Freeze the machine."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        # Only the kernel's process: its guests are traced by it and stand still with it.
        if not (self._process and self.running()):
            raise RuntimeError(f"{self.name} is not running")
        os.kill(self._process.pid, number)

    def _stay_linked(self) -> None:
        """While there is power, hold an SSH connection that forwards the engine's socket."""
        while not self._ended.is_set():
            self._powered.wait()
            try:
                socket.create_connection((self.address, 22), timeout=2).close()
            except OSError:
                self._ended.wait(LINK_RETRY_S)
                continue
            # A connection that was killed leaves its socket, and ssh would not replace it.
            Path(self._plan["state"], f"{self.name}.ssh").unlink(missing_ok=True)
            with Path(self._plan["consoles"], f"{self.name}.ssh.log").open("ab") as log:
                self._ssh = subprocess.Popen(
                    [
                        "ssh", "-F", f"{self._plan['state']}/ssh_config",
                        "-o", "ProxyCommand=none", "-o", "ControlMaster=yes",
                        "-o", "ExitOnForwardFailure=yes", "-N",
                        "-L", f"{self._plan['state']}/{self.name}.engine:/run/docker.sock",
                        self.name,
                    ],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
            self._ssh.wait()
            self._ended.wait(LINK_RETRY_S)


class Keeper:
    """The nodes of one cluster and the gate to them."""

    def __init__(self, plan: dict[str, Any]) -> None:
        """Build the lab network and prepare the plan's nodes."""
        self.plan = plan
        self.state = Path(plan["state"])
        self._kept = False
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._network()
        cpus = processors(len(plan["nodes"]), sorted(os.sched_getaffinity(0)))
        self.nodes = {
            spec["name"]: Node(spec, plan, cpu)
            for spec, cpu in zip(plan["nodes"], cpus, strict=True)
        }

    def _network(self) -> None:
        """The lab network: one bridge, one fresh tap a node, and the client's own address."""
        mem = self.state / "mem"
        mem.mkdir()
        (self.state / "uml").mkdir()
        size = sum(spec["memory_mib"] for spec in self.plan["nodes"]) + 256
        _run("mount", "-t", "tmpfs", "-o", f"size={size}m,mode=0700", "swarmlab", str(mem))
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", BRIDGE, "type", "bridge")
        _run("ip", "address", "add", self.plan["client"], "dev", BRIDGE)
        _run("ip", "link", "set", BRIDGE, "up")
        # The client's address is on the bridge alone: no tap that was unplugged answers for it.
        Path("/proc/sys/net/ipv4/conf/all/arp_ignore").write_text("1", encoding="ascii")
        for spec in self.plan["nodes"]:
            _run("ip", "tuntap", "add", "mode", "tap", "name", spec["tap"])
            _run("ip", "link", "set", spec["tap"], "master", BRIDGE, "up")

    def serve(self) -> None:
        """Start the nodes, answer at the gate, return when the cluster is to end."""
        gate = socket.socket(socket.AF_UNIX)
        gate.bind(str(self.state / "gate"))
        gate.listen(64)
        for node in self.nodes.values():
            node.power_on()
        threading.Thread(target=self._accept, args=(gate,), daemon=True).start()
        threading.Thread(target=self._watch_owner, daemon=True).start()
        print("ready", flush=True)  # noqa: T201 - the owner waits for this line
        self._over.wait()
        for node in self.nodes.values():
            node.power_off()
        # A mount point can't be removed; the memory of a process that is still dying may be in it.
        _run("umount", "--lazy", str(self.state / "mem"))
        shutil.rmtree(self.state)

    def _watch_owner(self) -> None:
        while os.read(0, 1):
            pass
        if not self._kept:
            self._over.set()

    def _accept(self, gate: socket.socket) -> None:
        while True:
            connection, _ = gate.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            try:
                request = json.loads(lines.readline())
                if request["do"] == "dial":
                    self._dial(connection, request)
                    return
                answer: dict[str, Any] = {"ok": True, **self._do(request)}
            except Exception as error:  # noqa: BLE001 - whatever it was, the caller is told
                answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
            with contextlib.suppress(OSError):
                connection.sendall(json.dumps(answer).encode() + b"\n")
            if answer.get("over"):
                self._over.set()

    def _dial(self, connection: socket.socket, request: dict[str, Any]) -> None:
        address = (self.nodes[request["node"]].address, request["port"])
        try:
            with socket.create_connection(address, timeout=request["timeout"]) as dialled:
                socket.send_fds(connection, [b'{"ok": true}\n'], [dialled.fileno()])
        except OSError as error:
            code = errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno
            answer = {"ok": False, "errno": code, "error": os.strerror(code or errno.EIO)}
            with contextlib.suppress(OSError):
                connection.sendall(json.dumps(answer).encode() + b"\n")

    def _do(self, request: dict[str, Any]) -> dict[str, Any]:
        what = request["do"]
        if what == "status":
            return {
                "kept": self._kept,
                "running": {name: node.running() for name, node in self.nodes.items()},
            }
        if what == "keep":
            self._kept = True
            return {}
        if what == "end":
            return {"over": True}
        node = self.nodes[request["node"]]
        with self._lock:
            match what:
                case "power-off":
                    node.power_off()
                case "power-on":
                    node.power_on()
                case "replace":
                    node.replace()
                case "pause":
                    node.pause()
                case "resume":
                    node.resume()
                # The tap stays up: the newer kernel's card gives a tap up for good once it is down.
                case "link-down":
                    _run("ip", "link", "set", node.tap, "nomaster")
                case "link-up":
                    _run("ip", "link", "set", node.tap, "master", BRIDGE)
                case _:
                    raise ValueError(f"the keeper has no command {what!r}")
        return {}


def hardware_address(address: str) -> str:
    """A hardware address for each IPv4 address, the same at every boot.

    The kernel's default is another one at each boot, and machines that had connections to the old
    one go on sending there for half a minute: a new boot was reached after 42 s instead of 15 s.
    """
    return "02:53:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def network_card(kind: str, tap: str, address: str) -> str:
    """The kernel's word for a card of that kind on a tap, with a hardware address.

    Queues of 64 packets: the kernel warns of longer ones, and shorter ones are no quicker.
    """
    if kind == "vector":
        return f"vec0:transport=tap,ifname={tap},depth=64,gro=1,mac={address}"
    return f"eth0=tuntap,{tap},{address}"


def processors(nodes: int, cpus: list[int]) -> list[int]:
    """A processor for each node, the least loaded in turn.

    A node's kernel and its programs are processes that wake each other at every
    system call; apart, each of those costs an interrupt between processors. Kept
    together, one node boots in 3.1 s instead of 6.9 s (measured on two cores). The
    first node counts more: it makes the swarm while the others still boot.
    """
    load = dict.fromkeys(cpus, 0.0)
    chosen = []
    for number in range(nodes):
        cpu = min(cpus, key=lambda c: load[c])
        load[cpu] += 1.5 if number == 0 else 1.0
        chosen.append(cpu)
    return chosen


@contextlib.contextmanager
def _on_processor(cpu: int) -> Iterator[None]:
    """Children that this thread starts in the block stay on that processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")


def main(plan: str) -> None:
    """Read the plan (a JSON file), become the cluster's keeper, return when it is over."""
    # As the first process of the PID namespace this one inherits every orphan:
    # it only reaps, and the keeper proper is its child.
    worker = os.fork()
    if worker:
        while os.wait()[0] != worker:
            pass
        return
    Keeper(json.loads(Path(plan).read_text(encoding="utf-8"))).serve()


if __name__ == "__main__":
    main(sys.argv[1])
