"""Makes rows of a survey of the engine's answers about services and other objects."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pytest_swarmlab.survey import seen
from pytest_swarmlab.survey.machine import Attached, Container, Engine, Volume
from pytest_swarmlab.survey.plain import Hider

STACK = "com.docker.stack.namespace"
"""The label by which the Docker client knows a stack's things."""

NANO = 1e9
"""The engine counts durations in nanoseconds, and processors in thousand-millionths."""

ENCRYPTED = "encrypted"
"""The overlay's option, whose value the engine ignores (lab's facts)."""

TEXT = 64 * 1024
"""Characters of a config that are kept."""

Table = Mapping[str, Any]


def service(told: Table, networks: Mapping[str, str], hider: Hider) -> seen.Service:
    """A service; `networks`: id → name."""
    spec = told["Spec"]
    task = spec.get("TaskTemplate") or {}
    container = task.get("ContainerSpec") or {}
    labels = spec.get("Labels") or {}
    joined = [*(task.get("Networks") or ()), *(spec.get("Networks") or ())]
    limits = (task.get("Resources") or {}).get("Limits") or {}
    mode, wanted = _mode(spec.get("Mode") or {})
    every_label = [f"{k}={v}" for k, v in {**labels, **(container.get("Labels") or {})}.items()]
    return seen.Service(
        told["ID"],
        spec.get("Name", ""),
        labels.get(STACK, ""),
        container.get("Image", ""),
        mode,
        wanted,
        words([*(container.get("Command") or ()), *(container.get("Args") or ())], hider),
        words(every_label, hider),
        tuple(_variable(each, hider) for each in container.get("Env") or ()),
        tuple(_attached(each, hider) for each in container.get("Mounts") or ()),
        tuple(_given(each, "Secret", "/run/secrets/") for each in container.get("Secrets") or ()),
        tuple(_given(each, "Config", "/") for each in container.get("Configs") or ()),
        _health(container.get("Healthcheck"), hider),
        _restart(task.get("RestartPolicy")),
        _update(spec.get("UpdateConfig")),
        _update(spec.get("RollbackConfig")),
        tuple((task.get("Placement") or {}).get("Constraints") or ()),
        tuple(networks.get(each["Target"], each["Target"]) for each in joined),
        tuple(sorted({alias for each in joined for alias in each.get("Aliases") or ()})),
        tuple(_port(each) for each in (spec.get("EndpointSpec") or {}).get("Ports") or ()),
        limits.get("MemoryBytes", 0),
        limits.get("NanoCPUs", 0) / NANO,
        (told.get("UpdateStatus") or {}).get("State", ""),
    )


def words(every: Sequence[str], hider: Hider) -> seen.Words:
    """A command, or labels, without plain secrets."""
    return seen.Words(*hider.words(list(every)))


def _mode(mode: Table) -> tuple[str, int | None]:
    if "Replicated" in mode:
        return "replicated", (mode["Replicated"] or {}).get("Replicas", 1)
    if "ReplicatedJob" in mode:
        return "replicated-job", (mode["ReplicatedJob"] or {}).get("TotalCompletions", 1)
    return ("global-job" if "GlobalJob" in mode else "global"), None


def _variable(said: str, hider: Hider) -> seen.Variable:
    name, _, value = said.partition("=")
    return seen.Variable(name, *hider.variable(name, value))


def _attached(mount: Table, hider: Hider) -> Attached:
    driver = (mount.get("VolumeOptions") or {}).get("DriverConfig") or {}
    return Attached(
        mount.get("Type", ""),
        mount.get("Source", ""),
        mount.get("Target", ""),
        driver.get("Name", ""),
        options(driver.get("Options"), hider),
        bool(mount.get("ReadOnly")),
    )


def options(of_volume: Table | None, hider: Hider) -> dict[str, str]:
    """A volume's options, in which there may be a password of a file server."""
    return {key: hider.text(str(value))[0] for key, value in (of_volume or {}).items()}


def _given(reference: Table, kind: str, below: str) -> seen.Given:
    file = reference.get("File") or {}
    target = file.get("Name", "")
    return seen.Given(
        reference.get(f"{kind}Name", ""),
        target if target.startswith("/") else below + target,
        str(file.get("UID", "0")),
        str(file.get("GID", "0")),
        file.get("Mode", 0o444) & 0o7777,
    )


def _health(told: Table | None, hider: Hider) -> seen.Health | None:
    if not told or not told.get("Test"):
        return None
    test = list(told["Test"])
    return seen.Health(
        words(test, hider),
        test == ["NONE"],
        told.get("Interval", 0) / NANO,
        told.get("Timeout", 0) / NANO,
        told.get("StartPeriod", 0) / NANO,
        told.get("Retries", 0),
    )


def _restart(told: Table | None) -> seen.Restart:
    if told is None:
        return seen.Restart()
    return seen.Restart(
        told.get("Condition", "any"),
        told.get("Delay", 5 * NANO) / NANO,
        told.get("MaxAttempts", 0),
    )


def _update(told: Table | None) -> seen.Update:
    if told is None:
        return seen.Update()
    return seen.Update(
        True,
        told.get("Order") or "stop-first",
        told.get("FailureAction") or "pause",
        told.get("Parallelism", 1),
        told.get("Monitor", 5 * NANO) / NANO,
    )


def _port(told: Table) -> seen.Port:
    return seen.Port(
        told.get("PublishedPort", 0),
        told.get("TargetPort", 0),
        told.get("Protocol", "tcp"),
        told.get("PublishMode", "ingress"),
    )


