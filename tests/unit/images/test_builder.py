"""What a build's engine is given, and in which order, however its parts end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_swarmlab.errors import BuildError
from pytest_swarmlab.images import SilentReport, builder, parts
from pytest_swarmlab.images.builder import NodeRoot, make_node_root
from pytest_swarmlab.images.parts import Parts
from pytest_swarmlab.images.progress import PartReport
from pytest_swarmlab.images.recipe import RootRecipe, StageRecipe, load_plan

WAIT_S = 20
"""Longest that a test waits for another thread, seconds."""

IMAGES = [
    "ecommerce/frontend:latest",
    "ecommerce/orders:latest",
    "ecommerce/products:latest",
    "ecommerce/users:latest",
    "myapi:latest",
    "nginx:alpine",
    "redis:7-alpine",
]

LOADED = [
    # Of packages alone, of the build stage too, on top of another.
    ("myapi:latest", ""),
    ("nginx:alpine", ""),
    ("redis:7-alpine", ""),
    ("ecommerce/products:latest", ""),
    ("ecommerce/users:latest", ""),
    ("ecommerce/frontend:latest", "nginx:alpine"),
    ("ecommerce/orders:latest", "myapi:latest"),
]


class Engine:
    """One that only remembers what it was given."""

    version = "26.1.5"

    def __init__(self) -> None:
        self.loaded: list[tuple[str, str]] = []
        self.held: dict[str, set[str]] = {}
        self.tagged: list[tuple[str, str]] = []

    def load(self, root: Path, reference: str, changes: Sequence[str], *, base: str = "") -> str:
        assert changes
        self.loaded.append((reference, base))
        self.held[reference] = {
            str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()
        }
        return f"sha256:{len(self.loaded)}"

    def tag(self, identity: str, reference: str) -> None:
        self.tagged.append((identity, reference))


class Build:
    """A build whose roots are files alone and end in an order of choice."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ending: Sequence[str] = ()) -> None:
        """`ending`: names of roots that wait, each for the one before it in this list."""
        monkeypatch.setattr(parts, "AT_MOST", 20)
        self.engine = Engine()
        self._before = dict(zip(ending[1:], ending[:-1], strict=True))
        self._done = {name: threading.Event() for name in ending}
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(20))
        monkeypatch.setattr(builder, "make_root", self._make_root)
        monkeypatch.setattr(builder, "make_stage", self._make_stage)
        monkeypatch.setattr(builder, "engine", self._engine)

    def run(self, work: Path) -> NodeRoot:
        work.mkdir()
        plan = load_plan("stand-in", images=IMAGES)
        with Parts(SilentReport()) as made:
            return make_node_root(plan, work, made, SilentReport())

    def _make_root(self, recipe: RootRecipe, work: Path, _: PartReport) -> Path:
        root = work / recipe.name
        for place in ("etc/ssh", "run", "tmp", "var/tmp", "var/lib/dpkg"):
            (root / place).mkdir(parents=True)
        status = "".join(f"Package: {name}\nVersion: 1\n" for name in recipe.packages)
        (root / "var/lib/dpkg/status").write_text(status, encoding="utf-8")
        if recipe.name in self._before:
            assert self._done[self._before[recipe.name]].wait(WAIT_S)
        if recipe.name in self._done:
            self._done[recipe.name].set()
        return root

    def _make_stage(self, recipe: StageRecipe, work: Path, report: PartReport) -> Path:
        root = self._make_root(recipe.root, work, report)
        for place in ("frontend/dist/index.html", "orders/app.py", "products/server.js"):
            file = root / "src/ecommerce" / place
            file.parent.mkdir(parents=True)
            file.write_text(place, encoding="utf-8")
        (root / "src/ecommerce/users").mkdir()
        (root / "src/ecommerce/users/users").write_text("program", encoding="utf-8")
        return root

    @contextmanager
    def _engine(self, root: Path, work: Path, _: PartReport, *, network: bool) -> Iterator[Engine]:
        assert root == work / "node"
        assert not network
        yield self.engine


@pytest.mark.parametrize(
    "ending",
    [
        ("node", "build-stage", "myapi-latest", "redis-7-alpine"),
        ("redis-7-alpine", "nginx-alpine", "ecommerce-products", "myapi-latest", "build-stage"),
        ("build-stage", "ecommerce-products", "nginx-alpine", "redis-7-alpine", "node"),
    ],
)
def test_images_are_loaded_and_told_in_one_order_however_their_parts_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: Sequence[str]
) -> None:
    build = Build(monkeypatch, ending)
    node = build.run(tmp_path / "work")
    assert build.engine.loaded == LOADED
    ids = {reference: f"sha256:{n}" for n, (reference, _) in enumerate(LOADED, start=1)}
    versioned = {name: name.replace(":latest", ":1.0.0") for name in IMAGES if "latest" in name}
    assert {(image.reference, image.id) for image in node.images} == {
        *((name, ids[name]) for name in IMAGES),
        *((version, ids[name]) for name, version in versioned.items()),
    }
    assert [image.reference for image in node.images if image.reference in IMAGES] == IMAGES
    assert set(build.engine.tagged) == {(ids[name], new) for name, new in versioned.items()}
    assert node.engine_version == "26.1.5"
    held = build.engine.held
    assert "srv/products/server.js" in held["ecommerce/products:latest"]
    assert held["ecommerce/users:latest"] >= {"usr/bin/users"}
    assert "usr/share/nginx/html/index.html" in held["ecommerce/frontend:latest"]
    # Of the roots, the node's alone is left: there is room for the disk.
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["node"]


def test_an_image_tells_the_tools_that_made_it_if_the_build_stage_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Build(monkeypatch).run(tmp_path / "work")
    told = {image.reference: image.detail for image in node.images}
    for reference in ("ecommerce/users:latest", "ecommerce/orders:latest"):
        assert "from sources with Debian's" in told[reference]
        assert "golang-go 1" in told[reference]
    assert told["redis:7-alpine"] == "Debian bookworm: passwd 1, redis-server 1"


def test_modules_are_moved_into_the_nodes_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = load_plan("stand-in").kernel
    monkeypatch.setattr(builder, "run", lambda *_: [])
    unpacked, node = tmp_path / "kernel", tmp_path / "node"
    (unpacked / kernel.modules / "6.12.1").mkdir(parents=True)
    (unpacked / kernel.modules / "6.12.1/modules.order").write_text("", encoding="utf-8")
    assert builder._add_modules(kernel, unpacked, node, SilentReport()) == "6.12.1"
    assert (node / "usr/lib/modules/6.12.1/modules.order").exists()
    with pytest.raises(BuildError, match="one release is needed"):
        builder._add_modules(kernel, unpacked, node, SilentReport())


def test_a_part_that_fails_is_what_the_build_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(recipe: StageRecipe, *_: object) -> Path:
        raise BuildError(f"{recipe.root.name}: npm's packages can't be had")

    build = Build(monkeypatch)
    monkeypatch.setattr(builder, "make_stage", fail)
    with pytest.raises(BuildError) as error:
        build.run(tmp_path / "work")
    assert str(error.value) == "build-stage: npm's packages can't be had"
