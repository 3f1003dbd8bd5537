"""The node as a container image in a Docker engine: the same recipe as the node disk's.

The bulk of its images is not in ``/var/lib/docker`` but beside it, with links to it: so the
volume that each node has there is made in a moment, however much its images hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import docker

from pytest_swarmlab.errors import HostError
from pytest_swarmlab.images.builder import full_disk_explained, make_node_root, preflight
from pytest_swarmlab.images.engine import Engine
from pytest_swarmlab.images.parts import Parts
from pytest_swarmlab.images.progress import BuildReport, RichReport
from pytest_swarmlab.images.recipe import DiskPlan, ImageConfig, ImageOrigin, load_plan
from pytest_swarmlab.images.roots import copy_tree
from pytest_swarmlab.images.store import locked, making

REPOSITORY = "swarmlab/node"
IMAGES_LABEL = "org.swarmlab.images"
LAYERS = "usr/local/lib/swarmlab/layers"
"""Where the image keeps the content of its images' layers."""

CONFIG = ImageConfig(
    entrypoint=("/usr/local/lib/swarmlab/init-container",),
    # systemd looks at this one to know where it is.
    env={
        "container": "docker",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    },
    volumes=("/var/lib/docker",),
)


@dataclass(frozen=True)
class NodeImage:
    """A node image in an engine; `images` is what its own engine carries, as it says itself."""

    reference: str
    images: list[dict[str, Any]]


def find_image(api: docker.APIClient, origin: ImageOrigin) -> NodeImage | None:
    """The engine's image of today's recipes, or None. Raises docker's errors."""
    reference = f"{REPOSITORY}:{load_plan(origin).container_key}"
    for seen in api.images(name=reference):
        return NodeImage(reference, _images(seen.get("Labels") or {}))
    return None


def ensure_image(
    api: docker.APIClient, cache_dir: Path, *, origin: ImageOrigin, report: BuildReport
) -> NodeImage:
    """The node image of today's recipes, built now if the engine doesn't hold it.

    A second caller waits for the first and takes its image. Raises as `ensure_disk` does;
    then nothing of it is left.
    """
    if found := find_image(api, origin):
        return found
    plan = load_plan(origin)
    builds = cache_dir / "images"
    with locked(builds, report, what="node image"):
        if not find_image(api, origin):
            _build(plan, api, builds, report)
    built = find_image(api, origin)
    if built is None:
        raise HostError("the engine lost the node image that was just built: try again")
    return built


def build_image_at_terminal(api: docker.APIClient, cache_dir: Path) -> NodeImage:
    """`ensure_image` with its progress shown to a person."""
    with RichReport() as report:
        return ensure_image(api, cache_dir, origin="stand-in", report=report)


def remove_old_images(api: docker.APIClient) -> Iterator[str]:
    """Remove node images of other recipes than today's; gives the reference of each."""
    wanted = {
        f"{REPOSITORY}:{load_plan(origin).container_key}" for origin in ("stand-in", "registry")
    }
    for seen in api.images(name=REPOSITORY):
        for reference in seen.get("RepoTags") or ():
            if reference not in wanted:
                api.remove_image(reference)
                yield reference


def _build(plan: DiskPlan, api: docker.APIClient, builds: Path, report: BuildReport) -> None:
    with making(builds, plan.container_key, report) as work:
        preflight(work, built="image")
        with full_disk_explained():
            with Parts(report) as parts:
                node = make_node_root(plan, work, parts, report)
            copy_tree(plan.container, node.path)
            set_layers_aside(node.path)
            report.stage("Node image")
            labels = {
                IMAGES_LABEL: json.dumps([asdict(image) for image in node.images]),
                "org.swarmlab.engine": node.engine_version,
            }
            reference = f"{REPOSITORY}:{plan.container_key}"
            Engine(api, report).load(node.path, reference, CONFIG.changes(labels))


def set_layers_aside(root: Path) -> None:
    """Move the content of every layer out of a root's engine; a link to it takes its place.

    No bind mount does: an engine that stops unmounts everything below its directory.
    """
    for layer in sorted((root / "var/lib/docker/overlay2").glob("*/diff")):
        aside = root / LAYERS / layer.parent.name
        aside.parent.mkdir(parents=True, exist_ok=True)
        layer.rename(aside)
        layer.symlink_to(Path("/", LAYERS, layer.parent.name))


def _images(labels: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(labels.get(IMAGES_LABEL, "[]"))
    return found
