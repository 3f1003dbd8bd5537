"""The command `swarmlab`: what is done outside a pytest run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_swarmlab.config import default_cache
from pytest_swarmlab.errors import ConfigError, HostError, SwarmlabError

if TYPE_CHECKING:
    from pytest_swarmlab.providers.base import Provider


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns its exit code: 0 well, 1 not well, 2 could not be done."""
    parser = argparse.ArgumentParser(
        prog="swarmlab", description="Clusters, disks and records of pytest-swarmlab."
    )
    parser.add_argument(
        "--cache", type=Path, default=default_cache(), help="where node disks and kernels are kept"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="what this machine can and cannot prove").set_defaults(
        run=_doctor
    )
    disk = commands.add_parser("disk", help="build the node disk if the cache has none of today's")
    disk.add_argument("--images", choices=("stand-in", "registry"), default="stand-in")
    disk.set_defaults(run=_disk)
    kernel = commands.add_parser(
        "kernel",
        help="build the faster kernel of embedded machines if the cache has none of today's",
    )
    kernel.set_defaults(run=_kernel)
    image = commands.add_parser(
        "image", help="build the node image for containers if the Docker engine has none of today's"
    )
    image.set_defaults(run=_image)
    gc = commands.add_parser("gc", help="remove what runs that were killed left behind")
    gc.add_argument("--kept", action="store_true", help="clusters that were kept on purpose too")
    gc.add_argument(
        "--disks", action="store_true", help="node disks and kernels of recipes that changed too"
    )
    gc.set_defaults(run=_gc)
    judge = commands.add_parser("judge", help="judge a saved run again, from its record alone")
    judge.add_argument("run_directory", type=Path)
    judge.set_defaults(run=_judge)
    table = commands.add_parser("table", help="what was proven where, from several results.json")
    table.add_argument("results", type=Path, nargs="+")
    table.set_defaults(run=_table)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except SwarmlabError as error:
        sys.stderr.write(f"swarmlab: {error}\n")
        return 2
    return code


def _doctor(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.markup import escape

    from pytest_swarmlab.doctor import examine

    console = Console(highlight=False, soft_wrap=True)
    well = True
    for finding in examine(arguments.cache):
        mark = "[green]yes[/]" if finding.well else "[red]no [/]"
        console.print(f"{mark}  {escape(finding.what)}: {escape(finding.seen)}")
        if not finding.well:
            console.print(f"     → {escape(finding.remedy)}")
        well = well and finding.well
    return 0 if well else 1


def _disk(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.images import build_at_terminal

    disk = build_at_terminal(arguments.cache, origin=arguments.images)
    sys.stdout.write(f"node disk {disk.key}: {disk.used / 2**20:.0f} MiB in {disk.path}\n")
    return 0


def _kernel(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.images import build_kernel_at_terminal

    kernel = build_kernel_at_terminal(arguments.cache)
    sys.stdout.write(f"{kernel} in {kernel.path}\n")
    return 0


def _image(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.images.container import build_image_at_terminal
    from pytest_swarmlab.providers.dind import engine

    image = build_image_at_terminal(engine.connect(), arguments.cache)
    sys.stdout.write(f"node image {image.reference}\n")
    return 0


def _gc(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.images import list_disks, remove_disk, remove_old_kernels
    from pytest_swarmlab.images.recipe import load_plan
    from pytest_swarmlab.providers.inventory import place
    from pytest_swarmlab.providers.uml import UmlProvider
    from pytest_swarmlab.providers.vagrant import VagrantProvider

    providers: tuple[Provider, ...] = (
        UmlProvider(cache=arguments.cache, origin="stand-in"),
        VagrantProvider(Path.cwd()),
    )
    for provider in providers:
        _gc_clusters(provider, kept=arguments.kept, logs=arguments.cache)
    _gc_containers(arguments)
    for path in place.reap():
        sys.stdout.write(f"removed what was left in {path}\n")
    if arguments.disks:
        wanted = {load_plan("stand-in").key, load_plan("registry").key}
        for disk in list_disks(arguments.cache):
            if disk.key not in wanted:
                freed = remove_disk(arguments.cache, disk.key)
                sys.stdout.write(f"removed node disk {disk.key}: {freed / 2**20:.0f} MiB\n")
        for key, freed in remove_old_kernels(arguments.cache).items():
            sys.stdout.write(f"removed kernel {key}: {freed / 2**20:.0f} MiB\n")
    return 0


def _gc_containers(arguments: argparse.Namespace) -> None:
    """The same in this host's Docker engine; nothing where there is none."""
    from pytest_swarmlab.images.container import remove_old_images
    from pytest_swarmlab.providers.dind import DindProvider, engine

    try:
        api = engine.connect()
    except HostError:
        return
    _gc_clusters(
        DindProvider(cache=arguments.cache, origin="stand-in"),
        kept=arguments.kept,
        logs=arguments.cache,
    )
    if arguments.disks:
        for reference in remove_old_images(api):
            sys.stdout.write(f"removed node image {reference}\n")
    api.close()


def _gc_clusters(provider: Provider, *, kept: bool, logs: Path) -> None:
    for cluster in provider.reap():
        sys.stdout.write(f"removed what was left of cluster {cluster}\n")
    for found in provider.find():
        if found.kept and kept:
            provider.attach(found.id, logs=logs).stop()
            sys.stdout.write(f"removed kept cluster {found.id}\n")
        else:
            what = "kept" if found.kept else "in use"
            sys.stdout.write(
                f"cluster {found.id} ({found.topology.name}, since {found.started_at}) is {what}\n"
            )


def _judge(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.judging.again import judge_again

    return judge_again(arguments.run_directory, sys.stdout)


def _table(arguments: argparse.Namespace) -> int:
    import json

    from pytest_swarmlab.reporting.table import markdown

    try:
        runs = [json.loads(path.read_text(encoding="utf-8")) for path in arguments.results]
        sys.stdout.write(markdown(runs))
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"no results of a run can be read there: {error}") from error
    return 0
