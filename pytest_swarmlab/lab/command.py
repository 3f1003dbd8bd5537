"""`swarmlab lab`: runs the lab's exercises, from a wheel as from a clone.

pytest's configuration is the lab's own, ``pytest.ini`` beside this file: a ``pytest.ini`` or
``conftest.py`` of the working directory belongs to another suite. Reports go into the working
directory.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO, cast

import pytest
from rich.console import Console

from pytest_swarmlab.config import LabConfig
from pytest_swarmlab.contents import exercises
from pytest_swarmlab.errors import ConfigError, HostError, SwarmlabError, Unusable
from pytest_swarmlab.images import (
    RichReport,
    builder,
    ensure_disk,
    ensure_kernel,
    find_disk,
    find_kernel,
    roots,
)
from pytest_swarmlab.images.commands import as_root, missing_packages
from pytest_swarmlab.lab import EXERCISES
from pytest_swarmlab.providers.uml import provider as uml
from pytest_swarmlab.run.session import CONFIG, RUN, shows_only, terminal
from pytest_swarmlab.submitted import work
from pytest_swarmlab.text import by_number

CONFIGURATION = Path(__file__).with_name("pytest.ini")


def run(numbers: Sequence[str], arguments: Sequence[str]) -> int:
    """Run the exercises of these numbers, or all, in pytest; returns pytest's exit code.

    `arguments`: further arguments of pytest, which outweigh ours. Raises ConfigError for a number
    that the lab does not have.
    """
    there = exercises()
    wanted = list(dict.fromkeys(numbers)) or sorted(there, key=by_number)
    if unknown := [each for each in wanted if each not in there]:
        raise ConfigError(
            f"the lab has no exercise {', '.join(unknown)}: there are"
            f" {', '.join(sorted(there, key=by_number))}"
        )
    places = [str(there[each]) for each in wanted]
    ours = ["-c", str(CONFIGURATION), f"--rootdir={Path.cwd()}"]
    return int(pytest.main([*ours, *places, *arguments], plugins=[Preparation(whole=not numbers)]))


def drill(submission: Path | None, arguments: Sequence[str]) -> Path:
    """Run the drills on a submission, or on a cluster as it is; returns the run's directory.

    `arguments`: further arguments of pytest. The outcome of the tests is in the record, from which
    a mark is made. Raises Unusable or ConfigError when nothing can be drilled.
    """
    if submission is not None:
        try:
            work.read(submission)
        except Unusable as error:
            raise Unusable(
                f"the submission {submission} can't be drilled: {error}"
                f" (`swarmlab check {submission}` lists all that it lacks)"
            ) from error
    kept = RunKept()
    given = f"--swarmlab-submission={submission if submission is not None else ''}"
    ours = ["-c", str(CONFIGURATION), f"--rootdir={Path.cwd()}", str(EXERCISES / "submission")]
    # The mark shows expectations and observations.
    ours += ["--tb=no", "-rfE"]
    pytest.main([*ours, given, *arguments], plugins=[Preparation(whole=False), kept])
    if kept.directory is None:
        raise ConfigError("no drill has run, so there is nothing to mark: see above")
    return kept.directory


class RunKept:
    """Keeps the directory of the session's run beyond the session."""

    def __init__(self) -> None:
        self.directory: Path | None = None

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """The session is over, and its run, if there was one."""
        if run := config.stash.get(RUN, None):
            self.directory = run.directory


class Preparation:
    """Builds what embedded machines lack, before pytest collects anything."""

    def __init__(self, *, whole: bool) -> None:
        """`whole`: every exercise is run, which is worth the minutes that the own kernel takes."""
        self._whole = whole

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Build it, or end the session with one sentence: what is missing, and the command."""
        config = session.config.stash[CONFIG]
        if config.provider != "uml" or shows_only(session.config):
            return
        own = config.kernel == "own" or (self._whole and config.kernel == "auto")
        console = Console(file=cast(TextIO, terminal(session.config)))
        try:
            prepare(config, own_kernel=own, console=console)
        except SwarmlabError as error:
            raise pytest.UsageError(str(error)) from error


def prepare(config: LabConfig, *, own_kernel: bool, console: Console) -> None:
    """Build the node disk and, if it is wanted, the own kernel, unless the cache holds them.

    Raises HostError where system packages are missing, or root's rights for what is to be built,
    and what a build raises.
    """
    builder.require_processor()
    origin: Any = config.images
    build = []
    if find_disk(config.cache, origin=origin) is None:
        build.append("disk")
    if own_kernel and find_kernel(config.cache) is None:
        build.append("kernel")
    _require_packages(building=bool(build))
    if build and os.geteuid() != 0:
        raise HostError(
            f"the {' and the '.join(build)} of embedded machines must be built once, as root: run"
            f" {' and '.join(f'`{as_root(each, config.cache)}`' for each in build)}"
        )
    with RichReport(console) as report:
        if "disk" in build:
            ensure_disk(config.cache, origin=origin, report=report)
        if "kernel" in build:
            ensure_kernel(config.cache, report=report)


def _require_packages(*, building: bool) -> None:
    """Raise HostError, with the command that installs them, where system packages are missing."""
    missing = set(missing_packages(uml.COMMANDS))
    if building:
        missing.update(missing_packages(builder.COMMANDS))
        if not roots.KEYRING.exists():
            missing.add("debian-archive-keyring")
    if missing:
        raise HostError(
            "system packages are missing: as root, run"
            f" `apt-get install --no-install-recommends {' '.join(sorted(missing))}`"
        )
