"""Stands in for `vagrant` and `ssh`: machines are lines of a JSON file beside the Vagrantfile.

Run as a program; told apart by the name it was called by. Every call is noted in `calls`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

HOME = Path(os.environ["FAKE_VAGRANT"])


def vagrant(words: list[str]) -> int:
    """Do as Vagrant would to machines that are only names."""
    with (HOME / "calls").open("a") as calls:
        calls.write(" ".join(words) + "\n")
    file = HOME / "machines.json"
    machines: dict[str, str] = json.loads(file.read_text())
    command, *rest = words
    if command in os.environ.get("FAKE_FAILS", "").split():
        sys.stderr.write("==> manager1: something\nThe box is \x1b[31mbroken.\n")
        return 1
    names = [word for word in rest if word in machines]
    if command == "status":
        for name, state in machines.items():
            sys.stdout.write(f"1,{name},metadata,provider,libvirt\n1,{name},state,{state}\n")
        return 0
    if command == "ssh-config":
        if machines[names[0]] != "running":
            return 1
        sys.stdout.write(f"Host {names[0]}\n  HostName 127.0.0.1\n  User vagrant\n  Port 22\n\n")
        return 0
    if command == "ssh":
        return 0
    after = {"up": "running", "halt": "shutoff", "destroy": "not_created"}[command]
    for name in names:
        machines[name] = after
    # Whole or not at all: others read it meanwhile.
    new = file.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(machines))
    new.replace(file)
    return 0


def ssh(words: list[str]) -> int:
    """Answer what the provider asks of a machine."""
    node, command = words[-2:]
    facts: dict[str, str] = json.loads((HOME / "facts.json").read_text())
    if "dial-stdio" in command:
        sys.stdout.write("HTTP/1.0 200 OK\r\n\r\n")
    elif "brief" in command:
        sys.stdout.write(f"eth1 UP {facts[node]}/24\n")
    elif "LocalNodeState" in command:
        return 0 if node in facts["in a swarm"].split() else 1
    else:
        sys.stdin.buffer.read()  # The connection that is held.
    return 0


if __name__ == "__main__":
    act = ssh if Path(sys.argv[0]).name == "ssh" else vagrant
    sys.exit(act(sys.argv[1:]))
