"""Criterion "Stockage distribué": the NFS server, its mounts, and the volumes on it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_network

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.marking.state.basis import Look, exercise, judged
from pytest_swarmlab.model import Judgement
from pytest_swarmlab.survey import readings
from pytest_swarmlab.survey.machine import Attached, Machine, Mount
from pytest_swarmlab.survey.seen import Service

EVERYBODY = {"*", "", "<world>"}
ITSELF = {"localhost", "127.0.0.1", "::1"}
VERSION = re.compile(r"^(?:nfsvers|vers)=(\d)")


def servers(look: Look) -> list[Machine]:
    """Machines that export a directory."""
    there, _ = look.systems("exports")
    return [machine for machine, system in there if system.exports]


def client_mounts(look: Look) -> Iterator[tuple[Machine, Mount]]:
    """Shares that machines have mounted, without those that engines mounted for a volume."""
    for machine, _ in look.systems("mounts")[0]:
        for mount in machine.shares:
            yield machine, mount


def _its_own(machine: Machine, mount: Mount) -> bool:
    """Whether the machine has mounted a share of itself."""
    host = mount.source.partition(":/")[0].strip("[]")
    addresses = (machine.system.addresses or ()) if machine.system else ()
    called = {machine.engine.name} if machine.engine else set()
    return host in {machine.name, machine.address, *addresses, *called, *ITSELF}


def _everybody(client: str) -> bool:
    """Whether an export to that client is one to every host."""
    try:
        return ip_network(client, strict=False).prefixlen == 0
    except ValueError:
        return client in EVERYBODY


def clients(look: Look) -> list[Machine]:
    """Members that must mount the share: all but the server."""
    serving = {machine.name for machine in servers(look)}
    return [machine for machine in look.members("system") if machine.name not in serving]


@exercise.claim(
    "storage",
    "server",
    title="A machine exports a directory over NFS",
    expected="a machine with an export and a running NFS server",
    hint="Exercise 2.4: /etc/exports, `exportfs -ra`, `systemctl start nfs-server`.",
)
def server(look: Look) -> Judgement:
    """Any machine of the cluster may be the server."""
    there, missing = look.systems("exports")
    serving = [(machine, system) for machine, system in there if system.exports]
    if not serving and (other := sorted({m.type for _, m in client_mounts(look) if not m.nfs})):
        raise Unseen(f"{', '.join(other)} is used instead of NFS, which no check can judge")
    seen = [f"{m.name} exports {', '.join(e.path for e in s.exports or ())}" for m, s in serving]
    if not serving:
        return _no_export(missing)
    wrong = []
    for machine, system in serving:
        unit = system.unit("nfs-server.service")
        if system.units is None:
            missing.append(f"the units of {machine.name}")
        elif unit is None or not unit.on:
            wrong.append(f"nfs-server does not run on {machine.name}")
    return judged("; ".join(seen), wrong=wrong, missing=[] if not wrong and seen else missing)


def _no_export(missing: list[str]) -> Judgement:
    wrong = [] if missing else ["no machine exports a directory"]
    return judged("read every machine's exports", wrong=wrong, missing=missing)


@exercise.claim(
    "storage",
    "comes-back",
    title="The NFS server starts when its machine boots",
    expected="nfs-server is enabled on each machine that exports a directory",
    hint="`systemctl enable nfs-server`: after a reboot every node waits for it.",
)
def comes_back(look: Look) -> Judgement:
    """As systemd reports it."""
    there, missing = look.systems("exports")
    serving = [(machine, system) for machine, system in there if system.exports]
    if not serving:
        if any(not mount.nfs for _, mount in client_mounts(look)):
            raise Unseen("another file system is used instead of NFS, which no check can judge")
        return _no_export(missing)
    wrong, unseen = [], []
    for machine, system in serving:
        unit = system.unit("nfs-server.service")
        if system.units is None:
            unseen.append(f"the units of {machine.name}")
        elif unit is None or not unit.comes_back:
            wrong.append(f"nfs-server is not enabled on {machine.name}")
    names = ", ".join(machine.name for machine, _ in serving)
    return judged(f"the units of {names}", wrong=wrong, missing=unseen)


@exercise.claim(
    "storage",
    "export-limited",
    title="The share is exported to the cluster's network, not to every host",
    expected="each export names a network or hosts",
    hint="/etc/exports: `192.168.56.0/24(…)` instead of `*(…)`.",
)
def export_limited(look: Look) -> Judgement:
    """The clients of each export."""
    there, _ = look.systems("exports")
    exports = [(m.name, e) for m, system in there for e in system.exports or ()]
    if not exports:
        raise Unseen("no machine exports a directory")
    wrong = [
        f"{name} exports {e.path} to every host" for name, e in exports if _everybody(e.client)
    ]
    seen = ", ".join(sorted({f"{e.path} to {e.client}" for _, e in exports}))
    return judged(seen, wrong=wrong)


@exercise.claim(
    "storage",
    "client",
    title="A node has mounted the share",
    expected="the share is mounted on at least one node besides the server",
    hint="Exercise 2.4: `apt-get install nfs-common`, then `mount` on each node.",
)
def client(look: Look) -> Judgement:
    """By the kernel's list of mounts."""
    there, missing = look.systems("mounts")
    has = {machine.name for machine, m in client_mounts(look) if not _its_own(machine, m)}
    if has:
        return judged(f"mounted on {', '.join(sorted(has))}")
    wrong = [] if missing else ["no node has mounted another machine's share"]
    return judged(f"the mounts of {len(there)} machines", wrong=wrong, missing=missing)


