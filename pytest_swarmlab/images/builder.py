"""Carries out recipes: root file systems from Debian packages, images, disks and kernels."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from pytest_swarmlab.errors import BuildError, HostError
from pytest_swarmlab.images.commands import disk_full, in_root, run, search_path
from pytest_swarmlab.images.engine import Engine, engine
from pytest_swarmlab.images.interpreter import set_interpreter, write_starter
from pytest_swarmlab.images.manifest import ImageRecord, KernelManifest, KernelRecord, Manifest
from pytest_swarmlab.images.progress import BuildReport
from pytest_swarmlab.images.recipe import (
    DiskPlan,
    ImageRecipe,
    KernelRecipe,
    MadeOf,
    RootRecipe,
    tree_files,
)

MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

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

NEEDED_MIB = 4096
"""Free space that a build wants, MiB: about 3000 are in use when the disk is written."""

PHASES = {
    "running apt-get update": 0.05,
    "downloading packages": 0.15,
    "extracting archives": 0.35,
    "installing essential": 0.45,
    "installing remaining": 0.55,
    "cleaning package lists": 0.95,
}
"""How far mmdebstrap is when it says so, measured on the node's root."""

REFUSALS = {
    "Unable to locate package": "Debian's suite has a package of the recipe no more",
    "has no installation candidate": "Debian's suite has a package of the recipe no more",
    "was not found": "Debian's suite has a package of the recipe no more",
    "is not signed": "Debian's signature of the packages is missing",
    "public key is not available": "Debian's signature is by a key that this machine doesn't know:"
    " install today's debian-archive-keyring",
    "invalid signature": "Debian's signature of the packages is wrong",
    "BADSIG": "Debian's signature of the packages is wrong",
    "Hash Sum mismatch": "a package is not what Debian signed: try again in an hour",
    "Temporary failure resolving": "Debian's server can't be found: see that this machine reaches"
    f" {MIRROR}",
    "Could not connect": f"Debian's server doesn't answer: see that this machine reaches {MIRROR}",
}
"""What apt says when it gets no packages, and what that means. The first that is met counts."""

COMPILER_LINES = 10
"""How much of a failed compilation's output its error quotes."""

KERNEL_DIRECTORY = "kernel"
PRELOAD = "preload.so"
RELEASE = "usr/src/swarmlab/linux/include/config/kernel.release"
"""Where a compiled kernel says its release."""

