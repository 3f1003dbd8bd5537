"""Carries out recipes: root file systems from Debian packages, images, disks and kernels."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from pytest_swarmlab.errors import BuildError, HostError
from pytest_swarmlab.images.commands import as_root, disk_full, in_root, run, search_path
from pytest_swarmlab.images.engine import engine
from pytest_swarmlab.images.interpreter import set_interpreter, write_starter
from pytest_swarmlab.images.manifest import ImageRecord, KernelManifest, KernelRecord, Manifest
from pytest_swarmlab.images.parts import Parts
from pytest_swarmlab.images.progress import BuildReport
from pytest_swarmlab.images.recipe import DiskPlan, ImageRecipe, KernelRecipe, StageRecipe
from pytest_swarmlab.images.roots import KEYRING, bootstrap, make_root, packages, remove
from pytest_swarmlab.images.stage import copy_built, make_stage

COMMANDS = {
    "mmdebstrap": "mmdebstrap",
    "mkfs.ext4": "e2fsprogs",
    "tune2fs": "e2fsprogs",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "pivot_root": "util-linux",
    "mount": "mount",
    "chroot": "coreutils",
    "tar": "tar",
}
"""Host commands that a build needs, and the Debian package of each."""

NEEDED_MIB = 5120
"""Free space that a build wants, MiB: about 4600 are in use when the disk is written."""

COMPILER_LINES = 10
"""Lines of a failed compilation's output that its error quotes."""

KERNEL_DIRECTORY = "kernel"
PRELOAD = "preload.so"
RELEASE = "usr/src/swarmlab/linux/include/config/kernel.release"
"""Where a compiled kernel says its release."""

