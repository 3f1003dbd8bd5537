"""Root file systems from Debian packages, or from nothing, as recipes have them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from pytest_swarmlab.images.commands import in_root, run
from pytest_swarmlab.images.files import PlacedFile, tree_files
from pytest_swarmlab.images.progress import PartReport
from pytest_swarmlab.images.recipe import RootRecipe

MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

PHASES = {
    "running apt-get update": 0.05,
    "downloading packages": 0.15,
    "extracting archives": 0.35,
    "installing essential": 0.45,
    "installing remaining": 0.55,
    "cleaning package lists": 0.95,
}
"""mmdebstrap's messages → how far it is then, measured on the node's root."""

REFUSALS = {
    "Unable to locate package": "Debian's suite no longer has a package of the recipe",
    "has no installation candidate": "Debian's suite no longer has a package of the recipe",
    "was not found": "Debian's suite no longer has a package of the recipe",
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
"""apt's message when it gets no packages → its meaning. The first that matches counts."""


def make_root(recipe: RootRecipe, work: Path, report: PartReport) -> Path:
    """A directory below `work` with the root file system of a recipe. Raises BuildError."""
    root = bootstrap(recipe, work, report)
    for command in recipe.commands:
        run(in_root(root, command), report)
    for place, aim in recipe.links.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(aim)
    for pattern in recipe.delete:
        for path in sorted(root.glob(pattern)):
            remove(path)
    return root


def bootstrap(recipe: RootRecipe, work: Path, report: PartReport) -> Path:
    """A directory with a recipe's packages and files; its commands come after."""
    root = work / recipe.name
    if recipe.suite:
        _install(recipe, root, report)
    else:
        root.mkdir()
    if recipe.tree:
        copy_tree(recipe.tree, root)
    return root


def _install(recipe: RootRecipe, root: Path, report: PartReport) -> None:
    argv = ["mmdebstrap", "--mode=root", f"--variant={recipe.variant}", "--format=directory"]
    argv += [f"--include={','.join(recipe.packages)}", f"--keyring={KEYRING}"]
    argv += [f"--aptopt={option}" for option in recipe.apt_options]
    # Nobody reads manuals on a node. The licences stay.
    argv += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale")]
    argv += ["--dpkgopt=path-include=/usr/share/doc/*/copyright"]
    argv += [recipe.suite, str(root)]
    argv += [f"deb {MIRROR} {suite} main" for suite in (recipe.suite, *recipe.more_suites)]

    def hear(line: str) -> None:
        for words, fraction in PHASES.items():
            if f"I: {words}" in line:
                report.progress(fraction)

    def explain(line: str) -> str:
        if line.startswith(("E:", "W:", "Err:")):
            for words, meaning in REFUSALS.items():
                if words in line:
                    return f"the packages of {recipe.name} can't be had: {meaning} ({line})"
        return ""

    # What it makes for itself there stays when it is killed: this goes with the build.
    with TemporaryDirectory(prefix=f"{root.name}.", dir=root.parent) as place:
        run(["env", f"TMPDIR={place}", *argv], report, on_line=hear, explain=explain)


def copy_tree(tree: Path, root: Path) -> None:
    """Put a recipe's files into a root."""
    copy_files(tree_files(tree), root)


def copy_files(files: Iterable[PlacedFile], root: Path) -> None:
    """Put files into a root, each at its place and with its mode."""
    for source, place, mode in files:
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        path.chmod(mode)


def packages(root: Path) -> dict[str, str]:
    """Name and version of each package in a root, from dpkg's own status file."""
    found: dict[str, str] = {}
    status = root / "var/lib/dpkg/status"
    if not status.exists():
        return found
    name = ""
    for line in status.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(": ")
        if key == "Package":
            name = value
        elif key == "Version":
            found[name] = value
    return found


def remove(path: Path) -> None:
    """Remove a file, a link or a directory with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