LIBRARIES = ("usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
"""What the kernel as a program needs from its own Debian."""


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
        report.stage("Debian's kernel")
        kernel_root = _make_root(plan.kernel.root, work, report)
        _place_program(plan.kernel, kernel_root, target, place)
        node = make_node_root(plan, work, report)
        release = _add_modules(plan.kernel, kernel_root, node.path, report)
        kernel = _record(plan.kernel, release, kernel_root)
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
    preflight(target, remedy="swarmlab kernel")
    work = target / "work"
    work.mkdir()
    with full_disk_explained():
        report.stage("Compiler and source")
        root = _bootstrap(recipe.root, work, report)
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


def make_node_root(plan: DiskPlan, work: Path, report: BuildReport) -> NodeRoot:
    """A node's file system below `work`, with its images and without an identity.

    Raises BuildError when a step fails.
    """
    report.stage("Node's packages")
    root = _make_root(plan.node.root, work, report)
    records, version = _add_images(plan, root, work, report)
    # Empty, so that a node without an identity is seen as new; its start brings the real one.
    (root / "etc/machine-id").write_bytes(b"")
    for host_key in (root / "etc/ssh").glob("ssh_host_*"):
        host_key.unlink()
    for place in ("run", "tmp", "var/tmp"):
        for path in (root / place).iterdir():
            _remove(path)
    return NodeRoot(root, tuple(records), version, _packages(root))


def require_processor() -> None:
    """Raise HostError where User-mode Linux can't run, whatever is installed."""
    if (machine := platform.machine()) != "x86_64":
        raise HostError(
            f"embedded machines run on x86-64 processors only, and this one is {machine}: use"
            " --swarmlab-provider=dind, vagrant or inventory"
        )


def preflight(target: Path, *, remedy: str = "swarmlab disk") -> None:
    """Raise HostError, naming the remedy, when a build in `target` can't succeed here.

    `remedy`: the command that builds the same and can be run as root.
    """
    require_processor()
    if os.geteuid() != 0:
        raise HostError(
            "building nodes needs root, for mounts and file owners: run"
            f" `sudo {remedy}` once (or build in a container or a virtual machine)"
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


def _make_root(recipe: RootRecipe, work: Path, report: BuildReport) -> Path:
    """A directory with the root file system of a recipe."""
    root = _bootstrap(recipe, work, report)
    for command in recipe.commands:
        run(in_root(root, command), report)
    for place, aim in recipe.links.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(aim)
    for pattern in recipe.delete:
        for path in sorted(root.glob(pattern)):
            _remove(path)
    return root


def _bootstrap(recipe: RootRecipe, work: Path, report: BuildReport) -> Path:
    """A directory with a recipe's packages and files; its commands come after."""
    root = work / recipe.name
    argv = ["mmdebstrap", "--mode=root", f"--variant={recipe.variant}", "--format=directory"]
    argv += [f"--include={','.join(recipe.packages)}", f"--keyring={KEYRING}"]
    argv += [f"--aptopt={option}" for option in recipe.apt_options]
    # Nobody reads manuals on a node. The licences stay.
    argv += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale")]
    argv += ["--dpkgopt=path-include=/usr/share/doc/*/copyright"]
    argv += [recipe.suite, str(root)]
    argv += [f"deb {MIRROR} {suite} main" for suite in (recipe.suite, *recipe.more_suites)]
    refusals: list[str] = []

    def hear(line: str) -> None:
        for words, fraction in PHASES.items():
            if f"I: {words}" in line:
                report.progress(fraction)
        if line.startswith(("E:", "W:", "Err:")):
            refusals.extend(
                f"{meaning} ({line})" for words, meaning in REFUSALS.items() if words in line
            )

    try:
        run(argv, report, on_line=hear)
    except BuildError as error:
        if not refusals:
            raise
        raise BuildError(f"the packages of {recipe.name} can't be had: {refusals[0]}") from error
    if recipe.tree:
        copy_tree(recipe.tree, root)
    return root


def copy_tree(tree: Path, root: Path) -> None:
    """Put a recipe's files into a root."""
    for source, place, mode in tree_files(tree):
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        path.chmod(mode)


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
    """Put a kernel's modules into a node's root; returns the kernel's release."""
    releases = sorted(path.name for path in (kernel_root / recipe.modules).iterdir())
    if len(releases) != 1:
        raise BuildError(f"the kernel's package holds modules of {releases}: one release is needed")
    release = releases[0]
    modules = node_root / "usr/lib/modules" / release
    shutil.copytree(kernel_root / recipe.modules / release, modules)
    run(in_root(node_root, ["depmod", release]), report)
    return release


def _record(recipe: KernelRecipe, release: str, root: Path) -> KernelRecord:
    """What a kernel of that root says about itself."""
    # Where packages were only unpacked, their version isn't told; the release says it then.
    found = [
        f"{name} {version}"
        for name, version in _packages(root).items()
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


def _add_images(
    plan: DiskPlan, node_root: Path, work: Path, report: BuildReport
) -> tuple[list[ImageRecord], str]:
    """Put every image into the node's engine; returns their records and the engine's version."""
    roots: dict[str, Path] = {}
    for image in plan.images:
        if plan.made_of(image) != "registry":
            report.stage(f"Packages of {image.reference}")
            roots[image.reference] = _make_root(image.root, work, report)
    report.stage("Images")
    records = []
    with engine(node_root, work, report, network=len(roots) < len(plan.images)) as running:
        for number, image in enumerate(plan.images):
            report.progress(number / len(plan.images))
            made_of = plan.made_of(image)
            report.log(f"image {image.reference} ({made_of})")
            if root := roots.get(image.reference):
                identity, said = _load(running, image, root, made_of)
                shutil.rmtree(root)
            else:
                identity, said = running.pull(image.reference)
            records.append(ImageRecord(image.reference, made_of, said, identity))
        version = running.version
    return records, version


def _load(running: Engine, image: ImageRecipe, root: Path, made_of: MadeOf) -> tuple[str, str]:
    said = detail(image, _packages(root))
    labels = {"org.swarmlab.origin": made_of, "org.swarmlab.detail": said}
    return running.load(root, image.reference, image.config.changes(labels)), said


def detail(image: ImageRecipe, versions: Mapping[str, str]) -> str:
    """What a built image is made of, for people: suite, versions of its packages, and its note."""
    named = ", ".join(f"{name} {versions[name]}" for name in image.root.packages)
    return f"Debian {image.root.suite}: {named}" + (f"; {image.note}" if image.note else "")


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


def _packages(root: Path) -> dict[str, str]:
    """Name and version of each package in a root, from dpkg's own status file."""
    found: dict[str, str] = {}
    name = ""
    for line in (root / "var/lib/dpkg/status").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(": ")
        if key == "Package":
            name = value
        elif key == "Version":
            found[name] = value
    return found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


@contextmanager
def full_disk_explained() -> Iterator[None]:
    """Turn what the operating system refuses during a build into a BuildError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full() from error
        raise BuildError(f"nodes can't be built: {error}") from error
    except subprocess.SubprocessError as error:
        raise BuildError(f"nodes can't be built: {error}") from error