LIBRARIES = ("usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
"""Files that the kernel, as a program, needs from its own Debian."""


@dataclass(frozen=True)
class NodeRoot:
    """The root file system of a node, with every image in its engine, and what is in it."""

    path: Path
    images: tuple[ImageRecord, ...]
    engine_version: str
    packages: Mapping[str, str]


def build(plan: DiskPlan, target: Path, place: Path, report: BuildReport) -> Manifest:
    """Make the disk of a plan in `target`, an empty directory, and say what is on it.

    `place` is where the directory will be moved to: the kernel only starts from there.

    Raises HostError before it begins when the machine lacks something, and
    BuildError when a step fails. Leaves only the finished files in `target`.
    """
    preflight(target)
    work = target / "work"
    work.mkdir()
    with full_disk_explained():
        with Parts(report) as parts:
            unpacked = parts.start("Debian's kernel", partial(make_root, plan.kernel.root, work))
            node = make_node_root(plan, work, parts, report)
            kernel_root = unpacked.result()
        _place_program(plan.kernel, kernel_root, target, place)
        release = _add_modules(plan.kernel, kernel_root, node.path, report)
        kernel = _record(plan.kernel, release, kernel_root)
        shutil.rmtree(kernel_root)
        report.stage("Disk")
        _make_disk(node.path, target / "base.img", plan.node.size_gib, report)
        shutil.rmtree(work)
    return Manifest(
        key=plan.key,
        origin=plan.origin,
        suite=plan.node.root.suite,
        kernel=kernel,
        engine_version=node.engine_version,
        images=node.images,
        packages=node.packages,
        place=str(place.absolute()),
    )


def build_kernel(
    recipe: KernelRecipe, target: Path, place: Path, report: BuildReport
) -> KernelManifest:
    """Compile a recipe's kernel in `target`, to be moved to `place`. Raises as `build` does."""
    preflight(target, built="kernel")
    work = target / "work"
    work.mkdir()
    with full_disk_explained():
        report.stage("Compiler and source")
        root = bootstrap(recipe.root, work, report)
        report.stage("Compiling")
        _compile(recipe, root, report)
        _place_program(recipe, root, target, place)
        release = (root / RELEASE).read_text(encoding="ascii").strip()
        kernel = _record(recipe, release, root)
        shutil.rmtree(work)
    return KernelManifest(key=recipe.key, kernel=kernel, place=str(place.absolute()))


def _compile(recipe: KernelRecipe, root: Path, report: BuildReport) -> None:
    """Run the recipe's commands, which tell each object that they compile."""
    compiled = 0

    def count(line: str) -> None:
        nonlocal compiled
        if line.startswith("  CC "):
            compiled += 1
            report.progress(min(1.0, compiled / recipe.objects))

    for command in recipe.root.commands:
        run(in_root(root, command), report, on_line=count, quoted=COMPILER_LINES)


def make_node_root(plan: DiskPlan, work: Path, parts: Parts, report: BuildReport) -> NodeRoot:
    """A node's file system below `work`, with its images and without an identity.

    What its parts raise, such as BuildError, is raised by the block of `parts`.
    """
    # It takes longest, and what is last in the engine waits for it.
    stage = (
        parts.start("Build stage", partial(make_stage, plan.stage, work)) if plan.stage else None
    )
    node = parts.start("Node's packages", partial(make_root, plan.node.root, work))
    roots = {
        image.reference: parts.start(
            f"Files of {image.reference}", partial(make_root, image.root, work)
        )
        for image in _loading_order(plan)
        if image.root.suite and plan.made_of(image) != "registry"
    }
    root = node.result()
    records, version = _add_images(plan, root, stage, roots, work, report)
    # Empty, so that a node without an identity is seen as new; its start brings the real one.
    (root / "etc/machine-id").write_bytes(b"")
    for host_key in (root / "etc/ssh").glob("ssh_host_*"):
        host_key.unlink()
    for place in ("run", "tmp", "var/tmp"):
        for path in (root / place).iterdir():
            remove(path)
    return NodeRoot(root, tuple(records), version, packages(root))


def require_processor() -> None:
    """Raise HostError where User-mode Linux can't run, whatever is installed."""
    if (machine := platform.machine()) != "x86_64":
        raise HostError(
            f"embedded machines run on x86-64 processors only, and this one is {machine}: use"
            " --swarmlab-provider=dind, vagrant or inventory"
        )


def preflight(target: Path, *, built: str = "disk") -> None:
    """Raise HostError, naming the remedy, when a build in `target` can't succeed here.

    `target`: a directory two levels below the cache. `built`: the subcommand that builds the same.
    """
    require_processor()
    if os.geteuid() != 0:
        raise HostError(
            "building nodes needs root, for mounts and file owners: run"
            f" `{as_root(built, target.parents[1])}` once (or build in a container or a virtual"
            " machine)"
        )
    for command, package in COMMANDS.items():
        if shutil.which(command, path=search_path()) is None:
            raise HostError(f"the command {command} is missing: install {package}")
    if not KEYRING.exists():
        raise HostError(
            "Debian's keys are missing, so packages can't be verified:"
            " install debian-archive-keyring"
        )
    free = shutil.disk_usage(target).free // 2**20
    if free < NEEDED_MIB:
        raise HostError(
            f"{free} MiB are free at {target.parent} and a build needs {NEEDED_MIB}:"
            " free some space, or put the cache elsewhere"
        )


def _place_program(recipe: KernelRecipe, root: Path, target: Path, place: Path) -> None:
    """Put a kernel's program into `target`, with the C library that it was built for."""
    own = target / KERNEL_DIRECTORY
    own.mkdir()
    program = own / "linux.uml"
    shutil.copyfile(root / recipe.executable, program)
    program.chmod(0o755)
    for pattern in LIBRARIES:
        for library in sorted(root.glob(pattern)):
            shutil.copy(library, own / library.name)
    if recipe.preload:
        shutil.copyfile(root / recipe.preload, own / PRELOAD)
    # The directory's final place: it is renamed when all is complete.
    final = place.absolute() / KERNEL_DIRECTORY
    set_interpreter(program, final / "ld-linux-x86-64.so.2")
    write_starter(target / "linux.uml", final / "linux.uml", final)


def _add_modules(
    recipe: KernelRecipe, kernel_root: Path, node_root: Path, report: BuildReport
) -> str:
    """Move a kernel's modules into a node's root; returns the kernel's release."""
    releases = sorted(path.name for path in (kernel_root / recipe.modules).iterdir())
    if len(releases) != 1:
        raise BuildError(f"the kernel's package holds modules of {releases}: one release is needed")
    release = releases[0]
    modules = node_root / "usr/lib/modules" / release
    modules.parent.mkdir(parents=True, exist_ok=True)
    (kernel_root / recipe.modules / release).rename(modules)
    run(in_root(node_root, ["depmod", release]), report)
    return release


def _record(recipe: KernelRecipe, release: str, root: Path) -> KernelRecord:
    """Release, source and package versions of the kernel in that root."""
    # Where packages were only unpacked, their version isn't told; the release says it then.
    found = [
        f"{name} {version}"
        for name, version in packages(root).items()
        if fnmatch(name, recipe.package)
    ]
    return KernelRecord(
        name=recipe.name,
        release=release,
        source=f"Debian's {', '.join(found) or recipe.package}",
        words=recipe.words,
        card=recipe.card,
        preload=bool(recipe.preload),
    )


def _loading_order(plan: DiskPlan) -> list[ImageRecipe]:
    """The order in which the engine loads the images: bases first, then what is based on them.

    Among each, images of the build stage come late, because that takes longest.
    """
    return sorted(plan.images, key=lambda image: (bool(image.base), bool(image.copied)))


def _add_images(
    plan: DiskPlan,
    node_root: Path,
    stage: Future[Path] | None,
    roots: Mapping[str, Future[Path]],
    work: Path,
    report: BuildReport,
) -> tuple[list[ImageRecord], str]:
    """Put every image into the node's engine; returns their records and the engine's version.

    `roots`: by reference, the files of each image that has packages.
    """
    report.stage("Images, each as soon as its files are there")
    records: dict[str, ImageRecord] = {}
    pulled = any(plan.made_of(image) == "registry" for image in plan.images)
    with engine(node_root, work, report, network=pulled) as running:
        for number, image in enumerate(_loading_order(plan)):
            report.progress(number / len(plan.images))
            made_of = plan.made_of(image)
            report.log(f"image {image.reference} ({made_of})")
            if made_of == "registry":
                identity, said = running.pull(image.reference)
            else:
                packed = roots.get(image.reference)
                root = packed.result() if packed else make_root(image.root, work, report)
                tools: Mapping[str, str] = {}
                if plan.stage and stage and image.copied:
                    copy_built(image.copied, stage.result(), root)
                    tools = _tools(plan.stage, stage.result())
                said = detail(image, packages(root), tools)
                labels = {"org.swarmlab.origin": made_of, "org.swarmlab.detail": said}
                changes = image.config.changes(labels)
                identity = running.load(root, image.reference, changes, base=image.base)
                shutil.rmtree(root)
            for reference in image.references:
                if reference != image.reference:
                    running.tag(identity, reference)
                records[reference] = ImageRecord(reference, made_of, said, identity)
        version = running.version
    if stage:
        shutil.rmtree(stage.result())
    every = [reference for image in plan.images for reference in image.references]
    return [records[reference] for reference in every], version


def _tools(recipe: StageRecipe, stage: Path) -> dict[str, str]:
    """The packages with which the build stage has built, with their versions."""
    versions = packages(stage)
    return {name: versions[name] for name in recipe.root.packages}


def detail(image: ImageRecipe, versions: Mapping[str, str], tools: Mapping[str, str]) -> str:
    """What a built image is made of, for people: versions of its packages, base, tools and note.

    `tools`: packages of the build stage with their versions.
    """
    said = []
    if image.root.suite:
        named = ", ".join(f"{name} {versions[name]}" for name in image.root.packages)
        said.append(f"Debian {image.root.suite}: {named}")
    if image.base:
        said.append(f"based on {image.base}")
    if image.copied:
        named = ", ".join(f"{name} {version}" for name, version in tools.items())
        said.append(f"from sources with Debian's {named}")
    if image.note:
        said.append(image.note)
    return "; ".join(said)


def _make_disk(root: Path, disk: Path, size_gib: int, report: BuildReport) -> None:
    """Write the root file system into a sparse ext4 image."""
    with disk.open("wb") as file:
        file.truncate(size_gib * 2**30)
    # A journal, because a node's power is cut and it must boot again. Small, because each
    # node writes its own copy of it.
    argv = ["mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=16", "-L", "swarmlab"]
    argv += ["-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", "-d", str(root), str(disk)]
    run(argv, report)
    # What a node's kernel has written is in the host's memory and survives the kernel's end,
    # which is all that a power failure is here. Flushing it to the host's disk as well
    # would only make every commit of every node wait for that one disk.
    run(["tune2fs", "-o", "nobarrier", str(disk)], report)


@contextmanager
def full_disk_explained() -> Iterator[None]:
    """Turn a full disk, or another refusal of the operating system during a build, into a
    BuildError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full() from error
        raise BuildError(f"nodes can't be built: {error}") from error
    except subprocess.SubprocessError as error:
        raise BuildError(f"nodes can't be built: {error}") from error
