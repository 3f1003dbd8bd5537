"""What a survey would show of a stack file's services, read off the file: no cluster is needed.

As `docker stack deploy` makes services of it, as far as a survey looks and the project's own files
go. Nothing of this runs: whether it does is a survey's to say.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pytest_swarmlab.survey import definitions, seen
from pytest_swarmlab.survey.definitions import NANO, STACK
from pytest_swarmlab.survey.plain import Hider

Table = dict[str, Any]

VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?::-(?P<otherwise>[^}]*)|:\?[^}]*)?\})")
SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
READABLE = 0o444


@dataclass(frozen=True)
class Defined:
    """A stack as its files define it: its services and networks, and what it makes configs of."""

    services: tuple[seen.Service, ...]
    networks: tuple[seen.Network, ...] = ()
    configs: tuple[seen.Config, ...] = ()


def defined(stack: str, *files: Path, env: Mapping[str, str] | None = None) -> Defined:
    """The stack of these files, of which each adds to the one before it.

    `env`: values of the files' ``${…}``.
    """
    there, whole = env or {}, Table()

    def filled(variable: re.Match[str]) -> str:
        known = there.get(variable["name"], variable["otherwise"])
        return "$" if variable["dollar"] else known or ""

    for file in files:
        whole = _added(whole, yaml.safe_load(VARIABLE.sub(filled, file.read_text("utf-8"))))
    hider = Hider()
    maker = _Maker(stack, whole)
    services = tuple(
        definitions.service(maker.service(name, told), {}, hider)
        for name, told in whole["services"].items()
    )
    configs = tuple(
        _config(maker.named("configs", name), files[0].parent / told["file"], hider)
        for name, told in (whole.get("configs") or {}).items()
        if "file" in told
    )
    return Defined(services, tuple(maker.networks()), configs)


def _added(before: Any, more: Any) -> Any:
    if isinstance(before, dict) and isinstance(more, dict):
        return before | {key: _added(before.get(key), value) for key, value in more.items()}
    if isinstance(before, list) and isinstance(more, list):
        return before + [each for each in more if each not in before]
    return more


def _config(name: str, path: Path, hider: Hider) -> seen.Config:
    text, plain = hider.text(path.read_text("utf-8"))
    return seen.Config(name, name, (), path.stat().st_size, text, plain)


class _Maker:
    """Makes the engine's words of a service of that stack."""

    def __init__(self, stack: str, whole: Mapping[str, Any]) -> None:
        self._stack = stack
        self._whole = whole

    def named(self, kind: str, name: str) -> str:
        """What the swarm calls the stack's network, volume, secret or config of that name."""
        told = (self._whole.get(kind) or {}).get(name) or {}
        plain = name if told.get("external") else f"{self._stack}_{name}"
        return str(told.get("name", plain))

    def service(self, name: str, told: Table) -> Table:
        """The service as the engine lists it; its name is its id."""
        deploy = told.get("deploy") or {}
        resources = (deploy.get("resources") or {}).get("limits") or {}
        networks = told.get("networks") or ["default"]
        full = f"{self._stack}_{name}"
        return {
            "ID": full,
            "Spec": {
                "Name": full,
                "Labels": {STACK: self._stack, **_pairs(deploy.get("labels"))},
                "Mode": _mode(deploy),
                "UpdateConfig": _update(deploy.get("update_config")),
                "RollbackConfig": _update(deploy.get("rollback_config")),
                "EndpointSpec": {"Ports": [_port(each) for each in told.get("ports") or ()]},
                "TaskTemplate": {
                    "Networks": [
                        {"Target": self.named("networks", each), "Aliases": [name]}
                        for each in networks
                    ],
                    "Resources": {"Limits": _limits(resources)},
                    "RestartPolicy": _restart(deploy.get("restart_policy")),
                    "Placement": {
                        "Constraints": (deploy.get("placement") or {}).get("constraints")
                    },
                    "ContainerSpec": {
                        "Image": told["image"],
                        "Command": _words(told.get("entrypoint")),
                        "Args": _words(told.get("command")),
                        "Env": [f"{k}={v}" for k, v in _pairs(told.get("environment")).items()],
                        "Labels": _pairs(told.get("labels")),
                        "Mounts": [self._mount(each) for each in told.get("volumes") or ()],
                        "Secrets": list(self._given("Secret", told.get("secrets"), "")),
                        "Configs": list(self._given("Config", told.get("configs"), "/")),
                        "Healthcheck": _health(told.get("healthcheck")),
                    },
                },
            },
        }

    def networks(self) -> Iterator[seen.Network]:
        """Those that the stack makes; its services' own is ``default``."""
        for name, said in {"default": None, **(self._whole.get("networks") or {})}.items():
            told = said or {}
            if not told.get("external"):
                full = self.named("networks", name)
                listed = {
                    "Id": full,
                    "Name": full,
                    "Driver": told.get("driver", "overlay"),
                    "Options": told.get("driver_opts"),
                    "Internal": told.get("internal"),
                    "Attachable": told.get("attachable"),
                }
                yield definitions.network(listed)

    def _given(self, kind: str, told: Sequence[Any] | None, below: str) -> Iterator[Table]:
        for each in told or ():
            long = each if isinstance(each, dict) else {"source": each}
            yield {
                f"{kind}Name": self.named(f"{kind.lower()}s", long["source"]),
                "File": {
                    "Name": long.get("target", f"{below}{long['source']}"),
                    "UID": long.get("uid", "0"),
                    "GID": long.get("gid", "0"),
                    "Mode": long.get("mode", READABLE),
                },
            }

    def _mount(self, told: Any) -> Table:
        if isinstance(told, str):
            source, target, *mode = told.split(":")
            told = {"source": source, "target": target, "read_only": mode == ["ro"]}
        source = told["source"]
        if source.startswith(("/", ".")):
            kind, options = "bind", {}
        else:
            kind, volume = "volume", (self._whole.get("volumes") or {}).get(source) or {}
            options = {"Name": volume.get("driver", ""), "Options": volume.get("driver_opts")}
            source = self.named("volumes", source)
        return {
            "Type": kind,
            "Source": source,
            "Target": told["target"],
            "ReadOnly": told.get("read_only", False),
            "VolumeOptions": {"DriverConfig": options},
        }


