"""The honest stranger's cluster as a survey would show it, made of the files that he types.

No real one: a real cluster's machines, with his definitions, and the tasks, mounts and files that
follow from the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import yaml

from pytest_swarmlab.survey import backups, definitions
from pytest_swarmlab.survey.machine import Backup, Machine, Mount
from pytest_swarmlab.survey.plain import Hider
from pytest_swarmlab.survey.seen import Config, NodeRow, Service, Survey, TaskRow
from tests.marking import stranger
from tests.unit.records.surveys import node, seen

NODES = ("manager1", "manager3", "worker1", "worker2")
FAILING = {"db-local", "db-nfs", "nginx_nginx", "health_api", "health_database"}
"""No password, no backend, no such image: their tasks fail over and over."""

SHARE = "192.168.56.10:/srv/nfs/swarm-data"
NANO = 10**9


def file(exercise: str, name: str) -> str:
    """A file that he types there."""
    typed = (stranger.TYPED / f"{exercise}.sh").read_text("utf-8")
    found = re.search(rf"^cat > {re.escape(name)} << 'EOF'\n(.*?)^EOF$", typed, re.DOTALL | re.M)
    assert found
    return found[1]


def survey() -> Survey:
    """All of it."""
    services = [
        *alone("test-ha", "nginx:alpine", replicas=5),
        *alone("db-local", "postgres:15-alpine", mount=("volume", "mydata", "/data")),
        *alone("db-nfs", "postgres:15-alpine",
               mount=("bind", "/mnt/nfs/swarm-data", "/var/lib/postgresql/data")),
        *of_stack("wp", file("2-5", "wordpress-stack.yml")),
        *of_stack("nginx", file("2-7", "nginx-stack.yml")),
        *of_stack("health", file("2-9", "health-stack.yml")),
        *alone("test-health", "nginx:alpine", replicas=3,
               test="curl -f http://localhost/ || exit 1"),
    ]  # fmt: skip
    rows = (row(each) for each in seen().nodes or () if each.name in NODES)
    return replace(
        seen(),
        services=tuple(services),
        tasks=tuple(task for each in services for task in tasks(each)),
        configs=tuple(
            Config(name, name, text=file("2-7", path))
            for name, path in (("nginx_config", "nginx.conf"), ("nginx_config_v2", "nginx-v2.conf"))
        ),
        nodes=tuple(rows),
        networks=(),
        machines=tuple(map(machine, seen().machines)),
    )


# -- services -----------------------------------------------------------------------------------


def defined(name: str, spec: Mapping[str, Any]) -> Service:
    """A service as the engine tells of it."""
    return definitions.service({"ID": f"id-{name}", "Spec": {"Name": name, **spec}}, {}, Hider())


def alone(
    name: str,
    image: str,
    *,
    replicas: int = 1,
    mount: tuple[str, str, str] | None = None,
    test: str = "",
) -> list[Service]:
    """What `docker service create` makes of it."""
    container: dict[str, Any] = {"Image": image}
    if mount:
        container["Mounts"] = [dict(zip(("Type", "Source", "Target"), mount, strict=True))]
    if test:
        container["Healthcheck"] = {"Test": ["CMD-SHELL", test], "StartPeriod": 10 * NANO}
    spec = {"TaskTemplate": {"ContainerSpec": container}, "Mode": mode(replicas)}
    return [defined(name, spec)]


def mode(replicas: int) -> dict[str, Any]:
    return {"Replicated": {"Replicas": replicas}}


def of_stack(stack: str, text: str) -> list[Service]:
    """What `docker stack deploy` makes of the file, as far as checks look at it."""
    told = yaml.safe_load(text)
    options = {n: v["driver_opts"] for n, v in told.get("volumes", {}).items()}
    return [
        defined(
            f"{stack}_{name}",
            {
                "Labels": {definitions.STACK: stack},
                "TaskTemplate": template(stack, name, each, options),
                "Mode": mode(each.get("deploy", {}).get("replicas", 1)),
                "UpdateConfig": updates(each.get("deploy", {}).get("update_config")),
                "EndpointSpec": {"Ports": [ports(port) for port in each.get("ports", ())]},
            },
        )
        for name, each in told["services"].items()
    ]


def template(
    stack: str, name: str, told: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    deploy, check = told.get("deploy", {}), told.get("healthcheck")
    policy = deploy.get("restart_policy", {})
    container: dict[str, Any] = {
        "Image": told["image"],
        "Env": [f"{key}={value}" for key, value in told.get("environment", {}).items()],
        "Mounts": [volume(stack, each, options) for each in told.get("volumes", ())],
        "Secrets": [{"SecretName": s, "File": {"Name": s}} for s in told.get("secrets", ())],
        # The update is refused by nobody: the definition has the new one.
        "Configs": [
            {"ConfigName": "nginx_config_v2", "File": {"Name": each["target"]}}
            for each in told.get("configs", ())
        ],
    }
    if check:
        begins = int(check.get("start_period", "0s").removesuffix("s"))
        container["Healthcheck"] = {"Test": check["test"], "StartPeriod": begins * NANO}
    networks = told.get("networks", ("default",))
    return {
        "ContainerSpec": container,
        "RestartPolicy": {
            "Condition": policy.get("condition", "any"),
            "MaxAttempts": policy.get("max_attempts", 0),
        },
        "Placement": {"Constraints": deploy.get("placement", {}).get("constraints", [])},
        "Networks": [{"Target": f"{stack}_{each}", "Aliases": [name]} for each in networks],
    }


def volume(stack: str, said: str, options: Mapping[str, Any]) -> dict[str, Any]:
    source, _, target = said.partition(":")
    driver = {"Name": "local", "Options": options[source]}
    return {"Type": "volume", "Source": f"{stack}_{source}", "Target": target,
            "VolumeOptions": {"DriverConfig": driver}}  # fmt: skip


def updates(told: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"FailureAction": (told or {}).get("failure_action", "pause")}


def ports(said: str) -> dict[str, int]:
    published, _, target = said.partition(":")
    return {"PublishedPort": int(published), "TargetPort": int(target)}


def tasks(service: Service) -> list[TaskRow]:
    """Its tasks, one after the other on the nodes; of those that fail the latest four."""
    made = []
    for slot in range(1, (service.wanted or 0) + 1):
        name = NODES[slot % len(NODES)]
        now = TaskRow(f"{service.id}-{slot}", service.id, slot, name, node(name).id,
                      "running", "running", age_s=120.0)  # fmt: skip
        failing = service.name in FAILING
        ended = replace(now, state="failed", desired="shutdown", error="non-zero exit (1)")
        old = (replace(ended, id=f"{now.id}-{n}", age_s=10.0 * n) for n in range(1, 5))
        made += list(old) if failing else [now]
    return made


# -- machines -----------------------------------------------------------------------------------


def row(told: NodeRow) -> NodeRow:
    """worker1 was promoted, and alone is labelled."""
    if told.name == "worker1":
        return replace(told, role="manager", reachability="reachable", labels={"storage": "nfs"})
    return replace(told, labels={})


def machine(told: Machine) -> Machine:
    """As he leaves it."""
    becomes = stranger.BECOMES.get(told.name)
    assert told.engine
    assert told.system
    rest = tuple(mount for mount in told.system.mounts or () if not mount.nfs)
    units = tuple(unit for unit in told.system.units or () if "backup" not in unit.name)
    system = replace(told.system, units=units, mounts=rest, fstab=(), scripts=(), backups=())
    if becomes is None:
        outside = replace(told.engine, state="inactive", control=False, node_id="", cluster="")
        return replace(told, membership="outside", engine=outside, system=system, volumes=())
    share = Mount(SHARE, "/mnt/nfs/swarm-data", "nfs4", ("rw", "vers=4.2", "hard"))
    data = Mount(f"{SHARE}/mysql", "/var/lib/docker/volumes/wp_db-data/_data", "nfs",
                 ("rw", "vers=3", "hard"))  # fmt: skip
    line = replace(share, type="nfs", options=("defaults",))
    mounts = (*rest, share, data) if told.name == "worker1" else (*rest, share)
    system = replace(system, mounts=mounts, fstab=(line,))
    if told.name == stranger.SERVER:
        path = f"{stranger.HOME}/backup-swarm.sh"
        script = backups.script(path, file("2-8", "backup-swarm.sh"), executable=True)
        taken = Backup("/backup/swarm/swarm-20261130-010000.tar.gz", 60.0, 2**20, backups.PARTS)
        system = replace(system, scripts=(script,), backups=(taken,))
    return replace(told, membership=str(becomes), system=system, containers=(), volumes=())
