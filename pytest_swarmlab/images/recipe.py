"""The content of a node disk: recipes in TOML, with a tree of files beside each.

A recipe is data; `builder` carries it out. The hash of a recipe is the disk's name, so that every
change to a recipe or its files leads to a new disk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from pytest_swarmlab.contents import STACKS
from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.images.files import PlacedFile, digest_of, files_at, tree_files
from pytest_swarmlab.tables import Table

ImageOrigin = Literal["stand-in", "registry"]
"""Where container images come from: built from Debian packages, or pulled."""

KernelName = Literal["own", "debian"]
"""Compiled here from Debian's source, or as Debian packs it."""

Card = Literal["tuntap", "vector"]
"""Which network card of User-mode Linux a kernel has; 7.2 and later have the second only."""

MadeOf = Literal["stand-in", "registry", "own"]
"""What one image is; `own` is one that no registry has and that is built in any case."""

RECIPES = Path(__file__).with_name("recipes")
"""The recipes that come with the package."""

FORMAT = "1"
"""Part of every hash: raise it when the builder makes something else of the same recipe."""

NODE, OWN_KERNEL, DEBIAN_KERNEL = "node", "kernel-own", "kernel-debian"
BUILD_STAGE = "build-stage"
NO_IMAGES = (NODE, OWN_KERNEL, DEBIAN_KERNEL, BUILD_STAGE)
"""Names of the recipes that are not container images."""

CONTAINER = "container"
"""Directory of the files that a node gets besides its recipe's where it is a container."""

VARIANTS = ("extract", "essential", "apt", "minbase")
"""Which packages mmdebstrap takes besides those named, fewest first."""


@dataclass(frozen=True)
class RootRecipe:
    """A Debian file system: packages of one suite, then files, commands, links and deletions.

    `suite` is "" for a file system of files alone. `more_suites`: suites of packages that name
    theirs (``name/suite``).
    """

    name: str
    suite: str
    variant: str
    packages: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    delete: tuple[str, ...] = ()
    apt_options: tuple[str, ...] = ()
    more_suites: tuple[str, ...] = ()
    tree: Path | None = None
    digest: str = ""


@dataclass(frozen=True)
class NodeRecipe:
    """The root file system of a node; `size_gib` is what its file system can grow to."""

    root: RootRecipe
    size_gib: int


@dataclass(frozen=True)
class StageRecipe:
    """A root with compilers, in which sources become what images copy of it; the rest is dropped.

    `sources`: each source file, with its place below the lab's stacks.
    """

    root: RootRecipe
    sources: tuple[PlacedFile, ...]


