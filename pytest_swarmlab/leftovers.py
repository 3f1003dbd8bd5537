"""`swarmlab gc`: removes what killed runs have left on this host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pytest_swarmlab.errors import HostError
from pytest_swarmlab.text import inert

if TYPE_CHECKING:
    from pytest_swarmlab.providers.base import Provider


def remove(cache: Path, *, kept: bool, disks: bool, out: TextIO) -> None:
    """Remove what killed runs have left on this host, and say what.

    `kept`: also clusters that were kept; `disks`: also node disks, kernels and images that today's
    recipes don't make.
    """
    from pytest_swarmlab.images import list_disks, remove_disk, remove_old_kernels
    from pytest_swarmlab.images.recipe import load_plan
    from pytest_swarmlab.providers.inventory import place, powered_off
    from pytest_swarmlab.providers.uml import UmlProvider
    from pytest_swarmlab.providers.vagrant import VagrantProvider

    providers: tuple[Provider, ...] = (
        UmlProvider(cache=cache, origin="stand-in"),
        VagrantProvider(Path.cwd()),
    )
    for provider in providers:
        _clusters(provider, kept=kept, logs=cache, out=out)
    _containers(cache, kept=kept, disks=disks, out=out)
    for path in place.reap():
        out.write(f"removed leftovers in {path}\n")
    if disks:
        wanted = {load_plan("stand-in").key, load_plan("registry").key}
        for disk in list_disks(cache):
            if disk.key not in wanted:
                freed = remove_disk(cache, disk.key)
                out.write(f"removed node disk {disk.key}: {freed / 2**20:.0f} MiB\n")
        for key, freed in remove_old_kernels(cache).items():
            out.write(f"removed kernel {key}: {freed / 2**20:.0f} MiB\n")
    for name in powered_off.reap():
        out.write(f"turned on {inert(name)}, which a killed run had turned off\n")


def _containers(cache: Path, *, kept: bool, disks: bool, out: TextIO) -> None:
    """Remove leftovers in this host's Docker engine, if it has one."""
    from pytest_swarmlab.images.container import remove_old_images
    from pytest_swarmlab.providers.dind import DindProvider, engine

    try:
        api = engine.connect()
    except HostError:
        return
    provider = DindProvider(cache=cache, origin="stand-in")
    _clusters(provider, kept=kept, logs=cache, out=out)
    if disks:
        for reference in remove_old_images(api):
            out.write(f"removed node image {reference}\n")
    api.close()


def _clusters(provider: Provider, *, kept: bool, logs: Path, out: TextIO) -> None:
    for cluster in provider.reap():
        out.write(f"removed leftovers of cluster {cluster}\n")
    for found in provider.find():
        if found.kept and kept:
            provider.attach(found.id, logs=logs).stop()
            out.write(f"removed kept cluster {found.id}\n")
        else:
            what = "kept" if found.kept else "in use"
            out.write(
                f"cluster {found.id} ({found.topology.name}, since {found.started_at}) is {what}\n"
            )