@exercise.claim(
    "storage",
    "mounted",
    title="The share is mounted on every node",
    expected="the share is mounted on each node but the server",
    hint="Exercise 2.4: `mount SERVER:/srv/nfs/swarm-data /mnt/nfs/swarm-data` on all nodes.",
)
def mounted(look: Look) -> Judgement:
    """By the kernel's list of mounts."""
    _, missing = look.systems("mounts")
    has = {machine.name: mount.target for machine, mount in client_mounts(look)}
    wanted = clients(look)
    unseen = {m.name for m in wanted if m.system is None or m.system.mounts is None}
    wrong = [
        f"not on {machine.name}"
        for machine in wanted
        if machine.name not in has and machine.name not in unseen
    ]
    seen = f"a share is mounted on {', '.join(sorted(has)) or 'no node'}"
    return judged(seen, wrong=wrong, missing=missing)


@exercise.claim(
    "storage",
    "fstab",
    title="Each node mounts the share when it boots",
    expected="a line for the share in the fstab of each node but the server",
    hint="/etc/fstab: `SERVER:/srv/nfs/swarm-data /mnt/nfs/swarm-data nfs defaults,_netdev 0 0`.",
)
def fstab(look: Look) -> Judgement:
    """Lines of network file systems."""
    there, missing = look.systems("fstab")
    wanted = {machine.name for machine in clients(look)}
    wrong = [
        f"no line on {machine.name}"
        for machine, system in there
        if machine.name in wanted and not any(line.shared for line in system.fstab or ())
    ]
    return judged(f"the fstab of {len(there)} machines", wrong=wrong, missing=missing)


@exercise.claim(
    "storage",
    "netdev",
    title="A booting node waits for its network before it mounts the share",
    expected="`_netdev` in each fstab line of a share",
    hint="Without `_netdev` a node may mount before it has an address, and hang during boot.",
)
def netdev(look: Look) -> Judgement:
    """Each fstab line of a share."""
    there, missing = look.systems("fstab")
    lines = [(m.name, line) for m, system in there for line in system.fstab or () if line.shared]
    if not lines:
        raise Unseen("no fstab has a line of a share")
    wrong = [f"not on {name}" for name, line in lines if "_netdev" not in line.options]
    return judged(f"{len(lines)} lines", wrong=wrong, missing=missing)


@exercise.claim(
    "storage",
    "hard",
    title="Writes wait while the NFS server is away, instead of failing",
    expected="every NFS mount is hard and of version 4",
    hint="With `soft` a write fails and data is lost when the server is away for a moment.",
)
def hard(look: Look) -> Judgement:
    """The kernel's mount options, those of volumes included."""
    there, missing = look.systems("mounts")
    found = [(m.name, mount) for m, system in there for mount in system.mounts or () if mount.nfs]
    if not found:
        raise Unseen("no machine has mounted NFS")
    wrong = []
    for name, mount in found:
        if "soft" in mount.options or "softerr" in mount.options:
            wrong.append(f"on {name} {mount.target} is soft")
        version = next((v[1] for o in mount.options if (v := VERSION.match(o))), "4")
        if version != "4":
            wrong.append(f"on {name} {mount.target} is of version {version}")
    return judged(f"{len(found)} mounts", wrong=wrong, missing=missing)


def kept_distributed(look: Look) -> list[tuple[Service, Attached, str]]:
    """Data of services that every node can reach, and how that was seen."""
    return [
        (service, attached, how)
        for service in look.services
        for attached in service.attached
        if (how := readings.distributed(look.survey, attached))
    ]


@exercise.claim(
    "storage",
    "used",
    title="Services keep data on the share",
    expected="at least one service has a volume of type nfs or of a plugin, or a bind below the"
    " mounted share",
    hint="Exercise 2.4: `--mount type=volume,volume-opt=type=nfs,…`, or `driver_opts` in a stack.",
)
def used(look: Look) -> Judgement:
    """Definitions of services, and volumes on machines."""
    kept = kept_distributed(look)
    seen = ", ".join(sorted({f"{service.name} ({at.target})" for service, at, _ in kept}))
    wrong = [] if kept else ["no service keeps data on a share"]
    return judged(seen or f"{len(look.services)} services", wrong=wrong)


