"""The build stage: a root with compilers in which sources are built; images copy the results.

Its commands are the only ones of a build that use the network for more than Debian's packages.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_swarmlab.errors import BuildError
from pytest_swarmlab.images.commands import in_root, run
from pytest_swarmlab.images.progress import PartReport
from pytest_swarmlab.images.recipe import StageRecipe
from pytest_swarmlab.images.roots import bootstrap, copy_files

SOURCES = "src"
"""Where the sources lie in the stage."""

REFUSAL = "npm's packages can't be had"
"""Prefix of the sentence for people at the end of `npm-ci`'s output."""


def make_stage(recipe: StageRecipe, work: Path, report: PartReport) -> Path:
    """A directory below `work` in which everything is built. Raises BuildError."""
    root = bootstrap(recipe.root, work, report)
    copy_files(recipe.sources, root / SOURCES)
    for path in _of_the_host():
        place = root / path.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        # With its mode: a registry's password may be in it.
        shutil.copy(path, place)
    for command in recipe.root.commands:
        run(in_root(root, command), report, explain=_refusal)
    return root


def _refusal(line: str) -> str:
    return line if line.startswith(REFUSAL) else ""


def copy_built(copied: Mapping[str, str], stage: Path, root: Path) -> None:
    """Copy built files into an image's root, owned by root. Raises BuildError if one is missing."""
    for source, place in copied.items():
        built, aim = stage / source, root / place
        aim.parent.mkdir(parents=True, exist_ok=True)
        if built.is_dir():
            shutil.copytree(built, aim, symlinks=True, dirs_exist_ok=True)
        elif built.is_file():
            shutil.copy(built, aim)
        else:
            raise BuildError(f"the build stage has not made {source}, which an image needs")


def _of_the_host() -> Iterator[Path]:
    """Files that tell programs how this machine reaches the network, and npm its registry."""
    named = os.environ.get("NODE_EXTRA_CA_CERTS")
    for path in (
        Path("/etc/resolv.conf"),
        Path("/etc/hosts"),
        Path("/etc/ssl/certs/ca-certificates.crt"),
        Path.home() / ".npmrc",
        *([Path(named)] if named else []),
    ):
        if path.is_file():
            yield path
