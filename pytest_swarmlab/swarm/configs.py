"""Makes Swarm configs: under a name that is given, or under one that says what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from pytest_swarmlab.swarm.objects import SwarmObjects

LABEL = "org.swarmlab.config"
"""On every version: the name that it is a version of."""

DIGITS = 12
"""Of the content's SHA-256 in a version's name: enough that no two ever meet, and room for a name
of 51 characters in the 64 that Swarm allows."""


class Configs(SwarmObjects):
    """The `configs` fixture: creates configs and removes them at the end."""

    kind = "config"

    def create(self, name: str, content: str | bytes, *, title: str | None = None) -> None:
        """`docker config create NAME -` on the leader.

        `content`: exactly what the config holds. `title`: as for `Node.run`. Raises CommandError
        with the engine's own words when it refuses.
        """
        self._create(name, _bytes(content), title=title)

    def version(self, name: str, content: str | bytes, *, title: str | None = None) -> str:
        """A config named by what is in it, NAME-<digest>; returns that name.

        The same content always gives the same name, and nothing is created when it is there.
        Another content gives another: no config ever has to be changed, which Swarm refuses.
        """
        raw = _bytes(content)
        full = f"{name}-{hashlib.sha256(raw).hexdigest()[:DIGITS]}"
        if full not in self.versions(name):
            self._create(full, raw, "--label", f"{LABEL}={name}", title=title)
        return full

    def versions(self, name: str) -> list[str]:
        """Names of its versions, the newest first, as the managers list them."""
        listed = self._swarm.leader().engine.api.configs(filters={"label": f"{LABEL}={name}"})
        listed = [c for c in listed if c["Spec"].get("Labels", {}).get(LABEL) == name]
        listed.sort(key=lambda config: str(config["CreatedAt"]), reverse=True)
        return [str(config["Spec"]["Name"]) for config in listed]

    def prune(self, name: str, *, title: str | None = None) -> list[str]:
        """Remove the versions that nothing needs any more; returns their names.

        Needed is what a service uses, and what `docker service rollback` would bring back: the
        engine itself refuses to remove only the former. Deploy a new version before you prune.
        """
        needed = self._needed()
        unused = [version for version in self.versions(name) if version not in needed]
        if unused:
            self._swarm.leader().run("docker", "config", "rm", *unused, title=title)
            self._made.forget(unused)
        return unused

    def _needed(self) -> set[str]:
        """Names of the configs of every service's definition and previous definition."""
        return {
            str(config["ConfigName"])
            for service in self._swarm.leader().engine.api.services()
            for spec in (service.get("Spec"), service.get("PreviousSpec"))
            for config in _configs(spec)
        }


def _configs(spec: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    container = ((spec or {}).get("TaskTemplate") or {}).get("ContainerSpec") or {}
    yield from container.get("Configs") or []


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
