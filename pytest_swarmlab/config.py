"""One frozen configuration, read once; no other module reads options, environment or ini file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.model import DEFAULT_MEMORY_MIB

PROVIDERS = ("auto", "uml", "dind", "vagrant", "inventory")
"""The plugin's providers; another plugin or a conftest may add some."""

KERNELS = ("auto", "own", "debian")
ORIGINS = ("stand-in", "registry")
PROGRESS = ("auto", "plain", "live", "off")
SMALLEST_MEMORY_MIB = 512
"""Below this an engine with a few containers runs out of memory (embedded cluster, measured)."""


@dataclass(frozen=True)
class Option:
    """One setting: name without prefix, meaning, default, and how its text is read."""

    name: str
    help: str
    default: Any
    flag: bool = False
    metavar: str | None = None
    const: Any = None

    @property
    def switch(self) -> str:
        """On the command line."""
        return f"--swarmlab-{self.name}"

    @property
    def ini(self) -> str:
        """Prefix in the ini file."""
        return f"swarmlab_{self.name.replace('-', '_')}"

    @property
    def variable(self) -> str:
        """Prefix in the environment."""
        return self.ini.upper()


OPTIONS = (
    Option("provider", "provider of the nodes: uml, dind, vagrant, inventory, auto, or a plugin's",
           "auto", metavar="NAME"),
    Option("inventory", "file that lists an existing cluster's nodes", None, metavar="FILE"),
    Option("allow-destructive", "permit faults and changes on the inventory's cluster", False,
           flag=True),
    Option("submission", "run the drills on a submission, or, without a directory, on the"
           " cluster's own services", None, metavar="DIR", const=""),
    Option("images", "container images: stand-in (built here) or registry", "stand-in",
           metavar="ORIGIN"),
    Option("kernel", "embedded machines' kernel: own (built here), debian, or auto", "auto",
           metavar="NAME"),
    Option("memory", "limit of one node's memory in MiB", str(DEFAULT_MEMORY_MIB), metavar="MIB"),
    Option("keep", "leave the cluster running and print how to reach it", False, flag=True),
    Option("reuse", "run on a kept cluster (its id, if there are several)", None,
           metavar="ID", const=""),
    Option("reports", "directory of reports", "reports", metavar="DIR"),
    Option("progress", "progress while tests run: plain, live, off, or auto", "auto",
           metavar="HOW"),
    Option("cache", "directory of node disks and kernels", None, metavar="DIR"),
)  # fmt: skip
"""Every setting. The command line outweighs the environment, the environment the ini file."""


@dataclass(frozen=True)
class LabConfig:
    """The settings of this run."""

    provider: str
    inventory: Path | None
    allow_destructive: bool
    images: str
    kernel: str
    memory_mib: int
    keep: bool
    reuse: str | None
    reports: Path
    cache: Path
    progress: str
    marking: bool = False
    """Whether the run performs only the drills on a submission."""
    submission: Path | None = None
    """Directory of the submission; None: a cluster is marked without one."""


def read(
    command_line: Callable[[str], Any],
    ini: Callable[[str], Any],
    *,
    rootdir: Path,
    typed_in: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> LabConfig:
    """Read every setting once.

    `command_line` gets a switch's destination (``swarmlab_keep``), `ini` an ini name; both answer
    None or "" for a setting that is not set. `typed_in`: the directory in which the command was
    typed. A relative path of an inventory or a submission starts there if the command line or the
    environment gives it, and at `rootdir` if the ini file does. Raises ConfigError for a value that
    can't be used.
    """

    def value(name: str) -> Any:
        option = next(o for o in OPTIONS if o.name == name)
        for found in (command_line(option.ini), environ.get(option.variable), ini(option.ini)):
            # An empty --swarmlab-reuse means "the one there is": set, though empty.
            empty = found == "" and option.const == "" and found is command_line(option.ini)
            if found or empty:
                return found
        return option.default

    def one_of(name: str, allowed: tuple[str, ...]) -> str:
        chosen = str(value(name))
        if chosen not in allowed:
            choice = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
            raise ConfigError(f"unknown {name} {chosen!r}: use {choice}")
        return chosen

    cache, inventory = value("cache"), value("inventory")
    submission = value("submission")

    def place(name: str, found: Any) -> Path:
        typed = found != ini(f"swarmlab_{name}")
        return (typed_in if typed and typed_in else rootdir) / Path(str(found)).expanduser()

    return LabConfig(
        provider=str(value("provider")),
        inventory=place("inventory", inventory) if inventory else None,
        allow_destructive=_flag("allow-destructive", value("allow-destructive")),
        images=one_of("images", ORIGINS),
        kernel=one_of("kernel", KERNELS),
        memory_mib=_memory(str(value("memory"))),
        keep=_flag("keep", value("keep")),
        reuse=value("reuse"),
        reports=rootdir / Path(str(value("reports"))).expanduser(),
        cache=Path(cache).expanduser() if cache else default_cache(),
        progress=one_of("progress", PROGRESS),
        marking=submission is not None,
        submission=place("submission", submission) if submission else None,
    )


def default_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where disks and kernels are kept unless an option or the ini file says otherwise."""
    if named := environ.get("SWARMLAB_CACHE"):
        return Path(named).expanduser()
    return platformdirs.user_cache_path("swarmlab", appauthor=False)


def _memory(text: str) -> int:
    if not text.isdecimal() or int(text) < SMALLEST_MEMORY_MIB:
        raise ConfigError(
            f"memory {text!r} is not a number of MiB from {SMALLEST_MEMORY_MIB}:"
            f" {DEFAULT_MEMORY_MIB} is the default"
        )
    return int(text)


def _flag(name: str, found: Any) -> bool:
    if isinstance(found, bool):
        return found
    word = str(found).lower()
    if word not in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
        raise ConfigError(f"{name} is {found!r}: use yes or no")
    return word in {"1", "true", "yes", "on"}
