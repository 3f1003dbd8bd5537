"""Criterion "Stockage distribué": the lab's NFS, mounted everywhere and used by volumes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.marking.state.basis import Look, exercise, judged
from pytest_swarmlab.model import Judgement
from pytest_swarmlab.survey import readings
from pytest_swarmlab.survey.machine import Attached, Machine, Mount
from pytest_swarmlab.survey.seen import Service

EVERYBODY = {"*", "", "0.0.0.0/0", "::/0", "<world>"}
VERSION = re.compile(r"^(?:nfsvers|vers)=(\d)")


def servers(look: Look) -> list[Machine]:
    """Machines that export a directory."""
    there, _ = look.systems("exports")
    return [machine for machine, system in there if system.exports]


def client_mounts(look: Look) -> Iterator[tuple[Machine, Mount]]:
    """Shares that machines have mounted themselves, not their engines for a volume."""
    for machine, _ in look.systems("mounts")[0]:
        for mount in machine.shares:
            yield machine, mount


def clients(look: Look) -> list[Machine]:
    """Members that are to mount the share: all but the server itself."""
    serving = {machine.name for machine in servers(look)}
    return [machine for machine in look.members("system") if machine.name not in serving]


@exercise.claim(
    "storage",
    "server",
    title="A machine exports a directory over NFS",
    expected="one exports it, and its NFS server runs",
    hint="Exercise 2.4: /etc/exports, `exportfs -ra`, `systemctl start nfs-server`.",
)
def server(look: Look) -> Judgement:
    """Any machine of the cluster may be it."""
    there, missing = look.systems("exports")
    serving = [(machine, system) for machine, system in there if system.exports]
    if not serving and (other := sorted({m.type for _, m in client_mounts(look) if not m.nfs})):
        raise Unseen(f"{', '.join(other)} is used instead of NFS, and nobody here can judge that")
    seen = [f"{m.name} exports {', '.join(e.path for e in s.exports or ())}" for m, s in serving]
    if not serving:
        wrong = [] if missing else ["no machine exports anything"]
        return judged("looked at every machine's exports", wrong=wrong, missing=missing)
    wrong = []
    for machine, system in serving:
        unit = system.unit("nfs-server.service")
        if system.units is None:
            missing.append(f"the units of {machine.name}")
        elif unit is None or not unit.on:
            wrong.append(f"nfs-server does not run on {machine.name}")
    return judged("; ".join(seen), wrong=wrong, missing=[] if not wrong and seen else missing)


@exercise.claim(
    "storage",
    "comes-back",
    title="The NFS server is started with its machine",
    expected="nfs-server is enabled where a directory is exported",
    hint="`systemctl enable nfs-server`: after a reboot every node waits for it.",
)
def comes_back(look: Look) -> Judgement:
    """By systemd's word."""
    there, missing = look.systems("exports")
    serving = [(machine, system) for machine, system in there if system.exports]
    if not serving:
        if any(not mount.nfs for _, mount in client_mounts(look)):
            raise Unseen("something else is used instead of NFS, and nobody here can judge that")
        wrong = [] if missing else ["no machine exports anything"]
        return judged("looked at every machine's exports", wrong=wrong, missing=missing)
    wrong, unseen = [], []
    for machine, system in serving:
        unit = system.unit("nfs-server.service")
        if system.units is None:
            unseen.append(f"the units of {machine.name}")
        elif unit is None or not unit.comes_back:
            wrong.append(f"nfs-server is not enabled on {machine.name}")
    names = ", ".join(machine.name for machine, _ in serving)
    return judged(f"looked at {names}", wrong=wrong, missing=unseen)


@exercise.claim(
    "storage",
    "export-limited",
    title="The share is exported to the cluster's network, not to everybody",
    expected="each export names a network or hosts",
    hint="/etc/exports: `192.168.56.0/24(…)` instead of `*(…)`.",
)
def export_limited(look: Look) -> Judgement:
    """Whom it is exported to."""
    there, _ = look.systems("exports")
    exports = [(m.name, e) for m, system in there for e in system.exports or ()]
    if not exports:
        raise Unseen("no machine exports anything")
    wrong = [
        f"{name} exports {e.path} to everybody" for name, e in exports if e.client in EVERYBODY
    ]
    seen = ", ".join(sorted({f"{e.path} to {e.client}" for _, e in exports}))
    return judged(seen, wrong=wrong)


@exercise.claim(
    "storage",
    "client",
    title="A node has mounted the share",
    expected="at least one node besides the server has",
    hint="Exercise 2.4: `apt-get install nfs-common`, then `mount` on each node.",
)
def client(look: Look) -> Judgement:
    """By the kernel's list."""
    there, missing = look.systems("mounts")
    has = {machine.name for machine, _ in client_mounts(look)}
    if has:
        return judged(f"mounted on {', '.join(sorted(has))}")
    wrong = [] if missing else ["no node has mounted one"]
    return judged(f"looked at {len(there)} machines", wrong=wrong, missing=missing)