@dataclass(frozen=True)
class KernelRecipe:
    """The kernel as a program, and how a node is started with it.

    `package`: pattern of the name of the package that has it. `modules`: their directory, "" when
    all are built in. `preload`: a library that makes it start on more hosts, or "". `words`: of its
    command line. `objects`: lines that its compilation prints, 0 if it isn't compiled.
    """

    root: RootRecipe
    package: str
    executable: str
    modules: str
    preload: str
    card: Card
    words: tuple[str, ...]
    objects: int

    @property
    def name(self) -> KernelName:
        """Which of the two it is."""
        return "own" if self.root.name == OWN_KERNEL else "debian"

    @property
    def key(self) -> str:
        """Name in the cache of a kernel with a directory of its own: 16 hexadecimal digits."""
        return hashlib.sha256(f"{FORMAT}\0{self.root.digest}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ImageConfig:
    """What a container started from the image runs, in the words of a Dockerfile."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    expose: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = ""
    user: str = ""
    workdir: str = ""

    def changes(self, labels: Mapping[str, str]) -> list[str]:
        """The instructions for an import, with `labels` added."""
        out = []
        if self.entrypoint:
            out.append(f"ENTRYPOINT {_list(self.entrypoint)}")
        if self.cmd:
            out.append(f"CMD {_list(self.cmd)}")
        out += [f"ENV {name}={_quoted(value)}" for name, value in self.env.items()]
        out += [f"EXPOSE {port}" for port in self.expose]
        if self.volumes:
            out.append(f"VOLUME {_list(self.volumes)}")
        if self.stop_signal:
            out.append(f"STOPSIGNAL {self.stop_signal}")
        if self.user:
            out.append(f"USER {self.user}")
        if self.workdir:
            out.append(f"WORKDIR {self.workdir}")
        every = {**self.labels, **labels}
        return out + [f"LABEL {name}={_quoted(value)}" for name, value in every.items()]


@dataclass(frozen=True)
class ImageRecipe:
    """A container image: its reference, its file system and its configuration.

    `base`: reference of the image whose file system and configuration it adds to, or "". `copied`:
    place in the build stage → place in the image. `note`: its differences from the official image
    besides versions; reports show it. `own`: no registry has it. `tags`: those by which it is known
    besides its reference's.
    """

    root: RootRecipe
    reference: str
    config: ImageConfig
    base: str = ""
    copied: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    own: bool = False
    tags: tuple[str, ...] = ()

    @property
    def references(self) -> tuple[str, ...]:
        """Every reference by which a node finds it, its own first."""
        repository = self.reference.rpartition(":")[0]
        return (self.reference, *(f"{repository}:{tag}" for tag in self.tags))


@dataclass(frozen=True)
class DiskPlan:
    """All that decides a disk's content; the modules of Debian's kernel are on it.

    `stage`: the build stage, if an image copies something of it.
    """

    node: NodeRecipe
    kernel: KernelRecipe
    images: tuple[ImageRecipe, ...]
    origin: ImageOrigin
    stage: StageRecipe | None = None
    container: Path = RECIPES / CONTAINER

    def made_of(self, image: ImageRecipe) -> MadeOf:
        """How the image is made on this disk: "own", or by the origin."""
        return "own" if image.own else self.origin

    @property
    def key(self) -> str:
        """Name of the disk in the cache: 16 hexadecimal digits over all recipes and the origin."""
        return self._key((self.kernel.root.name, self.kernel.root.digest))

    @property
    def container_key(self) -> str:
        """Tag of the image for nodes that are containers, in the same way; it has no kernel."""
        return self._key((CONTAINER, digest_of(tree_files(self.container))))

    def _key(self, own: tuple[str, str]) -> str:
        seen = hashlib.sha256(f"{FORMAT}\0{self.origin}".encode())
        node, *images = ((root.name, root.digest) for root in self._roots())
        for name, digest in (node, own, *images):
            seen.update(f"\0{name}\0{digest}".encode())
        return seen.hexdigest()[:16]

    def _roots(self) -> Iterator[RootRecipe]:
        yield self.node.root
        yield from (image.root for image in self.images)
        if self.stage:
            yield self.stage.root


def load_plan(
    origin: ImageOrigin,
    *,
    recipes: Path = RECIPES,
    stacks: Path = STACKS,
    images: Sequence[str] | None = None,
) -> DiskPlan:
    """Read the recipes of a disk.

    `images`: references of those that shall be on it with their bases, all by default.
    Raises ConfigError when a recipe can't be used, or a reference has none.
    """
    if origin not in get_args(ImageOrigin):
        raise ConfigError(f"{origin!r} is no origin of images: use stand-in or registry")
    found = {image.reference: image for image in _images(recipes)}
    for image in found.values():
        if image.base and (image.base not in found or found[image.base].base):
            raise ConfigError(
                f"recipe {image.root.name}.toml: its base {image.base} must be an image that a"
                " recipe makes, and have no base itself"
            )
    if images is not None:
        for missing in sorted(set(images) - found.keys()):
            raise ConfigError(
                f"no recipe makes the image {missing}: there are {', '.join(sorted(found))}"
            )
        bases = {found[reference].base for reference in images} - {""}
        found = {reference: found[reference] for reference in (*images, *bases)}
    copying = any(image.copied for image in found.values())
    return DiskPlan(
        node=_node(recipes / f"{NODE}.toml"),
        kernel=_kernel(recipes / f"{DEBIAN_KERNEL}.toml"),
        images=tuple(found[reference] for reference in sorted(found)),
        origin=origin,
        stage=_stage(recipes / f"{BUILD_STAGE}.toml", stacks) if copying else None,
        container=recipes / CONTAINER,
    )


def load_own_kernel(*, recipes: Path = RECIPES) -> KernelRecipe:
    """Read the recipe of the own kernel. Raises ConfigError when it can't be used."""
    return _kernel(recipes / f"{OWN_KERNEL}.toml")


def _images(recipes: Path) -> Iterator[ImageRecipe]:
    for path in sorted(recipes.glob("*.toml")):
        if path.stem not in NO_IMAGES:
            yield _image(path)


def _node(path: Path) -> NodeRecipe:
    table = Table.toml(path)
    recipe = NodeRecipe(root=_root(path, table), size_gib=table.integer("size_gib"))
    table.finish()
    return recipe


def _kernel(path: Path) -> KernelRecipe:
    table = Table.toml(path)
    recipe = KernelRecipe(
        root=_root(path, table),
        package=table.string("package"),
        executable=table.place("executable"),
        modules=table.place("modules", ""),
        preload=table.place("preload", ""),
        card=table.choice("card", get_args(Card)),
        words=table.strings("words"),
        objects=table.integer("objects") if table.has("objects") else 0,
    )
    table.finish()
    return recipe


def _stage(path: Path, stacks: Path) -> StageRecipe:
    table = Table.toml(path)
    sources: list[PlacedFile] = []
    for pattern in table.strings("sources"):
        table.check_place(pattern)
        matched = list(files_at(stacks, stacks.glob(pattern)))
        if not matched:
            table.fail(f"no file of the stacks is {pattern!r}")
        sources += matched
    root = _root(path, table)
    table.finish()
    digest = digest_of(sources, root.digest.encode())
    return StageRecipe(root=replace(root, digest=digest), sources=tuple(sources))


def _image(path: Path) -> ImageRecipe:
    table = Table.toml(path)
    config = table.table("config")
    base, copied = table.string("base", ""), table.mapping("copied")
    for place in (*copied, *copied.values()):
        table.check_place(place)
    if base and table.has("suite"):
        table.fail("'base' and 'suite' exclude each other")
    recipe = ImageRecipe(
        root=_root(path, table, bare=bool(base or copied)),
        base=base,
        copied=copied,
        reference=table.string("reference"),
        note=table.string("note", ""),
        own=table.flag("own"),
        tags=table.strings("tags"),
        config=ImageConfig(
            entrypoint=config.strings("entrypoint"),
            cmd=config.strings("cmd"),
            env=config.mapping("env"),
            expose=config.strings("expose"),
            volumes=config.strings("volumes"),
            labels=config.mapping("labels"),
            stop_signal=config.string("stop_signal", ""),
            user=config.string("user", ""),
            workdir=config.string("workdir", ""),
        ),
    )
    config.finish()
    table.finish()
    return recipe


def _root(path: Path, table: Table, *, bare: bool = False) -> RootRecipe:
    """`bare`: there need be no packages."""
    tree = path.with_suffix("")
    recipe = RootRecipe(
        name=path.stem,
        suite=table.string("suite", "" if bare else None),
        variant=table.choice("variant", VARIANTS, "minbase"),
        packages=table.strings("packages"),
        commands=table.commands("commands"),
        links=table.mapping("links"),
        delete=table.strings("delete"),
        apt_options=table.strings("apt_options"),
        more_suites=table.strings("more_suites"),
        tree=tree if tree.is_dir() else None,
        digest=_digest(path, tree),
    )
    for place in (*recipe.links, *recipe.delete):
        table.check_place(place)
    if not recipe.suite and (recipe.packages or recipe.commands):
        table.fail("'suite' is missing: packages and commands need one")
    return recipe


def _digest(path: Path, tree: Path) -> str:
    """Hash of a recipe's text and of the place, mode and content of each of its files."""
    return digest_of(tree_files(tree), path.read_bytes())


def _list(words: Sequence[str]) -> str:
    return json.dumps(list(words))


def _quoted(text: str) -> str:
    # In these instructions, unlike in lists, the engine would expand a variable.
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
