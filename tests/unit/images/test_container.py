"""The node image: found by its recipes' key, and light whatever images it carries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.errors import BuildError, HostError
from pytest_swarmlab.images import container
from pytest_swarmlab.images.container import LAYERS, ensure_image, find_image, remove_old_images
from pytest_swarmlab.images.progress import SilentReport
from pytest_swarmlab.images.recipe import load_plan

TODAY = f"swarmlab/node:{load_plan('stand-in').container_key}"


class Engine:
    """An engine that holds images by reference, with their labels."""

    def __init__(self, **images: dict[str, str] | None) -> None:
        self.held = {f"swarmlab/node:{tag}": labels for tag, labels in images.items()}

    def images(self, name: str) -> list[dict[str, Any]]:
        return [
            {"RepoTags": [reference], "Labels": labels}
            for reference, labels in self.held.items()
            if reference == name or reference.startswith(f"{name}:")
        ]

    def remove_image(self, reference: str) -> None:
        del self.held[reference]


def test_the_image_of_todays_recipes_is_found_and_tells_what_it_carries() -> None:
    carried = [{"reference": "nginx:alpine", "origin": "stand-in"}]
    api: Any = Engine(old=None)
    assert find_image(api, "stand-in") is None
    api.held[TODAY] = {container.IMAGES_LABEL: json.dumps(carried)}
    found = find_image(api, "stand-in")
    assert found is not None
    assert (found.reference, found.images) == (TODAY, carried)
    api.held[TODAY] = None
    found = find_image(api, "stand-in")
    assert found is not None
    assert found.images == []


def test_an_image_is_built_once_and_a_failed_build_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api: Any = Engine()
    built: list[str] = []

    def build(plan: Any, api: Any, builds: Path, report: object) -> None:
        del report
        assert builds == tmp_path / "images"
        built.append(plan.container_key)
        api.held[f"swarmlab/node:{plan.container_key}"] = None

    monkeypatch.setattr(container, "_build", build)
    for _ in range(2):
        found = ensure_image(api, tmp_path, origin="stand-in", report=SilentReport())
        assert found.reference == TODAY
    assert len(built) == 1


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(plan: object, work: Path, *reports: object) -> None:
        del plan, reports
        (work / "node").mkdir()
        raise BuildError("mmdebstrap ended with 1")

    def well(work: Path, **_: object) -> None:
        assert work.is_dir()

    monkeypatch.setattr(container, "preflight", well)
    monkeypatch.setattr(container, "make_node_root", fail)
    (tmp_path / "images" / ".building-killed-1").mkdir(parents=True)
    api: Any = Engine()
    with pytest.raises(BuildError, match="mmdebstrap"):
        ensure_image(api, tmp_path, origin="stand-in", report=SilentReport())
    assert [path.name for path in (tmp_path / "images").iterdir()] == [".lock"]


def test_who_cannot_build_is_told_the_command_that_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    api: Any = Engine()
    with pytest.raises(HostError, match=rf"`sudo /.*/swarmlab --cache {tmp_path} image` once"):
        ensure_image(api, tmp_path, origin="stand-in", report=SilentReport())


def test_images_of_other_recipes_are_removed_alone() -> None:
    api: Any = Engine(old=None, older=None)
    api.held[TODAY] = None
    assert list(remove_old_images(api)) == ["swarmlab/node:old", "swarmlab/node:older"]
    assert list(api.held) == [TODAY]


def test_the_bulk_of_the_layers_lies_beside_the_volume(tmp_path: Path) -> None:
    store = tmp_path / "var/lib/docker/overlay2"
    (store / "ab/diff/usr").mkdir(parents=True)
    (store / "ab/diff/usr/big").write_bytes(b"bulk")
    (store / "ab/link").write_text("L", encoding="ascii")
    (store / "l").mkdir()
    container.set_layers_aside(tmp_path)
    assert (tmp_path / LAYERS / "ab/usr/big").read_bytes() == b"bulk"
    assert (store / "ab/diff").readlink() == Path("/usr/local/lib/swarmlab/layers/ab")
    assert (store / "ab/link").exists()