def task(told: Table, names: Mapping[str, str], now: float) -> seen.TaskRow:
    """A task; `names`: node id → name; `now`: Unix time by the engine's own clock."""
    status, node_id = told.get("Status") or {}, told.get("NodeID", "")
    return seen.TaskRow(
        told["ID"],
        told.get("ServiceID", ""),
        told.get("Slot"),
        names.get(node_id, node_id),
        node_id,
        status.get("State", ""),
        told.get("DesiredState", ""),
        status.get("Err", ""),
        _age(status.get("Timestamp", ""), now),
    )


def _age(at: str, now: float) -> float | None:
    moment = unix(at)
    return None if moment is None else round(now - moment, 1)


def unix(at: str) -> float | None:
    """The Unix time of an engine's time stamp, which has up to nine digits of a second."""
    head, _, rest = at.partition(".")
    zone = rest.lstrip("0123456789") if rest else ""
    try:
        return datetime.fromisoformat((head + zone).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def network(told: Table) -> seen.Network:
    """A network of the swarm."""
    return seen.Network(
        told["Id"],
        told.get("Name", ""),
        told.get("Driver", ""),
        ENCRYPTED in (told.get("Options") or {}),
        bool(told.get("Internal")),
        bool(told.get("Attachable")),
        bool(told.get("Ingress")),
    )


def secret(told: Table) -> seen.Secret:
    """A secret: its name and labels."""
    spec = told["Spec"]
    return seen.Secret(
        told["ID"],
        spec.get("Name", ""),
        _labels(spec),
        (spec.get("Driver") or {}).get("Name", ""),
    )


def config(told: Table, hider: Hider) -> seen.Config:
    """A config with its content."""
    spec = told["Spec"]
    try:
        raw = base64.b64decode(spec.get("Data") or "", validate=True)
    except binascii.Error:
        raw = b""
    try:
        text, plain = hider.text(raw.decode())
    except UnicodeDecodeError:
        return seen.Config(told["ID"], spec.get("Name", ""), _labels(spec), len(raw))
    return seen.Config(
        told["ID"], spec.get("Name", ""), _labels(spec), len(raw), text[:TEXT], plain
    )


def _labels(spec: Table) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in (spec.get("Labels") or {}).items())


def settings(told: Table) -> seen.Settings:
    """The swarm's settings; its join tokens are left out."""
    spec = told.get("Spec") or {}
    return seen.Settings(
        told.get("ID", ""),
        bool((spec.get("EncryptionConfig") or {}).get("AutoLockManagers")),
        (spec.get("CAConfig") or {}).get("NodeCertExpiry", 0) / NANO,
        (spec.get("Orchestration") or {}).get("TaskHistoryRetentionLimit"),
        bool(told.get("RootRotationInProgress")),
    )


def engine(told: Table) -> Engine:
    """The content of `docker info`."""
    swarm = told.get("Swarm") or {}
    return Engine(
        told.get("Name", ""),
        told.get("ServerVersion", ""),
        told.get("KernelVersion", ""),
        told.get("OperatingSystem", ""),
        told.get("DockerRootDir", ""),
        told.get("Driver", ""),
        told.get("NCPU", 0),
        told.get("MemTotal", 0),
        swarm.get("LocalNodeState", ""),
        bool(swarm.get("ControlAvailable")),
        swarm.get("NodeID", ""),
        swarm.get("NodeAddr", ""),
        (swarm.get("Cluster") or {}).get("ID", ""),
        swarm.get("Managers", 0),
        swarm.get("Error", ""),
        tuple(told.get("Warnings") or ()),
    )


def container(told: Table) -> Container:
    """A container as the engine lists it."""
    labels, status = told.get("Labels") or {}, told.get("Status", "")
    health = next((h for h in ("unhealthy", "healthy", "starting") if f"{h})" in status), "")
    return Container(
        told["Id"][:12],
        ", ".join(name.lstrip("/") for name in told.get("Names") or ()),
        told.get("Image", ""),
        told.get("State", ""),
        health,
        labels.get("com.docker.swarm.service.name", ""),
        labels.get("com.docker.swarm.task.id", ""),
        tuple(
            Attached(
                mount.get("Type", ""),
                mount.get("Name") or mount.get("Source", ""),
                mount.get("Destination", ""),
                mount.get("Driver", ""),
                {},
                not mount.get("RW", True),
            )
            for mount in told.get("Mounts") or ()
        ),
    )


def volume(told: Table, hider: Hider) -> Volume:
    """A volume as the engine lists it."""
    return Volume(
        told["Name"],
        told.get("Driver", ""),
        options(told.get("Options"), hider),
    )


def node(told: Table, machine: str, *, leftover: bool) -> seen.NodeRow:
    """A row of the node list; `machine`: the machine that it is about."""
    spec, status = told["Spec"], told.get("Status") or {}
    manager, description = told.get("ManagerStatus") or {}, told.get("Description") or {}
    return seen.NodeRow(
        told["ID"],
        description.get("Hostname", ""),
        spec.get("Role", ""),
        spec.get("Availability", ""),
        status.get("State", ""),
        machine,
        bool(manager.get("Leader")),
        manager.get("Reachability", ""),
        status.get("Addr", ""),
        (description.get("Engine") or {}).get("EngineVersion", ""),
        status.get("Message", ""),
        {str(k): str(v) for k, v in (spec.get("Labels") or {}).items()},
        leftover,
    )