def nfs_volumes(look: Look) -> list[tuple[str, dict[str, str]]]:
    """Volumes of type nfs, in services' definitions and on machines: (owner, options)."""
    found = [
        (f"{a.source} as {service.name} defines it", dict(a.options))
        for service in look.services
        for a in service.attached
        if a.options.get("type", "").startswith("nfs")
    ]
    found += [
        (f"{volume.name} on {machine.name}", dict(volume.options))
        for machine in look.members("volumes")
        for volume in machine.volumes or ()
        if volume.options.get("type", "").startswith("nfs")
    ]
    return found


@exercise.claim(
    "storage",
    "volume-options",
    title="Each NFS volume has NFS version 4 and no soft mount in its options",
    expected="`nfsvers=4…` and no `soft` in the options of each",
    hint="driver_opts: `o: addr=…,rw,nfsvers=4.2,hard`. Without a version the engine mounts"
    " version 3, where a lost node's locks stay for ever. First remove the volume on every node:"
    " an existing volume keeps its options.",
)
def volume_options(look: Look) -> Judgement:
    """Only written options count, since defaults differ between machines."""
    volumes = nfs_volumes(look)
    if not volumes:
        raise Unseen("there is no volume of type nfs")
    wrong = []
    for whose, options in volumes:
        words = options.get("o", "").split(",")
        version = next((v[1] for word in words if (v := VERSION.match(word))), "")
        if version != "4":
            wrong.append(f"{whose} has {f'version {version}' if version else 'no version'}")
        if "soft" in words or "softerr" in words:
            wrong.append(f"{whose} is soft")
    missing = [
        f"volumes of {m.name}: {m.errors['volumes']}"
        for m in look.members("volumes")
        if "volumes" in m.errors
    ]
    return judged(f"{len(volumes)} NFS volumes", wrong=wrong, missing=missing)


@exercise.claim(
    "storage",
    "volume-as-defined",
    title="Volumes on the nodes have the options of their definitions",
    expected="on every node the options of the definition",
    hint="An existing volume keeps its options: `docker volume rm` it on every node, then deploy"
    " again.",
)
def volume_as_defined(look: Look) -> Judgement:
    """Volumes with options in a definition, against volumes of the same name on machines."""
    defined = {
        a.source: (service.name, a.options)
        for service in look.services
        for a in service.attached
        if a.kind == "volume" and a.options
    }
    if not defined:
        raise Unseen("no service defines a volume with options")
    wrong, missing, seen = [], [], 0
    for machine in look.members("volumes"):
        if machine.volumes is None:
            missing.append(f"volumes of {machine.name}: {machine.errors.get('volumes', '')}")
        for volume in machine.volumes or ():
            if volume.name in defined:
                seen += 1
                service, options = defined[volume.name]
                if dict(volume.options) != dict(options):
                    wrong.append(f"{volume.name} on {machine.name} is not as {service} defines it")
    if not seen:
        missing.append("no machine has one of them")
    return judged(f"{seen} volumes on machines", wrong=wrong, missing=missing)


@exercise.claim(
    "storage",
    "own-directory",
    title="Each database has a directory of its own on the share",
    expected="no database in the share's root, no two in one directory",
    hint="A database sets the mode of its directory to 0700. In the share's root that locks out"
    " all other services: `mkdir` a directory for each.",
)
def own_directory(look: Look) -> Judgement:
    """The directories of services' data on the server."""
    there, _ = look.systems("exports")
    roots = {e.path.rstrip("/") for _, system in there for e in system.exports or ()}
    places: dict[str, set[str]] = defaultdict(set)
    for service, attached, _ in kept_distributed(look):
        places[_place(look, attached)].add(service.name)
    if not places:
        raise Unseen("no service keeps data on a share")
    data = {s.name for s in look.services if readings.is_a(s, readings.DATABASES)}
    wrong = [
        f"in {place}, the share's root: {', '.join(sorted(who))}"
        for place, who in places.items()
        if place.rstrip("/") in roots
    ]
    wrong += [
        f"{', '.join(sorted(who & data))} share {place}"
        for place, who in places.items()
        if len(who & data) > 1
    ]
    return judged(f"in use: {', '.join(sorted(places))}", wrong=wrong)


def _place(look: Look, attached: Attached) -> str:
    """The directory on the server."""
    if attached.kind == "bind":
        target = readings.share_of(look.survey, attached.source)
        source = look.survey.share_targets[target].partition(":")[2]
        return source + attached.source[len(target) :]
    there = (volume.options for volume in look.survey.volumes(attached.source))
    device = next((o["device"] for o in (attached.options, *there) if o.get("device")), "")
    return device.partition(":")[2] or device