@exercise.claim(
    "storage",
    "mounted",
    title="The share is mounted on every node",
    expected="on each node but the server itself",
    hint="Exercise 2.4: `mount SERVER:/srv/nfs/swarm-data /mnt/nfs/swarm-data` on all nodes.",
)
def mounted(look: Look) -> Judgement:
    """By the kernel's list."""
    _, missing = look.systems("mounts")
    has = {machine.name: mount.target for machine, mount in client_mounts(look)}
    wanted = clients(look)
    unseen = {machine.name for machine in wanted if not (machine.system and machine.system.mounts)}
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
    title="It is mounted again when a node is started",
    expected="a line for it in the fstab of each node but the server's",
    hint="/etc/fstab: `SERVER:/srv/nfs/swarm-data /mnt/nfs/swarm-data nfs defaults,_netdev 0 0`.",
)
def fstab(look: Look) -> Judgement:
    """Lines of file systems of the network."""
    there, missing = look.systems("fstab")
    wanted = {machine.name for machine in clients(look)}
    wrong = [
        f"not in that of {machine.name}"
        for machine, system in there
        if machine.name in wanted and not any(line.shared for line in system.fstab or ())
    ]
    return judged(f"looked at the fstab of {len(there)} machines", wrong=wrong, missing=missing)


@exercise.claim(
    "storage",
    "netdev",
    title="A node that is started waits for its network before it mounts the share",
    expected="`_netdev` in each such line",
    hint="Without it a node may try to mount before it has an address, and hang at its boot.",
)
def netdev(look: Look) -> Judgement:
    """Where there are lines."""
    there, missing = look.systems("fstab")
    lines = [(m.name, line) for m, system in there for line in system.fstab or () if line.shared]
    if not lines:
        raise Unseen("no fstab has a line of a share")
    wrong = [f"not in that of {name}" for name, line in lines if "_netdev" not in line.options]
    return judged(f"{len(lines)} lines", wrong=wrong, missing=missing)


@exercise.claim(
    "storage",
    "hard",
    title="A node waits for the share instead of losing what it writes",
    expected="every NFS mount is hard and of version 4",
    hint="`soft` gives a program an error, and data is lost, when the server is away for a moment.",
)
def hard(look: Look) -> Judgement:
    """The options with which the kernel has mounted, volumes' too."""
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
    """What services keep where every node finds it, and how that was seen."""
    return [
        (service, attached, how)
        for service in look.services
        for attached in service.attached
        if (how := readings.distributed(look.survey, attached))
    ]


@exercise.claim(
    "storage",
    "used",
    title="Services keep data there",
    expected="at least one service has a volume of type nfs or of a plugin, or a bind below the"
    " mounted share",
    hint="Exercise 2.4: `--mount type=volume,volume-opt=type=nfs,…`, or `driver_opts` in a stack.",
)
def used(look: Look) -> Judgement:
    """By definitions, and the volumes on machines."""
    kept = kept_distributed(look)
    seen = ", ".join(sorted({f"{service.name} ({at.target})" for service, at, _ in kept}))
    wrong = [] if kept else ["no service keeps anything on a share"]
    return judged(seen or f"{len(look.services)} services", wrong=wrong)


def nfs_volumes(look: Look) -> list[tuple[str, dict[str, str]]]:
    """Volumes of type nfs, as services define them and as machines have them: whose, options."""
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
    title="Each NFS volume says its version and waits for the server",
    expected="`nfsvers=4…` and no `soft` in the options of each",
    hint="driver_opts: `o: addr=…,rw,nfsvers=4.2,hard`. Without a version the engine mounts"
    " version 3, where a lost node's locks stay for ever. Remove the volume on every node first:"
    " one that is there keeps its options.",
)
def volume_options(look: Look) -> Judgement:
    """What was written, since a default is another one on another machine."""
    volumes = nfs_volumes(look)
    if not volumes:
        raise Unseen("there is no volume of type nfs")
    wrong = []
    for whose, options in volumes:
        words = options.get("o", "").split(",")
        version = next((v[1] for word in words if (v := VERSION.match(word))), "")
        if version != "4":
            wrong.append(f"{whose} says {f'version {version}' if version else 'no version'}")
        if "soft" in words or "softerr" in words:
            wrong.append(f"{whose} is soft")
    missing = [
        f"volumes of {m.name}: {m.errors['volumes']}"
        for m in look.members("volumes")
        if "volumes" in m.errors
    ]
    return judged(f"{len(volumes)} looked at", wrong=wrong, missing=missing)


@exercise.claim(
    "storage",
    "volume-as-defined",
    title="Volumes are what their services' definitions say",
    expected="on every node the options of the definition",
    hint="The engine ignores the options of a volume that is there already: `docker volume rm` it"
    " on every node, then deploy again.",
)
def volume_as_defined(look: Look) -> Judgement:
    """Volumes with options in a definition, against those of the same name on machines."""
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
    return judged(f"{seen} volumes on machines", wrong=wrong, missing=missing)


@exercise.claim(
    "storage",
    "own-directory",
    title="Each database has a directory of its own on the share",
    expected="none in the share's root, no two in one directory",
    hint="A database sets the mode of its directory to 0700: in the share's root it shuts the"
    " others out. `mkdir` one for each service.",
)
def own_directory(look: Look) -> Judgement:
    """Where the data of services lies on the server."""
    there, _ = look.systems("exports")
    roots = {e.path.rstrip("/") for _, system in there for e in system.exports or ()}
    places: dict[str, set[str]] = defaultdict(set)
    for service, attached, _ in kept_distributed(look):
        places[_place(look, attached)].add(service.name)
    if not places:
        raise Unseen("no service keeps anything on a share")
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