def _pairs(told: Any) -> Table:
    if isinstance(told, list):
        return {name: value for name, _, value in (each.partition("=") for each in told)}
    return told or {}


def _words(told: Any) -> list[str]:
    return shlex.split(told) if isinstance(told, str) else list(told or ())


def _mode(deploy: Table) -> Table:
    if deploy.get("mode") == "global":
        return {"Global": {}}
    return {"Replicated": {"Replicas": int(deploy.get("replicas", 1))}}


def _limits(told: Table) -> Table:
    number, unit = re.fullmatch(r"(\d+)([KMG]?)", str(told.get("memory", 0))).groups()  # type: ignore[union-attr]
    return {
        "MemoryBytes": int(number) * BYTES[unit],
        "NanoCPUs": float(told.get("cpus", 0)) * NANO,
    }


def _restart(told: Table | None) -> Table | None:
    if told is None:
        return None
    return {
        "Condition": told.get("condition", "any"),
        "Delay": _nano(told.get("delay", "5s")),
        "MaxAttempts": told.get("max_attempts", 0),
    }


def _update(told: Table | None) -> Table | None:
    if told is None:
        return None
    return {
        "Order": told.get("order"),
        "FailureAction": told.get("failure_action"),
        "Parallelism": told.get("parallelism", 1),
        "Monitor": _nano(told.get("monitor", "5s")),
    }


def _health(told: Table | None) -> Table | None:
    if told is None:
        return None
    test = told["test"]
    return {
        "Test": ["CMD-SHELL", test] if isinstance(test, str) else test,
        "Interval": _nano(told.get("interval", "0s")),
        "Timeout": _nano(told.get("timeout", "0s")),
        "StartPeriod": _nano(told.get("start_period", "0s")),
        "Retries": told.get("retries", 0),
    }


def _nano(duration: str) -> float:
    parts = re.findall(r"(\d+)(ms|[smh])", duration)
    return sum(int(number) * SECONDS[unit] for number, unit in parts) * NANO


def _port(told: Any) -> Table:
    if isinstance(told, str):
        published, _, target = told.partition(":")
        told = {"published": published, "target": target}
    return {
        "PublishedPort": int(told["published"] or 0),
        "TargetPort": int(told["target"]),
        "PublishMode": told.get("mode", "ingress"),
    }
